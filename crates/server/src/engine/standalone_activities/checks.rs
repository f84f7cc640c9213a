//! What the calls about activities without a workflow check alike. (`chasm/lib/activity/validator.go` of Temporal's
//! server.)

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
