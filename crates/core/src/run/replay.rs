//! A history as a task, so that replaying is what a worker does.

use stead_proto::common::v1::{WorkflowExecution, WorkflowType};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{History, HistoryEvent};
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use crate::history::event::{Kind, kind};

/// The task that makes a run replay `history`.
///
/// Tasks that were completed are replayed and produce no output but activations. A last task that was started but not
/// completed runs as it would on a worker and ends in an [`Output::Complete`](crate::Output::Complete), which a
/// replayer drops. When the run is idle, the replay is over.
pub fn replay_task(history: History, workflow_id: &str, run_id: &str) -> PollWorkflowTaskQueueResponse {
    let (previous, last) = starts(&history.events);
    PollWorkflowTaskQueueResponse {
        workflow_execution: Some(WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: run_id.to_owned() }),
        workflow_type: workflow_type(&history.events),
        previous_started_event_id: previous,
        started_event_id: last,
        attempt: 1,
        history: Some(history),
        ..PollWorkflowTaskQueueResponse::default()
    }
}

/// The starts of the last completed task and of the last task. They are the same unless the last one is open.
fn starts(events: &[HistoryEvent]) -> (i64, i64) {
    let completed = events.iter().rev().find_map(|event| match &event.attributes {
        Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) => Some(completed.started_event_id),
        _ => None,
    });
    let previous = completed.unwrap_or(0);
    match events.last() {
        Some(last) if kind(last) == Kind::TaskStarted => (previous, last.event_id),
        _ => (previous, previous),
    }
}

fn workflow_type(events: &[HistoryEvent]) -> Option<WorkflowType> {
    match &events.first()?.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started.workflow_type.clone(),
        _ => None,
    }
}
