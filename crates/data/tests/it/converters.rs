use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stead_data::{
    Binary, DataConverter, Failure, Payload, PayloadConverter, Raw, SerializationContext, WorkflowContext,
};

use crate::{json, payload};

/// Writes numbers in an encoding of its own, and leaves everything else alone.
struct Numbers;

impl PayloadConverter for Numbers {
    fn write(
        &self,
        json: &str,
        _: &str,
        _: &SerializationContext,
    ) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
        Ok(json.parse::<f64>().is_ok().then(|| payload("text/number", format!("<{json}>"))))
    }

    fn read(
        &self,
        payload: &Payload,
        _: &str,
        _: &SerializationContext,
    ) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        match payload.metadata.get("encoding").map(Bytes::as_ref) {
            Some(b"text/number") => Ok(Some(str::from_utf8(&payload.data)?.trim_matches(['<', '>']).to_owned())),
            _ => Ok(None),
        }
    }
}

/// Claims everything and can do nothing.
struct Broken;

impl PayloadConverter for Broken {
    fn write(
        &self,
        _: &str,
        _: &str,
        _: &SerializationContext,
    ) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
        Err("cannot write".into())
    }

    fn read(
        &self,
        _: &Payload,
        _: &str,
        _: &SerializationContext,
    ) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        Err("cannot read".into())
    }
}

fn converter() -> DataConverter {
    DataConverter::new().with_payload_converter(Arc::new(Numbers))
}

#[test]
fn a_custom_converter_goes_first_and_may_decline() {
    let payloads = converter().to_payloads(&(1, "x"), 2).unwrap();
    assert_eq!(payloads, [payload("text/number", "<1>"), json("\"x\"")]);
    assert_eq!(converter().from_payloads::<(u8, String)>(&payloads, 2).unwrap(), (1, "x".to_owned()));
    assert_eq!(converter().from_payloads::<(u8, Option<u8>)>(&payloads[..1], 2).unwrap(), (1, None));
}

#[test]
fn wrappers_never_reach_a_custom_converter() {
    let converter = DataConverter::new().with_payload_converter(Arc::new(Broken));
    let bytes = Binary(Bytes::from_static(b"x"));
    assert_eq!(converter.to_payload(&bytes).unwrap(), payload("binary/plain", "x"));
    assert_eq!(converter.from_payload::<Raw>(&json("1")).unwrap(), Raw(json("1")));
}

#[test]
fn errors_of_a_custom_converter_name_the_value() {
    let converter = DataConverter::new().with_payload_converter(Arc::new(Broken));
    let error = converter.to_payload(&1).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "cannot write");
    let error = converter.from_payload::<u8>(&json("1")).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "cannot read");
}

#[test]
fn debug_shows_what_is_set_and_nothing_of_it() {
    assert_eq!(
        format!("{:?}", converter()),
        r#"DataConverter { payload_converter: "custom", codec: "none", header_codec: Never, failure_converter: "none", external_storage: None }"#
    );
}

/// Writes amounts of money as text, and finds those that are none.
struct Money;

fn is_money(type_name: &str) -> bool {
    type_name.ends_with("::Cents")
}

impl PayloadConverter for Money {
    fn write(
        &self,
        json: &str,
        type_name: &str,
        _: &SerializationContext,
    ) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
        Ok(is_money(type_name).then(|| payload("text/money", format!("{json} ct"))))
    }

    fn read(
        &self,
        payload: &Payload,
        type_name: &str,
        _: &SerializationContext,
    ) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        if !is_money(type_name) {
            return Ok(None);
        }
        match str::from_utf8(&payload.data)?.strip_suffix(" ct") {
            Some(cents) => Ok(Some(cents.to_owned())),
            None => Err(Failure::payload_validation(Some(json(r#""no money""#))).into()),
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cents(u32);

#[test]
fn a_converter_may_be_for_one_type_also_among_several_arguments() {
    let converter = DataConverter::new().with_payload_converter(Arc::new(Money));
    let payloads = converter.to_payloads(&(7, Cents(3)), 2).unwrap();
    assert_eq!(payloads, [json("7"), payload("text/money", "3 ct")]);
    assert_eq!(converter.from_payloads::<(u32, Cents)>(&payloads, 2).unwrap(), (7, Cents(3)));
}

#[test]
fn a_failure_that_a_converter_ends_with_is_found_in_the_error() {
    let converter = DataConverter::new().with_payload_converter(Arc::new(Money));
    let error = converter.from_payload::<Cents>(&json("7")).unwrap_err();
    assert_eq!(error.failure().unwrap().message, "Payload validation failed");
    assert_eq!(converter.from_payload::<bool>(&json("7")).unwrap_err().failure(), None);
}

/// Writes whose a value is in place of the value.
struct Owners;

impl PayloadConverter for Owners {
    fn write(
        &self,
        json: &str,
        type_name: &str,
        context: &SerializationContext,
    ) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
        if json == "13" {
            return Err(Failure::payload_validation(None).into());
        }
        Ok(Some(payload("text/owner", format!("{:?} {type_name}", context.workflow_id()))))
    }

    fn read(
        &self,
        _: &Payload,
        _: &str,
        context: &SerializationContext,
    ) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        Ok(Some(format!("{:?}", context.workflow_id().unwrap_or("nobody"))))
    }
}

#[test]
fn a_converter_is_told_whose_the_payload_is() {
    let converter = DataConverter::new().with_payload_converter(Arc::new(Owners));
    assert_eq!(converter.to_payload(&1).unwrap(), payload("text/owner", "None i32"));
    assert_eq!(converter.from_payload::<String>(&json("1")).unwrap(), "nobody");
    let own = converter.in_context(|| WorkflowContext::new("shop", "order-1").into());
    assert_eq!(own.to_payload(&1).unwrap(), payload("text/owner", "Some(\"order-1\") i32"));
    assert_eq!(own.from_payload::<String>(&json("1")).unwrap(), "order-1");
}

#[test]
fn a_value_whose_owner_is_not_known_yet_is_converted_when_it_is() {
    let converter = DataConverter::new().with_payload_converter(Arc::new(Owners));
    let order = WorkflowContext::new("shop", "order-1").into();
    let mut payload = converter.drafts().to_payload(&1).unwrap();
    assert_eq!(converter.from_payload::<u8>(&payload).unwrap(), 1, "until then it is the value");
    converter.finish(&mut payload, &order).unwrap();
    assert_eq!(payload, crate::payload("text/owner", "Some(\"order-1\") i32"));
    let done = payload.clone();
    converter.finish(&mut payload, &order).unwrap();
    assert_eq!(payload, done, "it is converted once");

    let mut refused = converter.drafts().to_payload(&13).unwrap();
    let error = converter.finish(&mut refused, &order).unwrap_err();
    assert_eq!(
        error.to_string(),
        "payload converter failed: a value of type `i32` could not be converted to a payload"
    );
    assert_eq!(error.failure().unwrap().message, "Payload validation failed");
}

/// Days since the epoch here, a date for everybody else.
#[derive(Debug, PartialEq, Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Day(u32);

impl From<Day> for String {
    fn from(day: Day) -> Self {
        format!("day {}", day.0)
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.strip_prefix("day ").and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| format!("`{text}` is no day"))
    }
}

mod minutes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(seconds: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        (seconds / 60).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        u32::deserialize(deserializer).map(|minutes| minutes * 60)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Shift {
    day: Day,
    #[serde(with = "minutes")]
    seconds: u32,
}

#[test]
fn types_say_themselves_as_what_they_travel_at_any_depth() {
    let converter = DataConverter::new();
    let shifts = vec![Shift { day: Day(3), seconds: 120 }];
    let payload = converter.to_payload(&shifts).unwrap();
    assert_eq!(payload, json(r#"[{"day":"day 3","seconds":2}]"#));
    assert_eq!(converter.from_payload::<Vec<Shift>>(&payload).unwrap(), shifts);
    let error = converter.from_payload::<Day>(&json(r#""tomorrow""#)).unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "`tomorrow` is no day");
}
