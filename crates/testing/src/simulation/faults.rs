//! [`Faults`]: what goes wrong, and [`Chaos`], which crashes processes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::network::Network;
use super::rng::Rng;
use super::server::ServerNode;
use super::workers::WorkerNode;

/// What goes wrong in a simulation, how often, and for how long.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Faults {
    /// The share of calls of which the request or the answer is lost, 0 to 1. Their callers notice within a second, as
    /// when a connection breaks. Default: 0.05.
    pub loss: f64,
    /// How late a message may be, and so by how many it is overtaken: most by a hundredth of it at most, one in twenty by
    /// up to all of it. Default: 2 s.
    pub delay: Duration,
    /// How long nobody crashes, at most, before the server or a worker does; `None`: nobody crashes. Default: 5 s.
    pub crash_within: Option<Duration>,
    /// How long a crashed process is gone, at most. Default: 2 s.
    pub down: Duration,
    /// When the faults stop. Default: after a minute.
    pub duration: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            loss: 0.05,
            delay: Duration::from_secs(2),
            crash_within: Some(Duration::from_secs(5)),
            down: Duration::from_secs(2),
            duration: Duration::from_secs(60),
        }
    }
}

impl Faults {
    /// None at all.
    #[must_use]
    pub fn none() -> Self {
        Self { loss: 0.0, delay: Duration::ZERO, crash_within: None, down: Duration::ZERO, duration: Duration::ZERO }
    }

    /// Sets the share of calls of which a message is lost, 0 to 1.
    #[must_use]
    pub fn loss(mut self, share: f64) -> Self {
        self.loss = share;
        self
    }

    /// Sets how late a message may be.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets how long nobody crashes, at most; `None`: nobody crashes.
    #[must_use]
    pub fn crash_within(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.crash_within = time.into();
        self
    }

    /// Sets how long a crashed process is gone, at most.
    #[must_use]
    pub fn down(mut self, time: Duration) -> Self {
        self.down = time;
        self
    }

    /// Sets when the faults stop.
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) there: Duration,
    pub(super) back: Duration,
    pub(super) loss: Option<Loss>,
}

/// Which message is lost, and when its caller notices.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loss {
    Request { noticed: Duration },
    Answer { noticed: Duration },
}

impl Fate {
    pub(super) fn draw(rng: &mut Rng, faults: Option<&Faults>) -> Self {
        let Some(faults) = faults else {
            return Self { there: LEAST, back: LEAST, loss: None };
        };
        let mut delay = || {
            let most = if rng.chance(0.05) { faults.delay } else { faults.delay / 100 };
            LEAST + rng.up_to(most)
        };
        let (there, back) = (delay(), delay());
        let loss = rng.chance(faults.loss).then(|| {
            let noticed = rng.up_to(NOTICED_WITHIN);
            if rng.chance(0.5) { Loss::Request { noticed } } else { Loss::Answer { noticed } }
        });
        Self { there, back, loss }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { there, back, loss } = self;
        write!(f, "({there:?} there, {back:?} back")?;
        match loss {
            Some(Loss::Request { .. }) => f.write_str(", request lost")?,
            Some(Loss::Answer { .. }) => f.write_str(", answer lost")?,
            None => {}
        }
        f.write_str(")")
    }
}

/// Crashes processes until the faults stop.
pub(super) struct Chaos {
    pub(super) rng: Rng,
    pub(super) faults: Faults,
    pub(super) ends: Instant,
    pub(super) server: Arc<ServerNode>,
    pub(super) network: Network,
    pub(super) workers: Vec<WorkerNode>,
}

/// A chaos that goes on.
pub(super) struct Reign {
    running: JoinHandle<()>,
    server: Arc<ServerNode>,
    network: Network,
    crashes: Arc<AtomicU64>,
}

impl Chaos {
    pub(super) fn start(self) -> Reign {
        let (server, network, crashes) = (Arc::clone(&self.server), self.network.clone(), Arc::default());
        let counted = Arc::clone(&crashes);
        Reign { running: tokio::task::spawn_local(self.run(counted)), server, network, crashes }
    }

    async fn run(mut self, crashes: Arc<AtomicU64>) {
        while let Some(within) = self.faults.crash_within {
            let pause = self.rng.up_to(within);
            let down = self.rng.up_to(self.faults.down);
            if Instant::now() + pause + down >= self.ends {
                break;
            }
            sleep(pause).await;
            crashes.fetch_add(1, Ordering::Relaxed);
            match self.rng.below(1 + self.workers.len()).checked_sub(1) {
                None => self.crash_server(down).await,
                Some(worker) => self.workers[worker].crash(down),
            }
        }
        sleep_until(self.ends).await;
        self.network.set_faults(None);
        self.network.note(format_args!("the faults stop"));
    }

    async fn crash_server(&self, down: Duration) {
        self.network.note(format_args!("the server crashes, for {down:?}"));
        self.server.crash();
        sleep(down).await;
        self.server.come_back();
        self.network.note(format_args!("the server is back"));
    }
}

impl Reign {
    /// Ends the faults, if they have not ended.
    pub(super) async fn stop(&self) {
        self.running.abort();
        self.network.set_faults(None);
        if !self.server.is_up() {
            self.server.come_back();
        }
    }

    pub(super) fn crashes(&self) -> u64 {
        self.crashes.load(Ordering::Relaxed)
    }
}

/// When the caller of a lost call notices.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);

/// What a message takes without faults.
const LEAST: Duration = Duration::from_millis(1);
