//! Queries of workflows: with the next workflow task if there is news that comes first, else as tasks of their own.
//!
//! ```text
//!            there is a workflow task            the worker has answered others, and no task follows
//!    (new) ─────────────────────────▶ Buffered ───────────────────────────────┐
//!      │                                 │ answered with a workflow task      │
//!      │ there is none                   ▼                                    │
//!      │                             (answered)                               │
//!      │                                 ▲ answered                           │
//!      │      ┌──────────────────────────┴───────────────┐                    │
//!      └──▶ Offered ─────────────────────────────▶ Started                    │
//!            ▲ │ ▲   a worker takes it             │                          │
//!            │ └─┼─────────────────────────────────┘ the worker that knows    │
//!            │   └──── the run is not heard of in time: any may have it       │
//!            └────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Nothing of a query is kept, for its caller does not wait beyond a restart.

pub(crate) mod answers;
mod registry;

use std::time::Duration;

use stead_proto::enums::v1::{QueryRejectCondition, ResourceExhaustedCause, WorkflowExecutionStatus as Status};
use stead_proto::query::v1::QueryRejected;
use stead_proto::workflowservice::v1 as api;

use super::call::Outcome;
use super::control::already_completed;
use super::deployments::directive_of;
use super::matching::{Match, QueueId, QueueKind, Task};
use super::run::{Run, RunKey};
use super::time::duration;
use super::updates::HOPELESS_ATTEMPT;
use super::waits::Wait;
use super::workflow_tasks::TaskRef;
use super::{Call, Engine, Refusal, raw, runs};
pub(crate) use registry::{Queries, QueryId};
use registry::{Query, State};

/// How long the worker that knows a run may take for a query, if it does not say (`DefaultStickyScheduleToStart` of
/// SDKs).
const STICKY_PATIENCE: Duration = Duration::from_secs(5);

impl Engine {
    pub(super) fn query_workflow(
        &mut self,
        call: &Call,
        request: api::QueryWorkflowRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        runs::named(request.execution.as_ref())?;
        let rejects = request.query_reject_condition();
        let Some(query) = request.query else { return Err(Refusal::invalid("WorkflowQuery is not set on request.")) };
        if query.query_type.is_empty() {
            return Err(Refusal::invalid("QueryType is not set on request."));
        }
        self.check_blob(query.query_args.as_ref())?;
        let key = self.runs.find(namespace, request.execution.as_ref())?;
        let Some(run) = self.runs.get(key) else { return Err(already_completed()) };
        if let Some(status) = rejected(run, rejects) {
            let query_rejected = Some(QueryRejected { status: status.into() });
            return Ok(api::QueryWorkflowResponse { query_rejected, ..Default::default() }.into());
        }
        check_queryable(run)?;
        if call.patience.is_some_and(|patience| run.in_backoff(run.instant(self.now) + patience)) {
            return Err(Refusal::not_ready("Workflow task is not scheduled yet."));
        }
        let at_once = run.answers_queries_at_once();
        if !at_once && self.queries.buffered(key).len() >= self.config.limits.buffered_queries {
            return Err(Refusal::exhausted(
                ResourceExhaustedCause::BusyWorkflow,
                "consistent query buffer is full, this may be caused by too many queries and workflow not able to \
                 process query fast enough",
            ));
        }
        let id = self.queries.insert(Query { call: call.id, run: key, query, state: State::Buffered });
        self.waits.insert(call.id, Wait::Query(id));
        if at_once {
            self.offer_query(id);
        }
        Ok(Outcome::Waits)
    }

    /// Puts a query into the queue of the worker that knows the run, if that worker lives, or of any.
    fn offer_query(&mut self, id: QueryId) {
        let Some(key) = self.queries.get(id).map(|query| query.run) else { return };
        let Some(run) = self.runs.get(key) else { return };
        let sticky = run.state.sticky.as_ref().map(|sticky| {
            let queue = self.matching.queue(run.namespace(), QueueKind::Sticky, &sticky.queue, self.now);
            (queue, duration(sticky.schedule_to_start.as_ref()).unwrap_or(STICKY_PATIENCE))
        });
        match sticky.filter(|(queue, _)| self.matching.has_recent_poller(*queue, self.now)) {
            Some((queue, patience)) => {
                let stamp = self.queries.offer(id, Some(self.now + patience));
                self.add_query(key, id, stamp, queue);
            }
            None => self.offer_query_to_any(id),
        }
    }

    /// The worker that knew the run does not answer: from now on the run is anybody's.
    fn offer_query_to_any(&mut self, id: QueryId) {
        let Some(key) = self.queries.get(id).map(|query| query.run) else { return };
        self.forget_sticky(key);
        let Some(run) = self.runs.get(key) else { return };
        let queue = self.matching.queue(run.namespace(), QueueKind::Workflow, &run.state.task_queue, self.now);
        let stamp = self.queries.offer(id, None);
        self.add_query(key, id, stamp, queue);
    }

    fn add_query(&mut self, key: RunKey, id: QueryId, stamp: u64, queue: QueueId) {
        let Some(run) = self.runs.get(key) else { return };
        let task = Task {
            id: TaskRef::Query { id, stamp },
            workflow_id: &run.state.workflow_id,
            directive: directive_of(&run.state),
            priority: run.state.priority.as_ref(),
            added: self.now,
        };
        self.matching.add(queue, task, self.now);
    }

    /// Gives a query to the worker that polled for it, unless it has been answered or is elsewhere by now.
    pub(super) fn start_query(
        &mut self,
        id: QueryId,
        stamp: u64,
        matched: &Match<TaskRef>,
    ) -> Option<raw::PollWorkflowTaskQueueResponse> {
        let sticky = self.queries.start(id, stamp)?;
        let query = self.queries.get(id)?;
        let response = self.query_task_response(query.run, sticky)?;
        Some(raw::PollWorkflowTaskQueueResponse {
            task_token: answers::token(id, query.run, stamp).bytes(),
            query: Some(query.query.clone()),
            backlog_count_hint: i64::try_from(matched.backlog).unwrap_or(i64::MAX),
            poller_scaling_decision: matched.scaling,
            ..response
        })
    }

    /// A workflow task is done and none follows: what it did not answer is asked without one.
    pub(super) fn unblock_queries(&mut self, key: RunKey) {
        for id in self.queries.buffered(key) {
            match self.runs.get(key).map(check_queryable) {
                Some(Ok(())) => self.offer_query(id),
                Some(Err(refusal)) => self.answer_query(id, Err(refusal)),
                None => {}
            }
        }
    }

    /// Asks anybody what the worker that knows the run has not answered in time.
    pub(super) fn fire_query_deadlines(&mut self) {
        while let Some(id) = self.queries.take_due(self.now) {
            self.offer_query_to_any(id);
        }
    }

    pub(super) fn reset_sticky_task_queue(
        &mut self,
        request: &api::ResetStickyTaskQueueRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let key = self.runs.find(namespace, request.execution.as_ref())?;
        if !self.runs.get(key).is_some_and(Run::is_open) {
            return Err(already_completed());
        }
        self.forget_sticky(key);
        Ok(api::ResetStickyTaskQueueResponse {}.into())
    }

    fn forget_sticky(&mut self, key: RunKey) {
        if self.runs.get(key).is_some_and(|run| run.state.sticky.is_some()) {
            self.transact_speculative(key, |run, _| run.state.sticky = None);
        }
    }
}

impl Run {
    /// Whether there is no news that a query must not overtake.
    fn answers_queries_at_once(&self) -> bool {
        self.has_completed_task() && (!self.is_open() || self.state.task.is_none())
    }

    fn has_completed_task(&self) -> bool {
        self.state.previous_started_event_id > 0
    }
}

/// The status because of which a query is not even asked.
fn rejected(run: &Run, condition: QueryRejectCondition) -> Option<Status> {
    let status = run.status();
    let rejects = match condition {
        _ if run.is_paused() => return Some(Status::Paused),
        QueryRejectCondition::NotOpen => !run.is_open(),
        QueryRejectCondition::NotCompletedCleanly => !run.is_open() && status != Status::Completed,
        QueryRejectCondition::None | QueryRejectCondition::Unspecified => false,
    };
    rejects.then_some(status)
}

fn check_queryable(run: &Run) -> Result<(), Refusal> {
    if !run.is_open() && !run.has_completed_task() {
        return Err(Refusal::not_ready("Workflow execution closed before WorkflowTaskStarted event"));
    }
    if run.state.task_attempt >= HOPELESS_ATTEMPT {
        return Err(Refusal::not_ready("Unable to query workflow due to Workflow Task in failed state."));
    }
    Ok(())
}
