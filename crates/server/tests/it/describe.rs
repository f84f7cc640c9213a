//! What `DescribeWorkflowExecution` tells, and histories from their end.

use std::time::Duration;

use stead_proto::common::v1::link::Variant;
use stead_proto::common::v1::link::workflow_event::Reference;
use stead_proto::common::v1::{Callback, Priority, callback, payload};
use stead_proto::enums::v1::{
    CallbackState, EventType, PendingActivityState, PendingWorkflowTaskState, WorkflowExecutionStatus,
};
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::Code;

use crate::activities::failure;
use crate::call;
use crate::support::{
    NAMESPACE, Server, complete_workflow, decoded, execution, queue, schedule_activity, secs, start_request,
    start_timer, text, types,
};

#[test]
fn payloads_that_are_kept_elsewhere_are_counted() {
    let mut server = Server::new();
    let mut input = text("a reference").unwrap();
    input.payloads[0].external_payloads = vec![payload::ExternalPayloadDetails { size_bytes: 1024 }];
    let request = api::StartWorkflowExecutionRequest { input: Some(input), ..start_request("w") };
    call!(server, StartWorkflowExecution, request);
    let counted = |server: &mut Server| {
        let info = server.describe("w").workflow_execution_info.unwrap();
        (info.external_payload_count, info.external_payload_size_bytes)
    };
    assert_eq!(counted(&mut server), (1, 1024));
    server.step(vec![start_timer("t", 60)]);
    let reset = api::ResetWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        workflow_task_finish_event_id: 4,
        request_id: "reset".to_owned(),
        ..Default::default()
    };
    call!(server, ResetWorkflowExecution, reset);
    assert_eq!(counted(&mut server), (1, 1024), "of what it has of the run before");
}

#[test]
fn a_run_tells_how_it_was_started() {
    let mut server = Server::new();
    let request = api::StartWorkflowExecutionRequest {
        workflow_execution_timeout: secs(600),
        workflow_task_timeout: secs(7),
        request_id: "start".to_owned(),
        priority: Some(Priority { priority_key: 2, ..Default::default() }),
        completion_callbacks: vec![Callback {
            variant: Some(callback::Variant::Nexus(callback::Nexus {
                url: "temporal://system".to_owned(),
                ..Default::default()
            })),
            ..Default::default()
        }],
        ..start_request("w")
    };
    let run_id = call!(server, StartWorkflowExecution, request).run_id;
    let description = server.describe("w");
    let config = description.execution_config.unwrap();
    assert_eq!(config.task_queue, Some(queue()));
    assert_eq!((config.workflow_execution_timeout, config.workflow_run_timeout), (secs(600), secs(600)));
    assert_eq!(config.default_workflow_task_timeout, secs(7));
    let info = description.workflow_execution_info.unwrap();
    assert_eq!(info.execution.as_ref().unwrap().run_id, run_id);
    assert_eq!(
        (info.status(), info.history_length, info.task_queue.as_str()),
        (WorkflowExecutionStatus::Running, 2, "q")
    );
    assert_eq!((info.first_run_id.as_str(), info.root_execution.unwrap().run_id.as_str()), (&*run_id, &*run_id));
    assert_eq!((info.start_time, info.close_time), (info.execution_time, None));
    assert_eq!(info.priority.unwrap().priority_key, 2);
    assert!(info.memo.is_some() && info.search_attributes.is_some());
    let extended = description.workflow_extended_info.unwrap();
    assert_eq!(extended.execution_expiration_time, Some((server.now + Duration::from_secs(600)).timestamp()));
    assert_eq!(extended.run_expiration_time, extended.execution_expiration_time);
    let started = &extended.request_id_infos["start"];
    assert_eq!((started.event_type(), started.event_id), (EventType::WorkflowExecutionStarted, 1));
    let task = description.pending_workflow_task.unwrap();
    assert_eq!((task.state(), task.attempt, task.started_time), (PendingWorkflowTaskState::Scheduled, 1, None));
    assert_eq!(description.callbacks.len(), 1);
    assert_eq!(description.callbacks[0].state(), CallbackState::Standby);
}

#[test]
fn a_task_with_a_worker_is_pending() {
    let mut server = Server::new();
    server.start("w");
    server.advance(Duration::from_secs(1));
    server.task();
    let task = server.describe("w").pending_workflow_task.unwrap();
    assert_eq!(task.state(), PendingWorkflowTaskState::Started);
    assert_ne!(task.started_time, task.scheduled_time);
}

#[test]
fn requests_lead_to_their_events_when_those_have_ids() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let request = api::SignalWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        signal_name: "hello".to_owned(),
        request_id: "signal".to_owned(),
        ..Default::default()
    };
    let link = call!(server, SignalWorkflowExecution, request).link.and_then(|link| link.variant);
    let Some(Variant::WorkflowEvent(link)) = link else { panic!("{link:?}") };
    let Some(Reference::RequestIdRef(reference)) = link.reference else { panic!("{link:?}") };
    assert_eq!(reference.request_id, "signal", "while it has no id, and ever after");
    let info = server.describe("w").workflow_extended_info.unwrap().request_id_infos["signal"];
    assert_eq!((info.event_type(), info.event_id, info.buffered), (EventType::WorkflowExecutionSignaled, 0, true));
    server.complete(&task, vec![start_timer("t", 60)]);
    let info = server.describe("w").workflow_extended_info.unwrap().request_id_infos["signal"];
    assert_eq!((info.event_id, info.buffered), (6, false));
    assert_eq!(server.history("w")[5].event_type(), EventType::WorkflowExecutionSignaled);
}

#[test]
fn a_pending_activity_tells_where_it_is() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![schedule_activity("a")]);
    let pending = server.pending();
    assert_eq!((pending.state(), pending.attempt, pending.maximum_attempts), (PendingActivityState::Scheduled, 1, 0));
    assert_eq!((pending.next_attempt_schedule_time, pending.last_started_time), (None, None));
    let task = server.activity();
    let pending = server.pending();
    assert_eq!(pending.state(), PendingActivityState::Started);
    assert_eq!((pending.last_started_time, pending.last_worker_identity.as_str()), (task.started_time, "worker"));
    server.advance(Duration::from_secs(2));
    server.heartbeat(&task, "half");
    assert_eq!(server.pending().last_heartbeat_time, Some(server.now.timestamp()));
    server.fail(&task, failure("no"));
    let pending = server.pending();
    assert_eq!((pending.state(), pending.attempt), (PendingActivityState::Scheduled, 2));
    assert_eq!(pending.last_failure.unwrap().message, "no");
    assert_eq!(pending.last_worker_identity, "worker");
    assert_eq!(
        (pending.current_retry_interval, pending.last_attempt_complete_time),
        (secs(1), Some(server.now.timestamp()))
    );
    assert_eq!(pending.next_attempt_schedule_time, Some((server.now + Duration::from_secs(1)).timestamp()));
    server.advance(Duration::from_secs(1));
    let pending = server.pending();
    assert_eq!((pending.next_attempt_schedule_time, pending.current_retry_interval), (None, None));
}

#[test]
fn a_closed_run_tells_when_and_how_long() {
    let mut server = Server::new();
    server.start("w");
    server.advance(Duration::from_secs(3));
    server.step(vec![complete_workflow()]);
    let description = server.describe("w");
    let info = description.workflow_execution_info.unwrap();
    assert_eq!((info.status(), info.close_time), (WorkflowExecutionStatus::Completed, Some(server.now.timestamp())));
    assert_eq!((info.execution_duration, info.history_length), (secs(3), 5));
    assert_eq!(description.pending_workflow_task, None);
}

#[test]
fn an_unknown_workflow_is_not_described() {
    let mut server = Server::new();
    let request =
        api::DescribeWorkflowExecutionRequest { namespace: NAMESPACE.to_owned(), execution: Some(execution("nope")) };
    let refusal = server.try_call(request).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::NotFound, "workflow not found for ID: nope"));
}

#[test]
fn a_history_is_read_from_its_end() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![complete_workflow()]);
    let mut request = api::GetWorkflowExecutionHistoryReverseRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        ..Default::default()
    };
    let whole = call!(server, GetWorkflowExecutionHistoryReverse, request.clone());
    assert!(whole.next_page_token.is_empty());
    let mut expected = server.history("w");
    expected.reverse();
    assert_eq!(decoded(whole.history), expected);
    request.maximum_page_size = 1;
    let mut pages = Vec::new();
    loop {
        let page = call!(server, GetWorkflowExecutionHistoryReverse, request.clone());
        pages.push(types(&decoded(page.history)));
        if page.next_page_token.is_empty() {
            break;
        }
        request.next_page_token = page.next_page_token;
    }
    assert_eq!(
        pages,
        [
            "WorkflowExecutionCompleted WorkflowTaskCompleted",
            "WorkflowTaskStarted",
            "WorkflowTaskScheduled WorkflowExecutionStarted"
        ]
    );
}
