//! Updates.

use stead_activation::{Failure, Job, Payload, UpdateRequested, UpdateResponse};
use stead_proto::common::v1::Payloads;
use stead_proto::protocol::v1::Message;
use stead_proto::update::v1::outcome::Value;
use stead_proto::update::v1::{Acceptance, Meta, Outcome, Rejection, Request, Response};

use super::Step;
use crate::protocol::{Incoming, outgoing};

/// An update that has not ended.
#[derive(Debug)]
pub(super) struct Update {
    /// Id of the message that asked for it.
    message_id: String,
    instance_id: String,
    sequencing_id: i64,
    meta: Meta,
    state: State,
}

/// ```text
///            accept            UpdateAccepted event        complete                 UpdateCompleted event
/// Requested ───────▶ Accepting ───────────────────▶ Accepted ───────▶ Completing ─────────────────────▶ ended
///     │                  │ complete                                       ▲
///     │ reject           ▼              UpdateAccepted event              │
///     ▼              AcceptingAndCompleting ──────────────────────────────┘
///   ended
/// (no event)
/// ```
///
/// A failure after acceptance completes it too.
#[derive(Debug)]
enum State {
    /// The code has not answered yet. The request goes back with the answer, unless history knows the answer.
    Requested(Option<Box<Request>>),
    /// The acceptance waits for its event.
    Accepting,
    /// History knows that it was accepted.
    Accepted,
    /// Acceptance and completion wait for their events.
    AcceptingAndCompleting,
    /// The completion waits for its event.
    Completing,
}

/// What the code's answer to an update asks of the caller.
#[derive(Debug)]
#[must_use]
pub(super) enum Answer {
    /// Issue the command of this message, which records that the update was accepted.
    Accept(Message),
    /// Issue the command of this message, which records how the update ended.
    Complete(Message),
    /// Send the message; there is no command. The update is ended.
    Reject(Message),
    /// The answer cannot be given now.
    Illegal,
}

impl Update {
    /// An update that was asked for, and the job that tells the code.
    pub(super) fn new(incoming: Incoming) -> (Self, Job) {
        let Incoming { message_id, instance_id, sequencing_id, mut request, is_accepted } = incoming;
        let meta = request.meta.clone().unwrap_or_default();
        // What history accepted is not answered again, so its arguments are moved; otherwise the request goes back.
        let input = if is_accepted { request.input.take() } else { request.input.clone() }.unwrap_or_default();
        let job = Job::Update(Box::new(UpdateRequested {
            protocol_instance_id: instance_id.clone(),
            id: meta.update_id.clone(),
            name: input.name,
            input: input.args.map(|args| args.payloads).unwrap_or_default(),
            headers: input.header.map(|header| header.fields).unwrap_or_default(),
            identity: meta.identity.clone(),
            run_validator: !is_accepted,
        }));
        let state = State::Requested((!is_accepted).then(|| Box::new(request)));
        (Self { message_id, instance_id, sequencing_id, meta, state }, job)
    }

    /// Whether commands and events that name this instance mean this update.
    pub(super) fn is_named(&self, instance_id: &str) -> bool {
        self.instance_id == instance_id
    }

    /// The id that the caller gave it.
    pub(super) fn id(&self) -> &str {
        &self.meta.update_id
    }

    /// The code answers.
    pub(super) fn respond(&mut self, response: UpdateResponse) -> Answer {
        let placeholder = State::Requested(None);
        let (state, answer) = match (std::mem::replace(&mut self.state, placeholder), response) {
            (State::Requested(request), UpdateResponse::Accepted) => (State::Accepting, self.accept(request)),
            (State::Requested(request), UpdateResponse::Rejected(failure)) => {
                return self.reject(request, *failure);
            }
            (State::Accepting, UpdateResponse::Completed(result)) => {
                (State::AcceptingAndCompleting, self.succeed(result))
            }
            (State::Accepting, UpdateResponse::Rejected(failure)) => {
                (State::AcceptingAndCompleting, self.complete(Value::Failure(*failure)))
            }
            (State::Accepted, UpdateResponse::Completed(result)) => (State::Completing, self.succeed(result)),
            (State::Accepted, UpdateResponse::Rejected(failure)) => {
                (State::Completing, self.complete(Value::Failure(*failure)))
            }
            (state, _) => (state, Answer::Illegal),
        };
        self.state = state;
        answer
    }

    /// `WorkflowExecutionUpdateAccepted`.
    pub(super) fn accepted(&mut self) -> Step {
        self.state = match self.state {
            State::Accepting => State::Accepted,
            State::AcceptingAndCompleting => State::Completing,
            _ => return Step::Illegal,
        };
        Step::Going
    }

    /// `WorkflowExecutionUpdateCompleted`.
    pub(super) const fn completed(&self) -> Step {
        match self.state {
            State::Completing => Step::Ended(None),
            _ => Step::Illegal,
        }
    }

    fn accept(&self, request: Option<Box<Request>>) -> Answer {
        let acceptance = Acceptance {
            accepted_request_message_id: self.message_id.clone(),
            accepted_request_sequencing_event_id: self.sequencing_id,
            accepted_request: request.map(|request| *request),
        };
        Answer::Accept(outgoing(self.outgoing_id("accept"), &self.instance_id, &acceptance))
    }

    fn reject(&self, request: Option<Box<Request>>, failure: Failure) -> Answer {
        let rejection = Rejection {
            rejected_request_message_id: self.message_id.clone(),
            rejected_request_sequencing_event_id: self.sequencing_id,
            rejected_request: request.map(|request| *request),
            failure: Some(failure),
        };
        Answer::Reject(outgoing(self.outgoing_id("reject"), &self.instance_id, &rejection))
    }

    fn succeed(&self, result: Option<Payload>) -> Answer {
        self.complete(Value::Success(Payloads { payloads: result.into_iter().collect() }))
    }

    fn complete(&self, outcome: Value) -> Answer {
        let response = Response { meta: Some(self.meta.clone()), outcome: Some(Outcome { value: Some(outcome) }) };
        Answer::Complete(outgoing(self.outgoing_id("complete"), &self.instance_id, &response))
    }

    fn outgoing_id(&self, kind: &str) -> String {
        [&self.message_id, "/", kind].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Event = fn(&mut Update) -> &'static str;

    fn update(state: State) -> Update {
        let incoming = Incoming {
            message_id: "u/request".to_owned(),
            instance_id: "u".to_owned(),
            sequencing_id: 2,
            request: Request::default(),
            is_accepted: true,
        };
        Update { state, ..Update::new(incoming).0 }
    }

    fn state(update: &Update) -> &'static str {
        match update.state {
            State::Requested(_) => "Requested",
            State::Accepting => "Accepting",
            State::Accepted => "Accepted",
            State::AcceptingAndCompleting => "AcceptingAndCompleting",
            State::Completing => "Completing",
        }
    }

    /// Every event in every state.
    #[test]
    fn transition_table() {
        fn answer(update: &mut Update, response: UpdateResponse) -> &'static str {
            match update.respond(response) {
                Answer::Accept(_) => "accept",
                Answer::Complete(_) => "complete",
                Answer::Reject(_) => "reject",
                Answer::Illegal => "illegal",
            }
        }
        fn step(step: &Step) -> &'static str {
            match step {
                Step::Going => "goes on",
                Step::Ended(_) => "ends",
                Step::Told(_) | Step::StartedAndEnded(..) => "not of an update",
                Step::Illegal => "illegal",
            }
        }
        let events: [(&str, Event); 5] = [
            ("accept", |update| answer(update, UpdateResponse::Accepted)),
            ("complete", |update| answer(update, UpdateResponse::Completed(None))),
            ("reject", |update| answer(update, UpdateResponse::Rejected(Box::default()))),
            ("accepted event", |update| step(&update.accepted())),
            ("completed event", |update| step(&update.completed())),
        ];
        let states: [fn() -> State; 5] = [
            || State::Requested(None),
            || State::Accepting,
            || State::Accepted,
            || State::AcceptingAndCompleting,
            || State::Completing,
        ];
        let mut table = String::new();
        for before in states {
            for (name, event) in events {
                let mut update = update(before());
                let from = state(&update);
                let outcome = event(&mut update);
                if outcome == "illegal" {
                    assert_eq!(state(&update), from, "an illegal event changed the state");
                } else {
                    table += &format!("{from} {name}: {outcome}, {}\n", state(&update));
                }
            }
        }
        let expected = "\
Requested accept: accept, Accepting
Requested reject: reject, Requested
Accepting complete: complete, AcceptingAndCompleting
Accepting reject: complete, AcceptingAndCompleting
Accepting accepted event: goes on, Accepted
Accepted complete: complete, Completing
Accepted reject: complete, Completing
AcceptingAndCompleting accepted event: goes on, Completing
Completing completed event: ends, Completing
";
        assert_eq!(table, expected);
    }
}
