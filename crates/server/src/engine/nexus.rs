//! Nexus: operations that handlers elsewhere carry out for workflows, and on their own.
//!
//! `endpoints` says which handlers there are, `operation` what an operation goes through. `requests` are what handlers
//! are asked, `tasks` how workers get and answer them; `callbacks` bring the end of what a handler has begun. `standalone`
//! are operations without a workflow; `system` are those that the server carries out itself.

pub(crate) mod callbacks;
mod endpoints;
pub(crate) mod failures;
pub(crate) mod limits;
mod links;
pub(crate) mod operation;
mod requests;
mod standalone;
mod system;
mod tasks;

pub(crate) use endpoints::Endpoints;
pub(crate) use requests::{Owner, Requests};
pub(crate) use standalone::{OperationKey, OperationWait, StandaloneOperations};
pub(crate) use system::SYSTEM_ENDPOINT;
