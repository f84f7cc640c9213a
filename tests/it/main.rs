//! The integration suite. One module a feature; every test runs on a real server and replays what it recorded.

mod activities;
mod cancellation;
mod client;
mod codec;
mod continue_as_new;
mod contracts;
mod data;
mod determinism;
mod failures;
mod interceptors;
mod killed_worker;
mod messages;
mod patches;
mod recorded;
mod timers;
mod worker;
