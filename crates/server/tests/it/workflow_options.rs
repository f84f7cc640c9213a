//! Options that are changed while a workflow runs.

use stead_proto::common::v1::Priority;
use stead_proto::enums::v1::VersioningBehavior;
use stead_proto::workflow::v1::WorkflowExecutionOptions;
use stead_proto::workflow::v1::versioning_override::Override;
use stead_proto::workflow::v1::{VersioningOverride, versioning_override};
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::Code;

use crate::support::{NAMESPACE, Server, execution};
use crate::{call, last};

fn request(options: WorkflowExecutionOptions, paths: &[&str]) -> api::UpdateWorkflowExecutionOptionsRequest {
    api::UpdateWorkflowExecutionOptionsRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        workflow_execution_options: Some(options),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        identity: "operator".to_owned(),
    }
}

fn priority(priority_key: i32) -> WorkflowExecutionOptions {
    WorkflowExecutionOptions { priority: Some(Priority { priority_key, ..Default::default() }), ..Default::default() }
}

fn overridden(to: Override) -> WorkflowExecutionOptions {
    let versioning_override = VersioningOverride { r#override: Some(to), ..Default::default() };
    WorkflowExecutionOptions { versioning_override: Some(versioning_override), ..Default::default() }
}

fn running() -> Server {
    let mut server = Server::new();
    server.start("w");
    server
}

#[test]
fn a_priority_is_changed_by_an_event_and_shown() {
    let mut server = running();
    let response = call!(server, UpdateWorkflowExecutionOptions, request(priority(1), &["priority"]));
    assert_eq!(response.workflow_execution_options, Some(priority(1)));
    assert_eq!(response.update_time, Some(server.now.timestamp()));
    let history = server.history("w");
    let event = last!(history, WorkflowExecutionOptionsUpdatedEventAttributes);
    assert_eq!((event.identity.as_str(), event.priority), ("operator", priority(1).priority));
    assert!(event.unset_versioning_override, "the event says all options that there are");
    assert_eq!(server.describe("w").workflow_execution_info.unwrap().priority, priority(1).priority);
}

#[test]
fn a_task_that_waits_moves_to_its_new_place() {
    let mut server = running();
    let mut second = crate::support::start_request("second");
    second.priority = Some(Priority { priority_key: 2, ..Default::default() });
    call!(server, StartWorkflowExecution, second);
    call!(server, UpdateWorkflowExecutionOptions, request(priority(1), &["priority.priorityKey"]));
    let order = [server.task(), server.task()].map(|task| task.workflow_execution.unwrap().workflow_id);
    assert_eq!(order, ["w", "second"]);
}

#[test]
fn nothing_happens_if_nothing_changes() {
    let mut server = running();
    let before = server.history("w");
    let response = call!(server, UpdateWorkflowExecutionOptions, request(priority(1), &[]));
    assert_eq!(response.update_time, None);
    assert_eq!(server.history("w"), before);
}

#[test]
fn an_override_is_set_and_taken_back() {
    let mut server = running();
    let options = overridden(Override::AutoUpgrade(true));
    let mask = ["versioning_override"];
    call!(server, UpdateWorkflowExecutionOptions, request(options.clone(), &mask));
    let info = server.describe("w").workflow_execution_info.unwrap().versioning_info.unwrap();
    let shown = info.versioning_override.unwrap();
    assert_eq!(Some(&shown.r#override), options.versioning_override.as_ref().map(|it| &it.r#override));
    assert_eq!(shown.behavior(), VersioningBehavior::AutoUpgrade, "older clients look here");
    call!(server, UpdateWorkflowExecutionOptions, request(WorkflowExecutionOptions::default(), &mask));
    assert_eq!(server.describe("w").workflow_execution_info.unwrap().versioning_info, None);
    let history = server.history("w");
    assert!(last!(history, WorkflowExecutionOptionsUpdatedEventAttributes).unset_versioning_override);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut server = running();
    let pinned = versioning_override::PinnedOverride { behavior: 1, version: None };
    for (options, mask, code, message) in [
        (
            priority(1),
            "speed",
            Code::InvalidArgument,
            "error applying update_options: invalid path \"speed\" for message \
             \"temporal.api.workflow.v1.WorkflowExecutionOptions\"",
        ),
        (
            overridden(Override::AutoUpgrade(true)),
            "versioning_override.pinned",
            Code::InvalidArgument,
            "error applying update_options: versioning_override doesn't support partial updates",
        ),
        (priority(-1), "priority", Code::InvalidArgument, "priority key can't be negative"),
        (
            overridden(Override::Pinned(pinned)),
            "versioning_override",
            Code::FailedPrecondition,
            "must specify a specific pinned override version because workflow with id w has behavior Unspecified and is \
             not yet pinned to any version",
        ),
    ] {
        let refusal = server.try_call(request(options, &[mask])).expect_err(message);
        assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
    }
    server.terminate("w");
    let refusal = server.try_call(request(priority(1), &["priority"])).expect_err("it is closed");
    assert_eq!(refusal.message, "workflow execution already completed");
}
