//! Connections through a proxy that speaks HTTP's `CONNECT`.

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
};

use super::dial::first_of;
use crate::secret::Secret;

/// A proxy that speaks HTTP's `CONNECT`, for connections out of closed networks. TLS goes through it untouched.
///
/// ```
/// use stead_client::HttpProxy;
///
/// let proxy = HttpProxy::new("proxy.internal:3128").basic_auth("ada", "sesame");
/// assert!(!format!("{proxy:?}").contains("sesame"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProxy {
    address: String,
    credentials: Option<(String, Secret)>,
}

impl HttpProxy {
    /// The proxy at `host:port`.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), credentials: None }
    }

    /// Authenticates with a name and a password, which travel to the proxy in plain text.
    #[must_use]
    pub fn basic_auth(mut self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    pub(super) async fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let address = &self.address;
        let named = |error: io::Error| io::Error::new(error.kind(), format!("proxy `{address}`: {error}"));
        let addresses = lookup_host(address.as_str()).await.map_err(named)?.collect();
        let mut stream = first_of(addresses).await.map_err(named)?;
        self.tunnel(&mut stream, host, port).await.map_err(named)?;
        Ok(stream)
    }

    async fn tunnel(&self, stream: &mut TcpStream, host: &str, port: u16) -> io::Result<()> {
        stream.write_all(self.request(host, port).as_bytes()).await?;
        let answer = head(stream).await?;
        let status = answer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match status {
            [b'2', _, _] => Ok(()),
            b"407" => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it wants other credentials (407)")),
            status => {
                let status = String::from_utf8_lossy(&status[..status.len().min(3)]).into_owned();
                Err(io::Error::other(format!("it does not connect to `{host}:{port}` (status {status:?})")))
            }
        }
    }

    fn request(&self, host: &str, port: u16) -> String {
        // An IPv6 address goes in brackets.
        let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let credentials = self.credentials.as_ref().map_or(String::new(), |(user, password)| {
            let credentials = STANDARD.encode(format!("{user}:{}", password.expose()));
            format!("Proxy-Authorization: Basic {credentials}\r\n")
        });
        format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credentials}\r\n")
    }
}

/// An answer up to its empty line, byte by byte: what follows belongs to the server.
async fn head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer is no HTTP"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

const MAX_HEAD: usize = 8 * 1024;
