//! Nexus: operations that handlers elsewhere carry out for workflows, and on their own.
//!
//! `endpoints` says which handlers there are.

mod endpoints;

pub(crate) use endpoints::Endpoints;
