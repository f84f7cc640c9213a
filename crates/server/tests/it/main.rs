//! The server as its callers see it.

#![allow(deprecated, reason = "what the API has deprecated, callers still send and read")]

mod children;
mod continue_as_new;
mod deployments;
mod external;
mod clock;
mod deployments;
mod idle;
mod live;
mod activities;
mod deployments;
mod describe;
mod matching;
mod multi_operation;
mod namespaces;
mod properties;
mod queries;
mod options;
mod pause;
mod restart;
mod retries;
mod rim;
mod store;
mod schedules;
mod signal_with_start;
mod support;
mod timeouts;
mod updates;
mod visibility;
mod visibility_of_runs;
mod workers;
mod workflow_tasks;
