//! The server as its callers see it.

mod namespaces;
mod restart;
mod rim;
mod support;
mod visibility;
mod workflow_tasks;
