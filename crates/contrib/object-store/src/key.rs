//! What an object is called: whose it is, and its hash.

use ring::digest::{SHA256, digest};
use stead::data::{SerializationContext, WorkflowContext};

/// Longer keys are not allowed.
const MAX_LENGTH: usize = 1024;

/// The key of a payload of this hash. Activities of a workflow store with their workflow.
pub(crate) fn key(context: &SerializationContext, hash: &str) -> String {
    let hash = format!("d/sha256/{hash}");
    let (namespace, owner) = match context {
        SerializationContext::Workflow(workflow) => (&workflow.namespace, of_workflow(workflow)),
        SerializationContext::Activity(activity) => match &activity.workflow {
            Some(workflow) => (&workflow.namespace, of_workflow(workflow)),
            None => {
                let (kind, run) = (segment(activity.activity_type.as_deref()), segment(activity.run_id.as_deref()));
                let id = segment(Some(&activity.activity_id));
                (&activity.namespace, format!("at/{kind}/ai/{id}/ri/{run}"))
            }
        },
        _ => return format!("v0/{hash}"),
    };
    let namespace = segment(Some(namespace));
    let key = format!("v0/ns/{namespace}/{owner}/{hash}");
    // The namespace stays, as access to a bucket may be granted by it.
    if key.len() > MAX_LENGTH { format!("v0/ns/{namespace}/{hash}") } else { key }
}

fn of_workflow(workflow: &WorkflowContext) -> String {
    let (kind, run) = (segment(workflow.workflow_type.as_deref()), segment(workflow.run_id.as_deref()));
    format!("wt/{kind}/wi/{}/ri/{run}", segment(Some(&workflow.workflow_id)))
}

/// What is not known is `null`; what S3 calls unsafe is written as `%XX`.
fn segment(text: Option<&str>) -> String {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return "null".to_owned() };
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => segment.push(char::from(byte)),
            b'!' | b'-' | b'_' | b'.' | b'*' | b'\'' | b'(' | b')' => segment.push(char::from(byte)),
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use stead::data::ActivityContext;

    use super::*;

    fn workflow() -> WorkflowContext {
        let mut workflow = WorkflowContext::new("shop", "order/ä 1");
        workflow.workflow_type = Some("Order".to_owned());
        workflow
    }

    #[test]
    fn keys_name_the_owner_and_the_hash() {
        let of_workflow = "v0/ns/shop/wt/Order/wi/order%2F%C3%A4%201/ri/null/d/sha256/ff";
        assert_eq!(key(&workflow().into(), "ff"), of_workflow);
        let mut activity = ActivityContext::new("shop", "a1");
        activity.workflow = Some(workflow());
        assert_eq!(key(&activity.clone().into(), "ff"), of_workflow);
        (activity.workflow, activity.run_id) = (None, Some("r1".to_owned()));
        assert_eq!(key(&activity.into(), "ff"), "v0/ns/shop/at/null/ai/a1/ri/r1/d/sha256/ff");
        assert_eq!(key(&SerializationContext::Unknown, "ff"), "v0/d/sha256/ff");
    }

    #[test]
    fn keys_that_are_too_long_keep_the_namespace() {
        let long = WorkflowContext::new("shop", "x".repeat(2000));
        assert_eq!(key(&long.into(), "ff"), "v0/ns/shop/d/sha256/ff");
    }

    #[test]
    fn hashes_are_written_in_small_letters() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
