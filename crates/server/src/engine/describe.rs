//! `DescribeWorkflowExecution`: what there is to know of a run at this moment.

mod activity;
mod nexus;

use stead_proto::common::v1::{Memo, SearchAttributes};
use stead_proto::enums::v1::{EventType, PendingWorkflowTaskState};
use stead_proto::workflow::v1::{
    DeploymentVersionTransition, PendingChildExecutionInfo, PendingWorkflowTaskInfo, RequestIdInfo,
    WorkflowExecutionConfig, WorkflowExecutionExtendedInfo, WorkflowExecutionInfo, WorkflowExecutionPauseInfo,
    WorkflowExecutionVersioningInfo,
};
use stead_proto::workflowservice::v1 as api;

use super::call::Outcome;
use super::deployments::{described_override, dotted};
use super::nexus::callbacks::AttachedCallback;
use super::run::Run;
use super::run::state::{ChildState, RequestState, WorkflowTask};
use super::time::{timestamp, wire};
use super::{Engine, Refusal, Time};

impl Engine {
    pub(super) fn describe_workflow_execution(
        &self,
        request: &api::DescribeWorkflowExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let key = self.runs.find(namespace, request.execution.as_ref())?;
        let run = self.runs.get(key).ok_or_else(|| Refusal::not_found("workflow execution not found"))?;
        Ok(api::DescribeWorkflowExecutionResponse {
            execution_config: Some(config(run)),
            workflow_execution_info: Some(self.execution_info(run)),
            pending_activities: run
                .activities
                .values()
                .map(|activity| activity.pending_info(run.instant(self.now)))
                .collect(),
            pending_children: run.children.iter().map(|(id, child)| pending_child(*id, child)).collect(),
            pending_workflow_task: run.state.task.as_ref().map(pending_task),
            pending_nexus_operations: run
                .operations
                .iter()
                .map(|(id, operation)| operation.pending_info(*id))
                .collect(),
            callbacks: run.state.callbacks.iter().map(AttachedCallback::info).collect(),
            workflow_extended_info: Some(extended_info(run, self.now)),
        }
        .into())
    }

    fn execution_info(&self, run: &Run) -> WorkflowExecutionInfo {
        let state = &run.state;
        let parent = state.parent.as_ref();
        let namespace_id = |parent: &super::run::state::Parent| {
            let namespace = self.namespaces.get(super::namespaces::NamespaceKey(parent.namespace));
            namespace.map(|namespace| namespace.info.id.clone())
        };
        let closed = (state.closed_at != 0).then(|| Time::from_unix_nanos(state.closed_at));
        WorkflowExecutionInfo {
            execution: Some(run.execution()),
            r#type: Some(run.workflow_type()),
            start_time: timestamp(state.started_at),
            close_time: timestamp(state.closed_at),
            execution_duration: closed.map(|closed| wire(closed.since(Time::from_unix_nanos(state.execution_at)))),
            status: state.status,
            history_length: run.history.len(),
            parent_namespace_id: parent.and_then(namespace_id).unwrap_or_default(),
            parent_execution: parent.map(|parent| parent.execution.clone()),
            execution_time: timestamp(state.execution_at),
            memo: Some(Memo { fields: state.memo.clone().unwrap_or_default().fields }),
            search_attributes: Some(SearchAttributes {
                indexed_fields: state.search_attributes.clone().unwrap_or_default().indexed_fields,
            }),
            task_queue: state.task_queue.clone(),
            state_transition_count: i64::try_from(state.transitions).unwrap_or(i64::MAX),
            history_size_bytes: i64::try_from(run.history.size()).unwrap_or(i64::MAX),
            root_execution: Some(state.root.clone().unwrap_or_else(|| run.execution())),
            first_run_id: state.first_run_id.clone(),
            priority: state.priority.clone(),
            versioning_info: versioning_info(run),
            external_payload_count: state.external_payloads,
            external_payload_size_bytes: state.external_payloads_size,
            worker_deployment_name: state.versioning.deployment_name.clone(),
            auto_reset_points: Some(state.reset_points.clone().unwrap_or_default()),
            ..Default::default()
        }
    }
}

/// What decides about the version that the run's workers have; nothing where nothing does.
fn versioning_info(run: &Run) -> Option<WorkflowExecutionVersioningInfo> {
    let state = &run.state;
    let info = WorkflowExecutionVersioningInfo {
        behavior: state.versioning_behavior,
        version: state.deployment_version.as_ref().map(|it| dotted(Some(it))).unwrap_or_default(),
        deployment_version: state.deployment_version.clone(),
        versioning_override: state.versioning_override.as_ref().map(described_override),
        version_transition: state.versioning.transition.clone().map(|transition| DeploymentVersionTransition {
            version: dotted(transition.deployment_version.as_ref()),
            ..transition
        }),
        revision_number: state.versioning.revision,
        continue_as_new_initial_versioning_behavior: state.versioning.initial_behavior,
        ..Default::default()
    };
    (info != WorkflowExecutionVersioningInfo::default()).then_some(info)
}

fn config(run: &Run) -> WorkflowExecutionConfig {
    WorkflowExecutionConfig {
        task_queue: Some(run.normal_queue()),
        workflow_execution_timeout: run.state.execution_timeout,
        workflow_run_timeout: run.state.run_timeout,
        default_workflow_task_timeout: run.state.task_timeout,
        user_metadata: run.state.user_metadata.clone(),
    }
}

fn extended_info(run: &Run, now: Time) -> WorkflowExecutionExtendedInfo {
    let state = &run.state;
    let is_reset = !state.reset_from_run_id.is_empty();
    WorkflowExecutionExtendedInfo {
        execution_expiration_time: timestamp(state.execution_expires_at),
        run_expiration_time: timestamp(state.run_expires_at),
        cancel_requested: state.cancel_requested,
        last_reset_time: if is_reset { timestamp(state.started_at) } else { None },
        original_start_time: run.history.event(1).and_then(|event| event.event_time),
        reset_run_id: state.reset_run_id.clone(),
        // The request of a signal-with-start is found as that of the signal, as the link in its answer says.
        request_id_infos: [(state.start_request_id.clone(), started_info())]
            .into_iter()
            .chain(run.requests.iter().map(|(id, request)| (id.clone(), request_info(request))))
            .collect(),
        pause_info: state.pause.as_ref().map(|pause| WorkflowExecutionPauseInfo {
            identity: pause.identity.clone(),
            paused_time: timestamp(pause.at),
            reason: pause.reason.clone(),
        }),
        time_skipping_info: state.time_skipping.as_ref().map(|skipping| skipping.info(run.instant(now))),
        ..Default::default()
    }
}

fn request_info(request: &RequestState) -> RequestIdInfo {
    RequestIdInfo { event_type: request.event_type, event_id: request.event_id, buffered: request.event_id == 0 }
}

fn started_info() -> RequestIdInfo {
    RequestIdInfo { event_type: EventType::WorkflowExecutionStarted.into(), event_id: 1, buffered: false }
}

fn pending_child(initiated_id: i64, child: &ChildState) -> PendingChildExecutionInfo {
    PendingChildExecutionInfo {
        workflow_id: child.workflow_id.clone(),
        run_id: child.run_id.clone(),
        workflow_type_name: child.workflow_type.clone().unwrap_or_default().name,
        initiated_id,
        parent_close_policy: child.close_policy,
    }
}

fn pending_task(task: &WorkflowTask) -> PendingWorkflowTaskInfo {
    let scheduled = task.scheduled();
    let (state, started_time) = match task {
        WorkflowTask::Scheduled(_) => (PendingWorkflowTaskState::Scheduled, None),
        WorkflowTask::Started(started) => (PendingWorkflowTaskState::Started, timestamp(started.at)),
    };
    PendingWorkflowTaskInfo {
        state: state.into(),
        scheduled_time: timestamp(scheduled.at),
        original_scheduled_time: timestamp(scheduled.original_at),
        started_time,
        attempt: scheduled.attempt,
    }
}
