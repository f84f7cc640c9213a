//! A wire between clients and a server that can be cut in several ways. It knows bytes and TLS, and nothing of HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(super) const CA: &[u8] = include_bytes!("certificates/ca.pem");

/// Which certificate the server's end shows.
#[derive(Clone, Copy)]
pub(super) enum Identity {
    Valid,
    Expired,
}

pub(super) struct Wire {
    address: SocketAddr,
    control: Arc<Control>,
    relaying: JoinHandle<()>,
}

struct Control {
    leads_to: Mutex<String>,
    tls: Mutex<Option<TlsAcceptor>>,
    flows: watch::Sender<bool>,
    /// How often connections were cut, and how they were the last time.
    cut: watch::Sender<(u32, Cut)>,
}

#[derive(Clone, Copy)]
enum Cut {
    Reset,
    HalfOpen,
}

impl Wire {
    /// To the server under test.
    pub(super) async fn start() -> Self {
        Self::leading_to(stead_tests::server().to_owned()).await
    }

    pub(super) async fn to(server: SocketAddr) -> Self {
        Self::leading_to(server.to_string()).await
    }

    async fn leading_to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let control = Arc::new(Control {
            leads_to: Mutex::new(server),
            tls: Mutex::default(),
            flows: watch::channel(true).0,
            cut: watch::channel((0, Cut::Reset)).0,
        });
        let relaying = tokio::spawn(relay_all(listener, Arc::clone(&control)));
        Self { address, control, relaying }
    }

    pub(super) fn encrypted(self, identity: Identity) -> Self {
        self.set_identity(identity);
        self
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Connections from now on lead to another server.
    pub(super) fn leads_to(&self, server: SocketAddr) {
        *self.control.leads_to.lock().unwrap() = server.to_string();
    }

    /// Connections from now on are encrypted, with this certificate.
    pub(super) fn set_identity(&self, identity: Identity) {
        *self.control.tls.lock().unwrap() = Some(acceptor(identity));
    }

    /// Both ends see the connection broken.
    pub(super) fn reset(&self) {
        self.cut(Cut::Reset);
    }

    /// The server sees the connection closed; the client is told nothing, and what it sends goes nowhere.
    pub(super) fn leave_half_open(&self) {
        self.cut(Cut::HalfOpen);
    }

    fn cut(&self, how: Cut) {
        self.control.cut.send_modify(|(times, cut)| (*times, *cut) = (*times + 1, how));
    }

    /// Nothing goes through any more, in either direction and on any connection, but nothing is lost.
    pub(super) fn stall(&self) {
        self.control.flows.send_replace(false);
    }

    /// Everything goes on.
    pub(super) fn flow(&self) {
        self.control.flows.send_replace(true);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.relaying.abort();
    }
}

fn acceptor(identity: Identity) -> TlsAcceptor {
    let certificate: &[u8] = match identity {
        Identity::Valid => include_bytes!("certificates/server.pem"),
        Identity::Expired => include_bytes!("certificates/expired.pem"),
    };
    let certificate = CertificateDer::from_pem_slice(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("certificates/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn relay_all(listener: TcpListener, control: Arc<Control>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let control = Arc::clone(&control);
        tokio::spawn(async move {
            let tls = control.tls.lock().unwrap().clone();
            client.set_zero_linger().unwrap();
            let Some(tls) = tls else { return relay(client, &control).await };
            // Who does not trust the certificate goes away.
            if let Ok(client) = tls.accept(client).await {
                relay(client, &control).await;
            }
        });
    }
}

async fn relay(client: impl AsyncRead + AsyncWrite, control: &Control) {
    let mut cut = control.cut.subscribe();
    cut.mark_unchanged();
    let leads_to = control.leads_to.lock().unwrap().clone();
    let Ok(server) = TcpStream::connect(leads_to).await else { return };
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    let (mut flows, mut flows_back) = (control.flows.subscribe(), control.flows.subscribe());
    tokio::select! {
        () = pump(&mut from_client, &mut to_server, &mut flows) => return,
        () = pump(&mut from_server, &mut to_client, &mut flows_back) => return,
        changed = cut.changed() => changed.unwrap(),
    }
    let how = cut.borrow().1;
    if let Cut::HalfOpen = how {
        drop((from_server, to_server));
        // Until the client gives it up.
        let _ended = tokio::io::copy(&mut from_client, &mut tokio::io::sink()).await;
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, flows: &mut watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return };
        if length == 0 || flows.wait_for(|flows| *flows).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}
