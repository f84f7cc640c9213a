//! Shards: the threads that own runs.
//!
//! A run belongs to the shard that its id hashes to, so it has one owner and no lock, and its code may hold what is not
//! `Send`. A shard never waits for the network: effects are spawned on the asynchronous runtime and come back through
//! the shard's desk, which outlives its thread. The threads know no runtime, so `tokio::spawn` in workflow code fails
//! loudly; and one that does not come back from workflow code is replaced.

mod desk;
mod outside;
mod runs;
mod watchdog;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::{Arc, mpsc as threads};
use std::time::Duration;

use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::driver::Incoming;
use crate::shared::Shared;
use crate::slots::Permit;
use desk::Desk;
use watchdog::{Starter, Watchdog};

/// The shards of a worker. Dropping them ends their threads as soon as those look up.
pub(crate) struct Shards {
    desks: Vec<Arc<Desk>>,
    /// The watchdog watches until this is dropped.
    watchdog: Option<threads::Sender<()>>,
}

/// Becomes ready when all shards' threads have ended, since their desks hold senders until then.
pub(crate) struct Ended(mpsc::Receiver<()>);

/// Something that happened to a run, on its way to the run's shard.
#[derive(Debug)]
pub(crate) struct Event {
    run_id: String,
    incoming: Incoming,
    /// The slot of the task, if one came with it.
    permit: Option<Permit>,
}

impl Shards {
    /// Starts the threads; none if there are no workflows to run.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub(crate) fn start(shared: &Arc<Shared>, runtime: &Handle) -> io::Result<(Self, Ended)> {
        let (alive, ended) = mpsc::channel(1);
        let count = if shared.guests.is_empty() { 0 } else { shared.options.shards };
        let desks: Vec<_> = (0..count).map(|_| Arc::new(Desk::new(alive.clone()))).collect();
        // Made first, so that a thread that cannot be started ends those that could.
        let mut shards = Self { desks: desks.clone(), watchdog: None };
        let starter = Starter { shared: Arc::clone(shared), runtime: runtime.clone() };
        for (number, desk) in desks.iter().enumerate() {
            starter.start(number, desk)?;
        }
        if let Some(timeout) = shared.options.deadlock_timeout.filter(|_| count > 0) {
            let (watched, over) = threads::channel();
            Watchdog { desks, starter, timeout }.start(over)?;
            shards.watchdog = Some(watched);
        }
        Ok((shards, Ended(ended)))
    }

    /// Hands a task to the shard of its run.
    pub(crate) fn send_task(&self, task: Box<PollWorkflowTaskQueueResponse>, permit: Permit) {
        let run_id = task.workflow_execution.as_ref().map(|it| it.run_id.clone()).unwrap_or_default();
        if let Some(desk) = self.desks.get(shard_of(&run_id, self.desks.len())) {
            desk.push(Event { run_id, incoming: Incoming::Task(task), permit: Some(permit) });
        }
    }

    /// Ends the threads once they are done with the event at hand.
    pub(crate) fn close(&self) {
        self.desks.iter().for_each(|desk| desk.close());
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.close();
        drop(self.watchdog.take());
    }
}

impl Ended {
    /// Waits for the threads, at most this long. Returns whether they have ended.
    pub(crate) async fn within(&mut self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.0.recv()).await.is_ok()
    }
}

/// Which of `shards` a run belongs to.
fn shard_of(run_id: &str, shards: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    run_id.hash(&mut hasher);
    // The remainder is below a `usize`.
    (hasher.finish() % shards.max(1) as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_spread_over_the_shards_and_stay_where_they_are() {
        let mut counts = [0; 4];
        for number in 0..1000 {
            let run_id = format!("run-{number}");
            assert_eq!(shard_of(&run_id, 4), shard_of(&run_id, 4));
            counts[shard_of(&run_id, 4)] += 1;
        }
        assert!(counts.iter().all(|count| (150..350).contains(count)), "{counts:?}");
    }
}
