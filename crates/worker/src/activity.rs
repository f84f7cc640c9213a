//! The executor of activities.
//!
//! An attempt is two tasks: the activity's own code, and a supervisor that sends its heartbeats, tells it when to end,
//! and reports how it ended. The attempt holds its slot until the report is sent.

mod heartbeat;
mod info;
mod local;
mod outcome;
mod registry;
mod report;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use stead_activity::{
    Cancellation, CancellationDetails, Context, ContextParts, HeartbeatSink, Implementation, Info, Input,
    InterceptedHeartbeats, Next,
};
use stead_data::Payload;
use stead_data::current::{CarryOver, amidst};
use stead_proto::workflowservice::v1::PollActivityTaskQueueResponse;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;
use tracing::{Instrument, Span};

use crate::codec;
use crate::lifecycle::Phase;
use crate::metrics::{ActivityTimer, Origin};
use crate::shared::Shared;
use crate::slots::{Permit, SlotTask};
use heartbeat::Heartbeats;
use outcome::{Ended, Outcome};

pub(crate) use local::{Attempts, run as run_local};
pub(crate) use registry::Registry;

/// Runs an attempt of an activity, in the background.
pub(crate) fn start(shared: &Arc<Shared>, task: PollActivityTaskQueueResponse, permit: Permit, origin: Origin) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        attempt(&shared, task, origin).await;
        drop(permit);
    });
}

/// Fails an activity that came to a worker which may not work any more, so that another one gets it.
pub(crate) fn turn_away(shared: &Arc<Shared>, task: PollActivityTaskQueueResponse, permit: Permit) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let info = info::from_task(&shared, task);
        report::report(&shared, &info, Outcome::turned_away()).await;
        drop(permit);
    });
}

/// What a slot for this activity is used for.
pub(crate) fn slot_task(task: &PollActivityTaskQueueResponse) -> SlotTask {
    let activity_type = task.activity_type.as_ref().map(|it| it.name.clone()).unwrap_or_default();
    SlotTask::Activity { activity_type }
}

async fn attempt(shared: &Arc<Shared>, mut task: PollActivityTaskQueueResponse, origin: Origin) {
    let mut arguments = task.input.take().unwrap_or_default().payloads;
    let mut header = task.header.take();
    let mut info = info::from_task(shared, task);
    let timer = ActivityTimer::start(&shared.metrics, &info, origin);
    let owner = shared.codec.activity(&info);
    let decoded = shared.codec.decode_activity(&owner, &mut arguments, &mut header, &mut info.heartbeat_details).await;
    let cancellation = Cancellation::new();
    let heartbeats = Arc::new(Heartbeats::new(shared, &info, cancellation.clone()));
    let interceptors = &shared.activity_interceptors;
    let kept = intercepted_info(shared, &mut info);
    let context = Context::new(
        info,
        ContextParts {
            converter: shared.converter.clone(),
            heartbeat: InterceptedHeartbeats::around(interceptors, Arc::clone(&heartbeats) as Arc<dyn HeartbeatSink>),
            cancellation,
            worker_shutdown: shared.told_to_stop.clone(),
            metrics: shared.metrics.sink().cloned(),
            extensions: shared.extensions.clone(),
        },
    );
    let info = kept.unwrap_or_else(|| context.info());
    let mut input = Input::new(arguments, context.data_converter().clone());
    input.headers = header.unwrap_or_default().fields;
    let outcome = match decoded {
        Ok(()) => execute(shared, &context, &info, &heartbeats, input).await,
        Err(error) => Outcome::failed(codec::failure(&error)),
    };
    measure(&timer, shared, &info, &outcome);
    report::report(shared, &info, outcome).await;
}

fn measure(timer: &ActivityTimer, shared: &Shared, info: &Info, outcome: &Outcome) {
    match outcome {
        Outcome::Completed(_) => timer.succeeded(&shared.metrics, info),
        Outcome::Failed { failure, .. } => timer.failed(&shared.metrics, info, report::is_benign(failure)),
        Outcome::Cancelled(_) | Outcome::CompleteAsync | Outcome::Lost => timer.ended(&shared.metrics, info),
    }
}

/// Lets the interceptors change what the activity sees of itself, and returns what the worker keeps going by: `None`
/// where there are none, and it is the same.
fn intercepted_info(shared: &Shared, info: &mut Info) -> Option<Arc<Info>> {
    let interceptors = &shared.activity_interceptors;
    let kept = (!interceptors.is_empty()).then(|| Arc::new(info.clone()));
    interceptors.iter().rev().for_each(|interceptor| interceptor.info(info));
    kept
}

async fn execute(
    shared: &Arc<Shared>,
    context: &Context,
    info: &Info,
    heartbeats: &Heartbeats,
    input: Input,
) -> Outcome {
    let implementation = match shared.activities.find(info) {
        Ok(implementation) => implementation,
        Err(failure) => return Outcome::failed(failure),
    };
    tracing::debug!(
        target: "stead::worker",
        activity_type = info.activity_type, activity_id = info.activity_id, attempt = info.attempt,
        "activity started"
    );
    let code = Code::spawn(shared, implementation, input, context.clone());
    let time_limit = info.start_to_close_timeout;
    let supervisor = Supervisor { shared, heartbeats, cancellation: context.cancellation(), time_limit };
    let ended = supervisor.watch(code).await;
    Outcome::of(ended, context, heartbeats.unsent())
}

/// The running code of an activity.
enum Code {
    Async(JoinHandle<stead_activity::Result<Payload>>),
    /// Cannot be stopped from outside.
    Blocking(JoinHandle<stead_activity::Result<Payload>>),
}

impl Code {
    fn spawn(shared: &Shared, implementation: &Implementation, input: Input, context: Context) -> Self {
        let interceptors = &shared.activity_interceptors;
        let span = span(&context.info());
        match implementation {
            Implementation::Async(call) if interceptors.is_empty() => {
                let call = Arc::clone(call);
                // The call that makes the future is the activity's code too.
                Self::Async(tokio::spawn(context.scope(async move { call(input).await }).instrument(span)))
            }
            Implementation::Async(call) => {
                let call = Arc::clone(call);
                let chain = Next::new(Arc::clone(interceptors), move |input| call(input));
                Self::Async(tokio::spawn(context.scope(chain.run(input)).instrument(span)))
            }
            Implementation::Blocking(call) if interceptors.is_empty() => {
                Self::Blocking(spawn_blocking(call, input, context, span, Vec::new()))
            }
            Implementation::Blocking(call) => {
                let (call, inner, inner_span) = (Arc::clone(call), context.clone(), span.clone());
                let all = Arc::clone(interceptors);
                let chain = Next::new(Arc::clone(interceptors), move |input| {
                    let carried = all.iter().filter_map(|interceptor| interceptor.carry_over()).collect();
                    Box::pin(unwound(spawn_blocking(&call, input, inner, inner_span, carried)))
                });
                Self::Blocking(tokio::spawn(context.scope(chain.run(input)).instrument(span)))
            }
        }
    }

    fn is_async(&self) -> bool {
        matches!(self, Self::Async(_))
    }

    async fn join(&mut self) -> Result<stead_activity::Result<Payload>, JoinError> {
        match self {
            Self::Async(handle) | Self::Blocking(handle) => handle.await,
        }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        match self {
            Self::Async(handle) | Self::Blocking(handle) => handle.abort(),
        }
    }
}

fn spawn_blocking(
    call: &BlockingCall,
    input: Input,
    context: Context,
    span: Span,
    carried: Vec<CarryOver>,
) -> JoinHandle<stead_activity::Result<Payload>> {
    let call = Arc::clone(call);
    tokio::task::spawn_blocking(move || span.in_scope(|| amidst(carried, || context.enter(|| call(input)))))
}

/// What the code of an activity logs stands in it, under a filter that lets the SDK's errors alone through, too.
fn span(info: &Info) -> Span {
    let workflow = info.workflow.as_ref();
    tracing::error_span!(
        target: "stead::activity",
        "activity",
        activity_type = info.activity_type,
        activity_id = info.activity_id,
        attempt = info.attempt,
        namespace = info.namespace,
        task_queue = info.task_queue,
        workflow_type = workflow.map(|it| it.workflow_type.as_str()),
        workflow_id = workflow.map(|it| it.workflow_id.as_str()),
        run_id = workflow.map(|it| it.run_id.as_str()),
    )
}

/// Carries a panic on to whoever waits for the code that panicked.
async fn unwound(handle: JoinHandle<stead_activity::Result<Payload>>) -> stead_activity::Result<Payload> {
    match handle.await.map_err(JoinError::try_into_panic) {
        Ok(returned) => returned,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(cancelled)) => Err(cancelled.into()),
    }
}

type BlockingCall = Arc<dyn Fn(Input) -> stead_activity::Result<Payload> + Send + Sync>;

/// What goes on beside the code of an activity.
struct Supervisor<'a> {
    shared: &'a Shared,
    heartbeats: &'a Heartbeats,
    cancellation: &'a Cancellation,
    time_limit: Option<Duration>,
}

impl Supervisor<'_> {
    /// Waits for the end of the activity, or until it is given up.
    async fn watch(&self, mut code: Code) -> Ended {
        let is_async = code.is_async();
        let timed_out = pin!(self.timed_out(is_async));
        let overstays = pin!(self.overstays(is_async));
        let shut_down = pin!(self.shut_down());
        let beats = pin!(self.heartbeats.send_forever());
        tokio::select! {
            biased;
            returned = code.join() => Ended::of(returned),
            () = timed_out => Ended::Abandoned,
            () = shut_down => Ended::Abandoned,
            () = overstays => Ended::Abandoned,
            never = beats => match never {},
        }
    }

    /// Tells the activity when the server must have given its attempt up. If asynchronous code does not end then, it is
    /// dropped; a blocking one keeps its slot, as it keeps its thread.
    async fn timed_out(&self, is_async: bool) {
        let Some(limit) = self.time_limit else { return std::future::pending().await };
        sleep(limit.saturating_add(LOCAL_TIMEOUT_BUFFER)).await;
        self.cancellation.cancel(CancellationDetails::timed_out());
        if !is_async {
            return std::future::pending().await;
        }
        sleep(DROP_AFTER_TIMEOUT).await;
    }

    /// Gives asynchronous code up that goes on after its cancellation, if the worker is to do so.
    async fn overstays(&self, is_async: bool) {
        let grace = self.shared.options.drop_cancelled_after.filter(|_| is_async);
        let Some(grace) = grace else { return std::future::pending().await };
        self.cancellation.cancelled().await;
        sleep(grace).await;
    }

    /// Tells the activity when the worker's grace period is over, and gives it up when the worker does.
    async fn shut_down(&self) {
        self.shared.lifecycle.reached(Phase::Cancelling).await;
        self.cancellation.cancel(CancellationDetails::worker_shutdown());
        self.shared.lifecycle.reached(Phase::Abandoning).await;
    }
}

/// Clocks differ and reports take time: the server's own timeout comes first.
const LOCAL_TIMEOUT_BUFFER: Duration = Duration::from_secs(5);

/// How long an asynchronous activity may go on after it was told that its time is over.
const DROP_AFTER_TIMEOUT: Duration = Duration::from_secs(30);
