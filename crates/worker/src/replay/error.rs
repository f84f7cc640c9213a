//! Why a history did not replay.

use std::fmt;
use std::{error, io};

use stead_client::{HistoryError, ListError};
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

/// Not all of many histories replayed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayManyError {
    /// Some did not replay, or could not be had.
    Failed {
        /// What they are histories of: a directory, or a query.
        of: String,
        /// How many were replayed.
        histories: usize,
        /// Those that did not replay, by their names, and why. In order.
        failures: Vec<(String, ReplayError)>,
    },
    /// The directory cannot be read, or there is no history in it.
    Directory {
        /// The directory.
        directory: String,
        /// Why.
        source: io::Error,
    },
    /// The workflows could not be listed.
    List {
        /// Why.
        source: ListError,
    },
}

impl ReplayManyError {
    /// The histories that did not replay, by their names, and why. In order.
    pub fn failures(&self) -> &[(String, ReplayError)] {
        match self {
            Self::Failed { failures, .. } => failures,
            Self::Directory { .. } | Self::List { .. } => &[],
        }
    }
}

impl fmt::Display for ReplayManyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { directory, .. } => write!(f, "histories in {directory} cannot be read"),
            Self::List { .. } => f.write_str("the workflows cannot be listed"),
            Self::Failed { of, histories, failures } => {
                write!(f, "{} of {histories} histories of {of} do not replay", failures.len())?;
                for (name, error) in failures {
                    write!(f, "\n  {name}: {error}")?;
                    if let Some(source) = error::Error::source(error) {
                        write!(f, ": {source}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl error::Error for ReplayManyError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Failed { .. } => None,
            Self::Directory { source, .. } => Some(source),
            Self::List { source } => Some(source),
        }
    }
}
