//! Activities of workflows: attempts, timeouts, heartbeats, cancellation, and what of it stands in history.

use std::time::Duration;

use stead_proto::command::v1::command::Attributes as C;
use stead_proto::command::v1::{
    CancelTimerCommandAttributes, Command, RequestCancelActivityTaskCommandAttributes,
    ScheduleActivityTaskCommandAttributes,
};
use stead_proto::common::v1::{Payload, Payloads, RetryPolicy};
use stead_proto::enums::v1::{EventType, PendingActivityState, RetryState, TimeoutType};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{ApplicationFailureInfo, Failure};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    ActivityTaskCanceledEventAttributes, ActivityTaskFailedEventAttributes, ActivityTaskStartedEventAttributes,
    ActivityTaskTimedOutEventAttributes,
};
use stead_proto::sdk::v1::event_group_marker::{Label, Variant};
use stead_proto::sdk::v1::{EventGroupMarker, UserMetadata};
use stead_proto::workflow::v1::PendingActivityInfo;
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Code, Config, Refusal, Response};

use crate::call;
use crate::support::{
    NAMESPACE, Server, activity_poll_request, command, complete_request, complete_workflow, execution,
    schedule_activity, secs, start_request, start_timer, text,
};

type Schedule = ScheduleActivityTaskCommandAttributes;

/// Schedules the activity `a` with changes to what `schedule_activity` says.
fn scheduled(change: impl FnOnce(&mut Schedule)) -> Command {
    let Some(C::ScheduleActivityTaskCommandAttributes(mut attributes)) = schedule_activity("a").attributes else {
        unreachable!("it is such a command")
    };
    change(&mut attributes);
    command(C::ScheduleActivityTaskCommandAttributes(attributes))
}

fn cancel_activity(scheduled_event_id: i64) -> Command {
    command(C::RequestCancelActivityTaskCommandAttributes(RequestCancelActivityTaskCommandAttributes {
        scheduled_event_id,
    }))
}

#[test]
fn what_a_command_says_about_its_event_stands_with_what_it_cancels_too() {
    let mut server = Server::new();
    server.start("w");
    let said = |mut command: Command| {
        let label = Label { id: "batch".to_owned(), label: None };
        command.event_group_markers = vec![EventGroupMarker { variant: Some(Variant::Label(label)) }];
        let summary = Some(Payload { data: "why".into(), ..Default::default() });
        command.user_metadata = Some(Box::new(UserMetadata { summary, details: None }));
        command
    };
    let started = vec![said(schedule_activity("a")), said(start_timer("t", 60)), start_timer("soon", 1)];
    server.step(started);
    server.activity();
    server.advance(Duration::from_secs(1));
    let history = server.history("w");
    let scheduled = history.iter().find(|event| event.event_type() == EventType::ActivityTaskScheduled);
    let scheduled_event_id = scheduled.expect("it was scheduled").event_id;
    let cancel = CancelTimerCommandAttributes { timer_id: "t".to_owned() };
    let cancelled = [cancel_activity(scheduled_event_id), command(C::CancelTimerCommandAttributes(cancel))];
    server.step(cancelled.map(said).into());
    let said: Vec<_> = server
        .history("w")
        .into_iter()
        .filter(|event| event.user_metadata.is_some() && !event.event_group_markers.is_empty())
        .map(|event| event.event_type())
        .collect();
    assert_eq!(
        said,
        [
            EventType::ActivityTaskScheduled,
            EventType::TimerStarted,
            EventType::ActivityTaskCancelRequested,
            EventType::TimerCanceled
        ]
    );
}

pub(crate) fn failure(message: &str) -> Failure {
    application(message, |_| {})
}

fn application(message: &str, change: impl FnOnce(&mut ApplicationFailureInfo)) -> Failure {
    let mut info = ApplicationFailureInfo::default();
    change(&mut info);
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Default::default()
    }
}

fn large(bytes: usize) -> Option<Payloads> {
    let payload = Payload { data: vec![b'x'; bytes].into(), ..Default::default() };
    Some(Payloads { payloads: vec![payload] })
}

type Task = api::PollActivityTaskQueueResponse;

impl Server {
    /// A workflow `w` that has scheduled an activity; with nothing else to do.
    pub(crate) fn with_activity(change: impl FnOnce(&mut Schedule)) -> Self {
        let mut server = Self::new();
        server.start("w");
        server.step(vec![scheduled(change)]);
        server
    }

    pub(crate) fn fail(&mut self, task: &Task, failure: Failure) -> api::RespondActivityTaskFailedResponse {
        call!(self, RespondActivityTaskFailed, fail_request(task, failure))
    }

    pub(crate) fn succeed(&mut self, task: &Task) {
        call!(self, RespondActivityTaskCompleted, success_request(task));
    }

    pub(crate) fn heartbeat(&mut self, task: &Task, details: &str) -> api::RecordActivityTaskHeartbeatResponse {
        call!(self, RecordActivityTaskHeartbeat, heartbeat_request(task, text(details)))
    }

    pub(crate) fn pending(&mut self) -> PendingActivityInfo {
        let mut description = self.describe("w");
        assert_eq!(description.pending_activities.len(), 1, "{description:?}");
        description.pending_activities.remove(0)
    }

    pub(crate) fn describe(&mut self, workflow_id: &str) -> api::DescribeWorkflowExecutionResponse {
        let request = api::DescribeWorkflowExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(execution(workflow_id)),
        };
        call!(self, DescribeWorkflowExecution, request)
    }

    /// Whether no worker would get an activity now.
    pub(crate) fn no_activity(&mut self) -> bool {
        let poll = self.send(activity_poll_request());
        let Ok(Response::PollActivityTaskQueue(task)) = self.expire_if_waiting(poll) else { panic!("not a poll") };
        task.task_token.is_empty()
    }

    fn expire_if_waiting(&mut self, call: stead_server::engine::CallId) -> Result<Response, Refusal> {
        match self.answer(call) {
            Some(answer) => answer,
            None => self.expire(call),
        }
    }

    fn find<T>(&mut self, find: impl Fn(Attributes) -> Option<T>) -> T {
        let history = self.history("w");
        let found = history.into_iter().filter_map(|event| event.attributes).find_map(find);
        found.unwrap_or_else(|| panic!("no such event in {}", self.events("w")))
    }

    fn activity_started(&mut self) -> ActivityTaskStartedEventAttributes {
        self.find(|event| match event {
            Attributes::ActivityTaskStartedEventAttributes(a) => Some(*a),
            _ => None,
        })
    }

    fn failed(&mut self) -> ActivityTaskFailedEventAttributes {
        self.find(|event| match event {
            Attributes::ActivityTaskFailedEventAttributes(a) => Some(*a),
            _ => None,
        })
    }

    fn timed_out(&mut self) -> ActivityTaskTimedOutEventAttributes {
        self.find(|event| match event {
            Attributes::ActivityTaskTimedOutEventAttributes(a) => Some(*a),
            _ => None,
        })
    }

    fn canceled(&mut self) -> ActivityTaskCanceledEventAttributes {
        self.find(|event| match event {
            Attributes::ActivityTaskCanceledEventAttributes(a) => Some(a),
            _ => None,
        })
    }
}

fn fail_request(task: &Task, failure: Failure) -> api::RespondActivityTaskFailedRequest {
    api::RespondActivityTaskFailedRequest {
        task_token: task.task_token.clone(),
        failure: Some(failure),
        identity: "worker".to_owned(),
        ..Default::default()
    }
}

fn success_request(task: &Task) -> api::RespondActivityTaskCompletedRequest {
    api::RespondActivityTaskCompletedRequest {
        task_token: task.task_token.clone(),
        result: text("done"),
        identity: "worker".to_owned(),
        ..Default::default()
    }
}

fn heartbeat_request(task: &Task, details: Option<Payloads>) -> api::RecordActivityTaskHeartbeatRequest {
    api::RecordActivityTaskHeartbeatRequest { task_token: task.task_token.clone(), details, ..Default::default() }
}

fn timeout(failure: &Failure) -> (TimeoutType, Option<Payloads>) {
    match &failure.failure_info {
        Some(FailureInfo::TimeoutFailureInfo(info)) => (info.timeout_type(), info.last_heartbeat_details.clone()),
        other => panic!("not a timeout: {other:?}"),
    }
}

const NOT_FOUND: &str = "invalid activityID or activity already timed out or invoking workflow is completed";

#[test]
fn attempts_stand_in_history_when_the_activity_has_closed() {
    let mut server = Server::with_activity(|_| {});
    let first = server.activity();
    server.fail(&first, failure("one"));
    assert!(server.no_activity(), "the backoff is a second");
    server.advance(Duration::from_secs(1));
    let second = server.activity();
    assert_eq!((second.attempt, second.scheduled_time), (2, first.scheduled_time));
    assert_ne!(second.current_attempt_scheduled_time, first.current_attempt_scheduled_time);
    server.fail(&second, failure("two"));
    server.advance(Duration::from_secs(1));
    assert!(server.no_activity(), "the second backoff is two seconds");
    server.advance(Duration::from_secs(1));
    let third = server.activity();
    assert!(server.events("w").ends_with("ActivityTaskScheduled"), "{}", server.events("w"));
    server.advance(Duration::from_secs(3));
    server.succeed(&third);
    assert!(
        server
            .events("w")
            .ends_with("ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted WorkflowTaskScheduled"),
        "{}",
        server.events("w")
    );
    let started = server.activity_started();
    assert_eq!((started.attempt, started.identity.as_str()), (3, "worker"));
    assert_eq!(started.last_failure.unwrap().message, "two");
    let history = server.history("w");
    assert_eq!(history[5].event_time, third.started_time, "it has begun when the worker took it");
}

#[test]
fn an_older_attempt_cannot_answer() {
    let mut server = Server::with_activity(|_| {});
    let first = server.activity();
    server.fail(&first, failure("one"));
    for refusal in [
        server.try_call(success_request(&first)).unwrap_err(),
        server.try_call(heartbeat_request(&first, None)).unwrap_err(),
    ] {
        assert_eq!((refusal.code, refusal.message.as_str()), (Code::NotFound, NOT_FOUND));
    }
    server.advance(Duration::from_secs(1));
    server.activity();
    let refusal = server.try_call(fail_request(&first, failure("late"))).unwrap_err();
    assert_eq!(refusal.message, NOT_FOUND);
}

#[test]
fn an_answer_to_a_closed_workflow_is_told_so() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    let request = api::TerminateWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        ..Default::default()
    };
    call!(server, TerminateWorkflowExecution, request);
    let refusal = server.try_call(success_request(&task)).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::NotFound, "workflow execution already completed"));
}

#[test]
fn a_failure_says_when_the_next_attempt_begins() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    // More than the policy's largest interval of 100 s.
    server.fail(&task, application("later", |info| info.next_retry_delay = secs(500)));
    let pending = server.pending();
    assert_eq!(pending.current_retry_interval, secs(500));
    server.advance(Duration::from_secs(499));
    assert!(server.no_activity());
    server.advance(Duration::from_secs(1));
    let task = server.activity();
    server.fail(&task, failure("again"));
    assert_eq!(server.pending().current_retry_interval, secs(2), "the delay was for one attempt");
}

#[test]
fn attempts_end_as_the_policy_says() {
    let one = RetryPolicy { maximum_attempts: 1, ..Default::default() };
    let listed = RetryPolicy { non_retryable_error_types: vec!["Broke".to_owned()], ..Default::default() };
    for (policy, failure, state) in [
        (one, failure("no"), RetryState::MaximumAttemptsReached),
        (listed.clone(), application("no", |info| info.r#type = "Broke".to_owned()), RetryState::NonRetryableFailure),
        (listed, application("no", |info| info.non_retryable = true), RetryState::NonRetryableFailure),
    ] {
        let mut server = Server::with_activity(policy_of(policy));
        let task = server.activity();
        server.fail(&task, failure);
        let failed = server.failed();
        assert_eq!((failed.retry_state(), failed.scheduled_event_id, failed.started_event_id), (state, 5, 6));
        assert_eq!(server.activity_started().attempt, 1);
        server.step(vec![complete_workflow()]);
    }
}

fn policy_of(policy: RetryPolicy) -> impl FnOnce(&mut Schedule) {
    move |attributes| attributes.retry_policy = Some(policy)
}

#[test]
fn a_failure_with_no_time_for_another_attempt_is_the_last() {
    let mut server = Server::with_activity(|a| {
        a.schedule_to_close_timeout = secs(5);
        a.retry_policy = Some(RetryPolicy { initial_interval: secs(10), ..Default::default() });
    });
    let task = server.activity();
    server.fail(&task, failure("no"));
    let failed = server.failed();
    assert_eq!(failed.retry_state(), RetryState::Timeout);
    assert_eq!(failed.failure.unwrap().message, "no");
}

#[test]
fn a_worker_that_takes_too_long_is_not_the_last() {
    let mut server = Server::with_activity(|a| {
        a.retry_policy = Some(RetryPolicy { maximum_attempts: 2, ..Default::default() });
    });
    let task = server.activity();
    server.heartbeat(&task, "half");
    server.advance(Duration::from_secs(10));
    let pending = server.pending();
    assert_eq!((pending.state(), pending.attempt), (PendingActivityState::Scheduled, 2));
    let last_failure = pending.last_failure.unwrap();
    assert_eq!(last_failure.message, "activity StartToClose timeout");
    assert_eq!(timeout(&last_failure), (TimeoutType::StartToClose, None));
    server.advance(Duration::from_secs(1));
    let task = server.activity();
    assert_eq!(task.heartbeat_details, text("half"), "the next attempt goes on from there");
    server.advance(Duration::from_secs(10));
    let timed_out = server.timed_out();
    assert_eq!(timed_out.retry_state(), RetryState::MaximumAttemptsReached);
    let failure = timed_out.failure.unwrap();
    assert_eq!(failure.message, "activity StartToClose timeout");
    assert_eq!(timeout(&failure), (TimeoutType::StartToClose, text("half")));
    let cause = failure.cause.expect("the failure of the first attempt");
    assert_eq!((cause.message.as_str(), cause.cause), ("activity StartToClose timeout", None));
    let refusal = server.try_call(success_request(&task)).unwrap_err();
    assert_eq!(refusal.message, NOT_FOUND);
}

#[test]
fn a_worker_that_is_silent_for_too_long_loses_the_activity() {
    let mut server = Server::with_activity(|a| {
        a.heartbeat_timeout = secs(2);
        a.retry_policy = Some(RetryPolicy { maximum_attempts: 1, ..Default::default() });
    });
    let task = server.activity();
    for beat in 0..3 {
        server.advance(Duration::from_millis(1_500));
        server.heartbeat(&task, &format!("beat {beat}"));
    }
    assert_eq!(server.pending().heartbeat_details, text("beat 2"));
    server.advance(Duration::from_secs(2));
    let failure = server.timed_out().failure.unwrap();
    assert_eq!(failure.message, "activity Heartbeat timeout");
    assert_eq!(timeout(&failure), (TimeoutType::Heartbeat, text("beat 2")));
}

#[test]
fn an_activity_that_nobody_takes_times_out_before_its_start() {
    let mut server = Server::with_activity(|a| {
        a.start_to_close_timeout = None;
        a.schedule_to_close_timeout = secs(3);
    });
    server.advance(Duration::from_secs(3));
    let timed_out = server.timed_out();
    assert_eq!((timed_out.retry_state(), timed_out.started_event_id), (RetryState::Timeout, 0));
    let failure = timed_out.failure.unwrap();
    assert_eq!(failure.message, "activity ScheduleToStart timeout");
    assert_eq!(timeout(&failure), (TimeoutType::ScheduleToStart, None));
    assert!(!server.events("w").contains("ActivityTaskStarted"), "{}", server.events("w"));
}

#[test]
fn an_activity_without_time_for_another_attempt_has_timed_out_as_a_whole() {
    let mut server = Server::with_activity(|a| {
        a.start_to_close_timeout = secs(3);
        a.schedule_to_close_timeout = secs(5);
        a.retry_policy = Some(RetryPolicy { initial_interval: secs(3), ..Default::default() });
    });
    server.activity();
    server.advance(Duration::from_secs(3));
    let timed_out = server.timed_out();
    assert_eq!(timed_out.retry_state(), RetryState::Timeout);
    let failure = timed_out.failure.unwrap();
    assert_eq!(
        failure.message,
        "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying"
    );
    assert_eq!(timeout(&failure).0, TimeoutType::ScheduleToClose);
}

#[test]
fn an_activity_whose_time_is_up_during_a_backoff_tells_the_last_failure() {
    let mut server = Server::with_activity(|a| {
        a.schedule_to_close_timeout = secs(5);
        a.retry_policy = Some(RetryPolicy { initial_interval: secs(4), ..Default::default() });
    });
    let task = server.activity();
    server.fail(&task, failure("why"));
    server.advance(Duration::from_secs(4));
    server.activity();
    server.advance(Duration::from_secs(1));
    let failure = server.timed_out().failure.unwrap();
    assert_eq!(timeout(&failure).0, TimeoutType::ScheduleToClose);
    assert_eq!(failure.cause.unwrap().message, "why");
}

#[test]
fn details_of_the_last_heartbeat_come_with_the_failure() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    let request = api::RespondActivityTaskFailedRequest {
        last_heartbeat_details: text("last"),
        ..fail_request(&task, failure("no"))
    };
    call!(server, RespondActivityTaskFailed, request);
    server.advance(Duration::from_secs(1));
    assert_eq!(server.activity().heartbeat_details, text("last"));
}

#[test]
fn an_activity_that_no_worker_has_is_cancelled_at_once() {
    let mut server = Server::with_activity(|_| {});
    server.signal("w", "go on");
    let next = server.step(vec![cancel_activity(5)]).workflow_task.expect("the cancellation is news");
    assert!(
        server.events("w").ends_with(
            "WorkflowTaskCompleted ActivityTaskCancelRequested ActivityTaskCanceled WorkflowTaskScheduled \
             WorkflowTaskStarted"
        ),
        "{}",
        server.events("w")
    );
    let canceled = server.canceled();
    assert_eq!(canceled.details, text("ACTIVITY_ID_NOT_STARTED"));
    assert_eq!((canceled.scheduled_event_id, canceled.started_event_id), (5, 0));
    assert!(server.no_activity());
    server.complete(&next, vec![complete_workflow()]);
}

#[test]
fn an_activity_in_a_backoff_is_cancelled_at_once() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    server.fail(&task, failure("no"));
    server.signal("w", "go on");
    server.step(vec![cancel_activity(5)]);
    assert_eq!(server.canceled().details, text("ACTIVITY_ID_NOT_STARTED"));
    server.advance(Duration::from_secs(5));
    assert!(server.no_activity());
}

#[test]
fn a_worker_hears_of_the_cancellation_with_its_heartbeat() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    assert!(!server.heartbeat(&task, "0").cancel_requested);
    let request = api::RespondActivityTaskCanceledRequest {
        task_token: task.task_token.clone(),
        details: text("so be it"),
        ..Default::default()
    };
    let refusal = server.try_call(request.clone()).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::InvalidArgument, "unable to mark activity as canceled without activity being request canceled first")
    );
    server.signal("w", "go on");
    assert!(server.step(vec![cancel_activity(5)]).workflow_task.is_none());
    assert_eq!(server.pending().state(), PendingActivityState::CancelRequested);
    assert!(server.heartbeat(&task, "1").cancel_requested);
    call!(server, RespondActivityTaskCanceled, request);
    let canceled = server.canceled();
    assert_eq!(canceled.details, text("so be it"));
    assert!(canceled.latest_cancel_requested_event_id > 0 && canceled.started_event_id > 0, "{canceled:?}");
    server.step(vec![complete_workflow()]);
}

#[test]
fn an_activity_that_is_to_end_is_not_tried_again() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    server.signal("w", "go on");
    server.step(vec![cancel_activity(5)]);
    server.fail(&task, failure("no"));
    assert_eq!(server.failed().retry_state(), RetryState::CancelRequested);
}

#[test]
fn a_cancellation_that_comes_too_late_is_only_noted() {
    let mut server = Server::with_activity(|_| {});
    let activity = server.activity();
    server.signal("w", "go on");
    let task = server.task();
    server.succeed(&activity);
    server.complete(&task, vec![cancel_activity(5)]);
    assert!(
        server
            .events("w")
            .contains("ActivityTaskCancelRequested ActivityTaskStarted ActivityTaskCompleted WorkflowTaskScheduled"),
        "{}",
        server.events("w")
    );
    let history = server.history("w");
    let completed = history.iter().find_map(|event| match &event.attributes {
        Some(Attributes::ActivityTaskCompletedEventAttributes(a)) => Some(a.started_event_id),
        _ => None,
    });
    let started = history
        .iter()
        .find(|event| matches!(event.attributes, Some(Attributes::ActivityTaskStartedEventAttributes(_))));
    assert_eq!(completed, started.map(|event| event.event_id), "the buffered events know each other");
}

#[test]
fn an_activity_is_cancelled_once() {
    let mut server = Server::with_activity(|_| {});
    server.activity();
    server.signal("w", "go on");
    let task = server.task();
    let twice = vec![cancel_activity(5), cancel_activity(5)];
    let refusal = server.try_call(complete_request(&task, twice)).unwrap_err();
    assert_eq!(
        refusal.message,
        "BadRequestCancelActivityAttributes: invalid history builder state for action: \
         add-activitytask-cancel-requested-event, ScheduledEventID: 5"
    );
}

#[test]
fn an_activity_is_answered_by_its_id() {
    let mut server = Server::with_activity(|_| {});
    server.activity();
    let request = api::RecordActivityTaskHeartbeatByIdRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: "w".to_owned(),
        activity_id: "a".to_owned(),
        details: text("half"),
        ..Default::default()
    };
    call!(server, RecordActivityTaskHeartbeatById, request);
    let request = api::RespondActivityTaskFailedByIdRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: "w".to_owned(),
        activity_id: "a".to_owned(),
        failure: Some(failure("by id")),
        ..Default::default()
    };
    call!(server, RespondActivityTaskFailedById, request.clone());
    let pending = server.pending();
    assert_eq!((pending.attempt, pending.last_failure.unwrap().message.as_str()), (2, "by id"));
    let refusal = server.try_call(request).unwrap_err();
    assert_eq!(refusal.message, NOT_FOUND, "no worker has it");
}

#[test]
fn an_activity_that_no_worker_has_can_be_completed_by_its_id() {
    let mut server = Server::with_activity(|_| {});
    let mut request = api::RespondActivityTaskCompletedByIdRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: "w".to_owned(),
        activity_id: "zz".to_owned(),
        result: text("done"),
        identity: "somebody".to_owned(),
        ..Default::default()
    };
    let refusal = server.try_call(request.clone()).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (
            Code::NotFound,
            "cannot find pending activity with ActivityID zz, check workflow execution history for more details"
        )
    );
    request.activity_id = "a".to_owned();
    call!(server, RespondActivityTaskCompletedById, request);
    assert_eq!(server.activity_started().identity, "somebody");
    assert!(server.events("w").contains("ActivityTaskStarted ActivityTaskCompleted"), "{}", server.events("w"));
    assert!(server.no_activity());
    server.step(vec![complete_workflow()]);
}

#[test]
fn a_result_that_is_too_large_is_a_failure() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    let request = api::RespondActivityTaskCompletedRequest { result: large(3 << 20), ..success_request(&task) };
    call!(server, RespondActivityTaskCompleted, request);
    let failed = server.failed();
    assert_eq!(failed.retry_state(), RetryState::NonRetryableFailure);
    let failure = failed.failure.unwrap();
    assert_eq!(failure.message, "Complete result exceeds size limit.");
    assert!(matches!(failure.failure_info, Some(FailureInfo::ServerFailureInfo(info)) if info.non_retryable));
}

#[test]
fn a_heartbeat_that_is_too_large_fails_the_activity() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    let response = call!(server, RecordActivityTaskHeartbeat, heartbeat_request(&task, large(3 << 20)));
    assert!(response.cancel_requested, "the worker is to give up");
    assert_eq!(server.failed().failure.unwrap().message, "Heartbeat details exceed size limit.");
}

#[test]
fn a_failure_that_is_too_large_is_cut_and_the_worker_is_told() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    let response = server.fail(&task, failure(&"x".repeat(3 << 20)));
    assert_eq!(response.failures.len(), 1);
    let failure = server.failed().failure.unwrap();
    assert_eq!(failure.message, "Failure exceeds size limit.");
    let cause = failure.cause.unwrap();
    assert!(cause.message.starts_with("xxx") && cause.message.len() < 1 << 20, "{} bytes", cause.message.len());
}

#[test]
fn a_long_failure_is_kept_in_part_between_attempts() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    server.fail(&task, failure(&"x".repeat(10_000)));
    let last_failure = server.pending().last_failure.unwrap();
    assert_eq!(last_failure.message, "Failure exceeds size limit.");
    assert!(last_failure.cause.unwrap().message.len() <= 4_096);
}

#[test]
fn a_failure_that_is_not_of_an_application_is_refused() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    let refusal = server.try_call(fail_request(&task, Failure::default())).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::InvalidArgument, "Failure must have ApplicationFailureInfo.")
    );
}

#[test]
fn an_eager_activity_comes_with_the_answer_and_is_not_queued() {
    let mut server = Server::new();
    server.start("w");
    let response = server.step(vec![scheduled(|a| a.request_eager_execution = true)]);
    let [task] = response.activity_tasks.as_slice() else { panic!("{response:?}") };
    assert_eq!((task.activity_id.as_str(), task.attempt), ("a", 1));
    assert!(task.started_time.is_some() && task.workflow_execution.is_some());
    assert!(server.no_activity());
    server.heartbeat(task, "half");
    server.fail(task, failure("no"));
    server.advance(Duration::from_secs(1));
    let again = server.activity();
    assert_eq!(again.attempt, 2, "other attempts are queued");
    server.succeed(&again);
    server.step(vec![complete_workflow()]);
}

#[test]
fn a_workflow_has_a_limit_of_activities() {
    let mut config = Config::default();
    config.limits.pending = 2;
    let mut server = Server::with(config);
    server.start("w");
    let task = server.task();
    let commands = ["1", "2", "3"].map(schedule_activity).to_vec();
    let refusal = server.try_call(complete_request(&task, commands)).unwrap_err();
    assert_eq!(
        refusal.message,
        "PendingActivitiesLimitExceeded: the number of pending activities, 2, has reached the per-workflow limit of 2"
    );
}

#[test]
fn an_activity_without_options_is_refused() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let refusal = server.try_call(complete_request(&task, vec![scheduled(|a| a.start_to_close_timeout = None)]));
    assert_eq!(
        refusal.unwrap_err().message,
        "BadScheduleActivityAttributes: a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the \
         activity. ActivityId=a ActivityType=charge"
    );
    server.step(vec![scheduled(|a| a.task_queue = None)]);
    assert_eq!(server.activity().activity_id, "a", "the queue is the workflow's");
    server.signal("w", "go on");
    let task = server.task();
    let refusal = server.try_call(complete_request(&task, vec![scheduled(|_| {})])).unwrap_err();
    assert!(refusal.message.starts_with("ScheduleActivityDuplicateId: "), "{refusal:?}");
}

#[test]
fn timeouts_are_completed_by_the_run_timeout() {
    let mut server = Server::new();
    let mut request = start_request("w");
    request.workflow_run_timeout = secs(60);
    call!(server, StartWorkflowExecution, request);
    server.step(vec![scheduled(|a| {
        a.start_to_close_timeout = secs(100);
        a.heartbeat_timeout = secs(90);
    })]);
    let options = server.pending().activity_options.unwrap();
    assert_eq!(options.schedule_to_close_timeout, secs(60));
    assert_eq!(options.schedule_to_start_timeout, secs(60));
    assert_eq!(options.start_to_close_timeout, secs(60));
    assert_eq!(options.heartbeat_timeout, secs(60));
}
