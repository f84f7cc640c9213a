//! The server as its callers see it.

#![allow(deprecated, reason = "what the API has deprecated, callers still send and read")]

mod activities;
mod children;
mod clock;
mod continue_as_new;
mod deployments;
mod describe;
mod external;
mod idle;
mod live;
mod matching;
mod multi_operation;
mod namespaces;
mod options;
mod pause;
mod properties;
mod queries;
mod restart;
mod retries;
mod rim;
mod schedules;
mod signal_with_start;
mod store;
mod support;
mod timeouts;
mod updates;
mod visibility;
mod visibility_of_runs;
mod workers;
mod workflow_tasks;
