use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stead_data::__private::proto::common::v1::{ActivityType, Payload, Payloads, WorkflowExecution, WorkflowType};
use stead_data::__private::proto::failure::v1 as wire;
use stead_data::__private::proto::failure::v1::failure::FailureInfo;
use stead_data::{
    ApplicationFailure, Failure, FailureCategory, FailureKind, FromFailure, IntoFailure, RetryState, TimeoutKind, secs,
};

use crate::json;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct UnknownItem {
    sku: String,
}

impl IntoFailure for UnknownItem {
    fn into_failure(self) -> Failure {
        Failure::application(format!("no such item {}", self.sku))
            .type_name("UnknownItem")
            .non_retryable()
            .details(&self)
    }
}

impl FromFailure for UnknownItem {
    fn from_failure(_: &Failure, application: &ApplicationFailure) -> Option<Self> {
        (application.type_name == "UnknownItem").then(|| application.detail(0).ok()).flatten()
    }
}

fn with_info(info: FailureInfo) -> wire::Failure {
    wire::Failure { failure_info: Some(info), ..wire::Failure::default() }
}

fn details() -> Option<Payloads> {
    Some(Payloads { payloads: vec![json("1")] })
}

/// One failure of each kind, all fields set.
fn every_kind() -> Vec<wire::Failure> {
    #[expect(deprecated, reason = "it is passed on")]
    let nexus_operation = wire::NexusOperationFailureInfo {
        scheduled_event_id: 5,
        endpoint: "e".to_owned(),
        service: "s".to_owned(),
        operation: "o".to_owned(),
        operation_id: "id".to_owned(),
        operation_token: "token".to_owned(),
    };
    vec![
        with_info(FailureInfo::ApplicationFailureInfo(wire::ApplicationFailureInfo {
            r#type: "Type".to_owned(),
            non_retryable: true,
            details: details(),
            next_retry_delay: Some(stead_data::time::duration_to_proto(secs(5))),
            category: 1,
        })),
        with_info(FailureInfo::TimeoutFailureInfo(wire::TimeoutFailureInfo {
            timeout_type: 3,
            last_heartbeat_details: details(),
        })),
        with_info(FailureInfo::CanceledFailureInfo(wire::CanceledFailureInfo {
            details: details(),
            identity: "who".to_owned(),
        })),
        with_info(FailureInfo::TerminatedFailureInfo(wire::TerminatedFailureInfo { identity: "who".to_owned() })),
        with_info(FailureInfo::ServerFailureInfo(wire::ServerFailureInfo { non_retryable: true })),
        with_info(FailureInfo::ResetWorkflowFailureInfo(wire::ResetWorkflowFailureInfo {
            last_heartbeat_details: details(),
        })),
        with_info(FailureInfo::ActivityFailureInfo(wire::ActivityFailureInfo {
            scheduled_event_id: 5,
            started_event_id: 6,
            identity: "who".to_owned(),
            activity_type: Some(ActivityType { name: "charge".to_owned() }),
            activity_id: "1".to_owned(),
            retry_state: 4,
        })),
        with_info(FailureInfo::ChildWorkflowExecutionFailureInfo(wire::ChildWorkflowExecutionFailureInfo {
            namespace: "shop".to_owned(),
            workflow_execution: Some(WorkflowExecution { workflow_id: "w".to_owned(), run_id: "r".to_owned() }),
            workflow_type: Some(WorkflowType { name: "Shipping".to_owned() }),
            initiated_event_id: 7,
            started_event_id: 8,
            retry_state: 99,
        })),
        with_info(FailureInfo::NexusOperationExecutionFailureInfo(nexus_operation)),
        with_info(FailureInfo::NexusHandlerFailureInfo(wire::NexusHandlerFailureInfo {
            r#type: "BAD_REQUEST".to_owned(),
            retry_behavior: 2,
        })),
        wire::Failure { message: "only this".to_owned(), ..wire::Failure::default() },
    ]
}

fn wrap(cause: Failure) -> Failure {
    let info = FailureInfo::ActivityFailureInfo(wire::ActivityFailureInfo::default());
    Failure::from_proto(with_info(info)).cause(cause)
}

#[test]
fn every_kind_round_trips_with_all_that_it_carries() {
    for mut failure in every_kind() {
        failure.source = "GoSDK".to_owned();
        failure.stack_trace = "main.go:1".to_owned();
        failure.encoded_attributes = Some(json(r#"{"message":"m"}"#));
        failure.cause = Some(Box::new(every_kind().remove(0)));
        assert_eq!(Failure::from_proto(failure.clone()).into_proto(), failure);
    }
}

#[test]
fn fields_are_read_by_their_meaning() {
    let [application, timeout, .., _, _, _] = &every_kind()[..] else { unreachable!() };
    let application = Failure::from_proto(application.clone());
    let application = application.as_application().unwrap();
    assert_eq!(application.next_retry_delay, Some(Duration::from_secs(5)));
    assert_eq!(application.category, FailureCategory::Benign);
    assert_eq!(application.detail::<u8>(0).unwrap(), 1);
    let FailureKind::Timeout { kind, .. } = Failure::from_proto(timeout.clone()).kind else { unreachable!() };
    assert_eq!(kind, TimeoutKind::ScheduleToClose);
}

#[test]
fn values_of_a_newer_server_are_kept() {
    let kind = Failure::from_proto(every_kind().remove(7)).kind;
    let FailureKind::ChildWorkflow(child) = kind else { panic!("{kind:?}") };
    assert_eq!(child.retry_state, RetryState::Unrecognized(99));
}

#[test]
fn an_empty_message_is_shown_in_words() {
    let shown: Vec<_> = every_kind().into_iter().map(|failure| Failure::from_proto(failure).to_string()).collect();
    let expected = [
        "Type: Application error",
        "Timeout",
        "Cancelled",
        "Terminated",
        "Server error",
        "Failure error",
        "Activity error",
        "Child workflow error",
        "Nexus operation error",
        "Nexus handler error",
        "only this",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn display_is_type_and_message_and_source_is_the_cause() {
    let failure = Failure::application("m").type_name("T").cause(Failure::application("inner"));
    assert_eq!(failure.to_string(), "T: m");
    assert_eq!(failure.source().unwrap().to_string(), "inner");
}

#[test]
fn setters_fill_an_application_failure() {
    let failure =
        Failure::application("m").type_name("T").non_retryable().details(&1).next_retry_delay(secs(2)).benign();
    let application = failure.as_application().unwrap();
    assert_eq!(application.type_name, "T");
    assert!(application.non_retryable);
    assert_eq!(application.details, [json("1")]);
    assert_eq!(application.next_retry_delay, Some(secs(2)));
    assert_eq!(application.category, FailureCategory::Benign);
}

#[test]
fn details_that_cannot_be_written_do_not_lose_the_failure() {
    let failure = Failure::application("m").details(&std::collections::BTreeMap::from([([1], 1)]));
    assert!(failure.message.starts_with("m (without details: value at index 0"), "{}", failure.message);
    assert_eq!(failure.as_application().unwrap().details, Vec::<Payload>::new());
}

#[test]
fn a_cancellation_is_seen_through_the_operation_it_happened_to() {
    assert!(Failure::cancelled("c").is_cancelled());
    assert!(wrap(Failure::cancelled("c")).is_cancelled());
    assert!(wrap(wrap(Failure::cancelled("c"))).is_cancelled());
    assert!(!wrap(Failure::application("a").cause(Failure::cancelled("c"))).is_cancelled());
    assert!(wrap(Failure::timeout("t", TimeoutKind::Heartbeat)).is_timeout());
    assert!(!wrap(Failure::cancelled("c")).is_timeout());
    assert!(!Failure::from_proto(every_kind().remove(6)).is_cancelled(), "a wrapper without a cause");
}

#[test]
fn a_users_error_comes_back_from_the_wire() {
    let error = UnknownItem { sku: "x".to_owned() };
    let failure = wrap(Failure::application("outer").cause(error.into_failure()));
    let failure = Failure::from_proto(failure.into_proto());
    assert_eq!(failure.application_as::<UnknownItem>(), Some(UnknownItem { sku: "x".to_owned() }));
    assert_eq!(failure.find_application().unwrap().0.message, "outer");
    assert_eq!(Failure::cancelled("c").application_as::<UnknownItem>(), None);
}

#[test]
fn any_error_becomes_an_application_failure_with_its_causes() {
    #[derive(Debug)]
    struct Outer(Failure);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let cause = Failure::cancelled("inner").cause(Failure::application("innermost"));
    let failure = Failure::from_error(&Outer(cause.clone()));
    assert_eq!(failure, Failure::application("outer").type_name("Outer").cause(cause));
}

#[test]
fn a_chain_of_causes_that_no_stack_could_hold_is_cut_with_a_note() {
    let mut deep = wire::Failure { message: "innermost".to_owned(), ..wire::Failure::default() };
    for _ in 0..100_000 {
        deep = wire::Failure { cause: Some(Box::new(deep)), ..wire::Failure::default() };
    }
    let failure = Failure::from_proto(deep);
    assert_eq!(failure.chain().count(), 128);
    let innermost = failure.chain().last().unwrap();
    assert_eq!(innermost.to_string(), " (further causes were dropped)");
}

#[test]
fn causes_that_pile_up_stay_bounded() {
    let failure =
        (0..10_000).fold(Failure::application("0"), |cause, n| Failure::application(n.to_string()).cause(cause));
    assert_eq!(failure.chain().count(), 128);
    assert_eq!(failure.message, "9999");
}

#[test]
fn an_error_that_is_its_own_cause_ends() {
    #[derive(Debug)]
    struct Snake;
    impl fmt::Display for Snake {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("snake")
        }
    }
    impl Error for Snake {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }
    assert_eq!(Failure::from_error(&Snake).chain().count(), 128);
}

#[test]
fn a_failure_is_small_enough_to_be_returned() {
    assert!(size_of::<Failure>() < 128, "{}", size_of::<Failure>());
}

#[test]
fn the_short_name_of_a_type_is_its_last_segment() {
    assert_eq!(stead_data::short_type_name::<std::io::Error>(), "Error");
    assert_eq!(stead_data::short_type_name::<Result<std::io::Error, Vec<u8>>>(), "Result");
    assert_eq!(stead_data::short_type_name::<u8>(), "u8");
}

fn encoded(message: &str, attributes: stead_data::Payload) -> wire::Failure {
    wire::Failure {
        message: message.to_owned(),
        encoded_attributes: Some(attributes),
        ..with_info(FailureInfo::ApplicationFailureInfo(wire::ApplicationFailureInfo::default()))
    }
}

#[test]
fn message_and_stack_trace_travel_in_encoded_attributes_and_come_back() {
    let failure = Failure::application("card 4711 declined").stack_trace("pay.rs:3").cause(Failure::cancelled("why"));
    let wire = failure.clone().with_encoded_attributes().unwrap().into_proto();
    assert_eq!((wire.message.as_str(), wire.stack_trace.as_str()), ("Encoded failure", ""));
    let attributes = json(r#"{"message":"card 4711 declined","stack_trace":"pay.rs:3"}"#);
    assert_eq!(wire.encoded_attributes, Some(attributes));
    assert_eq!(wire.cause.as_ref().unwrap().message, "Encoded failure");

    let restored = Failure::from_proto(wire.clone());
    assert_eq!((restored.message.as_str(), restored.stack_trace.as_str()), ("card 4711 declined", "pay.rs:3"));
    assert_eq!(restored.cause.as_ref().unwrap().message, "why");
    assert_eq!(restored.into_proto(), wire, "what came encoded goes on encoded");
}

#[test]
fn what_is_changed_after_it_came_encoded_goes_on_encoded_as_it_is_now() {
    let wire = encoded("Encoded failure", json(r#"{"message":"secret","stack_trace":""}"#));
    let mut failure = Failure::from_proto(wire);
    failure.message.push_str(", and more");
    let wire = failure.into_proto();
    assert_eq!(wire.message, "Encoded failure");
    let attributes = json(r#"{"message":"secret, and more","stack_trace":""}"#);
    assert_eq!(wire.encoded_attributes, Some(attributes));
}

#[test]
fn encoded_attributes_that_cannot_be_read_are_ignored_and_passed_on() {
    for attributes in [crate::payload("binary/encrypted", "?"), json("7"), json(r#"{"stack_trace":"x"}"#)] {
        let wire = encoded("Encoded failure", attributes);
        let failure = Failure::from_proto(wire.clone());
        assert_eq!(failure.message, "Encoded failure");
        assert_eq!(failure.with_encoded_attributes().unwrap().into_proto(), wire);
    }
}

#[test]
fn a_value_that_is_not_valid_is_a_failure_that_is_not_retried() {
    let failure = Failure::payload_validation(Some(json(r#""no such sku""#)));
    assert_eq!(failure.to_string(), "PayloadValidationError: Payload validation failed");
    let application = failure.as_application().unwrap();
    assert!(application.non_retryable);
    assert_eq!(application.detail::<String>(0).unwrap(), "no such sku");
    assert_eq!(Failure::payload_validation(None).as_application().unwrap().details, []);
}
