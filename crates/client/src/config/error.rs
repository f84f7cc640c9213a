//! What can be wrong with a configuration. No text shows a value of it, which may be a secret.

use std::{io, path::PathBuf};

/// A configuration cannot be loaded, or describes no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The profile that was asked for, in code or by `TEMPORAL_PROFILE`, is not in the file.
    #[error("there is no profile `{name}`; {}", list(.known))]
    ProfileNotFound {
        /// Its name.
        name: String,
        /// The profiles that there are.
        known: Vec<String>,
    },
    /// The text is not TOML.
    #[error("line {line} of the configuration is not TOML: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The file has a key that means nothing; strict loading refuses it.
    #[error("the configuration has a key `{key}`, which means nothing (line {line})")]
    UnknownKey {
        /// The key, with the tables it is in.
        key: String,
        /// The line, from 1.
        line: usize,
    },
    /// A key has a value of the wrong type.
    #[error("`{key}` must be {expected} (line {line} of the configuration)")]
    WrongType {
        /// The key, with the tables it is in.
        key: String,
        /// What it may be.
        expected: &'static str,
        /// The line, from 1.
        line: usize,
    },
    /// Two settings say the same thing in two ways. Remove one.
    #[error("`{first}` and `{second}` are both set; keep one")]
    Conflict {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Two settings need each other, and only one is set.
    #[error("there is a {present} without a {missing}")]
    Incomplete {
        /// What is there.
        present: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// A file cannot be read.
    #[error("the {what} `{}` cannot be read", path.display())]
    Unreadable {
        /// What it holds.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The configuration file, or a variable, is not UTF-8 text.
    #[error("{what} is not UTF-8 text")]
    NotText {
        /// Which.
        what: String,
    },
    /// Neither a file nor the environment may be read, so there is nothing to load.
    #[error("neither a file nor the environment may be read; allow one of them")]
    NothingToLoad,
    /// Verification of the server's certificate is turned off, which a connection refuses: trust the server's
    /// certificate instead.
    #[error(
        "verification of the server's certificate cannot be turned off; trust its issuer with \
         `TEMPORAL_TLS_SERVER_CA_CERT_PATH` or `server_ca_cert_path`"
    )]
    Unverified,
    /// TLS is asked for and this program was built without the feature `tls`.
    #[error("TLS is configured, and the feature `tls` is off in this program")]
    TlsNotBuilt,
}

fn list(profiles: &[String]) -> String {
    match profiles {
        [] => "the configuration has no profiles".to_owned(),
        profiles => format!("there are `{}`", profiles.join("`, `")),
    }
}
