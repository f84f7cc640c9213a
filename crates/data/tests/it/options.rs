use std::time::{Duration, SystemTime};

use stead_data::__private::proto::common::v1 as wire;
use stead_data::time::{duration_from_proto, duration_to_proto, time_from_proto, time_to_proto};
use stead_data::{
    Bool, Datetime, Double, Int, InvalidRetryPolicy, Keyword, KeywordList, Priority, RetryPolicy, SearchAttribute,
    SearchAttributes, Text, days, hours, millis, mins, secs,
};

const STATUS: SearchAttribute<Keyword> = SearchAttribute::new("Status");
const NOTE: SearchAttribute<Text> = SearchAttribute::new("Note");
const COUNT: SearchAttribute<Int> = SearchAttribute::new("Count");
const PRICE: SearchAttribute<Double> = SearchAttribute::new("Price");
const PAID: SearchAttribute<Bool> = SearchAttribute::new("Paid");
const DUE: SearchAttribute<Datetime> = SearchAttribute::new("Due");
const TAGS: SearchAttribute<KeywordList> = SearchAttribute::new("Tags");

#[test]
fn durations_are_written_as_they_are_spoken() {
    assert_eq!(days(2), hours(48));
    assert_eq!(hours(1), mins(60));
    assert_eq!(mins(1), secs(60));
    assert_eq!(secs(1), millis(1000));
    assert_eq!(days(u64::MAX), Duration::from_secs(u64::MAX));
}

#[test]
fn waits_grow_up_to_the_limit_and_end_with_the_attempts() {
    let policy = RetryPolicy::default().initial_interval(secs(1)).backoff(3.0).max_interval(secs(5)).max_attempts(4);
    let waits: Vec<_> = (1..=5).map(|attempt| policy.wait_after(attempt)).collect();
    assert_eq!(waits, [Some(secs(1)), Some(secs(3)), Some(secs(5)), None, None]);
}

#[test]
fn waits_are_bounded_by_default_and_never_overflow() {
    let policy = RetryPolicy::default();
    assert_eq!(policy.wait_after(0), Some(secs(1)));
    assert_eq!(policy.wait_after(8), Some(secs(100)));
    assert_eq!(policy.wait_after(u32::MAX), Some(secs(100)));
    let endless = RetryPolicy::default().initial_interval(Duration::MAX).backoff(f64::INFINITY);
    assert_eq!(endless.wait_after(u32::MAX), Some(Duration::MAX));
}

#[test]
fn a_policy_that_the_server_would_refuse_is_an_error() {
    assert_eq!(RetryPolicy::default().validate(), Ok(()));
    let error = RetryPolicy::default().backoff(0.5).validate().unwrap_err();
    assert_eq!(error.to_string(), "retry policy: the backoff coefficient must be at least 1, not 0.5");
    assert!(RetryPolicy::default().backoff(f64::NAN).validate().is_err());
    let error = RetryPolicy::default().initial_interval(secs(2)).max_interval(secs(1)).validate().unwrap_err();
    assert!(matches!(error, InvalidRetryPolicy::MaximumInterval { .. }));
    assert!(RetryPolicy::default().max_attempts(u32::MAX).validate().is_err());
}

#[test]
fn a_policy_round_trips() {
    let policy = RetryPolicy::default().initial_interval(millis(1500)).max_attempts(3).non_retryable(["A", "B"]);
    assert_eq!(RetryPolicy::from_proto(policy.clone().into_proto()), policy);
    assert_eq!(RetryPolicy::from_proto(wire::RetryPolicy::default()), RetryPolicy::default());
}

#[test]
fn a_priority_round_trips() {
    let priority = Priority::default().key(2).fairness("tenant").weight(0.5);
    assert_eq!(Priority::from_proto(priority.clone().into_proto()), priority);
    assert_eq!(Priority::from_proto(wire::Priority::default()), Priority::default());
}

#[test]
fn durations_saturate_on_the_wire() {
    let wire = |seconds, nanos| prost_types::Duration { seconds, nanos };
    assert_eq!(duration_to_proto(Duration::MAX), wire(315_576_000_000, 0));
    assert_eq!(duration_from_proto(&wire(1, 500_000_000)), millis(1500));
    assert_eq!(duration_from_proto(&wire(1, -500_000_000)), millis(500));
    assert_eq!(duration_from_proto(&wire(-1, 0)), Duration::ZERO);
    assert_eq!(duration_from_proto(&wire(i64::MIN, i32::MIN)), Duration::ZERO);
    assert!(duration_from_proto(&wire(i64::MAX, i32::MAX)) > days(1));
}

#[test]
fn points_in_time_round_trip_and_saturate() {
    for time in [
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + millis(1500),
        SystemTime::UNIX_EPOCH - millis(1500),
        SystemTime::UNIX_EPOCH - secs(2),
    ] {
        assert_eq!(time_from_proto(&time_to_proto(time)), time);
    }
    for (seconds, nanos) in [(i64::MAX, i32::MAX), (i64::MIN, i32::MIN), (0, -1)] {
        let time = time_from_proto(&prost_types::Timestamp { seconds, nanos });
        assert_eq!(time_from_proto(&time_to_proto(time)), time);
    }
}

#[test]
fn every_type_of_search_attribute_round_trips_under_its_name() {
    let due = SystemTime::UNIX_EPOCH + secs(1_700_000_000);
    let attributes = SearchAttributes::from_iter([
        STATUS.set("shipped"),
        NOTE.set("two words"),
        COUNT.set(3),
        PRICE.set(1.5),
        PAID.set(true),
        DUE.set(due),
        TAGS.set(["a".to_owned(), "b".to_owned()]),
    ]);
    assert_eq!(attributes.get(STATUS).unwrap().as_deref(), Some("shipped"));
    assert_eq!(attributes.get(NOTE).unwrap().as_deref(), Some("two words"));
    assert_eq!(attributes.get(COUNT).unwrap(), Some(3));
    assert_eq!(attributes.get(PRICE).unwrap(), Some(1.5));
    assert_eq!(attributes.get(PAID).unwrap(), Some(true));
    assert_eq!(attributes.get(DUE).unwrap(), Some(due));
    assert_eq!(attributes.get(TAGS).unwrap().unwrap(), ["a", "b"]);
    let wire = attributes.into_payloads();
    assert_eq!(wire["Due"].data, r#""2023-11-14T22:13:20Z""#);
    assert_eq!(wire["Due"].metadata["type"], "Datetime");
    assert_eq!(wire["Tags"].metadata["type"], "KeywordList");
}

#[test]
fn a_removed_search_attribute_is_a_null_on_the_wire() {
    let mut attributes = SearchAttributes::from_iter([COUNT.set(3)]);
    attributes.apply([COUNT.unset()]);
    assert!(attributes.is_empty());
    assert_eq!(COUNT.unset().into_entry(), ("Count".to_owned(), crate::payload("binary/null", "")));
}

#[test]
fn a_search_attribute_of_another_type_is_an_error() {
    let attributes = SearchAttributes::from_iter([STATUS.set("shipped")]);
    let error = attributes.get(SearchAttribute::<Int>::new("Status")).unwrap_err();
    assert_eq!(error.to_string(), "search attribute \"Status\" does not hold a value of type Int");
}
