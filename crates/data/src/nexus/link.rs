//! Links between operations and what carries them out: URLs with a type, as handlers send and get them.
//!
//! A link is a help for people. One that cannot be read is left out, as Temporal's server does.

use std::collections::BTreeMap;

use stead_proto::common::v1 as wire;
use stead_proto::common::v1::link::Variant;
use stead_proto::common::v1::link::workflow_event::{EventReference, Reference, RequestIdReference};
use stead_proto::enums::v1::EventType;

/// Leads from an operation to what carries it out or has asked for it, or back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub struct Link {
    /// Where it leads, such as
    /// `temporal:///namespaces/default/workflows/order-1/…/history?eventID=5&eventType=NexusOperationScheduled&referenceType=EventReference`.
    pub url: String,
    /// What is there, such as `temporal.api.common.v1.Link.WorkflowEvent`.
    pub kind: String,
}

impl Link {
    /// A link to something.
    #[must_use]
    pub fn new(url: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { url: url.into(), kind: kind.into() }
    }

    /// A link as messages of the server have it; `None` if it leads nowhere or to what has no URL.
    #[must_use]
    pub fn from_proto(link: &wire::Link) -> Option<Self> {
        let (kind, url) = match link.variant.as_ref()? {
            Variant::WorkflowEvent(it) => {
                let query = it.reference.as_ref().map(query);
                (WORKFLOW_EVENT, url(&it.namespace, "workflows", &it.workflow_id, &it.run_id, "/history", query))
            }
            Variant::Workflow(it) => {
                let query = (!it.reason.is_empty()).then(|| format!("reason={}", escaped(&it.reason, b"")));
                (WORKFLOW, url(&it.namespace, "workflows", &it.workflow_id, &it.run_id, "", query))
            }
            Variant::Activity(it) => {
                (ACTIVITY, url(&it.namespace, "activities", &it.activity_id, &it.run_id, "/details", None))
            }
            Variant::NexusOperation(it) => (
                NEXUS_OPERATION,
                url(&it.namespace, "nexus-operations", &it.operation_id, &it.run_id, "/details", None),
            ),
            _ => return None,
        };
        Some(Self::new(url, kind))
    }

    /// The link as messages to the server have it; `None` if it does not lead to a part of Temporal.
    #[must_use]
    pub fn to_proto(&self) -> Option<wire::Link> {
        let rest = self.url.strip_prefix("temporal://")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parts: Vec<_> = path.split('/').collect();
        let (["", "namespaces", namespace, kind, id, run_id], end) = parts.split_at_checked(6)? else { return None };
        if [namespace, id, run_id].iter().any(|part| part.is_empty()) {
            return None;
        }
        let (namespace, id, run_id) = (unescaped(namespace)?, unescaped(id)?, unescaped(run_id)?);
        let variant = match (self.kind.as_str(), *kind, end) {
            (WORKFLOW_EVENT, "workflows", ["history"]) => {
                let reference = Some(reference(query)?);
                Variant::WorkflowEvent(wire::link::WorkflowEvent { namespace, workflow_id: id, run_id, reference })
            }
            (WORKFLOW, "workflows", []) => {
                let reason = values(query).get("reason").map_or(Some(String::new()), |it| unescaped_query(it))?;
                Variant::Workflow(wire::link::Workflow { namespace, workflow_id: id, run_id, reason })
            }
            (ACTIVITY, "activities", ["details"]) => {
                Variant::Activity(wire::link::Activity { namespace, activity_id: id, run_id })
            }
            (NEXUS_OPERATION, "nexus-operations", ["details"]) => {
                Variant::NexusOperation(wire::link::NexusOperation { namespace, operation_id: id, run_id })
            }
            _ => return None,
        };
        Some(wire::Link { variant: Some(variant) })
    }

    /// Those of the links that lead to a part of Temporal.
    #[must_use]
    pub fn all_to_proto(links: &[Self]) -> Vec<wire::Link> {
        links.iter().filter_map(Self::to_proto).collect()
    }
}

fn url(namespace: &str, kind: &str, id: &str, run_id: &str, end: &str, query: Option<String>) -> String {
    let [namespace, id, run_id] = [namespace, id, run_id].map(|part| escaped(part, IN_PATH));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("temporal:///namespaces/{namespace}/{kind}/{id}/{run_id}{end}{query}")
}

fn query(reference: &Reference) -> String {
    match reference {
        Reference::EventRef(event) => {
            let id = if event.event_id > 0 { format!("eventID={}&", event.event_id) } else { String::new() };
            format!("{id}eventType={}&referenceType=EventReference", type_name(event.event_type()))
        }
        Reference::RequestIdRef(request) => format!(
            "eventType={}&referenceType=RequestIdReference&requestID={}",
            type_name(request.event_type()),
            escaped(&request.request_id, b"")
        ),
    }
}

fn values(query: &str) -> BTreeMap<&str, &str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).collect()
}

fn reference(query: &str) -> Option<Reference> {
    let values = values(query);
    let get = |key: &str| unescaped_query(values.get(key).copied().unwrap_or_default());
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
    let words = event_type.as_str_name().trim_start_matches(PREFIX).split('_');
    words
        .map(|word| word.get(..1).unwrap_or_default().to_owned() + &word.get(1..).unwrap_or_default().to_lowercase())
        .collect()
}

/// Both names are sent.
fn type_of_name(name: &str) -> Option<EventType> {
    if name.starts_with(PREFIX) {
        return EventType::from_str_name(name);
    }
    let word = |letter: char| {
        if letter.is_ascii_uppercase() { format!("_{letter}") } else { letter.to_uppercase().to_string() }
    };
    let long: String = name.chars().map(word).collect();
    EventType::from_str_name(&format!("{}{long}", PREFIX.trim_end_matches('_')))
}

/// Escapes all but letters, digits and a few signs, and those of `plain`.
fn escaped(text: &str, plain: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || plain.contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn unescaped_query(text: &str) -> Option<String> {
    unescaped(&text.replace('+', "%20"))
}

fn unescaped(text: &str) -> Option<String> {
    let (mut bytes, mut plain) = (text.bytes(), Vec::with_capacity(text.len()));
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(plain).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

const PREFIX: &str = "EVENT_TYPE_";
const WORKFLOW_EVENT: &str = "temporal.api.common.v1.Link.WorkflowEvent";
const WORKFLOW: &str = "temporal.api.common.v1.Link.Workflow";
const NEXUS_OPERATION: &str = "temporal.api.common.v1.Link.NexusOperation";
const ACTIVITY: &str = "temporal.api.common.v1.Link.Activity";
/// Signs that say nothing in the path of a URL.
const IN_PATH: &[u8] = b"$&+:=@";

#[cfg(test)]
mod tests {
    use super::*;

    fn link(variant: Variant) -> wire::Link {
        wire::Link { variant: Some(variant) }
    }

    fn event(reference: Reference) -> wire::Link {
        link(Variant::WorkflowEvent(wire::link::WorkflowEvent {
            namespace: "default".to_owned(),
            workflow_id: "a/b c?ü".to_owned(),
            run_id: "run".to_owned(),
            reference: Some(reference),
        }))
    }

    fn by_id() -> wire::Link {
        event(Reference::EventRef(EventReference {
            event_id: 5,
            event_type: EventType::NexusOperationScheduled.into(),
        }))
    }

    #[test]
    fn links_are_read_as_they_were_written() {
        let by_request = Reference::RequestIdRef(RequestIdReference {
            request_id: "a&b+c d=e".to_owned(),
            event_type: EventType::WorkflowExecutionOptionsUpdated.into(),
        });
        let (namespace, run_id) = ("n s".to_owned(), "r".to_owned());
        let activity =
            wire::link::Activity { namespace: namespace.clone(), activity_id: "a%".into(), run_id: run_id.clone() };
        let operation = wire::link::NexusOperation {
            namespace: namespace.clone(),
            operation_id: "o".into(),
            run_id: run_id.clone(),
        };
        let workflow =
            wire::link::Workflow { namespace, workflow_id: "w".into(), run_id, reason: "for ü & me".into() };
        let others = [Variant::Activity(activity), Variant::NexusOperation(operation), Variant::Workflow(workflow)];
        for link in [by_id(), event(by_request)].into_iter().chain(others.map(link)) {
            let url = Link::from_proto(&link).expect("it has a URL");
            assert_eq!(url.to_proto(), Some(link), "{url:?}");
        }
    }

    #[test]
    fn a_link_looks_as_temporals_other_sdks_write_it() {
        let link = Link::from_proto(&by_id()).expect("it has a URL");
        let url = "temporal:///namespaces/default/workflows/a%2Fb%20c%3F%C3%BC/run/history?\
                   eventID=5&eventType=NexusOperationScheduled&referenceType=EventReference";
        assert_eq!(link, Link::new(url, "temporal.api.common.v1.Link.WorkflowEvent"));
        let long = Link::new(url.replace("NexusOperationScheduled", "EVENT_TYPE_NEXUS_OPERATION_SCHEDULED"), link.kind);
        assert_eq!(long.to_proto(), Some(by_id()));
    }

    #[test]
    fn what_leads_to_no_part_of_temporal_is_left_out() {
        let bad = [
            "http://x/namespaces/n/workflows/w/r/history?eventType=TimerFired&referenceType=EventReference",
            "temporal:///namespaces/n/workflows/w/r/history",
            "temporal:///namespaces/n/workflows//r/history?eventType=TimerFired&referenceType=EventReference",
            "temporal:///namespaces/n/workflows/%2/r/history?eventType=TimerFired&referenceType=EventReference",
            "temporal:///namespaces/n/workflows/w/r/history?eventType=Nope&referenceType=EventReference",
            "temporal:///namespaces/n/workflows/w/r/history/more?eventType=TimerFired&referenceType=EventReference",
            "temporal:///namespaces/n",
            "",
        ];
        assert_eq!(Link::all_to_proto(&bad.map(|url| Link::new(url, WORKFLOW_EVENT))), []);
        assert_eq!(Link::from_proto(&wire::Link::default()), None);
    }
}
