//! Looking at an operation without a workflow, and waiting for it to change, to start or to end.

use bytes::Bytes;
use prost::Message;
use stead_proto::enums::v1::NexusOperationWaitStage as WaitStage;
use stead_proto::workflowservice::v1 as api;

use super::OperationKey;
use crate::engine::call::Outcome;
use crate::engine::waits::{Subject, Wait};
use crate::engine::{Call, Engine, Refusal, Response};

/// What a call about an operation waits for.
#[derive(Debug)]
pub(crate) struct OperationWait {
    pub(crate) key: OperationKey,
    what: Awaited,
}

#[derive(Debug)]
enum Awaited {
    /// That something of it changes.
    Change(Box<api::DescribeNexusOperationExecutionRequest>, u64),
    Stage(WaitStage),
}

/// How much a caller knows of an operation. Callers see bytes.
#[derive(Clone, PartialEq, Message)]
struct Seen {
    #[prost(string, tag = "1")]
    run_id: String,
    #[prost(uint64, tag = "2")]
    transitions: u64,
}

impl OperationWait {
    /// What the call is answered when nothing has happened: that it may ask again.
    pub(crate) fn nothing_new(&self) -> Response {
        match self.what {
            Awaited::Change(..) => api::DescribeNexusOperationExecutionResponse::default().into(),
            Awaited::Stage(_) => api::PollNexusOperationExecutionResponse::default().into(),
        }
    }
}

impl Engine {
    pub(in crate::engine) fn describe_nexus_operation_execution(
        &mut self,
        call: &Call,
        request: api::DescribeNexusOperationExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        if !request.long_poll_token.is_empty() && request.run_id.is_empty() {
            return Err(Refusal::invalid("run_id is required when long_poll_token is provided"));
        }
        let key = self.found_operation(&request.namespace, &request.operation_id, &request.run_id)?;
        let transitions = match request.long_poll_token.clone() {
            token if token.is_empty() => None,
            token => Some(seen(token, &request.run_id)?),
        };
        let what = Awaited::Change(Box::new(request), transitions.unwrap_or(u64::MAX));
        self.watch_operation(call, OperationWait { key, what })
    }

    pub(in crate::engine) fn poll_nexus_operation_execution(
        &mut self,
        call: &Call,
        request: &api::PollNexusOperationExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let stage = match WaitStage::try_from(request.wait_stage) {
            Ok(WaitStage::Unspecified | WaitStage::Closed) => WaitStage::Closed,
            Ok(WaitStage::Started) => WaitStage::Started,
            _ => return Err(Refusal::invalid(format!("unsupported wait_stage: {}", request.wait_stage))),
        };
        let key = self.found_operation(&request.namespace, &request.operation_id, &request.run_id)?;
        self.watch_operation(call, OperationWait { key, what: Awaited::Stage(stage) })
    }

    fn watch_operation(&mut self, call: &Call, wait: OperationWait) -> Result<Outcome, Refusal> {
        if let Some(response) = self.news_of_operation(&wait) {
            return Ok(Outcome::Answered(Box::new(response)));
        }
        self.waits.insert(call.id, Wait::Operation(wait));
        Ok(Outcome::Waits)
    }

    /// The answer of a call, if what it waits for is there.
    fn news_of_operation(&self, wait: &OperationWait) -> Option<Response> {
        let operation = self.operations.get(wait.key.0)?;
        let started = operation.operation.started().is_some();
        match &wait.what {
            Awaited::Change(_, seen) if *seen == operation.transitions => None,
            Awaited::Change(request, _) => {
                let seen = Seen { run_id: operation.run_id.clone(), transitions: operation.transitions };
                Some(operation.description(request, self.now, seen.encode_to_vec().into()).into())
            }
            Awaited::Stage(stage) => {
                let reached = !operation.is_open() || *stage == WaitStage::Started && started;
                reached.then(|| operation.polled().into())
            }
        }
    }

    /// Answers those who have waited for what has happened.
    pub(super) fn serve_operation_waits(&mut self, key: OperationKey) {
        for call in self.waits.of(Subject::Operation(key)) {
            let Some(Wait::Operation(wait)) = self.waits.get(call) else { continue };
            if let Some(response) = self.news_of_operation(wait) {
                self.waits.remove(call);
                self.reply(call, Ok(response));
            }
        }
    }
}

fn seen(token: Bytes, run_id: &str) -> Result<u64, Refusal> {
    let seen = Seen::decode(token).map_err(|_| Refusal::invalid("invalid long poll token"))?;
    if seen.run_id != run_id {
        return Err(Refusal::invalid("long poll token does not match execution"));
    }
    Ok(seen.transitions)
}
