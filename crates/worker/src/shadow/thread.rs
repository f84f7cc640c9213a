//! The thread on which code is run again. It is another one than the code's own, so that what belongs to a thread, such as
//! the keys of its hash maps, differs too.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use stead_activation::{Activation, Guest, Issued, Job, TaskFailure};

use crate::guests::Guests;

pub(super) type Outcome = Result<Vec<Issued>, TaskFailure>;

/// Started when the first run needs it. It ends with the last of its instances.
pub(super) struct ShadowThread {
    guests: Guests,
    /// `None` if there is no thread to be had.
    requests: OnceLock<Option<SyncSender<Request>>>,
    instances: AtomicU64,
}

/// The code of one run on that thread. Dropping it drops the code.
pub(super) struct Instance {
    thread: Arc<ShadowThread>,
    number: u64,
    requests: SyncSender<Request>,
}

/// What an activation comes to.
pub(super) struct Again(Option<Receiver<Outcome>>);

enum Request {
    Activate { instance: u64, activation: Box<Activation>, reply: SyncSender<Outcome> },
    Drop { instance: u64 },
}

impl ShadowThread {
    pub(super) fn new(guests: Guests) -> Self {
        Self { guests, requests: OnceLock::new(), instances: AtomicU64::new(0) }
    }

    /// A place for the code of one more run; `None` if there is no thread to be had, which was logged.
    pub(super) fn instance(self: &Arc<Self>) -> Option<Instance> {
        let requests = self.requests.get_or_init(|| self.start()).clone()?;
        let number = self.instances.fetch_add(1, Ordering::Relaxed);
        Some(Instance { thread: Arc::clone(self), number, requests })
    }

    fn start(&self) -> Option<SyncSender<Request>> {
        let (sender, requests) = sync_channel(MAX_REQUESTS);
        let guests = self.guests.clone();
        let thread = thread::Builder::new().name("stead-shadow".to_owned());
        match thread.spawn(move || serve(&guests, &requests)) {
            Ok(_) => Some(sender),
            Err(error) => {
                tracing::error!(target: "stead::worker", %error, "no thread for shadow replay; there is none");
                None
            }
        }
    }
}

impl Instance {
    /// Begins an activation.
    pub(super) fn activate(&self, activation: Activation) -> Again {
        let (reply, outcome) = sync_channel(1);
        let request = Request::Activate { instance: self.number, activation: Box::new(activation), reply };
        Again(self.requests.send(request).ok().map(|()| outcome))
    }

    /// A place for a fresh instance.
    pub(super) fn another(&self) -> Option<Self> {
        self.thread.instance()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // If the thread is gone, so is the code.
        let _ = self.requests.send(Request::Drop { instance: self.number });
    }
}

impl Again {
    /// Waits for it; `None` if the thread is gone.
    pub(super) fn wait(self) -> Option<Outcome> {
        self.0?.recv().ok()
    }
}

fn serve(guests: &Guests, requests: &Receiver<Request>) {
    // What the code logs was logged by the code itself.
    let _silence = tracing::dispatcher::set_default(&tracing::Dispatch::none());
    let mut instances = BTreeMap::new();
    while let Ok(request) = requests.recv() {
        match request {
            Request::Activate { instance, activation, reply } => {
                let outcome = activate(guests, &mut instances, instance, *activation);
                // Whose code failed in the meantime does not wait.
                let _ = reply.send(outcome);
            }
            Request::Drop { instance } => {
                let code = instances.remove(&instance);
                // The drop of what a user made may panic, which the code's own has told already.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(code)));
            }
        }
    }
}

fn activate(
    guests: &Guests,
    instances: &mut BTreeMap<u64, Box<dyn Guest>>,
    instance: u64,
    activation: Activation,
) -> Outcome {
    if let Some(Job::Initialize(initialize)) = activation.jobs.first() {
        instances.insert(instance, guests.create(&initialize.workflow_type)?);
    }
    match instances.get_mut(&instance) {
        Some(code) => code.activate(activation),
        None => Ok(Vec::new()),
    }
}

/// A run has one request under way, and one more when it is dropped.
const MAX_REQUESTS: usize = 64;
