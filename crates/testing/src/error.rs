//! [`TestError`]: why a test environment could not do what it was asked for.

use std::ffi::OsString;
use std::{error, fmt};

use stead_client::{ConnectError, HistoryError, RpcError};
use stead_server::StartError;
use stead_worker::{BuildError, RunError};

/// A test environment could not do what it was asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum TestError {
    /// The server did not start.
    Server(StartError),
    /// The client did not connect.
    Connect(ConnectError),
    /// The worker cannot be built.
    Build(BuildError),
    /// The worker had to stop.
    Run(RunError),
    /// A history was not given.
    History(HistoryError),
    /// An endpoint of Nexus was not made, or not deleted.
    NexusEndpoint {
        /// The endpoint's name.
        name: String,
        /// What the server said.
        cause: RpcError,
    },
    /// A server's program does not serve.
    Program {
        /// The program.
        program: OsString,
        /// Why it does not.
        why: String,
    },
}

macro_rules! causes {
    ($($variant:ident($cause:ty)),+) => {
        $(impl From<$cause> for TestError {
            fn from(cause: $cause) -> Self {
                Self::$variant(cause)
            }
        })+

        impl error::Error for TestError {
            fn source(&self) -> Option<&(dyn error::Error + 'static)> {
                match self {
                    $(Self::$variant(cause) => cause.source(),)+
                    Self::NexusEndpoint { cause, .. } => Some(cause),
                    Self::Program { .. } => None,
                }
            }
        }

        impl fmt::Display for TestError {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(cause) => cause.fmt(f),)+
                    Self::NexusEndpoint { name, .. } => {
                        write!(f, "the server refused what was asked of the Nexus endpoint `{name}`")
                    }
                    Self::Program { program, why } => {
                        write!(f, "the server's program `{}` does not serve: {why}", program.display())
                    }
                }
            }
        }
    };
}

causes!(Server(StartError), Connect(ConnectError), Build(BuildError), Run(RunError), History(HistoryError));
