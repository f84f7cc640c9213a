//! The executor of local activities: attempts that a run asks for and hears of, without the server.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stead_activation::Seq;
use stead_activity::{
    Cancellation, CancellationDetails, Context, ContextParts, HeartbeatSink, Info, Input, InterceptedHeartbeats,
    WorkflowInfo,
};
use stead_core::{LocalActivityAttempt, LocalActivityOutcome, LocalActivityStop};
use stead_data::{Failure, Payload, RetryPolicy};
use stead_proto::enums::v1::TimeoutType;
use tokio::time::{sleep, timeout};

use super::outcome::{Ended, Outcome};
use super::{Code, DROP_AFTER_TIMEOUT, intercepted_info};
use crate::codec;
use crate::lifecycle::Phase;
use crate::metrics::LocalTimer;
use crate::shared::Shared;
use crate::slots::{Permit, SlotTask};

/// The attempts that run for one run. Dropping them tells them to stop: nobody waits any more.
#[derive(Debug, Default)]
pub(crate) struct Attempts(BTreeMap<(Seq, u32), Cancellation>);

impl Attempts {
    /// Adds an attempt. Returns what tells it to stop.
    pub(crate) fn add(&mut self, seq: Seq, attempt: u32) -> Cancellation {
        let cancellation = Cancellation::new();
        self.0.insert((seq, attempt), cancellation.clone());
        cancellation
    }

    /// Tells an attempt to stop.
    pub(crate) fn stop(&mut self, seq: Seq, attempt: u32, why: LocalActivityStop) {
        if let Some(cancellation) = self.0.remove(&(seq, attempt)) {
            cancellation.cancel(match why {
                LocalActivityStop::TimedOut => CancellationDetails::timed_out(),
                LocalActivityStop::RunGone => CancellationDetails::not_found(),
                _ => CancellationDetails::cancel_requested(),
            });
        }
    }

    /// An attempt has ended.
    pub(crate) fn ended(&mut self, seq: Seq, attempt: u32) {
        self.0.remove(&(seq, attempt));
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        for cancellation in self.0.values() {
            cancellation.cancel(CancellationDetails::not_found());
        }
    }
}

/// Makes an attempt. `report` is called once, with how it ended as far as its run is concerned.
pub(crate) async fn run(
    shared: Arc<Shared>,
    attempt: LocalActivityAttempt,
    workflow: WorkflowInfo,
    cancellation: Cancellation,
    report: impl FnOnce(LocalActivityOutcome),
) {
    let mut permit = match slot(&shared, &attempt, &cancellation).await {
        Ok(permit) => permit,
        Err(outcome) => return report(outcome),
    };
    permit.mark_used(|| SlotTask::LocalActivity { activity_type: attempt.activity_type.clone() });
    let limit = attempt.start_to_close_timeout;
    let (context, info, mut input) = context(&shared, attempt, workflow, cancellation);
    let timer = LocalTimer::start(&shared.metrics, &info);
    let report = |outcome: LocalActivityOutcome| {
        timer.ended(&shared.metrics, &info, &outcome);
        report(outcome);
    };
    let owner = shared.codec.activity(&info);
    let converted = match &owner {
        Some(owner) => input.arguments.iter_mut().try_for_each(|it| shared.converter.finish(it, owner)),
        None => Ok(()),
    };
    let found = converted.map_err(|error| codec::failure(&error)).and_then(|()| shared.activities.find(&info));
    let implementation = match found {
        Ok(implementation) => implementation,
        Err(failure) => return report(LocalActivityOutcome::Failed(Box::new(failure.into_proto()))),
    };
    tracing::debug!(
        target: "stead::worker",
        activity_type = info.activity_type, activity_id = info.activity_id, attempt = info.attempt,
        "local activity started"
    );
    let mut code = Code::spawn(&shared, implementation, input, context.clone());
    let supervisor = Supervisor { shared: &shared, context: &context, limit };
    match supervisor.watch(&mut code).await {
        Some(ended) => report(outcome(Outcome::of(ended, &context, None))),
        None => {
            report(LocalActivityOutcome::TimedOut(TimeoutType::StartToClose));
            // It was told. Until it ends, or is given up, it holds its slot.
            let _ = timeout(DROP_AFTER_TIMEOUT, code.join()).await;
        }
    }
    drop(permit);
}

/// Waits for a slot, no longer than the attempt may.
async fn slot(
    shared: &Shared,
    attempt: &LocalActivityAttempt,
    cancellation: &Cancellation,
) -> Result<Permit, LocalActivityOutcome> {
    let limit = attempt.schedule_to_start_timeout;
    tokio::select! {
        biased;
        permit = shared.local_activity_slots.reserve(false) => Ok(permit),
        _ = cancellation.cancelled() => Err(LocalActivityOutcome::Cancelled(Vec::new())),
        () = after(limit) => Err(LocalActivityOutcome::TimedOut(TimeoutType::ScheduleToStart)),
    }
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}

fn context(
    shared: &Shared,
    attempt: LocalActivityAttempt,
    workflow: WorkflowInfo,
    cancellation: Cancellation,
) -> (Context, Arc<Info>, Input) {
    let mut info = Info::default();
    info.activity_id = attempt.activity_id;
    info.activity_type = attempt.activity_type;
    info.attempt = attempt.attempt;
    info.is_local = true;
    info.namespace = shared.namespace.clone();
    info.task_queue = shared.task_queue.clone();
    info.workflow = Some(workflow);
    info.scheduled_time = Some(attempt.scheduled_time);
    info.current_attempt_scheduled_time = Some(attempt.scheduled_time);
    info.started_time = Some(SystemTime::now());
    info.schedule_to_close_timeout = attempt.schedule_to_close_timeout;
    info.start_to_close_timeout = attempt.start_to_close_timeout;
    info.retry_policy = attempt.retry_policy.map(RetryPolicy::from_proto);
    let parts = ContextParts {
        converter: shared.converter.clone(),
        heartbeat: InterceptedHeartbeats::around(&shared.activity_interceptors, Arc::new(NoHeartbeats)),
        cancellation,
        worker_shutdown: shared.told_to_stop.clone(),
        metrics: shared.metrics.sink().cloned(),
        extensions: shared.extensions.clone(),
    };
    let kept = intercepted_info(shared, &mut info);
    let context = Context::new(info, parts);
    let info = kept.unwrap_or_else(|| context.info());
    let mut input = Input::new(attempt.arguments, context.data_converter().clone());
    input.headers = attempt.headers;
    (context, info, input)
}

/// The server does not know of local activities, so there is nobody to send heartbeats to.
struct NoHeartbeats;

impl HeartbeatSink for NoHeartbeats {
    fn heartbeat(&self, _details: Vec<Payload>) {}
}

/// What goes on beside the code of a local activity.
struct Supervisor<'a> {
    shared: &'a Shared,
    context: &'a Context,
    limit: Option<Duration>,
}

impl Supervisor<'_> {
    /// Waits for the end of the activity. `None` means that its time is over.
    async fn watch(&self, code: &mut Code) -> Option<Ended> {
        let timed_out = pin!(self.timed_out());
        let given_up = pin!(self.given_up());
        tokio::select! {
            biased;
            returned = code.join() => Some(Ended::of(returned)),
            () = timed_out => None,
            () = given_up => Some(Ended::Abandoned),
        }
    }

    async fn timed_out(&self) {
        after(self.limit).await;
        self.context.cancellation().cancel(CancellationDetails::timed_out());
    }

    /// The grace period of a worker that shuts down is over, or nobody has waited for the attempt for a while.
    async fn given_up(&self) {
        let shut_down = async {
            self.shared.lifecycle.reached(Phase::Cancelling).await;
            self.context.cancellation().cancel(CancellationDetails::worker_shutdown());
            self.shared.lifecycle.reached(Phase::Abandoning).await;
        };
        let stopped = async {
            self.context.cancellation().cancelled().await;
            sleep(DROP_AFTER_TIMEOUT).await;
        };
        tokio::select! {
            biased;
            () = shut_down => {}
            () = stopped => {}
        }
    }
}

fn outcome(outcome: Outcome) -> LocalActivityOutcome {
    let failed = |failure: Failure| LocalActivityOutcome::Failed(Box::new(failure.into_proto()));
    match outcome {
        Outcome::Completed(result) => LocalActivityOutcome::Completed(Some(result)),
        Outcome::Failed { failure, .. } => failed(*failure),
        Outcome::Cancelled(details) => LocalActivityOutcome::Cancelled(details),
        // Its run has heard that its time is over, or is gone.
        Outcome::Lost => LocalActivityOutcome::Cancelled(Vec::new()),
        Outcome::CompleteAsync => {
            let message = "a local activity cannot be completed from elsewhere: the server does not know it";
            failed(Failure::application(message).type_name("LocalActivityCompletedAsync").non_retryable())
        }
    }
}
