//! Links between operations and what carries them out, as handlers send and get them: URLs with a type.
//!
//! A link is a help for people. One that cannot be read is left out, as Temporal's server does.

use std::collections::BTreeMap;

use stead_proto::common::v1::Link;
use stead_proto::common::v1::link::workflow_event::{EventReference, Reference, RequestIdReference};
use stead_proto::common::v1::link::{Activity, NexusOperation, Variant, WorkflowEvent};
use stead_proto::enums::v1::EventType;
use stead_proto::nexus::v1::Link as Wire;

/// A link as handlers get it. `None` if they get none of its kind.
pub(crate) fn to_wire(link: &Link) -> Option<Wire> {
    match link.variant.as_ref()? {
        Variant::WorkflowEvent(event) => Some(Wire { url: event_url(event), r#type: WORKFLOW_EVENT.to_owned() }),
        Variant::NexusOperation(operation) => {
            let NexusOperation { namespace, operation_id, run_id } = operation;
            let url = format!(
                "temporal:///namespaces/{}/nexus-operations/{}/{}/details",
                escaped(namespace, IN_PATH),
                escaped(operation_id, IN_PATH),
                escaped(run_id, IN_PATH)
            );
            Some(Wire { url, r#type: NEXUS_OPERATION.to_owned() })
        }
        _ => None,
    }
}

/// The links that a handler has sent, as far as they can be read.
pub(crate) fn from_wire(links: &[Wire]) -> Vec<Link> {
    links.iter().filter_map(read).map(|variant| Link { variant: Some(variant) }).collect()
}

fn event_url(event: &WorkflowEvent) -> String {
    let path = format!(
        "temporal:///namespaces/{}/workflows/{}/{}/history",
        escaped(&event.namespace, IN_PATH),
        escaped(&event.workflow_id, IN_PATH),
        escaped(&event.run_id, IN_PATH)
    );
    let query = match &event.reference {
        None => return path,
        Some(Reference::EventRef(event)) => {
            let id = if event.event_id > 0 { format!("eventID={}&", event.event_id) } else { String::new() };
            format!("{id}eventType={}&referenceType=EventReference", type_name(event.event_type()))
        }
        Some(Reference::RequestIdRef(request)) => format!(
            "eventType={}&referenceType=RequestIdReference&requestID={}",
            type_name(request.event_type()),
            escaped(&request.request_id, b"")
        ),
    };
    format!("{path}?{query}")
}

fn read(wire: &Wire) -> Option<Variant> {
    let rest = wire.url.strip_prefix("temporal://")?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let parts: Vec<_> = path.split('/').collect();
    let ["", "namespaces", namespace, kind, id, run_id, end] = parts[..] else { return None };
    if [namespace, id, run_id].contains(&"") {
        return None;
    }
    let (namespace, id, run_id) = (unescaped(namespace)?, unescaped(id)?, unescaped(run_id)?);
    match (wire.r#type.as_str(), kind, end) {
        (WORKFLOW_EVENT, "workflows", "history") => {
            let reference = Some(reference(query)?);
            Some(Variant::WorkflowEvent(WorkflowEvent { namespace, workflow_id: id, run_id, reference }))
        }
        (ACTIVITY, "activities", "details") => Some(Variant::Activity(Activity { namespace, activity_id: id, run_id })),
        _ => None,
    }
}

fn reference(query: &str) -> Option<Reference> {
    let values: BTreeMap<_, _> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let get = |key: &str| unescaped(&values.get(key).copied().unwrap_or_default().replace('+', "%20"));
    let event_type = type_of_name(&get("eventType")?)?.into();
    match get("referenceType")?.as_str() {
        "EventReference" => {
            let event_id = match get("eventID")?.as_str() {
                "" => 0,
                id => id.parse().ok()?,
            };
            Some(Reference::EventRef(EventReference { event_id, event_type }))
        }
        "RequestIdReference" => {
            Some(Reference::RequestIdRef(RequestIdReference { request_id: get("requestID")?, event_type }))
        }
        _ => None,
    }
}

/// `EVENT_TYPE_NEXUS_OPERATION_STARTED` is `NexusOperationStarted` here.
fn type_name(event_type: EventType) -> String {
    event_type.as_str_name().trim_start_matches(PREFIX).split('_').map(capitalized).collect()
}

fn capitalized(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    let mut letters = lower.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn type_of_name(name: &str) -> Option<EventType> {
    if name.starts_with(PREFIX) {
        return EventType::from_str_name(name);
    }
    let mut long = PREFIX.trim_end_matches('_').to_owned();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            long.push('_');
        }
        long.push(letter.to_ascii_uppercase());
    }
    EventType::from_str_name(&long)
}

/// Escapes all but letters, digits and a few signs, and those of `plain`.
fn escaped(text: &str, plain: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || plain.contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            plain.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            plain.push(byte);
        }
    }
    String::from_utf8(plain).ok()
}

const PREFIX: &str = "EVENT_TYPE_";
const WORKFLOW_EVENT: &str = "temporal.api.common.v1.Link.WorkflowEvent";
const NEXUS_OPERATION: &str = "temporal.api.common.v1.Link.NexusOperation";
const ACTIVITY: &str = "temporal.api.common.v1.Link.Activity";
/// Signs that say nothing in the path of a URL.
const IN_PATH: &[u8] = b"$&+:=@";

#[cfg(test)]
mod tests {
    use super::*;

    fn event(reference: Reference) -> Link {
        let event = WorkflowEvent {
            namespace: "default".to_owned(),
            workflow_id: "a/b c?ü".to_owned(),
            run_id: "run".to_owned(),
            reference: Some(reference),
        };
        Link { variant: Some(Variant::WorkflowEvent(event)) }
    }

    #[test]
    fn links_to_events_are_read_as_they_were_written() {
        let by_id =
            Reference::EventRef(EventReference { event_id: 5, event_type: EventType::NexusOperationStarted.into() });
        let by_request = Reference::RequestIdRef(RequestIdReference {
            request_id: "a&b+c d=e".to_owned(),
            event_type: EventType::WorkflowExecutionOptionsUpdated.into(),
        });
        for link in [event(by_id), event(by_request)] {
            let wire = to_wire(&link).expect("handlers get such links");
            assert_eq!(from_wire(std::slice::from_ref(&wire)), [link], "{wire:?}");
        }
    }

    #[test]
    fn a_link_looks_as_temporals_server_writes_it() {
        let by_id =
            Reference::EventRef(EventReference { event_id: 5, event_type: EventType::NexusOperationScheduled.into() });
        let wire = to_wire(&event(by_id)).expect("handlers get such links");
        assert_eq!(
            wire.url,
            "temporal:///namespaces/default/workflows/a%2Fb%20c%3F%C3%BC/run/history?\
             eventID=5&eventType=NexusOperationScheduled&referenceType=EventReference"
        );
        assert_eq!(wire.r#type, "temporal.api.common.v1.Link.WorkflowEvent");
    }

    #[test]
    fn what_is_no_link_is_left_out() {
        let wire = |url: &str| Wire { url: url.to_owned(), r#type: WORKFLOW_EVENT.to_owned() };
        let bad = [
            "http://x/namespaces/n/workflows/w/r/history?eventType=TimerFired&referenceType=EventReference",
            "temporal:///namespaces/n/workflows/w/r/history",
            "temporal:///namespaces/n/workflows//r/history?eventType=TimerFired&referenceType=EventReference",
            "temporal:///namespaces/n/workflows/%2/r/history?eventType=TimerFired&referenceType=EventReference",
            "temporal:///namespaces/n/workflows/w/r/history?eventType=Nope&referenceType=EventReference",
            "",
        ];
        assert_eq!(from_wire(&bad.map(wire)), []);
    }
}
