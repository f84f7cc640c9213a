//! What the server knows of a workflow.

use std::{fmt, future::IntoFuture};

use stead_data::{BoxFuture, CodecError, ConversionError, DataConverter, PayloadMap};
use stead_proto::{
    common::v1::WorkflowExecution,
    enums::v1::WorkflowExecutionStatus as WireStatus,
    sdk::v1::UserMetadata,
    workflow::v1::{WorkflowExecutionConfig, WorkflowExecutionInfo},
    workflowservice::v1::{DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse},
};

use super::{Execution, WorkflowClock, execution::is_workflow_not_found, predicates, rpc_options};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
    payloads::{self, Owner},
};

/// A description to be asked for: awaiting it asks.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct DescribeWorkflow {
    client: Client,
    call: DescribeWorkflowCall,
}

/// The question on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DescribeWorkflowCall {
    /// Whom.
    pub execution: Execution,
    /// How the call is made.
    pub options: CallOptions,
}

/// The workflow could not be described.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// There is no workflow of this id.
    #[error("describe: workflow `{workflow_id}` does not exist")]
    NotFound {
        /// The workflow's id.
        workflow_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The codec refused the memo, the summary or the details.
    #[error("the workflow's memo, summary or details cannot be decoded")]
    Codec(#[from] CodecError),
    /// The call failed. It may be repeated.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(DescribeError);

/// Where a workflow is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorkflowStatus {
    /// It runs.
    Running,
    /// It runs, and gets no tasks until it is unpaused.
    Paused,
    /// It returned.
    Completed,
    /// It returned an error.
    Failed,
    /// It was cancelled, and agreed.
    Cancelled,
    /// It was terminated.
    Terminated,
    /// It continued as new, in another run.
    ContinuedAsNew,
    /// It did not complete in its time.
    TimedOut,
    /// The server says something that this version does not know.
    Unknown(i32),
}

/// A workflow, as the server sees it at the moment.
#[derive(Clone)]
pub struct WorkflowDescription {
    raw: DescribeWorkflowExecutionResponse,
    info: WorkflowExecutionInfo,
    user_metadata: UserMetadata,
    memo: PayloadMap,
    converter: DataConverter,
}

impl DescribeWorkflow {
    pub(super) fn new(client: Client, execution: Execution) -> Self {
        Self { client, call: DescribeWorkflowCall { execution, options: CallOptions::new() } }
    }

    rpc_options!();
}

impl IntoFuture for DescribeWorkflow {
    type Output = Result<WorkflowDescription, DescribeError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.client.perform(self.call).await })
    }
}

impl Operation for DescribeWorkflowCall {
    type Output = WorkflowDescription;
    type Error = DescribeError;

    async fn send(self, client: &Client) -> Result<WorkflowDescription, DescribeError> {
        let Self { execution, options } = self;
        let request = DescribeWorkflowExecutionRequest {
            namespace: client.namespace().to_owned(),
            execution: Some(execution.to_proto()),
        };
        match client.service().describe_workflow_execution(request, options).await {
            Ok(answer) => Ok(WorkflowDescription::new(client, answer).await?),
            Err(source) if is_workflow_not_found(&source) => {
                Err(DescribeError::NotFound { workflow_id: execution.workflow_id, source })
            }
            Err(error) => Err(DescribeError::Rpc(error)),
        }
    }
}

/// What is known of a workflow whether it was described or listed, for a struct with `info`, `memo` and `converter`.
macro_rules! workflow_info {
    () => {
        /// The workflow's id.
        pub fn id(&self) -> &str {
            self.info.execution.as_ref().map_or("", |execution| &execution.workflow_id)
        }

        /// The run.
        pub fn run_id(&self) -> &str {
            self.info.execution.as_ref().map_or("", |execution| &execution.run_id)
        }

        /// The first run of the chain of retries, cron runs and continuations; empty if the server does not say.
        pub fn first_run_id(&self) -> &str {
            &self.info.first_run_id
        }

        /// The workflow type.
        pub fn workflow_type(&self) -> &str {
            self.info.r#type.as_ref().map_or("", |workflow_type| &workflow_type.name)
        }

        /// The task queue that the workflow's workers poll.
        pub fn task_queue(&self) -> &str {
            &self.info.task_queue
        }

        /// Where it is in its life.
        pub fn status(&self) -> crate::WorkflowStatus {
            crate::WorkflowStatus::from_wire(self.info.status)
        }

        /// When the run was started.
        pub fn start_time(&self) -> Option<std::time::SystemTime> {
            self.info.start_time.as_ref().map(stead_data::time::time_from_proto)
        }

        /// When the run's first task was due: later than its start if it is delayed, by a cron schedule for example.
        pub fn execution_time(&self) -> Option<std::time::SystemTime> {
            self.info.execution_time.as_ref().map(stead_data::time::time_from_proto)
        }

        /// When the run closed, if it has.
        pub fn close_time(&self) -> Option<std::time::SystemTime> {
            self.info.close_time.as_ref().map(stead_data::time::time_from_proto)
        }

        /// The number of events in the history.
        pub fn history_length(&self) -> i64 {
            self.info.history_length
        }

        /// Id and run id of the workflow that this one is a child of.
        pub fn parent(&self) -> Option<(&str, &str)> {
            self.info.parent_execution.as_ref().map($crate::workflow::describe::ids)
        }

        /// Id and run id of the workflow at the top of the tree of parents and children.
        pub fn root(&self) -> Option<(&str, &str)> {
            self.info.root_execution.as_ref().map($crate::workflow::describe::ids)
        }

        /// The memo's value for a key; `None` if there is none.
        ///
        /// # Errors
        ///
        /// The value is not a `T`.
        pub fn memo<T: serde::de::DeserializeOwned>(
            &self,
            key: &str,
        ) -> Result<Option<T>, stead_data::ConversionError> {
            self.memo.get(key).map(|payload| self.converter.from_payload(payload)).transpose()
        }

        /// The keys of the memo.
        pub fn memo_keys(&self) -> impl Iterator<Item = &str> {
            self.memo.keys().map(String::as_str)
        }

        /// What the server finds the workflow by.
        pub fn search_attributes(&self) -> stead_data::SearchAttributes {
            let attributes = self.info.search_attributes.clone().unwrap_or_default();
            stead_data::SearchAttributes::from_payloads(attributes.indexed_fields)
        }
    };
}

pub(super) use workflow_info;

impl WorkflowDescription {
    async fn new(client: &Client, raw: DescribeWorkflowExecutionResponse) -> Result<Self, CodecError> {
        let info = raw.workflow_execution_info.clone().unwrap_or_default();
        let memo = info.memo.clone().unwrap_or_default().fields;
        let workflow_id = info.execution.as_ref().map_or("", |execution| &execution.workflow_id);
        let owner = Owner::workflow(client, workflow_id);
        let converter = owner.reader().into_owned();
        let memo = payloads::decode(&owner, memo).await?;
        let user_metadata = raw.execution_config.as_ref().and_then(user_metadata).unwrap_or_default();
        let user_metadata = payloads::decode(&owner, user_metadata).await?;
        Ok(Self { raw, info, user_metadata, memo, converter })
    }

    workflow_info!();

    /// The one-line summary that was given when the workflow was started.
    ///
    /// # Errors
    ///
    /// It is not text.
    pub fn static_summary(&self) -> Result<Option<String>, ConversionError> {
        self.user_metadata.summary.as_ref().map(|payload| self.converter.from_payload(payload)).transpose()
    }

    /// The details that were given when the workflow was started.
    ///
    /// # Errors
    ///
    /// They are not text.
    pub fn static_details(&self) -> Result<Option<String>, ConversionError> {
        self.user_metadata.details.as_ref().map(|payload| self.converter.from_payload(payload)).transpose()
    }

    /// The workflow's own clock, if time was skipped in it or may be.
    pub fn clock(&self) -> Option<WorkflowClock> {
        let extended = self.raw.workflow_extended_info.as_ref()?;
        extended.time_skipping_info.as_ref().map(WorkflowClock::from_proto)
    }

    /// All that the server said, payloads as they came.
    pub fn raw(&self) -> &DescribeWorkflowExecutionResponse {
        &self.raw
    }
}

fn user_metadata(config: &WorkflowExecutionConfig) -> Option<UserMetadata> {
    config.user_metadata.clone()
}

pub(super) fn ids(execution: &WorkflowExecution) -> (&str, &str) {
    (&execution.workflow_id, &execution.run_id)
}

// Written by hand: memo and raw answer hold users' data.
impl fmt::Debug for WorkflowDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkflowDescription")
            .field("id", &self.id())
            .field("run_id", &self.run_id())
            .field("workflow_type", &self.workflow_type())
            .field("status", &self.status())
            .field("history_length", &self.history_length())
            .finish_non_exhaustive()
    }
}

impl WorkflowStatus {
    pub(crate) fn from_wire(status: i32) -> Self {
        match WireStatus::try_from(status) {
            Ok(WireStatus::Running) => Self::Running,
            Ok(WireStatus::Paused) => Self::Paused,
            Ok(WireStatus::Completed) => Self::Completed,
            Ok(WireStatus::Failed) => Self::Failed,
            Ok(WireStatus::Canceled) => Self::Cancelled,
            Ok(WireStatus::Terminated) => Self::Terminated,
            Ok(WireStatus::ContinuedAsNew) => Self::ContinuedAsNew,
            Ok(WireStatus::TimedOut) => Self::TimedOut,
            Ok(WireStatus::Unspecified) | Err(_) => Self::Unknown(status),
        }
    }
}

impl fmt::Display for WorkflowStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Terminated => "terminated",
            Self::ContinuedAsNew => "continued as new",
            Self::TimedOut => "timed out",
            Self::Unknown(status) => return write!(f, "in the unknown state {status}"),
        })
    }
}
