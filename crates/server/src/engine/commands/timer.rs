//! Timers that a workflow starts and cancels.

use stead_proto::command::v1::{CancelTimerCommandAttributes, StartTimerCommandAttributes};
use stead_proto::enums::v1::WorkflowTaskFailedCause as Cause;

use super::{Action, Ahead, Fault, invalid_action};

impl<'a> Ahead<'a> {
    pub(super) fn start_timer(&mut self, command: &'a StartTimerCommandAttributes) -> Result<Action, Fault> {
        let id = command.timer_id.as_str();
        let cause = Cause::BadStartTimerAttributes;
        if id.is_empty() {
            return Err(Fault::task(cause, "TimerId is not set on StartTimerCommand."));
        }
        self.check_length("TimerId", "StartTimerCommand", id, cause)?;
        if command.start_to_fire_timeout.is_some_and(|timeout| timeout.seconds < 0 || timeout.nanos < 0) {
            let message = "An invalid StartToFireTimeout is set on StartTimerCommand: negative duration. TimerId=";
            return Err(Fault::task(cause, format!("{message}{id}")));
        }
        if self.timer_exists(id) {
            let message = invalid_action("add-timer-started-event", &format!("TimerID: {id}"));
            return Err(Fault::task(Cause::StartTimerDuplicateId, message));
        }
        self.gone_timers.remove(id);
        self.new_timers.insert(id);
        Ok(Action::StartTimer(command.clone()))
    }

    pub(super) fn cancel_timer(&mut self, command: &'a CancelTimerCommandAttributes) -> Result<Action, Fault> {
        let id = command.timer_id.as_str();
        let cause = Cause::BadCancelTimerAttributes;
        if id.is_empty() {
            return Err(Fault::task(cause, "TimerId is not set on CancelTimerCommand."));
        }
        self.check_length("TimerId", "CancelTimerCommand", id, cause)?;
        if !self.timer_exists(id) {
            let message = invalid_action("add-timer-canceled-event", &format!("TimerID: {id}"));
            return Err(Fault::task(cause, message));
        }
        self.new_timers.remove(id);
        self.gone_timers.insert(id);
        Ok(Action::CancelTimer(command.clone()))
    }

    fn timer_exists(&self, id: &str) -> bool {
        self.new_timers.contains(id) || self.run.has_timer(id) && !self.gone_timers.contains(id)
    }
}
