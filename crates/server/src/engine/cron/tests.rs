use super::*;
use crate::engine::zone::WallClock;

fn instant(zone: &str, year: i64, month: i64, day: i64, hour: i64, minute: i64) -> Time {
    let clock = WallClock { year, month, day, hour, minute, second: 0 };
    from_seconds(Zone::named(zone).unwrap().instant(clock))
}

fn next(cron: &str, after: Time) -> Option<Time> {
    Cron::parse(cron).unwrap_or_else(|_| panic!("{cron} is refused")).next(after)
}

#[test]
fn fields_say_when() {
    let after = instant("UTC", 2026, 11, 26, 10, 30) + Duration::from_nanos(5);
    let cases = [
        ("* * * * *", (2026, 11, 26, 10, 31)),
        ("0 0 * * *", (2026, 11, 27, 0, 0)),
        ("@hourly", (2026, 11, 26, 11, 0)),
        ("@daily", (2026, 11, 27, 0, 0)),
        ("@weekly", (2026, 11, 29, 0, 0)),
        ("@monthly", (2026, 12, 1, 0, 0)),
        ("@yearly", (2027, 1, 1, 0, 0)),
        ("15/20 9-17 * * mon-fri", (2026, 11, 26, 10, 35)),
        ("0 12 29 feb ?", (2028, 2, 29, 12, 0)),
        ("0 0 13 * 5", (2026, 11, 27, 0, 0)),
        ("0 0 13 * */1", (2026, 12, 13, 0, 0)),
        ("5,,10 0 1 1 *", (2027, 1, 1, 0, 5)),
    ];
    for (cron, (year, month, day, hour, minute)) in cases {
        assert_eq!(next(cron, after), Some(instant("UTC", year, month, day, hour, minute)), "{cron}");
    }
}

#[test]
fn every_counts_whole_seconds_from_the_last() {
    let after = instant("UTC", 2026, 1, 1, 0, 0) + Duration::from_millis(500);
    let next = next("@every 1m30s", after).unwrap();
    assert_eq!(next, instant("UTC", 2026, 1, 1, 0, 0) + Duration::from_secs(90));
    assert_eq!(Cron::parse("@every 10ms").unwrap(), Cron::Every { seconds: 1 });
    assert_eq!(Cron::parse("TZ=Europe/Paris @every 2.9s").unwrap(), Cron::Every { seconds: 2 });
}

#[test]
fn a_time_zone_may_stand_in_front() {
    let after = instant("UTC", 2026, 7, 1, 0, 0);
    assert_eq!(next("CRON_TZ=Asia/Tokyo 0 9 * * *", after - Duration::from_secs(1)), Some(after));
    assert_eq!(next("TZ=America/New_York  0 9 * * *", after), Some(instant("UTC", 2026, 7, 1, 13, 0)));
}

#[test]
fn nonsense_is_refused() {
    let nonsense = [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "5-1 * * * *",
        "*/0 * * * *",
        "1-2-3 * * * *",
        "1/2/3 * * * *",
        "a * * * *",
        "-1 * * * *",
        "@nonsense",
        "@every",
        "@every x",
        "@every 1d",
        "TZ=UTC",
        "TZ=Nowhere/City * * * * *",
        "99999999999999999999 * * * *",
        "1 * * foo *",
        " @daily",
    ];
    for cron in nonsense {
        let refusal = Cron::parse(cron).unwrap_err();
        assert_eq!(refusal.message, "invalid CronSchedule.", "{cron:?}");
    }
}

#[test]
fn a_schedule_that_never_fires_is_refused_with_the_reason() {
    let now = instant("UTC", 2026, 1, 1, 0, 0);
    let refusal = Cron::parse("0 0 30 2 *").unwrap().check(now).unwrap_err();
    assert_eq!(refusal.message, "invalid CronSchedule, no time can be found to satisfy the schedule");
    assert_eq!(Cron::parse("* , * * *").unwrap().next(now), None);
    assert_eq!(Cron::parse("0 0 29 2 *").unwrap().check(now), Ok(()));
}

#[test]
fn a_run_waits_whole_seconds_and_missed_times_are_skipped() {
    let scheduled = instant("UTC", 2026, 1, 1, 0, 0);
    let cases = [
        // The schedule, how long after it was due the last run ended, how long the next one waits.
        ("* * * * *", 500, 60),
        ("* * * * *", 200_000, 40),
        ("* * * * *", 240_000, 0),
        ("@every 7s", 0, 7),
        ("@every 7s", 21_000, 0),
        ("@every 7s", 22_001, 6),
        ("@every 7s", 86_400_000, 1),
    ];
    for (cron, ended, wait) in cases {
        let now = scheduled + Duration::from_millis(ended);
        let backoff = Cron::parse(cron).unwrap().backoff(scheduled, now);
        assert_eq!(backoff, Some(Duration::from_secs(wait)), "{cron} {ended} ms late");
    }
    let early = Cron::parse("@daily").unwrap().backoff(scheduled, scheduled - Duration::from_millis(2_500));
    assert_eq!(early, Some(Duration::from_secs(3)));
}

#[test]
fn the_search_ends_wherever_it_begins() {
    for cron in ["* * * * *", "0 0 30 2 *", "59 23 31 12 6", "@every 2562047h", "TZ=Pacific/Apia 0 0 * * *"] {
        let cron = Cron::parse(cron).unwrap();
        for start in [i64::MIN, -1, 0, 1, i64::MAX - 1, i64::MAX] {
            let after = Time::from_unix_nanos(start);
            let _ = (cron.next(after), cron.backoff(after, Time::from_unix_nanos(i64::MAX)));
        }
    }
}

/// Where clocks are moved, a naive scan of all minutes finds the same: names that exist once are met once.
#[test]
fn a_naive_scan_finds_the_same() {
    let (day, minute) = (86_400, 60);
    for zone_name in ["UTC", "Europe/Paris", "America/New_York"] {
        let zone = Zone::named(zone_name).unwrap();
        for text in ["*/7 * * * *", "30 5 * * *", "0 4-23/3 1,15 * *", "15 6 * * 0", "45 12 13 * 5"] {
            let cron = Cron::parse(&format!("TZ={zone_name} {text}")).unwrap();
            let fields = Fields::parse(text).unwrap();
            let first = instant("UTC", 2026, 3, 1, 0, 0).unix_nanos() / NANOS;
            for start in (first..first + 400 * day).step_by(8_000_009) {
                let found = cron.next(from_seconds(start)).unwrap();
                let begin = start - start.rem_euclid(minute) + minute;
                let mut minutes = (begin..).step_by(60);
                let expected = minutes.find(|unix| fields.matches(zone.clock(*unix))).unwrap();
                assert_eq!(found, from_seconds(expected), "{zone_name} {text} after {start}");
            }
        }
    }
}
