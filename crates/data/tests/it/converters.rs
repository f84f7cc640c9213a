use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use stead_data::{Binary, DataConverter, Payload, PayloadConverter, Raw};

use crate::{json, payload};

/// Writes numbers in an encoding of its own, and leaves everything else alone.
struct Numbers;

impl PayloadConverter for Numbers {
    fn write(&self, json: &str) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
        Ok(json.parse::<f64>().is_ok().then(|| payload("text/number", format!("<{json}>"))))
    }

    fn read(&self, payload: &Payload) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        match payload.metadata.get("encoding").map(Bytes::as_ref) {
            Some(b"text/number") => Ok(Some(str::from_utf8(&payload.data)?.trim_matches(['<', '>']).to_owned())),
            _ => Ok(None),
        }
    }
}

/// Claims everything and can do nothing.
struct Broken;

impl PayloadConverter for Broken {
    fn write(&self, _: &str) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
        Err("cannot write".into())
    }

    fn read(&self, _: &Payload) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
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
    assert_eq!(format!("{:?}", converter()), r#"DataConverter { payload_converter: "custom", codec: "none" }"#);
}
