//! Watches over the threads of the shards. A workflow that does not come back from its code holds up every other run of
//! its shard; so its task fails, its thread is given up, and a new one takes the shard over.
//!
//! There is no way to end a thread. One that was given up goes on until its code comes back, and then ends by itself; the
//! tasks of its run fail at once until then, so that no run costs more than one thread.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use stead_activation::CallSite;
use stead_data::Failure;
use tokio::runtime::Handle;

use super::desk::{Abandoned, Desk, Open, Sign};
use super::runs::Shard;
use super::shard_of;
use crate::complete;
use crate::driver::TaskId;
use crate::shared::Shared;

/// Starts threads for shards.
#[derive(Clone)]
pub(super) struct Starter {
    pub(super) shared: Arc<Shared>,
    pub(super) runtime: Handle,
}

/// The thread that watches.
pub(super) struct Watchdog {
    pub(super) desks: Vec<Arc<Desk>>,
    pub(super) starter: Starter,
    pub(super) timeout: Duration,
}

/// How long a thread has shown the same sign.
struct Seen {
    sign: Sign,
    since: Instant,
    /// Nothing can be done about it, which was said.
    is_hopeless: bool,
}

impl Starter {
    /// Starts a thread that sits down at the desk of this shard.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub(super) fn start(&self, number: usize, desk: &Arc<Desk>) -> io::Result<()> {
        let guests = self.shared.guests.for_thread();
        let seat = desk.sit(Arc::clone(guests.last_operation()));
        let (shared, runtime) = (Arc::clone(&self.shared), self.runtime.clone());
        #[cfg(feature = "simulation")]
        if shared.options.on_one_thread {
            tokio::task::spawn_local(Shard::new(shared, guests, seat, runtime).run_here());
            return Ok(());
        }
        let thread = thread::Builder::new().name(format!("stead-shard-{number}"));
        // The shard is made there, as what it owns stays on its thread.
        thread.spawn(move || Shard::new(shared, guests, seat, runtime).run()).map(drop)
    }
}

impl Watchdog {
    /// Watches until the other end of `over` is dropped.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub(super) fn start(self, over: Receiver<()>) -> io::Result<()> {
        thread::Builder::new().name("stead-watchdog".to_owned()).spawn(move || self.watch(&over)).map(drop)
    }

    fn watch(&self, over: &Receiver<()>) {
        let mut seen: Vec<Option<Seen>> = self.desks.iter().map(|_| None).collect();
        let tick = (self.timeout / LOOKS_IN_A_TIMEOUT).max(Duration::from_millis(1));
        while over.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
            for (number, (desk, seen)) in self.desks.iter().zip(&mut seen).enumerate() {
                self.look(number, desk, seen);
            }
        }
    }

    fn look(&self, number: usize, desk: &Arc<Desk>, seen: &mut Option<Seen>) {
        if desk.is_vacant() {
            return self.start_another(number, desk);
        }
        let Some(sign) = desk.sign() else {
            *seen = None;
            return;
        };
        match seen {
            Some(seen) if seen.sign == sign => {
                if seen.since.elapsed() >= self.timeout && !seen.is_hopeless {
                    seen.is_hopeless = !self.give_up(number, desk, &sign);
                }
            }
            _ => *seen = Some(Seen { sign, since: Instant::now(), is_hopeless: false }),
        }
    }

    /// Gives the thread up that showed this sign for too long. False if too many are given up already.
    fn give_up(&self, number: usize, desk: &Arc<Desk>, sign: &Sign) -> bool {
        let Some(abandoned) = desk.abandon(sign, MAX_STUCK) else {
            let has_got_on = desk.sign().as_ref() != Some(sign);
            if !has_got_on {
                tracing::error!(
                    target: "stead::worker",
                    threads = MAX_STUCK,
                    "a workflow does not come back from its code, and as many threads of its shard as may be are stuck \
                     already: the shard stands still until one comes back"
                );
            }
            return has_got_on;
        };
        self.start_another(number, desk);
        self.answer(number, abandoned);
        true
    }

    fn start_another(&self, number: usize, desk: &Arc<Desk>) {
        if let Err(error) = self.starter.start(number, desk) {
            tracing::error!(target: "stead::worker", shard = number, %error, "no thread for the shard; it is tried again");
        }
    }

    /// Fails what the thread had under way, so that the server gives it out again.
    fn answer(&self, number: usize, abandoned: Abandoned) {
        let Abandoned { run_id, last_operation, mut open, stuck } = abandoned;
        let shared = &self.starter.shared;
        if let Some(Open { workflow_id, workflow_type, tasks, .. }) = open.remove(&run_id) {
            let failure = deadlock(self.timeout, &workflow_type, &workflow_id, &run_id, last_operation.get());
            tracing::error!(
                target: "stead::worker",
                workflow_type, workflow_id, run_id, threads_given_up = stuck, interrupted_runs = open.len(),
                "workflow task failed, the server will try it again: {}", failure.message
            );
            self.fail(&run_id, tasks, &failure);
        }
        for (run_id, Open { tasks, .. }) in open {
            self.fail(&run_id, tasks, &interrupted());
        }
        let shards = self.desks.len();
        shared.codec.forget_all(|run_id| shard_of(run_id, shards) == number);
    }

    fn fail(&self, run_id: &str, tasks: Vec<TaskId>, failure: &Failure) {
        for task in tasks {
            let (shared, failure) = (Arc::clone(&self.starter.shared), failure.clone());
            let owner = shared.codec.owner_of_run(run_id);
            self.starter.runtime.spawn(async move { complete::given_up(&shared, &owner, task, failure).await });
        }
    }
}

/// What became of the task whose code did not come back.
fn deadlock(
    timeout: Duration,
    workflow_type: &str,
    workflow_id: &str,
    run_id: &str,
    last: Option<CallSite>,
) -> Failure {
    let seconds = timeout.as_secs_f64();
    let last = match last {
        Some(at) => format!("its last operation was at {at}"),
        None => "it had not used any operation".to_owned(),
    };
    Failure::application(format!(
        "[TMPRL1101] Potential deadlock detected: workflow didn't yield within {seconds} second(s). Workflow \
         {workflow_type} ({workflow_id}, run {run_id}) does not come back from its code; {last}. Do what blocks or \
         takes long in an activity"
    ))
    .type_name("DeadlockError")
}

/// What becomes of tasks of a run whose code has still not come back.
pub(super) fn still_stuck(run_id: &str) -> Failure {
    Failure::application(format!(
        "[TMPRL1101] Potential deadlock detected: run {run_id} still has not come back from its code since an earlier \
         task. Do what blocks or takes long in an activity"
    ))
    .type_name("DeadlockError")
}

/// What became of the tasks that other runs of the shard had under way.
fn interrupted() -> Failure {
    Failure::application("another workflow of this worker blocked the thread that both ran on; the task is tried again")
        .type_name("Interrupted")
}

/// Of one shard. Each of these runs has a bug, and its thread is never used again.
const MAX_STUCK: usize = 16;

/// So a thread is given up at most an eighth later than the timeout says.
const LOOKS_IN_A_TIMEOUT: u32 = 8;

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    #[test]
    fn the_failure_names_the_run_its_type_and_the_line_of_its_last_operation() {
        let at = Location::caller();
        let failure = deadlock(Duration::from_secs(2), "Order", "order-1", "r", Some(at));
        let expected = format!(
            "[TMPRL1101] Potential deadlock detected: workflow didn't yield within 2 second(s). Workflow Order (order-1, \
             run r) does not come back from its code; its last operation was at {at}. Do what blocks or takes long in an \
             activity"
        );
        assert_eq!(failure.message, expected);
        let failure = deadlock(Duration::from_millis(500), "Order", "order-1", "r", None);
        assert!(failure.message.contains("within 0.5 second(s)"), "{}", failure.message);
        assert!(failure.message.contains("it had not used any operation"), "{}", failure.message);
    }
}
