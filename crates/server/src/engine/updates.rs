//! Updates of workflows: admitted, sent with workflow tasks, and waited for until they reach a stage.
//!
//! What a run knows of its updates is in [`registry`], what workers say about them in [`steps`]. Here are the calls:
//! what they ask for, and what they are answered when.

mod registry;
mod steps;

use stead_proto::common::v1::{Link, link};
use stead_proto::enums::v1::{EventType, UpdateWorkflowExecutionLifecycleStage as Lifecycle};
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::update::v1::{Outcome as UpdateOutcome, Request, UpdateRef, outcome};
use stead_proto::workflowservice::v1 as api;

use super::call::Outcome;
use super::control::{already_completed, check_not_closing, closing};
use super::effect::Effect;
use super::links::check_links;
use super::multi_operation::WithStart;
use super::nexus::callbacks::check_callbacks;
use super::refusal::Code;
use super::run::workflow_task::TaskOrigin;
use super::run::{Context, Run, RunKey};
use super::waits::Wait;
use super::{CallId, Engine, Refusal, Response, runs};
pub(crate) use registry::{Stage, Updates};
pub(crate) use steps::UpdateStep;

/// The attempt of the workflow task from which on there is no hope that it takes updates or queries.
pub(super) const HOPELESS_ATTEMPT: i32 = 3;

/// A call that waits for a stage of an update.
#[derive(Debug)]
pub(crate) struct UpdateWait {
    pub(crate) run: RunKey,
    update_id: String,
    stage: Lifecycle,
    origin: Origin,
}

/// Who waits, and what kind of answer is wanted.
#[derive(Debug)]
enum Origin {
    Update(Box<api::UpdateWorkflowExecutionRequest>),
    Poll,
    WithStart(Box<WithStart>),
}

/// How an update ends without a trace.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Rejected(Box<Failure>),
    /// The run has closed.
    Closed,
    /// The run has closed, and another follows it: whoever asks again asks that one.
    Continued,
    /// The server did not take the answer of the worker that had the update.
    TaskFailed,
}

/// How far an update has come, as its callers are told.
#[derive(Clone, Debug)]
struct Reached {
    stage: Lifecycle,
    outcome: Option<UpdateOutcome>,
}

impl Engine {
    pub(super) fn update_workflow_execution(
        &mut self,
        call: CallId,
        mut request: api::UpdateWorkflowExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        runs::named(request.workflow_execution.as_ref())?;
        self.prepare_update(&mut request)?;
        let execution = request.workflow_execution.as_ref();
        let run = self.find_in_chain(namespace, execution, &request.first_execution_run_id)?;
        self.apply_update(run, &request)?;
        let wait = UpdateWait {
            run,
            update_id: update_id(&request).to_owned(),
            stage: request.wait_policy.unwrap_or_default().lifecycle_stage(),
            origin: Origin::Update(Box::new(request)),
        };
        Ok(self.await_update(call, wait))
    }

    pub(super) fn poll_workflow_execution_update(
        &mut self,
        call: CallId,
        request: api::PollWorkflowExecutionUpdateRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let Some(reference) = &request.update_ref else {
            return Err(Refusal::invalid("UpdateRef is not set on request."));
        };
        let run = self.runs.find(namespace, reference.workflow_execution.as_ref())?;
        let update_id = reference.update_id.clone();
        if self.reached(run, &update_id).is_none() {
            return Err(Refusal::not_found(format!("update {update_id:?} not found")));
        }
        let stage = request.wait_policy.unwrap_or_default().lifecycle_stage();
        Ok(self.await_update(call, UpdateWait { run, update_id, stage, origin: Origin::Poll }))
    }

    /// Checks a request, and completes it.
    pub(super) fn prepare_update(&mut self, request: &mut api::UpdateWorkflowExecutionRequest) -> Result<(), Refusal> {
        let limit = self.config.limits.id_length;
        let update = request.request.get_or_insert_default();
        let Some(meta) = &mut update.meta else { return Err(Refusal::invalid("Update meta is not set on request.")) };
        if meta.update_id.len() > limit {
            return Err(Refusal::invalid("UpdateId length exceeds limit."));
        }
        if meta.update_id.is_empty() {
            meta.update_id = self.ids.uuid().to_string();
        }
        let Some(input) = &update.input else { return Err(Refusal::invalid("Update input is not set on request.")) };
        if input.name.is_empty() {
            return Err(Refusal::invalid("Update name is not set on request."));
        }
        if !update.completion_callbacks.is_empty() && update.request_id.is_empty() {
            let message = "invalid *update.Request: request_id is required when completion_callbacks are set";
            return Err(Refusal::invalid(message));
        }
        check_callbacks(&mut update.completion_callbacks)?;
        let of_callbacks = update.completion_callbacks.iter().flat_map(|callback| &callback.links);
        check_links(update.links.iter().chain(of_callbacks))?;
        let policy = request.wait_policy.get_or_insert_default();
        match policy.lifecycle_stage() {
            Lifecycle::Admitted => Err(Refusal::new(
                Code::PermissionDenied,
                "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported.",
            )
            .with(&stead_proto::errordetails::v1::PermissionDeniedFailure::default())),
            Lifecycle::Unspecified => {
                policy.set_lifecycle_stage(Lifecycle::Completed);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Admits an update to a run, unless the run knows it already.
    pub(super) fn apply_update(
        &mut self,
        key: RunKey,
        request: &api::UpdateWorkflowExecutionRequest,
    ) -> Result<(), Refusal> {
        let id = update_id(request);
        let run = self.runs.get(key).ok_or_else(already_completed)?;
        let known = run.updates.stage(id).is_some();
        if !run.is_open() {
            return if known { Ok(()) } else { Err(already_completed()) };
        }
        if run.is_paused() {
            return Err(Refusal::failed_precondition("Workflow is paused. Cannot update the workflow."));
        }
        if run.state.task_attempt >= HOPELESS_ATTEMPT {
            return Err(Refusal::not_ready(
                "Unable to perform workflow execution update due to Workflow Task in failed state.",
            ));
        }
        check_not_closing(run)?;
        let update = request.request.clone().unwrap_or_default();
        run.check_callback_limit(update.completion_callbacks.len())?;
        if known {
            self.attach_to_update(key, id.to_owned(), update);
            return Ok(());
        }
        run.updates.check_limits(&self.config.limits, &update)?;
        let id = id.to_owned();
        self.transact_speculative(key, |run, cx| {
            run.updates.admit(id, update);
            run.wake_for_updates(cx);
        });
        Ok(())
    }

    /// Whoever asks for an update that is under way is called back when it ends, too.
    fn attach_to_update(&mut self, key: RunKey, id: String, update: Request) {
        let Some(run) = self.runs.get_mut(key).filter(|_| !update.completion_callbacks.is_empty()) else { return };
        match run.updates.stage(&id) {
            Some(Stage::Admitted | Stage::Sent) => run.updates.attach(&id, update),
            Some(Stage::Accepted { .. }) => {
                self.transact(key, |run, cx| run.attach_to_update(cx, &id, update));
            }
            // The answer has the outcome.
            Some(Stage::Completed { .. }) | None => {}
        }
    }

    pub(super) fn knows_update(&self, key: RunKey, request: &api::UpdateWorkflowExecutionRequest) -> bool {
        self.reached(key, update_id(request)).is_some()
    }

    /// The answer, if the workflow has completed the update.
    pub(super) fn completed_update_response(
        &self,
        key: RunKey,
        request: &api::UpdateWorkflowExecutionRequest,
    ) -> Option<api::UpdateWorkflowExecutionResponse> {
        let stage = self.runs.get(key)?.updates.stage(update_id(request))?;
        let reached = self.reached(key, update_id(request)).filter(|_| matches!(stage, Stage::Completed { .. }))?;
        Some(self.updated(key, request, reached))
    }

    pub(super) fn await_update_with_start(&mut self, call: CallId, run: RunKey, with: WithStart) -> Outcome {
        let update_id = update_id(&with.update).to_owned();
        self.await_update(
            call,
            UpdateWait { run, update_id, stage: with.stage(), origin: Origin::WithStart(with.into()) },
        )
    }

    /// Lets a call wait until its update reaches the stage that it asks for.
    fn await_update(&mut self, call: CallId, wait: UpdateWait) -> Outcome {
        match self.reached(wait.run, &wait.update_id).filter(|reached| wait.is_content_with(reached)) {
            Some(reached) => Outcome::Answered(Box::new(self.answer_update(wait, reached))),
            None => {
                self.waits.insert(call, Wait::Update(wait));
                Outcome::Waits
            }
        }
    }

    /// Answers the calls whose updates have reached what they wait for.
    pub(super) fn serve_update_waits(&mut self, key: RunKey) {
        for call in self.waits.of_run(key) {
            let Some(Wait::Update(wait)) = self.waits.get(call) else { continue };
            let Some(reached) = self.reached(key, &wait.update_id).filter(|reached| wait.is_content_with(reached))
            else {
                continue;
            };
            if let Some(Wait::Update(wait)) = self.waits.remove(call) {
                let response = self.answer_update(wait, reached);
                self.reply(call, Ok(response));
            }
        }
    }

    /// What a call is answered that has waited as long as it may: how far its update has come.
    pub(super) fn update_response(&self, wait: UpdateWait) -> Response {
        let admitted = Reached { stage: Lifecycle::Admitted, outcome: None };
        let reached = self.reached(wait.run, &wait.update_id).unwrap_or(admitted);
        self.answer_update(wait, reached)
    }

    /// How far an update has come; `None` if the run does not know it.
    fn reached(&self, key: RunKey, id: &str) -> Option<Reached> {
        let run = self.runs.get(key)?;
        let (stage, outcome) = match run.updates.stage(id)? {
            Stage::Admitted | Stage::Sent => (Lifecycle::Admitted, None),
            Stage::Accepted { .. } if !run.is_open() => (Lifecycle::Completed, Some(failed(closed_failure()))),
            Stage::Accepted { .. } => (Lifecycle::Accepted, None),
            Stage::Completed { event_id } => (Lifecycle::Completed, run.update_outcome(event_id)),
        };
        Some(Reached { stage, outcome })
    }

    /// An update is at its end and forgotten: whoever waits for it is told.
    pub(super) fn update_ended(&mut self, key: RunKey, id: &str, ended: Ended) {
        for call in self.waits.of_run(key) {
            if !matches!(self.waits.get(call), Some(Wait::Update(wait)) if wait.update_id == id) {
                continue;
            }
            let Some(Wait::Update(wait)) = self.waits.remove(call) else { continue };
            let answer = match &ended {
                Ended::Rejected(failure) => {
                    let outcome = Some(failed((**failure).clone()));
                    Ok(Outcome::Answered(Box::new(
                        self.answer_update(wait, Reached { stage: Lifecycle::Completed, outcome }),
                    )))
                }
                Ended::Closed => self.update_aborted(call, wait),
                Ended::TaskFailed => Err(wait.refused(Refusal::not_ready(
                    "Unable to perform workflow execution update due to unexpected workflow task failure.",
                ))),
                Ended::Continued => Err(wait.refused(closing())),
            };
            match answer {
                Ok(Outcome::Answered(response)) => self.reply(call, Ok(*response)),
                Ok(Outcome::Waits) => {}
                Err(refusal) => self.reply(call, Err(refusal)),
            }
        }
    }

    fn update_aborted(&mut self, call: CallId, wait: UpdateWait) -> Result<Outcome, Refusal> {
        match wait.origin {
            Origin::WithStart(with) => self.update_with_start_aborted(call, *with),
            Origin::Update(_) | Origin::Poll => Err(aborted_by_closing()),
        }
    }

    /// A run has closed: it takes no decision any more about the updates that wait for one.
    pub(super) fn end_updates(&mut self, key: RunKey) {
        let Some(run) = self.runs.get_mut(key) else { return };
        let ended = if run.state.new_run_id.is_empty() { Ended::Closed } else { Ended::Continued };
        let ids = run.updates.take_undecided();
        self.effects.extend(ids.into_iter().map(|id| Effect::UpdateEnded(key, id, ended.clone())));
    }

    fn answer_update(&self, wait: UpdateWait, reached: Reached) -> Response {
        match wait.origin {
            Origin::Update(request) => self.updated(wait.run, &request, reached).into(),
            Origin::WithStart(with) => {
                let updated = self.updated(wait.run, &with.update, reached);
                with.response(updated).into()
            }
            Origin::Poll => api::PollWorkflowExecutionUpdateResponse {
                outcome: reached.outcome,
                stage: reached.stage.into(),
                update_ref: Some(self.update_ref(wait.run, &wait.update_id)),
            }
            .into(),
        }
    }

    fn updated(
        &self,
        key: RunKey,
        request: &api::UpdateWorkflowExecutionRequest,
        reached: Reached,
    ) -> api::UpdateWorkflowExecutionResponse {
        api::UpdateWorkflowExecutionResponse {
            update_ref: Some(self.update_ref(key, update_id(request))),
            link: self.update_link(key, request, &reached),
            outcome: reached.outcome,
            stage: reached.stage.into(),
        }
    }

    fn update_ref(&self, key: RunKey, update_id: &str) -> UpdateRef {
        let workflow_execution = self.runs.get(key).map(Run::execution);
        UpdateRef { workflow_execution, update_id: update_id.to_owned() }
    }

    /// A link to the acceptance; of a failed update, which may have left no event, to the run.
    fn update_link(
        &self,
        key: RunKey,
        request: &api::UpdateWorkflowExecutionRequest,
        reached: &Reached,
    ) -> Option<Link> {
        let run = self.runs.get(key)?;
        if reached.stage == Lifecycle::Admitted {
            return None;
        }
        let has_failed = |outcome: &UpdateOutcome| matches!(outcome.value, Some(outcome::Value::Failure(_)));
        if reached.outcome.as_ref().is_some_and(has_failed) {
            return Some(Link {
                variant: Some(link::Variant::Workflow(link::Workflow {
                    namespace: request.namespace.clone(),
                    workflow_id: run.state.workflow_id.clone(),
                    run_id: run.state.run_id.clone(),
                    reason: "Update rejected".to_owned(),
                })),
            });
        }
        let request_id = request.request.as_ref().map(|update| update.request_id.clone()).unwrap_or_default();
        Some(self.request_link(run, request_id, EventType::WorkflowExecutionUpdateAccepted))
    }
}

impl UpdateWait {
    fn refused(&self, refusal: Refusal) -> Refusal {
        match &self.origin {
            Origin::WithStart(with) => with.refused(refusal),
            Origin::Update(_) | Origin::Poll => refusal,
        }
    }

    fn is_content_with(&self, reached: &Reached) -> bool {
        i32::from(reached.stage) >= i32::from(self.stage)
    }
}

impl Run {
    /// Schedules a workflow task that only carries updates, if there are some and none is under way. Unlike other news,
    /// updates do not wait for the end of a start delay or a backoff.
    fn wake_for_updates(&mut self, cx: &mut Context<'_>) {
        if self.state.task.is_none() && self.updates.want_task() {
            self.schedule_task(cx, TaskOrigin { speculative: true, ..TaskOrigin::default() });
        }
    }

    /// The outcome of an update that the workflow has completed.
    pub(crate) fn completed_update(&self, id: &str) -> Option<UpdateOutcome> {
        match self.updates.stage(id)? {
            Stage::Completed { event_id } => self.update_outcome(event_id),
            _ => None,
        }
    }

    fn update_outcome(&self, event_id: i64) -> Option<UpdateOutcome> {
        match self.history.event(event_id)?.attributes {
            Some(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed)) => completed.outcome,
            _ => None,
        }
    }
}

fn update_id(request: &api::UpdateWorkflowExecutionRequest) -> &str {
    let meta = request.request.as_ref().and_then(|update| update.meta.as_ref());
    meta.map_or("", |meta| &meta.update_id)
}

pub(super) fn aborted_by_closing() -> Refusal {
    Refusal::not_found("workflow update was aborted by closing workflow")
}

fn failed(failure: Failure) -> UpdateOutcome {
    UpdateOutcome { value: Some(outcome::Value::Failure(failure)) }
}

/// What becomes of an accepted update whose run closes first.
pub(super) fn closed_failure() -> Failure {
    steps::server_failure(
        "Workflow Update failed because the Workflow completed before the Update completed.",
        "AcceptedUpdateCompletedWorkflow",
    )
}
