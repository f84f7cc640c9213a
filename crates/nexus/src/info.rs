//! What is known of a request.

use std::collections::BTreeMap;
use std::time::SystemTime;

use stead_data::nexus::{Callback, Link};
use stead_data::{NexusContext, SerializationContext};

/// One request to a handler. See [`info`](crate::info()).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Info {
    /// The endpoint that the caller named; empty on servers that do not say.
    pub endpoint: String,
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// Namespace of the worker.
    pub namespace: String,
    /// Task queue that the request was polled from.
    pub task_queue: String,
    /// Headers of the request, whose names are in lower case.
    pub headers: BTreeMap<String, String>,
    /// When the server made the request.
    pub scheduled_time: Option<SystemTime>,
    /// Until when the answer is of use, by this machine's clock.
    pub deadline: Option<SystemTime>,
    /// Of a request to start the operation; `None` of one to cancel it.
    pub start: Option<StartInfo>,
}

impl Info {
    /// The operation as the owner of payloads.
    pub fn owner(&self) -> SerializationContext {
        NexusContext::new(&self.endpoint, &self.service, &self.operation).into()
    }
}

/// What comes with a request to start an operation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StartInfo {
    /// Is the same when the same request comes again.
    pub request_id: String,
    /// How the caller is told the outcome of an operation that goes on after its handler has returned.
    pub callback: Option<Callback>,
    /// What the caller links the operation with, such as the event that scheduled it.
    pub links: Vec<Link>,
}
