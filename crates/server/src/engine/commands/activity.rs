//! Activities that a workflow schedules and cancels.

use prost::Message;
use stead_proto::command::v1::{RequestCancelActivityTaskCommandAttributes, ScheduleActivityTaskCommandAttributes};
use stead_proto::common::v1::Payloads;
use stead_proto::enums::v1::WorkflowTaskFailedCause as Cause;

use super::{Action, Ahead, Fault, invalid_action};
use crate::engine::activity_options::{self, ActivityOptions};

impl<'a> Ahead<'a> {
    pub(super) fn schedule_activity(
        &mut self,
        command: &'a ScheduleActivityTaskCommandAttributes,
    ) -> Result<Action, Fault> {
        let cause = Cause::BadScheduleActivityAttributes;
        let id = command.activity_id.as_str();
        let mut options = ActivityOptions {
            task_queue: command.task_queue.clone(),
            schedule_to_close: command.schedule_to_close_timeout,
            schedule_to_start: command.schedule_to_start_timeout,
            start_to_close: command.start_to_close_timeout,
            heartbeat: command.heartbeat_timeout,
            retry_policy: command.retry_policy.clone(),
            priority: command.priority.clone(),
        };
        let owner = activity_options::Owner {
            task_queue: &self.run.state.task_queue,
            run_timeout: self.run.state.run_timeout,
            id_length: self.rules.limits.id_length,
        };
        let name = command.activity_type.as_ref().map_or("", |kind| kind.name.as_str());
        options.complete(id, name, &owner).map_err(|refusal| Fault::task(cause, refusal.message))?;
        let size = command.input.as_ref().map_or(0, Payloads::encoded_len);
        self.check_size(size, cause, "ScheduleActivityTaskCommandAttributes.Input")?;
        let pending = self.run.activities.len() + self.new_activity_ids.len();
        self.check_pending(pending, "activities", Cause::PendingActivitiesLimitExceeded)?;
        if self.run.activity_ids.contains_key(id) || !self.new_activity_ids.insert(id) {
            let message = invalid_action("add-activitytask-scheduled-event", &format!("ActivityID: {id}"));
            return Err(Fault::task(Cause::ScheduleActivityDuplicateId, message));
        }
        let command = ScheduleActivityTaskCommandAttributes {
            task_queue: options.task_queue,
            schedule_to_close_timeout: options.schedule_to_close,
            schedule_to_start_timeout: options.schedule_to_start,
            start_to_close_timeout: options.start_to_close,
            heartbeat_timeout: options.heartbeat,
            retry_policy: options.retry_policy,
            ..command.clone()
        };
        let eager = command.request_eager_execution;
        Ok(Action::ScheduleActivity { command: Box::new(command), eager })
    }

    pub(super) fn request_cancel_activity(
        &mut self,
        command: &RequestCancelActivityTaskCommandAttributes,
    ) -> Result<Action, Fault> {
        let cause = Cause::BadRequestCancelActivityAttributes;
        let id = command.scheduled_event_id;
        if id <= 0 {
            return Err(Fault::task(cause, "ScheduledEventId is not set on RequestCancelActivityTaskCommand."));
        }
        let cancellable = match self.run.activities.get(&id) {
            Some(activity) => !activity.cancel_requested(),
            None => self.run.has_buffered_end(id),
        };
        if !cancellable || !self.cancelled_activities.insert(id) {
            let message = invalid_action("add-activitytask-cancel-requested-event", &format!("ScheduledEventID: {id}"));
            return Err(Fault::task(cause, message));
        }
        Ok(Action::RequestCancelActivity { scheduled_event_id: id })
    }
}
