//! The context of a trace in headers, as the Python SDK writes it: one of Temporal's holds a JSON object of strings, those of
//! Nexus are the strings.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use stead::DataConverter;
use stead::data::{Headers, Payload};

/// The header's name, from `temporalio.contrib.opentelemetry` of the Python SDK.
const HEADER: &str = "_tracer-data";

type Carrier = HashMap<String, String>;

/// Puts a context into headers; nothing if there is nothing to put there.
pub(crate) fn inject(context: &Context, headers: &mut Headers) {
    headers.extend(payload(context).map(|payload| (HEADER.to_owned(), payload)));
}

/// Puts a context into the headers of a Nexus request, in place of another that is there.
pub(crate) fn inject_into_nexus(context: &Context, headers: &mut BTreeMap<String, String>) {
    headers.extend(carrier(context));
}

fn carrier(context: &Context) -> Carrier {
    let mut carrier = Carrier::new();
    TraceContextPropagator::new().inject_context(context, &mut carrier);
    BaggagePropagator::new().inject_context(context, &mut carrier);
    // The state of a trace, where it has none.
    carrier.retain(|_, value| !value.is_empty());
    carrier
}

fn payload(context: &Context) -> Option<Payload> {
    let carrier = carrier(context);
    // A map of strings is always JSON. Not with the user's converter, which another program may not have.
    (!carrier.is_empty()).then(|| DataConverter::new().to_payload(&carrier).ok()).flatten()
}

/// The context in headers; `None` if there is none, or none that can be read.
pub(crate) fn extract(headers: &Headers) -> Option<Context> {
    let carrier: Carrier = DataConverter::new().from_payload(headers.get(HEADER)?).ok()?;
    Some(context(&carrier))
}

/// The context in the headers of a Nexus request; an empty one if there is none.
pub(crate) fn extract_from_nexus(headers: &BTreeMap<String, String>) -> Context {
    context(&headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Brings the context of this thread to another one.
pub(crate) fn to_another_thread() -> Box<dyn FnOnce() -> Box<dyn Any> + Send> {
    let context = Context::current();
    Box::new(move || Box::new(context.attach()))
}

fn context(carrier: &Carrier) -> Context {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), carrier);
    BaggagePropagator::new().extract_with_context(&context, carrier)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TraceContextExt;

    use super::*;

    #[test]
    fn a_header_that_a_python_program_wrote_is_read_and_one_that_is_nonsense_is_not() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let json = format!(r#"{{"traceparent": "{parent}", "baggage": "user=ada"}}"#);
        let payload = Payload {
            metadata: [("encoding".to_owned(), b"json/plain".to_vec().into())].into_iter().collect(),
            data: json.into(),
            ..Default::default()
        };
        let mut headers = Headers::new();
        headers.insert(HEADER.to_owned(), payload);
        let context = extract(&headers).expect("it is a context");
        assert_eq!(context.span().span_context().span_id().to_string(), "b7ad6b7169203331");
        let mut again = Headers::new();
        inject(&context, &mut again);
        let carrier: Carrier = DataConverter::new().from_payload(&again[HEADER]).expect("it is a map of strings");
        assert_eq!((&*carrier["traceparent"], &*carrier["baggage"]), (parent, "user=ada"));

        headers.insert(HEADER.to_owned(), DataConverter::new().to_payload(&7).expect("a number"));
        assert!(extract(&headers).is_none());
        assert!(extract(&Headers::new()).is_none());
    }

    #[test]
    fn nothing_is_written_where_there_is_no_span() {
        let mut headers = Headers::new();
        inject(&Context::new(), &mut headers);
        assert!(headers.keys().all(|name| name != HEADER), "{headers:?}");
    }

    #[test]
    fn headers_of_nexus_are_those_of_the_w3c_and_others_stay_as_they_are() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let sent = [("baggage", "user=ada"), ("traceparent", parent)];
        let context = extract_from_nexus(&headers(&sent));
        let mut next = headers(&[("tenant", "north"), ("traceparent", "of somebody else")]);
        inject_into_nexus(&context, &mut next);
        assert_eq!(next, headers(&[sent[0], ("tenant", "north"), sent[1]]));

        let nonsense = extract_from_nexus(&headers(&[("traceparent", "00-nonsense")]));
        assert!(!nonsense.span().span_context().is_valid());
    }
}
