//! Shards: the threads that own runs.
//!
//! A run belongs to the shard that its id hashes to, so it has one owner and no lock, and its code may hold what is not
//! `Send`. A shard never waits for the network: effects are spawned on the asynchronous runtime and come back through
//! the shard's inbox. The threads know no runtime, so `tokio::spawn` in workflow code fails loudly.

mod inbox;
mod outside;
mod runs;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::driver::Incoming;
use crate::shared::Shared;
use crate::slots::Permit;
use inbox::Inbox;
use runs::Shard;

/// The shards of a worker. Dropping them ends their threads as soon as those look up.
pub(crate) struct Shards {
    inboxes: Vec<Arc<Inbox<Event>>>,
}

/// Becomes ready when all shards' threads have ended, since each holds a sender until then.
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
        // Made first, so that a thread that cannot be started ends those that could.
        let mut shards = Self { inboxes: Vec::new() };
        let count = if shared.guests.is_empty() { 0 } else { shared.options.shards };
        for number in 0..count {
            let inbox = Arc::new(Inbox::new());
            shards.inboxes.push(Arc::clone(&inbox));
            let (shared, runtime, alive) = (Arc::clone(shared), runtime.clone(), alive.clone());
            thread::Builder::new().name(format!("stead-shard-{number}")).spawn(move || {
                // Made here, as what it owns stays on its thread.
                Shard::new(shared, inbox, runtime).run();
                drop(alive);
            })?;
        }
        Ok((shards, Ended(ended)))
    }

    /// Hands a task to the shard of its run.
    pub(crate) fn send_task(&self, task: Box<PollWorkflowTaskQueueResponse>, permit: Permit) {
        let run_id = task.workflow_execution.as_ref().map(|it| it.run_id.clone()).unwrap_or_default();
        if let Some(inbox) = self.inboxes.get(shard_of(&run_id, self.inboxes.len())) {
            inbox.push(Event { run_id, incoming: Incoming::Task(task), permit: Some(permit) });
        }
    }

    /// Ends the threads once they are done with the event at hand.
    pub(crate) fn close(&self) {
        self.inboxes.iter().for_each(|inbox| inbox.close());
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.close();
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
