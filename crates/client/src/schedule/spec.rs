//! When a schedule acts.

use std::{
    ops::RangeInclusive,
    time::{Duration, SystemTime},
};

use stead_data::time::{duration_from_proto, duration_to_proto, time_from_proto, time_to_proto};
use stead_proto::schedule::v1 as wire;

/// When a schedule acts: at all times of its calendars, intervals and cron expressions together, without those it skips.
///
/// ```
/// use stead_client::{ScheduleCalendar, ScheduleSpec};
///
/// // At 9:00 and 17:00 from Monday to Friday in Paris, but not at Christmas.
/// let office = ScheduleCalendar::new().hour([9, 17]).day_of_week(1..=5).comment("office hours");
/// let christmas = ScheduleCalendar::new().month(12).day_of_month(25..=26).hour(0..=23);
/// let spec = ScheduleSpec::new().calendar(office).skip(christmas).time_zone("Europe/Paris");
/// # let _ = spec;
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ScheduleSpec {
    /// Times by the calendar.
    pub calendars: Vec<ScheduleCalendar>,
    /// Times at regular intervals.
    pub intervals: Vec<ScheduleInterval>,
    /// Times as cron expressions. A server gives them back as calendars and intervals.
    pub cron_expressions: Vec<String>,
    /// Times of the above that are left out.
    pub skip: Vec<ScheduleCalendar>,
    /// No time before this one counts.
    pub start_at: Option<SystemTime>,
    /// No time after this one counts.
    pub end_at: Option<SystemTime>,
    /// Each time is put off at random by up to this much, and not beyond the next one.
    pub jitter: Option<Duration>,
    /// The time zone of calendars and cron expressions, such as `Europe/Paris`; empty for UTC.
    pub time_zone: String,
    /// A time zone's definition that somebody has uploaded: kept, so that an update does not lose it.
    time_zone_data: bytes::Bytes,
    /// What comes out when the spec is sent.
    error: Option<InvalidScheduleSpec>,
}

/// The times of a schedule make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidScheduleSpec {
    /// A time of day is written `02:30` or `02:30:15`.
    #[error("`{0}` is not a time of day, which is written as `02:30` or `02:30:15`")]
    TimeOfDay(String),
    /// A time of day goes with single days: give an interval its offset, or make a calendar.
    #[error(
        "`at` goes with `every(days(1))` and not with an interval of {0:?}; use `interval` with an offset, or `calendar`"
    )]
    AtWithInterval(Duration),
    /// A range cannot be sent: its bounds are reversed, or too large.
    #[error("{start} to {end} in steps of {step} is no range of a calendar")]
    Range {
        /// Its first value.
        start: u32,
        /// Its last value.
        end: u32,
        /// The distance between its values.
        step: u32,
    },
}

/// Times by the calendar: those that match all of its fields.
///
/// New, it matches midnight of every day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleCalendar {
    /// 0 to 59. Default: 0.
    pub second: Vec<ScheduleRange>,
    /// 0 to 59. Default: 0.
    pub minute: Vec<ScheduleRange>,
    /// 0 to 23. Default: 0.
    pub hour: Vec<ScheduleRange>,
    /// 1 to 31. Default: all.
    pub day_of_month: Vec<ScheduleRange>,
    /// 1 to 12. Default: all.
    pub month: Vec<ScheduleRange>,
    /// Such as 2027. Default, and if it is empty: all.
    pub year: Vec<ScheduleRange>,
    /// 0 to 6, from Sunday on. Default: all.
    pub day_of_week: Vec<ScheduleRange>,
    /// For people.
    pub comment: String,
}

/// Values of a calendar's field: from one to another, both included, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleRange {
    /// The first.
    pub start: u32,
    /// The last.
    pub end: u32,
    /// The distance between two; 1 for all.
    pub step: u32,
}

/// Times at regular intervals, counted from the beginning of 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleInterval {
    /// The distance.
    pub every: Duration,
    /// How much later than at whole intervals since 1970; less than an interval.
    pub offset: Duration,
}

impl ScheduleSpec {
    /// Never.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds times by the calendar.
    #[must_use]
    pub fn calendar(mut self, calendar: ScheduleCalendar) -> Self {
        self.calendars.push(calendar);
        self
    }

    /// Adds times at regular intervals; [`at`](Self::at) after `every(days(1))` makes it a time of each day.
    #[must_use]
    pub fn every(self, interval: Duration) -> Self {
        self.interval(ScheduleInterval::new(interval))
    }

    /// Adds times at regular intervals.
    #[must_use]
    pub fn interval(mut self, interval: ScheduleInterval) -> Self {
        self.intervals.push(interval);
        self
    }

    /// Adds a time of each day by the clock of the [time zone](Self::time_zone), such as `02:30`.
    ///
    /// It stands alone or after `every(days(1))`, in whose place it comes. A text that is no time of day, or an interval
    /// of another length before it, is an error when the schedule is sent.
    #[must_use]
    pub fn at(mut self, time: &str) -> Self {
        match self.intervals.last() {
            Some(last) if *last == ScheduleInterval::new(DAY) => drop(self.intervals.pop()),
            Some(last) => {
                let every = last.every;
                return self.fail(InvalidScheduleSpec::AtWithInterval(every));
            }
            None => {}
        }
        match time_of_day(time) {
            Some([hour, minute, second]) => {
                self.calendar(ScheduleCalendar::new().hour(hour).minute(minute).second(second))
            }
            None => self.fail(InvalidScheduleSpec::TimeOfDay(time.to_owned())),
        }
    }

    /// Adds times as a cron expression, such as `30 2 * * *`; what the server understands: five to seven fields, `@daily`
    /// and its like, `@every 90m/15m`, a comment after `#`, and a time zone in front.
    #[must_use]
    pub fn cron(mut self, expression: impl Into<String>) -> Self {
        self.cron_expressions.push(expression.into());
        self
    }

    /// Leaves out times.
    #[must_use]
    pub fn skip(mut self, calendar: ScheduleCalendar) -> Self {
        self.skip.push(calendar);
        self
    }

    /// Lets no time before this one count.
    #[must_use]
    pub fn start_at(mut self, time: SystemTime) -> Self {
        self.start_at = Some(time);
        self
    }

    /// Lets no time after this one count.
    #[must_use]
    pub fn end_at(mut self, time: SystemTime) -> Self {
        self.end_at = Some(time);
        self
    }

    /// Puts each time off at random, by up to this much.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// The time zone of calendars and cron expressions, such as `Europe/Paris`. Default: UTC.
    #[must_use]
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = name.into();
        self.time_zone_data = bytes::Bytes::new();
        self
    }

    fn fail(mut self, error: InvalidScheduleSpec) -> Self {
        self.error.get_or_insert(error);
        self
    }

    pub(super) fn to_wire(&self) -> Result<wire::ScheduleSpec, InvalidScheduleSpec> {
        self.error.clone().map_or(Ok(()), Err)?;
        let calendars =
            |calendars: &[ScheduleCalendar]| calendars.iter().map(ScheduleCalendar::to_wire).collect::<Result<_, _>>();
        Ok(wire::ScheduleSpec {
            structured_calendar: calendars(&self.calendars)?,
            cron_string: self.cron_expressions.clone(),
            interval: self.intervals.iter().copied().map(ScheduleInterval::to_wire).collect(),
            exclude_structured_calendar: calendars(&self.skip)?,
            start_time: self.start_at.map(time_to_proto),
            end_time: self.end_at.map(time_to_proto),
            jitter: self.jitter.map(duration_to_proto),
            timezone_name: self.time_zone.clone(),
            timezone_data: self.time_zone_data.clone(),
            ..Default::default()
        })
    }

    pub(super) fn from_wire(spec: wire::ScheduleSpec) -> Self {
        let calendars = |calendars: Vec<wire::StructuredCalendarSpec>| {
            calendars.into_iter().map(ScheduleCalendar::from_wire).collect()
        };
        Self {
            calendars: calendars(spec.structured_calendar),
            intervals: spec.interval.iter().map(ScheduleInterval::from_wire).collect(),
            cron_expressions: spec.cron_string,
            skip: calendars(spec.exclude_structured_calendar),
            start_at: spec.start_time.as_ref().map(time_from_proto),
            end_at: spec.end_time.as_ref().map(time_from_proto),
            jitter: spec.jitter.as_ref().map(duration_from_proto),
            time_zone: spec.timezone_name,
            time_zone_data: spec.timezone_data,
            error: None,
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Hour, minute and second of `02:30` or `02:30:15`.
fn time_of_day(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split(':');
    let mut part = |limit: u32| {
        let part = parts.next()?;
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|value| is_number && *value < limit)
    };
    let (hour, minute) = (part(24)?, part(60)?);
    let second = if text.matches(':').count() == 1 { 0 } else { part(60)? };
    parts.next().is_none().then_some([hour, minute, second])
}

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident)*) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, values: impl IntoScheduleRanges) -> Self {
            self.$field = values.into_ranges();
            self
        }
    )* };
}

impl ScheduleCalendar {
    /// Midnight of every day.
    pub fn new() -> Self {
        let one = |value| vec![ScheduleRange::from(value)];
        Self {
            second: one(0),
            minute: one(0),
            hour: one(0),
            day_of_month: vec![(1..=31).into()],
            month: vec![(1..=12).into()],
            year: Vec::new(),
            day_of_week: vec![(0..=6).into()],
            comment: String::new(),
        }
    }

    fields! {
        /// The seconds, 0 to 59: a number, a range, or several of them.
        second
        /// The minutes, 0 to 59.
        minute
        /// The hours, 0 to 23.
        hour
        /// The days of the month, 1 to 31.
        day_of_month
        /// The months, 1 to 12.
        month
        /// The years, such as 2027.
        year
        /// The days of the week, 0 to 6, from Sunday on.
        day_of_week
    }

    /// A comment for people.
    #[must_use]
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = comment.into();
        self
    }

    fn to_wire(&self) -> Result<wire::StructuredCalendarSpec, InvalidScheduleSpec> {
        let ranges =
            |ranges: &[ScheduleRange]| ranges.iter().copied().map(ScheduleRange::to_wire).collect::<Result<_, _>>();
        Ok(wire::StructuredCalendarSpec {
            second: ranges(&self.second)?,
            minute: ranges(&self.minute)?,
            hour: ranges(&self.hour)?,
            day_of_month: ranges(&self.day_of_month)?,
            month: ranges(&self.month)?,
            year: ranges(&self.year)?,
            day_of_week: ranges(&self.day_of_week)?,
            comment: self.comment.clone(),
        })
    }

    fn from_wire(calendar: wire::StructuredCalendarSpec) -> Self {
        let ranges = |ranges: Vec<wire::Range>| ranges.iter().map(ScheduleRange::from_wire).collect();
        Self {
            second: ranges(calendar.second),
            minute: ranges(calendar.minute),
            hour: ranges(calendar.hour),
            day_of_month: ranges(calendar.day_of_month),
            month: ranges(calendar.month),
            year: ranges(calendar.year),
            day_of_week: ranges(calendar.day_of_week),
            comment: calendar.comment,
        }
    }
}

impl Default for ScheduleCalendar {
    fn default() -> Self {
        Self::new()
    }
}

impl ScheduleRange {
    /// The same in steps of this size.
    #[must_use]
    pub fn step_by(mut self, step: u32) -> Self {
        self.step = step;
        self
    }

    fn to_wire(self) -> Result<wire::Range, InvalidScheduleSpec> {
        let Self { start, end, step } = self;
        let number = |number: u32| i32::try_from(number).ok();
        match (number(start), number(end), number(step)) {
            (Some(first), Some(last), Some(by)) if start <= end => {
                Ok(wire::Range { start: first, end: last, step: by })
            }
            _ => Err(InvalidScheduleSpec::Range { start, end, step }),
        }
    }

    /// The wire leaves out an end that is the start, and a step of 1.
    fn from_wire(range: &wire::Range) -> Self {
        let number = |number: i32| u32::try_from(number).unwrap_or(0);
        let start = number(range.start);
        Self { start, end: number(range.end).max(start), step: number(range.step).max(1) }
    }
}

impl From<u32> for ScheduleRange {
    fn from(value: u32) -> Self {
        Self { start: value, end: value, step: 1 }
    }
}

impl From<RangeInclusive<u32>> for ScheduleRange {
    fn from(range: RangeInclusive<u32>) -> Self {
        Self { start: *range.start(), end: *range.end(), step: 1 }
    }
}

/// What may be said for a field of a calendar: a number, a range, an array or a list of them.
pub trait IntoScheduleRanges {
    /// The ranges.
    fn into_ranges(self) -> Vec<ScheduleRange>;
}

impl IntoScheduleRanges for u32 {
    fn into_ranges(self) -> Vec<ScheduleRange> {
        vec![self.into()]
    }
}

impl IntoScheduleRanges for RangeInclusive<u32> {
    fn into_ranges(self) -> Vec<ScheduleRange> {
        vec![self.into()]
    }
}

impl IntoScheduleRanges for ScheduleRange {
    fn into_ranges(self) -> Vec<ScheduleRange> {
        vec![self]
    }
}

impl<T: Into<ScheduleRange>, const N: usize> IntoScheduleRanges for [T; N] {
    fn into_ranges(self) -> Vec<ScheduleRange> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<ScheduleRange>> IntoScheduleRanges for Vec<T> {
    fn into_ranges(self) -> Vec<ScheduleRange> {
        self.into_iter().map(Into::into).collect()
    }
}

impl ScheduleInterval {
    /// At whole intervals since the beginning of 1970.
    pub fn new(every: Duration) -> Self {
        Self { every, offset: Duration::ZERO }
    }

    /// As much later.
    #[must_use]
    pub fn offset(mut self, offset: Duration) -> Self {
        self.offset = offset;
        self
    }

    fn to_wire(self) -> wire::IntervalSpec {
        wire::IntervalSpec {
            interval: Some(duration_to_proto(self.every)),
            phase: (!self.offset.is_zero()).then(|| duration_to_proto(self.offset)),
        }
    }

    fn from_wire(interval: &wire::IntervalSpec) -> Self {
        let duration = |duration: Option<&prost_types::Duration>| duration.map_or(Duration::ZERO, duration_from_proto);
        Self { every: duration(interval.interval.as_ref()), offset: duration(interval.phase.as_ref()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_stands_alone_or_makes_an_interval_of_a_day_one() {
        let half_past_two = ScheduleSpec::new().calendar(ScheduleCalendar::new().hour(2).minute(30));
        assert_eq!(ScheduleSpec::new().at("02:30"), half_past_two);
        assert_eq!(ScheduleSpec::new().every(DAY).at("2:30"), half_past_two);
        let twice = ScheduleSpec::new().every(DAY).at("02:30").at("14:30:15");
        assert_eq!((twice.calendars.len(), twice.intervals.len()), (2, 0));
        assert_eq!(twice.calendars[1], ScheduleCalendar::new().hour(14).minute(30).second(15));
        let both = ScheduleSpec::new().at("02:30").every(Duration::from_secs(60));
        assert_eq!((both.calendars.len(), both.intervals.len(), both.error), (1, 1, None));
    }

    #[test]
    fn what_is_no_time_of_day_comes_out_when_the_spec_is_sent() {
        for wrong in ["", "2", "24:00", "02:60", "02:30:60", "02:30:15:1", "+2:30", "002:30", "a:b", "02:"] {
            let error = ScheduleSpec::new().at(wrong).to_wire().expect_err(wrong);
            assert_eq!(error, InvalidScheduleSpec::TimeOfDay(wrong.to_owned()));
        }
        let hourly = ScheduleSpec::new().every(Duration::from_secs(3600)).at("02:30").to_wire();
        assert_eq!(hourly.expect_err("an hour"), InvalidScheduleSpec::AtWithInterval(Duration::from_secs(3600)));
        let reversed =
            ScheduleSpec::new().calendar(ScheduleCalendar::new().hour(ScheduleRange { start: 5, end: 2, step: 1 }));
        assert!(reversed.to_wire().expect_err("reversed").to_string().contains("5 to 2"));
    }

    #[test]
    fn a_spec_comes_back_from_the_wire_as_it_went() {
        let calendar = ScheduleCalendar::new()
            .second([0, 30])
            .minute(ScheduleRange::from(0..=59).step_by(5))
            .hour(9..=17)
            .day_of_month(vec![1, 15])
            .month(1)
            .year(2027..=2030)
            .day_of_week([1..=5])
            .comment("office");
        let spec = ScheduleSpec::new()
            .calendar(calendar.clone())
            .interval(ScheduleInterval::new(DAY).offset(Duration::from_secs(7)))
            .cron("0 12 * * MON")
            .skip(calendar)
            .start_at(SystemTime::UNIX_EPOCH)
            .end_at(SystemTime::UNIX_EPOCH + DAY)
            .jitter(Duration::from_secs(3))
            .time_zone("Europe/Paris");
        assert_eq!(ScheduleSpec::from_wire(spec.to_wire().expect("it is valid")), spec);
    }
}
