//! Calendars as text: the fields of a calendar, each a list of ranges, and cron strings. All become structured
//! calendars and intervals. The texts of errors are those of Temporal's server.

use stead_proto::schedule::v1::{CalendarSpec, IntervalSpec, Range, StructuredCalendarSpec};

use super::calendar::{FIRST_YEAR, LAST_YEAR};
use crate::engine::cron::parse_duration;

/// A cron string: the calendar or interval that it means, and the time zone in front of it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct CronString {
    pub(super) calendar: Option<StructuredCalendarSpec>,
    pub(super) interval: Option<IntervalSpec>,
    pub(super) zone: String,
}

/// A field of a calendar.
struct Field {
    name: &'static str,
    /// What an empty field means.
    default: &'static str,
    first: i64,
    last: i64,
    /// Names of values, from the first; prefixes of this length or longer will do.
    names: &'static [&'static str],
    prefix: usize,
}

const fn field(name: &'static str, default: &'static str, first: i64, last: i64) -> Field {
    Field { name, default, first, last, names: &[], prefix: 0 }
}

const SECOND: Field = field("Second", "0", 0, 59);
const MINUTE: Field = field("Minute", "0", 0, 59);
const HOUR: Field = field("Hour", "0", 0, 23);
const DAY_OF_MONTH: Field = field("DayOfMonth", "*", 1, 31);
const YEAR: Field = field("Year", "*", FIRST_YEAR, LAST_YEAR);
const MONTH: Field = Field { names: MONTHS, prefix: 3, ..field("Month", "*", 1, 12) };
/// Sunday is 0 and 7.
const DAY_OF_WEEK: Field = Field { names: WEEKDAYS, prefix: 2, ..field("DayOfWeek", "*", 0, 7) };

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: &[&str] = &["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// The structured form of a calendar in text.
pub(super) fn structured(calendar: &CalendarSpec) -> Result<StructuredCalendarSpec, String> {
    let mut errors = Vec::new();
    let mut ranges = |text: &str, field: &Field| {
        field.ranges(text).unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        })
    };
    let structured = StructuredCalendarSpec {
        second: ranges(&calendar.second, &SECOND),
        minute: ranges(&calendar.minute, &MINUTE),
        hour: ranges(&calendar.hour, &HOUR),
        day_of_week: ranges(&calendar.day_of_week, &DAY_OF_WEEK),
        day_of_month: ranges(&calendar.day_of_month, &DAY_OF_MONTH),
        month: ranges(&calendar.month, &MONTH),
        year: match calendar.year.trim() {
            // No range is any year.
            "" | "*" => Vec::new(),
            years => ranges(years, &YEAR),
        },
        comment: calendar.comment.clone(),
    };
    if errors.is_empty() { Ok(structured) } else { Err(errors.join(", ")) }
}

/// Reads a cron string: `[CRON_TZ=zone] [second] minute hour day-of-month month day-of-week [year] [# comment]`, or
/// `@every 1h/5m`, or `@daily` and its like.
pub(super) fn cron_string(text: &str) -> Result<CronString, String> {
    let text = text.trim();
    let (zone, text) = if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        let (zone, rest) = text.split_once(' ').ok_or("CronString has time zone but missing fields")?;
        (zone.split_once('=').map_or("", |(_, zone)| zone), rest)
    } else {
        ("", text)
    };
    let (text, comment) = text.split_once('#').unwrap_or((text, ""));
    let text = text.trim();
    if text.starts_with("@every") {
        // An interval knows no time zone.
        return Ok(CronString { interval: Some(every(text)?), ..CronString::default() });
    }
    let calendar = structured(&calendar_of(text, comment.trim())?)?;
    Ok(CronString { calendar: Some(calendar), zone: zone.to_owned(), interval: None })
}

fn calendar_of(text: &str, comment: &str) -> Result<CalendarSpec, String> {
    let text = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => other,
    };
    let fields: Vec<&str> = text.split_whitespace().take(8).collect();
    let (second, [minute, hour, day_of_month, month, day_of_week], year) = match fields[..] {
        [a, b, c, d, e] => ("", [a, b, c, d, e], ""),
        [a, b, c, d, e, year] => ("", [a, b, c, d, e], year),
        [second, a, b, c, d, e, year] => (second, [a, b, c, d, e], year),
        _ => return Err("CronString does not have 5-7 fields".to_owned()),
    };
    Ok(CalendarSpec {
        second: second.to_owned(),
        minute: minute.to_owned(),
        hour: hour.to_owned(),
        day_of_month: day_of_month.to_owned(),
        month: month.to_owned(),
        day_of_week: day_of_week.to_owned(),
        year: year.to_owned(),
        comment: comment.to_owned(),
    })
}

fn every(text: &str) -> Result<IntervalSpec, String> {
    let (_, interval) = text.split_once(' ').ok_or("CronString does not have interval after @every")?;
    let (interval, phase) = interval.split_once('/').unwrap_or((interval, ""));
    let interval = Some(days_or_duration(interval)?);
    let phase = if phase.is_empty() { None } else { Some(days_or_duration(phase)?) };
    Ok(IntervalSpec { interval, phase })
}

/// A duration, in which a number of days may stand: `1d12h`.
fn days_or_duration(text: &str) -> Result<prost_types::Duration, String> {
    const SECOND: i64 = 1_000_000_000;
    let nanos = parse_duration(&days_as_hours(text))?;
    let rest = i32::try_from(nanos % SECOND).unwrap_or_default();
    Ok(prost_types::Duration { seconds: nanos / SECOND, nanos: rest })
}

fn days_as_hours(text: &str) -> String {
    let mut hours = String::new();
    for part in text.split_inclusive('d') {
        let days = part.strip_suffix('d').and_then(|before| {
            let digits = before.bytes().rev().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            let (before, number) = before.split_at(before.len() - digits);
            Some((before, number.parse::<f64>().ok()?))
        });
        match days {
            Some((before, days)) => hours.push_str(&format!("{before}{:.6}h", days * 24.0)),
            None => hours.push_str(part),
        }
    }
    hours
}

impl Field {
    /// Reads a list of ranges: `*`, `x`, `x-y`, and each with `/step`; `x/step` goes to the end.
    fn ranges(&self, text: &str) -> Result<Vec<Range>, String> {
        let text = text.trim();
        let text = if text.is_empty() { self.default } else { text };
        let mut ranges = Vec::new();
        for part in text.split(',') {
            let (first, last, step) = self.range(part)?;
            self.push(&mut ranges, first, last, step);
        }
        Ok(ranges)
    }

    fn range(&self, part: &str) -> Result<(i64, i64, i64), String> {
        let name = self.name;
        let (part, step) = match part.split_once('/') {
            Some((_, step)) if step.contains('/') => return Err(format!("{name} has too many slashes")),
            Some((_, "")) => return Err(format!("{name} missing step value")),
            Some((part, step)) => (part, Some(number(step)?)),
            None => (part, None),
        };
        if step.is_some_and(|step| step < 1) {
            return Err(format!("{name} has invalid Step"));
        }
        let (first, last) = match part.split_once('-') {
            _ if part == "*" => (self.first, self.last),
            Some((_, last)) if last.contains('-') => return Err(format!("{name} has too many dashes")),
            Some((first, last)) => self.bounds(first, last)?,
            None => {
                let first = self.value(part, self.first);
                let first = first.ok_or_else(|| format!("{name} is not in range [{}-{}]", self.first, self.last))?;
                (first, if step.is_some() { self.last } else { first })
            }
        };
        Ok((first, last, step.unwrap_or(1)))
    }

    fn bounds(&self, first: &str, last: &str) -> Result<(i64, i64), String> {
        let (name, min, max) = (self.name, self.first, self.last);
        let first = self.value(first, min).ok_or_else(|| format!("{name} Start is not in range [{min}-{max}]"))?;
        let last = self.value(last, first);
        let last = last.ok_or_else(|| format!("{name} End is before Start or not in range [{min}-{max}]"))?;
        Ok((first, last))
    }

    /// Adds a range. What is the default of a field stays unset. A Sunday that is the 7 at the end becomes the 0 at the
    /// beginning, which may need a range of its own.
    fn push(&self, ranges: &mut Vec<Range>, first: i64, mut last: i64, step: i64) {
        if self.last == 7 && last == 7 {
            if (7 - first) % step == 0 && (step > 1 || first > 1) {
                ranges.push(Range::default());
                if first == 7 {
                    return;
                }
            }
            last = 6;
        }
        ranges.push(Range {
            start: narrow(first),
            end: if first == last { 0 } else { narrow(last) },
            step: if step == 1 { 0 } else { narrow(step) },
        });
    }

    /// A value, as a number or by its name, that is neither before `first` nor after the last one of the field.
    fn value(&self, text: &str, first: i64) -> Option<i64> {
        let lower = text.to_lowercase();
        let named = !self.names.is_empty() && text.len() >= self.prefix;
        let named = self.names.iter().filter(|_| named).position(|name| name.starts_with(&lower));
        let value = match named {
            Some(position) => self.first + i64::try_from(position).ok()?,
            None => text.parse().ok()?,
        };
        (first..=self.last).contains(&value).then_some(value)
    }
}

fn narrow(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn number(text: &str) -> Result<i64, String> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse::<i64>().map_err(|error| {
        let reason = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.Atoi: parsing {text:?}: {reason}")
    })
}
