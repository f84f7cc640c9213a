//! What the server knows of a batch.

use std::{future::IntoFuture, time::Duration};

use stead_data::BoxFuture;
use stead_proto::{
    enums::v1::{BatchOperationState, BatchOperationType},
    workflowservice::v1::{DescribeBatchOperationRequest, DescribeBatchOperationResponse},
};

use super::BatchError;
use crate::{
    client::Client,
    connection::{CallOptions, Metadata},
};

/// What a description and an entry of a list know alike, of their field `raw`.
macro_rules! batch_info {
    () => {
        /// The batch's id.
        pub fn id(&self) -> &str {
            &self.raw.job_id
        }

        /// What it does.
        pub fn kind(&self) -> crate::BatchKind {
            crate::BatchKind::from_wire(self.raw.operation_type())
        }

        /// Where it is.
        pub fn state(&self) -> crate::BatchState {
            crate::BatchState::from_wire(self.raw.state())
        }

        /// When it was started.
        pub fn started_at(&self) -> Option<std::time::SystemTime> {
            self.raw.start_time.as_ref().map(stead_data::time::time_from_proto)
        }

        /// When it ended; `None` while it runs.
        pub fn closed_at(&self) -> Option<std::time::SystemTime> {
            self.raw.close_time.as_ref().map(stead_data::time::time_from_proto)
        }
    };
}

pub(super) use batch_info;

/// A description to be asked for: awaiting it asks.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct DescribeBatch {
    client: Client,
    id: String,
    options: CallOptions,
}

impl DescribeBatch {
    pub(super) fn new(client: Client, id: String) -> Self {
        Self { client, id, options: CallOptions::new() }
    }

    /// The deadline of the call to the server, retries included. Default: see [`CallOptions`].
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Headers of the call to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }

    async fn send(self) -> Result<BatchDescription, BatchError> {
        let Self { client, id, options } = self;
        let request = DescribeBatchOperationRequest { namespace: client.namespace().to_owned(), job_id: id.clone() };
        let described = client.service().describe_batch_operation(request, options).await;
        described.map(|raw| BatchDescription { raw }).map_err(|error| BatchError::of_call(id, error))
    }
}

impl IntoFuture for DescribeBatch {
    type Output = Result<BatchDescription, BatchError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// What the server knows of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchDescription {
    raw: DescribeBatchOperationResponse,
}

impl BatchDescription {
    batch_info!();

    /// How many executions it is about: an estimate while it runs, and 0 before it has counted them and after it failed
    /// or was stopped.
    pub fn total(&self) -> u64 {
        unsigned(self.raw.total_operation_count)
    }

    /// How many it has seen to, well. Servers count by pages of a thousand.
    pub fn completed(&self) -> u64 {
        unsigned(self.raw.complete_operation_count)
    }

    /// How many it could not see to.
    pub fn failed(&self) -> u64 {
        unsigned(self.raw.failure_operation_count)
    }

    /// Who started it.
    pub fn identity(&self) -> &str {
        &self.raw.identity
    }

    /// Why it was started.
    pub fn reason(&self) -> &str {
        &self.raw.reason
    }

    /// The query that finds what it is about; empty for a list.
    pub fn query(&self) -> &str {
        &self.raw.query
    }

    /// All that the server said.
    pub fn raw(&self) -> &DescribeBatchOperationResponse {
        &self.raw
    }
}

/// Where a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchState {
    /// It is under way.
    Running,
    /// It has seen to everything, well or not.
    Completed,
    /// It was stopped, or cannot go on, for its query asks for what there is not.
    Failed,
    /// What this version does not know.
    Unknown,
}

/// What a batch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchKind {
    /// Terminates workflows.
    Terminate,
    /// Asks workflows to cancel themselves.
    Cancel,
    /// Signals workflows.
    Signal,
    /// Deletes workflows.
    Delete,
    /// Resets workflows.
    Reset,
    /// Changes options of workflows.
    UpdateOptions,
    /// Lets paused activities of workflows go on.
    UnpauseActivities,
    /// Changes options of activities of workflows.
    UpdateActivityOptions,
    /// Begins activities of workflows anew.
    ResetActivities,
    /// Terminates activities that no workflow started.
    TerminateActivities,
    /// Asks activities that no workflow started to cancel themselves.
    CancelActivities,
    /// Deletes activities that no workflow started.
    DeleteActivities,
    /// What this version does not know, or a server does not tell.
    Unknown,
}

impl BatchState {
    pub(super) fn from_wire(state: BatchOperationState) -> Self {
        match state {
            BatchOperationState::Running => Self::Running,
            BatchOperationState::Completed => Self::Completed,
            BatchOperationState::Failed => Self::Failed,
            BatchOperationState::Unspecified => Self::Unknown,
        }
    }
}

impl BatchKind {
    #[expect(deprecated, reason = "older servers have other numbers for the same")]
    pub(super) fn from_wire(kind: BatchOperationType) -> Self {
        use BatchOperationType as Type;
        match kind {
            Type::Terminate | Type::TerminateWorkflow => Self::Terminate,
            Type::Cancel | Type::CancelWorkflow => Self::Cancel,
            Type::Signal | Type::SignalWorkflow => Self::Signal,
            Type::Delete | Type::DeleteWorkflow => Self::Delete,
            Type::Reset | Type::ResetWorkflow => Self::Reset,
            Type::UpdateExecutionOptions | Type::UpdateWorkflowExecutionOptions => Self::UpdateOptions,
            Type::UnpauseActivity => Self::UnpauseActivities,
            Type::UpdateActivityOptions => Self::UpdateActivityOptions,
            Type::ResetActivity => Self::ResetActivities,
            Type::TerminateActivity => Self::TerminateActivities,
            Type::CancelActivity => Self::CancelActivities,
            Type::DeleteActivity => Self::DeleteActivities,
            Type::Unspecified => Self::Unknown,
        }
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
