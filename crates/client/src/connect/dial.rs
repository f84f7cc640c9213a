//! Making a connection: to the server itself or through a proxy, encrypted or not.
//!
//! Names are resolved anew for each connection, and so are certificates in files.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::timeout,
};

use super::proxy::HttpProxy;
#[cfg(feature = "tls")]
use super::tls::Encryption;
use crate::connection::BoxError;

/// What is spoken on a connection, which an encrypted one says at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http2,
    #[cfg(feature = "http1")]
    Http1,
}

/// How to get to the server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Dialer {
    way: Arc<Way>,
    /// The one address that it keeps to, of those that the host's name stands for.
    address: Option<SocketAddr>,
}

pub(super) struct Way {
    /// Without brackets, if it is an address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) proxy: Option<HttpProxy>,
    #[cfg(feature = "tls")]
    pub(super) encryption: Option<Encryption>,
}

impl Dialer {
    pub(super) fn new(way: Way) -> Self {
        Self { way: Arc::new(way), address: None }
    }

    /// The same to this address alone.
    pub(super) fn to(&self, address: SocketAddr) -> Self {
        Self { way: Arc::clone(&self.way), address: Some(address) }
    }

    pub(super) async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((self.way.host.as_str(), self.way.port)).await?.collect())
    }

    pub(super) async fn dial(self) -> Result<Connected, BoxError> {
        let Way { host, port, proxy, .. } = &*self.way;
        let stream = match (proxy, self.address) {
            (Some(proxy), _) => proxy.dial(host, *port).await?,
            (None, Some(address)) => first_of(vec![address]).await?,
            (None, None) => first_of(self.resolve().await?).await?,
        };
        self.encrypt(stream).await
    }

    #[cfg(feature = "tls")]
    async fn encrypt(&self, stream: TcpStream) -> Result<Connected, BoxError> {
        match &self.way.encryption {
            Some(encryption) => Ok(TokioIo::new(Box::new(encryption.handshake(stream).await?))),
            None => Ok(TokioIo::new(Box::new(stream))),
        }
    }

    #[cfg(not(feature = "tls"))]
    async fn encrypt(&self, stream: TcpStream) -> Result<Connected, BoxError> {
        Ok(TokioIo::new(Box::new(stream)))
    }
}

/// A connection, encrypted or not.
pub(super) type Connected = TokioIo<Box<dyn Stream>>;

/// What bytes go through in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The first connection that comes about. The addresses are tried one after the other, without waiting for ever for one
/// that does not answer: a host may have some that cannot be reached from here.
pub(super) async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let (mut addresses, mut attempts, mut error) = (addresses.into_iter(), JoinSet::new(), None);
    loop {
        match addresses.next() {
            Some(address) => drop(attempts.spawn(TcpStream::connect(address))),
            None if attempts.is_empty() => return Err(error.unwrap_or_else(nowhere)),
            None => {}
        }
        match timeout(HEAD_START, attempts.join_next()).await {
            Ok(Some(Ok(Ok(stream)))) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Some(Ok(Err(failed)))) => drop(error.get_or_insert(failed)),
            Ok(Some(Err(_)) | None) | Err(_) => {}
        }
    }
}

/// There is no address to connect to.
pub(super) fn nowhere() -> io::Error {
    io::Error::new(io::ErrorKind::AddrNotAvailable, "the name stands for no address")
}

/// Time that an address has for itself.
const HEAD_START: Duration = Duration::from_millis(250);
