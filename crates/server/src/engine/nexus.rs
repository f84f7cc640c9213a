//! Nexus: operations that handlers elsewhere carry out for workflows, and on their own.
//!
//! `endpoints` says which handlers there are, `operation` what an operation goes through. `requests` are what handlers
//! are asked, `tasks` how workers get and answer them; `callbacks` bring the end of what a handler has begun.

mod callbacks;
mod endpoints;
pub(crate) mod failures;
mod links;
pub(crate) mod operation;
mod requests;
mod tasks;

pub(crate) use endpoints::Endpoints;
pub(crate) use requests::{Owner, Requests};
