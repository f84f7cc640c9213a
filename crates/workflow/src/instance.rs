//! One run of a workflow: jobs in, commands out.

use std::rc::Rc;
use std::sync::Arc;

use stead_activation::{
    Activation, Command, Guest, Initialize, Issued, Job, Settings, TaskFailure, VersioningBehavior,
};
use stead_data::Failure;

use crate::context;
use crate::definition::{Arguments, Config};
use crate::error;
use crate::executor::Executor;
use crate::fail_on::FailOn;
use crate::guest::{GuestOptions, StartFn};
use crate::handlers::{self, Handlers, unfinished};
use crate::info::Info;
use crate::panic;
use crate::program::PayloadFuture;
use crate::runtime::{Access, Moment, Runtime};

/// One run. Dropping it is eviction, which commands nothing.
pub(crate) struct Instance {
    state: State,
    fail_on: FailOn,
    versioning: Option<VersioningBehavior>,
}

enum State {
    New {
        start: StartFn,
        options: Arc<GuestOptions>,
    },
    Running(Run),
    /// The last task failed; the code may have stopped anywhere.
    Failed,
}

struct Run {
    runtime: Rc<Runtime>,
    handlers: Handlers,
    executor: Executor,
    /// Until `run` is first polled.
    unstarted: Option<PayloadFuture>,
}

impl Instance {
    pub(crate) fn new(start: StartFn, fail_on: FailOn, options: Arc<GuestOptions>) -> Self {
        panic::watch();
        let versioning = options.versioning;
        Self { state: State::New { start, options }, fail_on, versioning }
    }

    fn apply(&mut self, activation: Activation) -> Result<Vec<Issued>, TaskFailure> {
        let moment = Moment::from(&activation);
        let mut jobs = activation.jobs.into_iter().peekable();
        if let State::New { start, options } = &self.state {
            let Some(Job::Initialize(initialize)) = jobs.next_if(|job| matches!(job, Job::Initialize(_))) else {
                return Err(error::nondeterminism("the first job of a run did not initialize it"));
            };
            let run = Run::start(start, Arc::clone(options), moment, *initialize)?;
            let config = run.config();
            self.fail_on = self.fail_on | config.fail_on;
            self.versioning = config.versioning.or(self.versioning);
            self.state = State::Running(run);
        }
        let State::Running(run) = &mut self.state else {
            return Err(error::nondeterminism("a run was activated after its workflow task had failed"));
        };
        run.runtime.begin(moment, activation.deployment_version);
        let _span = span(&run.runtime.info()).entered();
        let _inside = context::enter(&run.runtime);
        run.apply(jobs)?;
        Ok(run.runtime.take_commands())
    }
}

impl Instance {
    /// The code has a defect, for which the task is tried again with better code. Where there is none to come, as in a
    /// test, the workflow may fail for it, with what it had commanded before.
    fn defective(&mut self, defect: TaskFailure) -> Result<Vec<Issued>, TaskFailure> {
        let mut commands = match &self.state {
            _ if !self.fail_on.is_met_by(defect.cause) => return Err(defect),
            State::Running(run) => run.runtime.take_commands(),
            State::New { .. } => Vec::new(),
            State::Failed => return Err(defect),
        };
        let failure = Failure::from_proto(*defect.failure).non_retryable();
        commands.push(Issued { command: Command::FailWorkflow { failure: Box::new(failure.into_proto()) }, at: None });
        self.evict();
        Ok(commands)
    }

    /// Drops the code where it cannot command anything, even if that happens inside of another run.
    fn evict(&mut self) {
        let _outside = context::leave();
        self.state = State::Failed;
    }
}

impl Guest for Instance {
    fn activate(&mut self, activation: Activation) -> Result<Vec<Issued>, TaskFailure> {
        // One net around everything: whatever panics in here fails this task and nothing else.
        let applied = panic::catch(|| self.apply(activation));
        let outcome = applied.unwrap_or_else(|panic| Err(error::panicked(panic.into_failure())));
        let outcome = outcome.or_else(|defect| self.defective(defect));
        if outcome.is_err() {
            self.evict();
        }
        outcome
    }

    fn settings(&self) -> Settings {
        let mismatch_fails_workflow = self.fail_on.contains(FailOn::NONDETERMINISM);
        Settings { mismatch_fails_workflow, versioning: self.versioning }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.evict();
    }
}

impl Run {
    fn start(
        start: &StartFn,
        options: Arc<GuestOptions>,
        moment: Moment,
        mut initialize: Initialize,
    ) -> Result<Self, TaskFailure> {
        for interceptor in options.interceptors.iter() {
            interceptor.execute(&mut initialize);
        }
        let arguments = std::mem::take(&mut initialize.arguments);
        let runtime = Rc::new(Runtime::new(options, moment, initialize));
        let _span = span(&runtime.info()).entered();
        let _inside = context::enter(&runtime);
        let (program, run) = start(&Arguments::new(runtime.info().workflow_type(), &arguments, runtime.converter()))
            .map_err(|error| error::unconvertible(handlers::undecodable(&error)))?;
        Ok(Self {
            handlers: Handlers::new(program),
            executor: Executor::new(),
            unstarted: Some(run),
            runtime: Rc::clone(&runtime),
        })
    }

    /// What the run says of itself, which its code must find out by reading alone.
    fn config(&self) -> Config {
        let _inside = context::enter(&self.runtime);
        let _reading = self.runtime.read_only(Access::Reads);
        self.handlers.config()
    }

    /// Signals and updates go first and as far as they can, so that what they change is seen by the code that the other
    /// jobs wake.
    fn apply(&mut self, mut jobs: std::iter::Peekable<std::vec::IntoIter<Job>>) -> Result<(), TaskFailure> {
        while let Some(job) = jobs.next_if(|job| !is_resolution(job)) {
            self.apply_early(job)?;
        }
        self.executor.drain(&self.runtime)?;
        let mut cancellation = None;
        let mut queries = Vec::new();
        for job in jobs {
            match job {
                Job::FireTimer { seq } => self.runtime.fire_timer(seq)?,
                Job::ResolveActivity { seq, resolution } => self.runtime.resolve_activity(seq, resolution)?,
                Job::ResolveChildWorkflowStart { seq, resolution } => {
                    self.runtime.with_remote(|remote| remote.resolve_child_start(seq, resolution))?;
                }
                Job::ResolveChildWorkflow { seq, resolution } => {
                    self.runtime.with_remote(|remote| remote.resolve_child(seq, resolution))?;
                }
                Job::ResolveNexusOperationStart { seq, resolution } => {
                    self.runtime.with_remote(|remote| remote.resolve_nexus_start(seq, resolution))?;
                }
                Job::ResolveNexusOperation { seq, resolution } => {
                    self.runtime.with_remote(|remote| remote.resolve_nexus(seq, resolution))?;
                }
                Job::ResolveSignalExternal { seq, failure } => {
                    self.runtime.with_remote(|remote| remote.resolve_signal(seq, failure))?;
                }
                Job::ResolveCancelExternal { seq, failure } => {
                    self.runtime.with_remote(|remote| remote.resolve_cancel(seq, failure))?;
                }
                Job::CancelWorkflow { reason } => cancellation = Some(reason),
                Job::Query(query) => queries.push(query),
                job => return Err(out_of_order(&job)),
            }
        }
        if let Some(reason) = cancellation {
            // After the resolutions: what has ended is not cancelled.
            self.runtime.cancel(&reason);
        }
        if let Some(run) = self.unstarted.take() {
            let run = self.runtime.interceptors().rev().fold(run, |inner, it| it.around_run(inner));
            self.executor.add_run(&self.runtime, run);
        }
        self.executor.drain(&self.runtime)?;
        for query in queries {
            self.handlers.query(&self.runtime, *query);
        }
        self.end();
        Ok(())
    }

    fn apply_early(&mut self, job: Job) -> Result<(), TaskFailure> {
        match job {
            Job::NotifyHasPatch { id } => self.runtime.patches().borrow_mut().recorded(id),
            Job::UpdateRandomSeed(seed) => self.runtime.random().borrow_mut().reseed(seed),
            Job::Signal(signal) => self.handlers.signal(&self.runtime, &mut self.executor, *signal),
            Job::Update(update) => self.handlers.update(&self.runtime, &mut self.executor, *update)?,
            job => return Err(out_of_order(&job)),
        }
        Ok(())
    }

    /// Lets go of what a run that has ended does not need to answer queries.
    fn end(&mut self) {
        if !self.runtime.is_finished() {
            return;
        }
        unfinished::warn(&self.runtime, &self.executor.stop());
    }
}

/// What the events of workflow code stand in, so that a log says whose they are: at level error, so that they do so under a
/// filter that lets the SDK's errors alone through.
fn span(info: &Info) -> tracing::Span {
    tracing::error_span!(
        target: "stead::workflow",
        "workflow",
        workflow_id = info.workflow_id(),
        run_id = info.run_id(),
        workflow_type = info.workflow_type(),
        namespace = info.namespace(),
        task_queue = info.task_queue(),
        attempt = info.attempt(),
    )
}

fn is_resolution(job: &Job) -> bool {
    match job {
        Job::Initialize(_)
        | Job::NotifyHasPatch { .. }
        | Job::UpdateRandomSeed(_)
        | Job::Signal(_)
        | Job::Update(_) => false,
        Job::CancelWorkflow { .. }
        | Job::FireTimer { .. }
        | Job::ResolveActivity { .. }
        | Job::ResolveChildWorkflowStart { .. }
        | Job::ResolveChildWorkflow { .. }
        | Job::ResolveSignalExternal { .. }
        | Job::ResolveCancelExternal { .. }
        | Job::ResolveNexusOperationStart { .. }
        | Job::ResolveNexusOperation { .. }
        | Job::Query(_) => true,
    }
}

fn out_of_order(job: &Job) -> TaskFailure {
    let name = match job {
        Job::Initialize(_) => "initialize",
        Job::NotifyHasPatch { .. } => "notify of a patch",
        Job::UpdateRandomSeed(_) => "update the random seed",
        Job::Signal(_) => "signal",
        Job::Update(_) => "update",
        Job::CancelWorkflow { .. } => "cancel",
        Job::FireTimer { .. } => "fire a timer",
        Job::ResolveActivity { .. } => "resolve an activity",
        Job::ResolveChildWorkflowStart { .. } => "resolve the start of a child workflow",
        Job::ResolveChildWorkflow { .. } => "resolve a child workflow",
        Job::ResolveSignalExternal { .. } => "resolve a signal to another workflow",
        Job::ResolveCancelExternal { .. } => "resolve a request to cancel another workflow",
        Job::ResolveNexusOperationStart { .. } => "resolve the start of a Nexus operation",
        Job::ResolveNexusOperation { .. } => "resolve a Nexus operation",
        Job::Query(_) => "query",
    };
    error::nondeterminism(format!("a job came out of order in its activation: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many idle runs are kept in memory, so this is what a hundred thousand of them cost, besides their ids and the
    /// user's own future and state.
    #[test]
    fn an_idle_run_is_small() {
        let fixed = size_of::<Instance>() + size_of::<Runtime>() + size_of::<Info>() + Executor::SIZE_OF_TASK;
        assert!(fixed <= 848, "{fixed} bytes");
    }
}
