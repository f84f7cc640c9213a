//! Time skipping as callers set it and wait for it. The clock of a run itself stands in `run::time_skipping`.

use stead_proto::common::v1::{TimeSkippingConfig, TimeSkippingFastForwardInfo as Info};
use stead_proto::enums::v1::FastForwardPollingResult as Polled;
use stead_proto::workflowservice::v1 as api;

use super::call::Outcome;
use super::run::RunKey;
use super::run::time_skipping::TimeSkipping;
use super::time::duration;
use super::waits::Wait;
use super::{CallId, Engine, Refusal};

/// How often a run skips time at most that says nothing about it. (`frontend.WorkflowTimeSkippingMaxSkipPerSession` in
/// `common/dynamicconfig/constants.go` of Temporal's server 1.32.1.)
const MAX_SKIPS: i32 = 200;

/// A call that waits for the end of a fast-forward. It follows the chain of runs.
#[derive(Debug)]
pub(crate) struct FastForwardWait {
    pub(crate) run: RunKey,
    id: String,
    /// As it was when the wait began.
    pending: Info,
}

impl FastForwardWait {
    pub(crate) fn nothing_new(self) -> api::PollWorkflowExecutionTimeSkippingResponse {
        response(Some(self.pending), Polled::PollTimeout, "")
    }
}

/// Checks how a run is to skip time, and completes it. (`validateAndPopulateTimeSkippingConfig` in
/// `service/frontend/workflow_handler.go`.)
pub(super) fn check_time_skipping(config: Option<&mut TimeSkippingConfig>) -> Result<(), Refusal> {
    let Some(config) = config else { return Ok(()) };
    if config.max_session_skip_count <= 0 {
        config.max_session_skip_count = MAX_SKIPS;
    }
    let Some(fast_forward) = &config.fast_forward_config else { return Ok(()) };
    if duration(fast_forward.duration.as_ref()).is_none() {
        return Err(Refusal::invalid("Time skipping config invalid: fast_forward duration must be positive"));
    }
    if fast_forward.id.trim().is_empty() {
        return Err(no_id());
    }
    if !config.enabled {
        return Err(Refusal::invalid("time_skipping_config: cannot set fast_forward when enabled is false"));
    }
    Ok(())
}

impl Engine {
    pub(super) fn poll_time_skipping(
        &mut self,
        call: CallId,
        request: api::PollWorkflowExecutionTimeSkippingRequest,
    ) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        let found = self.runs.find(namespace, request.workflow_execution.as_ref());
        if request.fast_forward_id.trim().is_empty() {
            return Err(no_id());
        }
        let run = self.last_of_chain(found?);
        match self.fast_forward(run, &request.fast_forward_id, None) {
            Ok(pending) => {
                let wait = FastForwardWait { run, id: request.fast_forward_id, pending };
                self.waits.insert(call, Wait::FastForward(Box::new(wait)));
                Ok(Outcome::Waits)
            }
            Err(response) => Ok((*response).into()),
        }
    }

    /// Answers the calls that wait for the end of a fast-forward of this run, or lets them wait for the run that follows.
    pub(super) fn serve_fast_forward_waits(&mut self, key: RunKey) {
        for call in self.waits.of_run(key) {
            let Some(Wait::FastForward(_)) = self.waits.get(call) else { continue };
            let Some(Wait::FastForward(mut wait)) = self.waits.remove(call) else { continue };
            wait.run = self.last_of_chain(key);
            match self.fast_forward(wait.run, &wait.id, Some(&wait.pending)) {
                Ok(_) => self.waits.insert(call, Wait::FastForward(wait)),
                Err(response) => self.reply(call, Ok((*response).into())),
            }
        }
    }

    /// The fast-forward that has not ended; if it has, or never will, what a call that waits for it is answered. `before`
    /// is what it was when the call began to wait.
    fn fast_forward(
        &self,
        key: RunKey,
        id: &str,
        before: Option<&Info>,
    ) -> Result<Info, Box<api::PollWorkflowExecutionTimeSkippingResponse>> {
        let run = self.runs.get(key);
        let skipping = run.and_then(|run| run.state.time_skipping.as_ref());
        let info = skipping.and_then(TimeSkipping::fast_forward_info);
        let failed = |info, reason| Err(Box::new(response(info, Polled::FastForwardFailed, reason)));
        let Some(info) = info.clone().filter(|info| info.fast_forward_id == id) else {
            return failed(info, "the requested fast_forward_id does not match the execution's current fast-forward");
        };
        if before.is_some_and(|before| before.target_time != info.target_time) {
            return failed(Some(info), "the fast-forward was reset");
        }
        if info.has_completed {
            return Err(Box::new(response(Some(info), Polled::FastForwardCompleted, "")));
        }
        if !run.is_some_and(|run| run.is_open()) {
            return failed(Some(info), "the execution ended before the fast-forward completed");
        }
        if !skipping.is_some_and(TimeSkipping::is_enabled) {
            return failed(Some(info), "time skipping was disabled before the fast-forward completed");
        }
        Ok(info)
    }

    fn last_of_chain(&self, mut key: RunKey) -> RunKey {
        while let Some(run) = self.runs.get(key)
            && let Some(next) = self.runs.by_run_id(&run.state.new_run_id)
        {
            key = next;
        }
        key
    }
}

fn response(info: Option<Info>, result: Polled, reason: &str) -> api::PollWorkflowExecutionTimeSkippingResponse {
    api::PollWorkflowExecutionTimeSkippingResponse {
        fast_forward_polling_result: result.into(),
        failed_reason: reason.to_owned(),
        fast_forward_info: info,
    }
}

fn no_id() -> Refusal {
    Refusal::invalid("Time skipping config invalid: fast_forward_id must be set")
}
