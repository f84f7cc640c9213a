//! Options of an activity as the server completes them, be it a workflow's or one of its own.

use prost_types::Duration;
use stead_proto::common::v1::{Priority, RetryPolicy};
use stead_proto::enums::v1::TaskQueueKind;
use stead_proto::taskqueue::v1::TaskQueue;

use super::Refusal;
use super::retry;
use super::time::duration;

/// Options of an activity.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ActivityOptions {
    pub(crate) task_queue: Option<TaskQueue>,
    pub(crate) schedule_to_close: Option<Duration>,
    pub(crate) schedule_to_start: Option<Duration>,
    pub(crate) start_to_close: Option<Duration>,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) retry_policy: Option<RetryPolicy>,
    pub(crate) priority: Option<Priority>,
}

/// What an activity takes over from who starts it.
pub(crate) struct Owner<'a> {
    /// The queue of an activity that names none. Empty: it must name one.
    pub(crate) task_queue: &'a str,
    /// No timeout exceeds this.
    pub(crate) run_timeout: Option<Duration>,
    pub(crate) id_length: usize,
}

impl ActivityOptions {
    /// Checks the options and fills in what they leave open. (`chasm/lib/activity/validator.go` of Temporal's server.)
    pub(crate) fn complete(&mut self, id: &str, name: &str, owner: &Owner<'_>) -> Result<(), Refusal> {
        self.complete_queue(owner)?;
        if id.is_empty() {
            return Err(Refusal::invalid(format!("activityId is not set. ActivityType={name}")));
        }
        if name.is_empty() {
            return Err(Refusal::invalid(format!("activityType is not set. ActivityID={id}")));
        }
        for (field, value) in [("activityID", id), ("activityType", name)] {
            check_length(field, value, owner.id_length)?;
        }
        retry::validate(self.retry_policy.as_ref())?;
        self.retry_policy = Some(retry::with_defaults(self.retry_policy.as_ref()));
        check_priority(self.priority.as_ref())?;
        self.complete_timeouts(id, name, owner.run_timeout)
    }

    fn complete_queue(&mut self, owner: &Owner<'_>) -> Result<(), Refusal> {
        let queue = self.task_queue.get_or_insert_default();
        if queue.name.is_empty() {
            owner.task_queue.clone_into(&mut queue.name);
        }
        queue.kind = TaskQueueKind::Normal.into();
        check_user_queue(&queue.name, owner.task_queue, owner.id_length)
    }

    fn complete_timeouts(&mut self, id: &str, name: &str, run_timeout: Option<Duration>) -> Result<(), Refusal> {
        for (field, timeout) in [
            ("ScheduleToCloseTimeout", self.schedule_to_close),
            ("ScheduleToStartTimeout", self.schedule_to_start),
            ("StartToCloseTimeout", self.start_to_close),
            ("HeartbeatTimeout", self.heartbeat),
        ] {
            if timeout.is_some_and(|timeout| timeout.seconds < 0 || timeout.nanos < 0) {
                return Err(Refusal::invalid(format!("invalid {field}: negative duration")));
            }
        }
        let set = |timeout: Option<Duration>| timeout.filter(|timeout| duration(Some(timeout)).is_some());
        // A run without a timeout gives zero, which stands in events as such.
        let run = Some(run_timeout.unwrap_or_default());
        match (set(self.schedule_to_close), set(self.start_to_close)) {
            (Some(close), start_to_close) => {
                self.schedule_to_start = Some(min(set(self.schedule_to_start), close));
                self.start_to_close = Some(min(start_to_close, close));
            }
            (None, Some(_)) => {
                self.schedule_to_close = run;
                self.schedule_to_start = set(self.schedule_to_start).or(run);
            }
            (None, None) => {
                return Err(Refusal::invalid(format!(
                    "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. \
                     ActivityId={id} ActivityType={name}"
                )));
            }
        }
        if let Some(limit) = set(run_timeout) {
            for timeout in [&mut self.schedule_to_close, &mut self.schedule_to_start, &mut self.start_to_close] {
                *timeout = Some(min(*timeout, limit));
            }
        }
        if let (Some(heartbeat), Some(start_to_close)) = (self.heartbeat, self.start_to_close) {
            self.heartbeat = Some(min(Some(heartbeat), start_to_close));
        }
        Ok(())
    }
}

fn min(timeout: Option<Duration>, limit: Duration) -> Duration {
    let key = |timeout: &Duration| (timeout.seconds, timeout.nanos);
    timeout.into_iter().chain([limit]).min_by_key(key).unwrap_or(limit)
}

/// Refuses an id that is too long, as Temporal's server words it.
pub(crate) fn check_length(field: &str, value: &str, limit: usize) -> Result<(), Refusal> {
    if value.len() <= limit {
        return Ok(());
    }
    Err(Refusal::invalid(format!("{field} exceeds maximum allowed length ({}/{limit})", value.len())))
}

/// Refuses a task queue that workflows and activities cannot wait in.
pub(crate) fn check_queue(name: &str, limit: usize) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid("missing task queue name"));
    }
    check_length("taskQueue", name, limit)?;
    if name.starts_with("/_sys/") {
        return Err(Refusal::invalid("task queue name cannot start with reserved prefix /_sys/"));
    }
    Ok(())
}

/// As [`check_queue`], and refuses the queues of the server's own workers to whatever does not itself wait in one.
pub(crate) fn check_user_queue(name: &str, of_owner: &str, limit: usize) -> Result<(), Refusal> {
    check_queue(name, limit)?;
    if !is_internal(name) || is_internal(of_owner) {
        return Ok(());
    }
    let owner = match of_owner {
        "" => String::new(),
        queue => format!(" (in parent component task queue: {queue})"),
    };
    Err(Refusal::invalid(format!("cannot use internal per-namespace task queue:{name}{owner}")))
}

/// Whether workers of the server itself poll the queue (`common/primitives/task_queues.go` of Temporal's server).
fn is_internal(queue: &str) -> bool {
    queue.starts_with("temporal-sys-per-ns-") || queue == "temporal-sys-worker-controller-per-ns-tq"
}

/// Refuses a priority that cannot be, as `common/priorities` of Temporal's server does.
pub(crate) fn check_priority(priority: Option<&Priority>) -> Result<(), Refusal> {
    let Some(priority) = priority else { return Ok(()) };
    if priority.priority_key < 0 {
        return Err(Refusal::invalid("priority key can't be negative"));
    }
    if priority.fairness_key.len() > 64 {
        return Err(Refusal::invalid("fairness key length exceeds limit"));
    }
    if priority.fairness_weight < 0.0 {
        return Err(Refusal::invalid("fairness weight must be positive"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(mut options: ActivityOptions, run_timeout: Option<Duration>) -> Result<ActivityOptions, String> {
        let owner = Owner { task_queue: "q", run_timeout, id_length: 1_000 };
        options.complete("1", "charge", &owner).map_err(|refusal| refusal.message)?;
        Ok(options)
    }

    fn secs(seconds: i64) -> Option<Duration> {
        Some(Duration { seconds, nanos: 0 })
    }

    #[test]
    fn schedule_to_close_bounds_the_other_timeouts() {
        let options = ActivityOptions { schedule_to_close: secs(5), start_to_close: secs(9), ..Default::default() };
        let options = completed(options, None).unwrap();
        assert_eq!((options.schedule_to_start, options.start_to_close), (secs(5), secs(5)));
    }

    #[test]
    fn the_run_timeout_bounds_all_of_them() {
        let options = ActivityOptions { start_to_close: secs(9), heartbeat: secs(8), ..Default::default() };
        let options = completed(options, secs(3)).unwrap();
        assert_eq!((options.schedule_to_close, options.start_to_close), (secs(3), secs(3)));
        assert_eq!(options.heartbeat, secs(3));
    }

    #[test]
    fn an_activity_without_a_timeout_is_refused() {
        assert_eq!(
            completed(ActivityOptions::default(), None).unwrap_err(),
            "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. \
             ActivityId=1 ActivityType=charge"
        );
    }
}
