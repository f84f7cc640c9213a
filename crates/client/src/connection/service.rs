//! The server's methods, one row each.

use stead_proto::workflowservice::v1 as api;

use super::{CallOptions, Connection, RpcError};

/// The methods of Temporal's `WorkflowService`, with the raw messages.
///
/// Retries, deadlines and headers are the connection's; nothing of a request is filled in, neither the namespace nor
/// the identity. Payloads do not pass through a codec.
#[derive(Debug, Clone)]
pub struct WorkflowService {
    connection: Connection,
}

impl WorkflowService {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

macro_rules! methods {
    ($($method:ident $rpc:ident($request:ident$(, $namespace:ident)?) -> $response:ident;)*) => {
        impl WorkflowService { $(
            #[doc = concat!("Calls `", stringify!($rpc), "`.")]
            ///
            /// # Errors
            ///
            /// The call failed, retries included.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future cancels the call; the server may have acted on it all the same.
            pub async fn $method(
                &self,
                request: api::$request,
                options: CallOptions,
            ) -> Result<api::$response, RpcError> {
                let path = concat!("/temporal.api.workflowservice.v1.WorkflowService/", stringify!($rpc));
                let namespace = methods!(@namespace request $($namespace)?);
                self.connection.call(path, namespace, &request, &options).await
            }
        )* }
    };
    (@namespace $request:ident namespace) => { Some($request.namespace.as_str()) };
    (@namespace $request:ident) => { None };
}

methods! {
    count_workflow_executions CountWorkflowExecutions(CountWorkflowExecutionsRequest, namespace) -> CountWorkflowExecutionsResponse;
    describe_namespace DescribeNamespace(DescribeNamespaceRequest, namespace) -> DescribeNamespaceResponse;
    describe_task_queue DescribeTaskQueue(DescribeTaskQueueRequest, namespace) -> DescribeTaskQueueResponse;
    describe_workflow_execution DescribeWorkflowExecution(DescribeWorkflowExecutionRequest, namespace) -> DescribeWorkflowExecutionResponse;
    execute_multi_operation ExecuteMultiOperation(ExecuteMultiOperationRequest, namespace) -> ExecuteMultiOperationResponse;
    get_system_info GetSystemInfo(GetSystemInfoRequest) -> GetSystemInfoResponse;
    get_workflow_execution_history GetWorkflowExecutionHistory(GetWorkflowExecutionHistoryRequest, namespace) -> GetWorkflowExecutionHistoryResponse;
    list_workflow_executions ListWorkflowExecutions(ListWorkflowExecutionsRequest, namespace) -> ListWorkflowExecutionsResponse;
    pause_activity PauseActivity(PauseActivityRequest, namespace) -> PauseActivityResponse;
    poll_activity_task_queue PollActivityTaskQueue(PollActivityTaskQueueRequest, namespace) -> PollActivityTaskQueueResponse;
    poll_workflow_execution_update PollWorkflowExecutionUpdate(PollWorkflowExecutionUpdateRequest, namespace) -> PollWorkflowExecutionUpdateResponse;
    poll_workflow_task_queue PollWorkflowTaskQueue(PollWorkflowTaskQueueRequest, namespace) -> PollWorkflowTaskQueueResponse;
    query_workflow QueryWorkflow(QueryWorkflowRequest, namespace) -> QueryWorkflowResponse;
    record_activity_task_heartbeat_by_id RecordActivityTaskHeartbeatById(RecordActivityTaskHeartbeatByIdRequest, namespace) -> RecordActivityTaskHeartbeatByIdResponse;
    record_activity_task_heartbeat RecordActivityTaskHeartbeat(RecordActivityTaskHeartbeatRequest, namespace) -> RecordActivityTaskHeartbeatResponse;
    register_namespace RegisterNamespace(RegisterNamespaceRequest, namespace) -> RegisterNamespaceResponse;
    request_cancel_workflow_execution RequestCancelWorkflowExecution(RequestCancelWorkflowExecutionRequest, namespace) -> RequestCancelWorkflowExecutionResponse;
    reset_activity ResetActivity(ResetActivityRequest, namespace) -> ResetActivityResponse;
    reset_sticky_task_queue ResetStickyTaskQueue(ResetStickyTaskQueueRequest, namespace) -> ResetStickyTaskQueueResponse;
    respond_activity_task_canceled_by_id RespondActivityTaskCanceledById(RespondActivityTaskCanceledByIdRequest, namespace) -> RespondActivityTaskCanceledByIdResponse;
    respond_activity_task_completed_by_id RespondActivityTaskCompletedById(RespondActivityTaskCompletedByIdRequest, namespace) -> RespondActivityTaskCompletedByIdResponse;
    respond_activity_task_failed_by_id RespondActivityTaskFailedById(RespondActivityTaskFailedByIdRequest, namespace) -> RespondActivityTaskFailedByIdResponse;
    respond_activity_task_canceled RespondActivityTaskCanceled(RespondActivityTaskCanceledRequest, namespace) -> RespondActivityTaskCanceledResponse;
    respond_activity_task_completed RespondActivityTaskCompleted(RespondActivityTaskCompletedRequest, namespace) -> RespondActivityTaskCompletedResponse;
    respond_activity_task_failed RespondActivityTaskFailed(RespondActivityTaskFailedRequest, namespace) -> RespondActivityTaskFailedResponse;
    respond_query_task_completed RespondQueryTaskCompleted(RespondQueryTaskCompletedRequest, namespace) -> RespondQueryTaskCompletedResponse;
    respond_workflow_task_completed RespondWorkflowTaskCompleted(RespondWorkflowTaskCompletedRequest, namespace) -> RespondWorkflowTaskCompletedResponse;
    respond_workflow_task_failed RespondWorkflowTaskFailed(RespondWorkflowTaskFailedRequest, namespace) -> RespondWorkflowTaskFailedResponse;
    set_worker_deployment_current_version SetWorkerDeploymentCurrentVersion(SetWorkerDeploymentCurrentVersionRequest, namespace) -> SetWorkerDeploymentCurrentVersionResponse;
    shutdown_worker ShutdownWorker(ShutdownWorkerRequest, namespace) -> ShutdownWorkerResponse;
    signal_with_start_workflow_execution SignalWithStartWorkflowExecution(SignalWithStartWorkflowExecutionRequest, namespace) -> SignalWithStartWorkflowExecutionResponse;
    signal_workflow_execution SignalWorkflowExecution(SignalWorkflowExecutionRequest, namespace) -> SignalWorkflowExecutionResponse;
    start_workflow_execution StartWorkflowExecution(StartWorkflowExecutionRequest, namespace) -> StartWorkflowExecutionResponse;
    terminate_workflow_execution TerminateWorkflowExecution(TerminateWorkflowExecutionRequest, namespace) -> TerminateWorkflowExecutionResponse;
    unpause_activity UnpauseActivity(UnpauseActivityRequest, namespace) -> UnpauseActivityResponse;
    update_workflow_execution UpdateWorkflowExecution(UpdateWorkflowExecutionRequest, namespace) -> UpdateWorkflowExecutionResponse;
}
