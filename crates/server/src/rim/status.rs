//! How gRPC says that a call succeeded or was refused: headers and trailers.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use prost::Message;
use prost_types::Any;

use super::Body;
use crate::engine::Refusal;

/// An answer whose status follows its message.
pub(super) fn answered(message: bytes::Bytes) -> Response<Body> {
    response(StatusCode::OK, Body::message(message, success()))
}

/// The trailers of a call that went well.
pub(super) fn success() -> HeaderMap {
    HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))])
}

/// An answer that is nothing but a status; gRPC sends it in the headers.
pub(super) fn refused(refusal: &Refusal) -> Response<Body> {
    refused_over_http(StatusCode::OK, refusal)
}

/// The same for a request that is not one of gRPC.
pub(super) fn refused_over_http(http: StatusCode, refusal: &Refusal) -> Response<Body> {
    let mut response = response(http, Body::empty());
    response.headers_mut().extend(failure(refusal));
    response
}

/// The trailers of a call that was refused.
pub(super) fn failure(refusal: &Refusal) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(STATUS, HeaderValue::from(refusal.code as i32));
    if let Ok(message) = HeaderValue::try_from(percent_encoded(&refusal.message)) {
        headers.insert(MESSAGE, message);
    }
    if let Some(details) = details(refusal) {
        headers.insert(DETAILS, details);
    }
    headers
}

pub(super) fn response(http: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = http;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

fn details(refusal: &Refusal) -> Option<HeaderValue> {
    if refusal.details.is_empty() {
        return None;
    }
    let Refusal { code, message, details } = refusal.clone();
    let status = RichStatus { code: code as i32, message, details };
    HeaderValue::try_from(STANDARD_NO_PAD.encode(status.encode_to_vec())).ok()
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RichStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// Everything but printable ASCII, and the percent sign itself, as `%XX`.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' | ..b' ' | 0x7F.. => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Code;

    #[test]
    fn a_message_is_percent_encoded_and_nothing_is_lost() {
        assert_eq!(percent_encoded("50% of ü\n\"x\""), "50%25 of %C3%BC%0A\"x\"");
    }

    #[test]
    fn a_refusal_without_details_has_no_header_for_them() {
        let headers = failure(&Refusal::new(Code::NotFound, "gone"));
        assert_eq!(headers[STATUS], "5");
        assert_eq!(headers[MESSAGE], "gone");
        assert!(!headers.contains_key(DETAILS));
    }

    #[test]
    fn details_travel_as_a_rich_status() {
        let headers = failure(&Refusal::not_found("gone"));
        let bytes = STANDARD_NO_PAD.decode(&headers[DETAILS]).unwrap();
        let status = RichStatus::decode(&*bytes).unwrap();
        assert_eq!((status.code, status.message.as_str()), (5, "gone"));
        assert!(status.details[0].type_url.ends_with("errordetails.v1.NotFoundFailure"), "{status:?}");
    }
}
