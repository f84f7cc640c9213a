//! A shard's view of the world: effects are spawned, and their results come back through the inbox.

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
use super::inbox::Inbox;
use crate::activity::{Attempts, run_local};
use crate::clock::Clock;
use crate::codec::Owner;
use crate::complete;
use crate::driver::{Incoming, Outside, TaskId, panic_message};
use crate::shared::Shared;

/// The effects of one run of a shard.
pub(super) struct ShardOutside<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) inbox: &'a Arc<Inbox<Event>>,
    pub(super) runtime: &'a Handle,
    pub(super) clock: Clock,
    pub(super) run_id: &'a str,
    pub(super) attempts: &'a mut Attempts,
}

impl ShardOutside<'_> {
    /// Spawns `effect`; what it comes to goes back to the run. A panic in it, which may be a user's codec's, counts as a
    /// failure: a run must not wait for an answer that never comes.
    fn spawn<F>(&self, effect: F, failed: fn(String) -> Incoming)
    where
        F: Future<Output = Incoming> + Send + 'static,
    {
        let (inbox, run_id) = (Arc::clone(self.inbox), self.run_id.to_owned());
        self.runtime.spawn(async move {
            let outcome = AssertUnwindSafe(effect).catch_unwind().await;
            let incoming = outcome.unwrap_or_else(|panic| failed(format!("panicked: {}", panic_message(&*panic))));
            inbox.push(Event { run_id, incoming, permit: None });
        });
    }

    /// Taken while the run is here for sure.
    fn owner(&self) -> Owner {
        self.shared.codec.owner_of_run(self.run_id)
    }

    fn respond<F>(&self, respond: impl FnOnce(Arc<Shared>) -> F)
    where
        F: Future<Output = CompletionOutcome> + Send + 'static,
    {
        let respond = respond(Arc::clone(self.shared)).map(Incoming::Completed);
        self.spawn(respond, |message| Incoming::Completed(CompletionOutcome::Failed(message)));
    }
}

impl Outside for ShardOutside<'_> {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn fetch_history(&mut self, workflow_id: String, run_id: String, page_token: Bytes) {
        let (shared, owner) = (Arc::clone(self.shared), self.owner());
        let fetch = async move { complete::fetch_history(&shared, &owner, workflow_id, run_id, page_token).await };
        self.spawn(fetch, Incoming::HistoryFailed);
    }

    fn complete(&mut self, completion: Box<Completion>) {
        let (run_id, owner) = (self.run_id.to_owned(), self.owner());
        self.respond(|shared| async move { complete::completed(&shared, &owner, *completion, &run_id).await });
    }

    fn fail(&mut self, task: Box<FailedTask>) {
        let (run_id, owner) = (self.run_id.to_owned(), self.owner());
        self.respond(|shared| async move { complete::failed(&shared, &owner, *task, &run_id).await });
    }

    fn answer_query(&mut self, reply: Box<QueryReply>) {
        let (run_id, owner) = (self.run_id.to_owned(), self.owner());
        self.respond(|shared| async move { complete::query_answered(&shared, &owner, *reply, &run_id).await });
    }

    fn start_local_activity(&mut self, attempt: Box<LocalActivityAttempt>, run: &Run) {
        let LocalActivityAttempt { seq, attempt: number, .. } = *attempt;
        let cancellation = self.attempts.add(seq, number);
        let workflow = WorkflowInfo::new(run.workflow_id(), run.run_id(), run.workflow_type());
        let (shared, inbox, run_id) = (Arc::clone(self.shared), Arc::clone(self.inbox), self.run_id.to_owned());
        self.runtime.spawn(run_local(shared, *attempt, workflow, cancellation, move |outcome| {
            let incoming = Incoming::LocalActivity { seq, attempt: number, outcome };
            inbox.push(Event { run_id, incoming, permit: None });
        }));
    }

    fn stop_local_activity(&mut self, seq: Seq, attempt: u32, why: LocalActivityStop) {
        self.attempts.stop(seq, attempt, why);
    }

    fn lost(&mut self, task: TaskId, message: String) {
        let (shared, owner) = (Arc::clone(self.shared), self.owner());
        let failure = Failure::application(message).type_name("Panic");
        self.runtime.spawn(async move { complete::lost(&shared, &owner, task, failure).await });
    }
}
