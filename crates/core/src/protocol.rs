//! Update messages: requests on their way in, answers on their way out.

use prost::Message as _;
use prost_types::Any;
use stead_proto::history::v1::WorkflowExecutionUpdateAcceptedEventAttributes;
use stead_proto::protocol::v1::Message;
use stead_proto::protocol::v1::message::SequencingId;
use stead_proto::update::v1::{Acceptance, Rejection, Request, Response};

use crate::fault::{Fault, Problem};

/// A request for an update that waits for its place among the events.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Id of the message.
    pub(crate) message_id: String,
    /// Names the update in what is said about it.
    pub(crate) instance_id: String,
    /// The event after which it comes.
    pub(crate) sequencing_id: i64,
    pub(crate) request: Request,
    /// Whether history knows already that it was accepted.
    pub(crate) is_accepted: bool,
}

impl Incoming {
    /// A request that came with a task.
    pub(crate) fn from_message(message: Message) -> Result<Self, Fault> {
        let Some(SequencingId::EventId(sequencing_id)) = message.sequencing_id else {
            return Err(Fault::task(Problem::Task("an update does not say after which event it comes")));
        };
        let body = message.body.unwrap_or_default();
        if body.type_url != REQUEST {
            return Err(Fault::task(Problem::Unsupported("protocol messages other than update requests")));
        }
        let request = Request::decode(body.value.as_slice())
            .map_err(|_| Fault::task(Problem::Task("an update request cannot be decoded")))?;
        Ok(Self {
            message_id: message.id,
            instance_id: message.protocol_instance_id,
            sequencing_id,
            request,
            is_accepted: false,
        })
    }

    /// A request that history admitted.
    pub(crate) fn from_admitted(event_id: i64, request: Request) -> Self {
        let instance_id = request.meta.as_ref().map(|meta| meta.update_id.clone()).unwrap_or_default();
        Self {
            message_id: format!("{instance_id}/request"),
            instance_id,
            sequencing_id: event_id,
            request,
            is_accepted: false,
        }
    }

    /// The request as it must have come for history to record that it was accepted. Where an admission is recorded,
    /// the request is there and not here.
    pub(crate) fn from_accepted(accepted: &mut WorkflowExecutionUpdateAcceptedEventAttributes) -> Self {
        Self {
            message_id: std::mem::take(&mut accepted.accepted_request_message_id),
            instance_id: accepted.protocol_instance_id.clone(),
            sequencing_id: accepted.accepted_request_sequencing_event_id,
            request: accepted.accepted_request.take().unwrap_or_default(),
            is_accepted: true,
        }
    }
}

/// The URL of the message type of requests.
const REQUEST: &str = "type.googleapis.com/temporal.api.update.v1.Request";

/// The bodies of answers.
pub(crate) trait Body: prost::Message {
    /// The URL of the message type.
    const TYPE_URL: &'static str;
}

impl Body for Acceptance {
    const TYPE_URL: &'static str = "type.googleapis.com/temporal.api.update.v1.Acceptance";
}

impl Body for Rejection {
    const TYPE_URL: &'static str = "type.googleapis.com/temporal.api.update.v1.Rejection";
}

impl Body for Response {
    const TYPE_URL: &'static str = "type.googleapis.com/temporal.api.update.v1.Response";
}

/// An answer about the update `instance_id`.
pub(crate) fn outgoing<B: Body>(id: String, instance_id: &str, body: &B) -> Message {
    Message {
        id,
        protocol_instance_id: instance_id.to_owned(),
        body: Some(Any { type_url: B::TYPE_URL.to_owned(), value: body.encode_to_vec() }),
        sequencing_id: None,
    }
}
