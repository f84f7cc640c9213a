//! A worker from elsewhere, while it runs.

use std::sync::Arc;
use std::{error, fmt};

use stead_client::workers::Claim;
use stead_client::{Client, RpcError};

use crate::lifecycle::Phase;
use crate::shared::Shared;

/// A worker that runs, for others to look at and to change. Clones are the same worker. Made by
/// [`Worker::handle`](crate::Worker::handle).
#[derive(Clone)]
pub struct WorkerHandle(pub(crate) Arc<Shared>);

impl WorkerHandle {
    /// The client that the worker works with now.
    pub fn client(&self) -> Client {
        self.0.client.borrow().clone()
    }

    /// Waits until the worker takes tasks, or has stopped, as one that cannot start does. Says whether it takes tasks.
    pub async fn started(&self) -> bool {
        self.0.lifecycle.reached(Phase::Running).await;
        self.0.lifecycle.phase() != Phase::Stopped
    }

    /// Lets the worker go on with another client, after a credential was replaced or a server moved, say: its polls, what it
    /// reports, its heartbeats, and what activities get by [`extension`](stead_activity::extension), in those that run
    /// already too. Calls under way keep the client that they began with: open polls end there, and a poll that fails there
    /// begins anew with the new one.
    ///
    /// What the worker took from its first client stays: identity, data converter, plugins and metrics.
    ///
    /// # Errors
    ///
    /// If the client is of another namespace, its server cannot be reached or does not let it in, or another worker takes the
    /// same tasks over its connection. The worker keeps the client that it has then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the worker with the client that it has.
    pub async fn replace_client(&self, client: &Client) -> Result<(), ReplaceClientError> {
        let shared = &*self.0;
        if client.namespace() != shared.namespace {
            let (worker, client) = (shared.namespace.clone(), client.namespace().to_owned());
            return Err(ReplaceClientError::Namespace { worker, client });
        }
        let answer = shared.ask_for_namespace(client).await.map_err(|source| ReplaceClientError::Refused {
            namespace: shared.namespace.clone(),
            task_queue: shared.task_queue.clone(),
            source,
        })?;
        shared.go_on_with(client).map_err(|other| ReplaceClientError::Overlap(Overlap::new(&shared.claim, &other)))?;
        shared.note_namespace(client, answer);
        tracing::info!(
            target: "stead::worker",
            task_queue = shared.task_queue, namespace = shared.namespace, address = client.connection().address(),
            "the worker goes on with another client"
        );
        Ok(())
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { task_queue, namespace, .. } = &*self.0;
        f.debug_struct("WorkerHandle").field("task_queue", task_queue).field("namespace", namespace).finish()
    }
}

/// A worker cannot go on with this client.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplaceClientError {
    /// The client is of another namespace: what the worker has in memory is of its own. Use
    /// [`Client::with_namespace`], or a worker of its own for each namespace.
    Namespace {
        /// The worker's namespace.
        worker: String,
        /// The client's.
        client: String,
    },
    /// The client's server was not reached, does not know the namespace, or does not let the client in.
    Refused {
        /// The worker's namespace.
        namespace: String,
        /// The worker's task queue.
        task_queue: String,
        /// What the server said.
        source: RpcError,
    },
    /// Another worker of this process takes the same tasks over the client's connection.
    Overlap(Box<Overlap>),
}

impl fmt::Display for ReplaceClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace { worker, client } => {
                write!(f, "a worker of namespace `{worker}` cannot go on with a client of namespace `{client}`")
            }
            Self::Refused { namespace, task_queue, .. } => write!(
                f,
                "the worker for task queue `{task_queue}` in namespace `{namespace}` keeps its client: the server of the \
                 new one was not reached or refuses it"
            ),
            Self::Overlap(overlap) => overlap.fmt(f),
        }
    }
}

impl error::Error for ReplaceClientError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Refused { source, .. } => Some(source),
            Self::Namespace { .. } | Self::Overlap(_) => None,
        }
    }
}

/// Two workers of one process would take the same tasks over one connection: each would get a part of them, and neither
/// could tell why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overlap {
    /// The worker that may not, by its identity and its key among workers.
    pub worker: String,
    /// The worker that takes them, likewise.
    pub other: String,
    /// The namespace of both.
    pub namespace: String,
    /// The task queue of both.
    pub task_queue: String,
    /// The build id of both; empty without one.
    pub build_id: String,
    /// The kinds of tasks that both would take, such as `workflows`.
    pub kinds: Vec<&'static str>,
}

impl Overlap {
    pub(crate) fn new(claim: &Claim, other: &Claim) -> Box<Self> {
        let Claim { worker, namespace, task_queue, version, kinds, .. } = claim.clone();
        let kinds = kinds.into_iter().filter(|kind| other.kinds.contains(kind)).collect();
        Box::new(Self { worker, other: other.worker.clone(), namespace, task_queue, build_id: version.1, kinds })
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker, other, namespace, task_queue, build_id, kinds } = self;
        write!(
            f,
            "Registration of multiple workers with overlapping worker task types on the same namespace, task queue, and \
             deployment build ID not allowed: worker {worker} and worker {other} would both take {} of task queue \
             `{task_queue}` in namespace `{namespace}`, build id `{build_id}`, over one connection; register all of it \
             with one worker, or give one of them a client with a connection of its own",
            kinds.join(" and ")
        )
    }
}

impl error::Error for Overlap {}
