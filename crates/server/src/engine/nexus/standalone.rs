//! Nexus operations without a workflow, and the calls about them.
//!
//! What an operation goes through is the same as for a workflow's ([`OperationState`]); `machine` is what these have
//! beside: an outcome, and callers instead of a history. Completion callbacks of theirs are not served.

mod checks;
mod control;
mod describe;
mod lists;
mod machine;
mod start;
mod watch;

pub(crate) use machine::StandaloneOperation;
pub(crate) use watch::OperationWait;

use super::operation::{Ask, CancelAnswer, OperationState, StartAnswer};
use super::requests::Owner;
use crate::engine::effect::Effect;
use crate::engine::executions::{Execution, Executions};
use crate::engine::time::duration;
use crate::engine::waits::Subject;
use crate::engine::{Engine, Refusal, Time};
use crate::store::Table;

/// An operation without a workflow, in this engine and its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OperationKey(pub(crate) u64);

/// All operations without a workflow.
pub(crate) type StandaloneOperations = Executions<StandaloneOperation>;

impl Engine {
    /// The one place where such an operation is changed, and what follows each change.
    pub(super) fn change_operation<T>(
        &mut self,
        key: OperationKey,
        change: impl FnOnce(&mut StandaloneOperation, Time) -> T,
    ) -> Option<T> {
        let operation = self.operations.get_mut(key.0)?;
        let was_open = operation.is_open();
        let before = asked(operation);
        let result = change(operation, self.now);
        operation.transitions += 1;
        let closed = was_open && !operation.is_open();
        let after = asked(operation);
        for (ask, _) in
            after.into_iter().filter(|(ask, attempt)| attempt.is_some() && !before.contains(&(*ask, *attempt)))
        {
            self.effects.push_back(Effect::AskHandler(Owner::Alone(key), ask));
        }
        self.operations.watch(key.0);
        if closed {
            self.keep_closed_operation(key);
        }
        Some(result)
    }

    fn keep_closed_operation(&mut self, key: OperationKey) {
        let Some(operation) = self.operations.get(key.0) else { return };
        let namespace = self.namespaces.get(operation.namespace());
        let retention =
            namespace.and_then(|namespace| duration(namespace.config.workflow_execution_retention_ttl.as_ref()));
        let until = Time::from_unix_nanos(operation.closed_at) + retention.unwrap_or_default();
        self.operations.keep_until(key.0, until);
    }

    /// An operation that has not ended.
    pub(super) fn open_operation(&self, key: OperationKey) -> Option<&OperationState> {
        self.operations.get(key.0).filter(|operation| operation.is_open()).map(|operation| &operation.operation)
    }

    pub(super) fn standalone_start_answered(&mut self, key: OperationKey, answer: StartAnswer) {
        let fraction = self.ids.fraction();
        self.change_operation(key, |operation, now| operation.start_answered(now, answer, fraction));
    }

    pub(super) fn standalone_cancel_answered(&mut self, key: OperationKey, answer: CancelAnswer) {
        let fraction = self.ids.fraction();
        self.change_operation(key, |operation, now| operation.cancel_answered(now, answer, fraction));
    }

    /// Does what is due at operations without a workflow.
    pub(in crate::engine) fn fire_operation_deadlines(&mut self) {
        while let Some(key) = self.operations.due(self.now) {
            self.change_operation(OperationKey(key), StandaloneOperation::deadline_due);
        }
        while let Some(key) = self.operations.take_expired(self.now) {
            self.forget_operation(OperationKey(key));
        }
    }

    /// What callers wait for, what lists show and what is kept, after all that this input changed.
    pub(in crate::engine) fn publish_operations(&mut self) {
        for key in self.operations.take_touched() {
            self.serve_operation_waits(OperationKey(key));
            self.list_operation(OperationKey(key));
        }
        self.operations.write(Table::NexusOperations, &mut self.changes);
    }

    /// Takes an operation out of everything. Who waits for it learns that it is gone.
    fn forget_operation(&mut self, key: OperationKey) {
        let Some(operation) = self.operations.remove(key.0) else { return };
        self.unlist_operation(&operation);
        for call in self.waits.of(Subject::Operation(key)) {
            self.waits.remove(call);
            self.reply(call, Err(not_found(operation.id())));
        }
    }

    /// Goes on after a restart: whoever was asked is asked again.
    pub(in crate::engine) fn resume_operations(&mut self) {
        for key in self.operations.keys() {
            self.operations.watch(key);
            let key = OperationKey(key);
            let Some(operation) = self.operations.get(key.0) else { continue };
            if !operation.is_open() {
                self.keep_closed_operation(key);
                continue;
            }
            for (ask, _) in asked(operation).into_iter().filter(|(_, attempt)| attempt.is_some()) {
                self.effects.push_back(Effect::AskHandler(Owner::Alone(key), ask));
            }
        }
    }
}

/// What the handler is to be asked, and in which attempt.
fn asked(operation: &StandaloneOperation) -> [(Ask, Option<i32>); 2] {
    [Ask::Start, Ask::Cancel].map(|ask| {
        let asks = operation.is_open() && operation.operation.asks(ask);
        (ask, asks.then(|| operation.operation.attempts(ask)))
    })
}

fn not_found(id: &str) -> Refusal {
    Refusal::not_found(format!("operation not found for ID: {id}"))
}
