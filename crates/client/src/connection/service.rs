//! The server's methods, one row each.

use super::{CallOptions, Connection, RpcError};

/// Declares a service and its methods.
macro_rules! service {
    (
        $(#[$doc:meta])*
        $service:ident of $api:path as $name:literal {
            $($method:ident $rpc:ident($request:ty$(, $namespace:ident)?) -> $response:ty;)*
        }
    ) => {
        $(#[$doc])*
        ///
        /// Retries, deadlines and headers are the connection's; nothing of a request is filled in, neither the namespace
        /// nor the identity. Payloads do not pass through a codec.
        #[derive(Debug, Clone)]
        pub struct $service {
            connection: Connection,
        }

        impl $service {
            pub(crate) fn new(connection: Connection) -> Self {
                Self { connection }
            }

            /// The connection.
            pub fn connection(&self) -> &Connection {
                &self.connection
            }
        }

        const _: () = {
            use $api::*;

            impl $service { $(
                #[doc = concat!("Calls `", stringify!($rpc), "`.")]
                ///
                /// # Errors
                ///
                /// The call failed, retries included.
                ///
                /// # Cancel safety
                ///
                /// Dropping the future cancels the call; the server may have acted on it all the same.
                pub async fn $method(&self, request: $request, options: CallOptions) -> Result<$response, RpcError> {
                    let path = concat!("/", $name, "/", stringify!($rpc));
                    let namespace = service!(@namespace request $($namespace)?);
                    self.connection.call(path, namespace, &request, &options).await
                }
            )* }
        };

        #[cfg(test)]
        impl $service {
            /// The names of all methods.
            pub(crate) const METHODS: &[&str] = &[$(stringify!($rpc)),*];
        }
    };
    (@namespace $request:ident namespace) => { Some($request.namespace.as_str()) };
    (@namespace $request:ident) => { None };
}

service! {
    /// The methods of Temporal's `WorkflowService`, with the raw messages.
    WorkflowService of stead_proto::workflowservice::v1 as "temporal.api.workflowservice.v1.WorkflowService" {
        count_activity_executions CountActivityExecutions(CountActivityExecutionsRequest, namespace) -> CountActivityExecutionsResponse;
        count_nexus_operation_executions CountNexusOperationExecutions(CountNexusOperationExecutionsRequest, namespace) -> CountNexusOperationExecutionsResponse;
        count_schedules CountSchedules(CountSchedulesRequest, namespace) -> CountSchedulesResponse;
        count_workers CountWorkers(CountWorkersRequest, namespace) -> CountWorkersResponse;
        count_workflow_executions CountWorkflowExecutions(CountWorkflowExecutionsRequest, namespace) -> CountWorkflowExecutionsResponse;
        create_schedule CreateSchedule(CreateScheduleRequest, namespace) -> CreateScheduleResponse;
        create_worker_deployment CreateWorkerDeployment(CreateWorkerDeploymentRequest, namespace) -> CreateWorkerDeploymentResponse;
        create_worker_deployment_version CreateWorkerDeploymentVersion(CreateWorkerDeploymentVersionRequest, namespace) -> CreateWorkerDeploymentVersionResponse;
        create_workflow_rule CreateWorkflowRule(CreateWorkflowRuleRequest, namespace) -> CreateWorkflowRuleResponse;
        delete_activity_execution DeleteActivityExecution(DeleteActivityExecutionRequest, namespace) -> DeleteActivityExecutionResponse;
        delete_nexus_operation_execution DeleteNexusOperationExecution(DeleteNexusOperationExecutionRequest, namespace) -> DeleteNexusOperationExecutionResponse;
        delete_schedule DeleteSchedule(DeleteScheduleRequest, namespace) -> DeleteScheduleResponse;
        delete_worker_deployment DeleteWorkerDeployment(DeleteWorkerDeploymentRequest, namespace) -> DeleteWorkerDeploymentResponse;
        delete_worker_deployment_version DeleteWorkerDeploymentVersion(DeleteWorkerDeploymentVersionRequest, namespace) -> DeleteWorkerDeploymentVersionResponse;
        delete_workflow_execution DeleteWorkflowExecution(DeleteWorkflowExecutionRequest, namespace) -> DeleteWorkflowExecutionResponse;
        delete_workflow_rule DeleteWorkflowRule(DeleteWorkflowRuleRequest, namespace) -> DeleteWorkflowRuleResponse;
        deprecate_namespace DeprecateNamespace(DeprecateNamespaceRequest, namespace) -> DeprecateNamespaceResponse;
        describe_activity_execution DescribeActivityExecution(DescribeActivityExecutionRequest, namespace) -> DescribeActivityExecutionResponse;
        describe_batch_operation DescribeBatchOperation(DescribeBatchOperationRequest, namespace) -> DescribeBatchOperationResponse;
        describe_deployment DescribeDeployment(DescribeDeploymentRequest, namespace) -> DescribeDeploymentResponse;
        describe_namespace DescribeNamespace(DescribeNamespaceRequest, namespace) -> DescribeNamespaceResponse;
        describe_nexus_operation_execution DescribeNexusOperationExecution(DescribeNexusOperationExecutionRequest, namespace) -> DescribeNexusOperationExecutionResponse;
        describe_schedule DescribeSchedule(DescribeScheduleRequest, namespace) -> DescribeScheduleResponse;
        describe_task_queue DescribeTaskQueue(DescribeTaskQueueRequest, namespace) -> DescribeTaskQueueResponse;
        describe_worker DescribeWorker(DescribeWorkerRequest, namespace) -> DescribeWorkerResponse;
        describe_worker_deployment DescribeWorkerDeployment(DescribeWorkerDeploymentRequest, namespace) -> DescribeWorkerDeploymentResponse;
        describe_worker_deployment_version DescribeWorkerDeploymentVersion(DescribeWorkerDeploymentVersionRequest, namespace) -> DescribeWorkerDeploymentVersionResponse;
        describe_workflow_execution DescribeWorkflowExecution(DescribeWorkflowExecutionRequest, namespace) -> DescribeWorkflowExecutionResponse;
        describe_workflow_rule DescribeWorkflowRule(DescribeWorkflowRuleRequest, namespace) -> DescribeWorkflowRuleResponse;
        execute_multi_operation ExecuteMultiOperation(ExecuteMultiOperationRequest, namespace) -> ExecuteMultiOperationResponse;
        fetch_worker_config FetchWorkerConfig(FetchWorkerConfigRequest, namespace) -> FetchWorkerConfigResponse;
        get_cluster_info GetClusterInfo(GetClusterInfoRequest) -> GetClusterInfoResponse;
        get_current_deployment GetCurrentDeployment(GetCurrentDeploymentRequest, namespace) -> GetCurrentDeploymentResponse;
        get_deployment_reachability GetDeploymentReachability(GetDeploymentReachabilityRequest, namespace) -> GetDeploymentReachabilityResponse;
        get_search_attributes GetSearchAttributes(GetSearchAttributesRequest) -> GetSearchAttributesResponse;
        get_system_info GetSystemInfo(GetSystemInfoRequest) -> GetSystemInfoResponse;
        get_worker_build_id_compatibility GetWorkerBuildIdCompatibility(GetWorkerBuildIdCompatibilityRequest, namespace) -> GetWorkerBuildIdCompatibilityResponse;
        get_worker_task_reachability GetWorkerTaskReachability(GetWorkerTaskReachabilityRequest, namespace) -> GetWorkerTaskReachabilityResponse;
        get_worker_versioning_rules GetWorkerVersioningRules(GetWorkerVersioningRulesRequest, namespace) -> GetWorkerVersioningRulesResponse;
        get_workflow_execution_history GetWorkflowExecutionHistory(GetWorkflowExecutionHistoryRequest, namespace) -> GetWorkflowExecutionHistoryResponse;
        get_workflow_execution_history_reverse GetWorkflowExecutionHistoryReverse(GetWorkflowExecutionHistoryReverseRequest, namespace) -> GetWorkflowExecutionHistoryReverseResponse;
        list_activity_executions ListActivityExecutions(ListActivityExecutionsRequest, namespace) -> ListActivityExecutionsResponse;
        list_archived_workflow_executions ListArchivedWorkflowExecutions(ListArchivedWorkflowExecutionsRequest, namespace) -> ListArchivedWorkflowExecutionsResponse;
        list_batch_operations ListBatchOperations(ListBatchOperationsRequest, namespace) -> ListBatchOperationsResponse;
        list_closed_workflow_executions ListClosedWorkflowExecutions(ListClosedWorkflowExecutionsRequest, namespace) -> ListClosedWorkflowExecutionsResponse;
        list_deployments ListDeployments(ListDeploymentsRequest, namespace) -> ListDeploymentsResponse;
        list_namespaces ListNamespaces(ListNamespacesRequest) -> ListNamespacesResponse;
        list_nexus_operation_executions ListNexusOperationExecutions(ListNexusOperationExecutionsRequest, namespace) -> ListNexusOperationExecutionsResponse;
        list_open_workflow_executions ListOpenWorkflowExecutions(ListOpenWorkflowExecutionsRequest, namespace) -> ListOpenWorkflowExecutionsResponse;
        list_schedule_matching_times ListScheduleMatchingTimes(ListScheduleMatchingTimesRequest, namespace) -> ListScheduleMatchingTimesResponse;
        list_schedules ListSchedules(ListSchedulesRequest, namespace) -> ListSchedulesResponse;
        list_task_queue_partitions ListTaskQueuePartitions(ListTaskQueuePartitionsRequest, namespace) -> ListTaskQueuePartitionsResponse;
        list_worker_deployments ListWorkerDeployments(ListWorkerDeploymentsRequest, namespace) -> ListWorkerDeploymentsResponse;
        list_workers ListWorkers(ListWorkersRequest, namespace) -> ListWorkersResponse;
        list_workflow_executions ListWorkflowExecutions(ListWorkflowExecutionsRequest, namespace) -> ListWorkflowExecutionsResponse;
        list_workflow_rules ListWorkflowRules(ListWorkflowRulesRequest, namespace) -> ListWorkflowRulesResponse;
        patch_schedule PatchSchedule(PatchScheduleRequest, namespace) -> PatchScheduleResponse;
        pause_activity PauseActivity(PauseActivityRequest, namespace) -> PauseActivityResponse;
        pause_activity_execution PauseActivityExecution(PauseActivityExecutionRequest, namespace) -> PauseActivityExecutionResponse;
        pause_workflow_execution PauseWorkflowExecution(PauseWorkflowExecutionRequest, namespace) -> PauseWorkflowExecutionResponse;
        poll_activity_execution PollActivityExecution(PollActivityExecutionRequest, namespace) -> PollActivityExecutionResponse;
        poll_activity_task_queue PollActivityTaskQueue(PollActivityTaskQueueRequest, namespace) -> PollActivityTaskQueueResponse;
        poll_nexus_operation_execution PollNexusOperationExecution(PollNexusOperationExecutionRequest, namespace) -> PollNexusOperationExecutionResponse;
        poll_nexus_task_queue PollNexusTaskQueue(PollNexusTaskQueueRequest, namespace) -> PollNexusTaskQueueResponse;
        poll_workflow_execution_time_skipping PollWorkflowExecutionTimeSkipping(PollWorkflowExecutionTimeSkippingRequest, namespace) -> PollWorkflowExecutionTimeSkippingResponse;
        poll_workflow_execution_update PollWorkflowExecutionUpdate(PollWorkflowExecutionUpdateRequest, namespace) -> PollWorkflowExecutionUpdateResponse;
        poll_workflow_task_queue PollWorkflowTaskQueue(PollWorkflowTaskQueueRequest, namespace) -> PollWorkflowTaskQueueResponse;
        query_workflow QueryWorkflow(QueryWorkflowRequest, namespace) -> QueryWorkflowResponse;
        record_activity_task_heartbeat RecordActivityTaskHeartbeat(RecordActivityTaskHeartbeatRequest, namespace) -> RecordActivityTaskHeartbeatResponse;
        record_activity_task_heartbeat_by_id RecordActivityTaskHeartbeatById(RecordActivityTaskHeartbeatByIdRequest, namespace) -> RecordActivityTaskHeartbeatByIdResponse;
        record_worker_heartbeat RecordWorkerHeartbeat(RecordWorkerHeartbeatRequest, namespace) -> RecordWorkerHeartbeatResponse;
        register_namespace RegisterNamespace(RegisterNamespaceRequest, namespace) -> RegisterNamespaceResponse;
        request_cancel_activity_execution RequestCancelActivityExecution(RequestCancelActivityExecutionRequest, namespace) -> RequestCancelActivityExecutionResponse;
        request_cancel_nexus_operation_execution RequestCancelNexusOperationExecution(RequestCancelNexusOperationExecutionRequest, namespace) -> RequestCancelNexusOperationExecutionResponse;
        request_cancel_workflow_execution RequestCancelWorkflowExecution(RequestCancelWorkflowExecutionRequest, namespace) -> RequestCancelWorkflowExecutionResponse;
        reset_activity ResetActivity(ResetActivityRequest, namespace) -> ResetActivityResponse;
        reset_activity_execution ResetActivityExecution(ResetActivityExecutionRequest, namespace) -> ResetActivityExecutionResponse;
        reset_sticky_task_queue ResetStickyTaskQueue(ResetStickyTaskQueueRequest, namespace) -> ResetStickyTaskQueueResponse;
        reset_workflow_execution ResetWorkflowExecution(ResetWorkflowExecutionRequest, namespace) -> ResetWorkflowExecutionResponse;
        respond_activity_task_canceled RespondActivityTaskCanceled(RespondActivityTaskCanceledRequest, namespace) -> RespondActivityTaskCanceledResponse;
        respond_activity_task_canceled_by_id RespondActivityTaskCanceledById(RespondActivityTaskCanceledByIdRequest, namespace) -> RespondActivityTaskCanceledByIdResponse;
        respond_activity_task_completed RespondActivityTaskCompleted(RespondActivityTaskCompletedRequest, namespace) -> RespondActivityTaskCompletedResponse;
        respond_activity_task_completed_by_id RespondActivityTaskCompletedById(RespondActivityTaskCompletedByIdRequest, namespace) -> RespondActivityTaskCompletedByIdResponse;
        respond_activity_task_failed RespondActivityTaskFailed(RespondActivityTaskFailedRequest, namespace) -> RespondActivityTaskFailedResponse;
        respond_activity_task_failed_by_id RespondActivityTaskFailedById(RespondActivityTaskFailedByIdRequest, namespace) -> RespondActivityTaskFailedByIdResponse;
        respond_nexus_task_completed RespondNexusTaskCompleted(RespondNexusTaskCompletedRequest, namespace) -> RespondNexusTaskCompletedResponse;
        respond_nexus_task_failed RespondNexusTaskFailed(RespondNexusTaskFailedRequest, namespace) -> RespondNexusTaskFailedResponse;
        respond_query_task_completed RespondQueryTaskCompleted(RespondQueryTaskCompletedRequest, namespace) -> RespondQueryTaskCompletedResponse;
        respond_workflow_task_completed RespondWorkflowTaskCompleted(RespondWorkflowTaskCompletedRequest, namespace) -> RespondWorkflowTaskCompletedResponse;
        respond_workflow_task_failed RespondWorkflowTaskFailed(RespondWorkflowTaskFailedRequest, namespace) -> RespondWorkflowTaskFailedResponse;
        scan_workflow_executions ScanWorkflowExecutions(ScanWorkflowExecutionsRequest, namespace) -> ScanWorkflowExecutionsResponse;
        set_current_deployment SetCurrentDeployment(SetCurrentDeploymentRequest, namespace) -> SetCurrentDeploymentResponse;
        set_worker_deployment_current_version SetWorkerDeploymentCurrentVersion(SetWorkerDeploymentCurrentVersionRequest, namespace) -> SetWorkerDeploymentCurrentVersionResponse;
        set_worker_deployment_manager SetWorkerDeploymentManager(SetWorkerDeploymentManagerRequest, namespace) -> SetWorkerDeploymentManagerResponse;
        set_worker_deployment_ramping_version SetWorkerDeploymentRampingVersion(SetWorkerDeploymentRampingVersionRequest, namespace) -> SetWorkerDeploymentRampingVersionResponse;
        shutdown_worker ShutdownWorker(ShutdownWorkerRequest, namespace) -> ShutdownWorkerResponse;
        signal_with_start_workflow_execution SignalWithStartWorkflowExecution(SignalWithStartWorkflowExecutionRequest, namespace) -> SignalWithStartWorkflowExecutionResponse;
        signal_workflow_execution SignalWorkflowExecution(SignalWorkflowExecutionRequest, namespace) -> SignalWorkflowExecutionResponse;
        start_activity_execution StartActivityExecution(StartActivityExecutionRequest, namespace) -> StartActivityExecutionResponse;
        start_batch_operation StartBatchOperation(StartBatchOperationRequest, namespace) -> StartBatchOperationResponse;
        start_nexus_operation_execution StartNexusOperationExecution(StartNexusOperationExecutionRequest, namespace) -> StartNexusOperationExecutionResponse;
        start_workflow_execution StartWorkflowExecution(StartWorkflowExecutionRequest, namespace) -> StartWorkflowExecutionResponse;
        stop_batch_operation StopBatchOperation(StopBatchOperationRequest, namespace) -> StopBatchOperationResponse;
        terminate_activity_execution TerminateActivityExecution(TerminateActivityExecutionRequest, namespace) -> TerminateActivityExecutionResponse;
        terminate_nexus_operation_execution TerminateNexusOperationExecution(TerminateNexusOperationExecutionRequest, namespace) -> TerminateNexusOperationExecutionResponse;
        terminate_workflow_execution TerminateWorkflowExecution(TerminateWorkflowExecutionRequest, namespace) -> TerminateWorkflowExecutionResponse;
        trigger_workflow_rule TriggerWorkflowRule(TriggerWorkflowRuleRequest, namespace) -> TriggerWorkflowRuleResponse;
        unpause_activity UnpauseActivity(UnpauseActivityRequest, namespace) -> UnpauseActivityResponse;
        unpause_activity_execution UnpauseActivityExecution(UnpauseActivityExecutionRequest, namespace) -> UnpauseActivityExecutionResponse;
        unpause_workflow_execution UnpauseWorkflowExecution(UnpauseWorkflowExecutionRequest, namespace) -> UnpauseWorkflowExecutionResponse;
        update_activity_execution_options UpdateActivityExecutionOptions(UpdateActivityExecutionOptionsRequest, namespace) -> UpdateActivityExecutionOptionsResponse;
        update_activity_options UpdateActivityOptions(UpdateActivityOptionsRequest, namespace) -> UpdateActivityOptionsResponse;
        update_namespace UpdateNamespace(UpdateNamespaceRequest, namespace) -> UpdateNamespaceResponse;
        update_schedule UpdateSchedule(UpdateScheduleRequest, namespace) -> UpdateScheduleResponse;
        update_task_queue_config UpdateTaskQueueConfig(UpdateTaskQueueConfigRequest, namespace) -> UpdateTaskQueueConfigResponse;
        update_worker_build_id_compatibility UpdateWorkerBuildIdCompatibility(UpdateWorkerBuildIdCompatibilityRequest, namespace) -> UpdateWorkerBuildIdCompatibilityResponse;
        update_worker_config UpdateWorkerConfig(UpdateWorkerConfigRequest, namespace) -> UpdateWorkerConfigResponse;
        update_worker_deployment_version_compute_config UpdateWorkerDeploymentVersionComputeConfig(UpdateWorkerDeploymentVersionComputeConfigRequest, namespace) -> UpdateWorkerDeploymentVersionComputeConfigResponse;
        update_worker_deployment_version_metadata UpdateWorkerDeploymentVersionMetadata(UpdateWorkerDeploymentVersionMetadataRequest, namespace) -> UpdateWorkerDeploymentVersionMetadataResponse;
        update_worker_versioning_rules UpdateWorkerVersioningRules(UpdateWorkerVersioningRulesRequest, namespace) -> UpdateWorkerVersioningRulesResponse;
        update_workflow_execution UpdateWorkflowExecution(UpdateWorkflowExecutionRequest, namespace) -> UpdateWorkflowExecutionResponse;
        update_workflow_execution_options UpdateWorkflowExecutionOptions(UpdateWorkflowExecutionOptionsRequest, namespace) -> UpdateWorkflowExecutionOptionsResponse;
        validate_worker_deployment_version_compute_config ValidateWorkerDeploymentVersionComputeConfig(ValidateWorkerDeploymentVersionComputeConfigRequest, namespace) -> ValidateWorkerDeploymentVersionComputeConfigResponse;
    }
}

#[cfg(feature = "operator")]
mod operator;
#[cfg(feature = "operator")]
pub use operator::OperatorService;

#[cfg(feature = "test-service")]
mod test_service;
#[cfg(feature = "test-service")]
pub use test_service::TestService;

#[cfg(feature = "cloud")]
mod cloud;
#[cfg(feature = "cloud")]
pub use cloud::CloudService;

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    /// The methods that the API's descriptors have of a service.
    fn described(service: &str) -> Vec<String> {
        let files = prost_types::FileDescriptorSet::decode(stead_proto::SERVICE_DESCRIPTORS).expect("descriptors");
        let services = files.file.into_iter().flat_map(|file| file.service);
        let found = services.into_iter().find(|it| it.name() == service).expect("the service is described");
        let mut methods: Vec<_> = found.method.iter().map(|method| method.name().to_owned()).collect();
        methods.sort_unstable();
        methods
    }

    fn sorted(methods: &[&str]) -> Vec<String> {
        let mut methods: Vec<_> = methods.iter().map(|method| (*method).to_owned()).collect();
        methods.sort_unstable();
        methods
    }

    #[test]
    fn every_method_of_the_services_can_be_called() {
        assert_eq!(sorted(WorkflowService::METHODS), described("WorkflowService"));
        #[cfg(feature = "operator")]
        assert_eq!(sorted(OperatorService::METHODS), described("OperatorService"));
        #[cfg(feature = "test-service")]
        assert_eq!(sorted(TestService::METHODS), described("TestService"));
        // The descriptors do not have this one.
        #[cfg(feature = "cloud")]
        assert!(CloudService::METHODS.contains(&"GetNamespaces"));
    }
}
