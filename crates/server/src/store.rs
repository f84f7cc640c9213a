//! What is kept of the engine: rows, written in batches, each batch whole or not at all.
//!
//! The engine knows rows and no store; a [`Store`] knows rows and nothing of what they mean.

pub mod kit;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::error::Error;
use std::fmt;
use std::ops::ControlFlow;

use bytes::Bytes;

pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

/// Keeps the rows of one server. [`kit::check`] tests a provider.
pub trait Store: Send + 'static {
    /// Gives all rows to `take`, one by one, in the order of their tables and keys, or as many as it wants. Called once,
    /// before anything else.
    ///
    /// # Errors
    ///
    /// They cannot be read, all of them.
    fn load(&mut self, take: &mut dyn FnMut(Row) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// The rows of a table whose keys begin with `prefix`, in order, as the batches before left them.
    ///
    /// # Errors
    ///
    /// They cannot be read. The server stops serving then.
    fn read(&mut self, table: Table, prefix: &[u8]) -> Result<Vec<Row>, StoreError>;

    /// Keeps the changes of these batches, in order: when this returns they survive the end of the process, and of the
    /// machine if the store does at all. However it is interrupted, a batch is kept as a whole or not at all, and no
    /// batch without those before it.
    ///
    /// # Errors
    ///
    /// They are not kept, or perhaps not. The server stops serving then, for what it has in memory is ahead of the
    /// store.
    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError>;
}

/// A store that cannot be read or written. The text names the place and says what to do.
#[derive(Debug)]
pub struct StoreError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error with a text of its own.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// One change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What kind of thing the row is.
    pub table: Table,
    /// Which one; rows of a table are ordered by their keys, as bytes.
    pub key: Bytes,
    /// The row's content, or `None` to remove it.
    pub value: Option<Bytes>,
}

/// The rows that one input to the engine changed, in order. All of them are kept, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The changes.
    pub rows: Vec<Row>,
}

/// Kinds of rows. The numbers are part of the stored format: none is ever used again for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Table {
    /// What the engine as a whole remembers, by name.
    Meta = 1,
    /// Namespaces with their search attributes, by key.
    Namespaces = 2,
    /// Runs of workflows, by key.
    Runs = 3,
    /// Events of runs: key of the run, event id.
    Events = 4,
    /// What a run waits for (activities, timers, children …): key of the run, kind, id.
    Pending = 5,
    /// Schedules: key of the namespace, id.
    Schedules = 6,
    /// Activities without a workflow, by key.
    Activities = 7,
    /// Nexus endpoints, by id.
    NexusEndpoints = 8,
    /// Nexus operations without a workflow, by key.
    NexusOperations = 9,
    /// Worker deployments: key of the namespace, name.
    Deployments = 10,
    /// Batch operations, by key; and, by `o` and the same key, what each was asked to do.
    BatchOperations = 11,
    /// Settings of task queues: key of the namespace, name.
    TaskQueues = 12,
}

impl Table {
    /// Every kind of row that this version knows.
    pub const ALL: [Self; 12] = [
        Self::Meta,
        Self::Namespaces,
        Self::Runs,
        Self::Events,
        Self::Pending,
        Self::Schedules,
        Self::Activities,
        Self::NexusEndpoints,
        Self::NexusOperations,
        Self::Deployments,
        Self::BatchOperations,
        Self::TaskQueues,
    ];

    /// The kind that a stored number says; `None` if a later version wrote it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| *table as u8 == number)
    }
}
