//! `GetWorkflowExecutionHistoryReverse`: a history from its end.

use bytes::Bytes;
use stead_proto::workflowservice::v1::GetWorkflowExecutionHistoryReverseRequest;

use super::call::Outcome;
use super::token::HistoryToken;
use super::{Engine, Refusal, raw};

impl Engine {
    pub(super) fn get_workflow_execution_history_reverse(
        &self,
        request: &GetWorkflowExecutionHistoryReverseRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let token = match request.next_page_token.as_ref() {
            [] => None,
            _ => Some(HistoryToken::read(&request.next_page_token)?),
        };
        let key = match &token {
            Some(token) => self.runs.by_run_id(&token.run_id),
            None => Some(self.runs.find(namespace, request.execution.as_ref())?),
        };
        let run = key.and_then(|key| self.runs.get(key)).filter(|run| run.namespace() == namespace);
        let run = run.ok_or_else(|| Refusal::not_found("workflow execution not found"))?;
        let size = usize::try_from(request.maximum_page_size).ok().filter(|size| *size > 0);
        let end = token.map_or(run.history.next_event_id(), |token| token.end_event_id);
        let ids = run.history.page_before(end, size.unwrap_or(usize::MAX), self.config.limits.history_page);
        let mut events = run.history.events(ids.clone()).to_vec();
        events.reverse();
        let next = HistoryToken { run_id: run.state.run_id.clone(), end_event_id: ids.start, ..Default::default() };
        Ok(raw::GetWorkflowExecutionHistoryReverseResponse {
            history: Some(raw::History { events }),
            next_page_token: if ids.start > 1 { next.bytes() } else { Bytes::new() },
        }
        .into())
    }
}
