//! Why a history did not replay.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::{error, io};

use stead_client::HistoryError;
use stead_core::Mismatch;
use stead_data::history::History;
use stead_data::{CodecError, Failure};
use stead_proto::json::JsonError;

/// The workflow that a history is of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayedWorkflow {
    /// Its type; empty if the history does not begin with the workflow's start.
    pub workflow_type: String,
    /// Its id; `replayed` if the history does not say it.
    pub workflow_id: String,
    /// Its run; `replayed` if the history does not say it.
    pub run_id: String,
}

impl ReplayedWorkflow {
    pub(super) fn of(history: &History) -> Self {
        Self {
            workflow_type: history.workflow_type().unwrap_or_default().to_owned(),
            workflow_id: history.workflow_id().unwrap_or("replayed").to_owned(),
            run_id: history.run_id().unwrap_or("replayed").to_owned(),
        }
    }
}

impl fmt::Display for ReplayedWorkflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workflow `{}` of type `{}`", self.workflow_id, self.workflow_type)
    }
}

/// A history did not replay.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// The code does something else than the history records. Keep the old path behind `workflow::patched`.
    Mismatch {
        /// The workflow.
        workflow: ReplayedWorkflow,
        /// The first difference, with the event, the command and the line that issued it.
        mismatch: Box<Mismatch>,
    },
    /// The code cannot run: its type is not registered, it panicked, or cannot read its input.
    Failed {
        /// The workflow.
        workflow: ReplayedWorkflow,
        /// What happened.
        failure: Box<Failure>,
    },
    /// The history has gaps, is cut off, or records what this version does not know.
    BadHistory {
        /// The workflow.
        workflow: ReplayedWorkflow,
        /// What is wrong with it.
        message: String,
    },
    /// The text is no history.
    Json {
        /// Why.
        source: JsonError,
    },
    /// The file cannot be read.
    File {
        /// Why.
        source: io::Error,
    },
    /// The codec cannot decode the history's payloads.
    Codec {
        /// Why.
        source: CodecError,
    },
    /// The history cannot be fetched.
    Fetch {
        /// Why.
        source: Box<HistoryError>,
    },
}

impl ReplayError {
    /// The difference between history and code, if that is what it is.
    pub fn mismatch(&self) -> Option<&Mismatch> {
        match self {
            Self::Mismatch { mismatch, .. } => Some(mismatch),
            _ => None,
        }
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch { workflow, mismatch } => write!(f, "{workflow} does not replay: {mismatch}"),
            Self::Failed { workflow, failure } => write!(f, "{workflow} does not replay: {}", failure.message),
            Self::BadHistory { workflow, message } => write!(f, "the history of {workflow} is not usable: {message}"),
            Self::Json { .. } => f.write_str("the text is no history"),
            Self::File { .. } => f.write_str("the history cannot be read"),
            Self::Codec { .. } => f.write_str("the history cannot be decoded"),
            Self::Fetch { .. } => f.write_str("the history cannot be fetched"),
        }
    }
}

impl error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Failed { failure, .. } => failure.cause.as_deref().map(|cause| cause as _),
            Self::Json { source } => Some(source),
            Self::File { source } => Some(source),
            Self::Codec { source } => Some(source),
            Self::Fetch { source } => Some(source),
            Self::Mismatch { .. } | Self::BadHistory { .. } => None,
        }
    }
}

/// Some histories of a directory did not replay.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReplayDirError {
    /// The directory.
    pub directory: PathBuf,
    /// How many histories are in it.
    pub histories: usize,
    /// Those that did not replay, and why.
    pub failures: Vec<(PathBuf, ReplayError)>,
}

impl ReplayDirError {
    pub(super) fn new(directory: &Path, histories: usize, failures: Vec<(PathBuf, ReplayError)>) -> Self {
        Self { directory: directory.to_owned(), histories, failures }
    }

    pub(super) fn unreadable(directory: &Path, source: io::Error) -> Self {
        Self::new(directory, 0, vec![(directory.to_owned(), ReplayError::File { source })])
    }
}

impl fmt::Display for ReplayDirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, histories, failures } = self;
        let mut text = match histories {
            0 => format!("histories in `{}` cannot be read", directory.display()),
            _ => format!("{} of {histories} histories in `{}` do not replay", failures.len(), directory.display()),
        };
        for (path, error) in failures {
            write!(text, "\n  {}: {error}", path.display())?;
            if let Some(source) = error::Error::source(error) {
                write!(text, ": {source}")?;
            }
        }
        f.write_str(&text)
    }
}

impl error::Error for ReplayDirError {}
