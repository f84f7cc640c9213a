//! The server as its callers see it.

mod namespaces;
mod restart;
mod support;
mod workflow_tasks;
