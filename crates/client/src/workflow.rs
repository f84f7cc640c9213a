//! Operations on workflows: a builder, a call that interceptors see, and an error for each.

mod cancel;
mod describe;
mod execution;
mod handle;
mod history;
mod list;
mod query;
mod reset;
mod result;
mod signal;
mod start;
mod terminate;
mod time_skipping;
mod update;

pub use {
    cancel::{CancelError, CancelWorkflow, CancelWorkflowCall},
    describe::{DescribeError, DescribeWorkflow, DescribeWorkflowCall, WorkflowDescription, WorkflowStatus},
    execution::Execution,
    handle::WorkflowHandle,
    history::{FetchHistory, FetchHistoryCall, HistoryError, HistoryEvents},
    list::{CountWorkflows, ListWorkflows, ListedWorkflow},
    query::{QueryError, QueryOutput, QueryRejectCondition, QueryWorkflow, QueryWorkflowCall},
    reset::{ResetError, ResetWorkflow},
    result::{ResultError, WorkflowResult},
    signal::{SignalError, SignalWorkflow, SignalWorkflowCall},
    start::{
        ExecuteError, Finished, Given, MissingId, MissingTaskQueue, StartError, StartSignal, StartWithUpdate,
        StartWithUpdateCall, StartWithUpdateError, StartWithUpdateOutput, StartWorkflow, StartWorkflowCall,
        StartWorkflowOutput, Started, UpdatedWorkflow,
    },
    terminate::{TerminateError, TerminateWorkflow, TerminateWorkflowCall},
    time_skipping::{
        FastForward, SetTimeSkipping, SetTimeSkippingCall, TimeSkipping, TimeSkippingError, WorkflowClock,
    },
    update::{
        StartUpdateCall, StartUpdateOutput, UpdateError, UpdateHandle, UpdateResult, UpdateStage, UpdateWorkflow,
    },
};

/// Setters of the raw call's options, for a builder whose call has `options`.
macro_rules! rpc_options {
    () => {
        /// The deadline of the call to the server, retries included. Default: see [`CallOptions`](crate::CallOptions).
        pub fn rpc_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.call.options.timeout = timeout;
            self
        }

        /// Headers of the call to the server.
        pub fn rpc_metadata(mut self, metadata: crate::Metadata) -> Self {
            self.call.options.metadata = metadata;
            self
        }
    };
}

/// What every operation's error can be asked.
macro_rules! predicates {
    ($error:ident, $failure:pat => $found:expr) => {
        impl $error {
            /// The failure that the server reported of the workflow, if that is what happened.
            pub fn failure(&self) -> Option<&stead_data::Failure> {
                match self {
                    $failure => $found,
                    _ => None,
                }
            }

            /// The workflow's own error, if it failed with one of type `E`.
            pub fn application<E: stead_data::FromFailure>(&self) -> Option<E> {
                self.failure()?.application_as()
            }
        }

        predicates!(@shared $error, $error::failure);
    };
    ($error:ident) => {
        predicates!(@shared $error, |_| None);
    };
    (@shared $error:ident, $failure:expr) => {
        impl $error {
            /// The failed call to the server, if that is what happened.
            pub fn rpc(&self) -> Option<&crate::RpcError> {
                match self {
                    Self::Rpc(error) => Some(error),
                    _ => None,
                }
            }

            /// A cancellation: the workflow's, or the call's.
            pub fn is_cancelled(&self) -> bool {
                let failure: fn(&Self) -> Option<&stead_data::Failure> = $failure;
                failure(self).is_some_and(stead_data::Failure::is_cancelled)
                    || self.rpc().is_some_and(crate::RpcError::is_cancelled)
            }

            /// A timeout: the workflow's, or the call's.
            pub fn is_timeout(&self) -> bool {
                let failure: fn(&Self) -> Option<&stead_data::Failure> = $failure;
                failure(self).is_some_and(stead_data::Failure::is_timeout)
                    || self.rpc().is_some_and(crate::RpcError::is_timeout)
            }
        }
    };
}

pub(crate) use {
    execution::{is_workflow_not_found, request_id},
    predicates, rpc_options,
};
