//! The state of one run that its code reaches through the context: the clock, what is pending, what was commanded.
//!
//! Everything here is behind cells because a future of the run can ask for it at any depth. No cell is borrowed while
//! code of the user runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::SystemTime;

use stead_activation::{
    Activation, ActivityResolution, CallSite, Command, DeploymentVersion, Initialize, Issued, Seq, TaskFailure,
};
use stead_data::{DataConverter, Failure};

use crate::definition::LocalBoxFuture;
use crate::error::{self, Cancelled};
use crate::guest::GuestOptions;
use crate::info::Info;
use crate::interceptor::WorkflowInterceptor;
use crate::ops::Pending;
use crate::ops::wait::Waits;
use crate::patch::Patches;
use crate::random::Random;
use crate::scope::Scope;
use crate::signals::Signals;

pub(crate) struct Runtime {
    options: GuestOptions,
    info: Rc<Info>,
    moment: Cell<Moment>,
    deployment_version: RefCell<Option<Rc<DeploymentVersion>>>,
    random: RefCell<Random>,
    patches: RefCell<Patches>,
    timers: RefCell<Pending<Result<(), Cancelled>>>,
    activities: RefCell<Pending<ActivityResolution>>,
    waits: RefCell<Waits>,
    signals: RefCell<Signals>,
    spawned: RefCell<Vec<(Scope, LocalBoxFuture<'static, ()>)>>,
    commands: RefCell<Vec<Issued>>,
    cancellation: RefCell<Option<Rc<str>>>,
    task_failure: RefCell<Option<Box<TaskFailure>>>,
    running_handlers: Cell<usize>,
    scope: Cell<Scope>,
    read_only: Cell<bool>,
    finished: Cell<bool>,
    progress: Cell<bool>,
}

/// What an activation says of the run as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) timestamp: SystemTime,
    pub(crate) history_size_bytes: u64,
    pub(crate) history_length: u32,
    pub(crate) is_replaying: bool,
    pub(crate) continue_as_new_suggested: bool,
}

impl From<&Activation> for Moment {
    fn from(activation: &Activation) -> Self {
        Self {
            timestamp: activation.timestamp,
            history_size_bytes: activation.history_size_bytes,
            history_length: activation.history_length,
            is_replaying: activation.is_replaying,
            continue_as_new_suggested: activation.continue_as_new_suggested,
        }
    }
}

impl Runtime {
    pub(crate) fn new(options: GuestOptions, moment: Moment, initialize: Initialize) -> Self {
        let random = Random::seeded(initialize.randomness_seed);
        Self {
            options,
            info: Rc::new(Info::new(initialize)),
            moment: Cell::new(moment),
            deployment_version: RefCell::new(None),
            random: RefCell::new(random),
            patches: RefCell::new(Patches::new()),
            timers: RefCell::new(Pending::new()),
            activities: RefCell::new(Pending::new()),
            waits: RefCell::new(Waits::new()),
            signals: RefCell::new(Signals::new()),
            spawned: RefCell::new(Vec::new()),
            commands: RefCell::new(Vec::new()),
            cancellation: RefCell::new(None),
            task_failure: RefCell::new(None),
            running_handlers: Cell::new(0),
            scope: Cell::new(Scope::Workflow),
            read_only: Cell::new(false),
            finished: Cell::new(false),
            progress: Cell::new(false),
        }
    }

    /// A number that no other living run has.
    pub(crate) fn identity(this: &Rc<Self>) -> usize {
        Rc::as_ptr(this).addr()
    }

    /// Moves the clock and what else the activation says of the run.
    pub(crate) fn begin(&self, moment: Moment, version: Option<DeploymentVersion>) {
        self.moment.set(moment);
        let mut known = self.deployment_version.borrow_mut();
        if known.as_deref() != version.as_ref() {
            *known = version.map(Rc::new);
        }
    }

    pub(crate) fn moment(&self) -> Moment {
        self.moment.get()
    }

    pub(crate) fn deployment_version(&self) -> Option<Rc<DeploymentVersion>> {
        self.deployment_version.borrow().clone()
    }

    pub(crate) fn info(&self) -> &Rc<Info> {
        &self.info
    }

    pub(crate) fn converter(&self) -> &DataConverter {
        &self.options.converter
    }

    pub(crate) fn interceptors(&self) -> impl Iterator<Item = &dyn WorkflowInterceptor> {
        self.options.interceptors.iter().map(|interceptor| &**interceptor)
    }

    pub(crate) fn random(&self) -> &RefCell<Random> {
        &self.random
    }

    pub(crate) fn patches(&self) -> &RefCell<Patches> {
        &self.patches
    }

    pub(crate) fn timers(&self) -> &RefCell<Pending<Result<(), Cancelled>>> {
        &self.timers
    }

    pub(crate) fn activities(&self) -> &RefCell<Pending<ActivityResolution>> {
        &self.activities
    }

    pub(crate) fn waits(&self) -> &RefCell<Waits> {
        &self.waits
    }

    pub(crate) fn signals(&self) -> &RefCell<Signals> {
        &self.signals
    }

    pub(crate) fn scope(&self) -> &Cell<Scope> {
        &self.scope
    }
}

/// Commands.
impl Runtime {
    /// Adds a command that the code at `at` asked for. A run that has ended commands nothing more.
    pub(crate) fn issue(&self, command: Command, at: CallSite) {
        self.note_operation(at);
        self.push(command, Some(at));
    }

    /// Adds a command that no line asked for: it follows from a drop, or from cancellation of the workflow.
    pub(crate) fn issue_unasked(&self, command: Command) {
        self.push(command, None);
    }

    /// As [`issue_unasked`](Self::issue_unasked), unless the drop is part of a panic, which fails the task anyway.
    pub(crate) fn issue_by_drop(&self, command: Command) {
        if !std::thread::panicking() {
            self.issue_unasked(command);
        }
    }

    fn push(&self, command: Command, at: Option<CallSite>) {
        if !self.finished.get() {
            self.commands.borrow_mut().push(Issued { command, at });
        }
    }

    /// Answers an update or a query, which a run does even after its end.
    pub(crate) fn answer(&self, command: Command) {
        self.commands.borrow_mut().push(Issued { command, at: None });
    }

    /// Ends the run with `command`, without the cancellations that follow from what the code dropped on its way out: they
    /// are the commands without a line from the one at `from` on. The first end wins.
    pub(crate) fn finish(&self, command: Command, from: usize) {
        if self.finished.replace(true) {
            return;
        }
        let mut commands = self.commands.borrow_mut();
        let mut index = 0;
        commands.retain(|issued| {
            index += 1;
            index <= from || issued.at.is_some() || !is_cancellation(&issued.command)
        });
        commands.push(Issued { command, at: None });
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.get()
    }

    pub(crate) fn command_count(&self) -> usize {
        self.commands.borrow().len()
    }

    pub(crate) fn take_commands(&self) -> Vec<Issued> {
        self.commands.take()
    }

    /// Remembers the line for whoever watches this thread.
    pub(crate) fn note_operation(&self, at: CallSite) {
        self.options.last_operation.record(at);
    }
}

fn is_cancellation(command: &Command) -> bool {
    matches!(command, Command::CancelTimer { .. } | Command::CancelActivity { .. })
}

/// Reading only.
impl Runtime {
    /// Forbids commands until the guard is dropped.
    pub(crate) fn read_only(&self) -> ReadOnly<'_> {
        ReadOnly { flag: &self.read_only, outer: self.read_only.replace(true) }
    }

    /// Stops code that must not have an effect.
    ///
    /// # Panics
    ///
    /// In queries, validators and conditions. The panic is caught where those are called.
    #[track_caller]
    pub(crate) fn assert_writable(&self, action: &str) {
        assert!(!self.read_only.get(), "While in read-only function, action attempted: {action}");
    }
}

pub(crate) struct ReadOnly<'a> {
    flag: &'a Cell<bool>,
    outer: bool,
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        self.flag.set(self.outer);
    }
}

/// Cancellation.
impl Runtime {
    /// Cancels what is pending outside of shields. The first request counts.
    pub(crate) fn cancel(&self, reason: &str) {
        if self.is_cancelled() {
            return;
        }
        *self.cancellation.borrow_mut() = Some(Rc::from(reason));
        let timers = self.timers.borrow_mut().request_cancel_all(Scope::Workflow);
        for seq in timers {
            // The number was just read from the table, so it is one that was issued.
            let _ = self.timers.borrow_mut().resolve(seq, Err(Cancelled));
            self.issue_unasked(Command::CancelTimer { seq });
        }
        let activities = self.activities.borrow_mut().request_cancel_all(Scope::Workflow);
        for seq in activities {
            self.issue_unasked(Command::CancelActivity { seq });
        }
        self.waits.borrow().wake_all();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellation.borrow().is_some()
    }

    pub(crate) fn cancellation_reason(&self) -> Option<Rc<str>> {
        self.cancellation.borrow().clone()
    }

    /// Whether what starts now is cancelled already.
    pub(crate) fn is_scope_cancelled(&self) -> bool {
        self.scope.get() == Scope::Workflow && self.is_cancelled()
    }
}

/// What the executor asks for.
impl Runtime {
    /// Fails the workflow task once the code that runs now comes back. The first failure counts.
    pub(crate) fn fail_task(&self, failure: Failure) {
        let mut known = self.task_failure.borrow_mut();
        if known.is_none() {
            *known = Some(Box::new(error::unhandled(failure)));
        }
    }

    pub(crate) fn take_task_failure(&self) -> Option<TaskFailure> {
        self.task_failure.borrow_mut().take().map(|failure| *failure)
    }

    pub(crate) fn spawn(&self, future: LocalBoxFuture<'static, ()>) {
        self.spawned.borrow_mut().push((self.scope.get(), future));
    }

    pub(crate) fn take_spawned(&self) -> Vec<(Scope, LocalBoxFuture<'static, ()>)> {
        self.spawned.take()
    }

    /// State may have changed: conditions have to be looked at again.
    pub(crate) fn note_progress(&self) {
        self.progress.set(true);
    }

    pub(crate) fn take_progress(&self) -> bool {
        self.progress.replace(false)
    }

    pub(crate) fn running_handlers(&self) -> usize {
        self.running_handlers.get()
    }

    pub(crate) fn handler_started(&self) {
        self.running_handlers.set(self.running_handlers.get() + 1);
    }

    pub(crate) fn handler_ended(&self) {
        self.running_handlers.set(self.running_handlers.get().saturating_sub(1));
    }

    pub(crate) fn fire_timer(&self, seq: Seq) -> Result<(), TaskFailure> {
        let fired = self.timers.borrow_mut().resolve(seq, Ok(()));
        fired.map_err(|_| error::nondeterminism(format!("timer {seq} fired, but the workflow never started it")))
    }

    pub(crate) fn resolve_activity(&self, seq: Seq, resolution: ActivityResolution) -> Result<(), TaskFailure> {
        let resolved = self.activities.borrow_mut().resolve(seq, resolution);
        resolved
            .map_err(|_| error::nondeterminism(format!("activity {seq} ended, but the workflow never scheduled it")))
    }
}
