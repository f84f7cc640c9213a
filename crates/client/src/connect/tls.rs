//! TLS as a user asks for it, and as it is done.

use std::{fmt, fs, io, path::PathBuf, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    },
};

use super::dial::Protocol;
use crate::connection::BoxError;

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
    ca_certificate: Option<Source>,
    server_name: Option<String>,
    verified_name: Option<String>,
    client: Option<ClientCertificate>,
}

#[derive(Clone)]
struct ClientCertificate {
    certificate: Source,
    key: Source,
}

/// Something in PEM: as it is, or in a file that may change.
#[derive(Clone)]
enum Source {
    Pem(Vec<u8>),
    File(PathBuf),
}

impl Source {
    fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Pem(pem) => Ok(pem.clone()),
            Self::File(path) => {
                let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display()));
                fs::read(path).map_err(named)
            }
        }
    }
}

impl Tls {
    /// Trusts the operating system's root certificates, expects the name in the address, sends no certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these root certificates (PEM) instead of the operating system's.
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificate = Some(Source::Pem(pem.into()));
        self
    }

    /// As [`ca_certificate`](Self::ca_certificate), from a file that is read anew for each connection that is made.
    pub fn ca_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_certificate = Some(Source::File(path.into()));
        self
    }

    /// The name to ask for, to expect in the server's certificate, and to send along with calls. Default: the host in
    /// the address.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The name to expect in the server's certificate, where it is not the one that is asked for: behind a load
    /// balancer that passes connections on by that name, for example. Default: the name that is asked for.
    pub fn verified_name(mut self, name: impl Into<String>) -> Self {
        self.verified_name = Some(name.into());
        self
    }

    /// Authenticates this client with a certificate and its private key (PEM): mutual TLS.
    pub fn client_certificate(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        let (certificate, key) = (Source::Pem(certificate.into()), Source::Pem(key.into()));
        self.client = Some(ClientCertificate { certificate, key });
        self
    }

    /// As [`client_certificate`](Self::client_certificate), from files that are read anew for each connection that is
    /// made: whoever renews the certificate writes the files, and nothing has to be started again. A connection that is
    /// open goes on with the certificate it was made with, until one end closes it.
    pub fn client_certificate_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let (certificate, key) = (Source::File(certificate.into()), Source::File(key.into()));
        self.client = Some(ClientCertificate { certificate, key });
        self
    }

    /// The name that calls carry, where it is not that of the address.
    pub(super) fn authority(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    pub(super) fn encryption(self, host: &str, protocol: Protocol) -> Result<Encryption, BoxError> {
        let name = ServerName::try_from(self.server_name.clone().unwrap_or_else(|| host.to_owned()))?;
        let in_files = matches!(self.ca_certificate, Some(Source::File(_)))
            || matches!(self.client, Some(ClientCertificate { certificate: Source::File(_), .. }));
        // Made at once in any case, so that mistakes come out when the client is made.
        let config = Arc::new(self.config(protocol)?);
        let fixed = (!in_files).then_some(config);
        Ok(Encryption { tls: self, name, protocol, fixed })
    }

    fn config(&self, protocol: Protocol) -> Result<ClientConfig, BoxError> {
        let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
        let roots = Arc::new(self.roots()?);
        let config =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let config = match &self.verified_name {
            None => config.with_root_certificates(roots),
            Some(name) => {
                let inner = WebPkiServerVerifier::builder_with_provider(roots, provider).build()?;
                let name = ServerName::try_from(name.clone())?;
                config.dangerous().with_custom_certificate_verifier(Arc::new(OtherName { inner, name }))
            }
        };
        let mut config = match &self.client {
            None => config.with_no_client_auth(),
            Some(ClientCertificate { certificate, key }) => {
                let chain = certificates(&certificate.read()?)?;
                let key =
                    PrivateKeyDer::from_pem_slice(&key.read()?).map_err(|_| "the private key is not one in PEM")?;
                config.with_client_auth_cert(chain, key)?
            }
        };
        config.alpn_protocols.push(protocol.name().to_vec());
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, BoxError> {
        let mut roots = RootCertStore::empty();
        let certificates = match &self.ca_certificate {
            Some(source) => certificates(&source.read()?)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let (added, _ignored) = roots.add_parsable_certificates(certificates);
        match added {
            0 => Err("there are no root certificates to trust".into()),
            _ => Ok(roots),
        }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BoxError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) | Err(_) => Err("a certificate is not one in PEM".into()),
    }
}

impl Protocol {
    /// Its name in a handshake of TLS.
    fn name(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            #[cfg(feature = "http1")]
            Self::Http1 => b"http/1.1",
        }
    }
}

/// Encryption as it is done.
pub(super) struct Encryption {
    tls: Tls,
    name: ServerName<'static>,
    protocol: Protocol,
    /// `None` where files have to be read for each connection.
    fixed: Option<Arc<ClientConfig>>,
}

impl Encryption {
    pub(super) async fn handshake(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, BoxError> {
        let config = match &self.fixed {
            Some(config) => Arc::clone(config),
            None => Arc::new(self.tls.config(self.protocol)?),
        };
        let stream = TlsConnector::from(config).connect(self.name.clone(), stream).await?;
        match stream.get_ref().1.alpn_protocol() {
            Some(spoken) if spoken == self.protocol.name() => Ok(stream),
            // Servers that know nothing else often do not say so.
            #[cfg(feature = "http1")]
            None if self.protocol == Protocol::Http1 => Ok(stream),
            Some(_) | None if self.protocol == Protocol::Http2 => {
                Err("the server does not speak HTTP/2, so it is no Temporal server".into())
            }
            Some(_) | None => Err("the server does not speak HTTP/1.1".into()),
        }
    }
}

/// Verifies a certificate as usual, but for another name than the one that was asked for.
#[derive(Debug)]
struct OtherName {
    inner: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for OtherName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _asked_for: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

// Written by hand: the key is a secret.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("own_ca_certificate", &self.ca_certificate.is_some())
            .field("server_name", &self.server_name)
            .field("verified_name", &self.verified_name)
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
