//! Queries: asked when everything else is done, answered with the task or alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use stead_activation::{Command, Failure, Issued, Job, Query, QueryAnswer};
use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::{QueryResultType, WorkflowTaskFailedCause};
use stead_proto::query::v1::{WorkflowQuery, WorkflowQueryResult};

use super::task::Queries;
use super::{QueryReply, Reason};

/// Names the query of a task that is all about it.
const ALONE: &str = "legacy_query";

/// What the answers of the code amount to.
pub(super) enum Answered {
    /// Nothing was asked.
    Nothing,
    /// The answers go out with the task.
    WithTask,
    /// The answer goes out alone.
    Alone(Box<QueryReply>),
}

impl Queries {
    /// The queries to ask now, if any are left.
    pub(super) fn ask(&mut self) -> Vec<Job> {
        match self {
            Self::WithTask { waiting, asked, .. } => {
                let waiting = std::mem::take(waiting);
                asked.extend(waiting.keys().cloned());
                waiting.into_iter().map(|(id, query)| job(id, query)).collect()
            }
            Self::Alone(query) => query.take().map(|query| job(ALONE.to_owned(), *query)).into_iter().collect(),
        }
    }

    /// Takes the answers out of what the code did. A query that was asked but got none has failed.
    pub(super) fn take_answers(&mut self, token: &Bytes, commands: &mut Vec<Issued>) -> Answered {
        match self {
            Self::WithTask { asked, .. } if asked.is_empty() => Answered::Nothing,
            Self::WithTask { asked, answers, .. } => {
                let mut given = given(commands);
                for id in std::mem::take(asked) {
                    let answer = given.remove(&id).unwrap_or_else(unanswered);
                    answers.insert(id, result(answer));
                }
                Answered::WithTask
            }
            Self::Alone(Some(_)) => Answered::Nothing,
            Self::Alone(None) => {
                let answer = given(commands).remove(ALONE).unwrap_or_else(unanswered);
                Answered::Alone(Box::new(reply(token.clone(), answer)))
            }
        }
    }

    /// The answers that go out with the task.
    pub(super) fn into_results(self) -> BTreeMap<String, WorkflowQueryResult> {
        match self {
            Self::WithTask { answers, .. } => answers,
            Self::Alone(_) => BTreeMap::new(),
        }
    }
}

/// A failed answer to a task that is all about a query.
pub(super) fn failed_reply(token: Bytes, reason: &Reason) -> QueryReply {
    QueryReply { cause: reason.cause, ..reply(token, QueryAnswer::Failed(Box::new(reason.failure.clone()))) }
}

fn job(id: String, query: WorkflowQuery) -> Job {
    Job::Query(Box::new(Query {
        id,
        name: query.query_type,
        arguments: query.query_args.map(|arguments| arguments.payloads).unwrap_or_default(),
        headers: query.header.map(|header| header.fields).unwrap_or_default(),
    }))
}

/// The answers among the commands, by the id of their query.
fn given(commands: &mut Vec<Issued>) -> BTreeMap<String, QueryAnswer> {
    let mut answers = BTreeMap::new();
    for issued in std::mem::take(commands) {
        match issued.command {
            Command::AnswerQuery { id, answer } => drop(answers.insert(id, answer)),
            _ => commands.push(issued),
        }
    }
    answers
}

fn unanswered() -> QueryAnswer {
    QueryAnswer::Failed(Box::new(Failure {
        message: "the workflow did not answer the query".to_owned(),
        ..Failure::default()
    }))
}

fn result(answer: QueryAnswer) -> WorkflowQueryResult {
    match answer {
        QueryAnswer::Succeeded(payload) => WorkflowQueryResult {
            result_type: QueryResultType::Answered.into(),
            answer: Some(Payloads { payloads: vec![payload] }),
            ..WorkflowQueryResult::default()
        },
        QueryAnswer::Failed(failure) => WorkflowQueryResult {
            result_type: QueryResultType::Failed.into(),
            error_message: failure.message.clone(),
            failure: Some(*failure),
            ..WorkflowQueryResult::default()
        },
    }
}

fn reply(task_token: Bytes, answer: QueryAnswer) -> QueryReply {
    let result = result(answer);
    QueryReply {
        task_token,
        completed_type: result.result_type(),
        query_result: result.answer,
        error_message: result.error_message,
        failure: result.failure,
        cause: WorkflowTaskFailedCause::Unspecified,
    }
}
