//! The integration suite. One module a feature; every test runs on a real server and replays what it recorded.

mod activities;
mod activity_env;
mod async_activities;
mod cancellation;
mod children;
mod client;
mod codec;
mod continue_as_new;
mod contracts;
mod data;
mod determinism;
mod external;
mod failures;
mod interceptors;
mod killed_worker;
mod local_activities;
mod messages;
mod patches;
mod recorded;
mod runs;
mod scopes;
mod timers;
mod update_with_start;
mod upserts;
mod visibility;
mod worker;
