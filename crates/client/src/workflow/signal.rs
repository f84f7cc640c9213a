//! Signalling a workflow.

use std::future::IntoFuture;

use stead_data::nexus::Link;
use stead_data::{BoxFuture, CodecError, ConversionError, Headers, Payload};
use stead_proto::workflowservice::v1::SignalWorkflowExecutionRequest;

use super::{
    Execution,
    execution::{is_workflow_not_found, request_id},
    predicates, rpc_options,
};
use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Operation,
    nexus, payloads,
};

/// A signal to be sent: awaiting it sends it.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct SignalWorkflow {
    client: Client,
    call: SignalWorkflowCall,
    arguments: Result<Vec<Payload>, ConversionError>,
}

/// A signal on its way, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignalWorkflowCall {
    /// Whom.
    pub execution: Execution,
    /// The signal's name.
    pub signal: String,
    /// Its arguments.
    pub arguments: Vec<Payload>,
    /// Its headers.
    pub headers: Headers,
    /// What it is linked with, for people who look at it, such as the Nexus operation in whose handler it is made.
    pub links: Vec<Link>,
    /// How the call is made.
    pub options: CallOptions,
}

/// A signal that was sent, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignalWorkflowOutput {
    /// Leads to it, on servers that say so.
    pub link: Option<Link>,
}

/// A signal was not sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// There is no workflow of this id, or it has closed. Nobody will get this signal.
    #[error("signal `{signal}`: workflow `{workflow_id}` does not exist or has closed")]
    NotFound {
        /// The workflow's id.
        workflow_id: String,
        /// The signal's name.
        signal: String,
        /// What the server said.
        source: RpcError,
    },
    /// The arguments cannot be converted.
    #[error("the arguments of the signal cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused the arguments.
    #[error("the arguments of the signal cannot be encoded")]
    Codec(#[from] CodecError),
    /// The call failed. Unless the server refused it, the signal may have been recorded all the same.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(SignalError);

impl SignalWorkflow {
    pub(super) fn new(
        client: Client,
        execution: Execution,
        signal: String,
        arguments: Result<Vec<Payload>, ConversionError>,
    ) -> Self {
        let (headers, options) = (Headers::new(), CallOptions::new());
        let call = SignalWorkflowCall { execution, signal, arguments: Vec::new(), headers, links: Vec::new(), options };
        Self { client, call, arguments }
    }

    rpc_options!();

    async fn send(self) -> Result<(), SignalError> {
        let Self { client, mut call, arguments } = self;
        call.arguments = arguments?;
        client.perform(call).await.map(drop)
    }
}

impl IntoFuture for SignalWorkflow {
    type Output = Result<(), SignalError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl Operation for SignalWorkflowCall {
    type Output = SignalWorkflowOutput;
    type Error = SignalError;

    async fn send(self, client: &Client) -> Result<SignalWorkflowOutput, SignalError> {
        let Self { execution, signal, arguments, headers, links, options } = self;
        let owner = execution.owner(client);
        let request = SignalWorkflowExecutionRequest {
            namespace: client.namespace().to_owned(),
            workflow_execution: Some(execution.to_proto()),
            signal_name: signal.clone(),
            input: payloads::encode_arguments(&owner, arguments).await?,
            identity: client.identity().to_owned(),
            request_id: request_id(),
            header: payloads::header(&owner, headers).await?,
            links: Link::all_to_proto(&links),
            ..Default::default()
        };
        match client.service().signal_workflow_execution(request, options).await {
            Ok(answer) => Ok(SignalWorkflowOutput { link: nexus::link(answer.link.as_ref()) }),
            Err(source) if is_workflow_not_found(&source) => {
                Err(SignalError::NotFound { workflow_id: execution.workflow_id, signal, source })
            }
            Err(error) => Err(SignalError::Rpc(error)),
        }
    }
}
