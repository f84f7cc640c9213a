//! The Nexus endpoint that is the server itself: calls of its API that workflows make as operations. There is one,
//! signal-with-start.
//!
//! The input of such an operation is the request of the call, an envelope that the server reads: what users wrote is in
//! it, and [visitors](crate::visit) find it there.

use prost::{Message, Name};

use crate::common::v1::Payload;
use crate::workflowservice::v1::{SignalWithStartWorkflowExecutionRequest, SignalWithStartWorkflowExecutionResponse};

/// Name of the endpoint.
pub const ENDPOINT: &str = "__temporal_system";
/// Name of the service.
pub const WORKFLOW_SERVICE: &str = "temporal.api.workflowservice.v1.WorkflowService";
/// Name of the operation that signals a workflow and starts it if it does not run.
pub const SIGNAL_WITH_START: &str = "SignalWithStartWorkflowExecution";

const ENCODING: &str = "encoding";
const BINARY: &[u8] = b"binary/protobuf";

/// A message as the input of an operation. The last key tells Python's SDK that there are payloads inside.
pub fn envelope<M: Message + Name>(message: &M) -> Payload {
    let metadata = [
        (ENCODING.to_owned(), BINARY.into()),
        ("messageType".to_owned(), M::full_name().into()),
        ("__temporal_system_payload".to_owned(), "true".into()),
    ];
    Payload { metadata: metadata.into(), data: message.encode_to_vec().into(), ..Payload::default() }
}

/// The request in the input of an operation, if it is a signal-with-start of the server's own.
pub fn signal_with_start(
    endpoint: &str,
    operation: &str,
    input: Option<&Payload>,
) -> Option<SignalWithStartWorkflowExecutionRequest> {
    if endpoint != ENDPOINT || operation != SIGNAL_WITH_START {
        return None;
    }
    let input = input.filter(|input| input.metadata.get(ENCODING).is_some_and(|encoding| encoding == BINARY))?;
    SignalWithStartWorkflowExecutionRequest::decode(input.data.clone()).ok()
}

const PACKAGE: &str = "temporal.api.workflowservice.v1";

impl Name for SignalWithStartWorkflowExecutionRequest {
    const NAME: &'static str = "SignalWithStartWorkflowExecutionRequest";
    const PACKAGE: &'static str = PACKAGE;
}

impl Name for SignalWithStartWorkflowExecutionResponse {
    const NAME: &'static str = "SignalWithStartWorkflowExecutionResponse";
    const PACKAGE: &'static str = PACKAGE;
}
