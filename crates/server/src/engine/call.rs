//! [`Request`] and [`Response`]: the calls that the engine serves, and [`Call`], who made one.
//!
//! A call that is not in the table below is one that the server does not know.

use std::time::Duration;

use bytes::{BufMut, Bytes};
use prost::{DecodeError, Message};
use stead_proto::operatorservice::v1 as operator;
use stead_proto::workflowservice::v1 as workflow;

use super::raw;

/// One call that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A call, and what its headers say about the caller.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which call; the answer bears the same id. Never used twice.
    pub id: CallId,
    /// The header `client-name`: which SDK or tool calls.
    pub client_name: String,
    /// How long the caller waits for the answer, as the engine's clock counts. `None` if it does not say, or if that
    /// clock need not agree with the caller's.
    pub patience: Option<Duration>,
}

/// How a call goes on once it has been looked at.
pub(crate) enum Outcome {
    /// Here is the answer.
    Answered(Box<Response>),
    /// The answer comes with a later input.
    Waits,
}

impl<R: Into<Response>> From<R> for Outcome {
    fn from(response: R) -> Self {
        Self::Answered(Box::new(response.into()))
    }
}

macro_rules! calls {
    ($($service:literal: { $($name:ident: $request:ty => $response:ty,)+ })+) => {
        /// A request to the engine, by the name of its call.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "each is the request of the call of its name")]
        pub enum Request { $($($name(Box<$request>),)+)+ }

        /// The engine's answer, by the name of its call.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "each is the response of the call of its name")]
        pub enum Response { $($($name(Box<$response>),)+)+ }

        impl Request {
            /// Reads the request of a call such as `temporal.api.workflowservice.v1.WorkflowService` and
            /// `GetSystemInfo`. `None` if the server does not know the call.
            ///
            /// # Errors
            ///
            /// When the bytes are not such a request.
            pub fn decode(service: &str, method: &str, bytes: Bytes) -> Option<Result<Self, DecodeError>> {
                match (service, method) {
                    $($(($service, stringify!($name)) => {
                        Some(<$request>::decode(bytes).map(|request| Self::$name(Box::new(request))))
                    })+)+
                    _ => None,
                }
            }

            /// The call's name, such as `GetSystemInfo`.
            #[must_use]
            pub fn method(&self) -> &'static str {
                match self { $($(Self::$name(_) => stringify!($name),)+)+ }
            }
        }

        impl Response {
            /// Length of the encoded response, in bytes.
            #[must_use]
            pub fn encoded_len(&self) -> usize {
                match self { $($(Self::$name(response) => response.encoded_len(),)+)+ }
            }

            /// Appends the encoded response, which must fit.
            pub fn encode(&self, buffer: &mut impl BufMut) {
                match self { $($(Self::$name(response) => response.encode_raw(buffer),)+)+ }
            }
        }

        $($(impl From<$request> for Request {
            fn from(request: $request) -> Self { Self::$name(Box::new(request)) }
        })+)+

        $($(impl From<$response> for Response {
            fn from(response: $response) -> Self { Self::$name(Box::new(response)) }
        })+)+
    };
}

calls! {
    "temporal.api.workflowservice.v1.WorkflowService": {
        GetSystemInfo: workflow::GetSystemInfoRequest => workflow::GetSystemInfoResponse,
        GetClusterInfo: workflow::GetClusterInfoRequest => workflow::GetClusterInfoResponse,
        RegisterNamespace: workflow::RegisterNamespaceRequest => workflow::RegisterNamespaceResponse,
        DescribeNamespace: workflow::DescribeNamespaceRequest => workflow::DescribeNamespaceResponse,
        ListNamespaces: workflow::ListNamespacesRequest => workflow::ListNamespacesResponse,
        UpdateNamespace: workflow::UpdateNamespaceRequest => workflow::UpdateNamespaceResponse,
        DeprecateNamespace: workflow::DeprecateNamespaceRequest => workflow::DeprecateNamespaceResponse,
        ListWorkflowExecutions: workflow::ListWorkflowExecutionsRequest => workflow::ListWorkflowExecutionsResponse,
        ScanWorkflowExecutions: workflow::ScanWorkflowExecutionsRequest => workflow::ScanWorkflowExecutionsResponse,
        CountWorkflowExecutions: workflow::CountWorkflowExecutionsRequest => workflow::CountWorkflowExecutionsResponse,
        ListOpenWorkflowExecutions:
            workflow::ListOpenWorkflowExecutionsRequest => workflow::ListOpenWorkflowExecutionsResponse,
        ListClosedWorkflowExecutions:
            workflow::ListClosedWorkflowExecutionsRequest => workflow::ListClosedWorkflowExecutionsResponse,
        ListArchivedWorkflowExecutions:
            workflow::ListArchivedWorkflowExecutionsRequest => workflow::ListArchivedWorkflowExecutionsResponse,
        GetSearchAttributes: workflow::GetSearchAttributesRequest => workflow::GetSearchAttributesResponse,
        StartWorkflowExecution: workflow::StartWorkflowExecutionRequest => raw::StartWorkflowExecutionResponse,
        PollWorkflowTaskQueue: workflow::PollWorkflowTaskQueueRequest => raw::PollWorkflowTaskQueueResponse,
        RespondWorkflowTaskCompleted: workflow::RespondWorkflowTaskCompletedRequest =>
            raw::RespondWorkflowTaskCompletedResponse,
        GetWorkflowExecutionHistory: workflow::GetWorkflowExecutionHistoryRequest =>
            raw::GetWorkflowExecutionHistoryResponse,
        RespondWorkflowTaskFailed: workflow::RespondWorkflowTaskFailedRequest =>
            workflow::RespondWorkflowTaskFailedResponse,
        PollActivityTaskQueue: workflow::PollActivityTaskQueueRequest =>
            workflow::PollActivityTaskQueueResponse,
        RespondActivityTaskCompleted: workflow::RespondActivityTaskCompletedRequest =>
            workflow::RespondActivityTaskCompletedResponse,
        RespondActivityTaskCompletedById: workflow::RespondActivityTaskCompletedByIdRequest =>
            workflow::RespondActivityTaskCompletedByIdResponse,
        RespondActivityTaskFailed: workflow::RespondActivityTaskFailedRequest =>
            workflow::RespondActivityTaskFailedResponse,
        RespondActivityTaskFailedById: workflow::RespondActivityTaskFailedByIdRequest =>
            workflow::RespondActivityTaskFailedByIdResponse,
        RespondActivityTaskCanceled: workflow::RespondActivityTaskCanceledRequest =>
            workflow::RespondActivityTaskCanceledResponse,
        RespondActivityTaskCanceledById: workflow::RespondActivityTaskCanceledByIdRequest =>
            workflow::RespondActivityTaskCanceledByIdResponse,
        RecordActivityTaskHeartbeat: workflow::RecordActivityTaskHeartbeatRequest =>
            workflow::RecordActivityTaskHeartbeatResponse,
        RecordActivityTaskHeartbeatById: workflow::RecordActivityTaskHeartbeatByIdRequest =>
            workflow::RecordActivityTaskHeartbeatByIdResponse,
        SignalWorkflowExecution: workflow::SignalWorkflowExecutionRequest =>
            workflow::SignalWorkflowExecutionResponse,
        RequestCancelWorkflowExecution: workflow::RequestCancelWorkflowExecutionRequest =>
            workflow::RequestCancelWorkflowExecutionResponse,
        TerminateWorkflowExecution: workflow::TerminateWorkflowExecutionRequest =>
            workflow::TerminateWorkflowExecutionResponse,
        DeleteWorkflowExecution:
            workflow::DeleteWorkflowExecutionRequest => workflow::DeleteWorkflowExecutionResponse,
        ResetWorkflowExecution: workflow::ResetWorkflowExecutionRequest => workflow::ResetWorkflowExecutionResponse,
        UpdateWorkflowExecutionOptions: workflow::UpdateWorkflowExecutionOptionsRequest =>
            workflow::UpdateWorkflowExecutionOptionsResponse,
        DescribeWorkflowExecution: workflow::DescribeWorkflowExecutionRequest =>
            workflow::DescribeWorkflowExecutionResponse,
        PauseActivity: workflow::PauseActivityRequest => workflow::PauseActivityResponse,
        UnpauseActivity: workflow::UnpauseActivityRequest => workflow::UnpauseActivityResponse,
        StartActivityExecution: workflow::StartActivityExecutionRequest => workflow::StartActivityExecutionResponse,
        DescribeActivityExecution: workflow::DescribeActivityExecutionRequest =>
            workflow::DescribeActivityExecutionResponse,
        PollActivityExecution: workflow::PollActivityExecutionRequest => workflow::PollActivityExecutionResponse,
        ListActivityExecutions: workflow::ListActivityExecutionsRequest => workflow::ListActivityExecutionsResponse,
        CountActivityExecutions: workflow::CountActivityExecutionsRequest => workflow::CountActivityExecutionsResponse,
        RequestCancelActivityExecution: workflow::RequestCancelActivityExecutionRequest =>
            workflow::RequestCancelActivityExecutionResponse,
        TerminateActivityExecution: workflow::TerminateActivityExecutionRequest =>
            workflow::TerminateActivityExecutionResponse,
        DeleteActivityExecution: workflow::DeleteActivityExecutionRequest => workflow::DeleteActivityExecutionResponse,
        PauseActivityExecution: workflow::PauseActivityExecutionRequest => workflow::PauseActivityExecutionResponse,
        UnpauseActivityExecution: workflow::UnpauseActivityExecutionRequest =>
            workflow::UnpauseActivityExecutionResponse,
        ResetActivityExecution: workflow::ResetActivityExecutionRequest => workflow::ResetActivityExecutionResponse,
        UpdateActivityExecutionOptions: workflow::UpdateActivityExecutionOptionsRequest =>
            workflow::UpdateActivityExecutionOptionsResponse,
        ResetActivity: workflow::ResetActivityRequest => workflow::ResetActivityResponse,
        UpdateActivityOptions: workflow::UpdateActivityOptionsRequest => workflow::UpdateActivityOptionsResponse,
        PauseWorkflowExecution: workflow::PauseWorkflowExecutionRequest =>
            workflow::PauseWorkflowExecutionResponse,
        UnpauseWorkflowExecution: workflow::UnpauseWorkflowExecutionRequest =>
            workflow::UnpauseWorkflowExecutionResponse,
        GetWorkflowExecutionHistoryReverse: workflow::GetWorkflowExecutionHistoryReverseRequest =>
            raw::GetWorkflowExecutionHistoryReverseResponse,
        DescribeTaskQueue: workflow::DescribeTaskQueueRequest => workflow::DescribeTaskQueueResponse,
        ListTaskQueuePartitions: workflow::ListTaskQueuePartitionsRequest => workflow::ListTaskQueuePartitionsResponse,
        UpdateTaskQueueConfig: workflow::UpdateTaskQueueConfigRequest => workflow::UpdateTaskQueueConfigResponse,
        ShutdownWorker: workflow::ShutdownWorkerRequest => workflow::ShutdownWorkerResponse,
        CreateWorkerDeployment: workflow::CreateWorkerDeploymentRequest => workflow::CreateWorkerDeploymentResponse,
        CreateWorkerDeploymentVersion: workflow::CreateWorkerDeploymentVersionRequest =>
            workflow::CreateWorkerDeploymentVersionResponse,
        DescribeWorkerDeployment: workflow::DescribeWorkerDeploymentRequest =>
            workflow::DescribeWorkerDeploymentResponse,
        DescribeWorkerDeploymentVersion: workflow::DescribeWorkerDeploymentVersionRequest =>
            workflow::DescribeWorkerDeploymentVersionResponse,
        ListWorkerDeployments: workflow::ListWorkerDeploymentsRequest => workflow::ListWorkerDeploymentsResponse,
        SetWorkerDeploymentCurrentVersion: workflow::SetWorkerDeploymentCurrentVersionRequest =>
            workflow::SetWorkerDeploymentCurrentVersionResponse,
        SetWorkerDeploymentRampingVersion: workflow::SetWorkerDeploymentRampingVersionRequest =>
            workflow::SetWorkerDeploymentRampingVersionResponse,
        SetWorkerDeploymentManager: workflow::SetWorkerDeploymentManagerRequest =>
            workflow::SetWorkerDeploymentManagerResponse,
        DeleteWorkerDeployment: workflow::DeleteWorkerDeploymentRequest => workflow::DeleteWorkerDeploymentResponse,
        DeleteWorkerDeploymentVersion: workflow::DeleteWorkerDeploymentVersionRequest =>
            workflow::DeleteWorkerDeploymentVersionResponse,
        UpdateWorkerDeploymentVersionMetadata: workflow::UpdateWorkerDeploymentVersionMetadataRequest =>
            workflow::UpdateWorkerDeploymentVersionMetadataResponse,
        UpdateWorkerBuildIdCompatibility: workflow::UpdateWorkerBuildIdCompatibilityRequest =>
            workflow::UpdateWorkerBuildIdCompatibilityResponse,
        GetWorkerBuildIdCompatibility: workflow::GetWorkerBuildIdCompatibilityRequest =>
            workflow::GetWorkerBuildIdCompatibilityResponse,
        UpdateWorkerVersioningRules: workflow::UpdateWorkerVersioningRulesRequest =>
            workflow::UpdateWorkerVersioningRulesResponse,
        GetWorkerVersioningRules: workflow::GetWorkerVersioningRulesRequest =>
            workflow::GetWorkerVersioningRulesResponse,
        GetWorkerTaskReachability: workflow::GetWorkerTaskReachabilityRequest =>
            workflow::GetWorkerTaskReachabilityResponse,
        RecordWorkerHeartbeat: workflow::RecordWorkerHeartbeatRequest => workflow::RecordWorkerHeartbeatResponse,
        ListWorkers: workflow::ListWorkersRequest => workflow::ListWorkersResponse,
        CountWorkers: workflow::CountWorkersRequest => workflow::CountWorkersResponse,
        DescribeWorker: workflow::DescribeWorkerRequest => workflow::DescribeWorkerResponse,
        UpdateWorkflowExecution: workflow::UpdateWorkflowExecutionRequest =>
            workflow::UpdateWorkflowExecutionResponse,
        PollWorkflowExecutionUpdate: workflow::PollWorkflowExecutionUpdateRequest =>
            workflow::PollWorkflowExecutionUpdateResponse,
        PollWorkflowExecutionTimeSkipping: workflow::PollWorkflowExecutionTimeSkippingRequest =>
            workflow::PollWorkflowExecutionTimeSkippingResponse,
        CreateSchedule: workflow::CreateScheduleRequest => workflow::CreateScheduleResponse,
        DescribeSchedule: workflow::DescribeScheduleRequest => workflow::DescribeScheduleResponse,
        UpdateSchedule: workflow::UpdateScheduleRequest => workflow::UpdateScheduleResponse,
        PatchSchedule: workflow::PatchScheduleRequest => workflow::PatchScheduleResponse,
        DeleteSchedule: workflow::DeleteScheduleRequest => workflow::DeleteScheduleResponse,
        ListSchedules: workflow::ListSchedulesRequest => workflow::ListSchedulesResponse,
        CountSchedules: workflow::CountSchedulesRequest => workflow::CountSchedulesResponse,
        ListScheduleMatchingTimes: workflow::ListScheduleMatchingTimesRequest =>
            workflow::ListScheduleMatchingTimesResponse,
        QueryWorkflow: workflow::QueryWorkflowRequest => workflow::QueryWorkflowResponse,
        RespondQueryTaskCompleted: workflow::RespondQueryTaskCompletedRequest =>
            workflow::RespondQueryTaskCompletedResponse,
        ResetStickyTaskQueue: workflow::ResetStickyTaskQueueRequest => workflow::ResetStickyTaskQueueResponse,
        SignalWithStartWorkflowExecution: workflow::SignalWithStartWorkflowExecutionRequest =>
            workflow::SignalWithStartWorkflowExecutionResponse,
        StartNexusOperationExecution: workflow::StartNexusOperationExecutionRequest =>
            workflow::StartNexusOperationExecutionResponse,
        DescribeNexusOperationExecution: workflow::DescribeNexusOperationExecutionRequest =>
            workflow::DescribeNexusOperationExecutionResponse,
        PollNexusOperationExecution: workflow::PollNexusOperationExecutionRequest =>
            workflow::PollNexusOperationExecutionResponse,
        ListNexusOperationExecutions: workflow::ListNexusOperationExecutionsRequest =>
            workflow::ListNexusOperationExecutionsResponse,
        CountNexusOperationExecutions: workflow::CountNexusOperationExecutionsRequest =>
            workflow::CountNexusOperationExecutionsResponse,
        RequestCancelNexusOperationExecution: workflow::RequestCancelNexusOperationExecutionRequest =>
            workflow::RequestCancelNexusOperationExecutionResponse,
        TerminateNexusOperationExecution: workflow::TerminateNexusOperationExecutionRequest =>
            workflow::TerminateNexusOperationExecutionResponse,
        DeleteNexusOperationExecution: workflow::DeleteNexusOperationExecutionRequest =>
            workflow::DeleteNexusOperationExecutionResponse,
        PollNexusTaskQueue: workflow::PollNexusTaskQueueRequest => workflow::PollNexusTaskQueueResponse,
        RespondNexusTaskCompleted: workflow::RespondNexusTaskCompletedRequest =>
            workflow::RespondNexusTaskCompletedResponse,
        RespondNexusTaskFailed: workflow::RespondNexusTaskFailedRequest => workflow::RespondNexusTaskFailedResponse,
        StartBatchOperation: workflow::StartBatchOperationRequest => workflow::StartBatchOperationResponse,
        StopBatchOperation: workflow::StopBatchOperationRequest => workflow::StopBatchOperationResponse,
        DescribeBatchOperation: workflow::DescribeBatchOperationRequest => workflow::DescribeBatchOperationResponse,
        ListBatchOperations: workflow::ListBatchOperationsRequest => workflow::ListBatchOperationsResponse,
        ExecuteMultiOperation: workflow::ExecuteMultiOperationRequest => workflow::ExecuteMultiOperationResponse,
    }
    "temporal.api.operatorservice.v1.OperatorService": {
        AddSearchAttributes: operator::AddSearchAttributesRequest => operator::AddSearchAttributesResponse,
        RemoveSearchAttributes: operator::RemoveSearchAttributesRequest => operator::RemoveSearchAttributesResponse,
        ListSearchAttributes: operator::ListSearchAttributesRequest => operator::ListSearchAttributesResponse,
        DeleteNamespace: operator::DeleteNamespaceRequest => operator::DeleteNamespaceResponse,
        ListClusters: operator::ListClustersRequest => operator::ListClustersResponse,
        AddOrUpdateRemoteCluster:
            operator::AddOrUpdateRemoteClusterRequest => operator::AddOrUpdateRemoteClusterResponse,
        RemoveRemoteCluster: operator::RemoveRemoteClusterRequest => operator::RemoveRemoteClusterResponse,
        CreateNexusEndpoint: operator::CreateNexusEndpointRequest => operator::CreateNexusEndpointResponse,
        UpdateNexusEndpoint: operator::UpdateNexusEndpointRequest => operator::UpdateNexusEndpointResponse,
        DeleteNexusEndpoint: operator::DeleteNexusEndpointRequest => operator::DeleteNexusEndpointResponse,
        GetNexusEndpoint: operator::GetNexusEndpointRequest => operator::GetNexusEndpointResponse,
        ListNexusEndpoints: operator::ListNexusEndpointsRequest => operator::ListNexusEndpointsResponse,
    }
}
