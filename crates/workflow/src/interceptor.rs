//! Seeing what goes into workflow code and what comes out of it.

use std::fmt;

use stead_activation::{
    ContinueAsNew, Initialize, Payload, Query, ScheduleActivity, ScheduleLocalActivity, ScheduleNexusOperation,
    SignalExternal, SignalReceived, SignalWithStart, StartChildWorkflow, UpdateRequested,
};
use stead_data::Failure;

use crate::definition::LocalBoxFuture;
use crate::error::Result;

/// Workflow code on its way: the run itself, or the handler of a signal or an update.
pub type Running<T> = LocalBoxFuture<'static, Result<T>>;

/// Sees, and may change, what goes into workflow code, what the code does with it and what it asks for: to pass headers
/// along, for example, or to refuse updates.
///
/// Each method does nothing by default. What comes in has two: one that may change it before it is looked at, and one,
/// `around_…`, that wraps the code that is called with it. Wrapped code is workflow code: it may do what a workflow may,
/// such as run an activity first.
///
/// They are called in the context of the run, so that [`info`](crate::info()) and [`now`](crate::now) work, again at each
/// replay, and have to be as deterministic as the workflow itself. One interceptor serves all runs; what it knows of one
/// run is kept there, by [`run_local`](crate::run_local).
///
/// The interceptor that was given first is the outermost: what comes in passes it first, and what the code asks for
/// passes it last.
///
/// ```
/// use stead_data::Failure;
/// use stead_workflow::intercepted::{Inner, Running, ScheduleActivity, UpdateRequested};
/// use stead_workflow::{self as workflow, WorkflowInterceptor};
///
/// /// Passes the tenant on to activities, and takes no updates without one.
/// struct Tenant;
///
/// impl WorkflowInterceptor for Tenant {
///     fn schedule_activity(&self, activity: &mut ScheduleActivity) {
///         let tenant = workflow::info().headers().get("tenant").cloned();
///         activity.headers.extend(tenant.map(|tenant| ("tenant".to_owned(), tenant)));
///     }
///
///     fn around_validator(
///         &self,
///         update: &UpdateRequested,
///         validator: Inner<'_, Result<(), Failure>>,
///     ) -> Result<(), Failure> {
///         if !update.headers.contains_key("tenant") {
///             return Err(Failure::application("who is asking?"));
///         }
///         validator.call()
///     }
///
///     fn around_run(&self, code: Running<workflow::intercepted::Payload>) -> Running<workflow::intercepted::Payload> {
///         Box::pin(async move {
///             let result = code.await;
///             tracing::info!(ok = result.is_ok(), "ended");
///             result
///         })
///     }
/// }
/// ```
pub trait WorkflowInterceptor: Send + Sync + 'static {
    /// A run is about to start. Its context is not there yet; what [`info`](crate::info()) will say of it is made of this.
    fn execute(&self, input: &mut Initialize) {
        let _ = input;
    }

    /// The code of the run, which has not begun. What the wrapped code returns is what the run returns.
    fn around_run(&self, code: Running<Payload>) -> Running<Payload> {
        code
    }

    /// A signal has arrived.
    fn signal(&self, signal: &mut SignalReceived) {
        let _ = signal;
    }

    /// The handler of a signal, which has not begun. Not called for a signal that waits for a handler, until it has one.
    fn around_signal(&self, signal: &SignalReceived, handler: Running<()>) -> Running<()> {
        let _ = signal;
        handler
    }

    /// An update has arrived.
    fn update(&self, update: &mut UpdateRequested) {
        let _ = update;
    }

    /// The validator of an update, or none at all; an error refuses the update. It reads only, and is not called while
    /// replaying: what is in history was accepted.
    fn around_validator(
        &self,
        update: &UpdateRequested,
        validator: Inner<'_, std::result::Result<(), Failure>>,
    ) -> std::result::Result<(), Failure> {
        let _ = update;
        validator.call()
    }

    /// The handler of an update that is accepted, which has not begun.
    fn around_update(&self, update: &UpdateRequested, handler: Running<Payload>) -> Running<Payload> {
        let _ = update;
        handler
    }

    /// A query has arrived. Reads only.
    fn query(&self, query: &mut Query) {
        let _ = query;
    }

    /// The handler of a query. Reads only.
    fn around_query(
        &self,
        query: &Query,
        handler: Inner<'_, std::result::Result<Payload, Failure>>,
    ) -> std::result::Result<Payload, Failure> {
        let _ = query;
        handler.call()
    }

    /// An activity is about to be scheduled.
    fn schedule_activity(&self, activity: &mut ScheduleActivity) {
        let _ = activity;
    }

    /// A local activity is about to be scheduled. Not called again for its retries.
    fn schedule_local_activity(&self, activity: &mut ScheduleLocalActivity) {
        let _ = activity;
    }

    /// A child workflow is about to be started.
    fn start_child_workflow(&self, child: &mut StartChildWorkflow) {
        let _ = child;
    }

    /// A Nexus operation is about to be scheduled.
    fn schedule_nexus_operation(&self, operation: &mut ScheduleNexusOperation) {
        let _ = operation;
    }

    /// A signal is about to be sent to another workflow, which may be a child.
    fn signal_external(&self, signal: &mut SignalExternal) {
        let _ = signal;
    }

    /// A workflow is about to be signalled, and started if it does not run. Its headers are those of the signal and of the
    /// workflow. It goes as a Nexus operation, but [`schedule_nexus_operation`](Self::schedule_nexus_operation) is not called.
    fn signal_with_start(&self, request: &mut SignalWithStart) {
        let _ = request;
    }

    /// The run is about to end and to continue as a new one.
    fn continue_as_new(&self, next: &mut ContinueAsNew) {
        let _ = next;
    }
}

/// What an interceptor wraps that does not wait for anything: the next interceptor, or the code.
pub struct Inner<'a, T>(Box<dyn FnOnce() -> T + 'a>);

impl<'a, T> Inner<'a, T> {
    pub(crate) fn new(call: impl FnOnce() -> T + 'a) -> Self {
        Self(Box::new(call))
    }

    /// Calls it.
    pub fn call(self) -> T {
        (self.0)()
    }
}

impl<T> fmt::Debug for Inner<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}
