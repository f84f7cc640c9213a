//! Making an engine of the rows that an earlier one wrote.

use bytes::Bytes;
use prost::Message;

use super::effect::Effect;
use super::rows::Changes;
use super::run::deadlines::Deadline;
use super::run::state::{RunState, WorkflowTask};
use super::run::{Context, Pending, Run, RunKey};
use super::time::duration;
use super::{Config, Engine, Time};
use crate::store::{Row, Table};

/// A row that cannot be read: the store is damaged, or a later version wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    /// What kind of thing the row is.
    pub table: Table,
    /// Which one.
    pub key: Bytes,
}

impl std::fmt::Display for Corrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a row of {:?} cannot be read (key ", self.table)?;
        self.key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("): the store is damaged, or was written by a later version")
    }
}

impl std::error::Error for Corrupt {}

/// What the engine as a whole remembers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Memory {
    #[prost(uint64, tag = "1")]
    pub(super) ids: u64,
    #[prost(uint64, tag = "2")]
    pub(super) next_run: u64,
    /// The latest instant of the clock, which does not go back.
    #[prost(int64, tag = "3")]
    pub(super) now: i64,
}

const MEMORY: &[u8] = b"engine";

/// An engine on its way back: [`take`](Self::take) it the rows that the earlier one wrote, then [`finish`](Self::finish).
#[derive(Debug)]
pub struct Restoring(Engine);

impl Restoring {
    /// Begins with nothing.
    #[must_use]
    pub fn new(config: Config, now: Time) -> Self {
        Self(Engine::empty(config, now))
    }

    /// Takes the next row, in the order of tables and keys.
    ///
    /// # Errors
    ///
    /// It cannot be read. Nothing of it is guessed.
    pub fn take(&mut self, row: Row) -> Result<(), Corrupt> {
        let Row { table, key, value } = row;
        let Some(value) = value else { return Ok(()) };
        self.0.load(table, &key, value).ok_or(Corrupt { table, key })
    }

    /// The engine, when it has all of them.
    #[must_use]
    pub fn finish(self) -> Engine {
        let Self(mut engine) = self;
        engine.register_configured_namespaces();
        engine.route_all();
        engine.apply_all_queue_settings();
        for key in engine.runs.keys() {
            engine.resume_run(key);
        }
        engine.resume_activities();
        engine.resume_operations();
        for key in engine.schedules.keys() {
            engine.schedule_rests(&key);
        }
        engine.finish();
        engine.resume_batches();
        engine
    }
}

impl Engine {
    /// The engine that wrote `rows`, which come in the order of their tables and keys.
    ///
    /// # Errors
    ///
    /// When a row cannot be read. Nothing of it is guessed.
    pub fn restore(config: Config, rows: impl IntoIterator<Item = Row>, now: Time) -> Result<Self, Corrupt> {
        let mut restoring = Restoring::new(config, now);
        rows.into_iter().try_for_each(|row| restoring.take(row))?;
        Ok(restoring.finish())
    }

    fn load(&mut self, table: Table, key: &Bytes, value: Bytes) -> Option<()> {
        match table {
            Table::Meta if key.as_ref() == MEMORY => self.load_memory(&Memory::decode(value).ok()?),
            Table::Namespaces => self.namespaces.load(key, value)?,
            Table::Runs => {
                let state = RunState::decode(value).ok()?;
                self.runs.insert(Run::new(RunKey(u64::from_be_bytes(key.as_ref().try_into().ok()?)), state));
            }
            Table::Events => {
                let (run, id) = key.split_at_checked(8)?;
                let id = i64::from_be_bytes(id.try_into().ok()?);
                self.stored_run(run)?.load_event(id, value)?;
            }
            Table::Pending => {
                let (run, rest) = key.split_at_checked(8)?;
                let (kind, id) = rest.split_first()?;
                self.stored_run(run)?.load_pending(Pending::read(*kind)?, id, value)?;
            }
            Table::Deployments => self.deployments.load(key, value)?,
            Table::TaskQueues => self.queue_settings.load(key, value)?,
            Table::Schedules => self.schedules.load(key, value)?,
            Table::Activities => self.activities.load(key, value)?,
            Table::NexusOperations => self.operations.load(key, value)?,
            Table::NexusEndpoints => self.endpoints.load(key, value)?,
            Table::BatchOperations => self.batches.load(key, value)?,
            _ => return None,
        }
        Some(())
    }

    fn stored_run(&mut self, key: &[u8]) -> Option<&mut Run> {
        self.runs.get_mut(RunKey(u64::from_be_bytes(key.try_into().ok()?)))
    }

    fn load_memory(&mut self, memory: &Memory) {
        self.ids.resume(memory.ids);
        self.runs.resume(memory.next_run);
        self.advance(Time::from_unix_nanos(memory.now));
    }

    /// Keeps what must not be given out twice, when something else is kept.
    pub(super) fn write_memory(changes: &mut Changes, memory: &Memory) {
        if !changes.is_empty() {
            changes.put(Table::Meta, Bytes::from_static(MEMORY), memory);
        }
    }

    fn resume_run(&mut self, key: RunKey) {
        let Some(run) = self.runs.get(key) else { return };
        if run.is_open() {
            self.transact_speculative(key, |run, cx| run.resume(cx));
            return;
        }
        let closed_at = Time::from_unix_nanos(run.state.closed_at) - run.skipped();
        let namespace = self.namespaces.get(run.namespace());
        let retention =
            namespace.and_then(|namespace| duration(namespace.config.workflow_execution_retention_ttl.as_ref()));
        self.runs.keep_until(key, closed_at + retention.unwrap_or_default());
        self.list_run(key);
        self.note_closed_history(key);
    }
}

impl Run {
    pub(super) fn load_event(&mut self, id: i64, value: Bytes) -> Option<()> {
        let begins = *value.first()? == 1;
        (id == self.history.next_event_id()).then(|| self.history.load(value.slice(1..), begins))
    }

    fn load_pending(&mut self, kind: Pending, id: &[u8], value: Bytes) -> Option<()> {
        match kind {
            Pending::Activity => self.activities.load(id, value),
            Pending::Timer => self.timers.load(id, value),
            Pending::Child => self.children.load(id, value),
            Pending::Signal => self.signals.load(id, value),
            Pending::Cancel => self.cancels.load(id, value),
            Pending::Request => self.requests.load(id, value),
            Pending::Update => self.updates.load(id, value),
            Pending::Operation => self.operations.load(id, value),
        }
    }

    /// Goes on after a restart: what was in queues is put there again, and what has to happen in time is known again.
    fn resume(&mut self, cx: &mut Context<'_>) {
        self.resume_pending(cx);
        self.resume_task(cx);
    }

    /// As [`Self::resume`], for all but the workflow task.
    pub(super) fn resume_pending(&mut self, cx: &mut Context<'_>) {
        self.watch_run();
        for (id, timer) in self.timers.iter() {
            self.deadlines.set_timer(Time::from_unix_nanos(timer.fires_at), timer.started_event_id, id.clone());
        }
        for id in self.activities.keys().copied().collect::<Vec<_>>() {
            self.resume_activity(cx, id);
        }
        for id in self.operations.keys().copied().collect::<Vec<_>>() {
            self.resume_operation(cx, id);
        }
    }

    fn resume_activity(&mut self, cx: &mut Context<'_>, id: i64) {
        let Some(activity) = self.activities.get(&id) else { return };
        let offered = activity.is_offered();
        self.activity_ids.insert(activity.activity_id.clone(), id);
        self.watch_activity(id);
        if offered {
            cx.effects.push_back(Effect::OfferActivity(self.key, id));
        }
    }

    fn resume_task(&mut self, cx: &mut Context<'_>) {
        match &self.state.task {
            Some(WorkflowTask::Scheduled(_)) => cx.effects.push_back(Effect::OfferWorkflowTask(self.key)),
            Some(WorkflowTask::Started(task)) => {
                let timeout = duration(task.scheduled.timeout.as_ref()).unwrap_or_default();
                let at = Time::from_unix_nanos(task.at) + timeout;
                self.deadlines.set(Deadline::TaskStartToClose, Some(at));
            }
            None if !self.has_had_task() => {
                let first_task_at = Time::from_unix_nanos(self.state.execution_at);
                self.deadlines.set(Deadline::FirstTask, Some(first_task_at));
            }
            None => {}
        }
    }
}
