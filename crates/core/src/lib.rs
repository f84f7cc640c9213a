//! The state machines of one workflow run, without I/O.
//!
//! A [`Run`] is a value. Tasks, pages of history, commands and outcomes go in through its `handle_*` methods, each
//! with the moment at which it happened; what to do next comes out of [`Run::poll_output`]. It reads no clock, starts
//! no thread, waits for nothing and takes no lock, so the same run can be driven by a worker, a replayer, a
//! simulation or a fuzzer, and does the same in all of them.
//!
//! What is not here: payload conversion, the code of workflows, transport, concurrency.
//!
//! # Example
//!
//! A history is replayed by driving a run with a guest, here one whose workflow completes at once:
//!
//! ```
//! use std::time::Duration;
//!
//! use stead_activation::{Command, Issued};
//! use stead_core::{Instant, Output, Run, RunOptions, replay_task};
//! use stead_proto::history::v1::History;
//!
//! fn replay(history: History) -> Result<(), String> {
//!     let now = Instant::from_origin(Duration::ZERO);
//!     let mut run = Run::new("run", RunOptions::default());
//!     run.handle_task(replay_task(history, "workflow", "run"), now);
//!     while let Some(output) = run.poll_output() {
//!         match output {
//!             Output::Activate(_) => {
//!                 let command = Command::CompleteWorkflow { result: None };
//!                 run.handle_commands(vec![Issued { command, at: None }], now);
//!             }
//!             Output::Evict(eviction) => return Err(eviction.message),
//!             Output::Fail(failed) => return Err(failed.failure.message),
//!             Output::FetchHistory { .. } => return Err("the history is not complete".to_owned()),
//!             Output::Complete(_) | Output::AnswerQuery(_) => break,
//!             // Only what history does not know of runs.
//!             Output::StartLocalActivity(_) | Output::StopLocalActivity { .. } => {}
//!         }
//!     }
//!     Ok(())
//! }
//!
//! assert!(replay(History::default()).is_err());
//! ```

mod fault;
mod flags;
mod history;
mod local;
mod machines;
mod marker;
mod mismatch;
mod patch;
mod protocol;
mod run;
mod time;

pub mod cache;
pub mod policy;

pub use local::{LocalActivityAttempt, LocalActivityOutcome, LocalActivityStop};
pub use marker::local_activity_of_marker;
pub use mismatch::{Difference, Mismatch, MismatchKind, Operation, RecentEvent};
pub use run::{
    Completion, CompletionOutcome, Eviction, EvictionReason, FailedTask, HistoryPage, Output, QueryReply, Run,
    RunOptions, replay_task,
};
pub use time::Instant;
