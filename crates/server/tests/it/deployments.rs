use std::time::Duration;

use stead_proto::common::v1::{Payload, WorkerVersionCapabilities};
use stead_proto::deployment::v1::{WorkerDeploymentInfo, WorkerDeploymentOptions, WorkerDeploymentVersion};
use stead_proto::enums::v1::{
    VersionDrainageStatus, VersioningBehavior, WorkerDeploymentVersionStatus as Status, WorkerVersioningMode,
};
use stead_proto::workflow::v1::VersioningOverride;
use stead_proto::workflow::v1::versioning_override::{Override, PinnedOverride, PinnedOverrideBehavior};
use stead_proto::workflowservice::v1::set_worker_deployment_manager_request::NewManagerIdentity;
use stead_proto::workflowservice::v1::{
    CreateWorkerDeploymentRequest, CreateWorkerDeploymentVersionRequest, DeleteWorkerDeploymentRequest,
    DeleteWorkerDeploymentVersionRequest, DescribeWorkerDeploymentRequest, DescribeWorkerDeploymentVersionRequest,
    GetWorkerBuildIdCompatibilityRequest, GetWorkerTaskReachabilityRequest, ListWorkerDeploymentsRequest,
    PollActivityTaskQueueRequest, PollWorkflowTaskQueueRequest, SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentManagerRequest, SetWorkerDeploymentRampingVersionRequest, StartWorkflowExecutionRequest,
    UpdateWorkerDeploymentVersionMetadataRequest,
};
use stead_server::engine::{CallId, Code, Refusal, Response};

use crate::call;
use crate::restart::{durable, restarted};
use crate::support::{NAMESPACE, Server, activity_poll_request, poll_request, queue, start_request};

pub(crate) fn options(build_id: &str) -> Option<WorkerDeploymentOptions> {
    Some(WorkerDeploymentOptions {
        deployment_name: "shop".to_owned(),
        build_id: build_id.to_owned(),
        worker_versioning_mode: WorkerVersioningMode::Versioned.into(),
    })
}

pub(crate) fn version(build_id: &str) -> WorkerDeploymentVersion {
    WorkerDeploymentVersion { deployment_name: "shop".to_owned(), build_id: build_id.to_owned() }
}

pub(crate) fn versioned_poll(build_id: &str) -> PollWorkflowTaskQueueRequest {
    PollWorkflowTaskQueueRequest { deployment_options: options(build_id), ..poll_request() }
}

pub(crate) fn versioned_activity_poll(build_id: &str) -> PollActivityTaskQueueRequest {
    PollActivityTaskQueueRequest { deployment_options: options(build_id), ..activity_poll_request() }
}

pub(crate) fn set_current(build_id: &str) -> SetWorkerDeploymentCurrentVersionRequest {
    SetWorkerDeploymentCurrentVersionRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_name: "shop".to_owned(),
        build_id: build_id.to_owned(),
        identity: "operator".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn set_ramping(build_id: &str, percentage: f32) -> SetWorkerDeploymentRampingVersionRequest {
    SetWorkerDeploymentRampingVersionRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_name: "shop".to_owned(),
        build_id: build_id.to_owned(),
        percentage,
        identity: "operator".to_owned(),
        ..Default::default()
    }
}

fn delete_version(build_id: &str) -> DeleteWorkerDeploymentVersionRequest {
    DeleteWorkerDeploymentVersionRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_version: Some(version(build_id)),
        ..Default::default()
    }
}

impl Server {
    /// Polls as a version, so that it is known, and gives the poll up.
    pub(crate) fn introduce(&mut self, build_id: &str) {
        let poll = self.send(versioned_poll(build_id));
        self.expire(poll).expect("an empty answer");
    }

    /// As [`Self::introduce`], for activities.
    pub(crate) fn poll_for_activity(&mut self, build_id: &str) {
        let poll = self.send(versioned_activity_poll(build_id));
        self.expire(poll).expect("an empty answer");
    }

    fn shop(&mut self) -> WorkerDeploymentInfo {
        let request =
            DescribeWorkerDeploymentRequest { namespace: NAMESPACE.to_owned(), deployment_name: "shop".to_owned() };
        call!(self, DescribeWorkerDeployment, request).worker_deployment_info.expect("a deployment")
    }

    /// Build ids and what they are, newest first.
    fn statuses(&mut self) -> Vec<(String, Status)> {
        let summaries = self.shop().version_summaries.into_iter();
        summaries.map(|it| (it.deployment_version.clone().unwrap().build_id, it.status())).collect()
    }

    /// The workflow ids of the tasks that these polls have got.
    fn got(&mut self, polls: &[CallId]) -> Vec<Option<String>> {
        let answers = polls.iter().map(|poll| match self.answer(*poll)? {
            Ok(Response::PollWorkflowTaskQueue(task)) => Some(task.workflow_execution?.workflow_id),
            other => panic!("{other:?}"),
        });
        answers.collect()
    }
}

fn told(answer: Result<Response, Refusal>) -> (Code, String) {
    let refusal = answer.expect_err("a refusal");
    (refusal.code, refusal.message)
}

#[test]
fn the_first_poll_of_a_version_makes_it_and_its_deployment() {
    let mut server = Server::new();
    let describe =
        DescribeWorkerDeploymentRequest { namespace: NAMESPACE.to_owned(), deployment_name: "shop".to_owned() };
    assert_eq!(
        told(server.try_call(describe)),
        (
            Code::NotFound,
            "no Worker Deployment found with name 'shop'; does your Worker Deployment have pollers?".to_owned()
        )
    );
    server.introduce("1");
    server.advance(Duration::from_secs(1));
    server.introduce("2");
    let shop = server.shop();
    let routing = shop.routing_config.clone().expect("routing");
    assert_eq!((routing.current_version.as_str(), routing.current_deployment_version), ("__unversioned__", None));
    assert_eq!(server.statuses(), [("2".to_owned(), Status::Inactive), ("1".to_owned(), Status::Inactive)]);
    assert_eq!(shop.version_summaries[0].version, "shop.2");
    let request = DescribeWorkerDeploymentVersionRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_version: Some(version("1")),
        report_task_queue_stats: true,
        ..Default::default()
    };
    let described = call!(server, DescribeWorkerDeploymentVersion, request);
    let queues: Vec<_> =
        described.version_task_queues.iter().map(|queue| (queue.name.as_str(), queue.r#type)).collect();
    assert_eq!(queues, [("q", 1)]);
    assert!(described.version_task_queues[0].stats.is_some());
    let unknown = DescribeWorkerDeploymentVersionRequest {
        namespace: NAMESPACE.to_owned(),
        version: "shop.3".to_owned(),
        ..Default::default()
    };
    assert_eq!(told(server.try_call(unknown)), (Code::NotFound, "Worker Deployment Version not found".to_owned()));
}

#[test]
fn a_versioned_worker_without_names_is_refused() {
    let mut server = Server::new();
    let refused = |server: &mut Server, name: &str, build_id: &str| {
        let deployment_options = Some(WorkerDeploymentOptions {
            deployment_name: name.to_owned(),
            build_id: build_id.to_owned(),
            worker_versioning_mode: WorkerVersioningMode::Versioned.into(),
        });
        told(server.try_call(PollActivityTaskQueueRequest { deployment_options, ..activity_poll_request() })).1
    };
    assert_eq!(refused(&mut server, "shop", ""), "Deployment name and build id must be set together.");
    assert_eq!(refused(&mut server, "a.b", "1"), "worker deployment name cannot contain '.'");
    assert_eq!(refused(&mut server, "__shop", "1"), "WorkerDeploymentName cannot start with '__'");
    assert_eq!(refused(&mut server, "shop", &"x".repeat(481)), "size of BuildID larger than the maximum allowed");
}

#[test]
fn new_workflows_go_to_the_current_version_and_to_unversioned_workers_without_one() {
    let mut server = Server::new();
    let polls = [server.send(versioned_poll("1")), server.send(versioned_poll("2")), server.send(poll_request())];
    server.start("a");
    assert_eq!(server.got(&polls), [None, None, Some("a".to_owned())]);
    let set = call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    assert_eq!((set.previous_version.as_str(), set.previous_deployment_version), ("__unversioned__", None));
    server.start("b");
    assert_eq!(server.got(&polls[..2]), [Some("b".to_owned()), None]);
    server.start("c");
    let set = call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    assert_eq!(set.previous_deployment_version, Some(version("1")));
    assert_eq!(server.got(&polls[1..2]), [Some("c".to_owned())], "what waited for version 1 goes to version 2");
    assert_eq!(server.shop().routing_config.unwrap().revision_number, 2);
    call!(server, SetWorkerDeploymentCurrentVersion, set_current(""));
    let unversioned = server.send(poll_request());
    server.start("d");
    assert_eq!(server.got(&[unversioned]), [Some("d".to_owned())]);
}

#[test]
fn a_ramp_gets_its_share_and_ends_when_its_version_becomes_current() {
    let mut server = Server::new();
    server.introduce("1");
    server.introduce("2");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    let current = told(server.try_call(set_ramping("1", 10.0)));
    assert_eq!(current, (Code::FailedPrecondition, "requested ramping version shop.1 is already current".to_owned()));
    let set = call!(server, SetWorkerDeploymentRampingVersion, set_ramping("2", 40.0));
    assert_eq!((set.previous_version.as_str(), set.previous_percentage), ("", 0.0));
    assert_eq!(server.statuses(), [("2".to_owned(), Status::Ramping), ("1".to_owned(), Status::Current)]);
    (0..200).for_each(|n| _ = server.start(&format!("w{n}")));
    let mut ramped = 0;
    loop {
        let poll = server.send(versioned_poll("2"));
        if server.got(&[poll]) == [None] {
            break;
        }
        ramped += 1;
    }
    assert!((60..=100).contains(&ramped), "{ramped} of 200 workflows");
    let again = call!(server, SetWorkerDeploymentRampingVersion, set_ramping("2", 50.0));
    assert_eq!((again.previous_version.as_str(), again.previous_percentage), ("shop.2", 40.0));
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    let routing = server.shop().routing_config.unwrap();
    assert_eq!((routing.ramping_version.as_str(), routing.ramping_version_percentage), ("", 0.0));
    assert_eq!(server.statuses(), [("2".to_owned(), Status::Current), ("1".to_owned(), Status::Draining)]);
    let bad = told(server.try_call(set_ramping("1", 101.0)));
    assert_eq!(bad, (Code::InvalidArgument, "Percentage must be between 0 and 100 (inclusive)".to_owned()));
}

#[test]
fn an_unset_ramp_leaves_its_version_draining() {
    let mut server = Server::new();
    server.introduce("1");
    call!(server, SetWorkerDeploymentRampingVersion, set_ramping("1", 30.0));
    let unset = call!(server, SetWorkerDeploymentRampingVersion, set_ramping("", 0.0));
    assert_eq!(unset.previous_deployment_version, Some(version("1")));
    assert_eq!(server.statuses(), [("1".to_owned(), Status::Draining)]);
}

#[test]
fn changes_are_protected_by_a_conflict_token_and_by_a_manager() {
    let mut server = Server::new();
    server.introduce("1");
    server.introduce("2");
    let first = call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    let unchanged = call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    assert_eq!(
        (unchanged.previous_version.as_str(), unchanged.conflict_token),
        ("shop.1", first.conflict_token.clone())
    );
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    let stale = SetWorkerDeploymentCurrentVersionRequest { conflict_token: first.conflict_token, ..set_current("1") };
    assert_eq!(told(server.try_call(stale)), (Code::FailedPrecondition, "conflict token mismatch".to_owned()));
    let manage = |identity: &str| SetWorkerDeploymentManagerRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_name: "shop".to_owned(),
        identity: identity.to_owned(),
        new_manager_identity: Some(NewManagerIdentity::Self_(true)),
        ..Default::default()
    };
    call!(server, SetWorkerDeploymentManager, manage("boss"));
    assert_eq!(server.shop().manager_identity, "boss");
    let (code, message) = told(server.try_call(set_current("1")));
    assert_eq!(code, Code::FailedPrecondition);
    assert!(
        message.starts_with("ManagerIdentity 'boss' is set and does not match user identity 'operator';"),
        "{message}"
    );
    let taken = call!(server, SetWorkerDeploymentManager, manage("operator"));
    assert_eq!(taken.previous_manager_identity, "boss");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    assert_eq!(told(server.try_call(manage(""))), (Code::InvalidArgument, "Identity is required".to_owned()));
}

#[test]
fn an_unknown_version_becomes_current_only_without_pollers_if_that_is_allowed() {
    let mut server = Server::new();
    let (code, message) = told(server.try_call(set_current("9")));
    assert_eq!(code, Code::NotFound, "{message}");
    server.introduce("1");
    let unknown = told(server.try_call(set_current("9")));
    assert_eq!(unknown, (Code::NotFound, "build ID '9' not found in Worker Deployment 'shop'".to_owned()));
    let allowed = SetWorkerDeploymentCurrentVersionRequest { allow_no_pollers: true, ..set_current("9") };
    call!(server, SetWorkerDeploymentCurrentVersion, allowed);
    assert!(server.statuses().contains(&("9".to_owned(), Status::Current)), "{:?}", server.statuses());
}

#[test]
fn a_version_that_lacks_a_busy_queue_of_the_current_one_is_refused() {
    let mut server = Server::new();
    server.introduce("1");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    server.start("w");
    let elsewhere = PollActivityTaskQueueRequest { deployment_options: options("2"), ..activity_poll_request() };
    server.send(elsewhere);
    let refused = told(server.try_call(set_current("2")));
    let message = "proposed current version 'shop:2' is missing active task queues from the current version; these \
                   would become unversioned if it is set as the current version";
    assert_eq!(refused, (Code::FailedPrecondition, message.to_owned()));
    let ignored = SetWorkerDeploymentCurrentVersionRequest { ignore_missing_task_queues: true, ..set_current("2") };
    call!(server, SetWorkerDeploymentCurrentVersion, ignored);
    let unversioned = server.send(poll_request());
    assert_eq!(server.got(&[unversioned]), [Some("w".to_owned())], "the queue has no current version any more");
}

#[test]
fn a_workflow_that_is_pinned_at_its_start_stays_on_its_version_and_keeps_it_from_being_drained() {
    let mut server = Server::new();
    server.introduce("1");
    server.introduce("2");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("2"));
    let pinned = PinnedOverride { version: Some(version("1")), behavior: PinnedOverrideBehavior::Pinned.into() };
    let versioning_override =
        Some(VersioningOverride { r#override: Some(Override::Pinned(pinned)), ..Default::default() });
    call!(server, StartWorkflowExecution, StartWorkflowExecutionRequest { versioning_override, ..start_request("w") });
    let polls = [server.send(versioned_poll("2")), server.send(versioned_poll("1"))];
    assert_eq!(server.got(&polls), [None, Some("w".to_owned())]);
    let drainage = |server: &mut Server| {
        let summary = server.shop().version_summaries.into_iter().find(|it| it.version == "shop.1");
        summary.and_then(|it| it.drainage_info).map(|info| info.status())
    };
    server.advance(Duration::from_secs(200));
    assert_eq!(drainage(&mut server), Some(VersionDrainageStatus::Draining), "a pinned workflow runs");
    let terminate = stead_proto::workflowservice::v1::TerminateWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(crate::support::execution("w")),
        ..Default::default()
    };
    call!(server, TerminateWorkflowExecution, terminate);
    server.advance(Duration::from_secs(100));
    assert_eq!(drainage(&mut server), Some(VersionDrainageStatus::Draining), "it was looked at of late");
    server.advance(Duration::from_secs(100));
    assert_eq!(drainage(&mut server), Some(VersionDrainageStatus::Drained));
    assert!(server.statuses().contains(&("1".to_owned(), Status::Drained)));
}

#[test]
fn an_override_must_pin_to_a_version_that_serves_the_queue_and_makes_it_draining() {
    let mut server = Server::new();
    server.introduce("1");
    let start = |id: &str, versioning_override: VersioningOverride| StartWorkflowExecutionRequest {
        versioning_override: Some(versioning_override),
        ..start_request(id)
    };
    let pinned = |build_id: &str| VersioningOverride {
        behavior: VersioningBehavior::Pinned.into(),
        pinned_version: format!("shop.{build_id}"),
        ..Default::default()
    };
    let message = "Pinned version 'shop:9' is not present in task queue 'q' of type 'Workflow'";
    assert_eq!(told(server.try_call(start("w", pinned("9")))), (Code::FailedPrecondition, message.to_owned()));
    let nothing = told(server.try_call(start("w", VersioningOverride::default())));
    assert_eq!(nothing, (Code::InvalidArgument, "override behavior is required".to_owned()));
    assert_eq!(server.statuses(), [("1".to_owned(), Status::Inactive)]);
    call!(server, StartWorkflowExecution, start("w", pinned("1")));
    assert_eq!(server.statuses(), [("1".to_owned(), Status::Draining)]);
    let polls = [server.send(poll_request()), server.send(versioned_poll("1"))];
    assert_eq!(server.got(&polls), [None, Some("w".to_owned())]);
}

#[test]
fn a_version_is_deleted_once_nobody_uses_it() {
    let mut server = Server::new();
    server.introduce("1");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    let refused = |server: &mut Server| told(server.try_call(delete_version("1"))).1;
    assert_eq!(refused(&mut server), "version 'shop:1' cannot be deleted since it is current or ramping");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current(""));
    assert_eq!(refused(&mut server), "version 'shop:1' cannot be deleted since it is draining");
    server.advance(Duration::from_secs(200));
    assert_eq!(refused(&mut server), "version 'shop:1' cannot be deleted since it has active pollers");
    let delete = DeleteWorkerDeploymentRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_name: "shop".to_owned(),
        ..Default::default()
    };
    let message = "deployment has versions, can't be deleted";
    assert_eq!(told(server.try_call(delete.clone())), (Code::FailedPrecondition, message.to_owned()));
    server.advance(Duration::from_secs(300));
    call!(server, DeleteWorkerDeploymentVersion, delete_version("1"));
    call!(server, DeleteWorkerDeploymentVersion, delete_version("1"));
    assert_eq!(server.statuses(), []);
    call!(server, DeleteWorkerDeployment, delete.clone());
    call!(server, DeleteWorkerDeployment, delete);
    let message = "workflow not found for ID: temporal-sys-worker-deployment:shop";
    assert_eq!(told(server.try_call(delete_version("1"))), (Code::NotFound, message.to_owned()));
}

#[test]
fn deployments_and_versions_can_be_made_before_they_are_polled_for() {
    let mut server = Server::new();
    let create = |request_id: &str| CreateWorkerDeploymentRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_name: "shop".to_owned(),
        request_id: request_id.to_owned(),
        ..Default::default()
    };
    let made = call!(server, CreateWorkerDeployment, create("r1"));
    assert_eq!(call!(server, CreateWorkerDeployment, create("r1")), made);
    let exists = "Worker Deployment with name \"shop\" already exists";
    assert_eq!(told(server.try_call(create("r2"))), (Code::AlreadyExists, exists.to_owned()));
    let version = |request_id: &str| CreateWorkerDeploymentVersionRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_version: Some(version("1")),
        request_id: request_id.to_owned(),
        ..Default::default()
    };
    call!(server, CreateWorkerDeploymentVersion, version("v1"));
    call!(server, CreateWorkerDeploymentVersion, version("v1"));
    let exists = "Worker Deployment Version \"shop.1\" already exists";
    assert_eq!(told(server.try_call(version("v2"))), (Code::AlreadyExists, exists.to_owned()));
    assert_eq!(server.statuses(), [("1".to_owned(), Status::Created)]);
    server.introduce("1");
    assert_eq!(server.statuses(), [("1".to_owned(), Status::Inactive)]);
}

#[test]
fn metadata_of_a_version_is_merged() {
    let mut server = Server::new();
    server.introduce("1");
    let update = |upsert: &[&str], remove: &[&str]| UpdateWorkerDeploymentVersionMetadataRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_version: Some(version("1")),
        upsert_entries: upsert.iter().map(|key| ((*key).to_owned(), Payload::default())).collect(),
        remove_entries: remove.iter().map(|key| (*key).to_owned()).collect(),
        ..Default::default()
    };
    call!(server, UpdateWorkerDeploymentVersionMetadata, update(&["a", "b"], &[]));
    let updated = call!(server, UpdateWorkerDeploymentVersionMetadata, update(&["c"], &["a", "x"]));
    assert_eq!(updated.metadata.unwrap().entries.into_keys().collect::<Vec<_>>(), ["b", "c"]);
    let nothing = told(server.try_call(update(&[], &[])));
    let message = "At least one of remove_entries or upsert_entries must be provided";
    assert_eq!(nothing, (Code::InvalidArgument, message.to_owned()));
}

#[test]
fn deployments_are_listed_in_pages() {
    let mut server = Server::new();
    for name in ["a", "b", "c"] {
        let create = CreateWorkerDeploymentRequest {
            namespace: NAMESPACE.to_owned(),
            deployment_name: name.to_owned(),
            ..Default::default()
        };
        call!(server, CreateWorkerDeployment, create);
    }
    let (mut names, mut token) = (Vec::new(), bytes::Bytes::new());
    loop {
        let request =
            ListWorkerDeploymentsRequest { namespace: NAMESPACE.to_owned(), page_size: 2, next_page_token: token };
        let page = call!(server, ListWorkerDeployments, request);
        names.push(page.worker_deployments.into_iter().map(|it| it.name).collect::<Vec<_>>().join(" "));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["a b", "c"]);
}

#[test]
fn the_101st_deployment_and_the_101st_version_in_use_are_refused() {
    let mut server = Server::new();
    for n in 0..100 {
        server.send(versioned_poll(&n.to_string()));
    }
    let (code, message) = told(server.try_call(versioned_poll("100")));
    assert_eq!(code, Code::ResourceExhausted);
    let expected = "cannot add version shop.100 since maximum number of versions (100) have been registered in the \
                    deployment";
    assert_eq!(message, expected);
    let create = |n: usize| CreateWorkerDeploymentRequest {
        namespace: NAMESPACE.to_owned(),
        deployment_name: format!("d{n}"),
        ..Default::default()
    };
    (0..99).for_each(|n| _ = call!(server, CreateWorkerDeployment, create(n)));
    let refused = told(server.try_call(create(99)));
    assert_eq!(refused, (Code::ResourceExhausted, "reached maximum deployments in namespace (100)".to_owned()));
}

#[test]
fn the_older_ways_of_versioning_are_denied_as_the_server_denies_them() {
    let mut server = Server::new();
    let sets = told(server.try_call(GetWorkerBuildIdCompatibilityRequest::default()));
    let message = "Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace.";
    assert_eq!(sets, (Code::PermissionDenied, message.to_owned()));
    let rules = told(server.try_call(GetWorkerTaskReachabilityRequest::default()));
    let message = "Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace.";
    assert_eq!(rules, (Code::PermissionDenied, message.to_owned()));
    let poll = server.send(PollWorkflowTaskQueueRequest {
        worker_version_capabilities: Some(WorkerVersionCapabilities {
            build_id: "old".to_owned(),
            use_versioning: true,
            ..Default::default()
        }),
        task_queue: Some(queue()),
        ..poll_request()
    });
    server.start("w");
    assert_eq!(server.got(&[poll]), [None], "nothing is routed to a build id of the older versioning");
}

#[test]
fn deployments_and_what_they_mean_for_queues_outlive_the_server() {
    let mut server = Server::with(durable());
    server.introduce("1");
    call!(server, SetWorkerDeploymentCurrentVersion, set_current("1"));
    server.start("before");
    let before = server.shop();
    let mut server = restarted(server);
    assert_eq!(server.shop(), before);
    server.start("after");
    let polls = [server.send(poll_request()), server.send(versioned_poll("1")), server.send(versioned_poll("1"))];
    assert_eq!(server.got(&polls), [None, Some("before".to_owned()), Some("after".to_owned())]);
    call!(server, SetWorkerDeploymentCurrentVersion, set_current(""));
    let mut server = restarted(server);
    assert_eq!(server.statuses(), [("1".to_owned(), Status::Draining)]);
}
