//! `ResetWorkflowExecution`: a run begins anew from a point of an earlier one of the same workflow.
//!
//! The new run has the events before that point, and is made anew from them. What callers said to the workflow after
//! that point is told to the new run, too, unless the call says otherwise. (`service/history/ndc/workflow_resetter.go`
//! of Temporal's server.)

use std::collections::BTreeSet;

use stead_proto::enums::v1::{ResetReapplyExcludeType as Exclude, ResetReapplyType};
use stead_proto::history::v1::HistoryEvent;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::workflow::v1::PostResetOperation;
use stead_proto::workflow::v1::post_reset_operation::Variant;
use stead_proto::workflowservice::v1 as api;

use super::children::RESETTER;
use super::options::OptionsChange;
use super::run::close::Termination;
use super::run::events::Extras;
use super::run::replay::Replay;
use super::run::{Run, RunKey};
use super::start::NewRun;
use super::time::duration;
use super::{Engine, Refusal};

/// A reset that has been checked.
struct Reset {
    base: RunKey,
    /// The first event that the new run does not have.
    end: i64,
    reason: String,
    excluded: BTreeSet<Exclude>,
    options: Vec<OptionsChange>,
}

impl Engine {
    pub(super) fn reset_workflow_execution(
        &mut self,
        request: api::ResetWorkflowExecutionRequest,
    ) -> Result<api::ResetWorkflowExecutionResponse, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        if request.request_id.is_empty() {
            return Err(Refusal::invalid("RequestId is not set on request."));
        }
        if request.request_id.len() > self.config.limits.id_length {
            return Err(Refusal::invalid("RequestId length exceeds limit."));
        }
        let base = self.runs.find(namespace, request.workflow_execution.as_ref())?;
        let reset = self.checked_reset(base, &request)?;
        let current = self.runs.get(base).and_then(|run| self.runs.current(namespace, &run.state.workflow_id));
        if let Some(current) = current.and_then(|key| self.runs.get(key))
            && current.state.start_request_id == request.request_id
        {
            return Ok(api::ResetWorkflowExecutionResponse { run_id: current.state.run_id.clone() });
        }
        let run_id = self.reset(reset, current)?;
        Ok(api::ResetWorkflowExecutionResponse { run_id })
    }

    fn checked_reset(&self, base: RunKey, request: &api::ResetWorkflowExecutionRequest) -> Result<Reset, Refusal> {
        let run = self.runs.get(base).ok_or_else(|| Refusal::not_found("workflow execution not found"))?;
        let end = request.workflow_task_finish_event_id;
        if end <= 1 || end >= run.history.next_event_id() {
            return Err(Refusal::invalid("Workflow task finish ID must be > 1 && <= workflow last event ID."));
        }
        let options = request.post_reset_operations.iter().map(|operation| self.checked_operation(run, operation));
        Ok(Reset {
            base,
            end,
            reason: request.reason.clone(),
            excluded: excluded(request),
            options: options.collect::<Result<_, _>>()?,
        })
    }

    fn checked_operation(&self, run: &Run, operation: &PostResetOperation) -> Result<OptionsChange, Refusal> {
        let unsupported = |kind| Refusal::invalid(format!("unsupported post reset operation: {kind}"));
        match &operation.variant {
            Some(Variant::UpdateWorkflowOptions(update)) => {
                let (options, mask) = (update.workflow_execution_options.clone(), update.update_mask.as_ref());
                self.checked_options(run, options.unwrap_or_default(), mask)
            }
            Some(Variant::SignalWorkflow(_)) => Err(unsupported("*workflow.PostResetOperation_SignalWorkflow_")),
            None => Err(unsupported("<nil>")),
        }
    }

    /// Begins anew; the id of the new run. `current` is the current run of the workflow.
    fn reset(&mut self, reset: Reset, current: Option<RunKey>) -> Result<String, Refusal> {
        let new = self.begun_anew(reset.base, reset.end)?;
        let (run_id, key) = (new.run.state.run_id.clone(), new.run.key);
        let Replay { run, started, .. } = new;
        self.transact_speculative(reset.base, |base, _| base.state.reset_run_id.clone_from(&run_id));
        if let Some(current) = current.filter(|key| self.runs.get(*key).is_some_and(Run::is_open)) {
            let (reason, identity) = (reset.reason.clone(), RESETTER.to_owned());
            self.transact(current, |run, cx| {
                run.terminate(cx, Termination { reason, identity, ..Termination::default() });
            });
        }
        let news =
            if takes_nothing_over(&reset.excluded) { Vec::new() } else { self.events_after(reset.base, reset.end) };
        self.runs.insert(run);
        self.transact(key, |run, cx| {
            run.fail_task_by_reset(cx, &reset.reason);
            run.fail_started_activities(cx, started, &reset.reason);
            for event in news {
                run.reapply(cx, event, &reset.excluded);
            }
            for change in reset.options {
                if let Some(event) = change.event(&run.state, String::new()) {
                    run.update_options(cx, event, Extras::default());
                }
            }
            run.go_on_after_reset(cx);
        });
        Ok(run_id)
    }

    /// The run that has the events of `base` before `end`, as they leave it.
    fn begun_anew(&mut self, base: RunKey, end: i64) -> Result<Replay<'_>, Refusal> {
        let no_point = || {
            Refusal::invalid(format!(
                "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: {end}"
            ))
        };
        let run_id = self.ids.uuid().to_string();
        let key = self.runs.next_key();
        let (base, new) =
            self.runs.get(base).and_then(|base| Some((base, like(base, run_id)?))).ok_or_else(no_point)?;
        if !base.history.begins_batch(end) {
            return Err(Refusal::invalid(format!(
                "StateRebuilder unable to Rebuild mutable state to event ID: {}, version: 0, this event must be at the \
                 boundary",
                end - 1
            )));
        }
        let mut state = self.first_state(&new);
        state.reset_from_run_id.clone_from(&base.state.run_id);
        state.reset_from_event_id = end - 1;
        let mut run = Run::new(key, state);
        run.history = base.history.fork(end);
        let events: Vec<_> = (1..end).filter_map(|id| base.history.event(id)).collect();
        let mut replay = Replay { run, ids: &mut self.ids, now: self.now, started: Default::default() };
        for event in events {
            replay.apply(event);
        }
        if replay.run.state.task.is_none() {
            return Err(no_point());
        }
        replay.run.expire_anew(self.now);
        Ok(replay)
    }

    /// The events of a run from `from` on, and those of the runs that continue it.
    fn events_after(&self, run: RunKey, from: i64) -> Vec<HistoryEvent> {
        let mut events = Vec::new();
        let (mut next, mut from) = (self.runs.get(run), from);
        while let Some(run) = next {
            events.extend((from..run.history.next_event_id()).filter_map(|id| run.history.event(id)));
            next = match events.last().and_then(|event| event.attributes.as_ref()) {
                Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(end)) => {
                    self.runs.by_run_id(&end.new_execution_run_id).and_then(|key| self.runs.get(key))
                }
                _ => None,
            };
            from = 1;
        }
        events
    }
}

impl Run {
    /// The time that the run, and its chain, may take begins now.
    fn expire_anew(&mut self, now: super::Time) {
        let now = self.instant(now);
        let state = &mut self.state;
        let execution_timeout = duration(state.execution_timeout.as_ref()).map(|timeout| now + timeout);
        let run_timeout = duration(state.run_timeout.as_ref()).map(|timeout| now + timeout);
        state.execution_expires_at = execution_timeout.map_or(0, super::Time::unix_nanos);
        let run_expires = run_timeout.map(|at| execution_timeout.map_or(at, |limit| at.min(limit)));
        state.run_expires_at = run_expires.map_or(0, super::Time::unix_nanos);
    }
}

/// A run that is started as `base` was.
fn like(base: &Run, run_id: String) -> Option<NewRun> {
    Some(NewRun {
        namespace: base.namespace(),
        workflow_id: base.state.workflow_id.clone(),
        run_id,
        request_id: base.state.start_request_id.clone(),
        execution_expires_at: 0,
        parent: base.state.parent.clone(),
        extras: Extras { user_metadata: base.state.user_metadata.clone().map(Box::new), ..Extras::default() },
        started: Box::new(base.started_event()?),
    })
}

/// What is not to be taken over, by the current field and by the older one, which says what is.
fn excluded(request: &api::ResetWorkflowExecutionRequest) -> BTreeSet<Exclude> {
    let older: &[Exclude] = match request.reset_reapply_type() {
        ResetReapplyType::Signal => &[Exclude::Update],
        ResetReapplyType::None => &[Exclude::Signal, Exclude::Update],
        ResetReapplyType::AllEligible | ResetReapplyType::Unspecified => &[],
    };
    request.reset_reapply_exclude_types().chain(older.iter().copied()).collect()
}

/// Whether nothing at all is taken over, not even what is not a kind of its own.
fn takes_nothing_over(excluded: &BTreeSet<Exclude>) -> bool {
    [Exclude::Signal, Exclude::Update, Exclude::Nexus, Exclude::CancelRequest]
        .iter()
        .all(|kind| excluded.contains(kind))
}
