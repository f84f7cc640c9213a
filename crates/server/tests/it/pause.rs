//! Activities and workflows that operators pause, let go on, and begin anew.

use std::time::Duration;

use stead_proto::enums::v1::{EventType, PendingActivityState, WorkflowExecutionStatus};
use stead_proto::workflow::v1::pending_activity_info::pause_info::PausedBy;
use stead_proto::workflowservice::v1::{
    self as api, pause_activity_request, reset_activity_request, unpause_activity_request,
};
use stead_server::engine::Code;

use crate::activities::failure;
use crate::call;
use crate::support::{
    NAMESPACE, Server, complete_workflow, execution, poll_request, schedule_activity, start_timer, text,
};

fn pause_request(activity: pause_activity_request::Activity) -> api::PauseActivityRequest {
    api::PauseActivityRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        identity: "operator".to_owned(),
        reason: "maintenance".to_owned(),
        request_id: "pause".to_owned(),
        activity: Some(activity),
    }
}

fn unpause_request() -> api::UnpauseActivityRequest {
    api::UnpauseActivityRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        activity: Some(unpause_activity_request::Activity::Id("a".to_owned())),
        ..Default::default()
    }
}

fn reset_request() -> api::ResetActivityRequest {
    api::ResetActivityRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        activity: Some(reset_activity_request::Activity::Id("a".to_owned())),
        ..Default::default()
    }
}

fn pause_workflow_request() -> api::PauseWorkflowExecutionRequest {
    api::PauseWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: "w".to_owned(),
        identity: "operator".to_owned(),
        reason: "maintenance".to_owned(),
        request_id: "pause".to_owned(),
        ..Default::default()
    }
}

fn unpause_workflow_request() -> api::UnpauseWorkflowExecutionRequest {
    api::UnpauseWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: "w".to_owned(),
        ..Default::default()
    }
}

impl Server {
    fn pause_activity(&mut self) {
        let request = pause_request(pause_activity_request::Activity::Id("a".to_owned()));
        call!(self, PauseActivity, request);
    }

    fn paused_shown(&mut self) -> String {
        let info = self.describe("w").workflow_execution_info.unwrap();
        let fields = info.search_attributes.unwrap().indexed_fields;
        fields.get("TemporalPauseInfo").map_or(String::new(), |value| String::from_utf8_lossy(&value.data).into_owned())
    }
}

#[test]
fn a_paused_activity_waits_for_as_long_as_it_takes() {
    let mut server = Server::with_activity(|a| a.schedule_to_close_timeout = crate::support::secs(60));
    server.pause_activity();
    assert!(server.no_activity());
    let pending = server.pending();
    assert_eq!((pending.state(), pending.paused), (PendingActivityState::Paused, true));
    let Some(PausedBy::Manual(by)) = pending.pause_info.unwrap().paused_by else { panic!("paused by hand") };
    assert_eq!((by.identity.as_str(), by.reason.as_str()), ("operator", "maintenance"));
    assert_eq!(server.paused_shown(), r#"["property:activityType=charge"]"#);
    server.advance(Duration::from_secs(50));
    call!(server, UnpauseActivity, unpause_request());
    assert_eq!(server.paused_shown(), "");
    let task = server.activity();
    assert_eq!(task.attempt, 1);
    server.succeed(&task);
    server.step(vec![complete_workflow()]);
}

#[test]
fn lists_find_what_is_paused() {
    let mut server = Server::with_activity(|_| {});
    let count = |server: &mut Server, query: &str| {
        let request = api::CountWorkflowExecutionsRequest { namespace: NAMESPACE.to_owned(), query: query.to_owned() };
        call!(server, CountWorkflowExecutions, request).count
    };
    let by_activity = "TemporalPauseInfo = 'property:activityType=charge'";
    server.pause_activity();
    assert_eq!(count(&mut server, by_activity), 1);
    call!(server, UnpauseActivity, unpause_request());
    assert_eq!(count(&mut server, by_activity), 0);
    call!(server, PauseWorkflowExecution, pause_workflow_request());
    assert_eq!(count(&mut server, "ExecutionStatus = 'Paused'"), 1);
    call!(server, UnpauseWorkflowExecution, unpause_workflow_request());
    assert_eq!(count(&mut server, "ExecutionStatus = 'Running'"), 1);
}

#[test]
fn an_attempt_that_runs_may_end_while_its_activity_is_paused() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    server.pause_activity();
    assert_eq!(server.pending().state(), PendingActivityState::PauseRequested);
    assert!(server.heartbeat(&task, "half").activity_paused);
    server.fail(&task, failure("no"));
    let pending = server.pending();
    assert_eq!((pending.state(), pending.attempt), (PendingActivityState::Paused, 2));
    assert_eq!(pending.last_failure.unwrap().message, "no");
    server.advance(Duration::from_secs(3600));
    assert!(server.no_activity());
    let request = api::UnpauseActivityRequest { reset_attempts: true, reset_heartbeat: true, ..unpause_request() };
    call!(server, UnpauseActivity, request);
    let task = server.activity();
    assert_eq!((task.attempt, task.heartbeat_details), (1, None));
}

#[test]
fn an_activity_is_paused_once_for_each_request() {
    let mut server = Server::with_activity(|_| {});
    server.pause_activity();
    server.pause_activity();
    let mut request = pause_request(pause_activity_request::Activity::Type("charge".to_owned()));
    request.request_id = "another".to_owned();
    let refusal = server.try_call(request).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::FailedPrecondition, "activity is already paused"));
    let refusal = server.try_call(pause_request(pause_activity_request::Activity::Id("zz".to_owned()))).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::NotFound, "Can't find pending activity with such ID. Invalid activityID or activity already completed")
    );
    let refusal = server.try_call(api::PauseActivityRequest {
        activity: None,
        ..pause_request(pause_activity_request::Activity::Id(String::new()))
    });
    assert_eq!(refusal.unwrap_err().message, "Either Activity.Id or Activity.Type should be set on request.");
}

#[test]
fn activities_are_paused_by_their_type() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![schedule_activity("a"), schedule_activity("b")]);
    call!(server, PauseActivity, pause_request(pause_activity_request::Activity::Type("charge".to_owned())));
    assert!(server.no_activity());
    let all = api::UnpauseActivityRequest {
        activity: Some(unpause_activity_request::Activity::UnpauseAll(true)),
        ..unpause_request()
    };
    call!(server, UnpauseActivity, all);
    assert_eq!((server.activity().attempt, server.activity().attempt), (1, 1));
}

#[test]
fn an_activity_that_is_reset_begins_anew() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    server.heartbeat(&task, "half");
    server.fail(&task, failure("no"));
    assert_eq!(server.pending().attempt, 2);
    call!(server, ResetActivity, reset_request());
    let pending = server.pending();
    assert_eq!((pending.attempt, pending.last_failure, pending.next_attempt_schedule_time), (1, None, None));
    let task = server.activity();
    assert_eq!((task.attempt, task.heartbeat_details), (1, text("half")), "without waiting for the backoff");
}

#[test]
fn a_worker_hears_that_its_activity_was_reset() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    let request = api::ResetActivityRequest { reset_heartbeat: true, ..reset_request() };
    call!(server, ResetActivity, request);
    assert!(server.heartbeat(&task, "half").activity_reset);
    server.fail(&task, failure("no"));
    server.advance(Duration::from_secs(1));
    let task = server.activity();
    assert_eq!((task.attempt, task.heartbeat_details.clone()), (2, None));
    assert!(!server.heartbeat(&task, "anew").activity_reset);
}

#[test]
fn a_reset_keeps_an_activity_paused_if_it_is_told_to() {
    let mut server = Server::with_activity(|_| {});
    server.pause_activity();
    call!(server, ResetActivity, api::ResetActivityRequest { keep_paused: true, ..reset_request() });
    assert_eq!(server.pending().state(), PendingActivityState::Paused);
    call!(server, ResetActivity, reset_request());
    assert_eq!(server.activity().attempt, 1);
}

#[test]
fn jitter_spreads_the_attempts() {
    let mut server = Server::with_activity(|_| {});
    server.pause_activity();
    let request = api::UnpauseActivityRequest { jitter: crate::support::secs(100), ..unpause_request() };
    call!(server, UnpauseActivity, request);
    let pending = server.pending();
    let at = pending.next_attempt_schedule_time.expect("it waits");
    assert!(at.seconds - server.now.timestamp().seconds <= 100, "{at:?}");
    server.advance(Duration::from_secs(100));
    server.activity();
}

#[test]
fn a_paused_workflow_takes_no_steps() {
    let mut server = Server::new();
    server.start("w");
    call!(server, PauseWorkflowExecution, pause_workflow_request());
    assert_eq!(
        server.events("w"),
        "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskFailed WorkflowExecutionPaused"
    );
    let description = server.describe("w");
    assert_eq!(description.workflow_execution_info.unwrap().status(), WorkflowExecutionStatus::Paused);
    let pause = description.workflow_extended_info.unwrap().pause_info.unwrap();
    assert_eq!((pause.identity.as_str(), pause.reason.as_str()), ("operator", "maintenance"));
    assert_eq!(server.paused_shown(), r#"["Workflow:w","Reason:maintenance"]"#);
    server.signal("w", "hello");
    let poll = server.send(poll_request());
    assert_eq!(server.answer(poll), None, "there is no task");
    call!(server, UnpauseWorkflowExecution, unpause_workflow_request());
    assert!(server.answer(poll).is_some(), "the task comes");
    assert!(
        server
            .events("w")
            .ends_with("WorkflowExecutionSignaled WorkflowExecutionUnpaused WorkflowTaskScheduled WorkflowTaskStarted"),
        "{}",
        server.events("w")
    );
    let description = server.describe("w");
    assert_eq!(description.workflow_execution_info.unwrap().status(), WorkflowExecutionStatus::Running);
    let history = server.history("w");
    let ignorable = history.iter().filter(|event| event.worker_may_ignore).map(|event| event.event_type());
    assert_eq!(
        ignorable.collect::<Vec<_>>(),
        [EventType::WorkflowExecutionPaused, EventType::WorkflowExecutionUnpaused],
        "workers that do not know the events go on without them"
    );
}

#[test]
fn a_task_that_a_worker_has_ends_in_a_paused_workflow() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    call!(server, PauseWorkflowExecution, pause_workflow_request());
    let response = server.complete(&task, vec![start_timer("t", 1), schedule_activity("a")]);
    assert_eq!(response.workflow_task, None);
    assert!(server.no_activity(), "activities wait, too");
    server.advance(Duration::from_secs(1));
    assert_eq!(server.history("w").last().unwrap().event_type(), EventType::TimerFired, "{}", server.events("w"));
    call!(server, UnpauseWorkflowExecution, unpause_workflow_request());
    assert_eq!(server.activity().attempt, 1);
    server.task();
}

#[test]
fn the_pause_is_written_when_the_worker_that_had_the_task_fails_or_is_late() {
    for fails in [true, false] {
        let mut server = Server::new();
        server.start("w");
        let task = server.task();
        call!(server, PauseWorkflowExecution, pause_workflow_request());
        let end = if fails {
            let request = api::RespondWorkflowTaskFailedRequest { task_token: task.task_token, ..Default::default() };
            call!(server, RespondWorkflowTaskFailed, request);
            "WorkflowTaskFailed"
        } else {
            server.advance(Duration::from_secs(10));
            "WorkflowTaskTimedOut"
        };
        assert_eq!(
            server.events("w"),
            format!("WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted {end} WorkflowExecutionPaused")
        );
        assert_eq!(server.describe("w").pending_workflow_task, None);
        call!(server, UnpauseWorkflowExecution, unpause_workflow_request());
        server.step(vec![complete_workflow()]);
    }
}

#[test]
fn a_workflow_is_paused_once_for_each_request() {
    let mut server = Server::new();
    server.start("w");
    let refusal = server.try_call(unpause_workflow_request()).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::FailedPrecondition, "workflow is not paused."));
    call!(server, PauseWorkflowExecution, pause_workflow_request());
    call!(server, PauseWorkflowExecution, pause_workflow_request());
    let another = api::PauseWorkflowExecutionRequest { request_id: "another".to_owned(), ..pause_workflow_request() };
    let refusal = server.try_call(another).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::FailedPrecondition, "workflow is already paused."));
}
