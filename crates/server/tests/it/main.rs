//! The server as its callers see it.

mod namespaces;
mod support;
mod workflow_tasks;
