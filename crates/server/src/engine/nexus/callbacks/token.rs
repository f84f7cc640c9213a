//! [`CallbackToken`]: which operation a callback is for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use prost::Message;
use stead_proto::common::v1::Link;
use stead_proto::common::v1::link::{NexusOperation, Variant};
use stead_proto::enums::v1::EventType;

use super::Undeliverable;
use crate::engine::Engine;
use crate::engine::executions::Execution;
use crate::engine::nexus::operation::OperationState;
use crate::engine::nexus::requests::Owner;
use crate::engine::nexus::standalone::OperationKey;
use crate::engine::run::Run;

/// The header with the token.
pub(in crate::engine::nexus) const TOKEN_HEADER: &str = "temporal-callback-token";

/// Says which operation is called back. Handlers see text.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CallbackToken {
    #[prost(string, tag = "1")]
    namespace_id: String,
    #[prost(string, tag = "2")]
    workflow_id: String,
    #[prost(string, tag = "3")]
    run_id: String,
    #[prost(int64, tag = "4")]
    scheduled_event_id: i64,
    #[prost(string, tag = "5")]
    request_id: String,
    /// Of an operation without a workflow.
    #[prost(string, tag = "6")]
    operation_id: String,
}

impl CallbackToken {
    fn text(&self) -> String {
        format!(r#"{{"v":1,"d":"{}"}}"#, URL_SAFE.encode(self.encode_to_vec()))
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        let bytes = URL_SAFE.decode(json.get("d")?.as_str()?).ok()?;
        let token = Self::decode(bytes.as_slice()).ok()?;
        (json.get("v")? == 1 && !token.request_id.is_empty()).then_some(token)
    }
}

impl Engine {
    pub(in crate::engine::nexus) fn callback_token(&self, owner: Owner, operation: &OperationState) -> String {
        let request_id = operation.request_id.clone();
        let token = match owner {
            Owner::Run(run, scheduled_event_id) => self.runs.get(run).map(|run| CallbackToken {
                namespace_id: self.namespaces.get(run.namespace()).map(|it| it.info.id.clone()).unwrap_or_default(),
                workflow_id: run.state.workflow_id.clone(),
                run_id: run.state.run_id.clone(),
                scheduled_event_id,
                request_id,
                operation_id: String::new(),
            }),
            Owner::Alone(key) => self.operations.get(key.0).map(|alone| CallbackToken {
                operation_id: alone.id().to_owned(),
                run_id: alone.run_id().to_owned(),
                request_id,
                ..CallbackToken::default()
            }),
        };
        token.unwrap_or_default().text()
    }

    /// A link to what wants the operation.
    pub(in crate::engine::nexus) fn caller_link(&self, owner: Owner) -> Option<Link> {
        match owner {
            Owner::Run(run, id) => Some(self.event_link(self.runs.get(run)?, id, EventType::NexusOperationScheduled)),
            Owner::Alone(key) => {
                let alone = self.operations.get(key.0)?;
                let operation = NexusOperation {
                    namespace: self.namespaces.get(alone.namespace())?.info.name.clone(),
                    operation_id: alone.id().to_owned(),
                    run_id: alone.run_id().to_owned(),
                };
                Some(Link { variant: Some(Variant::NexusOperation(operation)) })
            }
        }
    }

    /// The operation that a token is for: in its run, or in the run that a reset has put in its place.
    pub(super) fn called_back(&self, token: &CallbackToken) -> Result<Owner, Undeliverable> {
        if !token.operation_id.is_empty() {
            let key = self.operations.by_run_id(&token.run_id).map(OperationKey);
            let waits = |key: &OperationKey| {
                self.open_operation(*key).is_some_and(|operation| operation.request_id == token.request_id)
            };
            return key.filter(waits).map(Owner::Alone).ok_or(Undeliverable::NoSuchOperation);
        }
        let id = token.scheduled_event_id;
        let waits = |run: &&Run| run.operations.get(&id).is_some_and(|it| it.request_id == token.request_id);
        let of_token = self.runs.by_run_id(&token.run_id).and_then(|key| self.runs.get(key));
        let current = of_token.and_then(|run| self.runs.current(run.namespace(), &token.workflow_id));
        let current = current.and_then(|key| self.runs.get(key));
        let mut open = of_token.into_iter().chain(current).filter(|run| run.is_open()).peekable();
        if open.peek().is_none() {
            return Err(Undeliverable::CallerHasClosed);
        }
        open.find(waits).map(|run| Owner::Run(run.key, id)).ok_or(Undeliverable::NoSuchOperation)
    }
}
