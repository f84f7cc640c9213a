//! Workflow tasks: polled, driven, answered.

use std::time::Duration;

use stead_data::{DataConverter, Failure};
use stead_proto::command::v1::Command;
use stead_proto::command::v1::command::Attributes;
use stead_proto::common::v1::{WorkflowExecution, WorkflowType};
use stead_proto::history::v1::History;
use stead_proto::history::v1::history_event::Attributes as HistoryAttributes;
use stead_proto::workflowservice::v1::{
    GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse, PollWorkflowTaskQueueResponse,
    RespondActivityTaskCompletedRequest, RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskCompletedResponse,
    RespondWorkflowTaskFailedRequest,
};
use stead_worker::{Worker, WorkerBuilder};

use crate::activities;
use crate::server::Server;
use crate::workflows::{Events, Hello, Nap, Pair};

const COMPLETED: &str = "RespondWorkflowTaskCompleted";
pub(crate) const FAILED: &str = "RespondWorkflowTaskFailed";

pub(crate) fn task(run_id: &str, workflow_type: &str, history: History) -> PollWorkflowTaskQueueResponse {
    let started_event_id = history.events.last().map_or(0, |event| event.event_id);
    PollWorkflowTaskQueueResponse {
        task_token: format!("token of {run_id}").into(),
        workflow_execution: Some(WorkflowExecution { workflow_id: "w".to_owned(), run_id: run_id.to_owned() }),
        workflow_type: Some(WorkflowType { name: workflow_type.to_owned() }),
        previous_started_event_id: 0,
        started_event_id,
        attempt: 1,
        history: Some(history),
        ..Default::default()
    }
}

pub(crate) fn hello(run_id: &str, input: &str) -> PollWorkflowTaskQueueResponse {
    task(run_id, "Hello", Events::started("Hello", &input).history())
}

pub(crate) fn nap(run_id: &str) -> PollWorkflowTaskQueueResponse {
    task(run_id, "Nap", Events::started("Nap", &60_u64).history())
}

/// What the run's second task holds when the worker still has the run in memory.
pub(crate) fn nap_is_over(run_id: &str) -> PollWorkflowTaskQueueResponse {
    let mut history = Events::started("Nap", &60_u64)
        .task_completed()
        .timer_started("1", 60)
        .timer_fired("1")
        .task_started()
        .history();
    history.events.drain(..3);
    PollWorkflowTaskQueueResponse { previous_started_event_id: 3, ..task(run_id, "Nap", history) }
}

pub(crate) async fn with_worker(
    server: &Server,
    options: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    check: impl Future<Output = ()>,
) {
    let client = server.client().await;
    let builder = Worker::builder(&client, "orders").workflow::<Hello>().workflow::<Nap>();
    let worker = options(builder).build().expect("valid options");
    let check = async { tokio::time::timeout(Duration::from_secs(30), check).await.expect("the worker answers") };
    worker.run_until(check).await.expect("the worker was told to stop");
}

pub(crate) async fn completed(server: &Server) -> RespondWorkflowTaskCompletedRequest {
    server.call(COMPLETED).await
}

pub(crate) fn result_of(request: &RespondWorkflowTaskCompletedRequest) -> Option<String> {
    match request.commands.last()?.attributes.as_ref()? {
        Attributes::CompleteWorkflowExecutionCommandAttributes(completed) => {
            let payloads = &completed.result.as_ref()?.payloads;
            DataConverter::new().from_payloads(payloads, 1).ok()
        }
        _ => None,
    }
}

pub(crate) fn starts_timer(request: &RespondWorkflowTaskCompletedRequest) -> bool {
    let timer = |attributes: &Attributes| matches!(attributes, Attributes::StartTimerCommandAttributes(_));
    request.commands.iter().filter_map(|command| command.attributes.as_ref()).any(timer)
}

#[tokio::test]
async fn a_task_runs_the_workflow_and_its_commands_are_sent() {
    let server = Server::default();
    server.workflow_task(hello("r", "world"));
    with_worker(&server, |it| it, async {
        let request = completed(&server).await;
        assert_eq!(result_of(&request).as_deref(), Some("hello, world"));
        assert_eq!((request.identity.as_str(), request.namespace.as_str()), ("tester", "shop"));
        assert!(!request.return_new_workflow_task, "a workflow that has ended gets no more tasks");
        assert!(request.capabilities.is_some_and(|it| it.discard_speculative_workflow_task_with_events));
    })
    .await;
}

#[tokio::test]
async fn a_cached_run_goes_on_with_the_task_that_its_answer_brings() {
    let server = Server::default();
    let next = RespondWorkflowTaskCompletedResponse { workflow_task: Some(nap_is_over("r")), ..Default::default() };
    server.answers(COMPLETED, next).workflow_task(nap("r"));
    with_worker(&server, |it| it, async {
        let first = completed(&server).await;
        assert!(starts_timer(&first) && first.return_new_workflow_task);
        let sticky = first.sticky_attributes.expect("the run is cached").worker_task_queue.expect("a queue");
        assert_eq!(sticky.normal_name, "orders");
        assert!(result_of(&completed(&server).await).is_none());
        assert_eq!(server.count("GetWorkflowExecutionHistory"), 0);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_not_in_memory_is_rebuilt_from_history() {
    let server = Server::default();
    let whole = Events::started("Nap", &60_u64)
        .task_completed()
        .timer_started("1", 60)
        .timer_fired("1")
        .task_started()
        .history();
    let page = GetWorkflowExecutionHistoryResponse { history: Some(whole), ..Default::default() };
    server.answers("GetWorkflowExecutionHistory", page).workflow_task(nap_is_over("r"));
    with_worker(&server, |it| it, async {
        let request = completed(&server).await;
        assert!(request.commands.len() == 1 && !starts_timer(&request), "{:?}", request.commands);
        let fetched: GetWorkflowExecutionHistoryRequest = server.call("GetWorkflowExecutionHistory").await;
        assert_eq!(fetched.execution.map(|it| it.run_id).as_deref(), Some("r"));
    })
    .await;
}

#[tokio::test]
async fn s56_without_a_cache_nothing_is_sticky() {
    let server = Server::default();
    server.workflow_task(nap("r"));
    with_worker(&server, |it| it.max_cached_workflows(0), async {
        let request = completed(&server).await;
        assert!(request.sticky_attributes.is_none() && !request.return_new_workflow_task);
        assert!(server.polled_queues().iter().all(|queue| queue == "orders"));
    })
    .await;
}

#[tokio::test]
async fn s56_a_full_cache_drops_the_run_that_was_not_used_for_longest() {
    let server = Server::default();
    with_worker(&server, |it| it.max_cached_workflows(1).shards(1), async {
        for run_id in ["a", "b"] {
            server.workflow_task(nap(run_id));
            assert!(starts_timer(&completed(&server).await));
        }
        // `b` is still there, `a` is not.
        server.workflow_task(nap_is_over("b"));
        completed(&server).await;
        assert_eq!(server.count("GetWorkflowExecutionHistory"), 0);
        server.workflow_task(nap_is_over("a"));
        let _: GetWorkflowExecutionHistoryRequest = server.call("GetWorkflowExecutionHistory").await;
    })
    .await;
}

#[tokio::test]
async fn runs_that_were_sent_too_much_together_leave_the_cache() {
    let server = Server::default();
    let sized = |run_id| {
        let mut task = nap(run_id);
        for event in task.history.iter_mut().flat_map(|history| &mut history.events) {
            if let Some(HistoryAttributes::WorkflowTaskStartedEventAttributes(started)) = &mut event.attributes {
                started.history_size_bytes = 600_000;
            }
        }
        task
    };
    with_worker(&server, |it| it.max_cached_bytes(1_000_000).shards(1), async {
        for run_id in ["a", "b"] {
            server.workflow_task(sized(run_id));
            assert!(starts_timer(&completed(&server).await));
        }
        server.workflow_task(nap_is_over("b"));
        completed(&server).await;
        assert_eq!(server.count("GetWorkflowExecutionHistory"), 0, "the one used last stays");
        server.workflow_task(nap_is_over("a"));
        let _: GetWorkflowExecutionHistoryRequest = server.call("GetWorkflowExecutionHistory").await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_type_fails_the_task_and_names_the_known_ones() {
    let server = Server::default();
    server.workflow_task(task("r", "Refund", Events::started("Refund", &()).history()));
    with_worker(&server, |it| it, async {
        let request: RespondWorkflowTaskFailedRequest = server.call(FAILED).await;
        let failure = Failure::from_proto(request.failure.expect("a failure"));
        assert_eq!(
            failure.message,
            "Workflow class Refund is not registered on this worker, available workflows: Hello, Nap"
        );
        assert_eq!(failure.find_application().expect("an application failure").1.type_name, "NotFoundError");
    })
    .await;
}

#[tokio::test]
async fn a_panic_in_one_run_fails_its_task_and_leaves_the_others_alone() {
    let server = Server::default();
    with_worker(&server, |it| it.shards(1), async {
        server.workflow_task(nap("other"));
        assert!(starts_timer(&completed(&server).await));
        server.workflow_task(hello("panics", ""));
        let request: RespondWorkflowTaskFailedRequest = server.call(FAILED).await;
        let failure = Failure::from_proto(request.failure.expect("a failure"));
        assert!(failure.message.contains("nobody to greet"), "{failure:?}");
        server.workflow_task(nap_is_over("other"));
        completed(&server).await;
        assert_eq!(server.count("GetWorkflowExecutionHistory"), 0, "the other run is still in memory");
    })
    .await;
}

#[tokio::test]
async fn activities_are_asked_for_eagerly_as_far_as_there_are_slots_and_run_like_polled_ones() {
    let server = Server::default();
    let eager = RespondWorkflowTaskCompletedResponse {
        activity_tasks: vec![activities::task("echo", [1])],
        ..Default::default()
    };
    let options = |builder: WorkerBuilder| {
        let echo =
            activities::asynchronous("echo", |input| Box::pin(async move { input.encode(&input.decode::<u32>(1)?) }));
        builder.workflow::<Pair>().activities(echo).max_concurrent_activities(3).activity_pollers(2)
    };
    with_worker(&server, options, async {
        // Two slots wait with the two polls for activities, so one is left.
        server.polled(7).await;
        server.answers(COMPLETED, eager);
        server.workflow_task(task("r", "Pair", Events::started("Pair", &()).history()));
        let asked: Vec<_> = completed(&server).await.commands.iter().filter_map(asks_for_eager).collect();
        assert_eq!(asked, [true, false]);
        let report: RespondActivityTaskCompletedRequest = server.call("RespondActivityTaskCompleted").await;
        assert_eq!(report.task_token.as_ref(), b"token");
        assert_eq!(server.count("PollActivityTaskQueue"), 2);
    })
    .await;
}

fn asks_for_eager(command: &Command) -> Option<bool> {
    match command.attributes.as_ref()? {
        Attributes::ScheduleActivityTaskCommandAttributes(activity) => Some(activity.request_eager_execution),
        _ => None,
    }
}

#[tokio::test]
async fn nonsense_from_the_server_ends_neither_the_shard_nor_the_worker() {
    let server = Server::default();
    with_worker(&server, |it| it.shards(1), async {
        server.workflow_task(PollWorkflowTaskQueueResponse { task_token: "empty".into(), ..Default::default() });
        let mut jumbled = Events::started("Nap", &60_u64).task_completed().history();
        jumbled.events.reverse();
        server.workflow_task(task("jumbled", "Nap", jumbled));
        server.workflow_task(hello("r", "world"));
        loop {
            let request = completed(&server).await;
            if result_of(&request).is_some() {
                return;
            }
        }
    })
    .await;
}
