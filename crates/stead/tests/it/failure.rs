//! `#[derive(IntoFailure)]`.

use std::fmt::Debug;
use std::time::Duration;

use stead::data::failure::FailureCategory;
use stead::data::{ApplicationFailure, Failure, FromFailure};
use stead::{DataConverter, IntoFailure};

#[derive(Debug, Clone, PartialEq, thiserror::Error, IntoFailure)]
enum OrderError {
    #[error("not paid in time")]
    Unpaid,
    #[error("no such item {sku}")]
    #[failure(non_retryable)]
    UnknownItem { sku: String, failure: u8 },
    #[error("try {0} again")]
    #[failure(type = "Busy", next_retry_delay = "1m30s", benign)]
    Later(String, #[serde(default)] u32),
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, IntoFailure)]
#[error("late by {days} days")]
#[failure(non_retryable)]
struct Late {
    #[serde(rename = "daysLate")]
    days: u32,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, IntoFailure)]
#[error("gone")]
struct Gone;

fn application(failure: &Failure) -> &ApplicationFailure {
    failure.find_application().expect("the derive makes application failures").1
}

fn details(failure: &Failure) -> String {
    let details = &application(failure).details;
    details.iter().map(|payload| String::from_utf8_lossy(&payload.data).into_owned()).collect()
}

fn comes_back<E: IntoFailure + FromFailure + Clone + PartialEq + Debug>(error: E) {
    let sent = error.clone().into_failure().into_proto();
    assert_eq!(Failure::from_proto(sent).application_as::<E>(), Some(error));
}

#[test]
fn the_type_is_the_variant_and_the_message_what_display_says() {
    let failure = OrderError::Unpaid.into_failure();
    assert_eq!(failure.message, "not paid in time");
    assert_eq!(application(&failure).type_name, "Unpaid");
    assert_eq!(application(&Gone.into_failure()).type_name, "Gone");
    assert_eq!(application(&OrderError::Later("x".to_owned(), 1).into_failure()).type_name, "Busy");
}

#[test]
fn details_are_one_object_of_the_fields() {
    let unknown = OrderError::UnknownItem { sku: "a".to_owned(), failure: 1 };
    assert_eq!(details(&unknown.into_failure()), r#"{"sku":"a","failure":1}"#);
    assert_eq!(details(&OrderError::Later("a".to_owned(), 2).into_failure()), r#"{"0":"a","1":2}"#);
    assert_eq!(details(&Late { days: 3 }.into_failure()), r#"{"daysLate":3}"#);
    assert_eq!(details(&OrderError::Unpaid.into_failure()), "");
}

#[test]
fn options_say_what_the_server_does_with_it() {
    let unknown = OrderError::UnknownItem { sku: "a".to_owned(), failure: 1 }.into_failure();
    assert!(application(&unknown).non_retryable);
    assert!(application(&Late { days: 1 }.into_failure()).non_retryable);

    let later = OrderError::Later("a".to_owned(), 2).into_failure();
    assert!(!application(&later).non_retryable);
    assert_eq!(application(&later).next_retry_delay, Some(Duration::from_secs(90)));
    assert_eq!(application(&later).category, FailureCategory::Benign);
}

#[test]
fn every_variant_comes_back_from_the_wire() {
    comes_back(OrderError::Unpaid);
    comes_back(OrderError::UnknownItem { sku: "a".to_owned(), failure: 1 });
    comes_back(OrderError::Later("a".to_owned(), 2));
    comes_back(Late { days: 3 });
    comes_back(Gone);
}

#[test]
fn other_types_and_other_details_are_not_taken_for_it() {
    assert_eq!(Gone.into_failure().application_as::<OrderError>(), None);
    let without_details = Failure::application("x").type_name("UnknownItem");
    assert_eq!(without_details.application_as::<OrderError>(), None);
}

#[test]
fn details_that_grew_are_still_read() {
    let payload =
        DataConverter::new().to_payload(&std::collections::BTreeMap::from([("0", "a"), ("new", "b")])).unwrap();
    let failure = Failure::application("x").type_name("Busy").details_raw(vec![payload]);
    assert_eq!(failure.application_as(), Some(OrderError::Later("a".to_owned(), 0)));
}
