//! What can go wrong before there is a client.

use crate::{
    config::ConfigError,
    connection::{BoxError, InvalidMetadata, RpcError},
};

/// No client could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not `host:port`. Correct it.
    #[error("the server's address must be `host:port`, such as `localhost:7233`, without a path or credentials")]
    InvalidAddress,
    /// There is an API key, but the connection is neither encrypted nor local, so the key would travel for all to
    /// see. Leave TLS on.
    #[error("an API key is not sent to `{address}` in plain text; remove `.tls(false)` or the scheme `http://`")]
    ApiKeyWithoutTls {
        /// The server's address.
        address: String,
    },
    /// TLS is needed and this program was built without the feature `tls`.
    #[error("the connection to `{address}` needs TLS, and the feature `tls` is off in this program")]
    TlsNotBuilt {
        /// The server's address.
        address: String,
    },
    /// The certificates or the key cannot be used: the source says why.
    #[error("the TLS options for `{address}` cannot be used")]
    Tls {
        /// The server's address.
        address: String,
        /// What is wrong with them.
        source: BoxError,
    },
    /// No connection could be made, in the time allowed for it. Check that the server runs, and is reachable from
    /// here; then try again.
    #[error("cannot reach a Temporal server at `{address}`; check that it runs and listens there")]
    Unreachable {
        /// The server's address.
        address: String,
        /// Why not.
        source: BoxError,
    },
    /// The server was reached and its first answer is an error: wrong credentials, or no Temporal server at all.
    #[error("the server at `{address}` was reached but cannot be used")]
    Refused {
        /// The server's address.
        address: String,
        /// The first call's error.
        source: RpcError,
    },
    /// A header, or the API key, holds characters that cannot be sent.
    #[error(transparent)]
    InvalidMetadata(#[from] InvalidMetadata),
    /// The environment and the configuration file describe no connection.
    #[error(transparent)]
    Config(#[from] ConfigError),
}
