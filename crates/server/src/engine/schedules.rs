//! Schedules: workflows started on times of a calendar.
//!
//! A [`Schedule`] is a value that says what is to be done; here are all of them, with the instants at which they want to
//! be looked at, and what the engine does for them.

mod buffer;
mod calls;
mod describe;
mod list;
mod schedule;
mod spec;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::{BufMut, Bytes, BytesMut};
use stead_proto::common::v1::WorkflowExecution;
use stead_proto::enums::v1::IndexedValueType;
use stead_proto::history::v1::WorkflowExecutionCancelRequestedEventAttributes;
use stead_proto::history::v1::history_event::Attributes;

pub(super) use self::describe::attribute;
use self::describe::identity;
use self::schedule::{Action, Closed, Schedule};
use super::call::Outcome;
use super::control::Cancellation;
use super::namespaces::NamespaceKey;
use super::rows::{Changes, RowKey, Rows};
use super::run::close::Termination;
use super::run::{Run, RunKey};
use super::visibility::{Kind, Record};
use super::{Engine, Refusal, Response, Time};
use crate::store::Table;

/// A schedule in this engine and its store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ScheduleKey {
    namespace: NamespaceKey,
    id: String,
}

impl RowKey for ScheduleKey {
    fn put(&self, key: &mut BytesMut) {
        key.put_u64(self.namespace.0);
        self.id.put(key);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (namespace, id) = bytes.split_first_chunk()?;
        Some(Self { namespace: NamespaceKey(u64::from_be_bytes(*namespace)), id: String::read(id)? })
    }
}

/// All schedules of all namespaces.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    rows: Rows<ScheduleKey, Schedule>,
    /// When each of them is to be looked at.
    timeouts: BTreeSet<(Time, ScheduleKey)>,
    timeout_of: BTreeMap<ScheduleKey, Time>,
    /// Who started a run, by its id, until its end.
    started: HashMap<String, ScheduleKey>,
}

impl Schedules {
    /// When the next schedule is to be looked at.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timeouts.first().map(|(at, _)| *at)
    }

    pub(super) fn write(&mut self, changes: &mut Changes) {
        self.rows.write(Table::Schedules, &[], changes);
    }

    /// Takes a schedule that was stored. `None` if it cannot be read.
    pub(super) fn load(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        self.rows.load(key, value)?;
        let key = ScheduleKey::read(key)?;
        let schedule = self.rows.get(&key)?;
        let recent = schedule.info.recent_actions.iter().filter_map(|action| action.start_workflow_result.as_ref());
        for execution in recent.chain(&schedule.info.running_workflows) {
            self.started.insert(execution.run_id.clone(), key.clone());
        }
        let timeout = schedule.poll_timeout();
        self.set_timeout(&key, timeout);
        Some(())
    }

    pub(super) fn keys(&self) -> Vec<ScheduleKey> {
        self.rows.keys().cloned().collect()
    }

    fn due(&self, now: Time) -> Option<ScheduleKey> {
        self.timeouts.first().filter(|(at, _)| *at <= now).map(|(_, key)| key.clone())
    }

    fn remove(&mut self, key: &ScheduleKey) -> Option<Schedule> {
        self.set_timeout(key, None);
        self.rows.remove(key)
    }

    fn set_timeout(&mut self, key: &ScheduleKey, at: Option<Time>) {
        if let Some(old) = self.timeout_of.remove(key) {
            self.timeouts.remove(&(old, key.clone()));
        }
        if let Some(at) = at {
            self.timeout_of.insert(key.clone(), at);
            self.timeouts.insert((at, key.clone()));
        }
    }
}

impl Engine {
    /// Does what is due at schedules.
    pub(super) fn fire_schedules(&mut self) {
        while let Some(key) = self.schedules.due(self.now) {
            self.tell_schedule(&key, Schedule::handle_timeout);
        }
    }

    /// A run has closed: if a schedule started its chain and nothing follows, the schedule hears of it.
    pub(super) fn scheduled_run_closed(&mut self, key: RunKey) {
        let Some(run) = self.runs.get(key).filter(|run| run.state.new_run_id.is_empty()) else { return };
        let Some(schedule) = self.schedules.started.remove(&run.state.first_run_id) else { return };
        let closed = closed(run);
        self.tell_schedule(&schedule, |schedule, now| schedule.handle_closed(closed, now));
    }

    /// Gives a schedule an input, and does what it wants done.
    fn tell_schedule(&mut self, key: &ScheduleKey, input: impl FnOnce(&mut Schedule, Time)) {
        let now = self.now;
        let Some(schedule) = self.schedules.rows.get_mut(key) else { return };
        input(schedule, now);
        while let Some(actions) = self.schedules.rows.get_mut(key).and_then(|schedule| schedule.poll_actions(now)) {
            actions.into_iter().for_each(|action| self.act_for_schedule(key, action));
        }
        self.schedule_rests(key);
    }

    fn act_for_schedule(&mut self, key: &ScheduleKey, action: Action) {
        match action {
            Action::Start { start, beside } => {
                let started = self.start_for_schedule(key, &start, beside);
                let Some(schedule) = self.schedules.rows.get_mut(key) else { return };
                match started {
                    Some(execution) => {
                        self.schedules.started.insert(execution.run_id.clone(), key.clone());
                        schedule.handle_started(&start, beside, execution, self.now);
                    }
                    None => schedule.handle_start_failed(),
                }
            }
            Action::Cancel(execution) => self.cancel_for_schedule(key, execution),
            Action::Terminate(execution) => self.terminate_for_schedule(key, execution),
        }
    }

    fn start_for_schedule(
        &mut self,
        key: &ScheduleKey,
        start: &schedule::Start,
        beside: bool,
    ) -> Option<WorkflowExecution> {
        let namespace = self.namespaces.get(key.namespace)?.info.name.clone();
        let request = self.schedules.rows.get(key)?.start_request(&key.id, &namespace, start, beside)?;
        let workflow_id = request.workflow_id.clone();
        // A workflow that cannot be started is not tried again: the next time may be better.
        match self.start_workflow(request).ok()? {
            Outcome::Answered(response) => match *response {
                Response::StartWorkflowExecution(started) => {
                    Some(WorkflowExecution { workflow_id, run_id: started.run_id })
                }
                _ => None,
            },
            Outcome::Waits => None,
        }
    }

    fn cancel_for_schedule(&mut self, key: &ScheduleKey, execution: WorkflowExecution) {
        let Ok((run, identity)) = self.run_of_schedule(key, execution) else { return };
        let event = WorkflowExecutionCancelRequestedEventAttributes {
            cause: "cancelled by schedule overlap policy".to_owned(),
            identity,
            ..Default::default()
        };
        let request_id = self.ids.uuid().to_string();
        self.request_cancel(run, Cancellation { event, links: Vec::new(), request_id });
    }

    fn terminate_for_schedule(&mut self, key: &ScheduleKey, execution: WorkflowExecution) {
        let Ok((run, identity)) = self.run_of_schedule(key, execution) else { return };
        let reason = "terminated by schedule overlap policy".to_owned();
        if self.runs.get(run).is_some_and(Run::is_open) {
            let termination = Termination { reason, identity, ..Termination::default() };
            self.transact(run, |run, cx| run.terminate(cx, termination));
        }
    }

    /// The latest run of the chain that a schedule started, and who the server says it is.
    fn run_of_schedule(&self, key: &ScheduleKey, execution: WorkflowExecution) -> Result<(RunKey, String), Refusal> {
        let WorkflowExecution { workflow_id, run_id } = execution;
        let latest = WorkflowExecution { workflow_id, run_id: String::new() };
        let run = self.find_in_chain(key.namespace, Some(&latest), &run_id)?;
        let namespace = self.namespaces.get(key.namespace).map(|namespace| namespace.info.name.as_str());
        Ok((run, identity(namespace.unwrap_or_default(), &key.id)))
    }

    /// A schedule has nothing to do now: others may see what has become of it.
    pub(super) fn schedule_rests(&mut self, key: &ScheduleKey) {
        let Some(schedule) = self.schedules.rows.get(key) else { return };
        if schedule.is_over() {
            self.forget_schedule(key);
            return;
        }
        let (timeout, record) = (schedule.poll_timeout(), record(key, schedule));
        self.schedules.set_timeout(key, timeout);
        self.visibility.upsert(key.namespace, Kind::Schedule, record);
    }

    /// Forgets all schedules of a namespace.
    pub(super) fn forget_schedules(&mut self, namespace: NamespaceKey) {
        for key in self.schedules.keys().into_iter().filter(|key| key.namespace == namespace) {
            self.forget_schedule(&key);
        }
    }

    fn forget_schedule(&mut self, key: &ScheduleKey) {
        self.schedules.remove(key);
        self.visibility.remove(key.namespace, Kind::Schedule, &key.id);
    }
}

fn closed(run: &Run) -> Closed {
    let last = run.history.event(run.history.next_event_id() - 1).and_then(|event| event.attributes);
    let (result, failure) = match last {
        Some(Attributes::WorkflowExecutionCompletedEventAttributes(event)) => (event.result, None),
        Some(Attributes::WorkflowExecutionFailedEventAttributes(event)) => (None, event.failure),
        _ => (None, None),
    };
    Closed {
        workflow_id: run.state.workflow_id.clone(),
        run_id: run.state.first_run_id.clone(),
        status: run.status(),
        result,
        failure,
    }
}

/// What filters see of a schedule.
fn record(key: &ScheduleKey, schedule: &Schedule) -> Record {
    let mut search_attributes = schedule.search_attributes.clone().unwrap_or_default();
    let paused = attribute(schedule.is_paused().to_string(), IndexedValueType::Bool);
    search_attributes.indexed_fields.insert("TemporalSchedulePaused".to_owned(), paused);
    let created = schedule.info.create_time.as_ref().map(Time::from_timestamp).unwrap_or_default();
    Record {
        id: key.id.clone(),
        run_id: key.id.clone(),
        status: stead_proto::enums::v1::WorkflowExecutionStatus::Running.into(),
        start_time: created,
        execution_time: created,
        memo: schedule.memo.clone(),
        search_attributes,
        ..Record::default()
    }
}
