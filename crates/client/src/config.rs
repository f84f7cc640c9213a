//! Configuration out of `temporal.toml` and the variables `TEMPORAL_…`, as all SDKs and the `temporal` CLI have it.
//!
//! [`ConfigLoader`] reads it; a [`ClientProfile`] is what it says, and becomes a connection.

mod environment;
mod error;
mod file;
mod load;

use std::collections::BTreeMap;

#[cfg(feature = "tls")]
use crate::connect::{Tls, TlsMode};
use crate::{
    client::Client,
    connect::{Connect, Remote},
    secret::Secret,
};

pub use {
    error::ConfigError,
    load::{ConfigLoader, DEFAULT_PROFILE},
};

/// All profiles of a configuration file, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The profiles.
    pub profiles: BTreeMap<String, ClientProfile>,
}

/// How to connect, as a profile of a configuration file and the environment say it. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClientProfile {
    /// `host:port`; `None` for `localhost:7233`.
    pub address: Option<String>,
    /// The namespace; `None` for `default`.
    pub namespace: Option<String>,
    /// The API key. It turns TLS on, unless `tls` says otherwise.
    pub api_key: Option<Secret>,
    /// TLS; `Some`, and not disabled, turns it on.
    pub tls: Option<ProfileTls>,
    /// A codec server, for programs that want one. A connection does not use it: a codec is code, see
    /// [`Connect::data_converter`].
    pub codec: Option<ProfileCodec>,
    /// Headers of all calls.
    pub grpc_meta: BTreeMap<String, String>,
}

/// The part of a profile about TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProfileTls {
    /// Whether TLS is off, in spite of an API key; `None` for not said.
    pub disabled: Option<bool>,
    /// The client's certificate (PEM).
    pub client_cert: Option<DataSource>,
    /// The client's private key (PEM).
    pub client_key: Option<DataSource>,
    /// The root certificates to trust (PEM).
    pub server_ca_cert: Option<DataSource>,
    /// The name to ask for, and to expect in the server's certificate.
    pub server_name: Option<String>,
    /// Whether the server's certificate is not looked at. A connection refuses to be made like that.
    pub disable_host_verification: bool,
}

/// The part of a profile about a codec server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProfileCodec {
    /// Its address.
    pub endpoint: Option<String>,
    /// The header `authorization` for it.
    pub auth: Option<Secret>,
}

/// Something that is given in a file or at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataSource {
    /// The file of this path.
    Path(std::path::PathBuf),
    /// This.
    Data(Secret),
}

impl ClientConfig {
    /// Reads the text of a configuration file; an empty one has no profiles.
    ///
    /// # Errors
    ///
    /// The text is not TOML, or says something that it cannot mean. Keys that nobody knows are let pass.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        file::parse(text, false)
    }

    /// As [`from_toml`](Self::from_toml), and keys that nobody knows are errors.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn from_toml_strict(text: &str) -> Result<Self, ConfigError> {
        file::parse(text, true)
    }
}

impl ClientProfile {
    /// A client to be, of this profile.
    ///
    /// # Errors
    ///
    /// A certificate cannot be read, has no key, or the profile asks for what a connection does not do.
    pub fn connect(&self) -> Result<Connect<Remote>, ConfigError> {
        let address = filled(self.address.as_ref()).map_or("localhost:7233", String::as_str);
        let mut connect = Client::connect(address);
        if let Some(namespace) = filled(self.namespace.as_ref()) {
            connect = connect.namespace(namespace);
        }
        if let Some(key) = self.api_key.as_ref().filter(|key| !key.is_empty()) {
            connect = connect.api_key(key.clone());
        }
        for (key, value) in &self.grpc_meta {
            connect = connect.metadata(key, value);
        }
        self.encrypt(connect)
    }

    #[cfg(feature = "tls")]
    fn encrypt(&self, connect: Connect<Remote>) -> Result<Connect<Remote>, ConfigError> {
        match &self.tls {
            None => Ok(connect),
            Some(ProfileTls { disabled: Some(true), .. }) => Ok(connect.tls(TlsMode::Off)),
            Some(tls) => Ok(connect.tls(tls.to_tls()?)),
        }
    }

    #[cfg(not(feature = "tls"))]
    fn encrypt(&self, connect: Connect<Remote>) -> Result<Connect<Remote>, ConfigError> {
        match &self.tls {
            None | Some(ProfileTls { disabled: Some(true), .. }) => Ok(connect),
            Some(_) => Err(ConfigError::TlsNotBuilt),
        }
    }
}

#[cfg(feature = "tls")]
impl ProfileTls {
    fn to_tls(&self) -> Result<Tls, ConfigError> {
        if self.disable_host_verification {
            return Err(ConfigError::Unverified);
        }
        let mut tls = Tls::new();
        if let Some(ca) = read("server CA certificate", self.server_ca_cert.as_ref())? {
            tls = tls.ca_certificate(ca);
        }
        if let Some(name) = filled(self.server_name.as_ref()) {
            tls = tls.server_name(name);
        }
        let certificate = read("client certificate", self.client_cert.as_ref())?;
        let key = read("client key", self.client_key.as_ref())?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(tls.client_certificate(certificate, key)),
            (None, None) => Ok(tls),
            (Some(_), None) => Err(ConfigError::Incomplete { present: "client certificate", missing: "client key" }),
            (None, Some(_)) => Err(ConfigError::Incomplete { present: "client key", missing: "client certificate" }),
        }
    }
}

#[cfg(feature = "tls")]
fn read(what: &'static str, source: Option<&DataSource>) -> Result<Option<Vec<u8>>, ConfigError> {
    match source {
        None => Ok(None),
        Some(DataSource::Data(data)) => Ok(Some(data.expose().as_bytes().to_vec()).filter(|data| !data.is_empty())),
        Some(DataSource::Path(path)) if path.as_os_str().is_empty() => Ok(None),
        Some(DataSource::Path(path)) => match std::fs::read(path) {
            Ok(data) => Ok(Some(data)),
            Err(source) => Err(ConfigError::Unreadable { what, path: path.clone(), source }),
        },
    }
}

/// Set to nothing is not set.
fn filled(text: Option<&String>) -> Option<&String> {
    text.filter(|text| !text.is_empty())
}

// Written by hand: a header may be a secret.
impl std::fmt::Debug for ClientProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, namespace, api_key, tls, codec, grpc_meta } = self;
        // What is not an address may be one with credentials.
        let address = address.as_deref().map(crate::connect::shown_address);
        f.debug_struct("ClientProfile")
            .field("address", &address)
            .field("namespace", namespace)
            .field("api_key", api_key)
            .field("tls", tls)
            .field("codec", codec)
            .field("grpc_meta", &grpc_meta.keys().collect::<Vec<_>>())
            .finish()
    }
}
