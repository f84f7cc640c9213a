//! What is done to a running activity from outside.

use std::{future::IntoFuture, time::Duration};

use stead_data::{BoxFuture, time::duration_to_proto};
use stead_proto::workflowservice::v1 as api;

use super::{ActivityError, StandaloneActivity};
use crate::{
    client::Client,
    connection::CallOptions,
    interceptor::Operation,
    workflow::{request_id, rpc_options},
};

/// Declares an operation, which is done when it is awaited, and the call that interceptors see.
macro_rules! operation {
    ($(#[$doc:meta])* $name:ident, $call:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr),* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "nothing happens until it is awaited"]
        pub struct $name {
            client: Client,
            call: $call,
        }

        /// The operation on its way, as interceptors see it.
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct $call {
            /// Whom.
            pub activity: StandaloneActivity,
            $($(#[$field_doc])* pub $field: $type,)*
            /// How the call is made.
            pub options: CallOptions,
        }

        impl $name {
            pub(super) fn new(client: Client, activity: StandaloneActivity) -> Self {
                Self { client, call: $call { activity, $($field: $default,)* options: CallOptions::new() } }
            }

            rpc_options!();
        }

        impl IntoFuture for $name {
            type Output = Result<(), ActivityError>;
            type IntoFuture = BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(async move { self.client.perform(self.call).await })
            }
        }
    };
}

/// A setter of the reason.
macro_rules! reason {
    () => {
        /// Why, for people. Default: none.
        pub fn reason(mut self, reason: impl Into<String>) -> Self {
            self.call.reason = reason.into();
            self
        }
    };
}

operation! {
    /// The cancellation of an activity: awaiting it asks for it.
    CancelActivity, CancelActivityCall { /// Why, for people.
        reason: String = String::new() }
}

impl CancelActivity {
    reason!();
}

impl Operation for CancelActivityCall {
    type Output = ();
    type Error = ActivityError;

    async fn send(self, client: &Client) -> Result<(), ActivityError> {
        let Self { activity, reason, options } = self;
        let request = api::RequestCancelActivityExecutionRequest {
            namespace: client.namespace().to_owned(),
            activity_id: activity.activity_id.clone(),
            run_id: activity.run_id.clone().unwrap_or_default(),
            identity: client.identity().to_owned(),
            request_id: request_id(),
            reason,
        };
        let answer = client.service().request_cancel_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}

operation! {
    /// The termination of an activity: awaiting it ends the activity.
    TerminateActivity, TerminateActivityCall { /// Why, for people.
        reason: String = String::new() }
}

impl TerminateActivity {
    reason!();
}

impl Operation for TerminateActivityCall {
    type Output = ();
    type Error = ActivityError;

    async fn send(self, client: &Client) -> Result<(), ActivityError> {
        let Self { activity, reason, options } = self;
        let request = api::TerminateActivityExecutionRequest {
            namespace: client.namespace().to_owned(),
            activity_id: activity.activity_id.clone(),
            run_id: activity.run_id.clone().unwrap_or_default(),
            identity: client.identity().to_owned(),
            request_id: request_id(),
            reason,
        };
        let answer = client.service().terminate_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}

operation! {
    /// An activity to be paused: awaiting it pauses it.
    PauseActivity, PauseActivityCall { /// Why, for people.
        reason: String = String::new() }
}

impl PauseActivity {
    reason!();
}

impl Operation for PauseActivityCall {
    type Output = ();
    type Error = ActivityError;

    async fn send(self, client: &Client) -> Result<(), ActivityError> {
        let Self { activity, reason, options } = self;
        let request = api::PauseActivityExecutionRequest {
            namespace: client.namespace().to_owned(),
            activity_id: activity.activity_id.clone(),
            run_id: activity.run_id.clone().unwrap_or_default(),
            identity: client.identity().to_owned(),
            reason,
            request_id: request_id(),
            ..Default::default()
        };
        let answer = client.service().pause_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}

operation! {
    /// A paused activity that is to go on: awaiting it lets it.
    UnpauseActivity, UnpauseActivityCall { /// Why, for people.
        reason: String = String::new(), /// By how much the next attempt is put off at most.
        jitter: Option<Duration> = None }
}

impl UnpauseActivity {
    reason!();

    /// Puts the next attempt off at random, by up to this much. Default: not at all.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.call.jitter = Some(jitter);
        self
    }
}

impl Operation for UnpauseActivityCall {
    type Output = ();
    type Error = ActivityError;

    async fn send(self, client: &Client) -> Result<(), ActivityError> {
        let Self { activity, reason, jitter, options } = self;
        let request = api::UnpauseActivityExecutionRequest {
            namespace: client.namespace().to_owned(),
            activity_id: activity.activity_id.clone(),
            run_id: activity.run_id.clone().unwrap_or_default(),
            identity: client.identity().to_owned(),
            reason,
            jitter: jitter.map(duration_to_proto),
            request_id: request_id(),
            ..Default::default()
        };
        let answer = client.service().unpause_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}

operation! {
    /// An activity that is to begin anew: awaiting it makes its next attempt the first.
    ResetActivity, ResetActivityCall {
        /// Whether the details of the last heartbeat are forgotten.
        reset_heartbeat: bool = false,
        /// Whether a paused activity stays paused.
        keep_paused: bool = false,
        /// Whether it gets the options back that it was started with.
        restore_original_options: bool = false,
        /// By how much the next attempt is put off at most.
        jitter: Option<Duration> = None
    }
}

impl ResetActivity {
    /// Forgets the details of the last heartbeat. Default: they stay.
    pub fn forget_heartbeat(mut self) -> Self {
        self.call.reset_heartbeat = true;
        self
    }

    /// Leaves a paused activity paused. Default: it goes on.
    pub fn keep_paused(mut self) -> Self {
        self.call.keep_paused = true;
        self
    }

    /// Gives it the options back that it was started with. Default: those that it has stay.
    pub fn restore_original_options(mut self) -> Self {
        self.call.restore_original_options = true;
        self
    }

    /// Puts the next attempt off at random, by up to this much. Default: not at all.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.call.jitter = Some(jitter);
        self
    }
}

impl Operation for ResetActivityCall {
    type Output = ();
    type Error = ActivityError;

    async fn send(self, client: &Client) -> Result<(), ActivityError> {
        let Self { activity, reset_heartbeat, keep_paused, restore_original_options, jitter, options } = self;
        let request = api::ResetActivityExecutionRequest {
            namespace: client.namespace().to_owned(),
            activity_id: activity.activity_id.clone(),
            run_id: activity.run_id.clone().unwrap_or_default(),
            identity: client.identity().to_owned(),
            reset_heartbeat,
            keep_paused,
            restore_original_options,
            jitter: jitter.map(duration_to_proto),
            request_id: request_id(),
            ..Default::default()
        };
        let answer = client.service().reset_activity_execution(request, options).await;
        activity.answered(answer).map(drop)
    }
}
