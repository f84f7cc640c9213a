//! Whatever another side sends: no panic, and failures are passed on as they came.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use prost_types::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use stead_data::__private::proto::common::v1::{Payload, Payloads, RetryPolicy as WireRetryPolicy};
use stead_data::__private::proto::failure::v1 as wire;
use stead_data::__private::proto::failure::v1::failure::FailureInfo;
use stead_data::{
    Binary, DataConverter, Datetime, Failure, Proto, Raw, RetryPolicy, SearchAttribute, SearchAttributes, secs,
};

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only read")]
enum Anything {
    Unit,
    Newtype(Option<f32>),
    Tuple(i8, char),
    Struct { map: BTreeMap<i64, String>, bytes: Vec<u8> },
}

fn payloads() -> impl Strategy<Value = Payload> {
    let encoding = prop_oneof![
        Just("json/plain".to_owned()),
        Just("json/protobuf".to_owned()),
        Just("binary/null".to_owned()),
        Just("binary/plain".to_owned()),
        Just("binary/protobuf".to_owned()),
        any::<String>(),
    ];
    let data = prop_oneof![
        vec(any::<u8>(), 0..64),
        r#"[\[\]{}",:0-9a-z \\.-]{0,40}"#.prop_map(String::into_bytes),
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        r#""[0-9TZ:.+-]{0,30}""#.prop_map(String::into_bytes),
    ];
    let metadata = btree_map(any::<String>(), vec(any::<u8>(), 0..8).prop_map(Bytes::from), 0..3);
    (option::of(encoding), metadata, data).prop_map(|(encoding, mut metadata, data)| {
        metadata.extend(encoding.map(|encoding| ("encoding".to_owned(), encoding.into())));
        Payload { metadata, data: data.into(), external_payloads: Vec::new() }
    })
}

fn failure_infos() -> impl Strategy<Value = FailureInfo> {
    let details = || option::of(vec(payloads(), 1..3).prop_map(|payloads| Payloads { payloads }));
    let application = (any::<String>(), any::<bool>(), details(), option::of(0..1_000_000u64), any::<i32>());
    prop_oneof![
        application.prop_map(|(r#type, non_retryable, details, delay, category)| {
            let next_retry_delay = delay.map(|delay| stead_data::time::duration_to_proto(secs(delay)));
            let info = wire::ApplicationFailureInfo { r#type, non_retryable, details, next_retry_delay, category };
            FailureInfo::ApplicationFailureInfo(info)
        }),
        (any::<i32>(), details()).prop_map(|(timeout_type, last_heartbeat_details)| {
            FailureInfo::TimeoutFailureInfo(wire::TimeoutFailureInfo { timeout_type, last_heartbeat_details })
        }),
        (details(), any::<String>()).prop_map(|(details, identity)| {
            FailureInfo::CanceledFailureInfo(wire::CanceledFailureInfo { details, identity })
        }),
        (any::<i64>(), any::<String>(), any::<i32>()).prop_map(|(event, identity, retry_state)| {
            let info = wire::ActivityFailureInfo {
                scheduled_event_id: event,
                identity,
                retry_state,
                ..wire::ActivityFailureInfo::default()
            };
            FailureInfo::ActivityFailureInfo(info)
        }),
        (any::<String>(), any::<i32>()).prop_map(|(r#type, retry_behavior)| {
            FailureInfo::NexusHandlerFailureInfo(wire::NexusHandlerFailureInfo { r#type, retry_behavior })
        }),
    ]
}

fn failures() -> impl Strategy<Value = wire::Failure> {
    let level =
        (any::<String>(), any::<String>(), any::<String>(), option::of(payloads()), option::of(failure_infos()));
    let level = level.prop_map(|(message, source, stack_trace, encoded_attributes, failure_info)| wire::Failure {
        message,
        source,
        stack_trace,
        encoded_attributes,
        cause: None,
        failure_info,
    });
    vec(level, 1..8).prop_map(|levels| {
        let chained = levels.into_iter().reduce(|cause, level| wire::Failure { cause: Some(Box::new(cause)), ..level });
        chained.unwrap_or_default()
    })
}

/// Reads a payload every way there is; only a panic is wrong.
fn read_as<T: DeserializeOwned>(payload: &Payload) {
    let converter = DataConverter::new();
    let _ = converter.from_payload::<T>(payload);
    let _ = converter.from_result::<Option<T>>(Some(payload));
    let _ = converter.from_payloads::<(T, Raw, Option<T>)>(std::slice::from_ref(payload), 3);
    if let Err(error) = converter.from_payloads::<(T, T)>(&[payload.clone(), payload.clone()], 2) {
        assert!(!error.to_string().is_empty());
    }
}

proptest! {
    // A failing case is printed whole, so nothing has to be kept in a file.
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_payload_makes_a_decoder_panic(payload in payloads()) {
        read_as::<()>(&payload);
        read_as::<u64>(&payload);
        read_as::<String>(&payload);
        read_as::<Vec<u8>>(&payload);
        read_as::<Anything>(&payload);
        read_as::<serde_json::Value>(&payload);
        read_as::<Binary>(&payload);
        read_as::<Proto<Timestamp>>(&payload);
        let attributes = SearchAttributes::from_payloads([("Due".to_owned(), payload)].into());
        let _ = attributes.get(SearchAttribute::<Datetime>::new("Due"));
    }

    #[test]
    fn every_failure_is_passed_on_as_it_came(failure in failures()) {
        let read = Failure::from_proto(failure.clone());
        prop_assert!(!read.to_string().is_empty());
        let _ = (read.is_cancelled(), read.is_timeout(), read.find_application().is_some());
        prop_assert_eq!(read.into_proto(), failure);
    }

    #[test]
    fn every_string_and_map_comes_back(map in btree_map(any::<String>(), any::<(i64, String)>(), 0..8)) {
        let converter = DataConverter::new();
        let shuffled: std::collections::HashMap<_, _> = map.clone().into_iter().collect();
        let payload = converter.to_payload(&shuffled).unwrap();
        prop_assert_eq!(converter.from_payload::<BTreeMap<String, (i64, String)>>(&payload).unwrap(), map.clone());
        prop_assert_eq!(payload, converter.to_payload(&map).unwrap());
    }

    #[test]
    fn no_retry_policy_makes_the_wait_panic(
        initial in any::<(i64, i32)>(), maximum in any::<(i64, i32)>(), coefficient in any::<f64>(),
        attempts in any::<i32>(), attempt in any::<u32>(),
    ) {
        let duration = |(seconds, nanos)| Some(prost_types::Duration { seconds, nanos });
        let policy = RetryPolicy::from_proto(WireRetryPolicy {
            initial_interval: duration(initial),
            maximum_interval: duration(maximum),
            backoff_coefficient: coefficient,
            maximum_attempts: attempts,
            non_retryable_error_types: Vec::new(),
        });
        let _ = (policy.wait_after(attempt), policy.validate());
    }
}
