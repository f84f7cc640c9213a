//! What the fuzzers do with an input.
//!
//! Each body is a plain function of bytes that panics where it finds a fault. The programs in `fuzz/fuzz_targets` hand it
//! what libFuzzer makes up; the tests of this crate hand it seeds, what once was a fault, and random bytes, and need
//! neither a nightly compiler nor a fuzzer.

mod decoders;
mod drive;
mod follower;
mod grammar;
mod histories;
mod mutation;
mod seeds;
mod writer;

pub use decoders::{failure, history_json, marker, payload, sdk_flags, task, update_message};
pub use histories::{mutated_history, plausible_history};
pub use seeds::{seeds, write_seeds};

/// A body, and the name of the program that fuzzes it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the program, and of the folder of its inputs.
    pub name: &'static str,
    /// Panics where it finds a fault.
    pub body: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 9] = [
    Target { name: "plausible_history", body: plausible_history },
    Target { name: "mutated_history", body: mutated_history },
    Target { name: "task", body: task },
    Target { name: "history_json", body: history_json },
    Target { name: "payload", body: payload },
    Target { name: "failure", body: failure },
    Target { name: "marker", body: marker },
    Target { name: "update_message", body: update_message },
    Target { name: "sdk_flags", body: sdk_flags },
];
