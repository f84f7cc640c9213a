//! What the calls about activities without a workflow check alike. (`chasm/lib/activity/validator.go` of Temporal's
//! server.)

use stead_proto::common::v1::{Link, link};
use uuid::Uuid;

use crate::engine::{Engine, Refusal};

/// The texts of a call that are not ids.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Texts<'a> {
    pub(super) identity: &'a str,
    pub(super) reason: &'a str,
}

impl Engine {
    pub(super) fn check_activity(&self, id: &str, run_id: &str, texts: Texts<'_>) -> Result<(), Refusal> {
        if id.is_empty() {
            return Err(Refusal::invalid("activity ID is required"));
        }
        self.check_activity_text("activity ID", id)?;
        self.check_activity_text("identity", texts.identity)?;
        if !run_id.is_empty() && Uuid::try_parse(run_id).is_err() {
            return Err(Refusal::invalid("invalid run id: must be a valid UUID"));
        }
        if texts.reason.len() > self.config.limits.blob {
            return Err(Refusal::invalid("reason exceeds length limit"));
        }
        Ok(())
    }

    pub(super) fn check_activity_text(&self, field: &str, text: &str) -> Result<(), Refusal> {
        let (length, limit) = (text.len(), self.config.limits.id_length);
        if length > limit {
            return Err(Refusal::invalid(format!("{field} exceeds length limit. Length={length} Limit={limit}")));
        }
        Ok(())
    }

    /// A request without an id gets one, so that it is told from others.
    pub(super) fn complete_activity_request_id(&mut self, request_id: &mut String) -> Result<(), Refusal> {
        if request_id.is_empty() {
            *request_id = self.ids.uuid().to_string();
        }
        self.check_activity_text("request ID", request_id)
    }
}

pub(super) fn check_duration(field: &str, duration: Option<&prost_types::Duration>) -> Result<(), Refusal> {
    if duration.is_some_and(|duration| duration.seconds < 0 || duration.nanos < 0) {
        return Err(Refusal::invalid(format!("invalid {field}: negative duration")));
    }
    Ok(())
}

/// Refuses links that lead nowhere, and too many of them. (`common/links` of Temporal's server.)
pub(super) fn check_links(links: &[Link]) -> Result<(), Refusal> {
    if links.len() > MAX_LINKS {
        let message = format!("cannot attach more than {MAX_LINKS} links per request, got {}", links.len());
        return Err(Refusal::invalid(message));
    }
    links.iter().try_for_each(check_link)
}

fn check_link(link: &Link) -> Result<(), Refusal> {
    use prost::Message;
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
