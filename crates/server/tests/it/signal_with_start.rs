use stead_proto::common::v1::WorkflowType;
use stead_proto::common::v1::link::Variant;
use stead_proto::common::v1::link::workflow_event::Reference;
use stead_proto::enums::v1::{EventType, WorkflowIdConflictPolicy, WorkflowIdReusePolicy};
use stead_proto::workflowservice::v1::SignalWithStartWorkflowExecutionRequest;
use stead_server::engine::Code;

use crate::call;
use crate::support::{NAMESPACE, Server, complete_workflow, poll_request, queue, secs, text};

fn request(workflow_id: &str) -> SignalWithStartWorkflowExecutionRequest {
    SignalWithStartWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: workflow_id.to_owned(),
        workflow_type: Some(WorkflowType { name: "Flow".to_owned() }),
        task_queue: Some(queue()),
        signal_name: "hello".to_owned(),
        signal_input: text("you"),
        ..Default::default()
    }
}

#[test]
fn a_workflow_is_started_with_the_signal_or_gets_it() {
    let mut server = Server::new();
    let first = call!(server, SignalWithStartWorkflowExecution, request("w"));
    assert!(first.started && first.run_id == first.first_execution_run_id, "{first:?}");
    assert_eq!(server.events("w"), "WorkflowExecutionStarted WorkflowExecutionSignaled WorkflowTaskScheduled");
    let Some(Variant::WorkflowEvent(link)) = first.signal_link.unwrap().variant else { panic!() };
    let Some(Reference::RequestIdRef(reference)) = link.reference else { panic!() };
    assert_eq!(reference.event_type(), EventType::WorkflowExecutionSignaled);
    let requests = server.describe("w").workflow_extended_info.unwrap().request_id_infos;
    assert_eq!(requests[&reference.request_id].event_id, 2, "where the link leads");
    let second = call!(server, SignalWithStartWorkflowExecution, request("w"));
    assert_eq!((second.started, second.run_id), (false, first.run_id));
    assert!(server.events("w").ends_with("WorkflowTaskScheduled WorkflowExecutionSignaled"));
}

#[test]
fn the_same_request_is_served_once() {
    let mut server = Server::new();
    let again = SignalWithStartWorkflowExecutionRequest { request_id: "r".to_owned(), ..request("w") };
    let first = call!(server, SignalWithStartWorkflowExecution, again.clone());
    let second = call!(server, SignalWithStartWorkflowExecution, again.clone());
    assert_eq!((second.started, &second.run_id), (false, &first.run_id));
    assert_eq!(server.events("w").matches("Signaled").count(), 1);
    server.step(vec![complete_workflow()]);
    let third = call!(server, SignalWithStartWorkflowExecution, again);
    assert!(third.started && third.run_id != first.run_id, "what has ended may begin again");
}

#[test]
fn a_signal_ends_the_delay_of_a_workflow_that_was_started_before() {
    let mut server = Server::new();
    let delayed = SignalWithStartWorkflowExecutionRequest { workflow_start_delay: secs(60), ..request("w") };
    call!(server, SignalWithStartWorkflowExecution, delayed);
    let poll = server.send(poll_request());
    assert!(server.answer(poll).is_none());
    server.expire(poll).unwrap();
    call!(server, SignalWithStartWorkflowExecution, request("w"));
    server.step(Vec::new());
    server.advance(std::time::Duration::from_secs(60));
    assert!(server.events("w").ends_with("WorkflowTaskCompleted"), "no task without news: {}", server.events("w"));
}

#[test]
fn policies_decide_about_earlier_runs() {
    let mut server = Server::new();
    let first = call!(server, SignalWithStartWorkflowExecution, request("w")).run_id;
    let mut replace = request("w");
    replace.set_workflow_id_conflict_policy(WorkflowIdConflictPolicy::TerminateExisting);
    let second = call!(server, SignalWithStartWorkflowExecution, replace);
    assert!(second.started && second.run_id != first, "{second:?}");
    server.step(vec![complete_workflow()]);
    let mut once = request("w");
    once.set_workflow_id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate);
    let refusal = server.try_call(once).unwrap_err();
    assert_eq!(refusal.code, Code::AlreadyExists, "{refusal:?}");
    let third = call!(server, SignalWithStartWorkflowExecution, request("w"));
    assert!(third.started, "{third:?}");
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let mut server = Server::new();
    let mut fails = request("w");
    fails.set_workflow_id_conflict_policy(WorkflowIdConflictPolicy::Fail);
    let refusal = server.try_call(fails).unwrap_err();
    assert_eq!(
        refusal.message,
        "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation."
    );
    let refusal =
        server.try_call(SignalWithStartWorkflowExecutionRequest { signal_name: String::new(), ..request("w") });
    assert_eq!(refusal.unwrap_err().message, "signal not set");
    let refusal = server.try_call(SignalWithStartWorkflowExecutionRequest { workflow_type: None, ..request("w") });
    assert_eq!(refusal.unwrap_err().message, "workflow type not set");
}
