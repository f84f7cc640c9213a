//! [`Calendar`]: the times that a calendar of a schedule matches.

use stead_proto::schedule::v1::{Range, StructuredCalendarSpec};

use crate::engine::zone::{WallClock, Zone};

/// Which values of each field match: bit `n` for the value `n`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Calendar {
    second: u64,
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    /// Bit `n` for the year 2000 + `n`; none means any.
    year: Option<u128>,
    weekday: u64,
    zone: Zone,
}

/// The years that a calendar may name; it matches none after the last.
pub(super) const FIRST_YEAR: i64 = 2000;
pub(super) const LAST_YEAR: i64 = 2100;

impl Calendar {
    pub(super) fn new(spec: &StructuredCalendarSpec, zone: &Zone) -> Self {
        let years = spec.year.iter().flat_map(|range| values(range, FIRST_YEAR, LAST_YEAR));
        Self {
            second: bits(&spec.second),
            minute: bits(&spec.minute),
            hour: bits(&spec.hour),
            day: bits(&spec.day_of_month),
            month: bits(&spec.month),
            year: (!spec.year.is_empty()).then(|| years.fold(0, |years, year| years | 1 << (year - FIRST_YEAR))),
            weekday: bits(&spec.day_of_week),
            zone: zone.clone(),
        }
    }

    /// Whether the calendar matches a second.
    pub(super) fn matches(&self, unix: i64) -> bool {
        let clock = self.zone.clock(unix);
        self.mismatch(clock, clock.weekday()).is_none()
    }

    /// The first second after this one that matches, before the year 2101.
    pub(super) fn next(&self, after: i64) -> Option<i64> {
        let fields = [self.second, self.minute, self.hour, self.day, self.month, self.weekday];
        if fields.contains(&0) {
            return None;
        }
        let mut search = Search::after(after, &self.zone);
        loop {
            search.carry();
            let clock = search.clock;
            if clock.year > LAST_YEAR {
                return None;
            }
            match self.mismatch(clock, search.weekday()) {
                Some(field) => search.skip(field),
                None => match search.found() {
                    Some(unix) => return Some(unix),
                    None => search.skip(Field::Hour),
                },
            }
        }
    }

    /// The largest field that does not match.
    fn mismatch(&self, clock: WallClock, weekday: i64) -> Option<Field> {
        if !self.matches_year(clock.year) {
            Some(Field::Year)
        } else if !has(self.month, clock.month) {
            Some(Field::Month)
        } else if !has(self.day, clock.day) || !has(self.weekday, weekday) {
            Some(Field::Day)
        } else if !has(self.hour, clock.hour) {
            Some(Field::Hour)
        } else if !has(self.minute, clock.minute) {
            Some(Field::Minute)
        } else if !has(self.second, clock.second) {
            Some(Field::Second)
        } else {
            None
        }
    }

    fn matches_year(&self, year: i64) -> bool {
        let Some(years) = self.year else { return true };
        (FIRST_YEAR..=LAST_YEAR).contains(&year) && years & (1 << (year - FIRST_YEAR)) != 0
    }
}

/// A field of a clock, the larger ones first.
#[derive(Clone, Copy)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A time that moves on, field by field.
///
/// Where clocks go back, an hour is shown twice. Going through that hour as [`Zone::instant`] understands it is what
/// finds one of the two, and going through an hour once more, an hour later, the other. It takes the first of the two for
/// what the clocks mean, which is so west of Greenwich; east of it some times are missed, as Temporal's server misses
/// them.
struct Search<'a> {
    clock: WallClock,
    /// The clock shows the hour for the second time.
    again: bool,
    zone: &'a Zone,
}

impl<'a> Search<'a> {
    fn after(unix: i64, zone: &'a Zone) -> Self {
        let mut clock = zone.clock(unix);
        let again = zone.clock(unix - HOUR).hour == clock.hour;
        clock.second += 1;
        Self { clock, again, zone }
    }

    /// Gives the day of the week that the zone's clocks show, which is the day before's where midnight is skipped.
    fn weekday(&self) -> i64 {
        self.zone.clock(self.zone.instant(self.clock)).weekday()
    }

    /// The instant, unless clocks skip this hour.
    fn found(&self) -> Option<i64> {
        let unix = self.zone.instant(self.clock);
        let shown = self.zone.clock(unix).hour == self.clock.hour;
        shown.then_some(if self.again { unix + HOUR } else { unix })
    }

    /// Goes on to the next value of a field, with all smaller ones at their first.
    fn skip(&mut self, field: Field) {
        let clock = &mut self.clock;
        match field {
            Field::Year => *clock = WallClock { year: clock.year + 1, month: 1, day: 1, hour: 0, minute: 0, second: 0 },
            Field::Month => {
                *clock = WallClock { month: clock.month + 1, day: 1, hour: 0, minute: 0, second: 0, ..*clock }
            }
            Field::Day => *clock = WallClock { day: clock.day + 1, hour: 0, minute: 0, second: 0, ..*clock },
            Field::Hour => *clock = WallClock { hour: clock.hour + 1, minute: 0, second: 0, ..*clock },
            Field::Minute => *clock = WallClock { minute: clock.minute + 1, second: 0, ..*clock },
            Field::Second => clock.second += 1,
        }
        if !matches!(field, Field::Minute | Field::Second) {
            self.again = false;
        }
    }

    /// Brings fields that overflowed into the next larger one.
    fn carry(&mut self) {
        if self.clock.second >= 60 {
            self.clock = WallClock { minute: self.clock.minute + 1, second: 0, ..self.clock };
        }
        if self.clock.minute >= 60 {
            self.end_hour();
        }
        let clock = &mut self.clock;
        if clock.hour >= 24 {
            *clock = WallClock { day: clock.day + 1, hour: 0, ..*clock };
        }
        if clock.day > days_in_month(clock.year, clock.month) {
            *clock = WallClock { month: clock.month + 1, day: 1, ..*clock };
        }
        if clock.month > 12 {
            *clock = WallClock { year: clock.year + 1, month: 1, ..*clock };
        }
    }

    fn end_hour(&mut self) {
        let this = WallClock { minute: 0, second: 0, ..self.clock };
        let next = WallClock { hour: this.hour + 1, ..this };
        let repeats = self.zone.instant(next) - self.zone.instant(this) > HOUR;
        self.again = repeats && !self.again;
        self.clock = WallClock { second: self.clock.second, ..if self.again { this } else { next } };
    }
}

const HOUR: i64 = 3_600;

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn has(values: u64, value: i64) -> bool {
    (0..64).contains(&value) && values & (1 << value) != 0
}

fn bits(ranges: &[Range]) -> u64 {
    let values = ranges.iter().flat_map(|range| values(range, 0, 63));
    values.fold(0, |bits, value| bits | 1 << value)
}

/// The values of a range that are not before `first` nor after `last`, whatever the range says. One without an end has
/// a single value; one without a step goes by ones.
fn values(range: &Range, first: i64, last: i64) -> impl Iterator<Item = i64> + use<> {
    let (start, step) = (i64::from(range.start), i64::from(range.step.max(1)));
    let end = i64::from(range.end.max(range.start)).min(last);
    let skipped = (first - start).max(0);
    let start = start + (skipped + step - 1) / step * step;
    (start..=end).step_by(usize::try_from(step).unwrap_or(1))
}
