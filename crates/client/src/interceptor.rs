//! The seam for code that sees every operation of a client: tracing, authorization, headers.

use std::{fmt, future::Future, marker::PhantomData, sync::Arc};

use stead_data::BoxFuture;

use crate::{
    activity::{
        CompleteAsyncActivityCall, FailAsyncActivityCall, HeartbeatAsyncActivityCall, ReportCancelledActivityCall,
    },
    client::Client,
    listing::{CountCall, ListCall},
    nexus::{
        CancelNexusOperationCall, DescribeNexusOperationCall, ListedNexusOperation, StartNexusCall,
        TerminateNexusOperationCall,
    },
    schedule::{
        BackfillScheduleCall, CreateScheduleCall, DeleteScheduleCall, DescribeScheduleCall, ListedSchedule,
        PauseScheduleCall, TriggerScheduleCall, UnpauseScheduleCall, UpdateScheduleCall,
    },
    standalone::{
        CancelActivityCall, DescribeActivityCall, ListedActivity, PauseActivityCall, ResetActivityCall,
        StartActivityCall, TerminateActivityCall, UnpauseActivityCall, UpdateActivityOptionsCall,
    },
    workflow::{
        CancelWorkflowCall, DescribeWorkflowCall, FetchHistoryCall, ListedWorkflow, QueryWorkflowCall,
        SetTimeSkippingCall, SignalWorkflowCall, StartUpdateCall, StartWithUpdateCall, StartWorkflowCall,
        TerminateWorkflowCall,
    },
};

/// What an operation gives, on its way back through the interceptors: a future of the `Result` that the operation's
/// builder has, or nearly so.
pub type Answer<'a, C> = BoxFuture<'a, Result<<C as Operation>::Output, <C as Operation>::Error>>;

/// Declares the trait, and says of each call which of its methods sees it.
macro_rules! interceptor {
    ($(#[$trait_doc:meta])* { $($(#[$doc:meta])* $method:ident($call:ty);)* }) => {
        $(#[$trait_doc])*
        pub trait ClientInterceptor: Send + Sync + 'static {
            $(
                $(#[$doc])*
                fn $method<'a>(&'a self, call: $call, next: Next<'a, $call>) -> Answer<'a, $call> {
                    next.run(call)
                }
            )*
        }

        $(
            impl Intercepted for $call {
                fn intercept<'a>(self, interceptor: &'a dyn ClientInterceptor, next: Next<'a, Self>) -> Answer<'a, Self> {
                    interceptor.$method(self, next)
                }
            }
        )*
    };
}

interceptor! {
/// Sees the operations of a client, and may change them on their way in and out.
///
/// Each method gets the call, before its payloads pass through the codec, and a [`Next`] that carries it on; the
/// default does nothing else. The interceptor that was given first is the outermost. A client without interceptors pays
/// nothing for them.
///
/// ```
/// use stead_client::{Answer, ClientInterceptor, Next, SignalWorkflowCall};
/// use stead_data::DataConverter;
///
/// struct Tenant(String);
///
/// impl ClientInterceptor for Tenant {
///     fn signal_workflow<'a>(
///         &'a self,
///         mut call: SignalWorkflowCall,
///         next: Next<'a, SignalWorkflowCall>,
///     ) -> Answer<'a, SignalWorkflowCall> {
///         Box::pin(async move {
///             call.headers.insert("tenant".to_owned(), DataConverter::new().to_payload(&self.0)?);
///             next.run(call).await
///         })
///     }
/// }
/// ```
{
    /// A workflow is started, with a signal perhaps.
    start_workflow(StartWorkflowCall);
    /// A workflow is signalled.
    signal_workflow(SignalWorkflowCall);
    /// A workflow is queried.
    query_workflow(QueryWorkflowCall);
    /// An update is sent to a workflow.
    start_update(StartUpdateCall);
    /// A workflow is started together with an update.
    start_with_update(StartWithUpdateCall);
    /// The cancellation of a workflow is requested.
    cancel_workflow(CancelWorkflowCall);
    /// A workflow is terminated.
    terminate_workflow(TerminateWorkflowCall);
    /// A workflow is to skip time, or no more.
    set_time_skipping(SetTimeSkippingCall);
    /// A workflow is described.
    describe_workflow(DescribeWorkflowCall);
    /// A page of a workflow's history is read, for its result among others.
    fetch_history(FetchHistoryCall);
    /// A page of workflows is listed.
    list_workflows(ListCall<ListedWorkflow>);
    /// Workflows are counted.
    count_workflows(CountCall<ListedWorkflow>);

    /// An activity is started without a workflow.
    start_activity(StartActivityCall);
    /// The cancellation of an activity is requested.
    cancel_activity(CancelActivityCall);
    /// An activity is terminated.
    terminate_activity(TerminateActivityCall);
    /// An activity is described.
    describe_activity(DescribeActivityCall);
    /// An activity is paused.
    pause_activity(PauseActivityCall);
    /// A paused activity goes on.
    unpause_activity(UnpauseActivityCall);
    /// An activity begins anew.
    reset_activity(ResetActivityCall);
    /// An activity gets other options.
    update_activity_options(UpdateActivityOptionsCall);
    /// A page of activities without a workflow is listed.
    list_activities(ListCall<ListedActivity>);
    /// Activities without a workflow are counted.
    count_activities(CountCall<ListedActivity>);

    /// A Nexus operation is started without a workflow.
    start_nexus_operation(StartNexusCall);
    /// A Nexus operation is described.
    describe_nexus_operation(DescribeNexusOperationCall);
    /// The cancellation of a Nexus operation is requested.
    cancel_nexus_operation(CancelNexusOperationCall);
    /// A Nexus operation is terminated.
    terminate_nexus_operation(TerminateNexusOperationCall);
    /// A page of Nexus operations without a workflow is listed.
    list_nexus_operations(ListCall<ListedNexusOperation>);
    /// Nexus operations without a workflow are counted.
    count_nexus_operations(CountCall<ListedNexusOperation>);

    /// An activity that is completed from elsewhere heartbeats.
    heartbeat_async_activity(HeartbeatAsyncActivityCall);
    /// An activity is completed from elsewhere.
    complete_async_activity(CompleteAsyncActivityCall);
    /// An activity that is completed from elsewhere fails.
    fail_async_activity(FailAsyncActivityCall);
    /// An activity that is completed from elsewhere is cancelled.
    report_cancelled_activity(ReportCancelledActivityCall);

    /// A schedule is created.
    create_schedule(CreateScheduleCall);
    /// A schedule is described, by an update of it among others.
    describe_schedule(DescribeScheduleCall);
    /// A schedule is changed. Called once for each attempt, after it was described and the change was made.
    update_schedule(UpdateScheduleCall);
    /// A schedule is paused.
    pause_schedule(PauseScheduleCall);
    /// A paused schedule goes on.
    unpause_schedule(UnpauseScheduleCall);
    /// A schedule acts at once.
    trigger_schedule(TriggerScheduleCall);
    /// A schedule acts for other times.
    backfill_schedule(BackfillScheduleCall);
    /// A schedule is deleted.
    delete_schedule(DeleteScheduleCall);
    /// A page of schedules is listed.
    list_schedules(ListCall<ListedSchedule>);
    /// Schedules are counted.
    count_schedules(CountCall<ListedSchedule>);
}
}

/// The rest of the way of a call: the inner interceptors, then the server.
pub struct Next<'a, C> {
    client: &'a Client,
    rest: &'a [Arc<dyn ClientInterceptor>],
    call: PhantomData<fn(C)>,
}

impl<'a, C: Intercepted> Next<'a, C> {
    pub(crate) fn new(client: &'a Client, rest: &'a [Arc<dyn ClientInterceptor>]) -> Self {
        Self { client, rest, call: PhantomData }
    }

    /// Carries the call on.
    pub fn run(self, call: C) -> Answer<'a, C> {
        match self.rest {
            [] => Box::pin(call.send(self.client)),
            [interceptor, rest @ ..] => call.intercept(&**interceptor, Next::new(self.client, rest)),
        }
    }
}

impl<C> fmt::Debug for Next<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("interceptors", &self.rest.len()).finish_non_exhaustive()
    }
}

/// What a client does, as a value on its way through the interceptors to the server: one of the calls that the methods
/// of [`ClientInterceptor`] take.
///
/// Nobody else can implement it: its name is not exported.
pub trait Operation: Send + Sized + 'static {
    /// What comes back.
    type Output: Send;
    /// What goes wrong.
    type Error: Send;

    /// Does it.
    fn send(self, client: &Client) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// An operation, and which of an interceptor's methods sees it.
pub trait Intercepted: Operation {
    /// Hands the operation to the interceptor's method for it.
    fn intercept<'a>(self, interceptor: &'a dyn ClientInterceptor, next: Next<'a, Self>) -> Answer<'a, Self>;
}
