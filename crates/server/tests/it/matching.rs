use std::time::Duration;

use stead_proto::common::v1::Priority;
use stead_proto::enums::v1::{DescribeTaskQueueMode, RateLimitSource, TaskQueueType};
use stead_proto::taskqueue::v1::{RateLimit, TaskQueueMetadata, TaskQueueVersionSelection};
use stead_proto::workflowservice::v1::update_task_queue_config_request::RateLimitUpdate;
use stead_proto::workflowservice::v1::{
    DescribeTaskQueueRequest, ListTaskQueuePartitionsRequest, PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest, RespondWorkflowTaskCompletedRequest, ShutdownWorkerRequest,
    StartWorkflowExecutionRequest, UpdateTaskQueueConfigRequest,
};
use stead_server::engine::{Code, Response};

use crate::call;
use crate::restart::{durable, restarted};
use crate::support::{
    NAMESPACE, Server, activity_poll_request, complete_request, complete_workflow, poll_request, queue,
    schedule_activity, start_request, sticky, sticky_poll_request, sticky_queue,
};

fn describe(kind: TaskQueueType) -> DescribeTaskQueueRequest {
    DescribeTaskQueueRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: Some(queue()),
        task_queue_type: kind.into(),
        report_stats: true,
        report_config: true,
        include_task_queue_status: true,
        ..Default::default()
    }
}

fn limit_activities(per_second: Option<f32>) -> UpdateTaskQueueConfigRequest {
    let rate_limit = per_second.map(|requests_per_second| RateLimit { requests_per_second });
    UpdateTaskQueueConfigRequest {
        namespace: NAMESPACE.to_owned(),
        task_queue: "q".to_owned(),
        task_queue_type: TaskQueueType::Activity.into(),
        identity: "operator".to_owned(),
        update_queue_rate_limit: Some(RateLimitUpdate { rate_limit, reason: "calm down".to_owned() }),
        ..Default::default()
    }
}

#[test]
fn a_queue_is_described_with_its_workers_and_its_backlog() {
    let mut server = Server::new();
    let poll = server.send(poll_request());
    server.start("a");
    server.answer(poll).expect("a task").expect("a task");
    server.start("b");
    let low = Some(Priority { priority_key: 5, ..Priority::default() });
    call!(server, StartWorkflowExecution, StartWorkflowExecutionRequest { priority: low, ..start_request("c") });
    server.advance(Duration::from_secs(5));
    let described = call!(server, DescribeTaskQueue, describe(TaskQueueType::Workflow));
    let pollers: Vec<_> =
        described.pollers.iter().map(|poller| (poller.identity.as_str(), poller.rate_per_second)).collect();
    assert_eq!(pollers, [("worker", 100_000.0)]);
    let stats = described.stats.expect("stats");
    assert_eq!(stats.approximate_backlog_count, 2);
    assert_eq!(stats.approximate_backlog_age.expect("an age").seconds, 5);
    assert_eq!((stats.tasks_add_rate, stats.tasks_dispatch_rate), (0.6, 0.2));
    let by_priority = described.stats_by_priority_key;
    let counts: Vec<_> = by_priority.iter().map(|(key, stats)| (*key, stats.approximate_backlog_count)).collect();
    assert_eq!(counts, [(3, 1), (5, 1)]);
    assert_eq!(described.task_queue_status.expect("a status").backlog_count_hint, 2);
    assert_eq!(described.versioning_info.expect("versioning").current_version, "__unversioned__");
    server.advance(Duration::from_secs(300));
    assert_eq!(call!(server, DescribeTaskQueue, describe(TaskQueueType::Workflow)).pollers, []);
    let nameless = DescribeTaskQueueRequest { task_queue: None, ..describe(TaskQueueType::Workflow) };
    assert_eq!(server.try_call(nameless).unwrap_err().message, "taskQueue is not set");
}

#[test]
fn the_enhanced_description_is_by_version_and_type() {
    let mut server = Server::new();
    server.send(activity_poll_request());
    server.start("a");
    let request = DescribeTaskQueueRequest {
        api_mode: DescribeTaskQueueMode::Enhanced.into(),
        versions: Some(TaskQueueVersionSelection { unversioned: true, ..Default::default() }),
        report_pollers: true,
        report_task_reachability: true,
        ..describe(TaskQueueType::Unspecified)
    };
    let described = call!(server, DescribeTaskQueue, request.clone());
    let info = &described.versions_info[""];
    assert_eq!(info.task_reachability, 1, "unversioned workers get new workflows");
    let types = info.types_info.iter().map(|(kind, info)| {
        (*kind, info.pollers.len(), info.stats.as_ref().map(|stats| stats.approximate_backlog_count))
    });
    let types: Vec<_> = types.collect();
    assert_eq!(types, [(1, 0, Some(1)), (2, 1, Some(0))]);
    let refused =
        server.try_call(DescribeTaskQueueRequest { task_queue: Some(sticky_queue()), ..request }).unwrap_err();
    assert!(refused.message.starts_with("Enhanced DescribeTaskQueue is not valid for a sticky queue"), "{refused:?}");
}

#[test]
fn a_queue_has_one_partition() {
    let mut server = Server::new();
    let request = ListTaskQueuePartitionsRequest { namespace: NAMESPACE.to_owned(), task_queue: Some(queue()) };
    let listed = call!(server, ListTaskQueuePartitions, request);
    let keys = |partitions: Vec<stead_proto::taskqueue::v1::TaskQueuePartitionMetadata>| {
        partitions.into_iter().map(|partition| partition.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(listed.workflow_task_queue_partitions), ["q"]);
    assert_eq!(keys(listed.activity_task_queue_partitions), ["q"]);
}

#[test]
fn a_configured_rate_holds_activities_back_until_it_is_lifted() {
    let mut server = Server::new();
    let stopped = call!(server, UpdateTaskQueueConfig, limit_activities(Some(0.0)));
    let limit = stopped.config.expect("a config").queue_rate_limit.expect("a limit");
    assert_eq!(limit.metadata.expect("who and why").update_identity, "operator");
    server.start("w");
    server.step(vec![schedule_activity("a")]);
    let poll = server.send(activity_poll_request());
    assert!(server.answer(poll).is_none(), "the queue is stopped");
    let described = call!(server, DescribeTaskQueue, describe(TaskQueueType::Activity));
    assert_eq!(described.effective_rate_limit.expect("a limit").rate_limit_source(), RateLimitSource::Api);
    assert!(described.config.is_some());
    call!(server, UpdateTaskQueueConfig, limit_activities(None));
    assert!(server.answer(poll).is_some(), "the queue goes on");
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let mut server = Server::new();
    let mut message = |request: UpdateTaskQueueConfigRequest| {
        let refusal = server.try_call(request).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidArgument);
        refusal.message
    };
    let on_workflows =
        UpdateTaskQueueConfigRequest { task_queue_type: TaskQueueType::Workflow.into(), ..limit_activities(Some(1.0)) };
    assert_eq!(message(on_workflows), "Setting rate limit on workflow task queues is not allowed.");
    assert_eq!(
        message(limit_activities(Some(-1.0))),
        "RequestsPerSecond for UpdateQueueRateLimit rate limit must be non-negative."
    );
    let both = UpdateTaskQueueConfigRequest {
        set_fairness_weight_overrides: [("a".to_owned(), 1.0)].into(),
        unset_fairness_weight_overrides: vec!["a".to_owned()],
        ..limit_activities(None)
    };
    assert_eq!(message(both), "fairness weight override key \"a\" present in both set and unset lists");
}

#[test]
fn a_worker_that_limits_its_activities_gets_them_one_by_one() {
    let mut server = Server::new();
    server.start("w");
    server.step((0..4).map(|n| schedule_activity(&n.to_string())).collect());
    let limited = PollActivityTaskQueueRequest {
        task_queue_metadata: Some(TaskQueueMetadata { max_tasks_per_second: Some(1.0) }),
        ..activity_poll_request()
    };
    let polls: Vec<_> = (0..4).map(|_| server.send(limited.clone())).collect();
    let given = |server: &mut Server| polls.iter().filter(|poll| server.answer(**poll).is_some()).count();
    let mut got = vec![given(&mut server)];
    for _ in 0..4 {
        server.advance(Duration::from_secs(1));
        got.push(given(&mut server));
    }
    assert_eq!(got.iter().sum::<usize>(), 4, "{got:?}");
    assert!(got[0] <= 2 && got[1..].iter().all(|count| *count <= 1), "{got:?}");
}

#[test]
fn a_worker_that_shuts_down_has_its_polls_answered_and_its_sticky_queue_left() {
    let mut server = Server::new();
    let of_worker = |request: PollWorkflowTaskQueueRequest| PollWorkflowTaskQueueRequest {
        worker_instance_key: "key".to_owned(),
        ..request
    };
    server.start("w");
    let task = call!(server, PollWorkflowTaskQueue, of_worker(poll_request()));
    call!(
        server,
        RespondWorkflowTaskCompleted,
        RespondWorkflowTaskCompletedRequest { sticky_attributes: sticky(), ..complete_request(&task, vec![]) }
    );
    let polls = [server.send(of_worker(poll_request())), server.send(of_worker(sticky_poll_request()))];
    let other = server.send(PollWorkflowTaskQueueRequest { worker_instance_key: "other".to_owned(), ..poll_request() });
    let shutdown = ShutdownWorkerRequest {
        namespace: NAMESPACE.to_owned(),
        sticky_task_queue: sticky_queue().name,
        identity: "worker".to_owned(),
        worker_instance_key: "key".to_owned(),
        task_queue: "q".to_owned(),
        ..Default::default()
    };
    call!(server, ShutdownWorker, shutdown);
    for poll in polls {
        let Some(Ok(Response::PollWorkflowTaskQueue(empty))) = server.answer(poll) else { panic!("it waits") };
        assert!(empty.task_token.is_empty());
    }
    assert!(server.answer(other).is_none(), "another worker goes on");
    server.signal("w", "go");
    let Some(Ok(Response::PollWorkflowTaskQueue(task))) = server.answer(other) else { panic!("no task") };
    assert_eq!(task.previous_started_event_id, 3, "the task is on the ordinary queue at once");
    server.complete(&task, vec![complete_workflow()]);
    let late = call!(server, PollWorkflowTaskQueue, of_worker(poll_request()));
    assert!(late.task_token.is_empty(), "a poll that was under way gets nothing");
    server.advance(Duration::from_secs(31));
    let restarted = server.send(of_worker(poll_request()));
    assert!(server.answer(restarted).is_none(), "the key is not refused for ever");
}

#[test]
fn polls_carry_advice_on_how_many_there_should_be() {
    let mut server = Server::new();
    let poll = server.send(poll_request());
    server.advance(Duration::from_secs(2));
    server.start("a");
    let Some(Ok(Response::PollWorkflowTaskQueue(task))) = server.answer(poll) else { panic!("no task") };
    let advice = task.poller_scaling_decision.expect("advice after a long wait");
    assert_eq!(advice.poll_request_delta_suggestion, -1);
    (0..3).for_each(|n| _ = server.start(&format!("b{n}")));
    server.advance(Duration::from_secs(1));
    let advice = server.task().poller_scaling_decision.expect("advice with a backlog");
    assert_eq!(advice.poll_request_delta_suggestion, 1);
}

#[test]
fn a_configured_rate_outlives_the_server() {
    let mut server = Server::with(durable());
    call!(server, UpdateTaskQueueConfig, limit_activities(Some(0.0)));
    server.start("w");
    server.step(vec![schedule_activity("a")]);
    let mut server = restarted(server);
    let poll = server.send(activity_poll_request());
    assert!(server.answer(poll).is_none(), "the queue is stopped");
    call!(server, UpdateTaskQueueConfig, limit_activities(None));
    assert!(server.answer(poll).is_some(), "the queue goes on");
}
