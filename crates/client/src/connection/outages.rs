//! What is said of calls that go on failing: once that it began, once that it lasts, and once that it is over, however
//! many calls meet it meanwhile.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::time::Instant;
use tonic::Code;
use tracing::Level;

use super::error::RpcError;

/// The outages of one connection.
///
/// ```text
///            a call warns             a call is alarmed
///   (none) ──────────────▶ warned of ──────────────────▶ reported as an error
///     ▲                        │                                  │
///     └────────────────────────┴──── answered: said once ─────────┘
/// ```
#[derive(Default)]
pub(super) struct Outages {
    known: Mutex<BTreeMap<Subject, Outage>>,
    /// How many are known, so that a call that succeeds need not take the lock.
    count: AtomicUsize,
}

/// What does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// The server cannot be reached, or says itself that it is unavailable.
    Server,
    /// One method is refused while others may work.
    Method(&'static str),
}

struct Outage {
    since: Instant,
    said: Level,
}

impl Outages {
    /// A call failed, and will be tried again; `severity` is what this one call has to say of it.
    pub(super) fn failed(&self, error: &RpcError, failed: u32, severity: Level) {
        let rpc = error.rpc();
        let causes = WithCauses(error);
        match self.first(error, severity) {
            Level::ERROR => {
                tracing::error!(target: "stead::client", rpc, failed, error = %causes, "call goes on failing, trying again")
            }
            Level::WARN => tracing::warn!(
                target: "stead::client",
                rpc, failed, error = %causes, "call failed repeatedly, trying again"
            ),
            _ => tracing::debug!(target: "stead::client", rpc, failed, error = %causes, "call failed, trying again"),
        }
    }

    /// How loudly to say it: as loudly as nobody has before.
    fn first(&self, error: &RpcError, severity: Level) -> Level {
        if severity > Level::WARN {
            return severity;
        }
        let mut known = self.lock();
        let outage = known.entry(Subject::of(error)).or_insert(Outage { since: Instant::now(), said: Level::DEBUG });
        let is_news = severity < outage.said;
        if is_news {
            outage.said = severity;
        }
        self.count.store(known.len(), Ordering::Release);
        if is_news { severity } else { Level::DEBUG }
    }

    /// The server answered a call of this method, if only to refuse it.
    pub(super) fn answered(&self, rpc: &'static str, error: Option<&RpcError>) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if error.is_none_or(|error| Subject::of(error) != Subject::Server) {
            self.over(Subject::Server, rpc);
        }
        if error.is_none() {
            self.over(Subject::Method(rpc), rpc);
        }
    }

    fn over(&self, subject: Subject, rpc: &'static str) {
        let mut known = self.lock();
        let Some(outage) = known.remove(&subject) else { return };
        self.count.store(known.len(), Ordering::Release);
        drop(known);
        let after = outage.since.elapsed();
        match subject {
            Subject::Server => tracing::info!(target: "stead::client", ?after, "the server answers again"),
            Subject::Method(_) => tracing::info!(target: "stead::client", rpc, ?after, "call succeeds again"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Subject, Outage>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject {
    fn of(error: &RpcError) -> Self {
        match error.is_unreachable() || error.code() == Code::Unavailable {
            true => Self::Server,
            false => Self::Method(error.rpc()),
        }
    }
}

/// An error with what it comes of, in one line: that a certificate has expired stands three causes deep.
#[doc(hidden)]
pub struct WithCauses<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors repeat their causes.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}
