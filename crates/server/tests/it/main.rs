//! The server as its callers see it.

#![allow(deprecated, reason = "what the API has deprecated, callers still send and read")]

mod deployments;
mod matching;
mod namespaces;
mod restart;
mod rim;
mod support;
mod updates;
mod visibility;
mod workers;
mod workflow_tasks;
