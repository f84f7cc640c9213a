//! Drives workflows by hand: activations in, commands out, no server and no clock.

// The macros of `support` name the state and the input of every handler, used or not.
#![allow(unused_variables)]

#[macro_use]
mod support;

mod activities;
mod cancellation;
mod context;
mod coordination;
mod determinism;
mod endings;
mod errors;
mod interceptors;
mod joining;
mod logs;
mod patches;
mod queries;
mod remote;
mod scopes;
mod signals;
mod tasks;
mod timers;
mod updates;
mod waits;
mod watch;
