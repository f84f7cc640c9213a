//! [`Updates`]: the updates of one run, each a machine.
//!
//! ```text
//!             admit              send                accept             complete
//!  (unknown) ───────▶ Admitted ────────▶ Sent ─────────────────▶ Accepted ─────────▶ Completed
//!                        │               │  ▲ send again             │
//!                        │ reject, abort │  └─┐                      │ the run closes
//!                        └───▶ (unknown) ◀────┘                      └─▶ counts as failed
//! ```
//!
//! Of an update that has not been accepted nothing is kept: after a restart its caller sends it again. The others are
//! rows, so that whoever asks later gets the outcome, which stands in history.

use bytes::Bytes;
use prost::Message;
use stead_proto::enums::v1::ResourceExhaustedCause;
use stead_proto::protocol::v1::Message as ProtocolMessage;
use stead_proto::protocol::v1::message::SequencingId;
use stead_proto::update::v1::Request;

use crate::engine::Refusal;
use crate::engine::config::Limits;
use crate::engine::refusal::any;
use crate::engine::rows::{Changes, Rows};
use crate::store::Table;

/// How far an update has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for a workflow task.
    Admitted,
    /// A worker has it, or had it and did not answer.
    Sent,
    /// The workflow works on it.
    Accepted { event_id: i64 },
    /// Its outcome is in this event.
    Completed { event_id: i64 },
}

impl Stage {
    /// The state's name in Temporal's server.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admitted => "Admitted",
            Self::Sent => "Sent",
            Self::Accepted { .. } => "Accepted",
            Self::Completed { .. } => "Completed",
        }
    }

    /// Whether the workflow has not decided about it.
    pub(crate) fn is_undecided(self) -> bool {
        matches!(self, Self::Admitted | Self::Sent)
    }
}

/// An update of which there is an event, as it is stored.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AcceptedUpdate {
    #[prost(int64, tag = "1")]
    pub(crate) accepted_event_id: i64,
    /// 0 until it is completed.
    #[prost(int64, tag = "2")]
    pub(crate) completed_event_id: i64,
    /// Of an update that a reset has brought into the history of the run; `accepted_event_id` is 0 until the workflow has
    /// decided about it.
    #[prost(int64, tag = "3")]
    pub(crate) admitted_event_id: i64,
}

impl AcceptedUpdate {
    fn stage(&self) -> Stage {
        match self.completed_event_id {
            0 => Stage::Accepted { event_id: self.accepted_event_id },
            event_id => Stage::Completed { event_id },
        }
    }
}

/// An update that the workflow has not decided about.
#[derive(Debug)]
struct Undecided {
    id: String,
    /// `None` if an event of the history says it.
    request: Option<Request>,
    /// Others who asked for it, and want to be called back.
    attached: Vec<Request>,
    sent: bool,
}

/// The updates of one run.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    /// In the order in which they were admitted. Few, for their number is limited.
    undecided: Vec<Undecided>,
    decided: Rows<String, AcceptedUpdate>,
    /// How many of the decided ones are not completed.
    accepted: usize,
}

impl Updates {
    pub(crate) fn stage(&self, id: &str) -> Option<Stage> {
        match self.undecided.iter().find(|update| update.id == id) {
            Some(update) if update.sent => Some(Stage::Sent),
            Some(_) => Some(Stage::Admitted),
            None => self.decided.get(&id.to_owned()).map(AcceptedUpdate::stage),
        }
    }

    /// How many updates the run has had or has, apart from rejected ones.
    pub(crate) fn total(&self) -> usize {
        self.undecided.iter().filter(|update| update.request.is_some()).count() + self.decided.len()
    }

    /// Whether one more fits in.
    pub(crate) fn check_limits(&self, limits: &Limits, request: &Request) -> Result<(), Refusal> {
        let exhausted = |message| Err(Refusal::exhausted(ResourceExhaustedCause::ConcurrentLimit, message));
        let limit = limits.updates_in_flight;
        if self.undecided.len() + self.accepted >= limit {
            return exhausted(format!("limit on number of concurrent in-flight updates has been reached ({limit})"));
        }
        self.check_total(limits)?;
        let size: usize = self.undecided.iter().flat_map(|update| &update.request).map(Message::encoded_len).sum();
        let limit = limits.updates_size;
        if size + request.encoded_len() >= limit {
            return exhausted(format!(
                "limit on total payload size of in-flight updates has been reached ({limit} bytes)"
            ));
        }
        Ok(())
    }

    pub(crate) fn check_total(&self, limits: &Limits) -> Result<(), Refusal> {
        let limit = limits.updates_total;
        if self.total() < limit {
            return Ok(());
        }
        Err(Refusal::failed_precondition(format!(
            "The limit on the total number of distinct updates in this workflow has been reached ({limit}). Make sure \
             any duplicate updates share an Update ID so the server can deduplicate them, and consider rejecting \
             updates that you aren't going to process. You can also Continue-as-New to avoid this; we recommend you \
             check Continue-as-New Suggested in your Workflow."
        )))
    }

    /// Takes an update that is not known.
    pub(crate) fn admit(&mut self, id: String, request: Request) {
        debug_assert!(self.stage(&id).is_none(), "{id} is known");
        self.undecided.push(Undecided { id, request: Some(request), attached: Vec::new(), sent: false });
    }

    /// Takes an update that an event of the history asks for.
    pub(crate) fn admit_by_event(&mut self, id: String, admitted_event_id: i64) {
        self.decided.insert(id.clone(), AcceptedUpdate { admitted_event_id, ..Default::default() });
        self.undecided.push(Undecided { id, request: None, attached: Vec::new(), sent: false });
    }

    /// Somebody else asks for an update that is not decided about.
    pub(super) fn attach(&mut self, id: &str, request: Request) {
        let Some(update) = self.undecided.iter_mut().find(|update| update.id == id) else { return };
        let known = update.attached.iter().chain(&update.request).any(|it| it.request_id == request.request_id);
        if !known {
            update.attached.push(request);
        }
    }

    /// Those who asked for an update beside the first.
    pub(super) fn take_attached(&mut self, id: &str) -> Vec<Request> {
        let update = self.undecided.iter_mut().find(|update| update.id == id);
        update.map(|update| std::mem::take(&mut update.attached)).unwrap_or_default()
    }

    /// Whether an update waits for a workflow task.
    pub(crate) fn want_task(&self) -> bool {
        self.undecided.iter().any(|update| !update.sent)
    }

    /// The messages for the worker that has just been given a workflow task; `again`: also of those that were sent with
    /// an earlier task that came to nothing.
    pub(crate) fn send(&mut self, started_event_id: i64, again: bool) -> Vec<ProtocolMessage> {
        let mut messages = Vec::new();
        for update in self.undecided.iter_mut().filter(|update| again || !update.sent) {
            update.sent = true;
            let Some(request) = &update.request else { continue };
            messages.push(ProtocolMessage {
                id: request_message_id(&update.id),
                protocol_instance_id: update.id.clone(),
                sequencing_id: Some(SequencingId::EventId(started_event_id - 1)),
                body: Some(any(request)),
            });
        }
        messages
    }

    /// The workflow accepts an update. What was asked for, unless the history says it already.
    pub(crate) fn accept(&mut self, id: &str, event_id: i64) -> Option<Request> {
        let place = self.undecided.iter().position(|update| update.id == id)?;
        let request = self.undecided.remove(place).request;
        self.accept_known(id, event_id);
        request
    }

    /// An update is accepted, by an event of the history.
    pub(crate) fn accept_known(&mut self, id: &str, event_id: i64) {
        let known = self.decided.remove(&id.to_owned()).unwrap_or_default();
        self.undecided.retain(|update| update.id != id);
        self.decided.insert(id.to_owned(), AcceptedUpdate { accepted_event_id: event_id, ..known });
        self.accepted += 1;
    }

    /// The workflow completes an update that it has accepted. The event of the acceptance.
    pub(crate) fn complete(&mut self, id: &str, event_id: i64) -> Option<i64> {
        let update = self.decided.get_mut(&id.to_owned()).filter(|update| update.completed_event_id == 0)?;
        update.completed_event_id = event_id;
        self.accepted -= 1;
        Some(update.accepted_event_id)
    }

    /// Forgets an update that has been rejected or aborted.
    pub(crate) fn forget(&mut self, id: &str) {
        self.undecided.retain(|update| update.id != id);
        self.forget_admission(id);
    }

    fn forget_admission(&mut self, id: &str) {
        let id = id.to_owned();
        if self.decided.get(&id).is_some_and(|update| update.accepted_event_id == 0) {
            self.decided.remove(&id);
        }
    }

    /// Takes out the updates that a worker had and said nothing about.
    pub(super) fn take_sent(&mut self) -> Vec<String> {
        let ids: Vec<_> = self.undecided.extract_if(.., |update| update.sent).map(|update| update.id).collect();
        ids.iter().for_each(|id| self.forget_admission(id));
        ids
    }

    /// Takes out all that the workflow has not decided about.
    pub(super) fn take_undecided(&mut self) -> Vec<String> {
        let ids: Vec<_> = self.undecided.drain(..).map(|update| update.id).collect();
        ids.iter().for_each(|id| self.forget_admission(id));
        ids
    }

    pub(crate) fn write(&mut self, prefix: &[u8], changes: &mut Changes) {
        self.decided.write(Table::Pending, prefix, changes);
    }

    /// Takes a row that was stored; `key` is without the prefix. `None` if it cannot be read.
    pub(crate) fn load(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        self.decided.load(key, value)?;
        let id = String::from_utf8(key.to_vec()).ok()?;
        if self.decided.get(&id).is_some_and(|update| update.accepted_event_id == 0) {
            self.undecided.push(Undecided { id, request: None, attached: Vec::new(), sent: false });
            return Some(());
        }
        self.accepted += usize::from(self.stage(&id).is_some_and(|stage| matches!(stage, Stage::Accepted { .. })));
        Some(())
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.undecided.clear();
        self.decided.clear();
        self.accepted = 0;
    }
}

/// The id of the message with which a worker is told of an update.
pub(super) fn request_message_id(update_id: &str) -> String {
    format!("{update_id}/request")
}
