//! How a run keeps its task open while local activities run.

use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use super::{Output, Run, State, Task};
use crate::Instant;
use crate::machines::LocalRequest;

/// The part of a workflow task's timeout after which the task is completed and another asked for, so that the server
/// knows that somebody is at it. The same in all SDKs.
const HEARTBEAT_PERCENT: u32 = 80;

impl Run {
    /// Whether a task has to wait for local activities.
    pub(super) fn has_to_hold(&self, task: &Task) -> bool {
        let is_ended = self.machines.progress().is_ended;
        !is_ended && !task.is_heartbeat && takes_part(task) && self.machines.has_running_local_activities()
    }

    /// At the end of history: begins what history does not know, and tells the code of what has ended.
    pub(super) fn catch_up(&mut self, task: &Task) {
        if takes_part(task) {
            self.machines.catch_up_with_local_activities();
        }
    }

    /// Something about local activities happened, or time passed.
    pub(super) fn look_again(&mut self) {
        let now = self.machines.now();
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Holding(mut task) => {
                task.is_heartbeat = self.heartbeat_of(&task) <= now;
                self.work(task);
            }
            state => self.state = state,
        }
    }

    /// The server has given up on the task that is held: it made another. A query can wait.
    pub(super) fn hold_no_longer(&mut self, task: PollWorkflowTaskQueueResponse) {
        let is_news = task.query.is_none();
        self.waiting.add(task);
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Holding(mut held) if is_news => {
                held.is_heartbeat = true;
                self.work(held);
            }
            state => self.state = state,
        }
    }

    /// When the task that is held has to be completed for the time being.
    pub(super) fn heartbeat_moment(&self) -> Option<Instant> {
        match &self.state {
            State::Holding(task) => Some(self.heartbeat_of(task)),
            _ => None,
        }
    }

    fn heartbeat_of(&self, task: &Task) -> Instant {
        task.since + self.machines.task_timeout() * HEARTBEAT_PERCENT / 100
    }
}

/// Whether local activities are the task's business.
const fn takes_part(task: &Task) -> bool {
    !task.ticket.is_only_query && !task.is_replay()
}

impl From<LocalRequest> for Output {
    fn from(request: LocalRequest) -> Self {
        match request {
            LocalRequest::Start(attempt) => Self::StartLocalActivity(attempt),
            LocalRequest::Stop { seq, attempt, why } => Self::StopLocalActivity { seq, attempt, why },
        }
    }
}
