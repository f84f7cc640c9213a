//! Eager activities: ones that the answer to a workflow task brings back, without a poll.

use std::sync::Arc;

use stead_proto::command::v1::Command;
use stead_proto::command::v1::command::Attributes;
use stead_proto::workflowservice::v1::PollActivityTaskQueueResponse;

use crate::activity;
use crate::metrics::Origin;
use crate::shared::Shared;
use crate::slots::Permit;

/// Slots that are kept for activities which may come back with the answer. What is not used is given back.
#[derive(Debug, Default)]
pub(super) struct Reserved(Vec<Permit>);

impl Reserved {
    /// Reserves a slot for each command that asks for eager execution, and takes the wish back where there is none.
    pub(super) fn for_commands(shared: &Shared, commands: &mut [Command]) -> Self {
        let mut reserved = Self::default();
        for command in commands {
            if let Some(Attributes::ScheduleActivityTaskCommandAttributes(activity)) = &mut command.attributes {
                activity.request_eager_execution = activity.request_eager_execution && reserved.one_more(shared);
            }
        }
        reserved
    }

    fn one_more(&mut self, shared: &Shared) -> bool {
        let limit = shared.options.max_eager_activities.unwrap_or(0) as usize;
        if self.0.len() >= limit || !shared.takes_eager_activities() || !shared.takes_tasks() {
            return false;
        }
        let permit = shared.activity_slots.try_reserve(false).filter(|_| shared.may_ask_for_activity());
        let got = permit.is_some();
        self.0.extend(permit);
        got
    }

    /// Starts the activities that came back.
    pub(super) async fn start(self, shared: &Arc<Shared>, tasks: Vec<PollActivityTaskQueueResponse>) {
        let mut permits = self.0.into_iter();
        for task in tasks {
            // The server sends no more than were asked for; if it does, they wait for their turn like polled ones.
            let mut permit = match permits.next() {
                Some(permit) => permit,
                None => shared.activity_slots.reserve(false).await,
            };
            permit.mark_used(|| activity::slot_task(&task));
            activity::start(shared, task, permit, Origin::Eager);
        }
    }
}
