//! The state of one run that its code reaches through the context: the clock, what is pending, what was commanded.
//!
//! Everything here is behind cells because a future of the run can ask for it at any depth. No cell is borrowed while
//! code of the user runs.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use stead_activation::{
    Activation, ActivityResolution, CallSite, Command, DeploymentVersion, Initialize, Issued, Seq, TaskFailure,
};
use stead_data::metrics::MetricSink;
use stead_data::{DataConverter, Failure, SerializationContext};

use crate::call::HandlerCall;
use crate::definition::LocalBoxFuture;
use crate::error::{self, Cancelled};
use crate::executor::{Started, Work};
use crate::guest::GuestOptions;
use crate::handlers::set::SetHandlers;
use crate::info::Info;
use crate::interceptor::WorkflowInterceptor;
use crate::ops::Pending;
use crate::ops::local::{CancelLocal, LocalEnded};
use crate::ops::remote::Remote;
use crate::ops::wait::Waits;
use crate::patch::{PatchActivation, Patches};
use crate::random::Random;
use crate::scope::{Inner, Scope};
use crate::watch::PollWatch;

pub(crate) struct Runtime {
    options: Arc<GuestOptions>,
    /// That of the options, where it is told whose the payloads are.
    converter: Option<Box<DataConverter>>,
    info: RefCell<Rc<Info>>,
    moment: Cell<Moment>,
    deployment_version: RefCell<Option<Rc<DeploymentVersion>>>,
    random: RefCell<Random>,
    patches: RefCell<Patches>,
    timers: RefCell<Pending<Result<(), Cancelled>>>,
    activities: RefCell<Pending<ActivityResolution>>,
    waits: RefCell<Waits>,
    /// What most runs never set.
    set_handlers: RefCell<Option<Box<SetHandlers>>>,
    started: RefCell<Vec<Started>>,
    call: RefCell<Option<Rc<HandlerCall>>>,
    commands: RefCell<Vec<Issued>>,
    /// What most runs never use.
    remote: RefCell<Option<Box<Remote>>>,
    cancellation: RefCell<Option<Rc<str>>>,
    task_failure: RefCell<Option<Box<TaskFailure>>>,
    running_handlers: Cell<usize>,
    scope: RefCell<Scope>,
    /// The scope whose groups the commands of this activation are in, so far.
    grouped: RefCell<Option<Rc<Inner>>>,
    access: Cell<Access>,
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
    pub(crate) target_version_changed: bool,
}

impl From<&Activation> for Moment {
    fn from(activation: &Activation) -> Self {
        Self {
            timestamp: activation.timestamp,
            history_size_bytes: activation.history_size_bytes,
            history_length: activation.history_length,
            is_replaying: activation.is_replaying,
            continue_as_new_suggested: activation.continue_as_new_suggested,
            target_version_changed: activation.target_version_changed,
        }
    }
}

impl Runtime {
    pub(crate) fn new(options: Arc<GuestOptions>, moment: Moment, initialize: Initialize) -> Self {
        let random = Random::seeded(initialize.randomness_seed);
        let info = Info::new(initialize, moment.timestamp);
        let converter = match options.converter.in_context(|| info.owner().into()) {
            Cow::Borrowed(_) => None,
            Cow::Owned(own) => Some(Box::new(own)),
        };
        Self {
            options,
            converter,
            info: RefCell::new(Rc::new(info)),
            moment: Cell::new(moment),
            deployment_version: RefCell::new(None),
            random: RefCell::new(random),
            patches: RefCell::new(Patches::new()),
            timers: RefCell::new(Pending::new()),
            activities: RefCell::new(Pending::new()),
            waits: RefCell::new(Waits::new()),
            set_handlers: RefCell::new(None),
            started: RefCell::new(Vec::new()),
            call: RefCell::new(None),
            commands: RefCell::new(Vec::new()),
            cancellation: RefCell::new(None),
            task_failure: RefCell::new(None),
            running_handlers: Cell::new(0),
            scope: RefCell::new(Scope::Workflow),
            grouped: RefCell::new(None),
            remote: RefCell::new(None),
            access: Cell::new(Access::Full),
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

    pub(crate) fn info(&self) -> Rc<Info> {
        Rc::clone(&self.info.borrow())
    }

    /// Changes what the run knows of itself. Who holds what it knew before keeps that.
    pub(crate) fn update_info(&self, update: impl FnOnce(&mut Info)) {
        update(Rc::make_mut(&mut self.info.borrow_mut()));
    }

    /// Converts what is this workflow's.
    pub(crate) fn converter(&self) -> &DataConverter {
        self.converter.as_deref().unwrap_or(&self.options.converter)
    }

    /// Converts what is about to belong to somebody else.
    pub(crate) fn drafts(&self) -> Cow<'_, DataConverter> {
        self.options.converter.drafts()
    }

    /// Reads what came from somebody else.
    pub(crate) fn reader(&self, owner: impl FnOnce(&Info) -> SerializationContext) -> Cow<'_, DataConverter> {
        self.options.converter.in_context(|| owner(&self.info()))
    }

    /// The same, to be kept; `None` where this workflow's own converter reads it.
    pub(crate) fn kept_reader(&self, owner: impl FnOnce(&Info) -> SerializationContext) -> Option<Box<DataConverter>> {
        match self.reader(owner) {
            Cow::Borrowed(_) => None,
            Cow::Owned(reader) => Some(Box::new(reader)),
        }
    }

    /// Whether the same code tells elsewhere what it has to tell.
    pub(crate) fn is_shadow(&self) -> bool {
        self.options.is_shadow
    }

    pub(crate) fn has_interceptors(&self) -> bool {
        !self.options.interceptors.is_empty()
    }

    /// The outermost first, which is the order for what comes in.
    pub(crate) fn interceptors(&self) -> impl DoubleEndedIterator<Item = &dyn WorkflowInterceptor> {
        self.options.interceptors.iter().map(|interceptor| &**interceptor)
    }

    /// Whether a patch is taken of which history knows nothing.
    pub(crate) fn activates_patch(&self, id: &str) -> bool {
        let Some(activates) = &self.options.activates_patch else { return true };
        let info = self.info();
        let _reading = self.read_only(Access::Reads);
        activates(&PatchActivation { id, info: &info })
    }

    pub(crate) fn metrics(&self) -> Option<&Arc<dyn MetricSink>> {
        self.options.metrics.as_ref()
    }

    pub(crate) fn poll_watch(&self) -> Option<&Arc<dyn PollWatch>> {
        self.options.poll_watch.as_ref()
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

    /// Reads what the code has set at run time, if it has set anything.
    pub(crate) fn set_handlers<R>(&self, f: impl FnOnce(&SetHandlers) -> R) -> Option<R> {
        self.set_handlers.borrow().as_deref().map(f)
    }

    /// Changes it.
    pub(crate) fn with_set_handlers<R>(&self, f: impl FnOnce(&mut SetHandlers) -> R) -> R {
        f(self.set_handlers.borrow_mut().get_or_insert_default())
    }

    /// The call of the handler whose code runs.
    pub(crate) fn call(&self) -> Option<Rc<HandlerCall>> {
        self.call.borrow().clone()
    }

    pub(crate) fn replace_call(&self, call: Option<Rc<HandlerCall>>) -> Option<Rc<HandlerCall>> {
        self.call.replace(call)
    }

    /// What the run waits for, and the lines that asked for it.
    pub(crate) fn pending_operations(&self) -> Vec<(String, CallSite)> {
        let (activities, timers, waits) = (self.activities.borrow(), self.timers.borrow(), self.waits.borrow());
        let numbered = |what: &'static str| move |(seq, at)| (format!("{what} {seq}"), at);
        let mut all: Vec<_> = activities.waiting().map(numbered("activity")).collect();
        all.extend(timers.waiting().map(numbered("timer")));
        let remote =
            |remote: &mut Remote| all.extend(remote.waiting().map(|(what, seq, at)| (format!("{what} {seq}"), at)));
        self.if_remote(remote);
        all.extend(waits.waiting().map(|at| ("condition".to_owned(), at)));
        all
    }

    pub(crate) fn scope(&self) -> &RefCell<Scope> {
        &self.scope
    }

    pub(crate) fn current_scope(&self) -> Scope {
        self.scope.borrow().clone()
    }

    /// The books of operations that most runs never use.
    pub(crate) fn with_remote<R>(&self, f: impl FnOnce(&mut Remote) -> R) -> R {
        f(self.remote.borrow_mut().get_or_insert_default())
    }

    /// The same, if there are any.
    pub(crate) fn if_remote<R>(&self, f: impl FnOnce(&mut Remote) -> R) -> Option<R> {
        self.remote.borrow_mut().as_mut().map(|remote| f(remote))
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
            self.enter_groups();
            self.commands.borrow_mut().push(Issued { command, at });
        }
    }

    /// Says which groups the next command is in, if they are others than those of the command before.
    fn enter_groups(&self) {
        let scope = self.scope.borrow().with_group();
        let mut known = self.grouped.borrow_mut();
        if known.as_ref().map(Rc::as_ptr) != scope.as_ref().map(Rc::as_ptr) {
            let groups = scope.as_ref().map(Inner::groups).unwrap_or_default();
            self.commands.borrow_mut().push(Issued { command: Command::SetEventGroups(groups), at: None });
            *known = scope;
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
        self.grouped.take();
        self.commands.take()
    }

    /// Remembers the line for whoever watches this thread.
    pub(crate) fn note_operation(&self, at: CallSite) {
        self.options.last_operation.record(at);
    }
}

fn is_cancellation(command: &Command) -> bool {
    matches!(
        command,
        Command::CancelTimer { .. }
            | Command::CancelActivity { .. }
            | Command::CancelLocalActivity { .. }
            | Command::CancelChildWorkflow { .. }
            | Command::CancelSignalExternal { .. }
    )
}

/// Reading only.
impl Runtime {
    /// Forbids commands until the guard is dropped.
    pub(crate) fn read_only(&self, access: Access) -> ReadOnly<'_> {
        ReadOnly { access: &self.access, outer: self.access.replace(access) }
    }

    pub(crate) fn access(&self) -> Access {
        self.access.get()
    }

    /// Stops code that must not have an effect.
    ///
    /// # Panics
    ///
    /// In queries, validators and conditions. The panic is caught where those are called.
    #[track_caller]
    pub(crate) fn assert_writable(&self, action: &str) {
        let is_writable = self.access.get() == Access::Full;
        assert!(is_writable, "While in read-only function, action attempted: {action}");
    }
}

/// What the code that runs may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Full,
    /// It only reads, and history decides when: a condition, and what a run says of itself.
    Reads,
    /// It only reads, and answers somebody who waits now: a query, a validator.
    Answers,
}

pub(crate) struct ReadOnly<'a> {
    access: &'a Cell<Access>,
    outer: Access,
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        self.access.set(self.outer);
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
        self.cancel_pending(Scope::is_the_workflows, reason);
    }

    /// Cancels what is pending in a scope of the user's.
    pub(crate) fn cancel_scope(&self, scope: &Rc<Inner>, reason: &str) {
        if scope.note_cancelled(reason) {
            self.cancel_pending(|other| other.is_within(scope), reason);
            self.note_progress();
        }
    }

    fn cancel_pending(&self, is_reached: impl Fn(&Scope) -> bool, reason: &str) {
        let timers = self.timers.borrow_mut().request_cancel_all(&is_reached);
        for seq in timers {
            // The number was just read from the table, so it is one that was issued.
            let _ = self.timers.borrow_mut().resolve(seq, Err(Cancelled));
            self.issue_unasked(Command::CancelTimer { seq });
        }
        let activities = self.activities.borrow_mut().request_cancel_all(&is_reached);
        for seq in activities {
            self.cancel_activity(seq, None);
        }
        let remote = self.if_remote(|remote| remote.request_cancel_all(&is_reached, reason));
        remote.into_iter().flatten().for_each(|command| self.issue_unasked(command));
        self.waits.borrow().wake_all();
    }

    /// Issues what cancels an activity, local or not, whose entry says that it is to be cancelled.
    pub(crate) fn cancel_activity(&self, seq: Seq, at: Option<CallSite>) {
        let local = self.if_remote(|remote| remote.local.cancel(seq)).flatten();
        let command = match local {
            None => Command::CancelActivity { seq },
            Some(CancelLocal::Attempt(seq)) => Command::CancelLocalActivity { seq },
            Some(CancelLocal::Backoff { timer, resolution }) => {
                // It is in the table, or it would not be in the other books.
                let _ = self.activities.borrow_mut().resolve(seq, resolution);
                Command::CancelTimer { seq: timer }
            }
        };
        match at {
            Some(at) => self.issue(command, at),
            None => self.issue_by_drop(command),
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellation.borrow().is_some()
    }

    pub(crate) fn cancellation_reason(&self) -> Option<Rc<str>> {
        self.cancellation.borrow().clone()
    }

    /// Whether what starts now is cancelled already.
    pub(crate) fn is_scope_cancelled(&self) -> bool {
        self.is_cancelled_in(&self.scope.borrow())
    }

    pub(crate) fn is_cancelled_in(&self, scope: &Scope) -> bool {
        (self.is_cancelled() && scope.is_the_workflows()) || scope.cancellation().is_some()
    }
}

/// What the executor asks for.
impl Runtime {
    /// Fails the workflow task, once the code that runs now comes back, because of what could not be converted. The
    /// first failure counts.
    pub(crate) fn fail_task(&self, failure: Failure) {
        let mut known = self.task_failure.borrow_mut();
        if known.is_none() {
            *known = Some(Box::new(error::unconvertible(failure)));
        }
    }

    pub(crate) fn take_task_failure(&self) -> Option<TaskFailure> {
        self.task_failure.borrow_mut().take().map(|failure| *failure)
    }

    pub(crate) fn spawn(&self, future: LocalBoxFuture<'static, ()>) {
        let started = Started { scope: self.current_scope(), call: self.call(), work: Work::Spawned(future) };
        self.started.borrow_mut().push(started);
    }

    /// Starts a handler for something that has waited for it.
    pub(crate) fn start_handler(&self, call: Rc<HandlerCall>, work: Work) {
        self.handler_started();
        self.started.borrow_mut().push(Started { scope: Scope::Workflow, call: Some(call), work });
    }

    pub(crate) fn take_started(&self) -> Vec<Started> {
        self.started.take()
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
        if self.retry_local_activity(seq) {
            return Ok(());
        }
        let fired = self.timers.borrow_mut().resolve(seq, Ok(()));
        fired.map_err(|_| error::nondeterminism(format!("timer {seq} fired, but the workflow never started it")))
    }

    /// The wait of a local activity is over. False if that is not what the timer was for.
    fn retry_local_activity(&self, timer: Seq) -> bool {
        let next = self.if_remote(|remote| remote.local.waited(timer, || self.activities.borrow_mut().skip()));
        let Some((request, at)) = next.flatten() else { return false };
        self.issue(Command::ScheduleLocalActivity(request), at);
        true
    }

    pub(crate) fn resolve_activity(&self, seq: Seq, resolution: ActivityResolution) -> Result<(), TaskFailure> {
        let mut remote = self.remote.borrow_mut();
        let ended = match remote.as_mut() {
            Some(remote) => remote.local.ended(seq, resolution, || self.timers.borrow_mut().skip()),
            None => LocalEnded::Resolved(seq, resolution),
        };
        drop(remote);
        let (seq, resolution) = match ended {
            LocalEnded::Resolved(seq, resolution) => (seq, resolution),
            LocalEnded::BacksOff { timer, delay, at } => {
                self.issue(Command::StartTimer { seq: timer, duration: delay, summary: None }, at);
                return Ok(());
            }
        };
        let resolved = self.activities.borrow_mut().resolve(seq, resolution);
        resolved
            .map_err(|_| error::nondeterminism(format!("activity {seq} ended, but the workflow never scheduled it")))
    }
}
