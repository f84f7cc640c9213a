use bytes::Bytes;
use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use stead_data::{Binary, DataConverter, Payload, Proto, ProtoJson, Raw};

use crate::{json, payload};

const NOON: Timestamp = Timestamp { seconds: 1_800_000_000, nanos: 0 };

#[test]
fn raw_is_the_payload_as_it_is() {
    let converter = DataConverter::new();
    let foreign = payload("binary/encrypted", "secret");
    assert_eq!(converter.to_payload(&Raw(foreign.clone())).unwrap(), foreign);
    assert_eq!(converter.from_payload::<Raw>(&foreign).unwrap(), Raw(foreign));
    assert_eq!(converter.from_payload::<Raw>(&Payload::default()).unwrap(), Raw::default());
}

#[test]
fn binary_is_plain_bytes() {
    let converter = DataConverter::new();
    let bytes = Binary(Bytes::from_static(&[0, 255]));
    let encoded = converter.to_payload(&bytes).unwrap();
    assert_eq!(encoded, payload("binary/plain", vec![0, 255]));
    assert_eq!(encoded.data.as_ptr(), bytes.0.as_ptr(), "no copy is made");
    assert_eq!(converter.from_payload::<Binary>(&encoded).unwrap(), bytes);
}

#[test]
fn proto_is_a_message_with_its_type() {
    let converter = DataConverter::new();
    let encoded = converter.to_payload(&Proto(NOON)).unwrap();
    assert_eq!(encoded.metadata["encoding"], "binary/protobuf");
    assert_eq!(encoded.metadata["messageType"], "google.protobuf.Timestamp");
    assert_eq!(converter.from_payload::<Proto<Timestamp>>(&encoded).unwrap().0, NOON);
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Charge {
    #[prost(string, tag = "1")]
    account: String,
    #[prost(uint32, tag = "2")]
    amount: u32,
}

impl prost::Name for Charge {
    const PACKAGE: &'static str = "bank.v1";
    const NAME: &'static str = "Charge";
}

#[test]
fn a_message_with_a_json_form_is_written_in_it_and_read_from_either() {
    let converter = DataConverter::new();
    let charge = Charge { account: "Ada".into(), amount: 3 };
    let encoded = converter.to_payload(&ProtoJson(charge.clone())).unwrap();
    assert_eq!(encoded.metadata["encoding"], "json/protobuf");
    assert_eq!(encoded.metadata["messageType"], "bank.v1.Charge");
    assert_eq!(encoded.data, r#"{"account":"Ada","amount":3}"#);
    assert_eq!(converter.from_payload::<ProtoJson<Charge>>(&encoded).unwrap().0, charge);
    assert_eq!(converter.from_payload::<Charge>(&encoded).unwrap(), charge, "as plain serde too");
    let binary = converter.to_payload(&Proto(charge.clone())).unwrap();
    assert_eq!(converter.from_payload::<ProtoJson<Charge>>(&binary).unwrap().0, charge);
    assert!(converter.from_payload::<ProtoJson<Charge>>(&json("{}")).is_err());
}

#[test]
fn wrappers_are_elements_of_argument_tuples() {
    let converter = DataConverter::new();
    let arguments = (Raw(json("1")), 2, Binary(Bytes::from_static(b"x")));
    let payloads = converter.to_payloads(&arguments, 3).unwrap();
    assert_eq!(payloads, [json("1"), json("2"), payload("binary/plain", "x")]);
    assert_eq!(converter.from_payloads::<(Raw, u8, Binary)>(&payloads, 3).unwrap(), arguments);
}

#[test]
fn a_missing_payload_reads_raw_as_null() {
    assert_eq!(DataConverter::new().from_result::<Raw>(None).unwrap(), Raw(payload("binary/null", "")));
    assert!(DataConverter::new().from_result::<Binary>(None).is_err());
}

#[test]
fn wrappers_are_found_in_some_and_in_newtypes() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Picture(Binary);
    let converter = DataConverter::new();
    let picture = Picture(Binary(Bytes::from_static(b"x")));
    let encoded = converter.to_payload(&Some(&picture)).unwrap();
    assert_eq!(encoded, payload("binary/plain", "x"));
    assert_eq!(converter.from_payload::<Picture>(&encoded).unwrap(), picture);
}

#[test]
fn inside_of_another_value_a_wrapper_is_an_error() {
    let converter = DataConverter::new();
    let error = converter.to_payload(&vec![Raw(json("1"))]).unwrap_err();
    let text = std::error::Error::source(&error).unwrap().to_string();
    assert!(text.contains("must be a whole argument or result"), "{text}");
    assert!(converter.from_payload::<Vec<Raw>>(&json("[1]")).is_err());
    assert!(converter.from_payload::<Vec<Binary>>(&json("[[1]]")).is_err());
    assert!(serde_json::to_string(&Raw(json("1"))).is_err(), "another serializer");
    assert!(serde_json::from_str::<Raw>("1").is_err(), "another deserializer");
}

#[test]
fn what_a_wrapper_left_behind_is_not_taken_for_the_next_value() {
    let converter = DataConverter::new();
    assert!(converter.to_payload(&vec![Raw(json("1"))]).is_err());
    assert_eq!(converter.to_payload(&2).unwrap(), json("2"));
    assert!(converter.from_payload::<Raw>(&json("3")).is_ok());
    assert!(serde_json::from_str::<Raw>("null").is_err());
}

#[test]
fn a_payload_of_another_encoding_is_an_error_that_names_it() {
    let error = DataConverter::new().from_payload::<Binary>(&json("1")).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "expected encoding \"binary/plain\", found \"json/plain\"");
    let error = DataConverter::new().from_payload::<Proto<Timestamp>>(&payload("json/protobuf", "{}"));
    let cause = std::error::Error::source(&error.unwrap_err()).unwrap().to_string();
    assert!(cause.contains("`google.protobuf.Timestamp`"), "{cause}");
}

#[test]
fn a_malformed_message_is_an_error() {
    assert!(DataConverter::new().from_payload::<Proto<Timestamp>>(&payload("binary/protobuf", "\u{7f}")).is_err());
}
