//! [`Spec`]: when a schedule acts.
//!
//! A specification comes in many forms: calendars and intervals, calendars in text, cron strings. [`canonical`] makes
//! all of them structured calendars and intervals, which is what is stored and described; [`Spec::compile`] makes of
//! those what finds the next time. Times are whole seconds, and a jitter moves each by milliseconds, always the same.

mod calendar;
mod text;

use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip::SipHasher13;
use stead_proto::schedule::v1::{IntervalSpec, Range, ScheduleSpec, StructuredCalendarSpec};

use self::calendar::{Calendar, FIRST_YEAR, LAST_YEAR};
use crate::engine::Time;
use crate::engine::zone::Zone;

/// A specification that is ready to find times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    calendars: Vec<Calendar>,
    excluded: Vec<Calendar>,
    intervals: Vec<Interval>,
    start: Option<Time>,
    end: Option<Time>,
    jitter: Duration,
}

/// Every so many seconds since the epoch, and so many later.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval {
    every: i64,
    phase: i64,
}

/// A time at which a schedule acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextTime {
    /// As the specification has it.
    pub(crate) nominal: Time,
    /// With jitter.
    pub(crate) at: Time,
}

/// So many times in a row are excluded that the search was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyExclusions;

impl Spec {
    /// Makes a specification ready; of the calendars, only structured ones count.
    ///
    /// # Errors
    ///
    /// When the time zone is not known.
    pub(crate) fn compile(spec: &ScheduleSpec) -> Result<Self, String> {
        let zone = match spec.timezone_data.as_ref() {
            [] => Zone::named(&spec.timezone_name)?,
            data => Zone::from_data(&spec.timezone_name, data)?,
        };
        let calendars =
            |specs: &[StructuredCalendarSpec]| specs.iter().map(|spec| Calendar::new(spec, &zone)).collect();
        Ok(Self {
            calendars: calendars(&spec.structured_calendar),
            excluded: calendars(&spec.exclude_structured_calendar),
            intervals: spec.interval.iter().map(Interval::new).collect(),
            start: spec.start_time.as_ref().map(Time::from_timestamp),
            end: spec.end_time.as_ref().map(Time::from_timestamp),
            jitter: Duration::from_nanos(u64::try_from(nanos(spec.jitter.as_ref())).unwrap_or(0)),
        })
    }

    /// The first time after an instant. The seed tells the jitter of one schedule from that of another.
    ///
    /// # Errors
    ///
    /// When the search was given up; there may be a time, much later.
    pub(crate) fn next(&self, seed: &str, after: Time) -> Result<Option<NextTime>, TooManyExclusions> {
        let earliest = self.start.unwrap_or_default() - Duration::from_secs(1);
        let mut second = after.max(earliest).unix_nanos().div_euclid(SECOND);
        for _ in 0..MAX_EXCLUSIONS {
            match self.next_second(second) {
                Some(next) if !self.is_over(next) => second = next,
                _ => return Ok(None),
            }
            if !self.excluded.iter().any(|calendar| calendar.matches(second)) {
                return Ok(Some(self.with_jitter(seed, second)));
            }
        }
        Err(TooManyExclusions)
    }

    /// The first time after an instant, with its jitter; none if the search was given up.
    pub(crate) fn next_at(&self, seed: &str, after: Time) -> Option<Time> {
        self.next(seed, after).ok().flatten().map(|next| next.at)
    }

    /// The first second after another that a calendar or an interval matches.
    fn next_second(&self, after: i64) -> Option<i64> {
        let calendars = self.calendars.iter().filter_map(|calendar| calendar.next(after));
        calendars.chain(self.intervals.iter().map(|interval| interval.next(after))).min()
    }

    fn is_over(&self, second: i64) -> bool {
        second >= END_OF_TIME || self.end.is_some_and(|end| from_seconds(second) > end)
    }

    /// The jitter does not reach the next time.
    fn with_jitter(&self, seed: &str, second: i64) -> NextTime {
        let nominal = from_seconds(second);
        let gap = self.next_second(second).map(|next| from_seconds(next).since(nominal));
        let jitter = gap.map_or(self.jitter, |gap| gap.min(self.jitter));
        let millis = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
        let part = (fingerprint(seed, second) * millis) >> 32;
        NextTime { nominal, at: nominal + Duration::from_millis(part) }
    }
}

impl Interval {
    fn new(spec: &IntervalSpec) -> Self {
        let every = nanos(spec.interval.as_ref()) / SECOND;
        Self { every: every.max(1), phase: (nanos(spec.phase.as_ref()) / SECOND).max(0) }
    }

    fn next(self, after: i64) -> i64 {
        ((after - self.phase) / self.every + 1) * self.every + self.phase
    }
}

/// A specification in which calendars in text and cron strings have become structured calendars and intervals.
///
/// # Errors
///
/// What is wrong with it, as Temporal's server says it.
#[expect(deprecated, reason = "clients still send it")]
pub(crate) fn canonical(mut spec: ScheduleSpec) -> Result<ScheduleSpec, String> {
    for interval in &spec.interval {
        check_duration("interval", interval.interval.as_ref())?;
        check_duration("phase", interval.phase.as_ref())?;
    }
    for calendar in std::mem::take(&mut spec.calendar) {
        spec.structured_calendar.push(text::structured(&calendar)?);
    }
    for calendar in std::mem::take(&mut spec.exclude_calendar) {
        spec.exclude_structured_calendar.push(text::structured(&calendar)?);
    }
    read_cron_strings(&mut spec)?;
    spec.structured_calendar.iter().try_for_each(check_calendar)?;
    spec.interval.iter().try_for_each(check_interval)?;
    Spec::compile(&spec)?;
    Ok(spec)
}

/// All cron strings must name the same time zone, or none; it becomes that of the specification.
fn read_cron_strings(spec: &mut ScheduleSpec) -> Result<(), String> {
    const CONFLICT: &str = "conflicting timezone names";
    let mut zone = None;
    for text in std::mem::take(&mut spec.cron_string) {
        let cron = text::cron_string(&text)?;
        if zone.as_ref().is_some_and(|zone| *zone != cron.zone) {
            return Err(CONFLICT.to_owned());
        }
        zone = Some(cron.zone);
        spec.structured_calendar.extend(cron.calendar);
        spec.interval.extend(cron.interval);
    }
    let Some(zone) = zone.filter(|zone| !zone.is_empty()) else { return Ok(()) };
    let other = !spec.timezone_name.is_empty() && spec.timezone_name != zone;
    if other || !spec.timezone_data.is_empty() {
        return Err(CONFLICT.to_owned());
    }
    spec.timezone_name = zone;
    Ok(())
}

fn check_calendar(calendar: &StructuredCalendarSpec) -> Result<(), String> {
    let years = (narrow(FIRST_YEAR), narrow(LAST_YEAR));
    let fields = [
        ("Second", &calendar.second, (0, 59)),
        ("Minute", &calendar.minute, (0, 59)),
        ("Hour", &calendar.hour, (0, 23)),
        ("DayOfMonth", &calendar.day_of_month, (1, 31)),
        ("Month", &calendar.month, (1, 12)),
        ("Year", &calendar.year, years),
        ("DayOfWeek", &calendar.day_of_week, (0, 6)),
    ];
    let mut errors = Vec::new();
    for (name, ranges, bounds) in fields {
        ranges.iter().for_each(|range| check_range(range, name, bounds, &mut errors));
    }
    if calendar.comment.len() > MAX_COMMENT {
        errors.push("comment is too long".to_owned());
    }
    if errors.is_empty() { Ok(()) } else { Err(format!("invalid calendar spec: {}", errors.join(", "))) }
}

fn check_range(range: &Range, name: &str, (first, last): (i32, i32), errors: &mut Vec<String>) {
    if range.start < first || range.start > last {
        errors.push(format!("{name} Start is not in range [{first}-{last}]"));
    }
    if range.end != 0 && (range.end < range.start || range.end > last) {
        errors.push(format!("{name} End is before Start or not in range [{first}-{last}]"));
    }
    if range.step < 0 {
        errors.push(format!("{name} has invalid Step"));
    }
}

fn check_interval(interval: &IntervalSpec) -> Result<(), String> {
    let (every, phase) = (nanos(interval.interval.as_ref()), nanos(interval.phase.as_ref()));
    if every < SECOND {
        Err("interval is too small".to_owned())
    } else if phase < 0 {
        Err("phase is negative".to_owned())
    } else if phase >= every {
        Err("phase cannot be greater than Interval".to_owned())
    } else {
        Ok(())
    }
}

fn check_duration(name: &str, duration: Option<&prost_types::Duration>) -> Result<(), String> {
    /// Ten thousand years, as the definition of durations has it.
    const MAX_SECONDS: i64 = 315_576_000_000;
    let Some(prost_types::Duration { seconds, nanos }) = duration else { return Ok(()) };
    let wrong = if *seconds < -MAX_SECONDS {
        format!("(seconds:{seconds}) exceeds -10000 years")
    } else if *seconds > MAX_SECONDS {
        format!("(seconds:{seconds}) exceeds +10000 years")
    } else if nanos.unsigned_abs() >= 1_000_000_000 {
        format!("(seconds:{seconds} nanos:{nanos}) has out-of-range nanos")
    } else if (*seconds > 0 && *nanos < 0) || (*seconds < 0 && *nanos > 0) {
        format!("(seconds:{seconds} nanos:{nanos}) has seconds and nanos with different signs")
    } else {
        return Ok(());
    };
    Err(format!("{name} is not a valid duration: proto: duration {wrong}"))
}

/// What is left out of the ranges of a specification is filled in, as a description shows it.
pub(crate) fn fill_ranges(spec: &mut ScheduleSpec) {
    for calendar in spec.structured_calendar.iter_mut().chain(&mut spec.exclude_structured_calendar) {
        let days = calendar.day_of_month.iter_mut().chain(&mut calendar.day_of_week);
        let dates = days.chain(&mut calendar.month).chain(&mut calendar.year);
        for range in dates.chain(&mut calendar.hour).chain(&mut calendar.minute).chain(&mut calendar.second) {
            range.end = range.end.max(range.start);
            if range.step == 0 {
                range.step = 1;
            }
        }
    }
}

/// 32 bits that look random and are always the same.
fn fingerprint(seed: &str, second: i64) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write_i64(second.to_be());
    hasher.write(seed.as_bytes());
    hasher.finish() >> 32
}

/// A wire's duration in nanoseconds, at most what they can say: 292 years.
fn nanos(duration: Option<&prost_types::Duration>) -> i64 {
    let Some(prost_types::Duration { seconds, nanos }) = duration else { return 0 };
    seconds.saturating_mul(SECOND).saturating_add(i64::from(*nanos))
}

fn from_seconds(seconds: i64) -> Time {
    Time::from_unix_nanos(seconds.saturating_mul(SECOND))
}

fn narrow(year: i64) -> i32 {
    i32::try_from(year).unwrap_or(i32::MAX)
}

const SECOND: i64 = 1_000_000_000;

/// The first second of the year 2101.
const END_OF_TIME: i64 = 4_133_980_800;

/// Two weeks of seconds.
const MAX_EXCLUSIONS: u32 = 2 * 7 * 24 * 60 * 60;

/// Bytes of the comment of a calendar.
const MAX_COMMENT: usize = 200;

#[cfg(test)]
mod tests;
