//! Callbacks: how the end of what carries an operation out reaches the operation.
//!
//! An operation gives its handler a URL and a token to call back with. The URL is that of this server itself, and so a
//! callback never leaves it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use prost::Message;
use stead_proto::common::v1::Link;
use stead_proto::enums::v1::EventType;

use super::operation::OperationState;
use super::requests::Owner;
use crate::engine::Engine;

/// Where operations are called back.
pub(super) const URL: &str = "temporal://system";
/// The header with the token.
pub(super) const TOKEN_HEADER: &str = "temporal-callback-token";

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
}

impl CallbackToken {
    fn text(&self) -> String {
        format!(r#"{{"v":1,"d":"{}"}}"#, URL_SAFE.encode(self.encode_to_vec()))
    }
}

impl Engine {
    pub(super) fn callback_token(&self, owner: Owner, operation: &OperationState) -> String {
        let request_id = operation.request_id.clone();
        let token = match owner {
            Owner::Run(run, scheduled_event_id) => self.runs.get(run).map(|run| CallbackToken {
                namespace_id: self.namespaces.get(run.namespace()).map(|it| it.info.id.clone()).unwrap_or_default(),
                workflow_id: run.state.workflow_id.clone(),
                run_id: run.state.run_id.clone(),
                scheduled_event_id,
                request_id,
            }),
        };
        token.unwrap_or_default().text()
    }

    /// A link to what wants the operation.
    pub(super) fn caller_link(&self, owner: Owner) -> Option<Link> {
        match owner {
            Owner::Run(run, id) => Some(self.event_link(self.runs.get(run)?, id, EventType::NexusOperationScheduled)),
        }
    }
}
