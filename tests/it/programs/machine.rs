//! The workflow that does what a random program says.

use stead::data::{KeywordList, ParentClosePolicy, SearchAttribute};
use stead::prelude::*;
use stead::workflow::{
    ActivityCancellation, CancelScope, ChildWorkflowCancellation, LocalBoxFuture, NexusCall, NexusOperationCancellation,
};

use super::program::{Cancellation, EndCancellation, Program, Step};

/// Every server has this one.
const VERSIONS: SearchAttribute<KeywordList> = SearchAttribute::new("BuildIds");
/// At most so often a run continues as new.
const ROUNDS: u32 = 2;

pub struct Tools;

#[activities]
impl Tools {
    /// Fails as often as it is told to.
    #[activity]
    async fn work(&self, takes: u64, failures: u32, sum: u64) -> activity::Result<u64> {
        tokio::select! {
            biased;
            () = tokio::time::sleep(millis(takes)) => {}
            _ = activity::cancelled() => return Err(activity::Error::cancelled()),
        }
        if activity::info().attempt <= failures {
            return Err("not this time".into());
        }
        Ok(mix(sum, takes))
    }
}

pub struct Desk;

#[nexus_service]
impl Desk {
    #[operation]
    async fn decide(&self, (takes, refused): (u64, bool)) -> nexus::Result<u64> {
        tokio::time::sleep(millis(takes)).await;
        if refused { Err(nexus::Error::operation_failed("refused")) } else { Ok(mix(takes, 1)) }
    }

    #[operation]
    async fn delegate(&self, program: Program) -> nexus::Result<nexus::Started<u64>> {
        let request = nexus::info().start.as_ref().map(|start| start.request_id.clone()).unwrap_or_default();
        let run = nexus::client().start_workflow(Machine::run, (program, ROUNDS));
        nexus::start(run.id(format!("delegate-{request}"))).await
    }
}

/// The endpoint that leads to the workers of a task queue.
pub fn endpoint(task_queue: &str) -> String {
    format!("of-{task_queue}")
}

/// What all parts of a program have in common.
#[derive(Default)]
struct Common {
    /// Of everything that was learned so far: what differs once makes all that follows differ.
    sum: Cell<u64>,
    signals: Cell<u64>,
    lock: workflow::Mutex<u64>,
    next: RefCell<Option<Program>>,
}

#[derive(Default)]
pub struct Machine {
    common: Rc<Common>,
}

#[workflow]
impl Machine {
    #[run]
    pub async fn run(&self, program: Program, round: u32) -> workflow::Result<u64> {
        let common = Rc::clone(&self.common);
        let ran = perform(program, Rc::clone(&common)).await;
        if let Some(next) = common.next.take().filter(|_| round < ROUNDS) {
            workflow::all_handlers_finished().await;
            return workflow::continue_as_new(Self::run, (next, round + 1)).exit();
        }
        ran?;
        Ok(common.sum.get())
    }

    #[signal]
    pub fn bump(&self, by: u64) {
        self.common.signals.set(self.common.signals.get() + by);
    }

    #[signal]
    pub async fn act(&self, program: Program) -> workflow::Result<()> {
        // What fails here would close the workflow.
        let _ = perform(program, Rc::clone(&self.common)).await;
        Ok(())
    }

    #[update(validator = is_short)]
    pub async fn perform(&self, program: Program) -> workflow::Result<u64> {
        perform(program, Rc::clone(&self.common)).await?;
        Ok(self.common.sum.get())
    }

    fn is_short(&self, program: &Program) -> Result<(), stead::Failure> {
        if program.len() > 3 { Err(stead::Failure::application("too long")) } else { Ok(()) }
    }

    #[query]
    pub fn sum(&self) -> u64 {
        self.common.sum.get()
    }
}

fn mix(one: u64, other: u64) -> u64 {
    (one ^ other).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// Does the steps. What fails goes into the sum, as anything else; what is cancelled ends here.
fn perform(program: Program, common: Rc<Common>) -> LocalBoxFuture<'static, workflow::Result<()>> {
    Box::pin(async move {
        for step in program {
            let is_fail = matches!(step, Step::Fail);
            let learned = match perform_step(step, &common).await {
                Ok(learned) => learned,
                Err(error) if error.is_cancelled() || is_fail => return Err(error),
                Err(error) => error.to_string().bytes().fold(0, |sum, byte| mix(sum, byte.into())),
            };
            common.sum.set(mix(common.sum.get(), learned));
        }
        Ok(())
    })
}

async fn perform_step(step: Step, common: &Rc<Common>) -> workflow::Result<u64> {
    let part = |program| perform(program, Rc::clone(common));
    let sum = common.sum.get();
    match step {
        Step::Sleep(time) => {
            workflow::sleep(millis(time)).await?;
            Ok(1)
        }
        Step::Activity { takes, failures, cancellation } => {
            let call = workflow::activity(Tools::work, (takes, failures, sum)).start_to_close(secs(10));
            let retry = RetryPolicy::default().initial_interval(millis(2)).max_attempts(3);
            Ok(call.retry(retry).cancellation(activity_cancellation(cancellation)).await?)
        }
        Step::LocalActivity { takes, failures, cancellation, backoff } => {
            let call = workflow::local_activity(Tools::work, (takes, failures, sum)).start_to_close(secs(10));
            let retry = RetryPolicy::default().initial_interval(millis(backoff)).max_attempts(3);
            let call = call.retry(retry).local_retry_threshold(secs(1));
            Ok(call.cancellation(activity_cancellation(cancellation)).await?)
        }
        Step::Child { program, cancellation } => {
            let cancellation = match cancellation {
                EndCancellation::Try => ChildWorkflowCancellation::TryCancel,
                EndCancellation::Requested => ChildWorkflowCancellation::WaitCancellationRequested,
                EndCancellation::Completed => ChildWorkflowCancellation::WaitCancellationCompleted,
                EndCancellation::Abandon => ChildWorkflowCancellation::Abandon,
            };
            Ok(workflow::child(Machine::run, (program, ROUNDS)).cancellation(cancellation).await?)
        }
        Step::Abandon(program) => {
            let child = workflow::child(Machine::run, (program, ROUNDS));
            let child = child.parent_close_policy(ParentClosePolicy::Abandon).start().await?;
            child.signal(Machine::bump, 1).await?;
            Ok(child.id().len() as u64)
        }
        Step::Operation { takes, refused, cancellation } => {
            Ok(cancelled_by(desk().call(Desk::decide, (takes, refused)), cancellation).await?)
        }
        Step::Delegate { program, within, cancellation } => {
            let call = cancelled_by(desk().call(Desk::delegate, program), cancellation);
            Ok(match within {
                Some(within) => call.schedule_to_close(millis(within)).await?,
                None => call.await?,
            })
        }
        Step::SignalWithStart => {
            let id = format!("{}-sibling", workflow::info().workflow_id());
            let call = workflow::signal_with_start(Machine::run, (Program::new(), ROUNDS)).signal(Machine::bump, 1);
            let sibling = call.id(id).await?;
            Ok(sibling.run_id().map_or(0, |run_id| run_id.len() as u64))
        }
        Step::SignalParent => {
            let parent = workflow::info().parent().map(|parent| parent.execution.workflow_id.clone());
            let Some(parent) = parent else { return Ok(0) };
            workflow::external::<Machine>(parent).signal(Machine::bump, 1).await?;
            Ok(1)
        }
        Step::SignalNobody => {
            workflow::external::<Machine>("nobody").signal(Machine::bump, sum).await?;
            Ok(1)
        }
        Step::CancelNobody => {
            workflow::external::<Machine>("nobody").cancel().reason("no reason").await?;
            Ok(1)
        }
        Step::Signals { count, within } => {
            let wanted = common.signals.get() + count;
            let came = workflow::wait_until(|| common.signals.get() >= wanted).timeout(millis(within)).await;
            Ok(u64::from(came?))
        }
        Step::Memo => {
            workflow::upsert_memo("sum", &Some(sum));
            Ok(workflow::memo::<u64>("sum").ok().flatten().unwrap_or_default())
        }
        Step::SearchAttribute => {
            workflow::upsert_search_attributes([VERSIONS.set([format!("{:x}", sum % 16)])]);
            Ok(1)
        }
        Step::Random => Ok(mix(workflow::random(), workflow::uuid().as_u64_pair().0)),
        Step::Now => {
            let now = workflow::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Ok(now.as_millis() as u64)
        }
        Step::Patch(number) => {
            let is_patched = workflow::patched(&format!("patch-{number}"));
            if is_patched {
                workflow::sleep(millis(1)).await?;
            }
            Ok(u64::from(is_patched))
        }
        Step::Join(programs) => {
            let all = workflow::join_all(programs.into_iter().map(part)).await;
            all.into_iter().collect::<workflow::Result<Vec<()>>>()?;
            Ok(1)
        }
        Step::Race(one, other) => workflow::select! {
            ended = part(one) => ended.map(|()| 1),
            ended = part(other) => ended.map(|()| 2),
        },
        Step::AsCompleted(programs) => {
            let mut completed = workflow::as_completed(programs.into_iter().map(part));
            while let Some(ended) = completed.next().await {
                ended?;
                common.sum.set(mix(common.sum.get(), 1));
            }
            Ok(1)
        }
        Step::Within(time, program) => {
            let ended = workflow::scope(part(program)).timeout(millis(time)).await;
            match ended {
                // Of the scope, and not of the whole.
                Err(error) if error.is_timeout() => Ok(2),
                other => other.map(|()| 1),
            }
        }
        Step::CancelAfter(time, program) => {
            let scope = CancelScope::new();
            let inner = scope.run(part(program));
            let ended = workflow::join!(inner, async {
                let slept = workflow::sleep(millis(time)).await;
                scope.cancel("it takes too long");
                slept
            });
            ended.1?;
            Ok(if ended.0.is_ok() { 1 } else { 2 })
        }
        Step::Shield(program) => {
            workflow::shield(part(program)).await?;
            Ok(1)
        }
        Step::Spawn(program) => {
            drop(workflow::spawn(part(program)));
            Ok(1)
        }
        Step::Locked(program) => {
            let mut held = common.lock.lock().await?;
            let ended = part(program).await;
            *held = mix(*held, common.sum.get());
            ended?;
            Ok(*held)
        }
        Step::Saga(program) => {
            let undo = vec![Step::Activity { takes: 1, failures: 0, cancellation: Cancellation::Wait }];
            let saga = workflow::saga(async |saga| {
                saga.undo_by(part(undo));
                part(program).await
            });
            saga.await.map(|()| 1)
        }
        Step::Fail => Err(stead::Failure::application("as it was told to").type_name("Told").into()),
        Step::ContinueAsNew(program) => {
            *common.next.borrow_mut() = Some(program);
            Ok(1)
        }
    }
}

fn activity_cancellation(cancellation: Cancellation) -> ActivityCancellation {
    match cancellation {
        Cancellation::Try => ActivityCancellation::TryCancel,
        Cancellation::Wait => ActivityCancellation::WaitCancellationCompleted,
        Cancellation::Abandon => ActivityCancellation::Abandon,
    }
}

fn desk() -> workflow::NexusEndpoint<Desk> {
    workflow::nexus(endpoint(workflow::info().task_queue()))
}

fn cancelled_by<O>(call: NexusCall<O>, cancellation: EndCancellation) -> NexusCall<O> {
    call.cancellation(match cancellation {
        EndCancellation::Try => NexusOperationCancellation::TryCancel,
        EndCancellation::Requested => NexusOperationCancellation::WaitCancellationRequested,
        EndCancellation::Completed => NexusOperationCancellation::WaitCancellationCompleted,
        EndCancellation::Abandon => NexusOperationCancellation::Abandon,
    })
}
