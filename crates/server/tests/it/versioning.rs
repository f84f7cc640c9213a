//! Which version of its workers a workflow is on, by what its tasks say and by overrides.

use std::time::Duration;

use stead_proto::command::v1::Command;
use stead_proto::enums::v1::VersioningBehavior;
use stead_proto::workflow::v1::versioning_override::{OneTimeOverride, Override};
use stead_proto::workflow::v1::{VersioningOverride, WorkflowExecutionVersioningInfo};
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Code, raw};

use crate::children::{child, start_child};
use crate::deployments::{options, set_current, version, versioned_poll};
use crate::support::{Server, complete_request, continue_as_new, queue, start_request};
use crate::{call, last};

/// What a worker of a version says when it has completed a task.
fn completed(
    task: &raw::PollWorkflowTaskQueueResponse,
    build_id: &str,
    behavior: VersioningBehavior,
    commands: Vec<Command>,
) -> api::RespondWorkflowTaskCompletedRequest {
    api::RespondWorkflowTaskCompletedRequest {
        deployment_options: options(build_id),
        versioning_behavior: behavior.into(),
        ..complete_request(task, commands)
    }
}

impl Server {
    fn versioned_step(&mut self, build_id: &str, behavior: VersioningBehavior, commands: Vec<Command>) {
        let task = call!(self, PollWorkflowTaskQueue, versioned_poll(build_id));
        call!(self, RespondWorkflowTaskCompleted, completed(&task, build_id, behavior, commands));
    }

    fn versioning(&mut self, workflow_id: &str) -> WorkflowExecutionVersioningInfo {
        self.describe(workflow_id).workflow_execution_info.unwrap().versioning_info.unwrap_or_default()
    }
}

/// A server whose queue has the versions 1, which is current, and 2.
fn two_versions() -> Server {
    let mut server = Server::new();
    server.introduce("1");
    server.introduce("2");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    server
}

#[test]
fn a_pinned_workflow_stays_on_the_version_that_completed_its_task() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
    let history = server.history("w");
    let event = last!(history, WorkflowTaskCompletedEventAttributes);
    assert_eq!(event.versioning_behavior(), VersioningBehavior::Pinned);
    assert_eq!((event.deployment_version, event.worker_deployment_name.as_str()), (Some(version("1")), "shop"));
    let info = server.versioning("w");
    assert_eq!((info.behavior(), info.version.as_str()), (VersioningBehavior::Pinned, "shop.1"));
    assert_eq!(info.deployment_version, Some(version("1")));
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    server.signal("w", "go on");
    let other = server.send(versioned_poll("2"));
    assert!(server.answer(other).is_none(), "the workflow is pinned to another version");
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
}

#[test]
fn a_workflow_that_is_not_pinned_goes_to_the_current_version() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::AutoUpgrade, Vec::new());
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    server.signal("w", "go on");
    server.versioned_step("2", VersioningBehavior::AutoUpgrade, Vec::new());
    assert_eq!(server.versioning("w").deployment_version, Some(version("2")));
}

#[test]
fn a_behavior_needs_a_version() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let request = api::RespondWorkflowTaskCompletedRequest {
        versioning_behavior: VersioningBehavior::Pinned.into(),
        ..complete_request(&task, Vec::new())
    };
    let refusal = server.try_call(request).expect_err("no version");
    assert_eq!(refusal.code, Code::InvalidArgument);
    assert_eq!(
        refusal.message,
        "versioning behavior cannot be specified without deployment options being set with versioned mode"
    );
    server.complete(&task, Vec::new());
}

#[test]
fn children_and_the_run_that_continues_a_pinned_one_stay_on_its_version() {
    let mut server = two_versions();
    server.start("w");
    let mut child = child("c");
    child.task_queue = Some(queue());
    server.versioned_step("1", VersioningBehavior::Pinned, vec![start_child(child)]);
    assert_eq!(server.versioning("c").deployment_version, Some(version("1")));
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
    server.signal("w", "go on");
    server.versioned_step("1", VersioningBehavior::Pinned, vec![continue_as_new()]);
    let history = server.history("w");
    let started = last!(history, WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.inherited_pinned_version, Some(version("1")));
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    server.advance(Duration::from_secs(1));
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
}

#[test]
fn a_child_on_a_queue_that_its_parents_version_does_not_serve_does_not_inherit_it() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::Pinned, vec![start_child(child("c"))]);
    assert_eq!(server.versioning("c").deployment_version, None);
}

#[test]
fn an_override_for_one_task_ends_with_that_task() {
    let mut server = two_versions();
    let one_time = OneTimeOverride { target_deployment_version: Some(version("2")) };
    let request = api::StartWorkflowExecutionRequest {
        versioning_override: Some(VersioningOverride {
            r#override: Some(Override::OneTime(one_time)),
            ..Default::default()
        }),
        ..start_request("w")
    };
    call!(server, StartWorkflowExecution, request);
    server.versioned_step("2", VersioningBehavior::AutoUpgrade, Vec::new());
    let info = server.versioning("w");
    assert_eq!((info.versioning_override, info.deployment_version), (None, Some(version("2"))));
}
