//! Several connections to one name: calls take turns among the addresses that it stands for.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Request;
use stead_data::BoxFuture;
use tonic::body::Body;
use tower::Service;

use super::{
    channel::{Channel, Http2},
    dial::{Dialer, nowhere},
};
use crate::connection::BoxError;

/// Balancing of calls among the addresses that a name stands for, one connection each.
///
/// For servers behind a name that DNS gives several addresses. A call that meets an address which is down is tried again
/// at the next, as its retry options say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsLoadBalancing {
    /// Time from one look at the name to the next. Default: 30 s.
    pub interval: Duration,
}

impl DnsLoadBalancing {
    /// Sets the time from one look at the name to the next.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }
}

impl Default for DnsLoadBalancing {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30) }
    }
}

/// Looks the name up.
type Resolve = Box<dyn Fn() -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The connections. Cheap to clone; clones share them.
#[derive(Clone)]
pub(super) struct Balanced(Arc<Shared>);

struct Shared {
    resolve: Resolve,
    dialer: Dialer,
    http2: Http2,
    channels: RwLock<Vec<(SocketAddr, Channel)>>,
    next: AtomicUsize,
}

impl Balanced {
    /// Connections that are made when they are needed, to addresses that are looked up again and again.
    pub(super) fn new(dialer: Dialer, http2: Http2, options: DnsLoadBalancing) -> Self {
        let name = dialer.clone();
        let resolve: Resolve = Box::new(move || {
            let name = name.clone();
            Box::pin(async move { name.resolve().await })
        });
        Self::among(resolve, dialer, http2, options)
    }

    fn among(resolve: Resolve, dialer: Dialer, http2: Http2, options: DnsLoadBalancing) -> Self {
        let shared = Shared { resolve, dialer, http2, channels: RwLock::default(), next: AtomicUsize::new(0) };
        let balanced = Self(Arc::new(shared));
        tokio::spawn(keep_fresh(Arc::downgrade(&balanced.0), options.interval.max(MIN_INTERVAL)));
        balanced
    }

    /// Looks the name up.
    pub(super) async fn resolve(&self) -> io::Result<()> {
        self.0.resolve().await
    }
}

impl Shared {
    async fn resolve(&self) -> io::Result<()> {
        let mut addresses = (self.resolve)().await?;
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return Err(nowhere());
        }
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|(address, _)| addresses.contains(address));
        for address in addresses {
            if !channels.iter().any(|(known, _)| *known == address) {
                channels.push((address, Channel::new(self.dialer.to(address), self.http2.clone())));
            }
        }
        Ok(())
    }

    async fn pick(&self) -> Result<Channel, BoxError> {
        if let Some(channel) = self.turn() {
            return Ok(channel);
        }
        self.resolve().await?;
        self.turn().ok_or_else(|| nowhere().into())
    }

    fn turn(&self) -> Option<Channel> {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        channels.get(turn.checked_rem(channels.len())?).map(|(_, channel)| channel.clone())
    }
}

/// Looks the name up until nobody uses the connections any more. A look-up that fails leaves them as they are.
async fn keep_fresh(shared: Weak<Shared>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = shared.resolve().await {
            tracing::debug!(target: "stead::client", %error, "the server's name cannot be looked up");
        }
    }
}

/// DNS servers are not to be flooded.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

impl Service<Request<Body>> for Balanced {
    type Response = <Channel as Service<Request<Body>>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.pick().await?.call(request).await })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::uri::{Authority, Scheme};
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;
    use crate::connect::dial::Way;

    fn dialer() -> Dialer {
        Dialer::new(Way {
            host: "temporal.test".to_owned(),
            port: 7233,
            proxy: None,
            #[cfg(feature = "tls")]
            encryption: None,
        })
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        (listener, address)
    }

    /// Calls, and waits until a server has got the call.
    async fn reaches(balanced: &Balanced, listener: &TcpListener) {
        let call = balanced.clone().call(Request::new(Body::empty()));
        let seen = async {
            let (mut stream, _) = listener.accept().await.expect("somebody connects");
            stream.read_u8().await.expect("HTTP/2 begins with a letter");
        };
        tokio::select! {
            () = seen => {}
            result = call => panic!("nobody answers, and yet: {:?}", result.map(drop)),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("the call did not come"),
        }
    }

    #[tokio::test]
    async fn calls_take_turns_among_the_addresses_that_the_name_stands_for_now() {
        let [(first, a), (second, b), (third, c)] = [listener().await, listener().await, listener().await];
        let addresses = Arc::new(Mutex::new(vec![a, b]));
        let known = Arc::clone(&addresses);
        let resolve: Resolve = Box::new(move || {
            let addresses = known.lock().expect("nobody panics").clone();
            Box::pin(async move { Ok(addresses) })
        });
        let http2 = Http2 {
            scheme: Scheme::HTTP,
            authority: Authority::from_static("temporal.test:7233"),
            connect_timeout: Duration::from_secs(10),
            keep_alive: None,
        };
        let balanced = Balanced::among(resolve, dialer(), http2, DnsLoadBalancing::default());
        balanced.resolve().await.expect("there are addresses");
        let in_order = if a < b { [&first, &second] } else { [&second, &first] };
        for listener in in_order {
            reaches(&balanced, listener).await;
        }
        *addresses.lock().expect("nobody panics") = vec![c];
        balanced.resolve().await.expect("there is an address");
        reaches(&balanced, &third).await;
        *addresses.lock().expect("nobody panics") = Vec::new();
        balanced.resolve().await.expect_err("there is none");
        assert_eq!(balanced.0.channels.read().expect("nobody panics").len(), 1, "the last one stays");
    }
}
