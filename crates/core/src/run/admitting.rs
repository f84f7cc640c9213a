//! Whether and how a run takes a task on.

use bytes::Bytes;
use stead_proto::history::v1 as proto;
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use super::task::{Queries, Ticket};
use super::{Eviction, EvictionReason, Output, Run, Task};
use crate::fault::{Fault, Problem};
use crate::history::History;

impl Run {
    /// Begins to work on a task.
    pub(super) fn start(&mut self, mut task: PollWorkflowTaskQueueResponse) {
        let Some(history) = self.admit(&mut task) else { return self.start_over(task) };
        self.identify(&mut task);
        match self.accept(task, history) {
            (task, Err(fault)) => self.fail_by(task.ticket, fault),
            (task, Ok(())) => self.work(Box::new(task)),
        }
    }

    /// A task for a run that is gone goes to the one that follows it.
    pub(super) fn hand_back(&mut self, task: PollWorkflowTaskQueueResponse) {
        match &mut self.output {
            Some(Output::Evict(eviction)) => eviction.next_tasks.push(task),
            _ => self.start_over(task),
        }
    }

    /// The history that a task brings, if it continues what this run has seen.
    fn admit(&self, task: &mut PollWorkflowTaskQueueResponse) -> Option<History> {
        let last_seen = self.machines.progress().last_event;
        let started = task.started_event_id;
        let events = task.history.take().unwrap_or_default().events;
        let first = events.first().map(|event| event.event_id);
        let (is_careful, has_messages) = (self.machines.has_careful_heartbeats(), !task.messages.is_empty());
        if last_seen == 0 && first != Some(1) {
            return Some(History::from_the_beginning(events, started).of_task(is_careful, has_messages));
        }
        let is_old = events.last().is_none_or(|event| event.event_id <= last_seen);
        let continues = match first {
            _ if last_seen == 0 => true,
            _ if is_old && task.query.is_some() => self.has_seen_start(task.previous_started_event_id),
            Some(first) => 1 < first && first <= last_seen + 1,
            None => true,
        };
        if !continues {
            task.history = Some(proto::History { events });
            return None;
        }
        let token = std::mem::take(&mut task.next_page_token);
        if last_seen > 0 && is_old && task.query.is_some() {
            // Read again, it would miss the traces of commands that were sent since.
            return Some(History::new(Vec::new(), Bytes::new(), started));
        }
        Some(History::new(events, token, started).of_task(is_careful, has_messages))
    }

    fn has_seen_start(&self, event_id: i64) -> bool {
        event_id <= self.machines.progress().last_started
    }

    /// The task tells of a past that this run has not seen: a new run replays it.
    fn start_over(&mut self, task: PollWorkflowTaskQueueResponse) {
        self.evict(Eviction {
            reason: EvictionReason::HistoryChanged,
            message: "the task's history does not continue what is cached".to_owned(),
            mismatch: None,
            next_tasks: vec![task],
        });
    }

    fn identify(&mut self, task: &mut PollWorkflowTaskQueueResponse) {
        if self.machines.workflow_id.is_empty() {
            let execution = task.workflow_execution.take().unwrap_or_default();
            self.machines.workflow_id = execution.workflow_id.into();
            self.machines.workflow_type = task.workflow_type.take().unwrap_or_default().name.into();
        }
    }

    fn accept(&mut self, task: PollWorkflowTaskQueueResponse, history: History) -> (Task, Result<(), Fault>) {
        let previous_started_event_id = task.previous_started_event_id;
        let accepted = if task.query.is_some() && !task.queries.is_empty() {
            Err(Fault::task(Problem::Task("it has queries of both kinds")))
        } else {
            self.machines.begin_task(previous_started_event_id, task.messages)
        };
        let ticket = Ticket {
            token: task.task_token,
            attempt: u32::try_from(task.attempt).unwrap_or(0).max(1),
            is_only_query: task.query.is_some(),
        };
        let queries = match task.query {
            Some(query) => Queries::Alone(Some(Box::new(query))),
            None => Queries::with_task(task.queries),
        };
        let started_event_id = task.started_event_id;
        let since = self.machines.now();
        (
            Task { ticket, started_event_id, previous_started_event_id, history, queries, since, is_heartbeat: false },
            accepted,
        )
    }
}
