//! [`Journal`]: the order between what is kept and what is answered.
//!
//! A thread of its own writes, so that the engine goes on while the disk turns. Whatever has gathered meanwhile is
//! written with one commit, and then the answers leave that wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::{fmt, io, thread};

use bytes::Bytes;

use super::inbox::{Inbox, Input};
use super::waiting::Reply;
use crate::engine::{Code, Refusal, Response};
use crate::store::{Batch, Store, StoreError, Table};

/// Takes batches and answers in the order in which the engine gives them out; an answer leaves when every batch before
/// it is kept.
#[derive(Debug)]
pub(super) enum Journal {
    /// Nothing is kept, so nothing waits.
    Nothing,
    Writer(Writer),
    AtOnce(AtOnce),
}

/// Keeps each batch before it goes on, without a thread.
pub(super) struct AtOnce {
    store: Box<dyn Store>,
    inbox: Inbox,
    failure: Option<String>,
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Writer {
    entries: Option<SyncSender<Entry>>,
    thread: Option<thread::JoinHandle<()>>,
    given: u64,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    done: AtomicU64,
    /// Why nothing is kept any more.
    failure: OnceLock<String>,
}

#[derive(Debug)]
enum Entry {
    Write(Batch),
    Answer(Reply, Result<Response, Refusal>),
    Read(Table, Bytes),
}

impl Journal {
    pub(super) fn new(store: Option<Box<dyn Store>>, inbox: &Inbox) -> io::Result<Self> {
        let Some(store) = store else {
            return Ok(Self::Nothing);
        };
        let (sender, entries) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let (for_thread, inbox) = (Arc::clone(&shared), inbox.clone());
        let thread = thread::Builder::new().name("stead-store".to_owned());
        let thread = thread.spawn(move || keep(store, &entries, &for_thread, &inbox))?;
        Ok(Self::Writer(Writer { entries: Some(sender), thread: Some(thread), given: 0, shared }))
    }

    /// One that keeps each batch at once.
    pub(super) fn at_once(store: Option<Box<dyn Store>>, inbox: &Inbox) -> Self {
        match store {
            Some(store) => Self::AtOnce(AtOnce { store, inbox: inbox.clone(), failure: None }),
            None => Self::Nothing,
        }
    }

    pub(super) fn write(&mut self, batch: Batch) {
        match self {
            // The engine of such a server gives no batches out.
            Self::Nothing => {}
            Self::Writer(writer) => writer.enter(Entry::Write(batch)),
            Self::AtOnce(at_once) => at_once.write(batch),
        }
    }

    /// Reads what the batches before have left; it comes back through the inbox.
    pub(super) fn read(&mut self, table: Table, prefix: Bytes) {
        match self {
            // The engine of such a server has everything in memory.
            Self::Nothing => {}
            Self::Writer(writer) => writer.enter(Entry::Read(table, prefix)),
            Self::AtOnce(at_once) => at_once.read(table, prefix),
        }
    }

    pub(super) fn answer(&mut self, reply: Reply, answer: Result<Response, Refusal>) {
        match self {
            // Whoever has gone away does not miss it.
            Self::Nothing => drop(reply.send(answer)),
            Self::Writer(writer) => writer.enter(Entry::Answer(reply, answer)),
            Self::AtOnce(_) => {
                let answer = self.failure().map_or(answer, Err);
                drop(reply.send(answer));
            }
        }
    }

    /// Whether everything is kept and answered.
    pub(super) fn is_settled(&self) -> bool {
        match self {
            Self::Nothing | Self::AtOnce(_) => true,
            Self::Writer(writer) => writer.shared.done.load(Ordering::Acquire) == writer.given,
        }
    }

    /// What everybody is told once something could not be kept: what the engine knows is ahead of the store.
    pub(super) fn failure(&self) -> Option<Refusal> {
        match self {
            Self::Nothing => None,
            Self::Writer(writer) => writer.shared.failure.get().map(|reason| unavailable(reason)),
            Self::AtOnce(at_once) => at_once.failure.as_deref().map(unavailable),
        }
    }

    /// Returns when everything is kept and answered.
    pub(super) fn close(&mut self) {
        if let Self::Writer(writer) = self {
            writer.entries = None;
            if let Some(thread) = writer.thread.take() {
                // A panic has been reported by the thread that had it.
                let _ = thread.join();
            }
        }
    }
}

impl AtOnce {
    fn write(&mut self, batch: Batch) {
        if self.failure.is_none() {
            self.failure = commit(&mut *self.store, &[batch]).err();
        }
    }

    fn read(&mut self, table: Table, prefix: Bytes) {
        match self.store.read(table, &prefix).map_err(explained) {
            Ok(rows) => self.inbox.tell(Input::Rows(prefix, rows)),
            // Whoever waits for it is told when the driver hears of the failure.
            Err(error) => self.failure = Some(error),
        }
    }
}

impl fmt::Debug for AtOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtOnce").field("failure", &self.failure).finish_non_exhaustive()
    }
}

impl Writer {
    /// Waits for room, if the disk is so far behind.
    fn enter(&mut self, entry: Entry) {
        self.given += 1;
        let Some(Err(lost)) = self.entries.as_ref().map(|entries| entries.send(entry)) else {
            return;
        };
        let reason = self.shared.failure.get_or_init(|| "the thread that writes is gone".to_owned());
        if let Entry::Answer(reply, _) = lost.0 {
            // Whoever has gone away does not miss it.
            let _ = reply.send(Err(unavailable(reason)));
        }
    }
}

/// Keeps and answers until nothing more can come.
fn keep(mut store: Box<dyn Store>, entries: &Receiver<Entry>, shared: &Shared, inbox: &Inbox) {
    while let Ok(first) = entries.recv() {
        let mut batches = Vec::new();
        let mut answers = Vec::new();
        let mut reads = Vec::new();
        for entry in std::iter::once(first).chain(entries.try_iter().take(QUEUE)) {
            match entry {
                Entry::Write(batch) => batches.push(batch),
                Entry::Answer(reply, answer) => answers.push((reply, answer)),
                Entry::Read(table, prefix) => reads.push((table, prefix)),
            }
        }
        let entered = (batches.len() + answers.len() + reads.len()) as u64;
        if shared.failure.get().is_none()
            && let Err(error) = commit(&mut *store, &batches)
        {
            let _ = shared.failure.set(error);
        }
        for (table, prefix) in reads {
            match store.read(table, &prefix).map_err(explained) {
                Ok(rows) => inbox.tell(Input::Rows(prefix, rows)),
                // Whoever waits for it is told when the driver hears of the failure.
                Err(error) => drop(shared.failure.set(error)),
            }
        }
        let failure = shared.failure.get().map(|reason| unavailable(reason));
        for (reply, answer) in answers {
            // Whoever has gone away does not miss it.
            let _ = reply.send(failure.clone().map_or(answer, Err));
        }
        shared.done.fetch_add(entered, Ordering::Release);
        inbox.tell(Input::Kept);
    }
}

fn commit(store: &mut dyn Store, batches: &[Batch]) -> Result<(), String> {
    if batches.is_empty() {
        return Ok(());
    }
    store.commit(batches).map_err(explained)
}

fn explained(error: StoreError) -> String {
    match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn unavailable(reason: &str) -> Refusal {
    Refusal::new(Code::Unavailable, format!("the server cannot keep what it does, so it does nothing: {reason}"))
}

/// Batches and answers that wait to be written; so many at most are written at once.
const QUEUE: usize = 1_024;
