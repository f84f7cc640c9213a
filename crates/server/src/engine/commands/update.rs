//! Checks of what a worker says about updates: messages, and the commands that give them their place.

use prost::{Message, Name};
use prost_types::Any;
use stead_proto::command::v1::ProtocolMessageCommandAttributes;
use stead_proto::enums::v1::WorkflowTaskFailedCause as Cause;
use stead_proto::protocol::v1::Message as ProtocolMessage;
use stead_proto::update::v1::{Acceptance, Rejection, Request, Response};

use super::{Action, Ahead, Fault};
use crate::engine::Refusal;
use crate::engine::updates::{Stage, UpdateStep};

/// An update as the messages so far leave it.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpdateAhead {
    stage: Stage,
    /// Whether it is so by this batch.
    provisional: bool,
}

const CAUSE: Cause = Cause::BadUpdateWorkflowExecutionMessage;
const PROTOCOL: &str = "temporal.api.update.v1";

/// Whether a message rejects an update, which leaves no trace.
pub(crate) fn is_rejection(message: &ProtocolMessage) -> bool {
    message.body.as_ref().is_some_and(|body| type_name(body) == Rejection::full_name())
}

impl<'a> Ahead<'a> {
    /// A command that gives a message its place among commands.
    pub(super) fn protocol_message(&mut self, command: &ProtocolMessageCommandAttributes) -> Result<Action, Fault> {
        let id = &command.message_id;
        if id.is_empty() {
            return Err(Fault::task(CAUSE, "MessageID is not set on ProtocolMessageCommand."));
        }
        let Some(place) = self.messages.iter().position(|message| message.id == *id) else {
            return Err(Fault::task(CAUSE, format!("ProtocolMessageCommand referenced absent message ID {id}")));
        };
        let message = self.messages.remove(place);
        self.message(message)
    }

    /// The messages without a command come after all commands.
    pub(super) fn other_messages(&mut self) -> Result<Vec<Action>, Fault> {
        std::mem::take(&mut self.messages).into_iter().map(|message| self.message(message)).collect()
    }

    fn message(&mut self, message: &'a ProtocolMessage) -> Result<Action, Fault> {
        let Some(body) = &message.body else { return Err(Fault::Call(Refusal::invalid("nil message body"))) };
        let name = type_name(body);
        let (protocol, kind) = name.rsplit_once('.').unwrap_or(("", name));
        if name.is_empty() {
            return Err(Fault::Call(Refusal::invalid("no message name specified")));
        }
        if body.value.len() > self.rules.limits.blob {
            let message = format!("Message type {name} exceeds size limit.");
            return Err(Fault::Workflow { cause: CAUSE, message });
        }
        if protocol != PROTOCOL {
            return Err(Fault::task(CAUSE, format!("unsupported protocol type {protocol}")));
        }
        let id = message.protocol_instance_id.as_str();
        let step = match kind {
            Acceptance::NAME => self.acceptance(id, decode(body)?)?,
            Rejection::NAME => self.rejection(id, decode(body)?)?,
            Response::NAME => self.response(id, decode(body)?)?,
            _ => return Err(Fault::task(CAUSE, format!("Message type *update.{kind} not supported"))),
        };
        Ok(Action::Update(step))
    }

    fn acceptance(&mut self, id: &'a str, acceptance: Acceptance) -> Result<UpdateStep, Fault> {
        let forgotten = self.find_update(id, acceptance.accepted_request.as_ref())?;
        self.move_update(id, Acceptance::NAME, Stage::is_undecided, Stage::Accepted { event_id: 0 })?;
        if acceptance.accepted_request_sequencing_event_id == 0 {
            return Err(not_set(Acceptance::NAME, "accepted_request_sequencing_event_id"));
        }
        if acceptance.accepted_request_message_id.is_empty() {
            return Err(not_set(Acceptance::NAME, "accepted_request_message_id"));
        }
        Ok(UpdateStep::Accept {
            update_id: id.to_owned(),
            sequencing_event_id: acceptance.accepted_request_sequencing_event_id,
            request: acceptance.accepted_request.filter(|_| forgotten).map(Box::new),
        })
    }

    fn rejection(&mut self, id: &'a str, rejection: Rejection) -> Result<UpdateStep, Fault> {
        self.find_update(id, rejection.rejected_request.as_ref())?;
        self.move_update(id, Rejection::NAME, Stage::is_undecided, Stage::Completed { event_id: 0 })?;
        let failure = Box::new(rejection.failure.unwrap_or_default());
        Ok(UpdateStep::Reject { update_id: id.to_owned(), failure })
    }

    fn response(&mut self, id: &'a str, response: Response) -> Result<UpdateStep, Fault> {
        self.find_update(id, None)?;
        let is_accepted = |stage| matches!(stage, Stage::Accepted { .. });
        self.move_update(id, Response::NAME, is_accepted, Stage::Completed { event_id: 0 })?;
        let Some(meta) = &response.meta else { return Err(not_set(Response::NAME, "meta")) };
        if meta.update_id.is_empty() {
            return Err(not_set(Response::NAME, "meta.update_id"));
        }
        if meta.update_id != id {
            return Err(Fault::task(CAUSE, format!("invalid *update.Response: meta.update_id != {id}")));
        }
        if response.outcome.is_none() {
            return Err(not_set(Response::NAME, "outcome"));
        }
        Ok(UpdateStep::Complete { update_id: id.to_owned(), response: Box::new(response) })
    }

    /// Makes sure that an update is known, if need be by what the worker knows of it. Whether that was needed.
    fn find_update(&mut self, id: &'a str, request: Option<&Request>) -> Result<bool, Fault> {
        if self.updates.contains_key(id) || self.run.updates.stage(id).is_some() {
            return Ok(false);
        }
        if request.is_none() {
            return Err(Fault::task(
                CAUSE,
                format!(
                    "update {id} wasn't found on the server. This is most likely a transient error which will be \
                     resolved automatically by retries"
                ),
            ));
        }
        self.run.updates.check_total(self.rules.limits).map_err(Fault::Call)?;
        self.updates.insert(id, UpdateAhead { stage: Stage::Admitted, provisional: false });
        Ok(true)
    }

    fn move_update(
        &mut self,
        id: &'a str,
        message: &str,
        from: impl Fn(Stage) -> bool,
        to: Stage,
    ) -> Result<(), Fault> {
        let ahead = self.updates.get(id).copied();
        let stage = self.run.updates.stage(id).map(|stage| UpdateAhead { stage, provisional: false });
        let Some(update) = ahead.or(stage) else { return Ok(()) };
        if !from(update.stage) {
            let provisionally = if update.provisional { "Provisionally" } else { "" };
            let state = update.stage.name();
            return Err(Fault::task(
                CAUSE,
                format!(
                    "invalid state transition attempted for Update {id}: received *update.{message} message while in \
                     state {provisionally}{state}"
                ),
            ));
        }
        self.updates.insert(id, UpdateAhead { stage: to, provisional: true });
        Ok(())
    }
}

fn type_name(body: &Any) -> &str {
    body.type_url.rsplit_once('/').map_or(body.type_url.as_str(), |(_, name)| name)
}

fn decode<M: Message + Default>(body: &Any) -> Result<M, Fault> {
    M::decode(body.value.as_slice())
        .map_err(|error| Fault::task(CAUSE, format!("unable to unmarshal request: {error}")))
}

fn not_set(message: &str, field: &str) -> Fault {
    Fault::task(CAUSE, format!("invalid *update.{message}: {field} is not set"))
}
