//! The server without its I/O: calls and time go in, answers and rows to keep come out.
//!
//! [`Engine`] has one owner and no lock, reads no clock and draws its random choices from a seed: the same inputs give
//! the same outputs. A driver gives it each call with [`handle`](Engine::handle), tells it when the instant of
//! [`poll_timeout`](Engine::poll_timeout) has come, and after each input takes what comes out of
//! [`poll_output`](Engine::poll_output) until there is nothing more.
//!
//! Time here is the server's own, which may skip. How long a call may wait is measured on the caller's clock, so it is
//! the driver that ends a long poll, with [`handle_expired`](Engine::handle_expired).

#![allow(deprecated, reason = "what the API has deprecated, callers still send")]

mod activity;
mod activity_options;
mod activity_tasks;
mod batches;
mod call;
mod children;
mod chores;
mod closed;
mod closed_histories;
mod clusters;
mod commands;
mod config;
mod control;
mod cron;
mod delete;
mod deployments;
mod describe;
mod dispatch;
mod effect;
mod executions;
mod external;
mod history_reverse;
mod idle;
mod ids;
mod links;
mod matching;
mod multi_operation;
mod namespaces;
mod nexus;
mod options;
mod pause;
mod queries;
pub mod raw;
mod records;
mod refusal;
mod reset;
mod restore;
mod retry;
mod rows;
mod run;
mod runs;
mod schedules;
mod search_attributes;
mod signal_with_start;
mod standalone_activities;
mod start;
mod time;
mod time_skipping;
mod token;
mod transact;
mod updates;
mod visibility;
mod waits;
mod workers;
mod workflow_tasks;
mod zone;

use std::collections::VecDeque;

use bytes::Bytes;

pub use call::{Call, CallId, Request, Response};
pub use config::{Config, Limits};
pub use refusal::{Code, Refusal};
pub use restore::{Corrupt, Restoring};
pub use time::Time;
pub(crate) use time::duration;

use crate::store::{Batch, Table};
use batches::Batches;
use call::Outcome;
use chores::Chores;
use closed_histories::ClosedHistories;
use deployments::Deployments;
use effect::Effect;
use ids::Ids;
use matching::{Matching, QueueSettings};
use namespaces::Namespaces;
use nexus::{Endpoints, Requests, StandaloneOperations};
use queries::Queries;
use rows::Changes;
use runs::Runs;
use schedules::Schedules;
use standalone_activities::StandaloneActivities;
use transact::Touched;
use visibility::Visibility;
use waits::Waits;
use workers::Workers;
use workflow_tasks::{Pages, TaskRef};

/// The server without its I/O.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    /// The latest instant that the engine was told of.
    now: Time,
    ids: Ids,
    namespaces: Namespaces,
    runs: Runs,
    matching: Matching<TaskRef>,
    queue_settings: QueueSettings,
    deployments: Deployments,
    workers: Workers,
    waits: Waits,
    /// Completions of workflow tasks that have come in part.
    pages: Pages,
    queries: Queries,
    visibility: Visibility,
    schedules: Schedules,
    activities: StandaloneActivities,
    endpoints: Endpoints,
    requests: Requests,
    operations: StandaloneOperations,
    chores: Chores,
    batches: Batches,
    closed_histories: ClosedHistories,
    effects: VecDeque<Effect>,
    touched: Touched,
    changes: Changes,
    replies: Vec<(CallId, Result<Response, Refusal>)>,
    outputs: VecDeque<Output>,
}

/// What the engine wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Keep these rows, all or none. Replies that come after it wait until they are kept.
    Write(Batch),
    /// Read the rows of a table whose keys begin with `prefix`, as every earlier write leaves them, and give them to
    /// [`Engine::handle_rows`].
    Read {
        /// The table.
        table: Table,
        /// How the keys begin.
        prefix: Bytes,
    },
    /// Answer a call.
    Reply {
        /// The call.
        call: CallId,
        /// Its answer.
        answer: Result<Response, Refusal>,
    },
}

impl Engine {
    /// A server in which nothing has happened but the registration of the namespaces of `config`.
    #[must_use]
    pub fn new(config: Config, now: Time) -> Self {
        let mut engine = Self::empty(config, now);
        engine.register_configured_namespaces();
        engine.finish();
        engine
    }

    fn empty(config: Config, now: Time) -> Self {
        Self {
            now,
            ids: Ids::new(config.seed),
            namespaces: Namespaces::default(),
            runs: Runs::default(),
            matching: Matching::new(config.fairness),
            queue_settings: QueueSettings::default(),
            deployments: Deployments::default(),
            workers: Workers::default(),
            waits: Waits::default(),
            pages: Pages::default(),
            queries: Queries::default(),
            visibility: Visibility::default(),
            schedules: Schedules::default(),
            activities: StandaloneActivities::default(),
            endpoints: Endpoints::default(),
            requests: Requests::default(),
            operations: StandaloneOperations::default(),
            chores: Chores::default(),
            batches: Batches::default(),
            closed_histories: ClosedHistories::default(),
            effects: VecDeque::new(),
            touched: Touched::default(),
            changes: Changes::new(config.durable),
            replies: Vec::new(),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Takes a call. Its answer comes with this input or a later one.
    pub fn handle(&mut self, call: &Call, request: Request, now: Time) {
        self.advance(now);
        self.serve(call.clone(), request);
        self.finish();
    }

    /// Serves a call, unless it needs a history that has to be read first.
    fn serve(&mut self, call: Call, request: Request) {
        let Some(request) = self.when_histories_are_there(&call, request) else { return };
        match self.dispatch(&call, request) {
            Ok(Outcome::Answered(response)) => self.reply(call.id, Ok(*response)),
            Ok(Outcome::Waits) => {}
            Err(refusal) => self.reply(call.id, Err(refusal)),
        }
    }

    /// Does what has become due. To be called when the instant of [`poll_timeout`](Self::poll_timeout) has come; earlier
    /// and later is no harm.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
        self.finish();
    }

    /// When something becomes due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let retention = [
            self.runs.next_retention(),
            self.activities.next_retention(),
            self.operations.next_retention(),
            self.batches.next_retention(),
        ];
        self.next_deadline().into_iter().chain(retention.into_iter().flatten()).min()
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    fn reply(&mut self, call: CallId, answer: Result<Response, Refusal>) {
        self.replies.push((call, answer));
    }

    /// The end of every input: what changed goes out in one piece, then the answers.
    fn finish(&mut self) {
        self.matching.handle_timeout(self.now);
        self.fire_deadlines();
        self.fire_schedules();
        self.do_chores();
        self.do_batches();
        self.carry_out_effects();
        self.purge_stale_tasks();
        self.publish_changes();
        self.publish_activities();
        self.publish_operations();
        self.publish_batches();
        self.namespaces.write(&mut self.changes);
        self.deployments.write(&mut self.changes);
        self.queue_settings.write(&mut self.changes);
        self.schedules.write(&mut self.changes);
        self.endpoints.write(&mut self.changes);
        let memory =
            restore::Memory { ids: self.ids.state(), next_run: self.runs.last_key(), now: self.now.unix_nanos() };
        Self::write_memory(&mut self.changes, &memory);
        self.outputs.extend(self.changes.take().map(Output::Write));
        self.forget_histories();
        self.outputs.extend(self.replies.drain(..).map(|(call, answer)| Output::Reply { call, answer }));
    }
}
