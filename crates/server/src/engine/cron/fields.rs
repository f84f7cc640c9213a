//! [`Fields`]: the five fields of a cron schedule, and the next time that they match.

use crate::engine::zone::{WallClock, Zone};

/// Which values of each field match: bit `n` for the value `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// The day of the month or of the week was `*`: then both must match. Otherwise one of them is enough.
    any_day: bool,
}

/// The values that a field may have.
struct Bounds {
    first: u64,
    last: u64,
    names: &'static [&'static str],
}

const MINUTE: Bounds = Bounds { first: 0, last: 59, names: &[] };
const HOUR: Bounds = Bounds { first: 0, last: 23, names: &[] };
const DAY: Bounds = Bounds { first: 1, last: 31, names: &[] };
const MONTH: Bounds = Bounds {
    first: 1,
    last: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAY: Bounds = Bounds { first: 0, last: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl Fields {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let mut fields = text.split_whitespace();
        let mut field = |bounds| values(fields.next()?, bounds);
        let (minute, _) = field(&MINUTE)?;
        let (hour, _) = field(&HOUR)?;
        let (day, any_day) = field(&DAY)?;
        let (month, _) = field(&MONTH)?;
        let (weekday, any_weekday) = field(&WEEKDAY)?;
        let fields_left = fields.next().is_some();
        (!fields_left).then_some(Self { minute, hour, day, month, weekday, any_day: any_day || any_weekday })
    }

    /// The first match after a second, within five years.
    pub(super) fn next(&self, after: i64, zone: &Zone) -> Option<i64> {
        let mut search = Search::new(after + 1, zone);
        let last_year = search.clock().year + 5;
        // Each step goes on to a later month, day, hour or minute, and begins again when that ends the larger field.
        while search.clock().year <= last_year {
            if self.advance(&mut search) {
                return Some(search.unix);
            }
        }
        None
    }

    /// Moves on to the first time that matches. False if a larger field moved on, so that all must be looked at again.
    fn advance(&self, search: &mut Search<'_>) -> bool {
        while !has(self.month, search.clock().month) {
            search.next_month();
            if search.clock().month == 1 {
                return false;
            }
        }
        while !self.matches_day(search.clock()) {
            search.next_day();
            if search.clock().day == 1 {
                return false;
            }
        }
        while !has(self.hour, search.clock().hour) {
            search.next_hour();
            if search.clock().hour == 0 {
                return false;
            }
        }
        while !has(self.minute, search.clock().minute) {
            search.next_minute();
            if search.clock().minute == 0 {
                return false;
            }
        }
        if search.clock().second != 0 {
            search.next_minute();
            return false;
        }
        true
    }

    fn matches_day(&self, clock: WallClock) -> bool {
        let (day, weekday) = (has(self.day, clock.day), has(self.weekday, clock.weekday()));
        if self.any_day { day && weekday } else { day || weekday }
    }
}

#[cfg(test)]
impl Fields {
    /// Whether the minute of a clock matches.
    pub(super) fn matches(&self, clock: WallClock) -> bool {
        let time = has(self.minute, clock.minute) && has(self.hour, clock.hour) && has(self.month, clock.month);
        time && self.matches_day(clock)
    }
}

/// A time that moves on. Its smaller fields become zero with the first step.
struct Search<'a> {
    unix: i64,
    zone: &'a Zone,
    moved: bool,
}

impl<'a> Search<'a> {
    fn new(unix: i64, zone: &'a Zone) -> Self {
        Self { unix, zone, moved: false }
    }

    fn clock(&self) -> WallClock {
        self.zone.clock(self.unix)
    }

    /// Truncates with the first step only.
    fn begin(&mut self, truncate: impl FnOnce(WallClock) -> WallClock) {
        if !self.moved {
            self.moved = true;
            self.unix = self.zone.instant(truncate(self.clock()));
        }
    }

    fn next_month(&mut self) {
        self.begin(|clock| WallClock { day: 1, hour: 0, minute: 0, second: 0, ..clock });
        let clock = self.clock();
        self.unix = self.zone.instant(WallClock { month: clock.month + 1, ..clock });
    }

    fn next_day(&mut self) {
        self.begin(|clock| WallClock { hour: 0, minute: 0, second: 0, ..clock });
        let clock = self.clock();
        self.unix = self.zone.instant(WallClock { day: clock.day + 1, ..clock });
        // Where clocks skip midnight, the day begins at one, or what was found is the last hour of the day before.
        match self.clock().hour {
            0 => {}
            hour @ 13.. => self.unix += (24 - hour) * 3_600,
            hour => self.unix -= hour * 3_600,
        }
    }

    fn next_hour(&mut self) {
        self.begin(|clock| WallClock { minute: 0, second: 0, ..clock });
        self.unix += 3_600;
    }

    fn next_minute(&mut self) {
        self.moved = true;
        self.unix += 60 - self.unix.rem_euclid(60);
    }
}

fn has(values: u64, value: i64) -> bool {
    (0..64).contains(&value) && values & (1 << value) != 0
}

/// The values of a field, and whether it has a `*`.
fn values(field: &str, bounds: &Bounds) -> Option<(u64, bool)> {
    let ranges = field.split(',').filter(|range| !range.is_empty());
    ranges.map(|range| range_values(range, bounds)).try_fold((0, false), |(values, any), range| {
        let (more, star) = range?;
        Some((values | more, any || star))
    })
}

fn range_values(range: &str, bounds: &Bounds) -> Option<(u64, bool)> {
    let (range, step) = match range.split_once('/') {
        Some((range, step)) => (range, Some(number(step)?)),
        None => (range, None),
    };
    let (low, high) = match range.split_once('-') {
        Some((low, high)) => (low, Some(high)),
        None => (range, None),
    };
    let star = matches!(low, "*" | "?");
    let (first, last) = if star {
        (bounds.first, bounds.last)
    } else {
        let first = value(low, bounds)?;
        let last = match high {
            Some(high) => value(high, bounds)?,
            None if step.is_some() => bounds.last,
            None => first,
        };
        (first, last)
    };
    let step = step.unwrap_or(1);
    if first < bounds.first || last > bounds.last || first > last || step == 0 {
        return None;
    }
    let step_by = usize::try_from(step).ok()?;
    let values = (first..=last).step_by(step_by).fold(0, |values, value| values | 1 << value);
    Some((values, star && step == 1))
}

fn value(text: &str, bounds: &Bounds) -> Option<u64> {
    let named = bounds.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    match named {
        Some(position) => Some(bounds.first + position as u64),
        None => number(text),
    }
}

fn number(text: &str) -> Option<u64> {
    u64::try_from(text.parse::<i64>().ok()?).ok()
}
