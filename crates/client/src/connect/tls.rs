//! TLS as a user asks for it.

use std::fmt;

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// How a connection is encrypted and both ends are authenticated.
///
/// ```
/// use stead_client::Tls;
///
/// # let (ca, certificate, key) = ("", "", "");
/// let tls = Tls::new().ca_certificate(ca).server_name("temporal.internal").client_certificate(certificate, key);
/// # let _ = tls;
/// ```
#[derive(Clone, Default)]
pub struct Tls {
    ca_certificate: Option<Vec<u8>>,
    server_name: Option<String>,
    client: Option<ClientCertificate>,
}

#[derive(Clone)]
struct ClientCertificate {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Trusts the operating system's root certificates, expects the name in the address, sends no certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these root certificates (PEM) instead of the operating system's.
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificate = Some(pem.into());
        self
    }

    /// The name to ask for, and to expect in the server's certificate. Default: the host in the address.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Authenticates this client with a certificate and its private key (PEM): mutual TLS.
    pub fn client_certificate(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.client = Some(ClientCertificate { certificate: certificate.into(), key: key.into() });
        self
    }

    pub(super) fn into_config(self) -> ClientTlsConfig {
        let Self { ca_certificate, server_name, client } = self;
        let mut config = match ca_certificate {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        if let Some(name) = server_name {
            config = config.domain_name(name);
        }
        if let Some(ClientCertificate { certificate, key }) = client {
            config = config.identity(Identity::from_pem(certificate, key));
        }
        config
    }
}

// Written by hand: the key is a secret.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("own_ca_certificate", &self.ca_certificate.is_some())
            .field("server_name", &self.server_name)
            .field("client_certificate", &self.client.is_some())
            .finish()
    }
}

/// Whether to encrypt; made of a `bool` or a [`Tls`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum TlsMode {
    /// Encrypts when there is an API key, or when the address starts with `https://`.
    #[default]
    Auto,
    /// Plain text. An API key is then refused, unless the server is on this machine.
    Off,
    /// Encrypts.
    On(Tls),
}

impl From<bool> for TlsMode {
    fn from(on: bool) -> Self {
        if on { Self::On(Tls::new()) } else { Self::Off }
    }
}

impl From<Tls> for TlsMode {
    fn from(tls: Tls) -> Self {
        Self::On(tls)
    }
}
