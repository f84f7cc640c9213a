//! Querying a workflow.

use std::{fmt, future::IntoFuture, marker::PhantomData};

use serde::de::DeserializeOwned;
use stead_data::{BoxFuture, CodecError, ConversionError, Failure, Headers, Payload};
use stead_proto::{
    enums::v1::QueryRejectCondition as WireCondition,
    errordetails::v1::QueryFailedFailure,
    query::v1::WorkflowQuery,
    workflowservice::v1::{QueryWorkflowRequest, QueryWorkflowResponse},
};
use tonic::Code;

use super::{Execution, WorkflowStatus, execution::is_workflow_not_found, predicates, rpc_options};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
    payloads::{self, Owner},
};

/// A query to be sent: awaiting it sends it and waits for the answer.
#[must_use = "nothing happens until it is awaited"]
pub struct QueryWorkflow<O> {
    client: Client,
    call: QueryWorkflowCall,
    arguments: Result<Vec<Payload>, ConversionError>,
    output: PhantomData<fn() -> O>,
}

/// A query on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QueryWorkflowCall {
    /// Whom.
    pub execution: Execution,
    /// The query's name.
    pub query: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// Its headers.
    pub headers: Headers,
    /// When the server should not pass it on.
    pub reject_condition: QueryRejectCondition,
    /// How the call is made.
    pub options: CallOptions,
}

/// The answer on its way back, as interceptors see it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct QueryOutput {
    /// The answer; `None` if it is nothing.
    pub result: Option<Payload>,
}

/// When the server should refuse a query instead of passing it on to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum QueryRejectCondition {
    /// Never.
    #[default]
    Never,
    /// When the workflow has closed.
    NotOpen,
    /// When the workflow has closed in another way than by completing or by continuing as new.
    NotCompletedCleanly,
}

/// A query was not answered.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// There is no workflow of this id.
    #[error("query `{query}`: workflow `{workflow_id}` does not exist")]
    NotFound {
        /// The workflow's id.
        workflow_id: String,
        /// The query's name.
        query: String,
        /// What the server said.
        source: RpcError,
    },
    /// The workflow is in a state in which the caller did not want it to be queried.
    #[error("query `{query}` was rejected: workflow `{workflow_id}` is {status}")]
    Rejected {
        /// The workflow's id.
        workflow_id: String,
        /// The query's name.
        query: String,
        /// The workflow's state.
        status: WorkflowStatus,
    },
    /// The query's handler failed, or the workflow has no handler of this name.
    #[error("query `{query}` of workflow `{workflow_id}` failed: {message}")]
    Failed {
        /// The workflow's id.
        workflow_id: String,
        /// The query's name.
        query: String,
        /// What the worker said.
        message: String,
        /// The handler's error, where the worker and the server pass it on.
        failure: Option<Box<Failure>>,
    },
    /// The arguments or the answer cannot be converted.
    #[error("the arguments or the answer of the query cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused the arguments or the answer.
    #[error("the arguments or the answer of the query cannot be encoded or decoded")]
    Codec(#[from] CodecError),
    /// The call failed. A timeout most often means that no worker polls the workflow's task queue. It may be repeated.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(QueryError, Self::Failed { failure, .. } => failure.as_deref());

impl<O> QueryWorkflow<O> {
    pub(super) fn new(
        client: Client,
        execution: Execution,
        query: String,
        arguments: Result<Vec<Payload>, ConversionError>,
    ) -> Self {
        let call = QueryWorkflowCall {
            execution,
            query,
            arguments: Vec::new(),
            headers: Headers::new(),
            reject_condition: client.query_reject_condition(),
            options: CallOptions::new(),
        };
        Self { client, call, arguments, output: PhantomData }
    }

    /// When the server should refuse the query with [`QueryError::Rejected`]. Default: as the client
    /// says, see [`Connect::reject_queries_if`](crate::Connect::reject_queries_if).
    pub fn reject_if(mut self, condition: QueryRejectCondition) -> Self {
        self.call.reject_condition = condition;
        self
    }

    rpc_options!();
}

impl<O: DeserializeOwned> QueryWorkflow<O> {
    async fn send(self) -> Result<O, QueryError> {
        let Self { client, mut call, arguments, .. } = self;
        call.arguments = arguments?;
        let workflow_id = call.execution.workflow_id.clone();
        let answer = client.perform(call).await?;
        Ok(Owner::workflow(&client, &workflow_id).reader().from_result(answer.result.as_ref())?)
    }
}

impl<O: DeserializeOwned + 'static> IntoFuture for QueryWorkflow<O> {
    type Output = Result<O, QueryError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl Operation for QueryWorkflowCall {
    type Output = QueryOutput;
    type Error = QueryError;

    async fn send(self, client: &Client) -> Result<QueryOutput, QueryError> {
        let Self { execution, query, arguments, headers, reject_condition, options } = self;
        let request = QueryWorkflowRequest {
            namespace: client.namespace().to_owned(),
            execution: Some(execution.to_proto()),
            query: Some(WorkflowQuery {
                query_type: query.clone(),
                query_args: payloads::encode_arguments(&execution.owner(client), arguments).await?,
                header: payloads::header(&execution.owner(client), headers).await?,
            }),
            query_reject_condition: WireCondition::from(reject_condition).into(),
        };
        let workflow_id = execution.workflow_id;
        match client.service().query_workflow(request, options).await {
            Ok(QueryWorkflowResponse { query_rejected: Some(rejected), .. }) => {
                Err(QueryError::Rejected { workflow_id, query, status: WorkflowStatus::from_wire(rejected.status) })
            }
            Ok(answer) => {
                let owner = Owner::workflow(client, &workflow_id);
                let result = payloads::decode_result(&owner, answer.query_result).await?;
                Ok(QueryOutput { result })
            }
            Err(error) => Err(failed(client, workflow_id, query, error).await),
        }
    }
}

async fn failed(client: &Client, workflow_id: String, query: String, error: RpcError) -> QueryError {
    if is_workflow_not_found(&error) {
        return QueryError::NotFound { workflow_id, query, source: error };
    }
    if error.code() != Code::InvalidArgument {
        return QueryError::Rpc(error);
    }
    let message = error.message().to_owned();
    let Some(failure) = error.detail::<QueryFailedFailure>().and_then(|detail| detail.failure) else {
        return QueryError::Failed { workflow_id, query, message, failure: None };
    };
    match payloads::decode_failure(&Owner::workflow(client, &workflow_id), failure).await {
        Ok(failure) => QueryError::Failed { workflow_id, query, message, failure: Some(failure) },
        Err(error) => error.into(),
    }
}

impl From<QueryRejectCondition> for WireCondition {
    fn from(condition: QueryRejectCondition) -> Self {
        match condition {
            QueryRejectCondition::Never => Self::None,
            QueryRejectCondition::NotOpen => Self::NotOpen,
            QueryRejectCondition::NotCompletedCleanly => Self::NotCompletedCleanly,
        }
    }
}

impl<O> fmt::Debug for QueryWorkflow<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryWorkflow").field("call", &self.call).finish_non_exhaustive()
    }
}
