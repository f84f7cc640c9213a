//! The tasks of one run, polled in a fixed order until none of them can go on.
//!
//! The order is: `run`, then handlers and spawned tasks as they came. A task is polled when it was woken, and tasks that
//! wait for state are woken whenever some code has run since they last looked. Nothing here depends on time, addresses
//! or threads, so the same activations give the same polls.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use stead_activation::{Command, Payload, TaskFailure, UpdateResponse};
use stead_data::Failure;

use crate::call::{self, HandlerCall};
use crate::definition::LocalBoxFuture;
use crate::error::{self, Error, Reason, Result};
use crate::program::{PayloadFuture, SignalFuture};
use crate::runtime::Runtime;
use crate::scope::{self, Scope};
use crate::waker::{TaskWaker, Woken};
use crate::watch::{PollWatch, Unrecorded};

type Outcome<T> = std::result::Result<T, TaskFailure>;

/// The tasks of one run.
pub(crate) struct Executor {
    tasks: Vec<Task>,
}

struct Task {
    work: Work,
    scope: Scope,
    /// The call of the handler that this is, or that spawned it.
    call: Option<Rc<HandlerCall>>,
    woken: Arc<TaskWaker>,
    waker: Waker,
}

/// What a task does, and who wants its result.
pub(crate) enum Work {
    Run(PayloadFuture),
    Signal(SignalFuture),
    Update(PayloadFuture),
    Spawned(LocalBoxFuture<'static, ()>),
}

/// A task that code of the workflow has started while it was polled.
pub(crate) struct Started {
    pub(crate) scope: Scope,
    pub(crate) call: Option<Rc<HandlerCall>>,
    pub(crate) work: Work,
}

enum Finished {
    Run(Result<Payload>),
    Signal(Result<()>),
    Update(Result<Payload>),
    Spawned,
}

impl Executor {
    #[cfg(test)]
    pub(crate) const SIZE_OF_TASK: usize = size_of::<Task>() + size_of::<TaskWaker>();

    pub(crate) const fn new() -> Self {
        Self { tasks: Vec::new() }
    }

    /// Adds `run`, which goes before everything else.
    pub(crate) fn add_run(&mut self, runtime: &Rc<Runtime>, future: PayloadFuture) {
        self.tasks.reserve_exact(1);
        self.tasks.insert(0, Task::new(runtime, Scope::Workflow, None, Work::Run(future)));
    }

    /// Adds a handler that is to run.
    pub(crate) fn add_handler(&mut self, runtime: &Rc<Runtime>, call: Rc<HandlerCall>, work: Work) {
        runtime.handler_started();
        self.tasks.push(Task::new(runtime, Scope::Workflow, Some(call), work));
    }

    /// Polls until nothing in the workflow can go on.
    pub(crate) fn drain(&mut self, runtime: &Rc<Runtime>) -> Outcome<()> {
        if self.poll_woken(runtime)? {
            runtime.note_progress();
        }
        // Looking at a condition is no progress in itself; only one that has come to hold is, and it says so.
        while runtime.take_progress() && runtime.waits().borrow().wake_all() {
            self.poll_woken(runtime)?;
        }
        runtime.take_task_failure().map_or(Ok(()), Err)
    }

    /// Drops what is left once the run has ended, and returns the calls of handlers that were still running.
    pub(crate) fn stop(&mut self) -> Vec<Rc<HandlerCall>> {
        let tasks = std::mem::take(&mut self.tasks);
        tasks.into_iter().filter(|task| task.work.is_handler()).filter_map(|task| task.call).collect()
    }

    /// Polls every task that was woken, over and over until none is. Returns whether there was one.
    fn poll_woken(&mut self, runtime: &Rc<Runtime>) -> Outcome<bool> {
        let mut polled = false;
        while self.poll_round(runtime)? {
            polled = true;
        }
        Ok(polled)
    }

    fn poll_round(&mut self, runtime: &Rc<Runtime>) -> Outcome<bool> {
        let mut polled = false;
        let mut index = 0;
        self.adopt_spawned(runtime);
        while let Some(task) = self.tasks.get(index) {
            index += match task.woken.take() {
                Woken::No => 1,
                Woken::FromOutside => return Err(foreign_wake(runtime)),
                Woken::Yes => {
                    polled = true;
                    let went_on = self.poll_task(runtime, index)?;
                    self.adopt_spawned(runtime);
                    usize::from(went_on)
                }
            };
        }
        Ok(polled)
    }

    fn adopt_spawned(&mut self, runtime: &Rc<Runtime>) {
        for Started { scope, call, work } in runtime.take_started() {
            self.tasks.push(Task::new(runtime, scope, call, work));
        }
    }

    /// Polls one task; returns whether it is still there.
    fn poll_task(&mut self, runtime: &Rc<Runtime>, index: usize) -> Outcome<bool> {
        let issued_before = runtime.command_count();
        let task = &mut self.tasks[index];
        let finished = match runtime.poll_watch() {
            None => task.poll(runtime),
            Some(watch) => task.poll_watched(runtime, &**watch)?,
        };
        if let Some(failure) = runtime.take_task_failure() {
            return Err(failure);
        }
        let Poll::Ready(finished) = finished else {
            return Ok(true);
        };
        let task = self.tasks.remove(index);
        if task.woken.take() == Woken::FromOutside {
            return Err(foreign_wake(runtime));
        }
        if task.work.is_handler() {
            runtime.handler_ended();
        }
        settle(runtime, finished, task.call, issued_before)?;
        Ok(false)
    }
}

impl Task {
    fn new(runtime: &Rc<Runtime>, scope: Scope, call: Option<Rc<HandlerCall>>, work: Work) -> Self {
        let woken = TaskWaker::new(Runtime::identity(runtime));
        Self { work, scope, call, waker: Waker::from(Arc::clone(&woken)), woken }
    }

    fn poll(&mut self, runtime: &Rc<Runtime>) -> Poll<Finished> {
        let _scope = scope::enter(runtime, self.scope.clone());
        let _call = call::enter(runtime, self.call.clone());
        let cx = &mut Context::from_waker(&self.waker);
        match &mut self.work {
            Work::Run(future) => future.as_mut().poll(cx).map(Finished::Run),
            Work::Signal(future) => future.as_mut().poll(cx).map(Finished::Signal),
            Work::Spawned(future) => future.as_mut().poll(cx).map(|()| Finished::Spawned),
            Work::Update(future) => future.as_mut().poll(cx).map(Finished::Update),
        }
    }

    fn poll_watched(&mut self, runtime: &Rc<Runtime>, watch: &dyn PollWatch) -> Outcome<Poll<Finished>> {
        let mut finished = Poll::Pending;
        match watch.watch(&mut || finished = self.poll(runtime)) {
            None => Ok(finished),
            Some(seen) => Err(unrecorded(runtime, seen)),
        }
    }
}

impl Work {
    /// Whether this is a handler, and not something that one has started.
    fn is_handler(&self) -> bool {
        matches!(self, Self::Signal(_) | Self::Update(_))
    }
}

/// Turns what a task returned into commands.
fn settle(runtime: &Runtime, finished: Finished, call: Option<Rc<HandlerCall>>, issued_before: usize) -> Outcome<()> {
    match finished {
        Finished::Spawned | Finished::Signal(Ok(())) => {}
        Finished::Run(Ok(result)) => {
            runtime.finish(Command::CompleteWorkflow { result: Some(result) }, issued_before);
        }
        Finished::Run(Err(error)) | Finished::Signal(Err(error)) => {
            runtime.finish(last_command(runtime, error), issued_before);
        }
        Finished::Update(result) => {
            let protocol_instance_id = call.map(|call| call.protocol_instance_id()).unwrap_or_default();
            let response = update_response(result)?;
            runtime.answer(Command::RespondUpdate { protocol_instance_id, response });
        }
    }
    Ok(())
}

/// How the run ends when its code returns `error`.
fn last_command(runtime: &Runtime, error: Error) -> Command {
    match error.into_reason() {
        Reason::ContinueAsNew(mut next) => {
            for interceptor in runtime.interceptors().rev() {
                interceptor.continue_as_new(&mut next);
            }
            Command::ContinueAsNew(next)
        }
        Reason::Failure(failure) if failure.is_cancelled() && runtime.is_cancelled() => Command::CancelWorkflow,
        Reason::Failure(failure) => Command::FailWorkflow { failure: Box::new(failure.into_proto()) },
    }
}

fn update_response(result: Result<Payload>) -> Outcome<UpdateResponse> {
    match result.map_err(Error::into_reason) {
        Ok(payload) => Ok(UpdateResponse::Completed(Some(payload))),
        Err(Reason::Failure(failure)) => Ok(UpdateResponse::Rejected(Box::new(failure.into_proto()))),
        Err(Reason::ContinueAsNew(_)) => {
            Err(error::unhandled(Failure::application("Cannot continue as new from an update handler")))
        }
    }
}

fn unrecorded(runtime: &Runtime, seen: Unrecorded) -> TaskFailure {
    let Unrecorded { call, instead, stack_trace } = seen;
    let info = runtime.info();
    let mut failure = error::nondeterminism(format!(
        "workflow {} ({}) called `{call}`, which may give something else when it is replayed (determinism guard): \
         {instead}; what is harmless goes into `workflow::unwatched`",
        info.workflow_type(),
        info.workflow_id(),
    ));
    failure.failure.stack_trace = stack_trace;
    failure
}

fn foreign_wake(runtime: &Runtime) -> TaskFailure {
    let info = runtime.info();
    error::nondeterminism(format!(
        "a future of workflow {} ({}) was woken from outside of the workflow, by another thread, a runtime or another \
         run, at a time that a replay would not repeat: use what `workflow` offers (`workflow::sleep`, \
         `workflow::spawn`), and do I/O in activities",
        info.workflow_type(),
        info.workflow_id(),
    ))
}
