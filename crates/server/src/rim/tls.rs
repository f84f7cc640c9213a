//! [`Tls`]: connections that are encrypted, by rustls with ring.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// What a listener that encrypts needs: a certificate, its private key, and whose clients it takes. All in PEM.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = stead_server::Tls::new(std::fs::read("server.pem")?, std::fs::read("server.key")?)
///     .client_ca(std::fs::read("ca.pem")?);
/// let server = stead_server::Server::in_memory().listen(7233).tls(tls);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Tls {
    /// The server's certificate, followed by those that lead to its authority, and the certificate's private key.
    /// Clients are not asked who they are.
    pub fn new(certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), client_ca: None }
    }

    /// Takes only clients that have a certificate of one of these authorities: mutual TLS.
    #[must_use]
    pub fn client_ca(mut self, certificates: impl Into<Vec<u8>>) -> Self {
        self.client_ca = Some(certificates.into());
        self
    }
}

// Written by hand: the key is a secret.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("asks_clients", &self.client_ca.is_some()).finish_non_exhaustive()
    }
}

/// Why connections cannot be encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// What is wrong.
    pub part: TlsPart,
    /// Why it is.
    pub reason: String,
}

/// What [`Tls`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsPart {
    /// The server's certificate.
    Certificate,
    /// The certificate's private key.
    Key,
    /// The certificates of the authorities whose clients are taken.
    ClientCa,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.reason)
    }
}

impl fmt::Display for TlsPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "the TLS certificate",
            Self::Key => "the TLS key",
            Self::ClientCa => "the certificates of the clients' authorities",
        })
    }
}

impl std::error::Error for TlsError {}

/// Encrypts connections.
#[derive(Clone)]
pub(crate) struct Encryption(TlsAcceptor);

impl Encryption {
    pub(super) fn new(tls: &Tls) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| unusable(TlsPart::Key, &error))?;
        let builder = match &tls.client_ca {
            None => builder.with_no_client_auth(),
            Some(pem) => builder.with_client_cert_verifier(verifier(pem, provider)?),
        };
        let certificates = certificates(TlsPart::Certificate, &tls.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&tls.key).map_err(|error| unreadable(TlsPart::Key, &error))?;
        let mut config = builder.with_single_cert(certificates, key).map_err(|error| unfit(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(Arc::new(config).into()))
    }

    /// `None` if the peer does not shake hands as it should, or not soon.
    pub(super) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        match tokio::time::timeout(HANDSHAKE, self.0.accept(stream).into_fallible()).await.ok()? {
            Ok(stream) => Some(stream),
            Err((_, stream)) => {
                take_leave(stream).await;
                None
            }
        }
    }
}

fn verifier(
    pem: &[u8],
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(TlsPart::ClientCa, pem)? {
        roots.add(certificate).map_err(|error| unusable(TlsPart::ClientCa, &error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map_err(|error| unusable(TlsPart::ClientCa, &error))
}

fn certificates(part: TlsPart, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| unreadable(part, &error))?;
    if found.is_empty() { Err(unreadable(part, &PemError::NoItemsFound)) } else { Ok(found) }
}

fn unreadable(part: TlsPart, error: &PemError) -> TlsError {
    let sought = if part == TlsPart::Key { "PRIVATE KEY" } else { "CERTIFICATE" };
    let reason = match error {
        PemError::NoItemsFound => format!("it has no PEM section `-----BEGIN {sought}-----`"),
        error => format!("it is no PEM: {error}"),
    };
    TlsError { part, reason }
}

/// Why a certificate and a key do not go together.
fn unfit(error: &rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError { part: TlsPart::Key, reason: "it is not the key of the certificate".to_owned() }
        }
        rustls::Error::InvalidCertificate(_) => unusable(TlsPart::Certificate, error),
        _ => unusable(TlsPart::Key, error),
    }
}

fn unusable(part: TlsPart, error: &dyn fmt::Display) -> TlsError {
    TlsError { part, reason: error.to_string() }
}

/// Leaves a peer that has been told what is wrong with it. What it has sent in the meantime is read first, or the operating
/// system would take back what was said to it.
async fn take_leave(mut stream: TcpStream) {
    let read = async {
        let _ = stream.shutdown().await;
        let mut unheard = [0; 1024];
        for _ in 0..UNHEARD {
            if !matches!(stream.read(&mut unheard).await, Ok(1..)) {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(PARTING, read).await;
}

/// How long a peer has to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Time for a peer to take note and close.
const PARTING: Duration = Duration::from_secs(1);

/// Reads, of a kilobyte at most each, of what a peer has sent.
const UNHEARD: usize = 64;
