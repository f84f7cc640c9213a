//! The server as its callers see it.

#![allow(deprecated, reason = "what the API has deprecated, callers still send and read")]

mod activities;
mod batches;
mod children;
mod clock;
mod closed_histories;
mod completion_pages;
mod continue_as_new;
mod delete;
mod deployments;
mod describe;
mod external;
mod idle;
mod live;
mod matching;
mod multi_operation;
mod namespaces;
mod nexus_callbacks;
mod nexus_endpoints;
mod nexus_operations;
mod nexus_standalone;
mod nonsense;
mod options;
mod pause;
mod properties;
mod queries;
mod reset;
mod restart;
mod retries;
mod rim;
mod schedules;
mod signal_with_start;
mod standalone_activities;
mod store;
mod support;
mod time_skipping;
mod timeouts;
mod updates;
mod versioning;
mod visibility;
mod visibility_of_runs;
mod workers;
mod workflow_options;
mod workflow_tasks;
