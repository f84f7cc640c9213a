//! Which links may be attached to something. (`common/links` of Temporal's server.)

use prost::Message;
use stead_proto::common::v1::{Link, link};

use super::Refusal;

/// Refuses links that lead nowhere, and too many of them.
pub(super) fn check_links<'a>(mut links: impl Iterator<Item = &'a Link> + Clone) -> Result<(), Refusal> {
    let count = links.clone().count();
    if count > MAX_LINKS {
        let message = format!("cannot attach more than {MAX_LINKS} links per request, got {count}");
        return Err(Refusal::invalid(message));
    }
    links.try_for_each(check_link)
}

fn check_link(link: &Link) -> Result<(), Refusal> {
    let size = link.encoded_len();
    if size > MAX_LINK_SIZE {
        return Err(Refusal::invalid(format!("link exceeds allowed size of {MAX_LINK_SIZE}, got {size}")));
    }
    let (kind, fields) = match &link.variant {
        Some(link::Variant::WorkflowEvent(event)) => (
            "workflow event",
            vec![
                ("namespace field", &event.namespace),
                ("workflow ID field", &event.workflow_id),
                ("run ID field", &event.run_id),
            ],
        ),
        Some(link::Variant::BatchJob(job)) => ("batch job", vec![("job ID", &job.job_id)]),
        Some(link::Variant::Activity(activity)) => (
            "activity",
            vec![
                ("namespace field", &activity.namespace),
                ("activity ID field", &activity.activity_id),
                ("run ID field", &activity.run_id),
            ],
        ),
        Some(link::Variant::NexusOperation(operation)) => (
            "nexus operation",
            vec![
                ("namespace field", &operation.namespace),
                ("operation ID field", &operation.operation_id),
                ("run ID field", &operation.run_id),
            ],
        ),
        _ => return Err(Refusal::invalid("unsupported link variant")),
    };
    match fields.iter().find(|(_, value)| value.is_empty()) {
        Some((field, _)) => Err(Refusal::invalid(format!("{kind} link must not have an empty {field}"))),
        None => Ok(()),
    }
}

/// `frontend.maxlinksPerRequest` of Temporal's server.
const MAX_LINKS: usize = 10;
/// `frontend.linkMaxSize` of Temporal's server.
const MAX_LINK_SIZE: usize = 4_000;
