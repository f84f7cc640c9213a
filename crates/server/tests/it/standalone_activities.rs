//! Activities without a workflow: starts, attempts, what callers and operators do to them, and what lists show.

use std::time::Duration;

use stead_proto::activity::v1::activity_execution_outcome::Value;
use stead_proto::activity::v1::{ActivityExecutionInfo, ActivityExecutionOutcome, ActivityOptions};
use stead_proto::common::v1::{ActivityType, RetryPolicy};
use stead_proto::enums::v1::{
    ActivityExecutionStatus as Status, ActivityIdConflictPolicy as Conflict, ActivityIdReusePolicy as Reuse,
    PendingActivityState as RunState, RetryState, TimeoutType,
};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Code, Request};

use crate::activities::failure;
use crate::call;
use crate::restart::{durable, restarted};
use crate::support::{NAMESPACE, Server, activity_poll_request, complete_request, named_queue, secs, text};

type Start = api::StartActivityExecutionRequest;

pub(crate) fn start_request(id: &str) -> Start {
    Start {
        namespace: NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        activity_type: Some(ActivityType { name: "charge".to_owned() }),
        task_queue: named_queue("q"),
        start_to_close_timeout: secs(10),
        input: text("in"),
        ..Default::default()
    }
}

fn describe_request(id: &str) -> api::DescribeActivityExecutionRequest {
    api::DescribeActivityExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        include_input: true,
        include_outcome: true,
        include_heartbeat_details: true,
        include_last_failure: true,
        ..Default::default()
    }
}

fn poll_request(id: &str) -> api::PollActivityExecutionRequest {
    api::PollActivityExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        ..Default::default()
    }
}

fn pause_request(id: &str, request_id: &str) -> api::PauseActivityExecutionRequest {
    api::PauseActivityExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        request_id: request_id.to_owned(),
        ..Default::default()
    }
}

fn unpause_request(id: &str) -> api::UnpauseActivityExecutionRequest {
    api::UnpauseActivityExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        ..Default::default()
    }
}

fn reset_request(id: &str) -> api::ResetActivityExecutionRequest {
    api::ResetActivityExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        ..Default::default()
    }
}

fn cancel_request(id: &str, request_id: &str) -> api::RequestCancelActivityExecutionRequest {
    api::RequestCancelActivityExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        request_id: request_id.to_owned(),
        reason: "no need".to_owned(),
        ..Default::default()
    }
}

fn terminate_request(id: &str, request_id: &str) -> api::TerminateActivityExecutionRequest {
    api::TerminateActivityExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: id.to_owned(),
        request_id: request_id.to_owned(),
        reason: "enough".to_owned(),
        ..Default::default()
    }
}

impl Server {
    /// Starts an activity with changes to what `start_request` says; its run id.
    pub(crate) fn start_activity(&mut self, id: &str, change: impl FnOnce(&mut Start)) -> String {
        let mut request = start_request(id);
        change(&mut request);
        let started = call!(self, StartActivityExecution, request);
        assert!(started.started, "{started:?}");
        started.run_id
    }

    fn activity_info(&mut self, id: &str) -> ActivityExecutionInfo {
        call!(self, DescribeActivityExecution, describe_request(id)).info.expect("what there is to know")
    }

    fn outcome(&mut self, id: &str) -> ActivityExecutionOutcome {
        call!(self, PollActivityExecution, poll_request(id)).outcome.expect("an outcome")
    }

    /// Expects a refusal with this code; its message.
    fn refusal(&mut self, request: impl Into<Request>, code: Code) -> String {
        let refusal = self.try_call(request).expect_err("a refusal");
        assert_eq!(refusal.code, code, "{refusal:?}");
        refusal.message
    }

    /// Expects that no worker would get an activity now.
    fn has_no_activity(&mut self) {
        let poll = self.send(activity_poll_request());
        assert!(self.answer(poll).is_none(), "somebody got a task");
        let _ = self.expire(poll);
    }
}

fn failed(outcome: ActivityExecutionOutcome) -> (stead_proto::failure::v1::Failure, RetryState) {
    let state = outcome.retry_state();
    match outcome.value {
        Some(Value::Failure(failure)) => (failure, state),
        other => panic!("not a failure: {other:?}"),
    }
}

#[test]
fn an_activity_runs_without_a_workflow() {
    let mut server = Server::new();
    let run_id = server.start_activity("a", |_| {});
    let waiting = server.send(poll_request("a"));
    let task = server.activity();
    assert_eq!((&task.activity_id, &task.activity_run_id), (&"a".to_owned(), &run_id));
    assert_eq!(task.workflow_execution.as_ref().map(|run| run.workflow_id.as_str()), Some(""));
    assert_eq!((task.attempt, task.input.clone()), (1, text("in")));
    assert_eq!(server.activity_info("a").run_state(), RunState::Started);
    assert!(server.answer(waiting).is_none(), "it has not ended");
    call!(
        server,
        RespondActivityTaskCompleted,
        api::RespondActivityTaskCompletedRequest {
            task_token: task.task_token.clone(),
            result: text("out"),
            identity: "worker".to_owned(),
            ..Default::default()
        }
    );
    let Some(Ok(stead_server::engine::Response::PollActivityExecution(polled))) = server.answer(waiting) else {
        panic!("the poll was not answered");
    };
    assert_eq!(polled.run_id, run_id);
    assert_eq!(polled.outcome.and_then(|outcome| outcome.value), text("out").map(Value::Result));
    let description = call!(server, DescribeActivityExecution, describe_request("a"));
    assert_eq!(description.input, text("in"));
    let info = description.info.expect("what there is to know");
    assert_eq!((info.status(), info.last_worker_identity.as_str()), (Status::Completed, "worker"));
    assert!(info.close_time.is_some());
    let again = api::RespondActivityTaskCompletedRequest { task_token: task.task_token, ..Default::default() };
    assert_eq!(server.refusal(again, Code::NotFound), "activity not found for ID: a");
}

#[test]
fn an_activity_without_a_workflow_is_tried_again_as_its_policy_says() {
    let mut server = Server::new();
    server.start_activity("a", |start| {
        start.retry_policy = Some(RetryPolicy { maximum_attempts: 2, ..Default::default() });
    });
    let task = server.activity();
    server.fail(&task, failure("first"));
    let info = server.activity_info("a");
    assert_eq!((info.attempt, info.run_state(), info.current_retry_interval), (2, RunState::Scheduled, secs(1)));
    assert!(info.next_attempt_schedule_time.is_some());
    assert_eq!(info.last_failure.map(|failure| failure.message), Some("first".to_owned()));
    server.has_no_activity();
    server.advance(Duration::from_secs(1));
    let task = server.activity();
    assert_eq!(task.attempt, 2);
    server.fail(&task, failure("second"));
    let (failure, state) = failed(server.outcome("a"));
    assert_eq!((failure.message.as_str(), state), ("second", RetryState::MaximumAttemptsReached));
    assert_eq!(server.activity_info("a").status(), Status::Failed);
}

#[test]
fn an_activity_without_a_workflow_times_out() {
    let mut server = Server::new();
    server.start_activity("a", |start| {
        start.schedule_to_close_timeout = secs(3);
        start.start_to_close_timeout = secs(2);
    });
    server.activity();
    server.advance(Duration::from_secs(2));
    let (failure, state) = failed(server.outcome("a"));
    assert_eq!(state, RetryState::Timeout);
    let Some(FailureInfo::TimeoutFailureInfo(info)) = failure.failure_info else { panic!("{failure:?}") };
    assert_eq!(info.timeout_type(), TimeoutType::ScheduleToClose, "no time is left for another attempt");
    let info = server.activity_info("a");
    assert_eq!(info.status(), Status::TimedOut);
    let last = info.last_failure.expect("why the last attempt ended");
    assert_eq!((last.message.as_str(), last.source.as_str()), ("activity StartToClose timeout", ""));

    server.start_activity("b", |start| start.schedule_to_start_timeout = secs(1));
    server.advance(Duration::from_secs(1));
    let (failure, _) = failed(server.outcome("b"));
    assert_eq!(failure.message, "activity ScheduleToStart timeout");

    server.start_activity("c", |start| {
        start.schedule_to_close_timeout = secs(1);
        start.start_to_close_timeout = None;
    });
    server.activity();
    server.advance(Duration::from_secs(1));
    let (failure, state) = failed(server.outcome("c"));
    assert_eq!((failure.message.as_str(), state), ("activity ScheduleToClose timeout", RetryState::Timeout));
}

#[test]
fn a_start_delay_comes_before_the_first_attempt_and_moves_its_deadline() {
    let mut server = Server::new();
    server.start_activity("a", |start| {
        start.start_delay = secs(60);
        start.schedule_to_close_timeout = secs(5);
    });
    server.has_no_activity();
    assert!(server.engine.is_idle(), "a delay lets time be skipped");
    let info = server.activity_info("a");
    assert_eq!(info.next_attempt_schedule_time, info.execution_time);
    assert_eq!(info.expiration_time.unwrap().seconds - info.schedule_time.unwrap().seconds, 65);
    server.advance(Duration::from_secs(60));
    assert!(!server.engine.is_idle(), "somebody may take it");
    assert_eq!(server.activity().attempt, 1);
}

#[test]
fn heartbeats_are_counted_kept_and_missed() {
    let mut server = Server::new();
    server.start_activity("a", |start| start.heartbeat_timeout = secs(2));
    let task = server.activity();
    server.heartbeat(&task, "1");
    server.advance(Duration::from_secs(1));
    server.heartbeat(&task, "2");
    let info = server.activity_info("a");
    assert_eq!((info.total_heartbeat_count, info.heartbeat_details), (2, text("2")));
    server.advance(Duration::from_secs(3));
    let task = server.activity();
    assert_eq!((task.attempt, task.heartbeat_details), (2, text("2")));
}

#[test]
fn a_task_is_answered_in_its_own_namespace() {
    let mut server = Server::new();
    let other = api::RegisterNamespaceRequest {
        namespace: "other".to_owned(),
        workflow_execution_retention_period: secs(7200),
        ..Default::default()
    };
    call!(server, RegisterNamespace, other);
    server.start_activity("a", |_| {});
    let task_token = server.activity().task_token;
    server.start("w");
    let workflow_task = server.task();
    let namespace = "other".to_owned();
    let refused = api::RespondActivityTaskCompletedRequest {
        task_token: task_token.clone(),
        namespace: namespace.clone(),
        ..Default::default()
    };
    let elsewhere = "Operation requested with a token from a different namespace.";
    assert_eq!(server.refusal(refused, Code::InvalidArgument), elsewhere);
    let refused =
        api::RespondWorkflowTaskCompletedRequest { namespace, ..complete_request(&workflow_task, Vec::new()) };
    assert_eq!(server.refusal(refused, Code::InvalidArgument), elsewhere);
    let anywhere = api::RespondActivityTaskCompletedRequest { task_token, ..Default::default() };
    call!(server, RespondActivityTaskCompleted, anywhere);
}

#[test]
fn an_id_in_use_is_refused_or_used() {
    let mut server = Server::new();
    let run_id = server.start_activity("a", |start| start.request_id = "r".to_owned());
    assert_eq!(server.refusal(start_request("a"), Code::AlreadyExists), "activity execution already started");
    let same = call!(server, StartActivityExecution, Start { request_id: "r".to_owned(), ..start_request("a") });
    assert_eq!((same.started, &same.run_id), (false, &run_id), "the same request starts one activity");
    let mut request = start_request("a");
    request.set_id_conflict_policy(Conflict::UseExisting);
    assert_eq!(call!(server, StartActivityExecution, request).run_id, run_id);

    let task = server.activity();
    server.succeed(&task);
    let mut request = start_request("a");
    request.set_id_reuse_policy(Reuse::AllowDuplicateFailedOnly);
    server.refusal(request.clone(), Code::AlreadyExists);
    let second = server.start_activity("a", |_| {});
    assert_ne!(second, run_id);
    call!(server, TerminateActivityExecution, terminate_request("a", ""));
    assert!(call!(server, StartActivityExecution, request).started, "the last one did not succeed");
    let mut request = start_request("a");
    request.set_id_reuse_policy(Reuse::RejectDuplicate);
    call!(server, TerminateActivityExecution, terminate_request("a", ""));
    server.refusal(request, Code::AlreadyExists);
    let first = call!(
        server,
        DescribeActivityExecution,
        api::DescribeActivityExecutionRequest { run_id, ..describe_request("a") }
    );
    assert_eq!(first.info.unwrap().status(), Status::Completed);
}

#[test]
fn a_start_that_cannot_be_is_refused() {
    let mut server = Server::new();
    let invalid = |server: &mut Server, change: &dyn Fn(&mut Start)| {
        let mut request = start_request("a");
        change(&mut request);
        server.refusal(request, Code::InvalidArgument)
    };
    assert_eq!(invalid(&mut server, &|start| start.activity_id.clear()), "activityId is not set");
    assert_eq!(invalid(&mut server, &|start| start.activity_type = None), "activityType is not set");
    assert!(invalid(&mut server, &|start| start.start_to_close_timeout = None).starts_with("a valid StartToClose"));
    assert_eq!(invalid(&mut server, &|start| start.start_delay = secs(-1)), "invalid StartDelay: negative duration");
    let nobody = server.try_call({
        let mut request = start_request("a");
        request.completion_callbacks.push(Default::default());
        request
    });
    assert_eq!(nobody.unwrap_err().code, Code::Unimplemented, "a callback that calls nobody back");
    assert_eq!(server.refusal(describe_request("nobody"), Code::NotFound), "activity not found for ID: nobody");
}

#[test]
fn an_activity_is_cancelled_at_once_or_by_its_worker() {
    let mut server = Server::new();
    server.start_activity("a", |_| {});
    call!(server, RequestCancelActivityExecution, cancel_request("a", "r"));
    let (failure, _) = failed(server.outcome("a"));
    assert_eq!(failure.message, "Activity canceled");
    let Some(FailureInfo::CanceledFailureInfo(info)) = failure.failure_info else { panic!("not cancelled") };
    assert_eq!(info.details.unwrap().payloads[0].data.as_ref(), b"\"no need\"");
    call!(server, RequestCancelActivityExecution, cancel_request("a", "r"));
    let refused = server.refusal(cancel_request("a", "other"), Code::FailedPrecondition);
    assert_eq!(refused, "activity is in terminal state Canceled");

    server.start_activity("b", |_| {});
    let task = server.activity();
    let unasked = api::RespondActivityTaskCanceledRequest { task_token: task.task_token.clone(), ..Default::default() };
    server.refusal(unasked.clone(), Code::InvalidArgument);
    call!(server, RequestCancelActivityExecution, cancel_request("b", "r"));
    let refused = server.refusal(cancel_request("b", "other"), Code::FailedPrecondition);
    assert_eq!(refused, "cancellation already requested with request ID r");
    let info = server.activity_info("b");
    assert_eq!((info.run_state(), info.canceled_reason.as_str()), (RunState::CancelRequested, "no need"));
    assert!(server.heartbeat(&task, "1").cancel_requested);
    call!(server, RespondActivityTaskCanceled, unasked);
    assert_eq!(server.activity_info("b").status(), Status::Canceled);
}

#[test]
fn an_activity_is_terminated_once() {
    let mut server = Server::new();
    server.start_activity("a", |_| {});
    let task = server.activity();
    call!(server, TerminateActivityExecution, terminate_request("a", "r"));
    call!(server, TerminateActivityExecution, terminate_request("a", "r"));
    let refused = server.refusal(terminate_request("a", "other"), Code::FailedPrecondition);
    assert_eq!(refused, "already terminated with request ID r");
    let (failure, _) = failed(server.outcome("a"));
    assert_eq!(failure.message, "enough");
    assert!(matches!(failure.failure_info, Some(FailureInfo::TerminatedFailureInfo(_))), "{failure:?}");
    let late = api::RespondActivityTaskCompletedRequest { task_token: task.task_token, ..Default::default() };
    server.refusal(late, Code::NotFound);
}

#[test]
fn a_deleted_activity_is_gone_and_who_waits_for_it_learns_its_end() {
    let mut server = Server::with(durable());
    server.start_activity("a", |_| {});
    let waiting = server.send(poll_request("a"));
    let request = api::DeleteActivityExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: "a".to_owned(),
        ..Default::default()
    };
    call!(server, DeleteActivityExecution, request.clone());
    assert!(matches!(server.answer(waiting), Some(Ok(_))), "it was terminated before");
    server.refusal(describe_request("a"), Code::NotFound);
    server.refusal(request, Code::NotFound);
    server.has_no_activity();
    let mut server = restarted(server);
    server.refusal(describe_request("a"), Code::NotFound);
}

#[test]
fn a_long_description_waits_for_a_change() {
    let mut server = Server::new();
    let run_id = server.start_activity("a", |_| {});
    let first = call!(server, DescribeActivityExecution, describe_request("a"));
    let request = api::DescribeActivityExecutionRequest {
        run_id: run_id.clone(),
        long_poll_token: first.long_poll_token,
        ..describe_request("a")
    };
    let waiting = server.send(request.clone());
    assert!(server.answer(waiting).is_none(), "nothing has changed");
    server.activity();
    let Some(Ok(stead_server::engine::Response::DescribeActivityExecution(changed))) = server.answer(waiting) else {
        panic!("the change was not told");
    };
    assert_eq!(changed.info.unwrap().run_state(), RunState::Started);
    let waiting = server
        .send(api::DescribeActivityExecutionRequest { long_poll_token: changed.long_poll_token, ..request.clone() });
    let expired = server.expire(waiting).unwrap();
    assert_eq!(expired, api::DescribeActivityExecutionResponse::default().into(), "it may ask again");
    let without_run = api::DescribeActivityExecutionRequest { run_id: String::new(), ..request.clone() };
    let refused = server.refusal(without_run, Code::InvalidArgument);
    assert_eq!(refused, "run id is required when long poll token is provided");
    let garbage = api::DescribeActivityExecutionRequest { long_poll_token: b"\xff".as_slice().into(), ..request };
    assert_eq!(server.refusal(garbage, Code::InvalidArgument), "invalid long poll token");
}

#[test]
fn an_activity_is_answered_by_its_id() {
    let mut server = Server::new();
    server.start_activity("a", |_| {});
    let beat = api::RecordActivityTaskHeartbeatByIdRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: "a".to_owned(),
        ..Default::default()
    };
    assert_eq!(server.refusal(beat.clone(), Code::NotFound), "activity task not found", "nobody has it");
    server.activity();
    call!(server, RecordActivityTaskHeartbeatById, beat);
    call!(
        server,
        RespondActivityTaskFailedById,
        api::RespondActivityTaskFailedByIdRequest {
            namespace: NAMESPACE.to_owned(),
            activity_id: "a".to_owned(),
            failure: Some(failure("no")),
            ..Default::default()
        }
    );
    assert_eq!(server.activity_info("a").attempt, 2);
    call!(
        server,
        RespondActivityTaskCompletedById,
        api::RespondActivityTaskCompletedByIdRequest {
            namespace: NAMESPACE.to_owned(),
            activity_id: "a".to_owned(),
            result: text("forced"),
            ..Default::default()
        }
    );
    assert_eq!(server.outcome("a").value, text("forced").map(Value::Result), "even in a backoff");
}

#[test]
fn a_paused_activity_goes_on_when_it_is_told_to() {
    let mut server = Server::new();
    server.start_activity("a", |_| {});
    call!(server, PauseActivityExecution, pause_request("a", "r"));
    call!(server, PauseActivityExecution, pause_request("a", "r"));
    let refused = server.refusal(pause_request("a", "other"), Code::FailedPrecondition);
    assert_eq!(refused, "activity is in non-pausable state Paused");
    let info = server.activity_info("a");
    assert_eq!((info.status(), info.run_state()), (Status::Paused, RunState::Paused));
    server.has_no_activity();
    call!(server, UnpauseActivityExecution, unpause_request("a"));
    let refused = server.refusal(unpause_request("a"), Code::FailedPrecondition);
    assert_eq!(refused, "activity is in non-unpausable state Scheduled");

    let task = server.activity();
    call!(server, PauseActivityExecution, pause_request("a", "third"));
    assert!(server.heartbeat(&task, "1").activity_paused);
    assert_eq!(server.activity_info("a").run_state(), RunState::PauseRequested);
    server.fail(&task, failure("paused"));
    server.advance(Duration::from_secs(5));
    server.has_no_activity();
    assert_eq!(server.activity_info("a").attempt, 2);
    call!(server, UnpauseActivityExecution, unpause_request("a"));
    assert_eq!(server.activity().attempt, 2);
}

#[test]
fn timeouts_of_a_paused_activity_go_on() {
    let mut server = Server::new();
    server.start_activity("a", |start| start.schedule_to_close_timeout = secs(5));
    call!(server, PauseActivityExecution, pause_request("a", ""));
    server.advance(Duration::from_secs(5));
    assert_eq!(server.activity_info("a").status(), Status::TimedOut);
}

#[test]
fn a_reset_begins_with_the_first_attempt() {
    let mut server = Server::new();
    server.start_activity("a", |_| {});
    let task = server.activity();
    server.heartbeat(&task, "far");
    server.fail(&task, failure("first"));
    call!(server, ResetActivityExecution, reset_request("a"));
    let task = server.activity();
    assert_eq!((task.attempt, task.heartbeat_details.clone()), (1, text("far")), "no backoff is left");
    call!(
        server,
        ResetActivityExecution,
        api::ResetActivityExecutionRequest { reset_heartbeat: true, ..reset_request("a") }
    );
    let refused = server.refusal(reset_request("a"), Code::FailedPrecondition);
    assert_eq!(refused, "cannot reset an activity with a pending reset");
    assert!(server.heartbeat(&task, "further").activity_reset);
    server.fail(&task, failure("not retryable or not"));
    let task = server.activity();
    assert_eq!((task.attempt, task.heartbeat_details.clone()), (1, None));
    server.succeed(&task);
    let refused = server.refusal(reset_request("a"), Code::FailedPrecondition);
    assert_eq!(refused, "activity execution is not running");
}

#[test]
fn options_of_an_activity_change_and_come_back() {
    let mut server = Server::new();
    server.start_activity("a", |_| {});
    let request = api::UpdateActivityExecutionOptionsRequest {
        namespace: NAMESPACE.to_owned(),
        activity_id: "a".to_owned(),
        activity_options: Some(ActivityOptions {
            task_queue: named_queue("other"),
            start_to_close_timeout: secs(7),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["taskQueue.name".to_owned(), "start_to_close_timeout".to_owned()],
        }),
        ..Default::default()
    };
    let options = call!(server, UpdateActivityExecutionOptions, request.clone()).activity_options.unwrap();
    assert_eq!((options.task_queue.unwrap().name.as_str(), options.start_to_close_timeout), ("other", secs(7)));
    server.has_no_activity();
    let unknown = prost_types::FieldMask { paths: vec!["colour".to_owned()] };
    let refused = api::UpdateActivityExecutionOptionsRequest { update_mask: Some(unknown), ..request.clone() };
    assert_eq!(server.refusal(refused, Code::InvalidArgument), "unsupported update_mask path: \"colour\"");
    let default_policy = api::UpdateActivityExecutionOptionsRequest {
        activity_options: Some(ActivityOptions::default()),
        update_mask: Some(prost_types::FieldMask { paths: vec!["retry_policy".to_owned()] }),
        ..request.clone()
    };
    let options = call!(server, UpdateActivityExecutionOptions, default_policy).activity_options.unwrap();
    assert_eq!(options.retry_policy.unwrap().initial_interval, secs(1), "no policy is the one of those without any");
    let restore = api::UpdateActivityExecutionOptionsRequest {
        activity_options: None,
        update_mask: None,
        restore_original: true,
        ..request
    };
    call!(server, UpdateActivityExecutionOptions, restore);
    assert_eq!(server.activity().start_to_close_timeout, secs(10));
}

#[test]
fn activities_are_listed_and_counted_apart_from_workflows() {
    let mut server = Server::new();
    server.start("w");
    let run_id = server.start_activity("a", |_| {});
    server.start_activity("b", |_| {});
    call!(server, TerminateActivityExecution, terminate_request("a", ""));
    let mut list = |query: &str| {
        let request = api::ListActivityExecutionsRequest {
            namespace: NAMESPACE.to_owned(),
            query: query.to_owned(),
            ..Default::default()
        };
        call!(server, ListActivityExecutions, request).executions
    };
    assert_eq!(list("").len(), 2);
    let found = list("ActivityId = \"a\" AND ActivityType = 'charge' AND TaskQueue = 'q'");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0].run_id, found[0].status()), (&run_id, Status::Terminated));
    assert!(found[0].close_time.is_some());
    assert_eq!(list("ExecutionStatus = 'Running'").len(), 1);
    let request = api::CountActivityExecutionsRequest {
        namespace: NAMESPACE.to_owned(),
        query: "(ActivityId = \"a\" OR ActivityId = \"b\") GROUP BY ExecutionStatus".to_owned(),
    };
    let counted = call!(server, CountActivityExecutions, request);
    let groups: Vec<_> =
        counted.groups.iter().map(|group| (group.group_values[0].data.as_ref(), group.count)).collect();
    assert_eq!((counted.count, groups), (2, vec![(&b"\"Running\""[..], 1), (&b"\"Terminated\""[..], 1)]));
}

#[test]
fn an_activity_survives_a_restart() {
    let mut server = Server::with(durable());
    server.start_activity("done", |_| {});
    let task = server.activity();
    server.succeed(&task);
    server.start_activity("waits", |start| start.start_delay = secs(30));
    let run_id = server.start_activity("offered", |_| {});
    let mut server = restarted(server);
    assert_eq!(server.activity_info("done").status(), Status::Completed);
    let task = server.activity();
    assert_eq!(task.activity_run_id, run_id);
    let mut server = restarted(server);
    server.succeed(&task);
    assert_eq!(server.activity_info("offered").status(), Status::Completed);
    server.advance(Duration::from_secs(30));
    assert_eq!(server.activity().activity_id, "waits");
    server.advance(Duration::from_secs(24 * 60 * 60));
    server.refusal(describe_request("done"), Code::NotFound);
    let mut server = restarted(server);
    server.refusal(describe_request("done"), Code::NotFound);
}

#[test]
fn a_backoff_lets_time_be_skipped_and_an_attempt_does_not() {
    let mut server = Server::new();
    server.start_activity("a", |_| {});
    assert!(!server.engine.is_idle(), "somebody may take it");
    let task = server.activity();
    assert!(!server.engine.is_idle(), "a worker has it");
    server.fail(&task, failure("first"));
    assert!(server.engine.is_idle(), "it is in a backoff");
    assert_eq!(server.engine.poll_progress(), Some(server.now + Duration::from_secs(1)));
}

#[test]
fn operators_reach_activities_of_workflows_by_the_same_calls() {
    let mut server = Server::with_activity(|_| {});
    let request = api::PauseActivityExecutionRequest { workflow_id: "w".to_owned(), ..pause_request("a", "") };
    call!(server, PauseActivityExecution, request);
    assert!(server.pending().paused);
    let request = api::UnpauseActivityExecutionRequest { workflow_id: "w".to_owned(), ..unpause_request("a") };
    call!(server, UnpauseActivityExecution, request);
    assert!(!server.pending().paused);
}
