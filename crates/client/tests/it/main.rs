//! What the client does on the wire, against a server in the test; and, where there is one, against a real server.

mod connecting;
mod dialing;
mod fake;
mod logs;
mod retrying;
mod schedules;
mod secrets;
mod update_with_start;
mod workflows;

#[cfg(feature = "tls")]
mod encryption;
mod real_server;
