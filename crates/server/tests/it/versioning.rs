//! Which version of its workers a workflow is on, by what its tasks say and by overrides.

use std::collections::BTreeMap;
use std::time::Duration;

use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{Command, ContinueAsNewWorkflowExecutionCommandAttributes};
use stead_proto::common::v1::{Payload, WorkerVersionStamp};
use stead_proto::enums::v1::{
    ContinueAsNewVersioningBehavior, StartChildWorkflowExecutionFailedCause, VersioningBehavior,
};
use stead_proto::workflow::v1::versioning_override::{
    OneTimeOverride, Override, PinnedOverride, PinnedOverrideBehavior,
};
use stead_proto::workflow::v1::{VersioningOverride, WorkflowExecutionOptions, WorkflowExecutionVersioningInfo};
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Code, Response, raw};

use crate::children::{child, start_child};
use crate::deployments::{options, set_current, set_ramping, version, versioned_activity_poll, versioned_poll};
use crate::support::{
    Server, command, complete_request, continue_as_new, execution, queue, schedule_activity, start_request, start_timer,
};
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
fn the_deployment_of_a_workflow_is_described_from_its_override_on() {
    let deployment = |server: &mut Server, workflow_id: &str| {
        server.describe(workflow_id).workflow_execution_info.unwrap().worker_deployment_name
    };
    let mut server = two_versions();
    server.start("w");
    assert_eq!(deployment(&mut server, "w"), "");
    let pinned = VersioningOverride {
        r#override: Some(Override::Pinned(PinnedOverride {
            behavior: PinnedOverrideBehavior::Pinned.into(),
            version: Some(version("2")),
        })),
        ..Default::default()
    };
    let request =
        api::StartWorkflowExecutionRequest { versioning_override: Some(pinned), ..start_request("overridden") };
    call!(server, StartWorkflowExecution, request);
    assert_eq!(deployment(&mut server, "overridden"), "shop");
    let shown = server.versioning("overridden").versioning_override.unwrap();
    assert_eq!((shown.behavior(), shown.pinned_version.as_str()), (VersioningBehavior::Pinned, "shop.2"));
    server.versioned_step("1", VersioningBehavior::AutoUpgrade, Vec::new());
    assert_eq!(deployment(&mut server, "w"), "shop");
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

/// A child on the queue of its parent, with this override.
fn overridden_child(overridden: Override) -> Command {
    let mut child = child("c");
    child.task_queue = Some(queue());
    child.versioning_override = Some(VersioningOverride { r#override: Some(overridden), ..Default::default() });
    start_child(child)
}

fn pinned_to(build_id: &str) -> Override {
    let behavior = PinnedOverrideBehavior::Pinned.into();
    Override::Pinned(PinnedOverride { version: Some(version(build_id)), behavior })
}

#[test]
fn a_child_goes_where_its_parent_sends_it_and_not_where_the_parent_is() {
    for behavior in [VersioningBehavior::Pinned, VersioningBehavior::AutoUpgrade] {
        let mut server = two_versions();
        server.start("w");
        server.versioned_step("1", behavior, vec![overridden_child(pinned_to("2"))]);
        let history = server.history("w");
        let initiated = last!(history, StartChildWorkflowExecutionInitiatedEventAttributes);
        let overridden = initiated.versioning_override.and_then(|it| it.r#override);
        assert_eq!(overridden, Some(pinned_to("2")));
        server.versioned_step("2", VersioningBehavior::AutoUpgrade, Vec::new());
        let info = server.versioning("c");
        assert_eq!(info.deployment_version, Some(version("2")));
        assert!(info.versioning_override.is_some(), "it stays there");
    }
}

#[test]
fn a_child_of_a_pinned_workflow_may_be_sent_to_the_current_version_or_to_one_for_a_task() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    server.signal("w", "go on");
    let moves = overridden_child(Override::AutoUpgrade(true));
    server.versioned_step("1", VersioningBehavior::Pinned, vec![moves]);
    server.versioned_step("2", VersioningBehavior::AutoUpgrade, Vec::new());
    assert_eq!(server.versioning("c").deployment_version, Some(version("2")));

    let mut server = two_versions();
    server.start("w");
    let one_time = Override::OneTime(OneTimeOverride { target_deployment_version: Some(version("2")) });
    server.versioned_step("1", VersioningBehavior::Pinned, vec![overridden_child(one_time)]);
    server.versioned_step("2", VersioningBehavior::AutoUpgrade, Vec::new());
    let info = server.versioning("c");
    assert_eq!((info.versioning_override, info.deployment_version), (None, Some(version("2"))));
}

#[test]
fn a_child_is_not_started_on_a_version_that_does_not_serve_its_queue() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::Pinned, vec![overridden_child(pinned_to("9"))]);
    let history = server.history("w");
    let failed = last!(history, StartChildWorkflowExecutionFailedEventAttributes);
    assert_eq!(failed.cause(), StartChildWorkflowExecutionFailedCause::InvalidVersioningOverride);

    let mut server = two_versions();
    server.start("w");
    let task = call!(server, PollWorkflowTaskQueue, versioned_poll("1"));
    let nowhere = overridden_child(Override::OneTime(OneTimeOverride::default()));
    let request = completed(&task, "1", VersioningBehavior::Pinned, vec![nowhere]);
    let refusal = server.try_call(request).expect_err("no version");
    assert_eq!(
        refusal.message,
        "BadStartChildExecutionAttributes: must provide target deployment version if override is one-time."
    );
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

impl Server {
    /// What lists show of the version of a workflow, by the attributes' names without what they begin with.
    fn shown(&mut self, workflow_id: &str) -> BTreeMap<String, String> {
        let attributes = self.describe(workflow_id).workflow_execution_info.unwrap().search_attributes.unwrap();
        let text = |payload: Payload| String::from_utf8(payload.data.to_vec()).unwrap();
        attributes.indexed_fields.into_iter().map(|(name, payload)| (name, text(payload))).collect()
    }
}

fn shown<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, String> {
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[test]
fn lists_show_on_which_versions_a_workflow_is_and_was() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::AutoUpgrade, Vec::new());
    let on_first = shown([
        ("TemporalUsedWorkerDeploymentVersions", r#"["shop:1"]"#),
        ("TemporalWorkerDeployment", r#""shop""#),
        ("TemporalWorkerDeploymentVersion", r#""shop:1""#),
        ("TemporalWorkflowVersioningBehavior", r#""AutoUpgrade""#),
    ]);
    assert_eq!(server.shown("w"), on_first);
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    server.signal("w", "go on");
    server.versioned_step("2", VersioningBehavior::Pinned, Vec::new());
    let on_second = shown([
        ("BuildIds", r#"["pinned:shop:2"]"#),
        ("TemporalUsedWorkerDeploymentVersions", r#"["shop:1","shop:2"]"#),
        ("TemporalWorkerDeployment", r#""shop""#),
        ("TemporalWorkerDeploymentVersion", r#""shop:2""#),
        ("TemporalWorkflowVersioningBehavior", r#""Pinned""#),
    ]);
    assert_eq!(server.shown("w"), on_second);
    let found = call!(
        server,
        CountWorkflowExecutions,
        api::CountWorkflowExecutionsRequest {
            namespace: "default".to_owned(),
            query: "TemporalWorkerDeploymentVersion = 'shop:2' AND BuildIds = 'pinned:shop:2'".to_owned(),
        }
    );
    assert_eq!(found.count, 1);
}

#[test]
fn lists_show_the_build_of_workers_without_versioning() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let stamp = WorkerVersionStamp { build_id: "7f".to_owned(), use_versioning: false };
    let request = api::RespondWorkflowTaskCompletedRequest {
        worker_version_stamp: Some(stamp),
        ..complete_request(&task, Vec::new())
    };
    call!(server, RespondWorkflowTaskCompleted, request);
    assert_eq!(server.shown("w"), shown([("BuildIds", r#"["unversioned","unversioned:7f"]"#)]));
}

#[test]
fn a_workflow_is_in_transition_until_a_task_completes_on_the_new_version() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::AutoUpgrade, vec![start_timer("t", 60)]);
    assert_eq!(server.versioning("w").version_transition, None);
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    server.signal("w", "go on");
    let task = call!(server, PollWorkflowTaskQueue, versioned_poll("2"));
    let info = server.versioning("w");
    let transition = info.version_transition.expect("a transition while the task is with the worker");
    assert_eq!((transition.deployment_version, info.deployment_version), (Some(version("2")), Some(version("1"))));
    call!(server, RespondWorkflowTaskCompleted, completed(&task, "2", VersioningBehavior::AutoUpgrade, Vec::new()));
    let info = server.versioning("w");
    assert_eq!((info.version_transition, info.deployment_version), (None, Some(version("2"))));
}

#[test]
fn an_activity_waits_until_its_workflow_is_on_the_new_version() {
    let mut server = two_versions();
    server.poll_for_activity("1");
    server.poll_for_activity("2");
    server.start("w");
    server.versioned_step("1", VersioningBehavior::AutoUpgrade, vec![schedule_activity("a")]);
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    let activity = server.send(versioned_activity_poll("2"));
    assert!(server.answer(activity).is_none(), "the workflow goes to the new version first");
    let transition = server.versioning("w").version_transition.expect("the activity's worker brings a transition");
    assert_eq!(transition.deployment_version, Some(version("2")));
    server.versioned_step("2", VersioningBehavior::AutoUpgrade, Vec::new());
    let Some(Ok(Response::PollActivityTaskQueue(task))) = server.answer(activity) else {
        panic!("the activity does not go on once the workflow has moved")
    };
    assert_eq!(task.activity_id, "a");
}

#[test]
fn a_pinned_workflow_is_told_that_it_would_go_elsewhere_now_until_it_has_declined() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
    let told = |server: &mut Server| {
        let history = server.history("w");
        last!(history, WorkflowTaskStartedEventAttributes).target_worker_deployment_version_changed
    };
    assert!(!told(&mut server), "it is where it would go");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    server.signal("w", "go on");
    server.versioned_step("1", VersioningBehavior::Pinned, vec![continue_as_new()]);
    let history = server.history("w");
    let started = last!(history, WorkflowExecutionStartedEventAttributes);
    let declined = started.declined_target_version_upgrade.expect("the next run knows what was declined");
    assert_eq!(declined.deployment_version, Some(version("2")));
    server.advance(Duration::from_secs(1));
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
    assert!(!told(&mut server), "it was declined by the run before");
    server.introduce("3");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("3"));
    server.signal("w", "go on");
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
    assert!(told(&mut server), "that is another version than the one that was declined");
}

#[test]
fn what_a_workflow_that_moves_brings_about_knows_from_which_version_it_comes() {
    let mut server = two_versions();
    server.start("w");
    let mut child = child("c");
    child.task_queue = Some(queue());
    server.versioned_step("1", VersioningBehavior::AutoUpgrade, vec![start_child(child)]);
    let history = server.history("c");
    let started = last!(history, WorkflowExecutionStartedEventAttributes);
    let inherited = started.inherited_auto_upgrade_info.expect("the version of the parent");
    assert_eq!(inherited.source_deployment_version, Some(version("1")));
    assert_ne!(inherited.source_deployment_revision_number, 0);
    let info = server.versioning("c");
    assert_eq!((info.behavior(), info.deployment_version), (VersioningBehavior::AutoUpgrade, Some(version("1"))));
}

fn continue_as_new_with(behavior: ContinueAsNewVersioningBehavior) -> Command {
    let attributes = ContinueAsNewWorkflowExecutionCommandAttributes {
        initial_versioning_behavior: behavior.into(),
        ..Default::default()
    };
    command(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(Box::new(attributes)))
}

#[test]
fn a_pinned_workflow_that_is_continued_to_move_goes_where_it_is_sent() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    server.signal("w", "go on");
    server.versioned_step(
        "1",
        VersioningBehavior::Pinned,
        vec![continue_as_new_with(ContinueAsNewVersioningBehavior::AutoUpgrade)],
    );
    server.advance(Duration::from_secs(1));
    server.versioned_step("2", VersioningBehavior::Pinned, Vec::new());
    assert_eq!(server.versioning("w").deployment_version, Some(version("2")));
}

#[test]
fn a_workflow_that_is_continued_to_the_ramp_gets_there_whatever_its_share() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::Pinned, Vec::new());
    call!(server, SetWorkerDeploymentRampingVersion, set_ramping("2", 0.0));
    server.signal("w", "go on");
    server.versioned_step(
        "1",
        VersioningBehavior::Pinned,
        vec![continue_as_new_with(ContinueAsNewVersioningBehavior::UseRampingVersion)],
    );
    server.advance(Duration::from_secs(1));
    server.versioned_step("2", VersioningBehavior::Pinned, Vec::new());
    assert_eq!(server.versioning("w").deployment_version, Some(version("2")));
}

#[test]
fn an_override_ends_a_transition() {
    let mut server = two_versions();
    server.start("w");
    server.versioned_step("1", VersioningBehavior::AutoUpgrade, Vec::new());
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    server.signal("w", "go on");
    let task = call!(server, PollWorkflowTaskQueue, versioned_poll("2"));
    let pinned = PinnedOverride { behavior: PinnedOverrideBehavior::Pinned.into(), version: Some(version("1")) };
    let options = WorkflowExecutionOptions {
        versioning_override: Some(VersioningOverride {
            r#override: Some(Override::Pinned(pinned)),
            ..Default::default()
        }),
        ..Default::default()
    };
    let request = api::UpdateWorkflowExecutionOptionsRequest {
        namespace: "default".to_owned(),
        workflow_execution: Some(execution("w")),
        workflow_execution_options: Some(options),
        update_mask: Some(prost_types::FieldMask { paths: vec!["versioning_override".to_owned()] }),
        ..Default::default()
    };
    call!(server, UpdateWorkflowExecutionOptions, request);
    assert_eq!(server.versioning("w").version_transition, None);
    assert_eq!(server.shown("w")["TemporalWorkerDeploymentVersion"], r#""shop:1""#);
    let completed = api::RespondWorkflowTaskCompletedRequest {
        return_new_workflow_task: false,
        ..completed(&task, "2", VersioningBehavior::AutoUpgrade, Vec::new())
    };
    call!(server, RespondWorkflowTaskCompleted, completed);
    server.versioned_step("1", VersioningBehavior::AutoUpgrade, Vec::new());
}
