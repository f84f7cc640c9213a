//! What an object is called: whose it is, and its hash.

use std::fmt::Write;

use ring::digest::{SHA256, digest};
use stead::data::{SerializationContext, WorkflowContext};

/// Longer keys are not allowed.
const MAX_LENGTH: usize = 1024;

/// Which characters of a name are written as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    /// Those that S3 calls safe.
    S3,
    /// Those that the tools of Google Cloud Storage give no meaning of their own.
    Gcs,
}

/// The key of a payload of this hash. Activities of a workflow store with their workflow.
pub(crate) fn key(plain: Plain, context: &SerializationContext, hash: &str) -> String {
    let segment = |text: Option<&str>| plain.segment(text);
    let of_workflow = |workflow: &WorkflowContext| {
        let (kind, run) = (segment(workflow.workflow_type.as_deref()), segment(workflow.run_id.as_deref()));
        format!("wt/{kind}/wi/{}/ri/{run}", segment(Some(&workflow.workflow_id)))
    };
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

impl Plain {
    /// What is not known is `null`; the bytes of what is not plain are written as `%XX`.
    fn segment(self, text: Option<&str>) -> String {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return "null".to_owned() };
        // Paths of URLs lose these on the way.
        if matches!(text, "." | "..") {
            return text.replace('.', "%2E");
        }
        let mut segment = String::with_capacity(text.len());
        for character in text.chars() {
            if self.contains(character) {
                segment.push(character);
                continue;
            }
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string does not fail.
                let _ = write!(segment, "%{byte:02X}");
            }
        }
        segment
    }

    fn contains(self, character: char) -> bool {
        match self {
            Self::S3 => character.is_ascii_alphanumeric() || "!-_.*'()".contains(character),
            Self::Gcs => !character.is_control() && !"#[]*?:\"<>|/%".contains(character),
        }
    }
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
        assert_eq!(key(Plain::S3, &workflow().into(), "ff"), of_workflow);
        let mut activity = ActivityContext::new("shop", "a1");
        activity.workflow = Some(workflow());
        assert_eq!(key(Plain::S3, &activity.clone().into(), "ff"), of_workflow);
        (activity.workflow, activity.run_id) = (None, Some("r1".to_owned()));
        assert_eq!(key(Plain::S3, &activity.into(), "ff"), "v0/ns/shop/at/null/ai/a1/ri/r1/d/sha256/ff");
        assert_eq!(key(Plain::S3, &SerializationContext::Unknown, "ff"), "v0/d/sha256/ff");
    }

    #[test]
    fn google_cloud_storage_keeps_what_can_be_read() {
        let mut workflow = workflow();
        workflow.run_id = Some("..".to_owned());
        let expected = "v0/ns/shop/wt/Order/wi/order%2Fä 1/ri/%2E%2E/d/sha256/ff";
        assert_eq!(key(Plain::Gcs, &workflow.clone().into(), "ff"), expected);
        workflow.workflow_id = "a*b:c\u{85}%(d)".to_owned();
        let expected = "v0/ns/shop/wt/Order/wi/a%2Ab%3Ac%C2%85%25(d)/ri/%2E%2E/d/sha256/ff";
        assert_eq!(key(Plain::Gcs, &workflow.into(), "ff"), expected);
    }

    #[test]
    fn keys_that_are_too_long_keep_the_namespace() {
        let long = WorkflowContext::new("shop", "x".repeat(2000));
        assert_eq!(key(Plain::S3, &long.into(), "ff"), "v0/ns/shop/d/sha256/ff");
    }

    #[test]
    fn hashes_are_written_in_small_letters() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
