//! Which room serves which call.

use super::call::Outcome;
use super::clusters::{cluster_stays, no_remote_cluster};
use super::deployments::{version_sets_are_disabled, versioning_rules_are_disabled};
use super::{Call, Engine, Refusal, Request};

impl Engine {
    pub(super) fn dispatch(&mut self, call: &Call, request: Request) -> Result<Outcome, Refusal> {
        Ok(match request {
            Request::GetSystemInfo(_) => self.system_info().into(),
            Request::GetClusterInfo(_) => self.cluster_info().into(),
            Request::RegisterNamespace(request) => self.register_namespace(*request)?.into(),
            Request::DescribeNamespace(request) => self.describe_namespace(&request)?.into(),
            Request::ListNamespaces(request) => self.list_namespaces(&request)?.into(),
            Request::UpdateNamespace(request) => self.update_namespace(*request)?.into(),
            Request::DeprecateNamespace(request) => self.deprecate_namespace(&request)?.into(),
            Request::ListWorkflowExecutions(request) => self.list_workflow_executions(&request)?.into(),
            Request::ScanWorkflowExecutions(request) => self.scan_workflow_executions(&request)?.into(),
            Request::CountWorkflowExecutions(request) => self.count_workflow_executions(&request)?.into(),
            Request::ListOpenWorkflowExecutions(request) => self.list_open_workflow_executions(&request)?.into(),
            Request::ListClosedWorkflowExecutions(request) => self.list_closed_workflow_executions(&request)?.into(),
            Request::ListArchivedWorkflowExecutions(request) => {
                self.list_archived_workflow_executions(&request)?.into()
            }
            Request::GetSearchAttributes(_) => self.search_attributes().into(),
            Request::AddSearchAttributes(request) => self.add_search_attributes(&request)?.into(),
            Request::RemoveSearchAttributes(request) => self.remove_search_attributes(&request)?.into(),
            Request::ListSearchAttributes(request) => self.list_search_attributes(&request)?.into(),
            Request::DeleteNamespace(request) => self.delete_namespace(&request)?.into(),
            Request::ListClusters(_) => self.list_clusters().into(),
            Request::AddOrUpdateRemoteCluster(request) => return Err(no_remote_cluster(&request)),
            Request::RemoveRemoteCluster(request) => return Err(cluster_stays(&request)),
            Request::CreateNexusEndpoint(request) => self.create_nexus_endpoint(*request)?.into(),
            Request::UpdateNexusEndpoint(request) => self.update_nexus_endpoint(*request)?.into(),
            Request::DeleteNexusEndpoint(request) => self.delete_nexus_endpoint(&request)?.into(),
            Request::GetNexusEndpoint(request) => self.get_nexus_endpoint(&request)?.into(),
            Request::ListNexusEndpoints(request) => self.list_nexus_endpoints(&request)?.into(),
            Request::StartWorkflowExecution(request) => self.start_workflow(*request)?,
            Request::PollWorkflowTaskQueue(request) => self.poll_workflow_task_queue(call, *request)?,
            Request::RespondWorkflowTaskCompleted(request) => self.respond_workflow_task_completed(*request)?,
            Request::RespondWorkflowTaskFailed(request) => self.respond_workflow_task_failed(*request)?,
            Request::GetWorkflowExecutionHistory(request) => self.get_workflow_execution_history(call, *request)?,
            Request::PollActivityTaskQueue(request) => self.poll_activity_task_queue(call, *request)?,
            Request::RespondActivityTaskCompleted(request) => self.respond_activity_task_completed(*request)?,
            Request::RespondActivityTaskCompletedById(request) => {
                self.respond_activity_task_completed_by_id(*request)?
            }
            Request::RespondActivityTaskFailed(request) => self.respond_activity_task_failed(*request)?,
            Request::RespondActivityTaskFailedById(request) => self.respond_activity_task_failed_by_id(*request)?,
            Request::RespondActivityTaskCanceled(request) => self.respond_activity_task_canceled(*request)?,
            Request::RespondActivityTaskCanceledById(request) => self.respond_activity_task_canceled_by_id(*request)?,
            Request::RecordActivityTaskHeartbeat(request) => self.record_activity_task_heartbeat(*request)?,
            Request::RecordActivityTaskHeartbeatById(request) => self.record_activity_task_heartbeat_by_id(*request)?,
            Request::StartNexusOperationExecution(request) => self.start_nexus_operation_execution(*request)?,
            Request::DescribeNexusOperationExecution(request) => {
                self.describe_nexus_operation_execution(call, *request)?
            }
            Request::PollNexusOperationExecution(request) => self.poll_nexus_operation_execution(call, &request)?,
            Request::ListNexusOperationExecutions(request) => self.list_nexus_operation_executions(&request)?.into(),
            Request::CountNexusOperationExecutions(request) => self.count_nexus_operation_executions(&request)?.into(),
            Request::RequestCancelNexusOperationExecution(request) => {
                self.request_cancel_nexus_operation_execution(*request)?
            }
            Request::TerminateNexusOperationExecution(request) => self.terminate_nexus_operation_execution(*request)?,
            Request::DeleteNexusOperationExecution(request) => self.delete_nexus_operation_execution(&request)?,
            Request::PollNexusTaskQueue(request) => self.poll_nexus_task_queue(call, *request)?,
            Request::RespondNexusTaskCompleted(request) => self.respond_nexus_task_completed(*request)?,
            Request::RespondNexusTaskFailed(request) => self.respond_nexus_task_failed(*request)?,
            Request::SignalWorkflowExecution(request) => self.signal_workflow_execution(*request)?,
            Request::RequestCancelWorkflowExecution(request) => self.request_cancel_workflow_execution(*request)?,
            Request::TerminateWorkflowExecution(request) => self.terminate_workflow_execution(*request)?,
            Request::DeleteWorkflowExecution(request) => self.delete_workflow_execution(&request)?.into(),
            Request::ResetWorkflowExecution(request) => self.reset_workflow_execution(*request)?.into(),
            Request::UpdateWorkflowExecutionOptions(request) => self.update_workflow_options(*request)?.into(),
            Request::DescribeWorkflowExecution(request) => self.describe_workflow_execution(&request)?,
            Request::StartActivityExecution(request) => self.start_activity_execution(*request)?,
            Request::DescribeActivityExecution(request) => self.describe_activity_execution(call, *request)?,
            Request::PollActivityExecution(request) => self.poll_activity_execution(call, &request)?,
            Request::ListActivityExecutions(request) => self.list_activity_executions(&request)?.into(),
            Request::CountActivityExecutions(request) => self.count_activity_executions(&request)?.into(),
            Request::RequestCancelActivityExecution(request) => self.request_cancel_activity_execution(*request)?,
            Request::TerminateActivityExecution(request) => self.terminate_activity_execution(*request)?,
            Request::DeleteActivityExecution(request) => self.delete_activity_execution(&request)?,
            Request::PauseActivityExecution(request) => self.pause_activity_execution(*request)?,
            Request::UnpauseActivityExecution(request) => self.unpause_activity_execution(*request)?,
            Request::ResetActivityExecution(request) => self.reset_activity_execution(*request)?,
            Request::UpdateActivityExecutionOptions(request) => self.update_activity_execution_options(*request)?,
            Request::PauseActivity(request) => self.pause_activity(*request)?,
            Request::UnpauseActivity(request) => self.unpause_activity(*request)?,
            Request::ResetActivity(request) => self.reset_activity(*request)?,
            Request::UpdateActivityOptions(request) => self.update_activity_options(*request)?,
            Request::PauseWorkflowExecution(request) => self.pause_workflow_execution(*request)?,
            Request::UnpauseWorkflowExecution(request) => self.unpause_workflow_execution(*request)?,
            Request::GetWorkflowExecutionHistoryReverse(request) => {
                self.get_workflow_execution_history_reverse(&request)?
            }
            Request::DescribeTaskQueue(request) => self.describe_task_queue(&request)?.into(),
            Request::ListTaskQueuePartitions(request) => self.list_task_queue_partitions(*request)?.into(),
            Request::UpdateTaskQueueConfig(request) => self.update_task_queue_config(*request)?.into(),
            Request::ShutdownWorker(request) => self.shutdown_worker(*request)?.into(),
            Request::CreateWorkerDeployment(request) => self.create_worker_deployment(*request)?.into(),
            Request::CreateWorkerDeploymentVersion(request) => self.create_worker_deployment_version(*request)?.into(),
            Request::DescribeWorkerDeployment(request) => self.describe_worker_deployment(*request)?.into(),
            Request::DescribeWorkerDeploymentVersion(request) => {
                self.describe_worker_deployment_version(&request)?.into()
            }
            Request::ListWorkerDeployments(request) => self.list_worker_deployments(&request)?.into(),
            Request::SetWorkerDeploymentCurrentVersion(request) => {
                self.set_worker_deployment_current_version(&request)?.into()
            }
            Request::SetWorkerDeploymentRampingVersion(request) => {
                self.set_worker_deployment_ramping_version(&request)?.into()
            }
            Request::SetWorkerDeploymentManager(request) => self.set_worker_deployment_manager(*request)?.into(),
            Request::DeleteWorkerDeployment(request) => self.delete_worker_deployment(*request)?.into(),
            Request::DeleteWorkerDeploymentVersion(request) => self.delete_worker_deployment_version(*request)?.into(),
            Request::UpdateWorkerDeploymentVersionMetadata(request) => {
                self.update_worker_deployment_version_metadata(*request)?.into()
            }
            Request::UpdateWorkerBuildIdCompatibility(_) | Request::GetWorkerBuildIdCompatibility(_) => {
                return Err(version_sets_are_disabled());
            }
            Request::UpdateWorkerVersioningRules(_)
            | Request::GetWorkerVersioningRules(_)
            | Request::GetWorkerTaskReachability(_) => return Err(versioning_rules_are_disabled()),
            Request::RecordWorkerHeartbeat(request) => self.record_worker_heartbeat(*request)?.into(),
            Request::ListWorkers(request) => self.list_workers(&request)?.into(),
            Request::CountWorkers(request) => self.count_workers(&request)?.into(),
            Request::DescribeWorker(request) => self.describe_worker(&request)?.into(),
            Request::UpdateWorkflowExecution(request) => self.update_workflow_execution(call.id, *request)?,
            Request::PollWorkflowExecutionUpdate(request) => self.poll_workflow_execution_update(call.id, *request)?,
            Request::PollWorkflowExecutionTimeSkipping(request) => self.poll_time_skipping(call.id, *request)?,
            Request::CreateSchedule(request) => self.create_schedule(*request)?.into(),
            Request::DescribeSchedule(request) => self.describe_schedule(&request)?.into(),
            Request::UpdateSchedule(request) => self.update_schedule(*request)?.into(),
            Request::PatchSchedule(request) => self.patch_schedule(*request)?.into(),
            Request::DeleteSchedule(request) => self.delete_schedule(&request)?.into(),
            Request::ListSchedules(request) => self.list_schedules(&request)?.into(),
            Request::CountSchedules(request) => self.count_schedules(&request)?.into(),
            Request::ListScheduleMatchingTimes(request) => self.list_schedule_matching_times(&request)?.into(),
            Request::StartBatchOperation(request) => self.start_batch_operation(*request)?.into(),
            Request::StopBatchOperation(request) => self.stop_batch_operation(&request)?.into(),
            Request::DescribeBatchOperation(request) => self.describe_batch_operation(&request)?.into(),
            Request::ListBatchOperations(request) => self.list_batch_operations(&request)?.into(),
            Request::QueryWorkflow(request) => self.query_workflow(call, *request)?,
            Request::RespondQueryTaskCompleted(request) => self.respond_query_task_completed(*request)?,
            Request::ResetStickyTaskQueue(request) => self.reset_sticky_task_queue(&request)?,
            Request::SignalWithStartWorkflowExecution(request) => self.signal_with_start(*request)?,
            Request::ExecuteMultiOperation(request) => self.execute_multi_operation(call.id, *request)?,
        })
    }
}
