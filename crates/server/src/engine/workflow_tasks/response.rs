//! What a worker is sent of a workflow task.

use bytes::Bytes;
use prost::Message;
use stead_proto::history::v1::HistoryEvent;

use crate::engine::run::state::{ScheduledTask, StartedTask, WorkflowTask};
use crate::engine::run::workflow_task::virtual_started;
use crate::engine::run::{Run, RunKey};
use crate::engine::token::{HistoryToken, TaskToken, TokenKind};
use crate::engine::{Engine, Time, raw};

/// Stamp of no workflow task: they are counted from 1, and 0 says any.
const NO_TASK: u64 = u64::MAX;

/// What a worker is given with a workflow task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    /// The worker has the run in its cache: it only needs what it has not seen.
    pub(super) sticky: bool,
    /// The worker goes on with what it has: it does not need again what it has not answered.
    pub(super) heartbeat: bool,
}

impl Engine {
    /// Gives the started workflow task of a run to its worker, with the updates that wait.
    pub(super) fn deliver_workflow_task(
        &mut self,
        key: RunKey,
        delivery: Delivery,
    ) -> Option<raw::PollWorkflowTaskQueueResponse> {
        let mut response = self.workflow_task_response(key, delivery.sticky)?;
        response.queries = self.queries_for_task(key);
        let run = self.runs.get_mut(key)?;
        response.messages = run.updates.send(response.started_event_id, !delivery.heartbeat);
        Some(response)
    }

    fn workflow_task_response(&self, key: RunKey, sticky: bool) -> Option<raw::PollWorkflowTaskQueueResponse> {
        let run = self.runs.get(key)?;
        let Some(WorkflowTask::Started(task)) = &run.state.task else { return None };
        let first = if sticky { run.state.previous_started_event_id + 1 } else { 1 };
        let (history, next_page_token) = self.task_history(run, task, first);
        Some(raw::PollWorkflowTaskQueueResponse {
            task_token: task_token(run, task).bytes(),
            workflow_execution: Some(run.execution()),
            workflow_type: Some(run.workflow_type()),
            previous_started_event_id: run.state.previous_started_event_id,
            started_event_id: task.started_event_id,
            attempt: task.scheduled.attempt,
            history: Some(history),
            next_page_token,
            workflow_execution_task_queue: Some(run.normal_queue()),
            scheduled_time: Some(Time::from_unix_nanos(task.scheduled.at).timestamp()),
            started_time: Some(Time::from_unix_nanos(task.at).timestamp()),
            ..Default::default()
        })
    }

    /// What a worker gets with a query of a run: nothing if it knows the run, else all of the history.
    pub(in crate::engine) fn query_task_response(
        &self,
        key: RunKey,
        sticky: bool,
    ) -> Option<raw::PollWorkflowTaskQueueResponse> {
        let run = self.runs.get(key)?;
        let (history, next_page_token) = if sticky { Default::default() } else { self.first_page(run, 1, NO_TASK) };
        Some(raw::PollWorkflowTaskQueueResponse {
            workflow_execution: Some(run.execution()),
            workflow_type: Some(run.workflow_type()),
            previous_started_event_id: run.state.previous_started_event_id,
            attempt: 1,
            history: Some(history),
            next_page_token,
            workflow_execution_task_queue: Some(run.normal_queue()),
            ..Default::default()
        })
    }

    fn task_history(&self, run: &Run, task: &StartedTask, first: i64) -> (raw::History, Bytes) {
        let (mut history, next_page_token) = self.first_page(run, first, run.state.task_stamp);
        if next_page_token.is_empty() {
            history.events.extend(unwritten_events(run, &task.scheduled, Some((task, &task.identity))));
        }
        (history, next_page_token)
    }

    /// Events from `first` on, and how to go on. `stamp`: of the task whose unwritten events end the last page.
    fn first_page(&self, run: &Run, first: i64, stamp: u64) -> (raw::History, Bytes) {
        let page = run.history.page(first, usize::MAX, self.config.limits.history_page);
        let events = run.history.events(page.clone()).to_vec();
        let end_event_id = run.history.next_event_id();
        if page.end >= end_event_id {
            return (raw::History { events }, Bytes::new());
        }
        let run_id = run.state.run_id.clone();
        let token = HistoryToken { run_id, next_event_id: page.end, end_event_id, stamp };
        (raw::History { events }, token.bytes())
    }
}

/// The events of a task that are not in history, as whoever reads the history is to see them. `started`: by whom.
pub(super) fn unwritten_events(
    run: &Run,
    scheduled: &ScheduledTask,
    started: Option<(&StartedTask, &str)>,
) -> Vec<Bytes> {
    if scheduled.written {
        return Vec::new();
    }
    let events = [Some(run.virtual_scheduled(scheduled)), started.map(|(task, by)| virtual_started(task, by))];
    let ids = run.history.next_event_id()..;
    let events = ids.zip(events.into_iter().flatten());
    events.map(|(event_id, event)| HistoryEvent { event_id, ..event }.encode_to_vec().into()).collect()
}

fn task_token(run: &Run, task: &StartedTask) -> TaskToken {
    TaskToken {
        key: run.key.0,
        scheduled_event_id: task.scheduled.scheduled_event_id,
        started_event_id: task.started_event_id,
        attempt: task.scheduled.attempt,
        stamp: run.state.task_stamp,
        started_at: task.at,
        kind: TokenKind::WorkflowTask as u32,
        id: String::new(),
    }
}
