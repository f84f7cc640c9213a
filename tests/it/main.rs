//! The integration suite. One module a feature; every test runs on the embedded server and on Temporal's own, and replays
//! what it recorded.

mod activities;
mod activity_cancellation;
mod activity_env;
mod async_activities;
mod cancellation;
mod children;
mod client;
mod closing;
mod codec;
mod codec_contexts;
mod continue_as_new;
mod contracts;
mod coordination;
mod data;
mod determinism;
mod dynamic;
mod external;
mod external_storage;
mod failures;
mod handlers;
mod histories;
mod interceptors;
mod killed_worker;
mod labels;
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
