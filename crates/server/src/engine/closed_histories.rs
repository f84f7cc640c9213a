//! [`ClosedHistories`]: histories of closed runs stay in memory for a while, and then in the store alone.
//!
//! What a server with a store remembers of a closed run until its retention is over is then a row of lists and no event.
//! A call that reads such a history waits until it has been read, which is an [`Output::Read`], and is served as if it
//! had just come. [`Engine::runs_read_by`] says which calls read which: whoever reads the history of a run that may have
//! closed belongs there. Without a store all histories stay.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use stead_proto::common::v1::WorkflowExecution;
use stead_proto::enums::v1::CallbackState;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::workflowservice::v1::execute_multi_operation_request::operation::Operation;

use super::run::RunKey;
use super::token::HistoryToken;
use super::{Call, CallId, Engine, Output, Request, Time};
use crate::store::{Row, Table};

/// The histories of closed runs that are in memory, and the calls that wait for others.
#[derive(Debug, Default)]
pub(crate) struct ClosedHistories {
    /// With their sizes, the longest in memory first.
    in_memory: VecDeque<(RunKey, usize)>,
    known: BTreeSet<RunKey>,
    size: usize,
    waiting: BTreeMap<RunKey, Vec<(Call, Request)>>,
}

impl ClosedHistories {
    /// Whether something is being read.
    pub(crate) fn reads(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Forgets a call whose caller is gone. What it wanted comes all the same.
    pub(crate) fn forget_call(&mut self, call: CallId) {
        self.waiting.values_mut().for_each(|calls| calls.retain(|(waiting, _)| waiting.id != call));
    }

    fn insert(&mut self, run: RunKey, size: usize) {
        if self.known.insert(run) {
            self.in_memory.push_back((run, size));
            self.size += size;
        }
    }
}

impl Engine {
    /// The request, if the histories that it reads are in memory; otherwise it waits for the first that is not.
    pub(super) fn when_histories_are_there(&mut self, call: &Call, request: Request) -> Option<Request> {
        let is_away = |run: &RunKey| self.runs.get(*run).is_some_and(|run| run.history.is_away());
        let Some(run) = self.runs_read_by(&request).into_iter().find(is_away) else { return Some(request) };
        self.read_history(run).push((call.clone(), request));
        None
    }

    /// Has a history read, unless that is on its way; the calls that wait for it.
    pub(super) fn read_history(&mut self, run: RunKey) -> &mut Vec<(Call, Request)> {
        self.closed_histories.waiting.entry(run).or_insert_with(|| {
            let prefix = Bytes::copy_from_slice(&run.0.to_be_bytes());
            self.outputs.push_back(Output::Read { table: Table::Events, prefix });
            Vec::new()
        })
    }

    /// The first history that has to be read before a run can be reset.
    pub(super) fn away_history(&self, base: RunKey) -> Option<RunKey> {
        let is_away = |run: &RunKey| self.runs.get(*run).is_some_and(|run| run.history.is_away());
        self.chain_from(base).into_iter().find(is_away)
    }

    /// The runs whose histories a call reads.
    fn runs_read_by(&self, request: &Request) -> Vec<RunKey> {
        match request {
            Request::GetWorkflowExecutionHistory(r) => {
                self.run_read(&r.namespace, r.execution.as_ref(), &r.next_page_token)
            }
            Request::GetWorkflowExecutionHistoryReverse(r) => {
                self.run_read(&r.namespace, r.execution.as_ref(), &r.next_page_token)
            }
            Request::DescribeWorkflowExecution(r) => self.run_read(&r.namespace, r.execution.as_ref(), &Bytes::new()),
            Request::QueryWorkflow(r) => self.run_read(&r.namespace, r.execution.as_ref(), &Bytes::new()),
            Request::UpdateWorkflowExecution(r) => {
                self.run_read(&r.namespace, r.workflow_execution.as_ref(), &Bytes::new())
            }
            Request::PollWorkflowExecutionUpdate(r) => {
                let execution = r.update_ref.as_ref().and_then(|update| update.workflow_execution.as_ref());
                self.run_read(&r.namespace, execution, &Bytes::new())
            }
            Request::ResetWorkflowExecution(r) => {
                let base = self.run_read(&r.namespace, r.workflow_execution.as_ref(), &Bytes::new());
                base.into_iter().flat_map(|base| self.chain_from(base)).collect()
            }
            Request::ExecuteMultiOperation(r) => {
                let update = r.operations.iter().find_map(|operation| match &operation.operation {
                    Some(Operation::UpdateWorkflow(update)) => update.workflow_execution.as_ref(),
                    _ => None,
                });
                self.run_read(&r.namespace, update, &Bytes::new())
            }
            _ => Vec::new(),
        }
    }

    fn run_read(&self, namespace: &str, execution: Option<&WorkflowExecution>, page: &Bytes) -> Vec<RunKey> {
        let found = if page.is_empty() {
            self.namespaces.key(namespace).and_then(|namespace| self.runs.find(namespace, execution)).ok()
        } else {
            HistoryToken::read(page).ok().and_then(|token| self.runs.by_run_id(&token.run_id))
        };
        found.into_iter().collect()
    }

    /// A run and those that continue it, as far as their histories are in memory and one further.
    fn chain_from(&self, run: RunKey) -> Vec<RunKey> {
        let mut chain = vec![run];
        while let Some(run) = chain.last().and_then(|run| self.runs.get(*run)) {
            let end = run.history.event(run.history.len()).and_then(|event| event.attributes);
            let Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(end)) = end else { break };
            let Some(next) = self.runs.by_run_id(&end.new_execution_run_id) else { break };
            chain.push(next);
        }
        chain
    }

    /// Takes what an [`Output::Read`] of this prefix has found. Those who have waited for it are served.
    pub fn handle_rows(&mut self, prefix: &[u8], rows: Vec<Row>, now: Time) {
        self.advance(now);
        if let Some(key) = prefix.try_into().ok().map(|key| RunKey(u64::from_be_bytes(key))) {
            self.history_is_back(key, rows);
            for (call, request) in self.closed_histories.waiting.remove(&key).unwrap_or_default() {
                self.serve(call, request);
            }
            self.batches_go_on(key);
        }
        self.finish();
    }

    fn history_is_back(&mut self, key: RunKey, rows: Vec<Row>) {
        // It may have been deleted meanwhile.
        let Some(run) = self.runs.get_mut(key).filter(|run| run.history.is_away()) else { return };
        run.history.come_back();
        for Row { key, value, .. } in rows {
            let id = key.get(8..).and_then(|id| Some(i64::from_be_bytes(id.try_into().ok()?)));
            let (Some(id), Some(value)) = (id, value) else { continue };
            // These are the rows that were written; what cannot be read of them ends the history there.
            if run.load_event(id, value).is_none() {
                break;
            }
        }
        self.note_closed_history(key);
    }

    /// A run has closed, or its history has been read again.
    pub(super) fn note_closed_history(&mut self, key: RunKey) {
        let Some(run) = self.runs.get(key).filter(|run| self.config.durable && !run.is_open()) else { return };
        if !run.history.is_away() {
            self.closed_histories.insert(key, run.history.size());
        }
    }

    /// Whether something reads the history that cannot wait for it: a worker that answers a query, or who is told of
    /// the end.
    fn history_is_needed(&self, key: RunKey) -> bool {
        let is_over = |state| matches!(state, CallbackState::Succeeded | CallbackState::Failed);
        let callbacks = self.runs.get(key).into_iter().flat_map(|run| &run.state.callbacks);
        callbacks.into_iter().any(|callback| !is_over(callback.state())) || self.queries.any_of(key)
    }

    /// Leaves histories of closed runs to the store, the longest in memory first, until what is left is within the
    /// limit. All stay while a call waits for more, which may need several.
    pub(super) fn forget_histories(&mut self) {
        if self.closed_histories.reads() {
            return;
        }
        for _ in 0..self.closed_histories.in_memory.len() {
            if self.closed_histories.size <= self.config.limits.closed_histories {
                return;
            }
            let Some((key, size)) = self.closed_histories.in_memory.pop_front() else { return };
            if self.history_is_needed(key) {
                self.closed_histories.in_memory.push_back((key, size));
                continue;
            }
            self.closed_histories.size -= size;
            self.closed_histories.known.remove(&key);
            if let Some(run) = self.runs.get_mut(key) {
                run.history.leave_to_store();
            }
        }
    }
}
