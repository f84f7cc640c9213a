//! Waiting for a workflow's result.

use std::{fmt, future::IntoFuture, marker::PhantomData, time::Duration};

use serde::de::DeserializeOwned;
use stead_data::{BoxFuture, CodecError, ConversionError, Failure};
use stead_proto::{
    common::v1::Payloads,
    enums::v1::TimeoutType,
    failure::v1::{
        CanceledFailureInfo, Failure as WireFailure, TerminatedFailureInfo, TimeoutFailureInfo, failure::FailureInfo,
    },
    history::v1::{HistoryEvent, history_event::Attributes},
};
use tokio::time::{Instant, sleep_until};

use super::{execution::is_workflow_not_found, history::Pages, predicates};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata, RpcError},
    payloads::{self, Owner},
};

/// A result to be waited for: awaiting it waits until the workflow has closed, however long that takes.
///
/// # Cancel safety
///
/// Dropping the future leaves the workflow alone; the result can be asked for again.
#[must_use = "nothing happens until it is awaited"]
pub struct WorkflowResult<O> {
    client: Client,
    workflow_id: String,
    run_id: Option<String>,
    follow_runs: bool,
    options: CallOptions,
    output: PhantomData<fn() -> O>,
}

/// A workflow did not complete, or its result is not known.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// The workflow failed. [`application`](Self::application) gives its own error back.
    #[error("workflow `{workflow_id}` failed")]
    Failed {
        /// The workflow's id.
        workflow_id: String,
        /// Why.
        #[source]
        failure: Box<Failure>,
    },
    /// The workflow was cancelled.
    #[error("workflow `{workflow_id}` was cancelled")]
    Cancelled {
        /// The workflow's id.
        workflow_id: String,
        /// The cancellation, with its details.
        #[source]
        failure: Box<Failure>,
    },
    /// The workflow was terminated.
    #[error("workflow `{workflow_id}` was terminated")]
    Terminated {
        /// The workflow's id.
        workflow_id: String,
        /// The reason that was given.
        #[source]
        failure: Box<Failure>,
    },
    /// The workflow did not complete within the time that it was given when it was started.
    #[error("workflow `{workflow_id}` timed out")]
    TimedOut {
        /// The workflow's id.
        workflow_id: String,
        /// The timeout.
        #[source]
        failure: Box<Failure>,
    },
    /// The run continued as new, and runs are not followed: ask that run.
    #[error("workflow `{workflow_id}` continued as new, in run `{new_run_id}`")]
    ContinuedAsNew {
        /// The workflow's id.
        workflow_id: String,
        /// The run that continues it.
        new_run_id: String,
    },
    /// There is no workflow of this id, or its history was deleted.
    #[error("workflow `{workflow_id}` does not exist")]
    NotFound {
        /// The workflow's id.
        workflow_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The last event that the server gave does not close a workflow.
    #[error("workflow `{workflow_id}`: event {event_id} was to close it, but does not")]
    UnexpectedEvent {
        /// The workflow's id.
        workflow_id: String,
        /// The event's id.
        event_id: i64,
    },
    /// The workflow completed, and its result is not of the type that is wanted.
    #[error("the workflow's result cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused the result or the failure.
    #[error("the workflow's result cannot be decoded")]
    Codec(#[from] CodecError),
    /// The call failed, and nothing is known of the workflow. Ask again.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(
    ResultError,
    Self::Failed { failure, .. }
    | Self::Cancelled { failure, .. }
    | Self::Terminated { failure, .. }
    | Self::TimedOut { failure, .. } => Some(failure)
);

impl<O> WorkflowResult<O> {
    pub(super) fn new(client: Client, workflow_id: String, run_id: Option<String>) -> Self {
        Self { client, workflow_id, run_id, follow_runs: true, options: CallOptions::wait(), output: PhantomData }
    }

    /// Whether the runs that a retry, a cron schedule or a continuation starts are followed to the last. Default: yes;
    /// else the result is that of the one run, and [`ResultError::ContinuedAsNew`] if it has none.
    pub fn follow_runs(mut self, follow: bool) -> Self {
        self.follow_runs = follow;
        self
    }

    /// Headers of the calls to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }

    /// The deadline of each call to the server, retries included; there are as many calls as it takes, as a server ends
    /// those that have no news, shortly before their deadline and after 20 s. For a limit on the whole wait, drop the
    /// future: `tokio::time::timeout`. Default: 70 s.
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }
}

impl<O: DeserializeOwned> WorkflowResult<O> {
    async fn wait(mut self) -> Result<O, ResultError> {
        loop {
            match close(self.close_event().await?, self.follow_runs) {
                Close::Completed(result) => {
                    let owner = Owner::workflow(&self.client, &self.workflow_id);
                    let payload = payloads::decode_result(&owner, result).await?;
                    return Ok(owner.reader().from_result(payload.as_ref())?);
                }
                Close::Next(run_id) => self.run_id = Some(run_id),
                Close::ContinuedAsNew(new_run_id) => {
                    return Err(ResultError::ContinuedAsNew { workflow_id: self.workflow_id, new_run_id });
                }
                Close::Failed(kind, failure) => {
                    let owner = Owner::workflow(&self.client, &self.workflow_id);
                    let failure = payloads::decode_failure(&owner, *failure).await?;
                    return Err(kind.error(self.workflow_id, failure));
                }
                Close::Unexpected(event_id) => {
                    return Err(ResultError::UnexpectedEvent { workflow_id: self.workflow_id, event_id });
                }
            }
        }
    }

    async fn close_event(&self) -> Result<HistoryEvent, ResultError> {
        let mut pages = Pages::new(&self.workflow_id, self.run_id.as_deref());
        pages.call.wait_for_new_events = true;
        pages.call.skip_archival = true;
        pages.call.close_event_only = true;
        pages.call.options = self.options.clone();
        loop {
            let soonest = Instant::now() + MIN_INTERVAL;
            match pages.next(&self.client).await {
                Ok(events) => match events.into_iter().last() {
                    Some(event) => return Ok(event),
                    None => {
                        pages.start_over_if_done();
                        sleep_until(soonest).await;
                    }
                },
                Err(source) if is_workflow_not_found(&source) => {
                    return Err(ResultError::NotFound { workflow_id: self.workflow_id.clone(), source });
                }
                Err(error) => return Err(ResultError::Rpc(error)),
            }
        }
    }
}

impl<O: DeserializeOwned + 'static> IntoFuture for WorkflowResult<O> {
    type Output = Result<O, ResultError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.wait())
    }
}

impl<O> fmt::Debug for WorkflowResult<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkflowResult")
            .field("workflow_id", &self.workflow_id)
            .field("run_id", &self.run_id)
            .field("follow_runs", &self.follow_runs)
            .finish_non_exhaustive()
    }
}

/// What a run's last event means for its result.
#[derive(Debug, PartialEq)]
enum Close {
    Completed(Option<Payloads>),
    Failed(FailedKind, Box<WireFailure>),
    Next(String),
    ContinuedAsNew(String),
    Unexpected(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailedKind {
    Failed,
    Cancelled,
    Terminated,
    TimedOut,
}

impl FailedKind {
    fn error(self, workflow_id: String, failure: Box<Failure>) -> ResultError {
        match self {
            Self::Failed => ResultError::Failed { workflow_id, failure },
            Self::Cancelled => ResultError::Cancelled { workflow_id, failure },
            Self::Terminated => ResultError::Terminated { workflow_id, failure },
            Self::TimedOut => ResultError::TimedOut { workflow_id, failure },
        }
    }
}

/// From one question to the next, if the server has no news and does not wait for any.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

fn close(event: HistoryEvent, follow_runs: bool) -> Close {
    let next = |run_id: &str| (follow_runs && !run_id.is_empty()).then(|| Close::Next(run_id.to_owned()));
    match event.attributes {
        Some(Attributes::WorkflowExecutionCompletedEventAttributes(completed)) => {
            next(&completed.new_execution_run_id).unwrap_or(Close::Completed(completed.result))
        }
        Some(Attributes::WorkflowExecutionFailedEventAttributes(failed)) => next(&failed.new_execution_run_id)
            .unwrap_or_else(|| Close::Failed(FailedKind::Failed, Box::new(failed.failure.unwrap_or_default()))),
        Some(Attributes::WorkflowExecutionTimedOutEventAttributes(timed_out)) => {
            next(&timed_out.new_execution_run_id).unwrap_or_else(|| Close::Failed(FailedKind::TimedOut, timeout()))
        }
        Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(continued)) => {
            let run_id = continued.new_execution_run_id;
            next(&run_id).unwrap_or(Close::ContinuedAsNew(run_id))
        }
        Some(Attributes::WorkflowExecutionCanceledEventAttributes(cancelled)) => {
            Close::Failed(FailedKind::Cancelled, cancellation(cancelled.details))
        }
        Some(Attributes::WorkflowExecutionTerminatedEventAttributes(terminated)) => {
            Close::Failed(FailedKind::Terminated, termination(terminated.reason))
        }
        _ => Close::Unexpected(event.event_id),
    }
}

fn timeout() -> Box<WireFailure> {
    let timeout_type = TimeoutType::StartToClose.into();
    failure(
        "Workflow timed out",
        FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo { timeout_type, ..Default::default() }),
    )
}

fn cancellation(details: Option<Payloads>) -> Box<WireFailure> {
    failure(
        "Workflow cancelled",
        FailureInfo::CanceledFailureInfo(CanceledFailureInfo { details, ..Default::default() }),
    )
}

fn termination(reason: String) -> Box<WireFailure> {
    let message = if reason.is_empty() { "Workflow terminated" } else { &reason };
    failure(message, FailureInfo::TerminatedFailureInfo(TerminatedFailureInfo::default()))
}

fn failure(message: &str, info: FailureInfo) -> Box<WireFailure> {
    Box::new(WireFailure { message: message.to_owned(), failure_info: Some(info), ..Default::default() })
}
