//! Workflows that begin anew from a point of an earlier run.

use std::time::Duration;

use stead_proto::common::v1::WorkflowExecution;
use stead_proto::enums::v1::{
    EventType, ResetReapplyExcludeType, ResetReapplyType, UpdateWorkflowExecutionLifecycleStage as Stage,
    WorkflowExecutionStatus, WorkflowTaskFailedCause,
};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::update::v1::Acceptance;
use stead_proto::workflow::v1::post_reset_operation::{SignalWorkflow, UpdateWorkflowOptions, Variant};
use stead_proto::workflow::v1::{PostResetOperation, WorkflowExecutionOptions};
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::Code;

use crate::children::{child, start_child};
use crate::restart::{durable, restarted};
use crate::support::{
    NAMESPACE, Server, complete_workflow, continue_as_new, execution, poll_request, schedule_activity, start_timer,
    types,
};
use crate::updates::{accept, answer, message, respond, update_request};
use crate::{call, last};

/// Back to the workflow task that this event completes.
fn reset_request(finish_event_id: i64) -> api::ResetWorkflowExecutionRequest {
    api::ResetWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        reason: "bad deploy".to_owned(),
        workflow_task_finish_event_id: finish_event_id,
        request_id: "reset".to_owned(),
        ..Default::default()
    }
}

/// Those of event 4 of `w`, which its first task completed.
impl Server {
    fn reset(&mut self) -> String {
        call!(self, ResetWorkflowExecution, reset_request(4)).run_id
    }

    fn reset_refused(&mut self, request: api::ResetWorkflowExecutionRequest) -> (Code, String) {
        let refusal = self.try_call(request).expect_err("a reset that cannot be");
        (refusal.code, refusal.message)
    }
}

/// A workflow whose first task started a timer of a minute, and which then got a signal.
fn signalled() -> (Server, String) {
    let mut server = Server::with(durable());
    let run_id = server.start("w");
    server.step(vec![start_timer("t", 60)]);
    server.signal("w", "hello");
    (server, run_id)
}

#[test]
fn a_run_begins_anew_at_a_task_and_hears_the_later_signals_again() {
    let (mut server, base) = signalled();
    let run_id = server.reset();
    let history = server.history("w");
    assert_eq!(
        types(&history),
        "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskFailed \
         WorkflowExecutionSignaled WorkflowTaskScheduled"
    );
    let failed = last!(history, WorkflowTaskFailedEventAttributes);
    assert_eq!(failed.cause(), WorkflowTaskFailedCause::ResetWorkflow);
    assert_eq!((failed.base_run_id, failed.new_run_id), (base.clone(), run_id.clone()));
    assert_eq!(failed.identity, "history-service");
    let failure = failed.failure.expect("a failure");
    assert_eq!(failure.message, "bad deploy");
    assert!(matches!(failure.failure_info, Some(FailureInfo::ResetWorkflowFailureInfo(_))), "{failure:?}");
    let history = server.history_of("w", &base);
    let terminated = last!(history, WorkflowExecutionTerminatedEventAttributes);
    assert_eq!((terminated.reason.as_str(), terminated.identity.as_str()), ("bad deploy", "history-resetter"));
    let task = server.task();
    assert_eq!((task.attempt, task.previous_started_event_id), (1, 0));
    server.complete(&task, vec![complete_workflow()]);
    let description = server.describe("w");
    assert_eq!(description.workflow_execution_info.unwrap().status(), WorkflowExecutionStatus::Completed);
}

#[test]
fn both_runs_tell_of_the_reset() {
    let (mut server, base) = signalled();
    server.advance(Duration::from_secs(5));
    let run_id = server.reset();
    let extended = server.describe("w").workflow_extended_info.unwrap();
    assert_eq!(extended.last_reset_time, Some(server.now.timestamp()));
    assert_ne!(extended.original_start_time, extended.last_reset_time);
    let request = api::DescribeWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(WorkflowExecution { workflow_id: "w".to_owned(), run_id: base }),
    };
    let described = call!(server, DescribeWorkflowExecution, request);
    assert_eq!(described.workflow_extended_info.unwrap().reset_run_id, run_id);
}

#[test]
fn a_closed_run_begins_anew_too() {
    let (mut server, base) = signalled();
    server.step(vec![complete_workflow()]);
    let before = server.history_of("w", &base);
    server.reset();
    assert_eq!(server.history_of("w", &base), before, "the closed run stays as it is");
    let history = server.events("w");
    assert!(history.ends_with("WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled"), "{history}");
}

#[test]
fn signals_can_be_left_out() {
    for request in [
        api::ResetWorkflowExecutionRequest {
            reset_reapply_exclude_types: vec![ResetReapplyExcludeType::Signal.into()],
            ..reset_request(4)
        },
        api::ResetWorkflowExecutionRequest { reset_reapply_type: ResetReapplyType::None.into(), ..reset_request(4) },
    ] {
        let (mut server, _) = signalled();
        call!(server, ResetWorkflowExecution, request);
        let history = server.events("w");
        assert!(history.ends_with("WorkflowTaskFailed WorkflowTaskScheduled"), "{history}");
    }
}

#[test]
fn news_that_waits_for_the_worker_is_not_lost() {
    let (mut server, base) = signalled();
    let _task = server.task();
    server.signal("w", "while the worker is at it");
    server.reset();
    assert!(server.events("w").ends_with("WorkflowExecutionSignaled WorkflowExecutionSignaled WorkflowTaskScheduled"));
    let events = types(&server.history_of("w", &base));
    assert!(events.ends_with("WorkflowTaskFailed WorkflowExecutionSignaled WorkflowExecutionTerminated"), "{events}");
}

#[test]
fn signals_of_the_runs_that_continue_the_workflow_are_taken_over() {
    let (mut server, base) = signalled();
    server.step(vec![continue_as_new()]);
    server.advance(Duration::from_secs(1));
    server.signal("w", "to the second run");
    let second = server.describe("w").workflow_execution_info.unwrap().execution.unwrap().run_id;
    let mut request = reset_request(4);
    request.workflow_execution.as_mut().unwrap().run_id = base;
    call!(server, ResetWorkflowExecution, request);
    let history = server.events("w");
    assert!(
        history
            .ends_with("WorkflowTaskFailed WorkflowExecutionSignaled WorkflowExecutionSignaled WorkflowTaskScheduled"),
        "{history}"
    );
    let ended = server.history_of("w", &second);
    assert_eq!(last!(ended, WorkflowExecutionTerminatedEventAttributes).identity, "history-resetter");
}

#[test]
fn an_update_is_told_by_an_event_and_accepted_without_what_it_asks() {
    let mut server = Server::with(durable());
    server.start("w");
    server.step(Vec::new());
    server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    server.reset();
    assert!(server.events("w").ends_with("WorkflowExecutionUpdateAdmitted WorkflowTaskScheduled"));
    let mut server = restarted(server);
    let update = server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    assert!(task.messages.is_empty(), "the history says it: {:?}", task.messages);
    let acceptance = Acceptance {
        accepted_request_message_id: "u/request".to_owned(),
        accepted_request_sequencing_event_id: 5,
        accepted_request: None,
    };
    let messages = vec![message("u/accept", "u", &acceptance), respond("u")];
    call!(server, RespondWorkflowTaskCompleted, answer(&task, messages));
    assert!(server.answer(update).is_some(), "the caller of the update has its outcome");
    let history = server.history("w");
    assert_eq!(last!(history, WorkflowExecutionUpdateAcceptedEventAttributes).accepted_request, None);
}

#[test]
fn an_update_that_no_worker_knows_of_is_rejected_and_leaves_no_row() {
    let mut server = Server::with(durable());
    server.start("w");
    server.step(Vec::new());
    server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    server.reset();
    server.step(Vec::new());
    let mut server = restarted(server);
    server.signal("w", "go on");
    server.step(vec![complete_workflow()]);
    server.advance(Duration::from_secs(25 * 60 * 60));
    let pending = server.kept.keys().filter(|(table, _)| *table == stead_server::store::Table::Pending).count();
    assert_eq!(pending, 0, "nothing is left of the runs");
}

#[test]
fn activities_and_timers_are_waited_for_from_the_beginning() {
    let mut server = Server::with(durable());
    server.start("w");
    server.step(vec![schedule_activity("a"), start_timer("t", 60)]);
    server.signal("w", "go on");
    server.step(Vec::new());
    let lost = server.activity();
    server.advance(Duration::from_secs(8));
    // After the task of the signal: its scheduling is event 8.
    call!(server, ResetWorkflowExecution, reset_request(10));
    let pending = server.describe("w").pending_activities;
    assert_eq!((pending.len(), pending[0].attempt), (1, 1));
    let answer = api::RespondActivityTaskCompletedRequest { task_token: lost.task_token, ..Default::default() };
    assert_eq!(server.try_call(answer).unwrap_err().code, Code::NotFound, "the attempt was of the old run");
    let mut server = restarted(server);
    server.activity();
    server.advance(Duration::from_secs(52));
    assert!(server.events("w").contains("TimerFired"), "the timer fires when it would have: {}", server.events("w"));
}

#[test]
fn a_child_reports_to_the_run_that_began_anew() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![start_child(child("c"))]);
    server.step(Vec::new());
    let history = server.history("w");
    let finish = history.iter().rev().find(|event| event.event_type() == EventType::WorkflowTaskCompleted).unwrap();
    call!(server, ResetWorkflowExecution, reset_request(finish.event_id));
    assert_eq!(server.describe("w").pending_children.len(), 1);
    let status = server.describe("c").workflow_execution_info.unwrap().status();
    assert_eq!(status, WorkflowExecutionStatus::Running, "the reset leaves the child alone");
    server.step_on("children", vec![complete_workflow()]);
    assert!(server.events("w").contains("ChildWorkflowExecutionCompleted"), "{}", server.events("w"));
}

#[test]
fn the_end_of_a_child_after_the_point_is_taken_over() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![start_child(child("c"))]);
    server.step(Vec::new());
    let point = server.history("w").last().unwrap().event_id;
    server.step_on("children", vec![complete_workflow()]);
    server.step(vec![complete_workflow()]);
    call!(server, ResetWorkflowExecution, reset_request(point));
    let history = server.events("w");
    assert!(history.ends_with("WorkflowTaskFailed ChildWorkflowExecutionCompleted WorkflowTaskScheduled"), "{history}");
}

#[test]
fn an_unstarted_task_can_be_the_point() {
    let (mut server, _) = signalled();
    // Event 7 is the scheduling of the second task: the run has it, and nobody took it.
    server.signal("w", "again");
    call!(server, ResetWorkflowExecution, reset_request(8));
    let history = server.events("w");
    assert!(
        history.ends_with(
            "WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskFailed WorkflowExecutionSignaled \
             WorkflowTaskScheduled"
        ),
        "{history}"
    );
}

#[test]
fn only_a_task_can_be_the_point() {
    let (mut server, _) = signalled();
    let events = i64::try_from(server.history("w").len()).unwrap();
    for outside in [0, 1, events + 1] {
        let message = "Workflow task finish ID must be > 1 && <= workflow last event ID.";
        assert_eq!(server.reset_refused(reset_request(outside)), (Code::InvalidArgument, message.to_owned()));
    }
    for within_a_batch in [2, 5] {
        let message = format!(
            "StateRebuilder unable to Rebuild mutable state to event ID: {}, version: 0, this event must be at the \
             boundary",
            within_a_batch - 1
        );
        assert_eq!(server.reset_refused(reset_request(within_a_batch)), (Code::InvalidArgument, message));
    }
    let message = "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: 6";
    assert_eq!(server.reset_refused(reset_request(6)), (Code::InvalidArgument, message.to_owned()));
    let status = server.describe("w").workflow_execution_info.unwrap().status();
    assert_eq!(status, WorkflowExecutionStatus::Running, "a reset that cannot be does nothing");
}

#[test]
fn a_reset_needs_a_request_id_and_a_run() {
    let (mut server, _) = signalled();
    let nameless = api::ResetWorkflowExecutionRequest { request_id: String::new(), ..reset_request(4) };
    let refused = server.reset_refused(nameless);
    assert_eq!(refused, (Code::InvalidArgument, "RequestId is not set on request.".to_owned()));
    let unknown = api::ResetWorkflowExecutionRequest { workflow_execution: Some(execution("x")), ..reset_request(4) };
    assert_eq!(server.reset_refused(unknown).0, Code::NotFound);
    let mut running = reset_request(4);
    running.post_reset_operations =
        vec![PostResetOperation { variant: Some(Variant::SignalWorkflow(SignalWorkflow::default())) }];
    let message = "unsupported post reset operation: *workflow.PostResetOperation_SignalWorkflow_";
    assert_eq!(server.reset_refused(running), (Code::InvalidArgument, message.to_owned()));
}

#[test]
fn options_can_be_changed_with_the_reset() {
    let (mut server, _) = signalled();
    let priority = stead_proto::common::v1::Priority { priority_key: 2, ..Default::default() };
    let request = api::ResetWorkflowExecutionRequest {
        post_reset_operations: vec![PostResetOperation {
            variant: Some(Variant::UpdateWorkflowOptions(UpdateWorkflowOptions {
                workflow_execution_options: Some(WorkflowExecutionOptions {
                    priority: Some(priority.clone()),
                    ..Default::default()
                }),
                update_mask: Some(prost_types::FieldMask { paths: vec!["priority".to_owned()] }),
            })),
        }],
        ..reset_request(4)
    };
    call!(server, ResetWorkflowExecution, request);
    assert!(server.events("w").ends_with("WorkflowExecutionOptionsUpdated WorkflowTaskScheduled"));
    assert_eq!(server.describe("w").workflow_execution_info.unwrap().priority, Some(priority));
}

#[test]
fn the_first_completed_task_of_each_version_is_a_reset_point() {
    let mut server = Server::new();
    let run_id = server.start("w");
    for checksum in ["one", "one", "two"] {
        let task = server.task();
        let mut request = crate::support::complete_request(&task, Vec::new());
        request.binary_checksum = checksum.to_owned();
        call!(server, RespondWorkflowTaskCompleted, request);
        server.signal("w", "go on");
    }
    let points = server.describe("w").workflow_execution_info.unwrap().auto_reset_points.unwrap().points;
    let points: Vec<_> = points
        .iter()
        .map(|it| (it.binary_checksum.as_str(), it.first_workflow_task_completed_id, it.resettable))
        .collect();
    assert_eq!(points, [("one", 4, true), ("two", 12, true)]);
    server.step(vec![continue_as_new()]);
    let points = server.describe("w").workflow_execution_info.unwrap().auto_reset_points.unwrap().points;
    assert!(points.iter().all(|point| point.run_id == run_id && point.expire_time.is_some()), "{points:?}");
}

#[test]
fn a_run_that_began_anew_begins_anew_again() {
    let (mut server, _) = signalled();
    server.reset();
    server.step(Vec::new());
    let mut server = restarted(server);
    server.reset();
    let history = server.events("w");
    assert!(history.ends_with("WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled"), "{history}");
    assert!(server.send_poll_for_nothing_is_answered());
}

impl Server {
    /// Takes the one task that there is, and finds no second one.
    fn send_poll_for_nothing_is_answered(&mut self) -> bool {
        self.task();
        let poll = self.send(poll_request());
        self.answer(poll).is_none()
    }
}
