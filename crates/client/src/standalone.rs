//! Activities that no workflow starts: started, awaited, listed and controlled from here.

mod control;
mod describe;
mod handle;
mod list;
mod options;
mod result;
mod start;

use crate::{
    connection::RpcError,
    workflow::{is_workflow_not_found, predicates},
};

pub use {
    control::{
        CancelActivity, CancelActivityCall, PauseActivity, PauseActivityCall, ResetActivity, ResetActivityCall,
        TerminateActivity, TerminateActivityCall, UnpauseActivity, UnpauseActivityCall,
    },
    describe::{ActivityDescription, ActivityStatus, DescribeActivity, DescribeActivityCall, PendingActivityState},
    handle::{ActivityHandle, StandaloneActivity},
    list::{CountActivities, ListActivities, ListedActivity},
    options::{UpdateActivityOptions, UpdateActivityOptionsCall},
    result::{ActivityResult, ActivityResultError},
    start::{
        ActivityIdConflictPolicy, ActivityIdReusePolicy, ExecuteActivityError, StartActivity, StartActivityCall,
        StartActivityError, StartActivityOutput,
    },
};

/// Something could not be done with an activity.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ActivityError {
    /// There is no activity of this id.
    #[error("activity `{activity_id}` does not exist")]
    NotFound {
        /// The activity's id.
        activity_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The codec refused what the server said of it.
    #[error("what the server has of activity `{activity_id}` cannot be decoded")]
    Codec {
        /// The activity's id.
        activity_id: String,
        /// Why.
        source: stead_data::CodecError,
    },
    /// The call failed; the server refuses, among others, what comes after the activity has ended.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(ActivityError);

impl ActivityError {
    fn of_call(activity_id: &str, source: RpcError) -> Self {
        match is_workflow_not_found(&source) {
            true => Self::NotFound { activity_id: activity_id.to_owned(), source },
            false => Self::Rpc(source),
        }
    }
}

/// Setters of the call's options, for a builder with `options`.
macro_rules! rpc_options {
    () => {
        /// The deadline of the call to the server, retries included. Default: see
        /// [`CallOptions`](crate::CallOptions).
        pub fn rpc_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options.timeout = timeout;
            self
        }

        /// Headers of the call to the server.
        pub fn rpc_metadata(mut self, metadata: crate::Metadata) -> Self {
            self.options.metadata = metadata;
            self
        }
    };
}

use rpc_options;
