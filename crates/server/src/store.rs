//! What is kept of the engine: rows, written in batches, each batch whole or not at all.
//!
//! The engine knows rows and no store; a [`Store`] knows rows and nothing of what they mean.

use bytes::Bytes;

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
    /// Batch operations: key of the namespace, id.
    BatchOperations = 11,
    /// Settings of task queues: key of the namespace, name.
    TaskQueues = 12,
}
