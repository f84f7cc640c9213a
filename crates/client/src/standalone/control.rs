//! What is done to a running activity from outside.

use std::{future::IntoFuture, time::Duration};

use stead_data::{BoxFuture, time::duration_to_proto};
use stead_proto::workflowservice::v1 as api;

use super::{ActivityError, handle::Named, rpc_options};
use crate::{connection::CallOptions, workflow::request_id};

/// Declares an operation, which is done when it is awaited.
macro_rules! operation {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $default:expr),* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "nothing happens until it is awaited"]
        pub struct $name {
            activity: Named,
            $($field: $type,)*
            options: CallOptions,
        }

        impl $name {
            pub(super) fn new(activity: Named) -> Self {
                Self { activity, $($field: $default,)* options: CallOptions::new() }
            }

            rpc_options!();
        }

        impl IntoFuture for $name {
            type Output = Result<(), ActivityError>;
            type IntoFuture = BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.send())
            }
        }
    };
}

/// A setter of the reason.
macro_rules! reason {
    () => {
        /// Why, for people. Default: none.
        pub fn reason(mut self, reason: impl Into<String>) -> Self {
            self.reason = reason.into();
            self
        }
    };
}

operation! {
    /// The cancellation of an activity: awaiting it asks for it.
    CancelActivity { reason: String = String::new() }
}

impl CancelActivity {
    reason!();

    async fn send(self) -> Result<(), ActivityError> {
        let Self { activity, reason, options } = self;
        let request = api::RequestCancelActivityExecutionRequest {
            namespace: activity.namespace(),
            activity_id: activity.id.clone(),
            run_id: activity.run_id.clone(),
            identity: activity.identity(),
            request_id: request_id(),
            reason,
        };
        let answer = activity.client.service().request_cancel_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}

operation! {
    /// The termination of an activity: awaiting it ends the activity.
    TerminateActivity { reason: String = String::new() }
}

impl TerminateActivity {
    reason!();

    async fn send(self) -> Result<(), ActivityError> {
        let Self { activity, reason, options } = self;
        let request = api::TerminateActivityExecutionRequest {
            namespace: activity.namespace(),
            activity_id: activity.id.clone(),
            run_id: activity.run_id.clone(),
            identity: activity.identity(),
            request_id: request_id(),
            reason,
        };
        let answer = activity.client.service().terminate_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}

operation! {
    /// An activity to be paused: awaiting it pauses it.
    PauseActivity { reason: String = String::new() }
}

impl PauseActivity {
    reason!();

    async fn send(self) -> Result<(), ActivityError> {
        let Self { activity, reason, options } = self;
        let request = api::PauseActivityExecutionRequest {
            namespace: activity.namespace(),
            activity_id: activity.id.clone(),
            run_id: activity.run_id.clone(),
            identity: activity.identity(),
            reason,
            request_id: request_id(),
            ..Default::default()
        };
        let answer = activity.client.service().pause_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}

operation! {
    /// A paused activity that is to go on: awaiting it lets it.
    UnpauseActivity { reason: String = String::new(), jitter: Option<Duration> = None }
}

impl UnpauseActivity {
    reason!();

    /// Puts the next attempt off at random, by up to this much. Default: not at all.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(jitter);
        self
    }

    async fn send(self) -> Result<(), ActivityError> {
        let Self { activity, reason, jitter, options } = self;
        let request = api::UnpauseActivityExecutionRequest {
            namespace: activity.namespace(),
            activity_id: activity.id.clone(),
            run_id: activity.run_id.clone(),
            identity: activity.identity(),
            reason,
            jitter: jitter.map(duration_to_proto),
            request_id: request_id(),
            ..Default::default()
        };
        let answer = activity.client.service().unpause_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}

operation! {
    /// An activity that is to begin anew: awaiting it makes its next attempt the first.
    ResetActivity {
        reset_heartbeat: bool = false,
        keep_paused: bool = false,
        restore_original_options: bool = false,
        jitter: Option<Duration> = None
    }
}

impl ResetActivity {
    /// Forgets the details of the last heartbeat. Default: they stay.
    pub fn forget_heartbeat(mut self) -> Self {
        self.reset_heartbeat = true;
        self
    }

    /// Leaves a paused activity paused. Default: it goes on.
    pub fn keep_paused(mut self) -> Self {
        self.keep_paused = true;
        self
    }

    /// Gives it the options back that it was started with. Default: those that it has stay.
    pub fn restore_original_options(mut self) -> Self {
        self.restore_original_options = true;
        self
    }

    /// Puts the next attempt off at random, by up to this much. Default: not at all.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(jitter);
        self
    }

    async fn send(self) -> Result<(), ActivityError> {
        let Self { activity, reset_heartbeat, keep_paused, restore_original_options, jitter, options } = self;
        let request = api::ResetActivityExecutionRequest {
            namespace: activity.namespace(),
            activity_id: activity.id.clone(),
            run_id: activity.run_id.clone(),
            identity: activity.identity(),
            reset_heartbeat,
            keep_paused,
            restore_original_options,
            jitter: jitter.map(duration_to_proto),
            request_id: request_id(),
            ..Default::default()
        };
        let answer = activity.client.service().reset_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}
