//! Completions of workflow tasks that come in pages.

use std::time::Duration;

use stead_proto::command::v1::command::Attributes as CommandAttributes;
use stead_proto::command::v1::{Command, RecordMarkerCommandAttributes};
use stead_proto::enums::v1::{CommandType, WorkflowTaskFailedCause as Cause};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::workflowservice::v1::RespondWorkflowTaskCompletedRequest;
use stead_server::engine::raw::PollWorkflowTaskQueueResponse;
use stead_server::engine::{Code, Refusal};

use crate::call;
use crate::support::{NAMESPACE, Server, complete_request, complete_workflow};

fn marker(name: &str) -> Command {
    let attributes = RecordMarkerCommandAttributes { marker_name: name.to_owned(), ..Default::default() };
    Command {
        command_type: CommandType::RecordMarker.into(),
        attributes: Some(CommandAttributes::RecordMarkerCommandAttributes(Box::new(attributes))),
        ..Default::default()
    }
}

/// A page that others follow.
fn page(task: &PollWorkflowTaskQueueResponse, number: i32, marker_name: &str) -> RespondWorkflowTaskCompletedRequest {
    RespondWorkflowTaskCompletedRequest {
        namespace: NAMESPACE.to_owned(),
        task_token: task.task_token.clone(),
        commands: vec![marker(marker_name)],
        page_number: number,
        intermediate_page: true,
        ..Default::default()
    }
}

/// The last page.
fn last(task: &PollWorkflowTaskQueueResponse, number: i32) -> RespondWorkflowTaskCompletedRequest {
    RespondWorkflowTaskCompletedRequest { page_number: number, ..complete_request(task, vec![complete_workflow()]) }
}

fn send(server: &mut Server, request: RespondWorkflowTaskCompletedRequest) {
    let answer = call!(server, RespondWorkflowTaskCompleted, request);
    assert!(answer.workflow_task.is_none());
}

fn refused(server: &mut Server, request: RespondWorkflowTaskCompletedRequest) -> Refusal {
    server.try_call(request).expect_err("a refusal")
}

fn markers(server: &mut Server) -> Vec<String> {
    let history = server.history("w");
    let markers = history.into_iter().filter_map(|event| match event.attributes {
        Some(Attributes::MarkerRecordedEventAttributes(marker)) => Some(marker.marker_name),
        _ => None,
    });
    markers.collect()
}

#[test]
fn a_completion_in_pages_is_carried_out_as_one_in_their_order() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    for (number, name) in [(1, "second"), (0, "first"), (1, "again")] {
        send(&mut server, page(&task, number, name));
    }
    let so_far = "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted";
    assert_eq!(server.events("w"), so_far, "nothing happens before the last page");
    send(&mut server, last(&task, 2));
    assert_eq!(
        server.events("w"),
        format!("{so_far} WorkflowTaskCompleted MarkerRecorded MarkerRecorded WorkflowExecutionCompleted")
    );
    assert_eq!(markers(&mut server), ["first", "second"]);
}

#[test]
fn a_worker_whose_pages_are_lost_is_told_and_sends_them_again() {
    let mut server = Server::new();
    server.start("w");
    let slow = server.task();
    send(&mut server, page(&slow, 0, "of the attempt before"));
    server.advance(Duration::from_secs(10));
    let task = server.task();
    let refusal = refused(&mut server, last(&task, 1));
    let message = "workflow task completion buffer lost for scheduled event 5 attempt 2";
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::Aborted, message));
    assert!(refusal.details[0].type_url.ends_with("WorkflowTaskCompletionBufferLostFailure"), "{refusal:?}");

    send(&mut server, page(&task, 1, "second"));
    let refusal = refused(&mut server, last(&task, 2));
    assert_eq!(refusal.message, "workflow task completion buffer missing page 0 of 2");

    send(&mut server, page(&task, 0, "first"));
    send(&mut server, last(&task, 1));
    assert_eq!(markers(&mut server), ["first"]);
}

#[test]
fn pages_that_cannot_be_are_refused_and_the_task_goes_on() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    for (number, says) in [(-1, "must be non-negative"), (1024, "at most 1024 pages")] {
        let refusal = refused(&mut server, page(&task, number, "m"));
        assert_eq!(refusal.code, Code::InvalidArgument);
        assert!(refusal.message.ends_with(says), "{refusal:?}");
    }
    let empty = RespondWorkflowTaskCompletedRequest { commands: Vec::new(), ..page(&task, 0, "m") };
    assert_eq!(refused(&mut server, empty).message, "intermediate workflow task page must carry at least one command");
    send(&mut server, complete_request(&task, vec![complete_workflow()]));
}

#[test]
fn a_completion_that_is_too_large_even_in_pages_ends_its_workflow() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let half = "m".repeat(21 << 20);
    send(&mut server, page(&task, 0, &half));
    let refusal = refused(&mut server, page(&task, 1, &half));
    assert_eq!(refusal.code, Code::InvalidArgument);
    let history = server.history("w");
    let failed = history.iter().find_map(|event| match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => Some(failed.cause()),
        _ => None,
    });
    assert_eq!(failed, Some(Cause::RequestTooLarge));
    assert!(server.events("w").ends_with("WorkflowExecutionTerminated"), "{}", server.events("w"));
}
