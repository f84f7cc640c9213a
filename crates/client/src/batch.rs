//! Batch operations: the server does the same to many workflows, or to many activities without one.

mod describe;
mod handle;
mod list;
mod reset;
mod start;

use std::fmt;

use stead_data::{CodecError, ConversionError};

use crate::{connection::RpcError, filter::Filter, workflow::predicates};

pub use {
    describe::{BatchDescription, BatchKind, BatchState, DescribeBatch},
    handle::{BatchHandle, StopBatch},
    list::{ListBatches, ListedBatch},
    reset::BatchReset,
    start::{Batch, BatchActivities, StartBatch},
};

/// What a batch is about: what a query finds, or what is listed.
///
/// ```
/// use stead_client::{BatchTargets, Filter};
///
/// let open = BatchTargets::from("WorkflowType = 'Order'");
/// let same = BatchTargets::from(Filter::workflow_type("Order"));
/// let three = BatchTargets::ids(["order-1", "order-2"]).and_run("order-3", "8b8b…");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchTargets(Targets);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Targets {
    Query(String),
    /// Ids and run ids, which are empty for the latest run.
    List(Vec<(String, String)>),
}

impl BatchTargets {
    /// What a query finds. Unless the batch deletes or resets, only what is open.
    #[must_use]
    pub fn query(query: impl Into<String>) -> Self {
        Self(Targets::Query(query.into()))
    }

    /// The latest runs of these ids. What does not exist, or has closed, counts as done.
    #[must_use]
    pub fn ids(ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Targets::List(ids.into_iter().map(|id| (id.into(), String::new())).collect()))
    }

    /// Adds one run to a list. A query finds what it finds: it stays as it is.
    #[must_use]
    pub fn and_run(mut self, id: impl Into<String>, run_id: impl Into<String>) -> Self {
        if let Targets::List(list) = &mut self.0 {
            list.push((id.into(), run_id.into()));
        }
        self
    }
}

impl From<&str> for BatchTargets {
    fn from(query: &str) -> Self {
        Self::query(query)
    }
}

impl From<String> for BatchTargets {
    fn from(query: String) -> Self {
        Self::query(query)
    }
}

impl From<Filter> for BatchTargets {
    fn from(filter: Filter) -> Self {
        Self::query(filter)
    }
}

impl fmt::Display for BatchTargets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Targets::Query(query) => write!(f, "`{query}`"),
            Targets::List(list) => write!(f, "{} listed executions", list.len()),
        }
    }
}

/// A batch was not started.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartBatchError {
    /// The id belongs to a batch, or to a workflow, that the server still knows.
    #[error("a batch or a workflow has the id `{batch_id}` already")]
    AlreadyExists {
        /// The id.
        batch_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// As many batches run in the namespace as the server allows, one by default. Wait for its end, or stop it.
    #[error("batch `{batch_id}`: another batch runs in the namespace")]
    TooMany {
        /// The id of the batch that was not started.
        batch_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The server does not understand the query, or misses something.
    #[error("batch `{batch_id}`: the server refuses it for {targets}")]
    Invalid {
        /// The id.
        batch_id: String,
        /// What it was to be about.
        targets: BatchTargets,
        /// What the server said.
        source: RpcError,
    },
    /// An argument cannot be converted.
    #[error("the arguments of the batch cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused an argument.
    #[error("the arguments of the batch cannot be encoded")]
    Codec(#[from] CodecError),
    /// The call failed. Unless the server refused it, the batch may have been started all the same.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(StartBatchError);

/// Something could not be done with a batch.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// There is no batch of this id, or, where it was to be stopped, it has come to its end.
    #[error("batch `{batch_id}` does not exist or has ended")]
    NotFound {
        /// The id.
        batch_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The call failed. It may be repeated.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(BatchError);
