//! Batch operations: the same thing done to many executions, some at a time, so that calls are served in between.
//!
//! ```text
//!        StartBatchOperation
//!                │         a step: the next executions of the query or the list
//!                ▼   ┌───┐
//!             Running┘◀──┘
//!   stopped, or  │ │
//!   a bad query  │ │ nothing is left
//!                ▼ ▼
//!           Failed Completed           forgotten when the retention of the namespace is over
//! ```
//!
//! `checks` is what a batch may not be, `targets` which executions it is about, `operations` what it does to one,
//! `calls` how it is begun, looked at and stopped. (`service/worker/batcher` of Temporal's server, where a batch is a
//! workflow in a division of its own; lists that ask for that division find it here, too.)

mod calls;
mod checks;
mod operations;
mod resets;
mod targets;

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;
use stead_proto::enums::v1::{IndexedValueType, WorkflowExecutionStatus as Status};
use stead_proto::workflowservice::v1::StartBatchOperationRequest as Order;

use super::executions::{Execution, Executions};
use super::namespaces::NamespaceKey;
use super::rows::{Changes, Rows};
use super::run::RunKey;
use super::schedules::attribute;
use super::time::duration;
use super::visibility::{Kind, Record};
use super::{Engine, Time};
use crate::store::Table;
use operations::Done;

/// All batches.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    progress: Executions<Batch>,
    /// What was asked for, by the same keys. It never changes, so a step writes nothing of it.
    orders: Rows<u64, Order>,
    /// Batches that go on when the history of a closed run has been read.
    readers: BTreeSet<(RunKey, u64)>,
}

/// How far a batch is.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Batch {
    #[prost(uint64, tag = "1")]
    namespace: u64,
    #[prost(string, tag = "2")]
    id: String,
    #[prost(string, tag = "3")]
    run_id: String,
    #[prost(enumeration = "Status", tag = "4")]
    status: i32,
    #[prost(int64, tag = "5")]
    started_at: i64,
    #[prost(int64, tag = "6")]
    closed_at: i64,
    /// When the next step is due; 0 while a history is being read for it.
    #[prost(int64, tag = "7")]
    next_at: i64,
    /// Executions a second at most; 0 does not limit them.
    #[prost(float, tag = "8")]
    rate: f32,
    /// Known when the executions have been counted.
    #[prost(message, optional, tag = "9")]
    counts: Option<Counts>,
    /// The place of the last execution that was seen to, in the order of the query or the list.
    #[prost(bytes = "bytes", tag = "10")]
    position: Bytes,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Counts {
    #[prost(int64, tag = "1")]
    total: i64,
    #[prost(int64, tag = "2")]
    succeeded: i64,
    #[prost(int64, tag = "3")]
    failed: i64,
}

impl Execution for Batch {
    fn namespace(&self) -> NamespaceKey {
        NamespaceKey(self.namespace)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn run_id(&self) -> &str {
        &self.run_id
    }

    fn next_deadline(&self) -> Option<Time> {
        (self.is_open() && self.next_at != 0).then(|| Time::from_unix_nanos(self.next_at))
    }

    /// One with a rate waits between its steps, like a timer.
    fn is_busy(&self) -> bool {
        self.is_open() && self.rate == 0.0
    }
}

impl Batch {
    fn is_open(&self) -> bool {
        self.closed_at == 0
    }

    /// How many executions a step is about.
    fn step(&self) -> usize {
        // The rate is positive where there is one, and the cast saturates.
        if self.rate == 0.0 { STEP } else { (self.rate as usize).clamp(1, STEP) }
    }

    /// What lists of workflows see of it, if they look into the division of batches.
    fn record(&self, identity: &str) -> Record {
        let keyword = |text: &str| attribute(serde_json::Value::from(text).to_string(), IndexedValueType::Keyword);
        let attributes = [("TemporalNamespaceDivision", keyword(DIVISION)), ("BatcherUser", keyword(identity))];
        let started = Time::from_unix_nanos(self.started_at);
        let mut record = Record {
            id: self.id.clone(),
            run_id: self.run_id.clone(),
            type_name: "temporal-sys-batch-workflow-protobuf".to_owned(),
            task_queue: "temporal-sys-per-ns-tq".to_owned(),
            status: self.status,
            start_time: started,
            execution_time: started,
            close_time: (!self.is_open()).then(|| Time::from_unix_nanos(self.closed_at)),
            ..Record::default()
        };
        record.search_attributes.indexed_fields.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
        record
    }
}

impl Batches {
    pub(super) fn any_is_busy(&self) -> bool {
        self.progress.any_is_busy()
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.progress.next_timeout()
    }

    pub(super) fn next_retention(&self) -> Option<Time> {
        self.progress.next_retention()
    }

    fn write(&mut self, changes: &mut Changes) {
        self.progress.write(Table::BatchOperations, changes);
        self.orders.write(Table::BatchOperations, ORDER, changes);
    }

    /// Takes a row that was stored.
    pub(super) fn load(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        match key.strip_prefix(ORDER) {
            Some(key) if key.len() == 8 => self.orders.load(key, value),
            _ => self.progress.load(key, value),
        }
    }

    fn of_namespace(&self, namespace: NamespaceKey) -> impl Iterator<Item = (u64, &Batch)> {
        let all = self.progress.keys().into_iter().filter_map(|key| Some((key, self.progress.get(key)?)));
        all.filter(move |(_, batch)| batch.namespace() == namespace)
    }
}

impl Engine {
    /// Takes the step that is due, if one is, and forgets what need not be remembered any more.
    pub(super) fn do_batches(&mut self) {
        if let Some(key) = self.batches.progress.due(self.now) {
            self.step_batch(key);
        }
        while let Some(key) = self.batches.progress.take_expired(self.now) {
            self.forget_batch(key);
        }
    }

    /// The batches that waited for a history go on.
    pub(super) fn batches_go_on(&mut self, run: RunKey) {
        let readers = self.batches.readers.range((run, 0)..=(run, u64::MAX)).copied().collect::<Vec<_>>();
        for reader in readers {
            self.batches.readers.remove(&reader);
            self.step_batch(reader.1);
        }
    }

    /// Sees to the next executions.
    fn step_batch(&mut self, key: u64) {
        let counted = self.count_batch(key);
        let targets = counted.and_then(|()| self.next_targets(key));
        let (Ok(targets), Some(job)) = (targets, self.job(key)) else {
            // The server's own batches fail likewise when their query turns out to be none.
            return self.close_batch(key, Status::Failed);
        };
        for target in &targets.next {
            let done = self.do_to(&job, target);
            if let Done::Reads(run) = done {
                self.read_history(run);
                self.batches.readers.insert((run, key));
                return self.change_batch(key, |batch, _| batch.next_at = 0);
            }
            self.change_batch(key, |batch, _| {
                batch.position.clone_from(&target.after);
                let counts = batch.counts.get_or_insert_default();
                match done {
                    Done::Failed => counts.failed += 1,
                    Done::Well | Done::Reads(_) => counts.succeeded += 1,
                }
            });
        }
        if targets.more {
            let seen_to = targets.next.len() as f64;
            self.change_batch(key, |batch, now| batch.next_at = (now + pause(batch.rate, seen_to)).unix_nanos());
        } else {
            self.close_batch(key, Status::Completed);
        }
    }

    fn change_batch(&mut self, key: u64, change: impl FnOnce(&mut Batch, Time)) {
        if let Some(batch) = self.batches.progress.get_mut(key) {
            change(batch, self.now);
            self.batches.progress.watch(key);
        }
    }

    fn close_batch(&mut self, key: u64, status: Status) {
        self.change_batch(key, |batch, now| {
            batch.set_status(status);
            batch.closed_at = now.unix_nanos();
        });
        self.batches.readers.retain(|(_, reader)| *reader != key);
        self.keep_closed_batch(key);
    }

    fn keep_closed_batch(&mut self, key: u64) {
        let Some(batch) = self.batches.progress.get(key) else { return };
        let namespace = self.namespaces.get(batch.namespace());
        let retention =
            namespace.and_then(|namespace| duration(namespace.config.workflow_execution_retention_ttl.as_ref()));
        let until = Time::from_unix_nanos(batch.closed_at) + retention.unwrap_or_default();
        self.batches.progress.keep_until(key, until);
    }

    /// What lists show and what is kept, after all that this input changed.
    pub(super) fn publish_batches(&mut self) {
        for key in self.batches.progress.take_touched() {
            self.list_batch(key);
        }
        self.batches.write(&mut self.changes);
    }

    fn list_batch(&mut self, key: u64) {
        let (Some(batch), Some(order)) = (self.batches.progress.get(key), self.batches.orders.get(&key)) else {
            return;
        };
        let record = batch.record(order.operation.as_ref().map_or("", targets::identity));
        self.visibility.upsert(batch.namespace(), Kind::Workflow, record);
    }

    fn forget_batch(&mut self, key: u64) {
        if let Some(batch) = self.batches.progress.remove(key) {
            self.visibility.remove(batch.namespace(), Kind::Workflow, &batch.run_id);
        }
        self.batches.orders.remove(&key);
        self.batches.readers.retain(|(_, reader)| *reader != key);
    }

    /// Forgets all batches of a namespace.
    pub(super) fn forget_batches(&mut self, namespace: NamespaceKey) {
        let keys: Vec<_> = self.batches.of_namespace(namespace).map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.forget_batch(key));
    }

    /// Goes on after a restart, when lists are complete again: a step before that would find nothing.
    pub(super) fn resume_batches(&mut self) {
        let now = self.now.unix_nanos();
        for key in self.batches.progress.keys() {
            match self.batches.progress.get(key) {
                Some(batch) if batch.is_open() => self.change_batch(key, |batch, _| batch.next_at = now),
                _ => self.keep_closed_batch(key),
            }
            self.list_batch(key);
        }
    }
}

/// How long a batch rests after so many executions.
fn pause(rate: f32, seen_to: f64) -> std::time::Duration {
    let seconds = if rate == 0.0 { 0.0 } else { seen_to / f64::from(rate) };
    std::time::Duration::try_from_secs_f64(seconds).unwrap_or(std::time::Duration::MAX)
}

/// How many executions a step is about: calls wait for no more than that.
const STEP: usize = 50;

/// Keys of orders begin with this, and then are those of the batches.
const ORDER: &[u8] = b"o";

/// The division in which Temporal's server has its batches.
const DIVISION: &str = "TemporalBatcher";
