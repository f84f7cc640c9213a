//! Activity tasks on their way: offered to workers, polled, and answered, by token or by the ids of their activity.

use prost::Message;
use stead_proto::common::v1::{Payloads, WorkflowExecution};
use stead_proto::failure::v1::Failure;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::workflowservice::v1 as api;

use super::activity::ActivityState;
use super::activity_options::check_queue;
use super::call::Outcome;
use super::control::already_completed;
use super::deployments::{directive_of, effective_version, pinned_version};
use super::matching::{Match, Polled, Poller, QueueKind, Task};
use super::namespaces::NamespaceKey;
use super::run::RunKey;
use super::standalone_activities::{ActivityKey, StandaloneActivity};
use super::token::{TaskToken, TokenKind};
use super::waits::Wait;
use super::workflow_tasks::{TaskRef, check_token_namespace};
use super::{Call, Engine, Refusal, Time, retry};

/// An activity that is to be answered.
#[derive(Clone, Copy, Debug)]
enum Pending {
    /// One of a run, by its scheduled event.
    OfRun { run: RunKey, id: i64 },
    /// One without a workflow.
    Standalone(ActivityKey),
}

impl Engine {
    pub(super) fn poll_activity_task_queue(
        &mut self,
        call: &Call,
        request: api::PollActivityTaskQueueRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let queue = request.task_queue.unwrap_or_default();
        check_queue(&queue.name, self.config.limits.id_length)?;
        let (options, capabilities) = (&request.deployment_options, &request.worker_version_capabilities);
        self.register_worker(namespace, QueueKind::Activity, &queue.name, options.as_ref(), capabilities.as_ref())?;
        let queue = self.matching.queue(namespace, QueueKind::Activity, &queue.name, self.now);
        let poller = Poller {
            call: call.id,
            identity: request.identity,
            worker_instance_key: request.worker_instance_key,
            deployment_options: request.deployment_options,
            capabilities: request.worker_version_capabilities,
            max_tasks_per_second: request.task_queue_metadata.and_then(|metadata| metadata.max_tasks_per_second),
        };
        match self.matching.poll(queue, poller, self.now) {
            Polled::Waits => {
                self.waits.insert(call.id, Wait::ActivityTask);
                Ok(Outcome::Waits)
            }
            Polled::ShutDown => Ok(api::PollActivityTaskQueueResponse::default().into()),
        }
    }

    pub(super) fn offer_activity(&mut self, key: RunKey, id: i64) {
        let Some(run) = self.runs.get(key) else { return };
        let Some(activity) = run.activities.get(&id) else { return };
        let queue = self.matching.queue(run.namespace(), QueueKind::Activity, &activity.task_queue, self.now);
        let task = Task {
            id: TaskRef::Activity { run: key, id, stamp: activity.stamp },
            workflow_id: &run.state.workflow_id,
            directive: directive_of(&run.state),
            priority: activity.priority.as_ref(),
            added: Time::from_unix_nanos(activity.scheduled_at),
        };
        self.matching.add(queue, task, self.now);
    }

    pub(super) fn start_activity_task(
        &mut self,
        key: RunKey,
        id: i64,
        stamp: u64,
        matched: &Match<TaskRef>,
    ) -> Option<api::PollActivityTaskQueueResponse> {
        let request_id = self.ids.uuid().to_string();
        let identity = &matched.poller.identity;
        let run = self.runs.get(key)?;
        let activity = run.activities.get(&id)?;
        if activity.stamp != stamp || !activity.is_offered() || run.is_paused() {
            return None;
        }
        if self.moves_before_activity(key, matched) {
            return None;
        }
        self.transact_speculative(key, |run, cx| run.start_activity(cx, id, stamp, identity, &request_id));
        let response = self.activity_task_response(key, id)?;
        Some(api::PollActivityTaskQueueResponse { poller_scaling_decision: matched.scaling, ..response })
    }

    /// Whether the workflow is to be on another version before its activities go on. They are offered again when it is.
    ///
    /// A worker of the version to which the workflow's next task would go has got an activity of it: the workflow goes
    /// there first. An activity whose queue is of other workers than the workflow's is none of its concern.
    fn moves_before_activity(&mut self, key: RunKey, matched: &Match<TaskRef>) -> bool {
        let Some(run) = self.runs.get(key) else { return false };
        if run.state.versioning.transition.is_some() {
            return true;
        }
        let dispatch = self.dispatch_of(run, matched);
        let is_there = effective_version(&run.state) == dispatch.worker.as_ref();
        if is_there || pinned_version(&run.state).is_some() || dispatch.worker != dispatch.target {
            return false;
        }
        self.transact(key, |run, cx| {
            run.follow_worker(dispatch);
            run.offer_task_again(cx);
            run.wake(cx);
        });
        true
    }

    /// A started activity as its worker gets it.
    pub(super) fn activity_task_response(&self, key: RunKey, id: i64) -> Option<api::PollActivityTaskQueueResponse> {
        let run = self.runs.get(key)?;
        let activity = run.activities.get(&id)?;
        let token = TaskToken {
            key: key.0,
            scheduled_event_id: id,
            attempt: activity.attempt,
            stamp: activity.stamp,
            started_at: activity.started.as_ref().map_or(0, |started| started.at),
            kind: TokenKind::ActivityTask as u32,
            id: activity.activity_id.clone(),
            ..Default::default()
        };
        Some(api::PollActivityTaskQueueResponse {
            task_token: token.bytes(),
            workflow_namespace: self.namespaces.get(run.namespace())?.info.name.clone(),
            workflow_type: Some(run.workflow_type()),
            workflow_execution: Some(run.execution()),
            ..attempt_response(activity)
        })
    }

    pub(super) fn respond_activity_task_completed(
        &mut self,
        request: api::RespondActivityTaskCompletedRequest,
    ) -> Result<Outcome, Refusal> {
        let pending = self.pending_by_token(&request.task_token, &request.namespace)?;
        self.complete_pending(pending, request.result, &request.identity);
        Ok(api::RespondActivityTaskCompletedResponse {}.into())
    }

    /// Who knows its id may complete an activity that no worker has taken.
    pub(super) fn respond_activity_task_completed_by_id(
        &mut self,
        request: api::RespondActivityTaskCompletedByIdRequest,
    ) -> Result<Outcome, Refusal> {
        let pending =
            self.pending_by_id(&request.namespace, request.workflow_id, request.run_id, &request.activity_id)?;
        self.complete_pending(pending, request.result, &request.identity);
        Ok(api::RespondActivityTaskCompletedByIdResponse {}.into())
    }

    pub(super) fn respond_activity_task_failed(
        &mut self,
        request: api::RespondActivityTaskFailedRequest,
    ) -> Result<Outcome, Refusal> {
        let pending = self.pending_by_token(&request.task_token, &request.namespace)?;
        let failures =
            self.fail_pending(pending, request.failure, request.last_heartbeat_details, &request.identity)?;
        Ok(api::RespondActivityTaskFailedResponse { failures }.into())
    }

    pub(super) fn respond_activity_task_failed_by_id(
        &mut self,
        request: api::RespondActivityTaskFailedByIdRequest,
    ) -> Result<Outcome, Refusal> {
        let pending =
            self.started_by_id(&request.namespace, request.workflow_id, request.run_id, &request.activity_id)?;
        let failures =
            self.fail_pending(pending, request.failure, request.last_heartbeat_details, &request.identity)?;
        Ok(api::RespondActivityTaskFailedByIdResponse { failures }.into())
    }

    pub(super) fn respond_activity_task_canceled(
        &mut self,
        request: api::RespondActivityTaskCanceledRequest,
    ) -> Result<Outcome, Refusal> {
        let pending = self.pending_by_token(&request.task_token, &request.namespace)?;
        self.cancel_pending(pending, request.details, &request.identity)?;
        Ok(api::RespondActivityTaskCanceledResponse {}.into())
    }

    pub(super) fn respond_activity_task_canceled_by_id(
        &mut self,
        request: api::RespondActivityTaskCanceledByIdRequest,
    ) -> Result<Outcome, Refusal> {
        let pending =
            self.started_by_id(&request.namespace, request.workflow_id, request.run_id, &request.activity_id)?;
        self.cancel_pending(pending, request.details, &request.identity)?;
        Ok(api::RespondActivityTaskCanceledByIdResponse {}.into())
    }

    pub(super) fn record_activity_task_heartbeat(
        &mut self,
        request: api::RecordActivityTaskHeartbeatRequest,
    ) -> Result<Outcome, Refusal> {
        let pending = self.pending_by_token(&request.task_token, &request.namespace)?;
        let (cancel_requested, activity_paused, activity_reset) =
            self.heartbeat(pending, request.details, &request.identity)?;
        Ok(api::RecordActivityTaskHeartbeatResponse { cancel_requested, activity_paused, activity_reset }.into())
    }

    pub(super) fn record_activity_task_heartbeat_by_id(
        &mut self,
        request: api::RecordActivityTaskHeartbeatByIdRequest,
    ) -> Result<Outcome, Refusal> {
        let pending =
            self.started_by_id(&request.namespace, request.workflow_id, request.run_id, &request.activity_id)?;
        let (cancel_requested, activity_paused, activity_reset) =
            self.heartbeat(pending, request.details, &request.identity)?;
        Ok(api::RecordActivityTaskHeartbeatByIdResponse { cancel_requested, activity_paused, activity_reset }.into())
    }

    fn complete_pending(&mut self, pending: Pending, result: Option<Payloads>, identity: &str) {
        if self.is_too_large(result.as_ref()) {
            return self.fail_on_size(pending, "Complete result exceeds size limit.", identity);
        }
        match pending {
            Pending::OfRun { run, id } => {
                self.transact(run, |run, cx| run.complete_activity(cx, id, result, identity));
            }
            Pending::Standalone(key) => {
                self.change_activity(key, |activity, now| activity.complete(now, result, identity));
            }
        }
    }

    /// Takes a worker's failure. What the worker is to be told of it: that something was too large.
    fn fail_pending(
        &mut self,
        pending: Pending,
        failure: Option<Failure>,
        last_heartbeat: Option<Payloads>,
        identity: &str,
    ) -> Result<Vec<Failure>, Refusal> {
        if failure.as_ref().is_some_and(|failure| !is_of_application(failure)) {
            return Err(Refusal::invalid("Failure must have ApplicationFailureInfo."));
        }
        let mut failures = Vec::new();
        let mut failure = failure.unwrap_or_else(|| pending.unexplained());
        let mut last_heartbeat = last_heartbeat;
        if self.is_too_large(last_heartbeat.as_ref()) {
            last_heartbeat = None;
            failures.push(retry::server_failure("Heartbeat details exceed size limit.", true));
        }
        if failure.encoded_len() > self.config.limits.blob {
            failure = retry::too_large(&failure, KEPT_OF_TOO_LARGE, true);
            failures.push(failure.clone());
        }
        if last_heartbeat.is_some() {
            self.progress(pending, last_heartbeat);
        }
        self.failed(pending, failure, identity);
        Ok(failures)
    }

    fn failed(&mut self, pending: Pending, failure: Failure, identity: &str) {
        match pending {
            Pending::OfRun { run, id } => {
                self.transact(run, |run, cx| run.fail_activity(cx, id, failure, identity));
            }
            Pending::Standalone(key) => {
                self.change_activity(key, |activity, now| activity.fail(now, failure, identity));
            }
        }
    }

    /// Takes what a worker tells of its progress.
    fn progress(&mut self, pending: Pending, details: Option<Payloads>) {
        match pending {
            Pending::OfRun { run, id } => {
                self.transact_speculative(run, |run, cx| run.activity_progress(cx, id, details));
            }
            Pending::Standalone(key) => {
                self.change_activity(key, |activity, now| activity.progress(now, details));
            }
        }
    }

    fn attempt(&self, pending: Pending) -> Option<&ActivityState> {
        match pending {
            Pending::OfRun { run, id } => self.runs.get(run)?.activities.get(&id),
            Pending::Standalone(key) => Some(self.activities.get(key)?.attempt()),
        }
    }

    /// What a worker sent of an activity is too large to be kept: the activity fails.
    fn fail_on_size(&mut self, pending: Pending, message: &str, identity: &str) {
        self.failed(pending, retry::server_failure(message, true), identity);
    }

    fn is_too_large(&self, payloads: Option<&Payloads>) -> bool {
        payloads.map_or(0, Payloads::encoded_len) > self.config.limits.blob
    }

    fn cancel_pending(&mut self, pending: Pending, details: Option<Payloads>, identity: &str) -> Result<(), Refusal> {
        if self.is_too_large(details.as_ref()) {
            self.fail_on_size(pending, "Cancel details exceed size limit.", identity);
            return Ok(());
        }
        if !self.attempt(pending).is_some_and(ActivityState::cancel_requested) {
            return Err(Refusal::invalid(
                "unable to mark activity as canceled without activity being request canceled first",
            ));
        }
        match pending {
            Pending::OfRun { run, id } => {
                self.transact(run, |run, cx| run.cancel_activity(cx, id, details, identity));
            }
            Pending::Standalone(key) => {
                self.change_activity(key, |activity, now| activity.cancel(now, details));
            }
        }
        Ok(())
    }

    /// What the worker is to know: whether the activity is to end, is paused, has been reset.
    fn heartbeat(
        &mut self,
        pending: Pending,
        details: Option<Payloads>,
        identity: &str,
    ) -> Result<(bool, bool, bool), Refusal> {
        if self.is_too_large(details.as_ref()) {
            self.fail_on_size(pending, "Heartbeat details exceed size limit.", identity);
            return Ok((true, false, false));
        }
        self.progress(pending, details);
        let activity = self.attempt(pending).ok_or_else(|| pending.not_found())?;
        let paused = activity.pause.is_some() && !(pending.is_standalone() && activity.reset);
        Ok((activity.cancel_requested(), paused, activity.reset))
    }

    /// The attempt that a token is of. Whoever has the token may leave out the namespace, but not name another.
    fn pending_by_token(&self, token: &bytes::Bytes, namespace: &str) -> Result<Pending, Refusal> {
        let namespace = self.namespaces.named(namespace)?;
        let token = TaskToken::read(token)?;
        if token.is(TokenKind::StandaloneActivityTask) {
            return self.standalone_by_token(&token, namespace);
        }
        let run =
            self.runs.get(RunKey(token.key)).filter(|_| token.is(TokenKind::ActivityTask)).ok_or_else(not_found)?;
        check_token_namespace(namespace, run.namespace())?;
        if !run.is_open() {
            return Err(already_completed());
        }
        let activity = run.activities.get(&token.scheduled_event_id).ok_or_else(not_found)?;
        if !is_attempt(activity, &token) {
            return Err(not_found());
        }
        Ok(Pending::OfRun { run: run.key, id: token.scheduled_event_id })
    }

    fn standalone_by_token(&self, token: &TaskToken, namespace: Option<NamespaceKey>) -> Result<Pending, Refusal> {
        let key = ActivityKey(token.key);
        let not_found = || Refusal::not_found(format!("activity not found for ID: {}", token.id));
        let activity = self.activities.get(key).ok_or_else(not_found)?;
        check_token_namespace(namespace, activity.namespace())?;
        is_attempt(activity.attempt(), token).then_some(Pending::Standalone(key)).ok_or_else(not_found)
    }

    /// The activity of an id, which a worker has.
    fn started_by_id(
        &self,
        namespace: &str,
        workflow_id: String,
        run_id: String,
        activity_id: &str,
    ) -> Result<Pending, Refusal> {
        let pending = self.pending_by_id(namespace, workflow_id, run_id, activity_id)?;
        let started = self.attempt(pending).is_some_and(|activity| activity.started.is_some());
        started.then_some(pending).ok_or_else(|| pending.not_found())
    }

    fn pending_by_id(
        &self,
        namespace: &str,
        workflow_id: String,
        run_id: String,
        activity_id: &str,
    ) -> Result<Pending, Refusal> {
        let namespace: NamespaceKey = self.namespaces.key(namespace)?;
        if activity_id.is_empty() {
            return Err(Refusal::invalid("ActivityId is not set on request."));
        }
        if workflow_id.is_empty() {
            let key = self.activities.find(namespace, activity_id, &run_id)?;
            let open = self.activities.get(key).is_some_and(StandaloneActivity::is_open);
            return open.then_some(Pending::Standalone(key)).ok_or_else(|| Pending::Standalone(key).not_found());
        }
        let key = self.runs.find(namespace, Some(&WorkflowExecution { workflow_id, run_id }))?;
        let run = self.runs.get(key).filter(|run| run.is_open()).ok_or_else(already_completed)?;
        let id = run.activity_ids.get(activity_id).copied();
        let id = id.ok_or_else(|| {
            Refusal::not_found(format!(
                "cannot find pending activity with ActivityID {activity_id}, check workflow execution history for more \
                 details"
            ))
        })?;
        Ok(Pending::OfRun { run: key, id })
    }
}

impl Pending {
    fn is_standalone(self) -> bool {
        matches!(self, Self::Standalone(_))
    }

    fn not_found(self) -> Refusal {
        match self {
            Self::OfRun { .. } => not_found(),
            Self::Standalone(_) => Refusal::not_found("activity task not found"),
        }
    }

    /// The failure of an attempt whose worker does not say why. What has no history has to say something.
    fn unexplained(self) -> Failure {
        let message = if self.is_standalone() { "activity task failed without failure details" } else { "" };
        Failure { message: message.to_owned(), ..Default::default() }
    }
}

/// Whether a token is of the attempt that a worker has.
fn is_attempt(activity: &ActivityState, token: &TaskToken) -> bool {
    let started = activity.started.as_ref();
    activity.attempt == token.attempt && started.is_some_and(|started| started.at == token.started_at)
}

/// An attempt as its worker gets it, whoever owns the activity.
pub(super) fn attempt_response(activity: &ActivityState) -> api::PollActivityTaskQueueResponse {
    let at = |nanos: i64| Some(Time::from_unix_nanos(nanos).timestamp());
    api::PollActivityTaskQueueResponse {
        activity_type: activity.activity_type.clone(),
        activity_id: activity.activity_id.clone(),
        header: activity.header.clone(),
        input: activity.input.clone(),
        heartbeat_details: activity.heartbeat_details.clone(),
        scheduled_time: at(activity.first_scheduled_at),
        current_attempt_scheduled_time: at(activity.scheduled_at),
        started_time: activity.started.as_ref().and_then(|started| at(started.at)),
        attempt: activity.attempt,
        schedule_to_close_timeout: activity.schedule_to_close,
        start_to_close_timeout: activity.start_to_close,
        heartbeat_timeout: activity.heartbeat,
        retry_policy: activity.retry_policy.clone(),
        priority: activity.priority.clone(),
        ..Default::default()
    }
}

pub(super) fn not_found() -> Refusal {
    Refusal::not_found("invalid activityID or activity already timed out or invoking workflow is completed")
}

/// Workers send no others; a failure of the server, or of another activity, would not say what it seems to say.
fn is_of_application(failure: &Failure) -> bool {
    matches!(failure.failure_info, Some(FailureInfo::ApplicationFailureInfo(_)))
}

/// What is kept of a failure that is larger than a payload may be (`limit.blobSize.warn`).
const KEPT_OF_TOO_LARGE: usize = 512 << 10;
