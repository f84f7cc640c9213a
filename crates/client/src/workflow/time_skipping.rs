//! Workflows that skip the time in which they only wait, each on a clock of its own.

use std::future::IntoFuture;
use std::time::{Duration, SystemTime};

use stead_data::BoxFuture;
use stead_data::time::{duration_to_proto, time_from_proto};
use stead_proto::common::v1::{FastForwardConfig, TimeSkippingConfig, TimeSkippingInfo};
use stead_proto::enums::v1::FastForwardPollingResult as Polled;
use stead_proto::workflow::v1::WorkflowExecutionOptions;
use stead_proto::workflowservice::v1::{
    PollWorkflowExecutionTimeSkippingRequest, UpdateWorkflowExecutionOptionsRequest,
};

use super::execution::{is_workflow_not_found, request_id};
use super::{Execution, predicates};
use crate::client::Client;
use crate::connection::{CallOptions, RpcError};
use crate::interceptor::Operation;

/// How a workflow skips the time in which it only waits: its clock jumps to its next timer, retry or timeout as soon as
/// nothing else can happen in it. The clocks of other workflows stay as they are.
///
/// A server must have it turned on: this crate's own has, Temporal's from 1.32 on with
/// `frontend.WorkflowTimeSkippingEnabled`.
///
/// ```no_run
/// # async fn example(client: stead_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use stead_client::TimeSkipping;
/// let reminder = client
///     .start_workflow_named("Reminder", ())
///     .id("reminder-1")
///     .task_queue("reminders")
///     .time_skipping(TimeSkipping::on())
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSkipping {
    enabled: bool,
    shared: bool,
    at_most: Option<u32>,
}

impl TimeSkipping {
    /// Time is skipped.
    #[must_use]
    pub fn on() -> Self {
        Self { enabled: true, shared: true, at_most: None }
    }

    /// Time goes on at its own pace. What was skipped before stays skipped.
    #[must_use]
    pub fn off() -> Self {
        Self { enabled: false, ..Self::on() }
    }

    /// Children that the workflow starts do not skip time; their clocks begin where its own is. Default: they skip, too.
    #[must_use]
    pub fn not_for_children(mut self) -> Self {
        self.shared = false;
        self
    }

    /// How often time is skipped; then it goes on at its own pace. 0 leaves it to the server. Default: the server's
    /// choice, 200 on Temporal's.
    #[must_use]
    pub fn at_most(mut self, skips: u32) -> Self {
        self.at_most = Some(skips);
        self
    }

    pub(super) fn into_proto(self) -> TimeSkippingConfig {
        TimeSkippingConfig {
            enabled: self.enabled,
            fast_forward_config: None,
            disable_propagation: !self.shared,
            max_session_skip_count: self.at_most.map_or(0, |skips| i32::try_from(skips).unwrap_or(i32::MAX)),
        }
    }
}

/// A workflow's own clock, as a description tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkflowClock {
    /// What time it is for the workflow.
    pub now: Option<SystemTime>,
    /// Whether it skips time.
    pub skips: bool,
}

impl WorkflowClock {
    pub(super) fn from_proto(info: &TimeSkippingInfo) -> Self {
        Self {
            now: info.current_time.as_ref().map(time_from_proto),
            skips: info.effective_config.as_ref().is_some_and(|config| config.enabled),
        }
    }
}

/// A change of a workflow's time skipping on its way to the server, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SetTimeSkippingCall {
    /// Which workflow.
    pub execution: Execution,
    /// How it is to skip time from now on.
    pub skipping: TimeSkipping,
    /// How much time it skips, after which its time goes on at its own pace. The call ends when it has got there. `None` for
    /// as long as it runs.
    pub fast_forward: Option<Duration>,
    /// How the calls to the server are made; each wait for the workflow to get there is longer.
    pub options: CallOptions,
}

/// Time skipping of a workflow that is to be turned on or off: awaiting it does.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct SetTimeSkipping {
    client: Client,
    call: SetTimeSkippingCall,
}

/// Time that a workflow is to skip: awaiting it waits until the workflow has got there.
///
/// # Cancel safety
///
/// Dropping the future does not stop the workflow from skipping.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct FastForward(SetTimeSkipping);

/// A workflow did not skip time.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TimeSkippingError {
    /// There is no workflow of this id, or it has closed.
    #[error("time skipping: workflow `{workflow_id}` does not exist or has closed")]
    NotFound {
        /// The workflow's id.
        workflow_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The workflow will not get there: it has ended, or somebody has set its time skipping anew.
    #[error("time skipping: workflow `{workflow_id}` was not fast-forwarded to the end: {reason}")]
    Ended {
        /// The workflow's id.
        workflow_id: String,
        /// What the server said.
        reason: String,
    },
    /// The call failed. It may be repeated.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(TimeSkippingError);

impl SetTimeSkipping {
    pub(super) fn new(client: Client, execution: Execution, skipping: TimeSkipping) -> Self {
        let options = CallOptions::new();
        Self { client, call: SetTimeSkippingCall { execution, skipping, fast_forward: None, options } }
    }
}

impl IntoFuture for SetTimeSkipping {
    type Output = Result<(), TimeSkippingError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.client.perform(self.call).await })
    }
}

impl FastForward {
    pub(super) fn new(client: Client, execution: Execution, by: Duration) -> Self {
        let mut set = SetTimeSkipping::new(client, execution, TimeSkipping::on());
        set.call.fast_forward = Some(by);
        Self(set)
    }
}

impl IntoFuture for FastForward {
    type Output = Result<(), TimeSkippingError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.0.into_future()
    }
}

impl Operation for SetTimeSkippingCall {
    type Output = ();
    type Error = TimeSkippingError;

    async fn send(self, client: &Client) -> Result<(), TimeSkippingError> {
        let Self { execution, skipping, fast_forward, options } = self;
        let fast_forward = fast_forward.map(|by| (request_id(), by));
        let mut config = skipping.into_proto();
        config.fast_forward_config =
            fast_forward.clone().map(|(id, by)| FastForwardConfig { id, duration: Some(duration_to_proto(by)) });
        let request = UpdateWorkflowExecutionOptionsRequest {
            namespace: client.namespace().to_owned(),
            workflow_execution: Some(execution.to_proto()),
            workflow_execution_options: Some(WorkflowExecutionOptions {
                time_skipping_config: Some(config),
                ..Default::default()
            }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["time_skipping_config".to_owned()] }),
            identity: client.identity().to_owned(),
        };
        let answer = client.service().update_workflow_execution_options(request, options).await;
        answer.map_err(|error| failed(&execution, error))?;
        match fast_forward {
            Some((id, _)) => wait(client, &execution, id).await,
            None => Ok(()),
        }
    }
}

/// Waits until the workflow has got there.
async fn wait(client: &Client, execution: &Execution, fast_forward_id: String) -> Result<(), TimeSkippingError> {
    let request = PollWorkflowExecutionTimeSkippingRequest {
        namespace: client.namespace().to_owned(),
        workflow_execution: Some(execution.to_proto()),
        fast_forward_id,
    };
    let service = client.service();
    loop {
        let answer = service.poll_workflow_execution_time_skipping(request.clone(), CallOptions::wait()).await;
        let answer = answer.map_err(|error| failed(execution, error))?;
        match answer.fast_forward_polling_result() {
            Polled::FastForwardCompleted => return Ok(()),
            Polled::FastForwardFailed => {
                let workflow_id = execution.workflow_id.clone();
                return Err(TimeSkippingError::Ended { workflow_id, reason: answer.failed_reason });
            }
            Polled::PollTimeout | Polled::Unspecified => {}
        }
    }
}

fn failed(execution: &Execution, source: RpcError) -> TimeSkippingError {
    if is_workflow_not_found(&source) {
        return TimeSkippingError::NotFound { workflow_id: execution.workflow_id.clone(), source };
    }
    TimeSkippingError::Rpc(source)
}
