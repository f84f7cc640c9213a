//! A shard's view of the world: effects are spawned, and their results come back to its desk. A thread that has lost the
//! desk has no effects.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use stead_activation::Seq;
use stead_activity::WorkflowInfo;
use stead_core::{
    Completion, CompletionOutcome, FailedTask, Instant, LocalActivityAttempt, LocalActivityStop, QueryReply, Run,
};
use stead_data::Failure;
use tokio::runtime::Handle;

use super::Event;
use super::desk::Seat;
use crate::activity::run_local;
use crate::clock::Clock;
use crate::codec::Owner;
use crate::complete;
use crate::driver::{Incoming, Outside, TaskId, panic_message};
use crate::metrics::{Metrics, TaskMeasure};
use crate::shared::Shared;

/// The effects of one run of a shard.
pub(super) struct ShardOutside<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) seat: &'a Seat,
    pub(super) runtime: &'a Handle,
    pub(super) clock: Clock,
    pub(super) run_id: &'a str,
}

impl ShardOutside<'_> {
    /// Spawns `effect`; what it comes to goes back to the run. A panic in it, which may be a user's codec's, counts as a
    /// failure: a run must not wait for an answer that never comes.
    fn spawn<F>(&self, effect: F, failed: fn(String) -> Incoming)
    where
        F: Future<Output = Incoming> + Send + 'static,
    {
        let (desk, run_id) = (Arc::clone(self.seat.desk()), self.run_id.to_owned());
        self.runtime.spawn(async move {
            let outcome = AssertUnwindSafe(effect).catch_unwind().await;
            let incoming = outcome.unwrap_or_else(|panic| failed(format!("panicked: {}", panic_message(&*panic))));
            desk.push(Event { run_id, incoming, permit: None });
        });
    }

    /// Taken while the run is here for sure.
    fn owner(&self) -> Owner {
        self.shared.codec.owner_of_run(self.run_id)
    }

    /// Answers a task, unless somebody else does.
    fn respond<F>(&self, token: &[u8], respond: impl FnOnce(Arc<Shared>) -> F)
    where
        F: Future<Output = CompletionOutcome> + Send + 'static,
    {
        if !self.seat.answers(self.run_id, token) {
            return;
        }
        let respond = respond(Arc::clone(self.shared)).map(Incoming::Completed);
        self.spawn(respond, |message| Incoming::Completed(CompletionOutcome::Failed(message)));
    }
}

impl Outside for ShardOutside<'_> {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn activates(&mut self) {
        self.seat.beat();
    }

    fn fetch_history(&mut self, workflow_id: String, run_id: String, page_token: Bytes) {
        let (shared, owner) = (Arc::clone(self.shared), self.owner());
        let fetch = async move { complete::fetch_history(&shared, &owner, workflow_id, run_id, page_token).await };
        self.spawn(fetch, Incoming::HistoryFailed);
    }

    fn complete(&mut self, completion: Box<Completion>, measure: Option<TaskMeasure>) {
        let (run_id, owner) = (self.run_id.to_owned(), self.owner());
        let token = completion.task_token.clone();
        self.respond(&token, |shared| async move {
            complete::completed(&shared, &owner, *completion, &run_id, measure).await
        });
    }

    fn fail(&mut self, task: Box<FailedTask>, measure: Option<TaskMeasure>) {
        let (run_id, owner) = (self.run_id.to_owned(), self.owner());
        let token = task.task_token.clone();
        self.respond(&token, |shared| async move { complete::failed(&shared, &owner, *task, &run_id, measure).await });
    }

    fn answer_query(&mut self, reply: Box<QueryReply>) {
        let (run_id, owner) = (self.run_id.to_owned(), self.owner());
        let token = reply.task_token.clone();
        self.respond(&token, |shared| async move { complete::query_answered(&shared, &owner, *reply, &run_id).await });
    }

    fn start_local_activity(&mut self, attempt: Box<LocalActivityAttempt>, run: &Run) {
        let LocalActivityAttempt { seq, attempt: number, .. } = *attempt;
        let added = self.seat.with_attempts(self.run_id, |attempts| attempts.add(seq, number));
        let Some(cancellation) = added else { return };
        let workflow = WorkflowInfo::new(run.workflow_id(), run.run_id(), run.workflow_type());
        let (shared, desk, run_id) = (Arc::clone(self.shared), Arc::clone(self.seat.desk()), self.run_id.to_owned());
        self.runtime.spawn(run_local(shared, *attempt, workflow, cancellation, move |outcome| {
            let incoming = Incoming::LocalActivity { seq, attempt: number, outcome };
            desk.push(Event { run_id, incoming, permit: None });
        }));
    }

    fn stop_local_activity(&mut self, seq: Seq, attempt: u32, why: LocalActivityStop) {
        self.seat.with_attempts(self.run_id, |attempts| attempts.stop(seq, attempt, why));
    }

    fn metrics(&self) -> Option<&Metrics> {
        Some(&self.shared.metrics)
    }

    fn lost(&mut self, task: TaskId, message: String) {
        if !self.seat.answers(self.run_id, &task.token) {
            return;
        }
        let (shared, owner) = (Arc::clone(self.shared), self.owner());
        let failure = Failure::application(message).type_name("Panic");
        self.runtime.spawn(async move { complete::lost(&shared, &owner, task, failure).await });
    }
}
