//! Activities in processes of their own: what a crash, an abort or an exit of their code ends is one attempt.
//!
//! Each attempt of an `#[activity(process)]` runs in a child process: the worker's own program, started again. Its
//! arguments, heartbeats, cancellation and result pass through a socket that is the child's standard input. The first line
//! of `main` tells a child from a worker:
//!
//! ```ignore
//! struct Rendering;
//!
//! #[activities]
//! impl Rendering {
//!     #[activity(process)]
//!     fn render(scene: Scene) -> activity::Result<Video> { .. }
//! }
//!
//! fn main() {
//!     activity::process::Host::new().activities(Rendering).run();
//!     // What follows is the worker, which registers `Rendering` as any other activities.
//! }
//! ```
//!
//! In the child the functions of this crate work as in the worker, but for [`meter`](crate::meter()), whose numbers go
//! nowhere, and [`extension`](crate::extension()), which finds nothing: the worker's client stays in the worker.
//!
//! An attempt that is cancelled learns it as ever. If its process does not end within the [grace
//! period](Program::grace_period) it is killed. It ends at once when the worker is gone. As many run at a time as there are
//! slots for activities.
//!
//! Needs Unix: on other platforms such an activity fails with a failure that says so.

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod parent;
#[cfg(unix)]
mod wire;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stead_data::DataConverter;

use crate::{Activities, Definition};

/// Which program the children run, and how long they have to end. A worker takes one as an extension of its activities;
/// without, it is [`Program::current`].
#[derive(Debug, Clone)]
pub struct Program {
    path: Option<PathBuf>,
    arguments: Vec<OsString>,
    grace_period: Duration,
}

impl Program {
    /// The program that runs, without arguments.
    pub fn current() -> Self {
        Self { path: None, arguments: Vec::new(), grace_period: Duration::from_secs(10) }
    }

    /// The program at this path, which must come to [`Host::run`] with the same activities.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::current() }
    }

    /// Adds an argument. A test gives those that make the test program run one test only, in which [`Host::run`] is called:
    /// its name, `--exact` and `--nocapture`.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// How long an attempt that was cancelled may go on before its process is killed. Default: 10 s.
    #[must_use]
    pub fn grace_period(mut self, period: Duration) -> Self {
        self.grace_period = period;
        self
    }
}

/// The child's side: runs the one activity that the process was started for.
#[must_use = "nothing runs until `run` is called"]
#[derive(Debug, Default)]
pub struct Host {
    definitions: Vec<Definition>,
    converter: DataConverter,
}

impl Host {
    /// A host without activities.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds activities. Activities in processes of their own take no `self`, so the value is made and not used.
    pub fn activities<A: Activities>(mut self, activities: A) -> Self {
        self.definitions.extend(Arc::new(activities).definitions());
        self
    }

    /// Reads arguments and writes results, as the worker's client does. Default: [`DataConverter::new`]. Codecs stay in the
    /// worker.
    pub fn data_converter(mut self, converter: DataConverter) -> Self {
        self.converter = converter;
        self
    }

    /// Runs the activity and ends the process, if this process was started for one. Otherwise it returns at once.
    pub fn run(self) {
        #[cfg(unix)]
        if child::is_child() {
            child::run(self);
        }
    }
}

/// Runs an attempt in a process of its own.
#[cfg(unix)]
pub(crate) use parent::call;

/// Runs an attempt in a process of its own, which needs another platform.
#[cfg(not(unix))]
pub(crate) fn call(name: &str, _input: crate::Input) -> crate::Result<stead_data::Payload> {
    Err(crate::Error::from(format!("activity {name} cannot run in a process of its own: that needs Unix"))
        .non_retryable())
}
