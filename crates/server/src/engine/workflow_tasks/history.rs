//! Reading the history of a run: pages of it, and waiting for more.

use bytes::Bytes;
use stead_proto::enums::v1::HistoryEventFilterType as Filter;
use stead_proto::workflowservice::v1::GetWorkflowExecutionHistoryRequest;

use super::response::unwritten_events;
use crate::engine::call::Outcome;
use crate::engine::run::state::WorkflowTask;
use crate::engine::run::{Run, RunKey};
use crate::engine::token::HistoryToken;
use crate::engine::waits::Wait;
use crate::engine::{Call, Engine, Refusal, raw};

/// A call that waits for events of a run.
#[derive(Clone, Debug)]
pub(crate) struct HistoryWait {
    pub(crate) run: RunKey,
    token: HistoryToken,
    only_close: bool,
    page: usize,
    /// Whether the caller wants the events of a task that is not written yet.
    unwritten: bool,
}

impl HistoryWait {
    /// The answer when nothing has happened: the same token.
    pub(crate) fn nothing_new(&self) -> raw::GetWorkflowExecutionHistoryResponse {
        raw::GetWorkflowExecutionHistoryResponse {
            history: Some(raw::History::default()),
            next_page_token: self.token.bytes(),
            ..Default::default()
        }
    }
}

impl Engine {
    pub(in crate::engine) fn get_workflow_execution_history(
        &mut self,
        call: &Call,
        request: GetWorkflowExecutionHistoryRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let first_call = request.next_page_token.is_empty();
        let (key, token) = if first_call {
            let key = self.runs.find(namespace, request.execution.as_ref())?;
            (key, self.first_token(key))
        } else {
            let token = HistoryToken::read(&request.next_page_token)?;
            let key = self.runs.by_run_id(&token.run_id);
            let key = key.filter(|key| self.runs.get(*key).is_some_and(|run| run.namespace() == namespace));
            let key = key.ok_or_else(|| {
                Refusal::not_found(format!("workflow execution not found for run ID \"{}\"", token.run_id))
            })?;
            (key, token)
        };
        let Some(run) = self.runs.get(key) else { return Err(Refusal::not_found("workflow execution not found")) };
        let page = usize::try_from(request.maximum_page_size).ok().filter(|size| *size > 0).unwrap_or(usize::MAX);
        let only_close = request.history_event_filter_type() == Filter::CloseEvent;
        let wait = HistoryWait { run: key, token, only_close, page, unwritten: wants_unwritten(call) };
        if only_close && (!request.wait_new_event || !run.is_open()) {
            return Ok(close_event(run).into());
        }
        if request.wait_new_event
            && run.is_open()
            && (only_close || wait.token.next_event_id >= run.history.next_event_id())
        {
            self.waits.insert(call.id, Wait::History(wait));
            return Ok(Outcome::Waits);
        }
        Ok(self.history_page(run, &wait, request.wait_new_event).into())
    }

    fn first_token(&self, key: RunKey) -> HistoryToken {
        let run_id = self.runs.get(key).map(|run| run.state.run_id.clone()).unwrap_or_default();
        HistoryToken { run_id, next_event_id: 1, end_event_id: 0, stamp: 0 }
    }

    fn history_page(&self, run: &Run, wait: &HistoryWait, live: bool) -> raw::GetWorkflowExecutionHistoryResponse {
        let token = &wait.token;
        let limit = self.config.limits.history_page;
        let mut ids = run.history.page(token.next_event_id, wait.page, limit);
        let end = if token.end_event_id == 0 { run.history.next_event_id() } else { token.end_event_id };
        ids.end = ids.end.min(end);
        let mut events = run.history.events(ids.clone()).to_vec();
        let last = ids.end >= end;
        if last && wait.unwritten && !events.is_empty() {
            events.extend(unwritten_for(run, token));
        }
        let goes_on = !last || live && run.is_open();
        let next = HistoryToken { next_event_id: ids.end, ..token.clone() };
        raw::GetWorkflowExecutionHistoryResponse {
            history: Some(raw::History { events }),
            next_page_token: if goes_on { next.bytes() } else { Bytes::new() },
            ..Default::default()
        }
    }

    /// Answers the calls that wait for what a run has now.
    pub(in crate::engine) fn serve_history_waits(&mut self, key: RunKey) {
        for call in self.waits.of_run(key) {
            let Some(Wait::History(wait)) = self.waits.get(call) else { continue };
            let Some(run) = self.runs.get(key) else { continue };
            let response = if wait.only_close {
                (!run.is_open()).then(|| close_event(run))
            } else {
                let news = wait.token.next_event_id < run.history.next_event_id() || !run.is_open();
                news.then(|| self.history_page(run, wait, true))
            };
            if let Some(response) = response {
                self.waits.remove(call);
                self.reply(call, Ok(response.into()));
            }
        }
    }
}

/// The last event of a closed run; nothing of an open one.
fn close_event(run: &Run) -> raw::GetWorkflowExecutionHistoryResponse {
    let last = run.history.len();
    let events = if run.is_open() { Vec::new() } else { run.history.events(last..last + 1).to_vec() };
    raw::GetWorkflowExecutionHistoryResponse { history: Some(raw::History { events }), ..Default::default() }
}

/// The events of the workflow task that are not written; a page of an older task does not get them. Who has the task is
/// not told here.
fn unwritten_for(run: &Run, token: &HistoryToken) -> Vec<Bytes> {
    if token.stamp != 0 && token.stamp != run.state.task_stamp {
        return Vec::new();
    }
    match &run.state.task {
        Some(WorkflowTask::Scheduled(task)) => unwritten_events(run, task, None),
        Some(WorkflowTask::Started(task)) => unwritten_events(run, &task.scheduled, Some((task, ""))),
        None => Vec::new(),
    }
}

/// SDKs replay the events of a task that is not written yet; people at a terminal or a browser do not want them.
fn wants_unwritten(call: &Call) -> bool {
    !matches!(call.client_name.as_str(), "temporal-cli" | "temporal-ui" | "temporal-tctl")
}
