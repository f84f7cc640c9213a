//! The machines of one run, and the three doors through which things reach them: sequences of events
//! ([`Machines::apply`]), the code's commands ([`Machines::handle_commands`]) and requests for updates, which come
//! with a task but take their place among the events.

mod activity;
mod apply;
mod commands;
mod events;
mod local_activity;
mod locals;
mod lookahead;
mod matching;
mod pending;
mod remote;
mod start;
mod table;
mod timer;
mod update;
mod upsert;
mod workflow_task;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stead_activation::{Activation, DeploymentVersion, Job};
use stead_proto::command::v1::Command;
use stead_proto::protocol::v1::Message;

use self::activity::Activity;
pub(crate) use self::locals::LocalRequest;
use self::locals::Locals;
use self::pending::Pending;
use self::remote::Remote;
use self::start::Start;
use self::table::{Index, Table};
use self::timer::Timer;
use self::update::Update;
use self::workflow_task::WorkflowTask;
use crate::fault::Fault;
use crate::flags::{Flag, Flags};
use crate::history::Recent;
use crate::patch::Patches;
use crate::protocol::Incoming;
use crate::{Instant, RunOptions};

/// What an event does to a machine.
#[derive(Debug, PartialEq)]
#[must_use]
enum Step {
    /// It goes on.
    Going,
    /// It goes on; the job tells the code.
    Told(Job),
    /// It is finished; the job, if any, tells the code.
    Ended(Option<Job>),
    /// It is finished as soon as it was started; the jobs tell the code of both.
    StartedAndEnded(Job, Job),
    /// The event cannot follow what came before it.
    Illegal,
}

/// All machines of one run.
#[derive(Debug)]
pub(crate) struct Machines {
    options: Arc<RunOptions>,
    pub(crate) run_id: Box<str>,
    pub(crate) workflow_id: Box<str>,
    pub(crate) workflow_type: Box<str>,

    timers: Table<Timer>,
    activities: Table<Activity>,
    updates: Table<Update>,
    locals: Option<Box<Locals>>,
    remote: Option<Box<Remote>>,
    task: WorkflowTask,
    patches: Patches,
    /// Whether the task asked for a patch that the list of patches has no room for.
    lists_too_many_patches: bool,
    flags: Flags,

    /// Commands that wait for their event, in order.
    pending: Pending,
    /// Requests for updates that came with the task and wait for their place.
    incoming: Vec<Incoming>,
    /// Answers to updates that go out with the task.
    messages: Vec<Message>,
    /// What the code has not been told yet.
    jobs: Vec<Job>,

    start: Start,
    progress: Progress,
    recent: Recent,
    /// The moment of what is being handled.
    now: Instant,
    deployment: Option<Box<DeploymentVersion>>,
}

/// How far a run has come.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Workflow time.
    time: SystemTime,
    /// Id of the last event that was processed.
    pub(crate) last_event: i64,
    /// Id of the start of the last workflow task that was processed.
    pub(crate) last_started: i64,
    /// Id of the event that scheduled it.
    last_scheduled: i64,
    /// Number of the next activation within its workflow task, from 0.
    activation_index: u64,
    history_size_bytes: u64,
    continue_as_new_suggested: bool,
    target_version_changed: bool,
    /// Whether what happens now has happened before.
    pub(crate) is_replaying: bool,
    /// Whether the code has ended the run.
    pub(crate) is_ended: bool,
    /// Whether history has recorded the end of the run.
    pub(crate) is_closed: bool,
}

impl Machines {
    pub(crate) fn new(run_id: &str, options: Arc<RunOptions>) -> Self {
        Self {
            options,
            run_id: run_id.into(),
            workflow_id: Box::default(),
            workflow_type: Box::default(),
            timers: Table::default(),
            activities: Table::default(),
            updates: Table::default(),
            locals: None,
            remote: None,
            task: WorkflowTask::default(),
            patches: Patches::default(),
            lists_too_many_patches: false,
            flags: Flags::default(),
            pending: Pending::default(),
            incoming: Vec::new(),
            messages: Vec::new(),
            jobs: Vec::new(),
            start: Start::default(),
            progress: Progress {
                time: SystemTime::UNIX_EPOCH,
                last_event: 0,
                last_started: 0,
                last_scheduled: 0,
                activation_index: 0,
                history_size_bytes: 0,
                continue_as_new_suggested: false,
                target_version_changed: false,
                is_replaying: false,
                is_ended: false,
                is_closed: false,
            },
            recent: Recent::default(),
            now: Instant::default(),
            deployment: None,
        }
    }

    pub(crate) const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The last few events.
    pub(crate) const fn recent(&self) -> &Recent {
        &self.recent
    }

    pub(crate) fn history_size_bytes(&self) -> u64 {
        self.progress.history_size_bytes
    }

    pub(crate) fn options(&self) -> &RunOptions {
        &self.options
    }

    /// What follows happens now.
    pub(crate) const fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// Limit on one workflow task.
    pub(crate) const fn task_timeout(&self) -> Duration {
        self.start.task_timeout
    }

    /// A task begins.
    pub(crate) fn begin_task(&mut self, previous_started: i64, messages: Vec<Message>) -> Result<(), Fault> {
        self.progress.is_replaying = previous_started > 0;
        self.incoming = messages.into_iter().map(Incoming::from_message).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Whether there is something to tell the code.
    pub(crate) const fn has_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// What to tell the code.
    pub(crate) fn take_activation(&mut self) -> Activation {
        self.progress.activation_index += 1;
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.sort_by_key(place);
        self.activation(jobs, self.progress.is_replaying)
    }

    /// An activation that only carries queries. It always counts as replaying, because it leaves no trace.
    pub(crate) fn query_activation(&self, queries: Vec<Job>) -> Activation {
        self.activation(queries, true)
    }

    fn activation(&self, jobs: Vec<Job>, is_replaying: bool) -> Activation {
        let deployment = if self.progress.is_replaying {
            self.deployment.as_deref()
        } else {
            self.options.deployment_version.as_ref()
        };
        Activation {
            timestamp: self.progress.time,
            is_replaying,
            history_length: u32::try_from(self.progress.last_event).unwrap_or(u32::MAX),
            history_size_bytes: self.progress.history_size_bytes,
            continue_as_new_suggested: self.progress.continue_as_new_suggested,
            target_version_changed: self.progress.target_version_changed,
            deployment_version: deployment.cloned(),
            jobs,
        }
    }

    /// The commands and messages that go out with the task.
    ///
    /// # Errors
    ///
    /// A command that was issued while replaying but is not in history.
    pub(crate) fn take_outgoing(&mut self) -> Result<(Vec<Command>, Vec<Message>), Fault> {
        self.settle(self.progress.last_event)?;
        Ok((self.pending.take_commands(), std::mem::take(&mut self.messages)))
    }

    /// Whether the task that is completed asked for a patch that the list of patches has no room for.
    pub(crate) fn take_too_many_patches(&mut self) -> bool {
        std::mem::take(&mut self.lists_too_many_patches)
    }

    /// What to record with the completion of a task.
    pub(crate) fn take_metadata(&mut self) -> Option<stead_proto::sdk::v1::WorkflowTaskCompletedMetadata> {
        self.deployment = self.options.deployment_version.clone().map(Box::new);
        let options = Arc::clone(&self.options);
        self.flags.record(&options)
    }

    /// Whether history says that a task without a trace may be more than a heartbeat.
    pub(crate) const fn has_careful_heartbeats(&self) -> bool {
        self.flags.is_recorded(Flag::CarefulHeartbeats)
    }

    /// The server dropped a speculative task: history goes on after the events before it, as if it had not been.
    pub(crate) fn discard_task(&mut self, last_started: i64) {
        self.progress.last_started = last_started;
        self.progress.last_event = self.progress.last_event.min(self.progress.last_scheduled.saturating_sub(1));
        self.task.discarded();
    }
}

/// The place of a job in its activation. Handlers run before the code that they may unblock.
const fn place(job: &Job) -> u8 {
    match job {
        Job::Initialize(_) => 0,
        Job::NotifyHasPatch { .. } => 1,
        Job::UpdateRandomSeed(_) => 2,
        Job::Signal(_) | Job::Update(_) => 3,
        Job::CancelWorkflow { .. }
        | Job::FireTimer { .. }
        | Job::ResolveActivity { .. }
        | Job::ResolveChildWorkflowStart { .. }
        | Job::ResolveChildWorkflow { .. }
        | Job::ResolveSignalExternal { .. }
        | Job::ResolveCancelExternal { .. }
        | Job::ResolveNexusOperationStart { .. }
        | Job::ResolveNexusOperation { .. } => 4,
        Job::Query(_) => 5,
    }
}
