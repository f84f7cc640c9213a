//! The context of a trace in a header: a JSON object of strings, as the Python SDK writes it.

use std::collections::HashMap;

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

fn payload(context: &Context) -> Option<Payload> {
    let mut carrier = Carrier::new();
    TraceContextPropagator::new().inject_context(context, &mut carrier);
    BaggagePropagator::new().inject_context(context, &mut carrier);
    // A map of strings is always JSON. Not with the user's converter, which another program may not have.
    (!carrier.is_empty()).then(|| DataConverter::new().to_payload(&carrier).ok()).flatten()
}

/// The context in headers; `None` if there is none, or none that can be read.
pub(crate) fn extract(headers: &Headers) -> Option<Context> {
    let carrier: Carrier = DataConverter::new().from_payload(headers.get(HEADER)?).ok()?;
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    Some(BaggagePropagator::new().extract_with_context(&context, &carrier))
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
}
