//! Why a worker cannot be built, or cannot run.

use std::{error, fmt, io};

use stead_client::RpcError;

use crate::handle::Overlap;

/// A worker cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// No workflow, no activity and no Nexus service is registered, so there would be nothing to do.
    NothingRegistered,
    /// Two workflows have this type. Rename one of them: `#[workflow(name = "..")]`.
    DuplicateWorkflow(&'static str),
    /// Besides another, this is a dynamic workflow too: which of them would take a type?
    SecondDynamicWorkflow(&'static str),
    /// Two activities have this type. Rename one of them: `#[activity(name = "..")]`.
    DuplicateActivity(&'static str),
    /// Besides another, this is a dynamic activity too: which of them would take a type?
    SecondDynamicActivity(&'static str),
    /// Two Nexus services have this name. Rename one of them: `#[nexus_service("..")]`.
    DuplicateNexusService(&'static str),
    /// The worker has a version, and nobody says how runs of this workflow move to other ones. Say it in
    /// `#[workflow(versioning = ..)]`, or for all by `WorkerDeployment::default_versioning`.
    NoVersioning(&'static str),
    /// The task queue has no name.
    NoTaskQueue,
    /// An option has a value that cannot work.
    InvalidOption {
        /// Name of the option.
        option: &'static str,
        /// What it must be.
        requirement: &'static str,
    },
    /// The program aborts when it panics, so one run's bug would end all of them.
    PanicAbort,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingRegistered => {
                f.write_str("At least one activity, Nexus service, or workflow must be specified")
            }
            Self::DuplicateWorkflow(name) => write!(f, "More than one workflow named {name}"),
            Self::SecondDynamicWorkflow(name) => write!(f, "More than one dynamic workflow: {name}"),
            Self::DuplicateActivity(name) => write!(f, "More than one activity named {name}"),
            Self::SecondDynamicActivity(name) => write!(f, "More than one dynamic activity: {name}"),
            Self::DuplicateNexusService(name) => write!(f, "More than one Nexus service named {name}"),
            Self::NoVersioning(name) => write!(
                f,
                "Workflow {name} must specify a versioning behavior: `#[workflow(versioning = pinned)]` or \
                 `auto_upgrade`, or a default of the worker's deployment"
            ),
            Self::NoTaskQueue => f.write_str("the name of the task queue is empty"),
            Self::InvalidOption { option, requirement } => write!(f, "`{option}` must be {requirement}"),
            Self::PanicAbort => f.write_str(
                "this program is built with `panic = \"abort\"`, so a panic in one workflow would end all of them; \
                 remove it from the profile in Cargo.toml",
            ),
        }
    }
}

impl error::Error for BuildError {}

/// A worker could not start, or had to stop without being told to.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The server was not reached, does not know the namespace, or does not let this client in.
    Start {
        /// The worker's task queue.
        task_queue: String,
        /// The worker's namespace.
        namespace: String,
        /// What the server said.
        source: RpcError,
    },
    /// The server says that the worker may not poll, and said so for more than a minute.
    Poll {
        /// The worker's task queue.
        task_queue: String,
        /// The worker's namespace.
        namespace: String,
        /// What the server said.
        source: RpcError,
    },
    /// Another worker of this process takes the same tasks over the same connection.
    Overlap(Box<Overlap>),
    /// The operating system gave no thread for workflows.
    Thread(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { task_queue, namespace, .. } => {
                write!(f, "worker for task queue `{task_queue}` cannot start in namespace `{namespace}`")
            }
            Self::Poll { task_queue, namespace, .. } => {
                write!(f, "worker for task queue `{task_queue}` may not poll in namespace `{namespace}`")
            }
            Self::Overlap(overlap) => overlap.fmt(f),
            Self::Thread(_) => f.write_str("no thread for workflows can be started"),
        }
    }
}

impl error::Error for RunError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Poll { source, .. } => Some(source),
            Self::Overlap(_) => None,
            Self::Thread(source) => Some(source),
        }
    }
}
