//! Authoring API and deterministic executor for workflows of the stead SDK for Temporal.
//!
//! Workflow code is async Rust that waits for nothing but what this crate offers: [activities](activity()),
//! [timers](sleep), [its own state](wait_until), and futures built of those ([`join!`], [`select!`], [`join_all`],
//! [`spawn`]). It runs on one thread, in an order that history alone decides, so that a replay takes the same path. State
//! is shared by `Cell`, [`State`] and `Rc`; there is no context parameter: the functions of this crate know the run they
//! are called in.
//!
//! **Dropping cancels.** A pending operation that is dropped is cancelled; a handle, such as that of
//! [`start`](ActivityCall::start), is detached. Cancellation of the workflow makes what is pending, and what starts
//! later, resolve as [`Cancelled`], unless it is [shielded](shield).
//!
//! **Errors.** See [`Error`] for what `Err` and a panic do.
//!
//! What is not here: history, transport, clocks, threads. A [`Definition`] makes a
//! [`Guest`](stead_activation::Guest), which turns activations into commands, and whoever drives it does the rest.

mod call;
mod collections;
mod context;
mod continue_as_new;
mod convert;
mod definition;
mod error;
mod event_group;
mod executor;
mod fail_on;
mod guest;
mod handlers;
mod info;
mod instance;
mod interceptor;
mod join;
mod meter;
mod ops;
mod panic;
mod patch;
mod program;
mod random;
mod replay_log;
mod run_local;
mod runtime;
mod saga;
mod scope;
mod spawn;
mod state;
mod sync;
mod waker;
mod watch;

pub use call::{UpdateInfo, current_update};
pub use collections::{Map, Set};
pub use continue_as_new::{NextRun, continue_as_new, ready_to_continue_as_new};
pub use convert::{decode, payload_converter};
pub use definition::{
    Arguments, Config, Handler, HandlerOptions, LocalBoxFuture, QueryCall, SignalCall, UnfinishedPolicy, UpdateCall,
    ValidateCall, Workflow, WorkflowOptions,
};
pub use error::{ActivityError, Cancelled, ChildError, Error, ExternalError, NexusError, Result};
pub use event_group::{EventGroup, event_group};
pub use fail_on::FailOn;
pub use guest::{Definition, GuestOptions, LastOperation};
pub use handlers::set::{
    HandlerFn, current_details, off_query, off_query_dynamic, off_signal, off_signal_dynamic, off_update,
    off_update_dynamic, on_query, on_query_dynamic, on_signal, on_signal_dynamic, on_update, on_update_dynamic,
    on_update_validated, set_current_details,
};
pub use info::{
    Info, continue_as_new_suggested, deployment_version, history_length, history_size, in_workflow, info, last_failure,
    last_result, memo, now, replay, target_version_changed,
};
pub use interceptor::WorkflowInterceptor;
/// What interceptors see.
pub mod intercepted {
    pub use crate::interceptor::{Inner, Running};
    pub use stead_activation::{
        ContinueAsNew, Initialize, Payload, Query, ScheduleActivity, ScheduleLocalActivity, ScheduleNexusOperation,
        SignalExternal, SignalReceived, SignalTarget, SignalWithStart, StartChildWorkflow, UpdateRequested,
    };
}
pub use join::{AsCompleted, JoinAll, JoinSet, as_completed, join_all};
pub use meter::meter;
pub use ops::activity::{ActivityCall, ActivityHandle, RunActivity, activity, activity_named};
pub use ops::child::{ChildCall, ChildHandle, ChildResult, RunChild, StartChild, child, child_named};
pub use ops::external::{ExternalWorkflow, RequestCancel, SendCancel, SendSignal, external};
pub use ops::local_activity::{LocalActivityCall, local_activity, local_activity_named};
pub use ops::nexus::{NexusCall, NexusEndpoint, NexusHandle, NexusResult, RunNexus, StartNexus, nexus, nexus_named};
pub use ops::signal_with_start::{
    Given, MissingId, MissingSignal, SendSignalWithStart, SignalWithStartCall, signal_with_start,
    signal_with_start_named,
};
pub use ops::timer::{Sleep, sleep};
pub use ops::upsert::{search_attributes, upsert_memo, upsert_search_attributes};
pub use ops::wait::{AllHandlersFinished, WaitUntil, WaitUntilTimeout, all_handlers_finished, wait_until};
pub use patch::{ActivatesPatch, PatchActivation, Version, deprecate_patch, patched, version};
pub use random::{Draw, RandomStream, random, random_seed, random_stream, uuid, uuid_v7};
pub use replay_log::SkipReplays;
pub use run_local::run_local;
pub use saga::{Saga, saga};
pub use scope::{
    CancelScope, Scoped, TimedScope, WaitCancelled, cancellation_reason, cancelled, is_cancelled, scope, shield,
};
pub use spawn::{JoinHandle, spawn};
pub use state::State;
/// What cancelling an activity means.
pub use stead_activation::ActivityCancellation;
/// What cancelling a child workflow means.
pub use stead_activation::ChildWorkflowCancellation;
/// Which version of its workers the next run begins on.
pub use stead_activation::NextRunVersioning;
/// What cancelling a Nexus operation means.
pub use stead_activation::NexusOperationCancellation;
/// How a run moves to newer versions of its workers.
pub use stead_activation::VersioningBehavior as Versioning;
/// Ids of another workflow, the version of a deployment: parts of [`Info`].
pub use stead_activation::{DeploymentVersion, ExecutionRef, ParentExecution};
pub use stead_data::{Bounded, DataConverter, Raw, Unbounded};
pub use sync::{Closed, Mutex, MutexGuard, Notify, Permit, Receiver, Semaphore, Sender, channel};
pub use watch::{PollWatch, Unrecorded, unwatched};

/// What the expansions of macros name. Not part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate as workflow;
    pub use crate::definition::encode_with;
    pub use serde;
    pub use stead_data as data;
}
