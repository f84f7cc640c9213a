//! [`Queries`]: the queries that are not answered yet.

use std::collections::{BTreeMap, BTreeSet};

use stead_proto::query::v1::WorkflowQuery;

use crate::engine::run::RunKey;
use crate::engine::{CallId, Time};

/// A query of this engine, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueryId(pub(crate) u64);

/// A query that is not answered yet.
#[derive(Debug)]
pub(crate) struct Query {
    pub(super) call: CallId,
    pub(super) run: RunKey,
    pub(super) query: WorkflowQuery,
    pub(super) state: State,
}

/// Where a query is; drawn in the header of [`queries`](super).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It goes with the next workflow task, or has gone with the one that is under way.
    Buffered,
    /// It is in a queue. `until`: that of the worker that knows the run, for as long as that.
    Offered { stamp: u64, until: Option<Time> },
    /// A worker has it.
    Started { stamp: u64, until: Option<Time> },
}

impl State {
    fn until(self) -> Option<Time> {
        match self {
            Self::Buffered => None,
            Self::Offered { until, .. } | Self::Started { until, .. } => until,
        }
    }
}

/// The queries that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    queries: BTreeMap<QueryId, Query>,
    by_run: BTreeSet<(RunKey, QueryId)>,
    due: BTreeSet<(Time, QueryId)>,
    next: u64,
    /// Tells each time that a query is offered from the others.
    next_stamp: u64,
}

impl Queries {
    pub(super) fn insert(&mut self, query: Query) -> QueryId {
        self.next += 1;
        let id = QueryId(self.next);
        self.by_run.insert((query.run, id));
        self.queries.insert(id, query);
        id
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queries.is_empty()
    }

    /// Whether somebody waits for an answer of this run.
    pub(crate) fn any_of(&self, run: RunKey) -> bool {
        self.by_run.range((run, QueryId(0))..).next().is_some_and(|(of, _)| *of == run)
    }

    pub(super) fn get(&self, id: QueryId) -> Option<&Query> {
        self.queries.get(&id)
    }

    pub(crate) fn remove(&mut self, id: QueryId) -> Option<CallId> {
        self.set_state(id, State::Buffered);
        let query = self.queries.remove(&id)?;
        self.by_run.remove(&(query.run, id));
        Some(query.call)
    }

    /// A query is put into a queue.
    pub(super) fn offer(&mut self, id: QueryId, until: Option<Time>) -> u64 {
        self.next_stamp += 1;
        self.set_state(id, State::Offered { stamp: self.next_stamp, until });
        self.next_stamp
    }

    /// Whether a worker has one.
    pub(crate) fn any_is_started(&self) -> bool {
        self.queries.values().any(|query| matches!(query.state, State::Started { .. }))
    }

    /// Whether a query is still where it was offered.
    pub(crate) fn is_offered(&self, id: QueryId, stamp: u64) -> bool {
        self.get(id)
            .is_some_and(|query| matches!(query.state, State::Offered { stamp: offered, .. } if offered == stamp))
    }

    /// A worker takes a query that is still where it was offered. Whether it is the worker that knows the run.
    pub(super) fn start(&mut self, id: QueryId, stamp: u64) -> Option<bool> {
        let State::Offered { until, .. } = self.get(id).filter(|_| self.is_offered(id, stamp))?.state else {
            return None;
        };
        self.set_state(id, State::Started { stamp, until });
        Some(until.is_some())
    }

    /// Whether a worker has the query since it was offered so.
    pub(super) fn is_started(&self, id: QueryId, stamp: u64) -> bool {
        self.get(id)
            .is_some_and(|query| matches!(query.state, State::Started { stamp: started, .. } if started == stamp))
    }

    /// The queries that go with a workflow task of a run.
    pub(super) fn buffered(&self, run: RunKey) -> Vec<QueryId> {
        let of_run = self.by_run.range((run, QueryId(0))..=(run, QueryId(u64::MAX)));
        of_run
            .map(|(_, id)| *id)
            .filter(|id| self.get(*id).is_some_and(|query| query.state == State::Buffered))
            .collect()
    }

    /// When the next query has waited long enough for the worker that knows its run.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn take_due(&mut self, now: Time) -> Option<QueryId> {
        let (_, id) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.pop_first();
        Some(id)
    }

    fn set_state(&mut self, id: QueryId, state: State) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        let old = std::mem::replace(&mut query.state, state);
        if let Some(until) = old.until() {
            self.due.remove(&(until, id));
        }
        if let Some(until) = state.until() {
            self.due.insert((until, id));
        }
    }
}
