//! Histories, and with the feature `json` the JSON that the Temporal CLI and web UI export.

use stead_proto::history::v1 as wire;
use stead_proto::history::v1::history_event::Attributes;
#[cfg(feature = "json")]
use stead_proto::json::{JsonError, history_from_json, history_to_json};

/// The events of one workflow run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History(pub wire::History);

impl History {
    /// Reads JSON in any of the forms that Temporal's tools export.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, or not a history.
    #[cfg(feature = "json")]
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        history_from_json(text).map(Self)
    }

    /// Writes JSON in the form that the Temporal CLI exports.
    ///
    /// # Errors
    ///
    /// When an event cannot be written as JSON.
    #[cfg(feature = "json")]
    pub fn to_json(&self) -> Result<String, JsonError> {
        history_to_json(&self.0)
    }

    /// The id of the workflow, if its first event says it: servers before 1.24 did not.
    #[must_use]
    pub fn workflow_id(&self) -> Option<&str> {
        self.started().map(|started| started.workflow_id.as_str()).filter(|id| !id.is_empty())
    }

    /// The type of the workflow.
    #[must_use]
    pub fn workflow_type(&self) -> Option<&str> {
        self.started()?.workflow_type.as_ref().map(|workflow_type| workflow_type.name.as_str())
    }

    /// The id of the run that the history began with. It stays the same when a workflow is reset.
    #[must_use]
    pub fn run_id(&self) -> Option<&str> {
        self.started().map(|started| started.original_execution_run_id.as_str()).filter(|id| !id.is_empty())
    }

    fn started(&self) -> Option<&wire::WorkflowExecutionStartedEventAttributes> {
        match self.0.events.first()?.attributes.as_ref()? {
            Attributes::WorkflowExecutionStartedEventAttributes(started) => Some(started),
            _ => None,
        }
    }
}
