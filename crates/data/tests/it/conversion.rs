use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stead_data::{ConversionError, DataConverter, Payload};

use crate::{json, payload};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    zip: u32,
    address: Option<String>,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Line {
    Free,
    Item(String, u64),
    Discount { percent: f64 },
    Note(String),
}

#[derive(Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Options {
    retries: u32,
    name: String,
}

fn order() -> Order {
    let lines = vec![
        Line::Free,
        Line::Item("a\"b\n".to_owned(), u64::MAX),
        Line::Discount { percent: 1.5 },
        Line::Note("ü".to_owned()),
    ];
    Order { zip: 8000, address: None, lines }
}

fn text<T: Serialize>(value: &T) -> String {
    let payload = DataConverter::new().to_payload(value).unwrap();
    assert_eq!(payload.metadata["encoding"], "json/plain");
    String::from_utf8(payload.data.to_vec()).unwrap()
}

fn read<T: DeserializeOwned>(payload: &Payload) -> Result<T, ConversionError> {
    DataConverter::new().from_payload(payload)
}

#[test]
fn a_struct_is_the_json_that_serde_json_writes() {
    assert_eq!(text(&order()), serde_json::to_string(&order()).unwrap());
    let payload = DataConverter::new().to_payload(&order()).unwrap();
    assert_eq!(read::<Order>(&payload).unwrap(), order());
}

#[test]
fn struct_fields_keep_their_declared_order() {
    assert_eq!(text(&Options { retries: 1, name: "n".to_owned() }), r#"{"retries":1,"name":"n"}"#);
}

#[test]
fn every_shape_that_is_no_map_is_written_as_serde_json_writes_it() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Pair(i8, char);
    #[derive(Serialize)]
    struct Newtype(f32);
    let shapes = (
        (true, -1i128, u128::MAX, 1.0f32, f64::NAN, 'x', "s", Some(1), None::<u8>),
        (Unit, Pair(-3, 'ß'), Newtype(0.1), (), [1u8, 2], Vec::<u8>::new()),
    );
    assert_eq!(text(&shapes), serde_json::to_string(&shapes).unwrap());
}

#[test]
fn maps_are_sorted_at_any_depth() {
    let inner = |n: u32| (0..n).rev().map(|i| (format!("k{i:02}"), i)).collect::<HashMap<_, _>>();
    let outer: HashMap<String, HashMap<String, u32>> = (0..20).map(|i| (format!("o{i:02}"), inner(i))).collect();
    let sorted: BTreeMap<_, BTreeMap<_, _>> = outer.iter().map(|(k, v)| (k, v.iter().collect())).collect();
    let in_a_struct = (1, Some(vec![&outer]));
    assert_eq!(text(&in_a_struct), serde_json::to_string(&(1, Some(vec![sorted]))).unwrap());
}

#[test]
fn a_key_sorts_before_the_keys_that_it_begins() {
    let map = HashMap::from([("a!", 2), ("a", 1), ("", 0), ("a b", 3)]);
    assert_eq!(text(&map), r#"{"":0,"a":1,"a b":3,"a!":2}"#);
}

#[test]
fn keys_that_are_no_strings_work_as_in_serde_json() {
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Unit {
        B,
        A,
    }
    assert_eq!(text(&HashMap::from([(10, 'a'), (-2, 'b')])), r#"{"-2":"b","10":"a"}"#);
    assert_eq!(text(&HashMap::from([(true, 1), (false, 0)])), r#"{"false":0,"true":1}"#);
    assert_eq!(text(&BTreeMap::from([(Unit::B, 1), (Unit::A, 0)])), r#"{"A":0,"B":1}"#);
}

#[test]
fn a_key_that_is_a_list_is_an_error() {
    let error = DataConverter::new().to_payload(&BTreeMap::from([([1], 1)])).unwrap_err();
    assert!(matches!(error, ConversionError::Encode { index: 0, .. }), "{error:?}");
    let cause = error.source().unwrap().to_string();
    assert_eq!(cause, "the key of a map must be a string, a number or a boolean");
}

#[test]
fn nothing_is_binary_null() {
    for payload in [
        DataConverter::new().to_payload(&()).unwrap(),
        DataConverter::new().to_payload(&None::<String>).unwrap(),
        DataConverter::new().to_payload(&serde_json::Value::Null).unwrap(),
    ] {
        assert_eq!(payload, crate::payload("binary/null", ""));
        assert_eq!(read::<Option<u32>>(&payload).unwrap(), None);
        read::<()>(&payload).unwrap();
    }
}

#[test]
fn numbers_and_strings_are_read_from_json_of_either_kind() {
    assert_eq!(read::<u32>(&json(" 3 ")).unwrap(), 3);
    assert_eq!(read::<Options>(&payload("json/protobuf", r#"{"retries":2}"#)).unwrap().retries, 2);
}

#[test]
fn bytes_of_other_languages_read_as_a_list_of_numbers() {
    assert_eq!(read::<Vec<u8>>(&payload("binary/plain", vec![0, 255])).unwrap(), [0, 255]);
    assert!(read::<Vec<u8>>(&payload("binary/plain", "")).unwrap().is_empty());
}

#[test]
fn an_error_names_index_encoding_type_and_cause() {
    let error = DataConverter::new().from_payloads::<(u32, u32)>(&[json("1"), json("\"x\"")], 2).unwrap_err();
    assert_eq!(error.to_string(), "payload at index 1 with encoding \"json/plain\" could not be converted to `u32`");
    assert_eq!(error.source().unwrap().to_string(), "invalid type: string \"x\", expected u32 at line 1 column 3");
}

#[test]
fn text_after_the_value_is_an_error() {
    assert!(matches!(read::<u32>(&json("1 2")).unwrap_err(), ConversionError::Decode { .. }));
}

#[test]
fn an_unknown_encoding_is_named() {
    let error = read::<u32>(&payload("binary/encrypted", "?")).unwrap_err();
    assert!(error.to_string().starts_with("unknown payload encoding \"binary/encrypted\""), "{error}");
    let error = read::<u32>(&Payload::default()).unwrap_err();
    assert!(matches!(error, ConversionError::UnknownEncoding { encoding, .. } if encoding.is_empty()));
}

#[test]
fn several_arguments_are_a_payload_each() {
    let converter = DataConverter::new();
    let payloads = converter.to_payloads(&("a", order(), None::<u8>), 3).unwrap();
    assert_eq!(payloads.len(), 3);
    let read: (String, Order, Option<u8>) = converter.from_payloads(&payloads, 3).unwrap();
    assert_eq!(read, ("a".to_owned(), order(), None));
}

#[test]
fn one_argument_is_a_tuple_only_if_it_is_declared_as_one() {
    let converter = DataConverter::new();
    let payloads = converter.to_payloads(&(1, 2), 1).unwrap();
    assert_eq!(payloads, [json("[1,2]")]);
    assert_eq!(converter.from_payloads::<(u8, u8)>(&payloads, 1).unwrap(), (1, 2));
}

#[test]
fn no_arguments_are_no_payloads() {
    let converter = DataConverter::new();
    assert_eq!(converter.to_payloads(&(), 0).unwrap(), []);
    converter.from_payloads::<()>(&[json("\"ignored\"")], 0).unwrap();
}

#[test]
fn arguments_that_are_no_tuple_of_the_right_size_are_an_error() {
    let converter = DataConverter::new();
    for error in [
        converter.to_payloads(&(1, 2), 3).unwrap_err(),
        converter.to_payloads(&order(), 2).unwrap_err(),
        converter.to_payloads(&1, 2).unwrap_err(),
    ] {
        let cause = error.source().unwrap().to_string();
        assert_eq!(cause, "several arguments must be a tuple with one element for each");
    }
}

#[test]
fn an_argument_that_cannot_be_written_is_named_by_its_index() {
    let error = DataConverter::new().to_payloads(&(1, BTreeMap::from([([1], 1)])), 2).unwrap_err();
    assert!(error.to_string().starts_with("value at index 1 of type `"), "{error}");
}

#[test]
fn arguments_of_an_unknown_signature_are_split_if_they_are_a_tuple() {
    let converter = DataConverter::new();
    assert_eq!(converter.to_arguments(&("a", 1)).unwrap(), [json("\"a\""), json("1")]);
    assert_eq!(converter.to_arguments(&()).unwrap(), []);
    assert_eq!(converter.to_arguments("a").unwrap(), [json("\"a\"")]);
    assert_eq!(converter.to_arguments(&vec![1, 2]).unwrap(), [json("[1,2]")]);
    assert_eq!(converter.to_arguments(&Options::default()).unwrap().len(), 1);
}

#[test]
fn extra_payloads_are_ignored() {
    let payloads = [json("1"), json("2"), payload("unknown", "")];
    assert_eq!(DataConverter::new().from_payloads::<u8>(&payloads, 1).unwrap(), 1);
    assert_eq!(DataConverter::new().from_payloads::<(u8, u8)>(&payloads, 2).unwrap(), (1, 2));
}

#[test]
fn missing_payloads_read_as_defaults() {
    let converter = DataConverter::new();
    type Arguments = (u8, Option<u8>, (), Options, Box<Option<String>>);
    let read: Arguments = converter.from_payloads(&[json("1")], 5).unwrap();
    assert_eq!(read, (1, None, (), Options::default(), Box::new(None)));
    assert_eq!(converter.from_payloads::<Option<u8>>(&[], 1).unwrap(), None);
    assert_eq!(converter.from_payloads::<Options>(&[], 1).unwrap(), Options::default());
}

#[test]
fn a_missing_payload_without_a_default_is_an_error() {
    let converter = DataConverter::new();
    let error = converter.from_payloads::<(u8, String)>(&[json("1")], 2).unwrap_err();
    assert_eq!(error.to_string(), "no payload at index 1, where `alloc::string::String` is wanted");
    let error = converter.from_payloads::<Order>(&[], 1).unwrap_err();
    assert!(matches!(error, ConversionError::Missing { index: 0, .. }));
    assert!(converter.from_payloads::<BTreeMap<String, u8>>(&[], 1).is_err());
}

#[test]
fn no_result_reads_as_unit() {
    let converter = DataConverter::new();
    converter.from_result::<()>(None).unwrap();
    assert_eq!(converter.from_result::<Option<u8>>(None).unwrap(), None);
    assert!(converter.from_result::<u8>(None).is_err());
    assert_eq!(converter.from_result::<u8>(Some(&json("4"))).unwrap(), 4);
}

#[test]
fn json_nested_too_deeply_is_an_error() {
    let deep = payload("json/plain", "[".repeat(100_000));
    assert!(read::<serde_json::Value>(&deep).is_err());
}

#[test]
fn raw_values_and_numbers_of_serde_json_are_written_as_they_are() {
    let raw = serde_json::value::RawValue::from_string(r#"{ "b": 1, "a": "\"" }"#.to_owned()).unwrap();
    assert_eq!(text(&(1, raw)), r#"[1,{ "b": 1, "a": "\"" }]"#);
}
