//! [`Zone`]: clocks on walls. What an instant is called in a time zone, and which instant a name means.
//!
//! Whole seconds since the Unix epoch on one side, fields of a calendar on the other. The time zone database is in the
//! binary, so that the same server answers the same on every machine. Where a clock skips or repeats an hour, a name
//! means what it means to Temporal's server, see [`Zone::instant`].

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Zone(TimeZone);

/// What a clock on the wall shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WallClock {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

impl Zone {
    pub(crate) const UTC: Self = Self(TimeZone::UTC);

    /// The zone of a name such as `Europe/Paris`. The empty name is UTC, and so is `Local`: a server has no place.
    ///
    /// # Errors
    ///
    /// The text that Temporal's server has for a name that it does not know.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        if matches!(name, "" | "UTC" | "Local") {
            return Ok(Self::UTC);
        }
        if name.starts_with(['/', '\\']) || name.contains("..") {
            return Err("time: invalid location name".to_owned());
        }
        let found = TimeZoneDatabase::bundled().get(name).ok();
        // The database forgives upper and lower case; the server does not.
        let found = found.filter(|zone| zone.iana_name() == Some(name) && !zone.is_unknown());
        found.map(Self).ok_or_else(|| format!("unknown time zone {name}"))
    }

    /// A zone from the content of a compiled time zone file.
    pub(crate) fn from_data(name: &str, data: &[u8]) -> Result<Self, String> {
        TimeZone::tzif(name, data).map(Self).map_err(|_| "malformed time zone information".to_owned())
    }

    /// What the clocks of this zone show.
    pub(crate) fn clock(&self, unix: i64) -> WallClock {
        let shown = self.0.to_datetime(timestamp(unix));
        WallClock {
            year: shown.year().into(),
            month: shown.month().into(),
            day: shown.day().into(),
            hour: shown.hour().into(),
            minute: shown.minute().into(),
            second: shown.second().into(),
        }
    }

    /// The instant at which the clocks of this zone show this. Fields may overflow into the next larger one: the hour
    /// 24 is the first of the next day, and the month 13 is January.
    ///
    /// A time that is skipped, and one that is shown twice, is looked up as if it were UTC, and with the offset of that
    /// instant once more: east of Greenwich the later of two, west of it the earlier.
    pub(crate) fn instant(&self, clock: WallClock) -> i64 {
        let local = clock.seconds();
        match self.offset(local) {
            0 => local,
            offset => local - self.offset(local - offset),
        }
    }

    fn offset(&self, unix: i64) -> i64 {
        self.0.to_offset(timestamp(unix)).seconds().into()
    }
}

impl WallClock {
    /// Sunday is 0.
    pub(crate) fn weekday(self) -> i64 {
        // The epoch was a Thursday.
        (self.days() + 4).rem_euclid(7)
    }

    /// Seconds since the epoch of a clock that shows UTC.
    fn seconds(self) -> i64 {
        self.days() * 86_400 + self.hour * 3_600 + self.minute * 60 + self.second
    }

    /// Days since the epoch, in the Gregorian calendar. Years count from March, so that leap days are at their ends.
    fn days(self) -> i64 {
        let months = self.year * 12 + self.month - 3;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        year * 365 + leap_days + (month * 153 + 2) / 5 + self.day - 1 - DAYS_TO_EPOCH
    }
}

/// Days from the first of March of the year 0 to the epoch.
const DAYS_TO_EPOCH: i64 = 719_468;

fn timestamp(unix: i64) -> Timestamp {
    let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(unix.clamp(first, last)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> WallClock {
        WallClock { year, month, day, hour, minute, second: 0 }
    }

    #[test]
    fn clocks_and_instants_are_each_others_inverse() {
        for name in ["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham"] {
            let zone = Zone::named(name).unwrap();
            // A prime step visits all hours; not the hours that are shown twice.
            for unix in (-9_000_000_000..9_000_000_000).step_by(7_654_321) {
                let clock = zone.clock(unix);
                let back = zone.instant(clock);
                assert_eq!(zone.clock(back), clock, "{name} {unix}");
                assert!(back == unix || (back - unix).abs() <= 7_200, "{name} {unix} {back}");
            }
        }
    }

    #[test]
    fn weekdays_are_those_of_the_calendar() {
        assert_eq!(wall(2026, 11, 26, 0, 0).weekday(), 4);
        assert_eq!(wall(2000, 2, 29, 0, 0).weekday(), 2);
        assert_eq!(wall(1899, 12, 31, 0, 0).weekday(), 0);
    }

    #[test]
    fn fields_overflow_into_larger_ones() {
        let overflown = Zone::UTC.instant(wall(2025, 13, 32, 24, 60));
        assert_eq!(Zone::UTC.clock(overflown), wall(2026, 2, 2, 1, 0));
    }

    #[test]
    fn an_hour_shown_twice_is_the_later_one_in_the_east_and_the_earlier_one_in_the_west() {
        let paris = Zone::named("Europe/Paris").unwrap().instant(wall(2026, 10, 25, 2, 30));
        assert_eq!(Zone::UTC.clock(paris), wall(2026, 10, 25, 1, 30));
        let new_york = Zone::named("America/New_York").unwrap().instant(wall(2026, 11, 1, 1, 30));
        assert_eq!(Zone::UTC.clock(new_york), wall(2026, 11, 1, 5, 30));
    }

    #[test]
    fn an_unknown_zone_is_named() {
        assert_eq!(Zone::named("Mars/Olympus").unwrap_err(), "unknown time zone Mars/Olympus");
        assert_eq!(Zone::named("europe/paris").unwrap_err(), "unknown time zone europe/paris");
        assert_eq!(Zone::named("../etc/passwd").unwrap_err(), "time: invalid location name");
        assert!(Zone::from_data("x", b"nonsense").is_err());
    }
}
