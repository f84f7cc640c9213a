//! One run of a workflow: jobs in, commands out.

use std::rc::Rc;

use stead_activation::{Activation, Command, Guest, Initialize, Issued, Job, TaskFailure};
use stead_data::Failure;

use crate::context;
use crate::definition::Arguments;
use crate::error;
use crate::executor::Executor;
use crate::guest::{GuestOptions, StartFn};
use crate::handlers::{self, Handlers, unfinished};
use crate::panic;
use crate::program::PayloadFuture;
use crate::runtime::{Moment, Runtime};

/// One run. Dropping it is eviction, which commands nothing.
pub(crate) struct Instance {
    state: State,
}

enum State {
    New {
        start: StartFn,
        options: GuestOptions,
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
    pub(crate) fn new(start: StartFn, options: GuestOptions) -> Self {
        panic::watch();
        Self { state: State::New { start, options } }
    }

    fn apply(&mut self, activation: Activation) -> Result<Vec<Issued>, TaskFailure> {
        let moment = Moment::from(&activation);
        let mut jobs = activation.jobs.into_iter().peekable();
        if let State::New { start, options } = &self.state {
            let Some(Job::Initialize(initialize)) = jobs.next_if(|job| matches!(job, Job::Initialize(_))) else {
                return Err(error::nondeterminism("the first job of a run did not initialize it"));
            };
            let run = Run::start(*start, options.clone(), moment, *initialize)?;
            self.state = State::Running(run);
        }
        let State::Running(run) = &mut self.state else {
            return Err(error::nondeterminism("a run was activated after its workflow task had failed"));
        };
        run.runtime.begin(moment, activation.deployment_version);
        let _inside = context::enter(&run.runtime);
        run.apply(jobs)?;
        Ok(run.runtime.take_commands())
    }
}

impl Instance {
    /// Workflow code has panicked: a bug, for which the task is tried again with better code. In a test there is none to
    /// come, so the workflow may fail for it, with what it had commanded before.
    fn panicked(&mut self, failure: Failure) -> Result<Vec<Issued>, TaskFailure> {
        let mut commands = match &self.state {
            State::Running(run) if run.runtime.panics_fail_workflow() => run.runtime.take_commands(),
            State::New { options, .. } if options.panics_fail_workflows => Vec::new(),
            _ => return Err(error::unhandled(failure)),
        };
        let failure = Box::new(failure.non_retryable().into_proto());
        commands.push(Issued { command: Command::FailWorkflow { failure }, at: None });
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
        let outcome =
            panic::catch(|| self.apply(activation)).unwrap_or_else(|panic| self.panicked(panic.into_failure()));
        if outcome.is_err() {
            self.evict();
        }
        outcome
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.evict();
    }
}

impl Run {
    fn start(
        start: StartFn,
        options: GuestOptions,
        moment: Moment,
        mut initialize: Initialize,
    ) -> Result<Self, TaskFailure> {
        for interceptor in options.interceptors.iter() {
            interceptor.execute(&mut initialize);
        }
        let arguments = std::mem::take(&mut initialize.arguments);
        let runtime = Rc::new(Runtime::new(options, moment, initialize));
        let _inside = context::enter(&runtime);
        let (program, run) = start(&Arguments::new(runtime.info().workflow_type(), &arguments, runtime.converter()))
            .map_err(|error| error::unhandled(handlers::undecodable(&error)))?;
        Ok(Self {
            handlers: Handlers::new(program),
            executor: Executor::new(),
            unstarted: Some(run),
            runtime: Rc::clone(&runtime),
        })
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
    use crate::info::Info;

    /// Many idle runs are kept in memory, so this is what a hundred thousand of them cost, besides their ids and the
    /// user's own future and state.
    #[test]
    fn an_idle_run_is_small() {
        let fixed = size_of::<Instance>() + size_of::<Runtime>() + size_of::<Info>() + Executor::SIZE_OF_TASK;
        assert!(fixed <= 848, "{fixed} bytes");
    }
}
