//! What is measured of a run and its tasks.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use stead_activation::Initialize;
use stead_client::payloads::Transfers;
use stead_data::metrics::Metric;
use stead_proto::command::v1::Command;
use stead_proto::command::v1::command::Attributes;
use stead_proto::enums::v1::{ApplicationErrorCategory, WorkflowTaskFailedCause};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::history::v1::history_event::Attributes as EventAttributes;
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use super::{Metrics, names};

/// What a shard measures of a run that it has in memory.
#[derive(Debug, Default)]
pub(crate) struct RunMeasure {
    facts: Option<Arc<Facts>>,
    /// The task that is worked on.
    task: Option<Task>,
    /// The same, until the code has seen all of history.
    behind_since: Option<Instant>,
}

/// What stays the same about a run.
#[derive(Debug)]
struct Facts {
    workflow_type: String,
    started: SystemTime,
}

/// What is measured of a task that is being reported.
#[derive(Debug)]
pub(crate) struct TaskMeasure {
    facts: Option<Arc<Facts>>,
    task: Task,
}

#[derive(Debug, Clone)]
struct Task {
    began: Instant,
    event_id: i64,
    attempt: i32,
    history_size: i64,
    workflow_type: String,
}

/// How a run ends with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunsEnd {
    Completed,
    Cancelled,
    Failed,
    /// With a failure that its author calls benign.
    FailedBenignly,
    ContinuedAsNew,
}

impl RunMeasure {
    /// A task came.
    pub(crate) fn task(&mut self, metrics: &Metrics, task: &PollWorkflowTaskQueueResponse) {
        let began = Instant::now();
        self.behind_since = metrics.is_on().then_some(began);
        self.task = Some(Task {
            began,
            event_id: task.started_event_id,
            attempt: task.attempt,
            history_size: history_size(task),
            workflow_type: task.workflow_type.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
        });
    }

    /// The run's code is about to be made.
    pub(crate) fn initialized(&mut self, metrics: &Metrics, initialize: &Initialize) {
        if metrics.is_on() {
            let (workflow_type, started) = (initialize.workflow_type.clone(), initialize.start_time);
            self.facts = Some(Arc::new(Facts { workflow_type, started }));
        }
    }

    /// The code is about to see news.
    pub(crate) fn caught_up(&mut self, metrics: &Metrics) {
        if let Some(since) = self.behind_since.take() {
            let labels = workflow_type(self.facts.as_deref());
            metrics.time(&names::WORKFLOW_TASK_REPLAY_LATENCY, since.elapsed(), labels.as_slice());
        }
    }

    /// A task found the run in memory.
    pub(crate) fn cache_hit(&self, metrics: &Metrics) {
        metrics.tally.cache_hits.add_one();
        metrics.count(&names::STICKY_CACHE_HIT, workflow_type(self.facts.as_deref()).as_slice());
    }

    /// The task is about to be reported.
    pub(crate) fn report(&mut self) -> Option<TaskMeasure> {
        Some(TaskMeasure { task: self.task.take()?, facts: self.facts.clone() })
    }
}

impl TaskMeasure {
    /// Warns of a task that took longer than `limit`, if there is one. Where payloads are decoded, `work` says when that
    /// began and what it took.
    pub(crate) fn warn_if_slow(&self, run_id: &str, limit: Option<Duration>, work: Option<(Instant, Transfers)>) {
        let Some(limit) = limit else { return };
        let Task { began, event_id, attempt, history_size, workflow_type } = &self.task;
        let (began, transfers) = work.unwrap_or_else(|| (*began, Transfers::default()));
        let took = began.elapsed();
        if took < limit {
            return;
        }
        let (down, up) = (transfers.downloads(), transfers.uploads());
        tracing::warn!(
            target: "stead::worker",
            workflow_type,
            event_id,
            attempt,
            workflow_task_duration = millis(took),
            workflow_history_size = history_size,
            payload_download_count = down.payloads,
            payload_download_size = down.bytes,
            payload_download_duration = millis(down.duration),
            payload_download_drivers = ?down.drivers,
            payload_upload_count = up.payloads,
            payload_upload_size = up.bytes,
            payload_upload_duration = millis(up.duration),
            payload_upload_drivers = ?up.drivers,
            "[TMPRL1104] {run_id}:{event_id}:{attempt} Workflow task duration exceeded {} seconds.",
            limit.as_secs()
        );
    }

    /// The task was reported as completed, and the run ended if `end` says so.
    pub(crate) fn completed(self, metrics: &Metrics, end: Option<RunsEnd>) {
        let labels = workflow_type(self.facts.as_deref());
        metrics.time(&names::WORKFLOW_TASK_EXECUTION_LATENCY, self.task.began.elapsed(), labels.as_slice());
        let Some(end) = end else { return };
        if let Some(counter) = end.counter() {
            metrics.count(counter, labels.as_slice());
        }
        if let Some(facts) = &self.facts {
            let took = SystemTime::now().duration_since(facts.started).unwrap_or_default();
            metrics.time(&names::WORKFLOW_ENDTOEND_LATENCY, took, labels.as_slice());
        }
    }

    /// The task was reported as failed.
    pub(crate) fn failed(self, metrics: &Metrics, cause: WorkflowTaskFailedCause) {
        metrics.tally.failed_workflow_tasks.add_one();
        let reason = match cause {
            WorkflowTaskFailedCause::NonDeterministicError => "NonDeterminismError",
            WorkflowTaskFailedCause::GrpcMessageTooLarge => "GrpcMessageTooLarge",
            _ => "WorkflowError",
        };
        let labels = workflow_type(self.facts.as_deref());
        metrics.time(&names::WORKFLOW_TASK_EXECUTION_LATENCY, self.task.began.elapsed(), labels.as_slice());
        let workflow_type = self.facts.as_deref().map_or("", |facts| &facts.workflow_type);
        let labels = [("workflow_type", workflow_type), ("failure_reason", reason)];
        metrics.count(&names::WORKFLOW_TASK_EXECUTION_FAILED, &labels);
    }
}

impl RunsEnd {
    /// What the commands of a task do to their run. Asked before a codec hides what they hold.
    pub(crate) fn of(commands: &[Command]) -> Option<Self> {
        match commands.last()?.attributes.as_ref()? {
            Attributes::CompleteWorkflowExecutionCommandAttributes(_) => Some(Self::Completed),
            Attributes::CancelWorkflowExecutionCommandAttributes(_) => Some(Self::Cancelled),
            Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(_) => Some(Self::ContinuedAsNew),
            Attributes::FailWorkflowExecutionCommandAttributes(failed) => {
                let info = failed.failure.as_ref().and_then(|failure| failure.failure_info.as_ref());
                let is_benign = matches!(info, Some(FailureInfo::ApplicationFailureInfo(info))
                    if info.category() == ApplicationErrorCategory::Benign);
                Some(if is_benign { Self::FailedBenignly } else { Self::Failed })
            }
            _ => None,
        }
    }

    fn counter(self) -> Option<&'static Metric<'static>> {
        match self {
            Self::Completed => Some(&names::WORKFLOW_COMPLETED),
            Self::Cancelled => Some(&names::WORKFLOW_CANCELED),
            Self::Failed => Some(&names::WORKFLOW_FAILED),
            Self::ContinuedAsNew => Some(&names::WORKFLOW_CONTINUE_AS_NEW),
            Self::FailedBenignly => None,
        }
    }
}

/// As the server says with the task's last event.
fn history_size(task: &PollWorkflowTaskQueueResponse) -> i64 {
    let events = task.history.as_ref().map_or(&[][..], |history| &history.events);
    let size = events.iter().rev().find_map(|event| match &event.attributes {
        Some(EventAttributes::WorkflowTaskStartedEventAttributes(started)) => Some(started.history_size_bytes),
        _ => None,
    });
    size.unwrap_or_default()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The label for the type of a run, if that is known.
fn workflow_type(facts: Option<&Facts>) -> Option<(&str, &str)> {
    facts.map(|facts| ("workflow_type", facts.workflow_type.as_str()))
}

#[cfg(test)]
mod tests {
    use stead_data::Failure;
    use stead_proto::command::v1::FailWorkflowExecutionCommandAttributes;

    use super::*;

    fn failing(failure: Failure) -> Vec<Command> {
        let attributes = FailWorkflowExecutionCommandAttributes { failure: Some(failure.into_proto()) };
        let attributes = Attributes::FailWorkflowExecutionCommandAttributes(Box::new(attributes));
        vec![Command::default(), Command { attributes: Some(attributes), ..Command::default() }]
    }

    #[test]
    fn a_workflow_that_fails_benignly_is_not_counted_as_failed() {
        let failure = || Failure::application("no");
        assert_eq!(RunsEnd::of(&failing(failure())), Some(RunsEnd::Failed));
        let benign = RunsEnd::of(&failing(failure().benign()));
        assert_eq!((benign, benign.and_then(RunsEnd::counter)), (Some(RunsEnd::FailedBenignly), None));
        assert_eq!(RunsEnd::of(&[Command::default()]), None);
    }
}
