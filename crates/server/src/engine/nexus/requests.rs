//! [`Requests`]: what handlers are asked: put into queues, polled, answered, or given up when their time is over.
//!
//! Requests are not stored. After a restart the operations ask again, as they do when nobody answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::failures;
use super::operation::{Ask, CancelAnswer, OperationState, StartAnswer};
use super::standalone::OperationKey;
use super::system::SYSTEM_ENDPOINT;
use crate::engine::matching::{Directive, QueueKind, Task};
use crate::engine::run::{Run, RunKey};
use crate::engine::workflow_tasks::TaskRef;
use crate::engine::{Engine, Time};

/// Who owns an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A run, by the event that says that the operation is scheduled.
    Run(RunKey, i64),
    /// Nobody: it is an operation without a workflow.
    Alone(OperationKey),
}

/// A request that a handler has not answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) owner: Owner,
    pub(crate) ask: Ask,
    /// Attempts that were over when it was sent: later ones make it stale.
    attempt: i32,
    pub(crate) at: Time,
    pub(crate) deadline: Time,
    /// Whether a worker has it.
    pub(crate) taken: bool,
}

/// The requests on their way, by a number that nobody can guess.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    sent: BTreeMap<u64, Sent>,
    deadlines: BTreeSet<(Time, u64)>,
}

impl Requests {
    pub(crate) fn get(&self, id: u64) -> Option<&Sent> {
        self.sent.get(&id)
    }

    /// Whether a worker has one.
    pub(crate) fn any_is_taken(&self) -> bool {
        self.sent.values().any(|sent| sent.taken)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Sent> {
        self.sent.get_mut(&id)
    }

    fn insert(&mut self, id: u64, sent: Sent) {
        self.deadlines.insert((sent.deadline, id));
        self.sent.insert(id, sent);
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Sent> {
        let sent = self.sent.remove(&id)?;
        self.deadlines.remove(&(sent.deadline, id));
        Some(sent)
    }

    fn take_due(&mut self, now: Time) -> Option<Sent> {
        let (at, id) = *self.deadlines.first()?;
        if at <= now { self.remove(id) } else { None }
    }
}

impl Engine {
    /// Asks the handler of an operation for what the operation wants of it, if it still does.
    pub(in crate::engine) fn ask_handler(&mut self, owner: Owner, ask: Ask) {
        let Some(operation) = self.operation(owner).filter(|operation| operation.asks(ask)) else { return };
        if operation.endpoint == SYSTEM_ENDPOINT {
            let operation = operation.clone();
            return self.ask_system(owner, &operation);
        }
        let attempt = operation.attempts(ask);
        let patience = operation.patience(ask, self.now);
        let Some(endpoint) = self.endpoints.find(&operation.endpoint_id, &operation.endpoint) else {
            return self.refused_by_handler(owner, ask, failures::of_handler("NOT_FOUND", "endpoint not registered"));
        };
        let (namespace, queue) = (endpoint.namespace(), endpoint.task_queue());
        let patience = match patience {
            Ok(patience) => patience,
            Err(timeout) if ask == Ask::Start => {
                return self.start_answered(owner, StartAnswer::TimedOut(timeout));
            }
            Err(timeout) => {
                return self.cancel_answered(owner, CancelAnswer::Failed(failures::no_time_to_ask(timeout)));
            }
        };
        let queue = self.matching.queue(namespace, QueueKind::Nexus, queue, self.now);
        let id = self.ids.draw();
        let deadline = self.now + patience.saturating_sub(LEFT_FOR_THE_WAY_BACK);
        self.requests.insert(id, Sent { owner, ask, attempt, at: self.now, deadline, taken: false });
        let task = Task {
            id: TaskRef::Nexus { request: id },
            workflow_id: "",
            directive: Directive::Routed,
            priority: None,
            added: self.now,
        };
        self.matching.add(queue, task, self.now);
    }

    /// An operation that has not ended.
    pub(in crate::engine) fn operation(&self, owner: Owner) -> Option<&OperationState> {
        match owner {
            Owner::Run(run, id) => self.runs.get(run).filter(|run| run.is_open())?.operations.get(&id),
            Owner::Alone(key) => self.open_operation(key),
        }
    }

    /// Whether somebody still waits for the answer to a request.
    pub(in crate::engine) fn is_wanted(&self, sent: &Sent) -> bool {
        let operation = self.operation(sent.owner);
        operation.is_some_and(|operation| operation.asks(sent.ask) && operation.attempts(sent.ask) == sent.attempt)
    }

    /// Gives up on handlers that took too long.
    pub(in crate::engine) fn fire_request_deadlines(&mut self) {
        while let Some(sent) = self.requests.take_due(self.now) {
            if self.is_wanted(&sent) {
                let failure = failures::of_handler("UPSTREAM_TIMEOUT", "upstream timeout");
                self.refused_by_handler(sent.owner, sent.ask, failure);
            }
        }
    }

    /// When a handler that somebody waits for has taken too long.
    pub(in crate::engine) fn next_request_deadline(&self) -> Option<Time> {
        let wanted = |id: &u64| self.requests.get(*id).is_some_and(|sent| self.is_wanted(sent));
        self.requests.deadlines.iter().find(|(_, id)| wanted(id)).map(|(at, _)| *at)
    }

    /// A handler, or the way to it, has failed.
    pub(super) fn refused_by_handler(&mut self, owner: Owner, ask: Ask, failure: stead_proto::failure::v1::Failure) {
        let again = failures::is_retryable(&failure);
        match ask {
            Ask::Start if again => self.start_answered(owner, StartAnswer::Retry(failure)),
            Ask::Start => self.start_answered(owner, StartAnswer::Failed(failure)),
            Ask::Cancel if again => self.cancel_answered(owner, CancelAnswer::Retry(failure)),
            Ask::Cancel => self.cancel_answered(owner, CancelAnswer::Failed(failure)),
        }
    }

    pub(super) fn start_answered(&mut self, owner: Owner, answer: StartAnswer) {
        match owner {
            Owner::Run(run, id) => {
                self.transact(run, |run, cx| run.operation_answered(cx, id, answer));
            }
            Owner::Alone(key) => self.standalone_start_answered(key, answer),
        }
    }

    pub(super) fn cancel_answered(&mut self, owner: Owner, answer: CancelAnswer) {
        match owner {
            Owner::Run(run, id) => {
                self.transact(run, |run, cx| run.cancellation_answered(cx, id, answer));
            }
            Owner::Alone(key) => self.standalone_cancel_answered(key, answer),
        }
    }
}

impl Run {
    /// Whether a handler is asked for something.
    pub(in crate::engine) fn asks_handlers(&self) -> bool {
        self.operations.values().any(|operation| operation.asks(Ask::Start) || operation.asks(Ask::Cancel))
    }
}

/// What an answer has on its way back (`component.nexusoperations.limit.dispatch.task.timeout.min` of Temporal's server).
const LEFT_FOR_THE_WAY_BACK: Duration = Duration::from_secs(1);
