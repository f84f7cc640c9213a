//! [`Server`]: a running server, and [`Builder`], what it is told before it runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;
use std::{fmt, io};

use crate::clock::{Clock, Timeline};
use crate::engine::{Config, Engine};
use crate::rim::{Driver, Journal, Listener, Running, Service};

/// A Temporal server in this process. Dropping it stops it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stead_server::StartError> {
/// let server = stead_server::Server::in_memory().namespace("shop").listen(0).start().await?;
/// println!("temporal workflow list --address {}", server.address().unwrap());
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    driver: Running,
    listener: Option<Listener>,
}

impl Server {
    /// A server that forgets everything when it stops.
    pub fn in_memory() -> Builder {
        Builder { config: Config::default(), clock: Clock::default(), listen: None, seed: None }
    }

    /// The server for clients in this process, without socket and HTTP/2.
    #[must_use]
    pub fn service(&self) -> Service {
        Service::new(self.driver.inbox().clone())
    }

    /// Where it listens, if it was told to.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(Listener::address)
    }

    /// Stops it: polls come back empty, other calls that wait are refused as unavailable, and what was answered is kept
    /// when this returns.
    ///
    /// # Cancel safety
    ///
    /// It stops even if the future is dropped.
    pub async fn shutdown(self) {
        let Self { mut driver, listener } = self;
        driver.stop();
        if let Some(mut listener) = listener {
            listener.ended().await;
        }
    }
}

/// A server to be: [`start`](Self::start) starts it.
#[derive(Clone, Debug)]
#[must_use = "nothing runs until it is started"]
pub struct Builder {
    config: Config,
    clock: Clock,
    listen: Option<Listen>,
    seed: Option<u64>,
}

impl Builder {
    /// Listens for clients of other processes: on a port of the loopback interface (0 for a free one), or at a
    /// [`SocketAddr`]. Nobody is asked who they are, so name another interface only where everybody may come in.
    /// Default: not at all.
    pub fn listen(mut self, at: impl Into<Listen>) -> Self {
        self.listen = Some(at.into());
        self
    }

    /// Adds a namespace. Default: `default` alone, which is always there.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.config.namespaces.push(name.into());
        self
    }

    /// The seed of run ids and everything else that is random. Default: another one each time.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// What time it is for workflows. Default: the machine's, [`Clock::real`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Limits of sizes and counts. Default: those of Temporal's server.
    pub fn limits(mut self, limits: crate::engine::Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Starts the server. With [`listen`](Self::listen) it needs a tokio runtime, on which it serves its connections.
    ///
    /// # Errors
    ///
    /// The address is taken, or the machine has no more threads.
    pub async fn start(self) -> Result<Server, StartError> {
        let Self { mut config, clock, listen, seed } = self;
        config.seed = seed.unwrap_or_else(random);
        let now = Instant::now();
        let timeline = Timeline::new(&clock, now);
        let engine = Engine::new(config, timeline.now(now));
        let driver = Driver::start(engine, timeline, Journal::Nothing).map_err(StartError::Thread)?;
        let service = Service::new(driver.inbox().clone());
        let listener = match listen {
            Some(Listen(address)) => {
                let bound = Listener::bind(address, service).await;
                Some(bound.map_err(|source| StartError::Listen { address, source })?)
            }
            None => None,
        };
        Ok(Server { driver, listener })
    }
}

/// Where a server listens: a port of the loopback interface, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(SocketAddr);

impl From<u16> for Listen {
    fn from(port: u16) -> Self {
        Self((Ipv4Addr::LOCALHOST, port).into())
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self(address)
    }
}

impl From<(IpAddr, u16)> for Listen {
    fn from(address: (IpAddr, u16)) -> Self {
        Self(address.into())
    }
}

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot listen there; most often another program does.
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system gives it no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, .. } => {
                write!(f, "cannot listen at {address}; free the port or choose another, 0 for any that is free")
            }
            Self::Thread(_) => f.write_str("cannot start the server's thread"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Thread(source) => Some(source),
        }
    }
}

/// Each `RandomState` has other keys.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}
