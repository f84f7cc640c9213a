//! The first event of a run.

use std::time::Duration;

use stead_activation::{ExecutionRef, Initialize, Job, ParentExecution, PayloadMap, RetryPolicy};
use stead_proto::common::v1::WorkflowExecution;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{HistoryEvent, WorkflowExecutionStartedEventAttributes};

use super::Machines;
use super::events::randomness_seed;
use crate::fault::{Fault, Problem};
use crate::time::{duration, system_time};

/// What a run remembers of how it was started.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) task_queue: Box<str>,
    /// Limit on one workflow task.
    pub(super) task_timeout: Duration,
    /// What the next run of the chain inherits, if there is anything.
    pub(super) legacy: Option<Box<Legacy>>,
}

impl Default for Start {
    fn default() -> Self {
        Self { task_queue: Box::default(), task_timeout: DEFAULT_TASK_TIMEOUT, legacy: None }
    }
}

/// The server's own default.
const DEFAULT_TASK_TIMEOUT: Duration = Duration::from_secs(10);

/// What the next run of the chain inherits.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Legacy {
    pub(super) memo: PayloadMap,
    pub(super) search_attributes: PayloadMap,
    pub(super) retry_policy: Option<RetryPolicy>,
}

impl Machines {
    /// `WorkflowExecutionStarted`.
    pub(super) fn handle_started(&mut self, event: &mut HistoryEvent) -> Result<(), Fault> {
        if event.event_id != 1 {
            return Err(Fault::event(event, Problem::Misplaced));
        }
        let Some(time) = event.event_time else { return Err(Fault::event(event, Problem::Missing("time"))) };
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &mut event.attributes else {
            return Ok(());
        };
        self.progress.time = system_time(&time);
        if self.workflow_type.is_empty() {
            self.workflow_type =
                started.workflow_type.as_ref().map(|kind| kind.name.as_str().into()).unwrap_or_default();
        }
        let initialize = self.initialize(started);
        self.start.task_queue = initialize.task_queue.as_str().into();
        self.start.task_timeout = initialize.task_timeout.unwrap_or(DEFAULT_TASK_TIMEOUT);
        let legacy = Legacy {
            memo: initialize.memo.clone(),
            search_attributes: initialize.search_attributes.clone(),
            retry_policy: initialize.retry_policy.clone(),
        };
        self.start.legacy = (legacy != Legacy::default()).then(|| Box::new(legacy));
        self.jobs.push(Job::Initialize(Box::new(initialize)));
        Ok(())
    }

    fn initialize(&self, started: &mut WorkflowExecutionStartedEventAttributes) -> Initialize {
        use std::mem::take;
        Initialize {
            namespace: self.options.namespace.to_string(),
            workflow_id: self.workflow_id.to_string(),
            run_id: self.run_id.to_string(),
            first_execution_run_id: take(&mut started.first_execution_run_id),
            randomness_seed: randomness_seed(&started.original_execution_run_id),
            original_execution_run_id: take(&mut started.original_execution_run_id),
            continued_from_run_id: Some(take(&mut started.continued_execution_run_id)).filter(|id| !id.is_empty()),
            workflow_type: self.workflow_type.to_string(),
            task_queue: started.task_queue.take().map(|queue| queue.name).unwrap_or_default(),
            arguments: started.input.take().map(|input| input.payloads).unwrap_or_default(),
            headers: started.header.take().map(|header| header.fields).unwrap_or_default(),
            identity: take(&mut started.identity),
            start_time: self.progress.time,
            attempt: u32::try_from(started.attempt).unwrap_or(0).max(1),
            execution_timeout: limit(started.workflow_execution_timeout.as_ref()),
            run_timeout: limit(started.workflow_run_timeout.as_ref()),
            task_timeout: limit(started.workflow_task_timeout.as_ref()),
            retry_policy: started.retry_policy.take(),
            cron_schedule: take(&mut started.cron_schedule),
            parent: started.parent_workflow_execution.take().map(|parent| ParentExecution {
                namespace: take(&mut started.parent_workflow_namespace),
                execution: execution(parent),
            }),
            root: started.root_workflow_execution.take().map(execution),
            memo: started.memo.take().map(|memo| memo.fields).unwrap_or_default(),
            search_attributes: started
                .search_attributes
                .take()
                .map(|attributes| attributes.indexed_fields)
                .unwrap_or_default(),
            last_completion_result: started
                .last_completion_result
                .take()
                .map(|result| result.payloads)
                .unwrap_or_default(),
            last_failure: started.continued_failure.take().map(Box::new),
            priority: started.priority.take(),
        }
    }
}

/// A timeout; the server records none as zero.
fn limit(timeout: Option<&prost_types::Duration>) -> Option<Duration> {
    timeout.map(duration).filter(|limit| !limit.is_zero())
}

fn execution(execution: WorkflowExecution) -> ExecutionRef {
    ExecutionRef { workflow_id: execution.workflow_id, run_id: execution.run_id }
}
