//! Seeing what goes into workflow code and what comes out of it.

use stead_activation::{
    ContinueAsNew, Initialize, Query, ScheduleActivity, ScheduleLocalActivity, SignalExternal, SignalReceived,
    StartChildWorkflow, UpdateRequested,
};

/// Sees, and may change, what goes into workflow code and what it asks for: to pass headers along, for example.
///
/// Each method does nothing by default. They are called in the context of the run, so that
/// [`info`](crate::info()) and [`now`](crate::now) work, again at each replay, and have to be as deterministic as the
/// workflow itself. [`query`](Self::query) reads only. Interceptors are called in the order in which they were given.
pub trait WorkflowInterceptor: Send + Sync + 'static {
    /// A run is about to start. Its context is not there yet.
    fn execute(&self, input: &mut Initialize) {
        let _ = input;
    }

    /// A signal is about to be handled.
    fn signal(&self, signal: &mut SignalReceived) {
        let _ = signal;
    }

    /// An update is about to be validated.
    fn update(&self, update: &mut UpdateRequested) {
        let _ = update;
    }

    /// A query is about to be answered.
    fn query(&self, query: &mut Query) {
        let _ = query;
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

    /// A signal is about to be sent to another workflow, which may be a child.
    fn signal_external(&self, signal: &mut SignalExternal) {
        let _ = signal;
    }

    /// The run is about to end and to continue as a new one.
    fn continue_as_new(&self, next: &mut ContinueAsNew) {
        let _ = next;
    }
}
