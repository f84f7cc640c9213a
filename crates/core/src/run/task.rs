//! The task that a run works on, and those that wait.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use stead_proto::query::v1::{WorkflowQuery, WorkflowQueryResult};
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use crate::Instant;
use crate::history::History;

/// A workflow task that a run works on.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) ticket: Ticket,
    pub(super) started_event_id: i64,
    pub(super) previous_started_event_id: i64,
    pub(super) history: History,
    pub(super) queries: Queries,
    /// When it came.
    pub(super) since: Instant,
    /// Whether it is to be completed though local activities run: the server makes another at once.
    pub(super) is_heartbeat: bool,
}

/// What it takes to report about a task.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) token: Bytes,
    /// From 1.
    pub(super) attempt: u32,
    /// Whether the task carries a query and nothing else.
    pub(super) is_only_query: bool,
}

/// The queries of a task.
#[derive(Debug)]
pub(super) enum Queries {
    /// Those that came with a task and are answered with it. Often none.
    WithTask {
        /// Not asked yet.
        waiting: BTreeMap<String, WorkflowQuery>,
        /// Asked, by id.
        asked: Vec<String>,
        answers: BTreeMap<String, WorkflowQueryResult>,
    },
    /// The one that a task is all about, until it is asked.
    Alone(Option<Box<WorkflowQuery>>),
}

impl Queries {
    pub(super) fn with_task(waiting: BTreeMap<String, WorkflowQuery>) -> Self {
        Self::WithTask { waiting, asked: Vec::new(), answers: BTreeMap::new() }
    }
}

impl Task {
    /// Whether history is replayed for its own sake: the task that it leads to was completed long ago.
    pub(super) const fn is_replay(&self) -> bool {
        self.started_event_id == self.previous_started_event_id
    }
}

/// Tasks that wait until the run is done with the one before them.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Queries about the state that the run will be in before `news`.
    queries: VecDeque<PollWorkflowTaskQueueResponse>,
    /// A task with news. A newer one replaces it: the server has given up on the older one.
    news: Option<Box<PollWorkflowTaskQueueResponse>>,
    /// Queries about the state that the run will be in after `news`.
    later_queries: VecDeque<PollWorkflowTaskQueueResponse>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.queries.is_empty() && self.news.is_none()
    }

    /// A task that has to wait.
    pub(super) fn add(&mut self, task: PollWorkflowTaskQueueResponse) {
        match &self.news {
            _ if task.query.is_none() => self.supersede(Box::new(task)),
            Some(news) if task.previous_started_event_id >= news.started_event_id => {
                self.later_queries.push_back(task);
            }
            _ => self.queries.push_back(task),
        }
    }

    /// A task with news: older news is out of date, and with it the queries about it.
    pub(super) fn supersede(&mut self, task: Box<PollWorkflowTaskQueueResponse>) {
        self.later_queries.clear();
        self.news = Some(task);
    }

    /// The task whose turn it is.
    pub(super) fn next(&mut self) -> Option<PollWorkflowTaskQueueResponse> {
        if let Some(query) = self.queries.pop_front() {
            return Some(query);
        }
        let news = self.news.take()?;
        self.queries = std::mem::take(&mut self.later_queries);
        Some(*news)
    }

    /// All tasks, in the order of their turns.
    pub(super) fn drain(&mut self) -> Vec<PollWorkflowTaskQueueResponse> {
        std::iter::from_fn(|| self.next()).collect()
    }
}
