//! Nexus operations that a workflow schedules and cancels. (`components/nexusoperations/workflow/commands.go` of
//! Temporal's server.)

use std::collections::BTreeMap;

use prost::Message;
use prost_types::Duration;
use stead_proto::command::v1::{RequestCancelNexusOperationCommandAttributes, ScheduleNexusOperationCommandAttributes};
use stead_proto::common::v1::Payload;
use stead_proto::enums::v1::WorkflowTaskFailedCause as Cause;

use super::{Action, Ahead, Fault};
use crate::engine::nexus::SYSTEM_ENDPOINT;
use crate::engine::nexus::limits::{BadHeader, MAX_NAME, lower_case, shorter};
use crate::engine::time::duration;

impl Ahead<'_> {
    pub(super) fn schedule_operation(
        &mut self,
        command: &ScheduleNexusOperationCommandAttributes,
    ) -> Result<Action, Fault> {
        let cause = Cause::BadScheduleNexusOperationAttributes;
        let endpoint_id = match self.rules.endpoints.by_name(&command.endpoint) {
            // Its operations are checked before all commands.
            None if command.endpoint == SYSTEM_ENDPOINT => "",
            None => return Err(Fault::task(cause, format!("endpoint {:?} not found", command.endpoint))),
            Some((endpoint_id, _)) => endpoint_id,
        };
        check(command).map_err(|issue| Fault::task(cause, format!("{ATTRIBUTES}.{issue}")))?;
        if command.input.as_ref().map_or(0, Payload::encoded_len) > self.rules.limits.blob {
            return Err(Fault::Workflow { cause, message: format!("{ATTRIBUTES}.Input exceeds size limit") });
        }
        let nexus_header = header(command).map_err(|issue| Fault::task(cause, format!("{ATTRIBUTES}.{issue}")))?;
        let limit = self.rules.limits.nexus_operations;
        if self.run.operations.len() + self.new_operations >= limit {
            let message =
                format!("workflow has reached the pending nexus operation limit of {limit} for this namespace");
            return Err(Fault::task(Cause::PendingNexusOperationsLimitExceeded, message));
        }
        self.new_operations += 1;
        let mut command = ScheduleNexusOperationCommandAttributes { nexus_header, ..command.clone() };
        trim(&mut command, self.run.state.run_timeout);
        Ok(Action::ScheduleOperation { endpoint_id: endpoint_id.to_owned(), command: Box::new(command) })
    }

    pub(super) fn request_cancel_operation(
        &mut self,
        command: &RequestCancelNexusOperationCommandAttributes,
    ) -> Result<Action, Fault> {
        let id = command.scheduled_event_id;
        let fault = |message: String| Err(Fault::task(Cause::BadRequestCancelNexusOperationAttributes, message));
        let operation = self.run.operations.get(&id);
        if operation.is_none() && !self.run.has_buffered_operation_end(id) {
            return fault(format!(
                "requested cancelation for a non-existing or already completed operation with scheduled event ID of {id}"
            ));
        }
        let requested = operation.is_some_and(|operation| operation.cancellation.is_some());
        if requested || !self.cancelled_operations.insert(id) {
            return fault(format!("cancelation was already requested for an operation with scheduled event ID {id}"));
        }
        Ok(Action::RequestCancelOperation { scheduled_event_id: id })
    }
}

fn check(command: &ScheduleNexusOperationCommandAttributes) -> Result<(), String> {
    for (field, name) in [("Service", &command.service), ("Operation", &command.operation)] {
        if name.len() > MAX_NAME {
            return Err(format!("{field} exceeds length limit of {MAX_NAME}"));
        }
    }
    let timeouts = [
        ("ScheduleToClose", command.schedule_to_close_timeout),
        ("ScheduleToStart", command.schedule_to_start_timeout),
        ("StartToClose", command.start_to_close_timeout),
    ];
    for (field, timeout) in timeouts {
        if timeout.is_some_and(|timeout| timeout.seconds < 0 || timeout.nanos < 0) {
            return Err(format!("{field}Timeout is invalid: negative duration"));
        }
    }
    Ok(())
}

fn header(command: &ScheduleNexusOperationCommandAttributes) -> Result<BTreeMap<String, String>, String> {
    lower_case(&command.nexus_header).map_err(|issue| match issue {
        BadHeader::Disallowed(key) => format!("NexusHeader contains a disallowed header key: {key:?}"),
        BadHeader::TooLarge => "NexusHeader exceeds size limit".to_owned(),
    })
}

/// An operation does not outlast its run, nor a part of it the whole.
fn trim(command: &mut ScheduleNexusOperationCommandAttributes, run_timeout: Option<Duration>) {
    if duration(command.schedule_to_close_timeout.as_ref()).is_none() && duration(run_timeout.as_ref()).is_some() {
        command.schedule_to_close_timeout = run_timeout;
    }
    let whole = shorter(command.schedule_to_close_timeout, run_timeout);
    command.schedule_to_close_timeout = whole;
    command.schedule_to_start_timeout = shorter(command.schedule_to_start_timeout, whole);
    command.start_to_close_timeout = shorter(command.start_to_close_timeout, whole);
}

const ATTRIBUTES: &str = "ScheduleNexusOperationCommandAttributes";
