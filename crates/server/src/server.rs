//! [`Server`]: a running server, and [`Builder`], what it is told before it runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::str::FromStr;
use std::time::Instant;
use std::{fmt, io, thread};

use stead_proto::enums::v1::IndexedValueType;
use tokio::sync::oneshot;

use crate::clock::{Clock, ClockControl, Timeline};
use crate::engine::{Config, Corrupt, Engine, Limits, Restoring};
use crate::rim::{Driver, Listener, Running, Service, Standstill, Stepped, Wire};
use crate::store::{Store, StoreError};

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
    skips: bool,
    listener: Option<Listener>,
}

impl Server {
    /// A server that forgets everything when it stops.
    pub fn in_memory() -> Builder {
        Builder::new(None)
    }

    /// A server that keeps everything in a file of SQLite, and goes on from there when it is started again. What was
    /// answered survives the end of the machine.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("orders.db");
    /// let server = stead_server::Server::sqlite(path).start().await?;
    /// # server.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sqlite")]
    pub fn sqlite(path: impl Into<std::path::PathBuf>) -> Builder {
        let path = path.into();
        Builder::new(Some(Box::new(|| Ok(Box::new(crate::store::SqliteStore::open(path)?)))))
    }

    /// A server that keeps everything in a store of your own, and goes on from there when it is started again.
    pub fn with_store(store: impl Store) -> Builder {
        Builder::new(Some(Box::new(|| Ok(Box::new(store)))))
    }

    /// The server for clients in this process, without socket and HTTP/2.
    #[must_use]
    pub fn service(&self) -> Service {
        Service::new(self.driver.inbox().clone(), self.skips)
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> ClockControl {
        ClockControl::new(self.driver.inbox().clone())
    }

    /// How many calls have come and are not answered yet.
    #[must_use]
    pub fn calls_under_way(&self) -> usize {
        self.driver.inbox().calls_under_way()
    }

    /// Whether everything stands still although somebody waits for an outcome. Known on a clock that skips and otherwise
    /// [stands](Clock::standing) alone; `None` on any other.
    pub async fn standstill(&self) -> Option<Standstill> {
        self.driver.inbox().standstill().await
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
        let Self { mut driver, listener, .. } = self;
        driver.stop();
        if let Some(mut listener) = listener {
            listener.ended().await;
        }
    }
}

/// A server to be: [`start`](Self::start) starts it.
#[must_use = "nothing runs until it is started"]
pub struct Builder {
    config: Config,
    clock: Clock,
    listen: Option<Listen>,
    #[cfg(feature = "tls")]
    tls: Option<crate::Tls>,
    seed: Option<u64>,
    store: Option<OpenStore>,
    /// The first search attribute that cannot be defined, and why.
    refused: Option<(String, String)>,
}

type OpenStore = Box<dyn FnOnce() -> Result<Box<dyn Store>, StoreError> + Send>;

impl Builder {
    fn new(store: Option<OpenStore>) -> Self {
        Self {
            config: Config::default(),
            clock: Clock::default(),
            listen: None,
            #[cfg(feature = "tls")]
            tls: None,
            seed: None,
            store,
            refused: None,
        }
    }

    /// Listens for clients of other processes: on a port of the loopback interface (0 for a free one), or at a
    /// [`SocketAddr`]. Nobody is asked who they are (unless it is told to, by `tls`), so name another interface only
    /// where everybody may come in. Default: not at all.
    pub fn listen(mut self, at: impl Into<Listen>) -> Self {
        self.listen = Some(at.into());
        self
    }

    /// Encrypts the connections of those who come by [`listen`](Self::listen). Default: they are plain.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds a namespace. Default: `default` alone, which is always there.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.config.namespaces.push(name.into());
        self
    }

    /// Adds a search attribute to all of these namespaces. A name that cannot be one is refused at the start.
    pub fn search_attribute(mut self, name: impl Into<String>, kind: SearchAttributeType) -> Self {
        let name = name.into();
        if let Err(refusal) = self.config.define_search_attribute(name.clone(), kind.into()) {
            self.refused = self.refused.or(Some((name, refusal.message)));
        }
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
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Starts the server. With [`listen`](Self::listen) it needs a tokio runtime, on which it serves its connections.
    ///
    /// # Errors
    ///
    /// The address is taken, the certificates or the store cannot be used, or the machine has no more threads.
    pub async fn start(self) -> Result<Server, StartError> {
        let wire = self.wire()?;
        let Self { mut config, clock, listen, seed, store, refused, .. } = self;
        if let Some((name, reason)) = refused {
            return Err(StartError::SearchAttribute { name, reason });
        }
        config.seed = seed.unwrap_or_else(random);
        let skips = clock.skips();
        let driver = match store {
            None => run(config, &clock, None)?,
            store => on_a_thread(move || run(config, &clock, store)).await??,
        };
        let mut server = Server { driver, skips, listener: None };
        if let Some(Listen(address)) = listen {
            let bound = Listener::bind(address, wire, server.service()).await;
            server.listener = Some(bound.map_err(|source| StartError::Listen { address, source })?);
        }
        Ok(server)
    }

    /// The server without a thread of its own: whoever has it tells it when to do something. `instant` reads the clock
    /// by which its callers wait, and by which a real [`clock`](Self::clock) passes. It does not
    /// [`listen`](Self::listen).
    ///
    /// # Errors
    ///
    /// A search attribute or the store cannot be used.
    pub fn stepped(self, instant: fn() -> Instant) -> Result<Stepped, StartError> {
        let Self { mut config, clock, seed, store, refused, .. } = self;
        if let Some((name, reason)) = refused {
            return Err(StartError::SearchAttribute { name, reason });
        }
        config.seed = seed.unwrap_or_else(random);
        let (engine, timeline, store) = make(config, &clock, store, instant())?;
        Ok(Stepped::new(engine, timeline, store, clock.skips(), instant))
    }

    #[cfg(feature = "tls")]
    fn wire(&self) -> Result<Wire, StartError> {
        self.tls.as_ref().map_or(Ok(Wire::Plain), Wire::encrypted).map_err(StartError::Tls)
    }

    #[cfg(not(feature = "tls"))]
    fn wire(&self) -> Result<Wire, StartError> {
        Ok(Wire::Plain)
    }
}

fn run(config: Config, clock: &Clock, open: Option<OpenStore>) -> Result<Running, StartError> {
    let (engine, timeline, store) = make(config, clock, open, Instant::now())?;
    Driver::start(engine, timeline, store).map_err(StartError::Thread)
}

type Made = (Engine, Timeline, Option<Box<dyn Store>>);

/// The parts of a server, which goes on from where its store is, if it has one.
fn make(mut config: Config, clock: &Clock, open: Option<OpenStore>, now: Instant) -> Result<Made, StartError> {
    let mut timeline = Timeline::new(clock, now);
    let Some(open) = open else {
        return Ok((Engine::new(config, timeline.now(now)), timeline, None));
    };
    config.durable = true;
    let mut store = open().map_err(StartError::Store)?;
    let mut restoring = Restoring::new(config, timeline.now(now));
    let mut corrupt = None;
    let loaded = store.load(&mut |row| match restoring.take(row) {
        Ok(()) => ControlFlow::Continue(()),
        Err(found) => {
            corrupt = Some(found);
            ControlFlow::Break(())
        }
    });
    loaded.map_err(StartError::Store)?;
    if let Some(corrupt) = corrupt {
        return Err(StartError::Rows(corrupt));
    }
    let engine = restoring.finish();
    timeline.jump_to(engine.now(), now);
    Ok((engine, timeline, Some(store)))
}

/// Does what may take long without keeping others from the caller's thread.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StartError> {
    let (done, result) = oneshot::channel();
    let work = move || drop(done.send(work()));
    thread::Builder::new().name("stead-store".to_owned()).spawn(work).map_err(StartError::Thread)?;
    result.await.map_err(|_| StartError::Thread(io::Error::other("the thread that opens the store has panicked")))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("clock", &self.clock)
            .field("listen", &self.listen)
            .field("has_store", &self.store.is_some())
            .finish_non_exhaustive()
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

/// What a search attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "as Temporal names them")]
pub enum SearchAttributeType {
    Bool,
    Datetime,
    Double,
    Int,
    Keyword,
    KeywordList,
    Text,
}

impl From<SearchAttributeType> for IndexedValueType {
    fn from(kind: SearchAttributeType) -> Self {
        match kind {
            SearchAttributeType::Bool => Self::Bool,
            SearchAttributeType::Datetime => Self::Datetime,
            SearchAttributeType::Double => Self::Double,
            SearchAttributeType::Int => Self::Int,
            SearchAttributeType::Keyword => Self::Keyword,
            SearchAttributeType::KeywordList => Self::KeywordList,
            SearchAttributeType::Text => Self::Text,
        }
    }
}

impl FromStr for SearchAttributeType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let types = [
            ("Bool", Self::Bool),
            ("Datetime", Self::Datetime),
            ("Double", Self::Double),
            ("Int", Self::Int),
            ("Keyword", Self::Keyword),
            ("KeywordList", Self::KeywordList),
            ("Text", Self::Text),
        ];
        let found = types.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, kind)| *kind).ok_or_else(|| {
            let names: Vec<_> = types.iter().map(|(name, _)| *name).collect();
            format!("`{text}` is no type of a search attribute; there are {}", names.join(", "))
        })
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
    /// A search attribute cannot be defined.
    SearchAttribute {
        /// Its name.
        name: String,
        /// Why it cannot.
        reason: String,
    },
    /// Its certificates or its key cannot be used.
    #[cfg(feature = "tls")]
    Tls(crate::TlsError),
    /// Its store cannot be used.
    Store(StoreError),
    /// Its store holds what cannot be read.
    Rows(Corrupt),
    /// The operating system gives it no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, .. } => {
                write!(f, "cannot listen at {address}; free the port or choose another, 0 for any that is free")
            }
            Self::SearchAttribute { name, reason } => write!(f, "search attribute `{name}`: {reason}"),
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Rows(error) => error.fmt(f),
            Self::Thread(_) => f.write_str("cannot start the server's thread"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Thread(source) => Some(source),
            Self::Store(error) => error.source(),
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
            Self::Rows(_) | Self::SearchAttribute { .. } => None,
        }
    }
}

/// Each `RandomState` has other keys.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}
