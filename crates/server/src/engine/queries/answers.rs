//! What workers answer to queries, and how callers get it.

use std::collections::BTreeMap;

use prost::Message;
use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::QueryResultType;
use stead_proto::errordetails::v1::QueryFailedFailure;
use stead_proto::failure::v1::Failure;
use stead_proto::query::v1::{WorkflowQuery, WorkflowQueryResult};
use stead_proto::workflowservice::v1 as api;

use super::QueryId;
use crate::engine::call::Outcome;
use crate::engine::refusal::Code;
use crate::engine::run::RunKey;
use crate::engine::token::{TaskToken, TokenKind};
use crate::engine::{Engine, Refusal};

/// What a worker says, wherever it says it.
struct Said {
    kind: QueryResultType,
    answer: Option<Payloads>,
    error: String,
    failure: Option<Failure>,
}

impl Engine {
    pub(in crate::engine) fn respond_query_task_completed(
        &mut self,
        request: api::RespondQueryTaskCompletedRequest,
    ) -> Result<Outcome, Refusal> {
        self.namespaces.named(&request.namespace)?;
        let token = TaskToken::read(&request.task_token)?;
        let id = QueryId(token.scheduled_event_id.unsigned_abs());
        if !token.is(TokenKind::Query) || !self.queries.is_started(id, token.stamp) {
            return Err(Refusal::not_found("query task not found, or already expired"));
        }
        let said = Said {
            kind: request.completed_type(),
            answer: request.query_result,
            error: request.error_message,
            failure: request.failure,
        };
        self.answer_query(id, said.judge(self.config.limits.blob));
        Ok(api::RespondQueryTaskCompletedResponse {}.into())
    }

    /// The queries that go with a workflow task of a run.
    pub(in crate::engine) fn queries_for_task(&self, key: RunKey) -> BTreeMap<String, WorkflowQuery> {
        let ids = self.queries.buffered(key).into_iter();
        ids.filter_map(|id| Some((id.0.to_string(), self.queries.get(id)?.query.clone()))).collect()
    }

    /// The worker has completed a workflow task, and answered queries with it. `follows`: another task does.
    pub(in crate::engine) fn take_query_results(
        &mut self,
        key: RunKey,
        results: BTreeMap<String, WorkflowQueryResult>,
        follows: bool,
    ) {
        let buffered = self.queries.buffered(key);
        if buffered.is_empty() {
            return;
        }
        for (id, result) in results {
            let id = id.parse().map(QueryId);
            if let Some(id) = id.ok().filter(|id| buffered.contains(id)) {
                let said = Said {
                    kind: result.result_type(),
                    answer: result.answer,
                    error: result.error_message,
                    failure: result.failure,
                };
                self.answer_query(id, said.judge(self.config.limits.blob));
            }
        }
        if !follows {
            self.unblock_queries(key);
        }
    }

    pub(super) fn answer_query(&mut self, id: QueryId, answer: Result<api::QueryWorkflowResponse, Refusal>) {
        if let Some(call) = self.queries.remove(id) {
            self.waits.remove(call);
            self.reply(call, answer.map(Into::into));
        }
    }
}

impl Said {
    fn judge(self, limit: usize) -> Result<api::QueryWorkflowResponse, Refusal> {
        if self.answer.as_ref().map_or(0, Payloads::encoded_len) > limit {
            return Err(failed("Blob data size exceeds limit.".to_owned(), None));
        }
        match self.kind {
            QueryResultType::Answered => {
                Ok(api::QueryWorkflowResponse { query_result: self.answer, ..Default::default() })
            }
            QueryResultType::Failed => Err(failed(self.error, self.failure)),
            QueryResultType::Unspecified => Err(Refusal::new(Code::Internal, "unknown query completed type")),
        }
    }
}

fn failed(message: String, failure: Option<Failure>) -> Refusal {
    Refusal::invalid(message).with(&QueryFailedFailure { failure })
}

pub(super) fn token(id: QueryId, run: RunKey, stamp: u64) -> TaskToken {
    TaskToken {
        key: run.0,
        scheduled_event_id: i64::try_from(id.0).unwrap_or(i64::MAX),
        stamp,
        kind: TokenKind::Query as u32,
        ..Default::default()
    }
}

/// What the caller of a query hears that nobody has answered in time.
pub(in crate::engine) fn too_late() -> Refusal {
    Refusal::new(Code::DeadlineExceeded, "query timed out before a worker could process it")
}
