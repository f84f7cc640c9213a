//! Tokens that callers give back: of tasks, and of pages.

use bytes::Bytes;
use prost::Message;

use super::Refusal;

/// What a worker gives back with the answer of a task. Callers see bytes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TaskToken {
    /// Key of the run, or of an activity without one.
    #[prost(uint64, tag = "1")]
    pub(crate) key: u64,
    #[prost(int64, tag = "2")]
    pub(crate) scheduled_event_id: i64,
    #[prost(int64, tag = "3")]
    pub(crate) started_event_id: i64,
    #[prost(int32, tag = "4")]
    pub(crate) attempt: i32,
    /// Tells the task from others of the same run or activity.
    #[prost(uint64, tag = "5")]
    pub(crate) stamp: u64,
    #[prost(int64, tag = "6")]
    pub(crate) started_at: i64,
    #[prost(uint32, tag = "7")]
    pub(crate) kind: u32,
    #[prost(string, tag = "8")]
    pub(crate) id: String,
}

/// What a token is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum TokenKind {
    WorkflowTask = 1,
    ActivityTask = 2,
    Query = 3,
    NexusTask = 4,
    /// Of an activity without a workflow.
    StandaloneActivityTask = 5,
}

impl TaskToken {
    pub(crate) fn bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Refusal> {
        let invalid = || Refusal::invalid("Error deserializing task token.");
        if bytes.is_empty() {
            return Err(Refusal::invalid("Task token not set on request."));
        }
        Self::decode(bytes.clone()).map_err(|_| invalid())
    }

    pub(crate) fn is(&self, kind: TokenKind) -> bool {
        self.kind == kind as u32
    }
}

/// Where the next page of a history begins.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HistoryToken {
    #[prost(string, tag = "1")]
    pub(crate) run_id: String,
    #[prost(int64, tag = "2")]
    pub(crate) next_event_id: i64,
    /// The event before which the last page ends; 0: as far as there are events.
    #[prost(int64, tag = "3")]
    pub(crate) end_event_id: i64,
    /// Stamp of the workflow task whose unwritten events end the last page.
    #[prost(uint64, tag = "4")]
    pub(crate) stamp: u64,
}

impl HistoryToken {
    pub(crate) fn bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Refusal> {
        Self::decode(bytes.clone()).map_err(|_| Refusal::invalid("Invalid NextPageToken."))
    }
}
