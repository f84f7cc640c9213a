//! Calls that pause workflows and activities, let them go on, and begin activities anew.

use std::time::Duration;

use stead_proto::common::v1::WorkflowExecution;
use stead_proto::history::v1::WorkflowExecutionUnpausedEventAttributes;
use stead_proto::workflowservice::v1 as api;

use super::activity::controls::ActivityReset;
use super::call::Outcome;
use super::control::already_completed;
use super::run::state::Pause;
use super::run::{Run, RunKey};
use super::time::duration;
use super::{Engine, Refusal};

/// Which activities of a run a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    Id(String),
    Type(String),
    All,
}

macro_rules! selections {
    ($($request:ident { $($all:ident)? })+) => {
        $(impl From<api::$request::Activity> for Selection {
            fn from(selection: api::$request::Activity) -> Self {
                match selection {
                    api::$request::Activity::Id(id) => Self::Id(id),
                    api::$request::Activity::Type(name) => Self::Type(name),
                    $(api::$request::Activity::$all(_) => Self::All,)?
                }
            }
        })+
    };
}

selections! {
    pause_activity_request {}
    unpause_activity_request { UnpauseAll }
    reset_activity_request { MatchAll }
    update_activity_options_request { MatchAll }
}

impl Engine {
    pub(super) fn pause_activity(&mut self, request: api::PauseActivityRequest) -> Result<Outcome, Refusal> {
        let (key, ids) = self.selected_activities(&request.namespace, request.execution.as_ref(), request.activity)?;
        let run = self.open_run(key)?;
        let ids = ids.into_iter().filter_map(|id| {
            let paused = run.activities.get(&id)?.pause.as_ref();
            match paused {
                None => Some(Ok(id)),
                Some(pause) if pause.request_id == request.request_id => None,
                Some(_) => Some(Err(Refusal::failed_precondition("activity is already paused"))),
            }
        });
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let pause = Pause {
            identity: request.identity,
            reason: request.reason,
            at: self.now.unix_nanos(),
            request_id: request.request_id,
        };
        self.transact(key, |run, _| ids.iter().for_each(|id| run.pause_activity(*id, pause.clone())));
        Ok(api::PauseActivityResponse {}.into())
    }

    pub(super) fn unpause_activity(&mut self, request: api::UnpauseActivityRequest) -> Result<Outcome, Refusal> {
        let (key, ids) = self.selected_activities(&request.namespace, request.execution.as_ref(), request.activity)?;
        for id in ids {
            let delay = self.jittered(request.jitter.as_ref());
            let (first_attempt, forget_progress) = (request.reset_attempts, request.reset_heartbeat);
            self.transact(key, |run, cx| run.unpause_activity(cx, id, first_attempt, forget_progress, delay));
        }
        Ok(api::UnpauseActivityResponse {}.into())
    }

    pub(super) fn reset_activity(&mut self, request: api::ResetActivityRequest) -> Result<Outcome, Refusal> {
        let (key, ids) = self.selected_activities(&request.namespace, request.execution.as_ref(), request.activity)?;
        for id in ids {
            let reset = ActivityReset {
                forget_progress: request.reset_heartbeat,
                keep_paused: request.keep_paused,
                delay: self.jittered(request.jitter.as_ref()),
            };
            let original_options = request.restore_original_options;
            self.transact(key, |run, cx| run.reset_activity(cx, id, reset, original_options));
        }
        Ok(api::ResetActivityResponse {}.into())
    }

    /// The open run of a call, and the activities that the call is about, by scheduled event.
    pub(super) fn selected_activities(
        &self,
        namespace: &str,
        execution: Option<&WorkflowExecution>,
        selection: Option<impl Into<Selection>>,
    ) -> Result<(RunKey, Vec<i64>), Refusal> {
        let namespace = self.namespaces.key(namespace)?;
        if execution.is_none_or(|execution| execution.workflow_id.is_empty()) {
            return Err(Refusal::invalid("WorkflowId is not set on request."));
        }
        let selection = selection
            .ok_or_else(|| Refusal::invalid("Either Activity.Id or Activity.Type should be set on request."))?;
        let key = self.runs.find(namespace, execution)?;
        let ids = self.open_run(key)?.select(&selection.into());
        if ids.is_empty() {
            return Err(Refusal::not_found(
                "Can't find pending activity with such ID. Invalid activityID or activity already completed",
            ));
        }
        Ok((key, ids))
    }

    pub(super) fn open_run(&self, key: RunKey) -> Result<&Run, Refusal> {
        self.runs.get(key).filter(|run| run.is_open()).ok_or_else(already_completed)
    }

    /// Somewhere between now and the end of `jitter`.
    pub(super) fn jittered(&mut self, jitter: Option<&prost_types::Duration>) -> Duration {
        duration(jitter).map_or(Duration::ZERO, |jitter| jitter.mul_f64(self.ids.fraction()))
    }

    pub(super) fn pause_workflow_execution(
        &mut self,
        request: api::PauseWorkflowExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let key = self.find_pausable(
            &request.namespace,
            request.workflow_id,
            request.run_id,
            [("reason", &request.reason), ("request id", &request.request_id), ("identity", &request.identity)],
        )?;
        if let Some(pause) = &self.open_run(key)?.state.pause {
            if !request.request_id.is_empty() && pause.request_id == request.request_id {
                return Ok(api::PauseWorkflowExecutionResponse {}.into());
            }
            return Err(Refusal::failed_precondition("workflow is already paused."));
        }
        let pause = Pause {
            identity: request.identity,
            reason: request.reason,
            at: self.now.unix_nanos(),
            request_id: request.request_id,
        };
        self.transact(key, |run, cx| run.pause(cx, pause));
        Ok(api::PauseWorkflowExecutionResponse {}.into())
    }

    pub(super) fn unpause_workflow_execution(
        &mut self,
        request: api::UnpauseWorkflowExecutionRequest,
    ) -> Result<Outcome, Refusal> {
        let key = self.find_pausable(
            &request.namespace,
            request.workflow_id,
            request.run_id,
            [("reason", &request.reason), ("request id", &request.request_id), ("identity", &request.identity)],
        )?;
        if !self.open_run(key)?.is_paused() {
            return Err(Refusal::failed_precondition("workflow is not paused."));
        }
        let event = WorkflowExecutionUnpausedEventAttributes {
            identity: request.identity,
            reason: request.reason,
            request_id: request.request_id,
        };
        self.transact(key, |run, cx| run.unpause(cx, event));
        Ok(api::UnpauseWorkflowExecutionResponse {}.into())
    }

    fn find_pausable(
        &self,
        namespace: &str,
        workflow_id: String,
        run_id: String,
        texts: [(&str, &String); 3],
    ) -> Result<RunKey, Refusal> {
        let namespace = self.namespaces.key(namespace)?;
        if let Some((name, _)) = texts.iter().find(|(_, text)| text.len() > self.config.limits.id_length) {
            return Err(Refusal::invalid(format!("{name} is too long.")));
        }
        self.runs.find(namespace, Some(&WorkflowExecution { workflow_id, run_id }))
    }
}

impl Run {
    /// The activities of a selection that have not closed, by scheduled event.
    pub(crate) fn select(&self, selection: &Selection) -> Vec<i64> {
        match selection {
            Selection::Id(id) => self.activity_ids.get(id).copied().into_iter().collect(),
            Selection::Type(name) => {
                let named = self.activities.iter().filter(|(_, activity)| activity.name() == name);
                named.map(|(id, _)| *id).collect()
            }
            Selection::All => self.activities.keys().copied().collect(),
        }
    }
}
