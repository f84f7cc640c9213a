//! Activities: polled, run, reported.

use std::sync::Arc;
use std::time::Duration;

use stead_activity::{Activities, Definition, Implementation, Input, Interceptor, Next, Result};
use stead_data::{BoxFuture, DataConverter, Failure, Payload};
use stead_proto::common::v1::{ActivityType, Header, Payloads, WorkflowExecution, WorkflowType};
use stead_proto::workflowservice::v1::{
    PollActivityTaskQueueResponse, RecordActivityTaskHeartbeatRequest, RecordActivityTaskHeartbeatResponse,
    RespondActivityTaskCanceledRequest, RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest,
};
use stead_worker::Worker;
use tonic::Code;

use crate::server::Server;

/// One activity, made of a closure.
pub(crate) struct One(pub(crate) Definition);

impl Activities for One {
    fn definitions(self: Arc<Self>) -> Vec<Definition> {
        vec![self.0.clone()]
    }
}

pub(crate) fn asynchronous(
    name: &'static str,
    call: impl Fn(Input) -> BoxFuture<'static, Result<Payload>> + Send + Sync + 'static,
) -> One {
    One(Definition::new(name, Implementation::Async(Arc::new(call))))
}

fn blocking(name: &'static str, call: impl Fn(Input) -> Result<Payload> + Send + Sync + 'static) -> One {
    One(Definition::new(name, Implementation::Blocking(Arc::new(call))))
}

pub(crate) fn task(activity_type: &str, arguments: impl IntoIterator<Item = u32>) -> PollActivityTaskQueueResponse {
    let converter = DataConverter::new();
    let payloads = arguments.into_iter().map(|it| converter.to_payload(&it).expect("a number")).collect();
    PollActivityTaskQueueResponse {
        task_token: "token".into(),
        activity_type: Some(ActivityType { name: activity_type.to_owned() }),
        activity_id: "7".to_owned(),
        workflow_type: Some(WorkflowType { name: "Order".to_owned() }),
        workflow_execution: Some(WorkflowExecution { workflow_id: "order-1".to_owned(), run_id: "run-1".to_owned() }),
        input: Some(Payloads { payloads }),
        attempt: 2,
        ..Default::default()
    }
}

/// Runs a worker with one activity until `check` is done.
async fn with_worker(server: &Server, activities: One, check: impl Future<Output = ()>) {
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(activities).build().expect("valid options");
    worker.run_until(check).await.expect("the worker was told to stop");
}

async fn completed(server: &Server) -> u32 {
    let request: RespondActivityTaskCompletedRequest = server.call("RespondActivityTaskCompleted").await;
    assert_eq!((request.task_token.as_ref(), request.identity.as_str()), (b"token".as_slice(), "tester"));
    let payloads = request.result.expect("a result").payloads;
    DataConverter::new().from_payloads(&payloads, 1).expect("a number")
}

async fn failed(server: &Server) -> (Failure, Option<Payloads>) {
    let request: RespondActivityTaskFailedRequest = server.call("RespondActivityTaskFailed").await;
    (Failure::from_proto(request.failure.expect("a failure")), request.last_heartbeat_details)
}

fn type_of(failure: &Failure) -> &str {
    &failure.find_application().expect("an application failure").1.type_name
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_activity_runs_and_its_result_is_reported() {
    let server = Server::default();
    let double = asynchronous("double", |input| {
        Box::pin(async move {
            let number: u32 = input.decode(1)?;
            let info = stead_activity::info();
            assert_eq!((info.attempt, info.activity_id.as_str()), (2, "7"));
            tokio::task::yield_now().await;
            assert!(stead_activity::in_activity());
            input.encode(&(number * 2))
        })
    });
    server.activity_task(task("double", [21]));
    with_worker(&server, double, async { assert_eq!(completed(&server).await, 42) }).await;
}

#[tokio::test(start_paused = true)]
async fn a_blocking_activity_runs_and_reaches_the_client() {
    let server = Server::default();
    let add = blocking("add", |input| {
        let (a, b): (u32, u32) = input.decode(2)?;
        let client = stead_activity::extension::<stead_client::Client>().ok_or("no client")?;
        assert_eq!(client.namespace(), "shop");
        input.encode(&(a + b))
    });
    server.activity_task(task("add", [40, 2]));
    with_worker(&server, add, async { assert_eq!(completed(&server).await, 42) }).await;
}

#[tokio::test(start_paused = true)]
async fn panics_and_unknown_and_undecodable_ones_fail_the_attempt_and_nothing_else() {
    let server = Server::default();
    let fragile = asynchronous("fragile", |input| {
        Box::pin(async move {
            let number: u32 = input.decode(1)?;
            assert!(number != 13, "unlucky");
            input.encode(&number)
        })
    });
    with_worker(&server, fragile, async {
        server.activity_task(task("fragile", [13]));
        let (failure, _) = failed(&server).await;
        assert_eq!((failure.message.as_str(), type_of(&failure)), ("the activity panicked: unlucky", "Panic"));

        server.activity_task(task("unheard", [1]));
        let (failure, _) = failed(&server).await;
        assert_eq!(
            failure.message,
            "Activity function unheard for workflow order-1 is not registered on this worker, \
             available activities: fragile"
        );

        server.activity_task(task("fragile", []));
        let (failure, _) = failed(&server).await;
        assert_eq!(failure.message, "Failed decoding arguments");
        assert!(!failure.find_application().expect("an application failure").1.non_retryable);

        server.activity_task(task("fragile", [12]));
        assert_eq!(completed(&server).await, 12);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_throttled_and_the_last_one_travels_with_the_failure() {
    let server = Server::default();
    let steps = asynchronous("steps", |_input| {
        Box::pin(async move {
            for step in 1..=3_u32 {
                stead_activity::heartbeat(&step);
            }
            // The throttle of a timeout of 10 s is 8 s.
            tokio::time::sleep(Duration::from_secs(9)).await;
            stead_activity::heartbeat(&4_u32);
            stead_activity::heartbeat(&5_u32);
            Err("gave up".into())
        })
    });
    let heartbeat_timeout = Some(prost_types::Duration { seconds: 10, nanos: 0 });
    server.activity_task(PollActivityTaskQueueResponse { heartbeat_timeout, ..task("steps", []) });
    with_worker(&server, steps, async {
        let converter = DataConverter::new();
        let number = |details: Option<Payloads>| -> u32 {
            converter.from_payloads(&details.expect("details").payloads, 1).expect("a number")
        };
        let mut sent = Vec::new();
        for _ in 0..2 {
            let heartbeat: RecordActivityTaskHeartbeatRequest = server.call("RecordActivityTaskHeartbeat").await;
            sent.push(number(heartbeat.details));
        }
        assert_eq!(sent, [1, 3]);
        let (failure, last) = failed(&server).await;
        assert_eq!((failure.message.as_str(), number(last)), ("gave up", 5));
        assert_eq!(server.count("RecordActivityTaskHeartbeat"), 2);
    })
    .await;
}

fn waits_for_its_cancellation() -> One {
    asynchronous("wait", |_input| {
        Box::pin(async move {
            stead_activity::heartbeat(&());
            let _why = stead_activity::cancelled().await;
            stead_activity::check_cancelled()?;
            Err("not reached".into())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_arrives_with_the_answer_to_a_heartbeat() {
    let server = Server::default();
    let cancel = RecordActivityTaskHeartbeatResponse { cancel_requested: true, ..Default::default() };
    server.answers("RecordActivityTaskHeartbeat", cancel).activity_task(task("wait", []));
    with_worker(&server, waits_for_its_cancellation(), async {
        let report: RespondActivityTaskCanceledRequest = server.call("RespondActivityTaskCanceled").await;
        assert_eq!(report.task_token.as_ref(), b"token");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_activity_that_sends_no_heartbeats_is_kept_alive_and_cancelled_where_the_worker_does_it() {
    let server = Server::default();
    let (converter, second) = (DataConverter::new(), Duration::from_secs(1));
    let details = |number: u32| Payloads { payloads: vec![converter.to_payload(&number).expect("a number")] };
    let says_once = asynchronous("says once", |input| {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(25)).await;
            stead_activity::heartbeat(&2);
            stead_activity::cancelled().await;
            input.encode(&0)
        })
    });
    let timeout = stead_data::time::duration_to_proto(20 * second);
    let known = Some(details(1));
    server.activity_task(PollActivityTaskQueueResponse {
        heartbeat_timeout: Some(timeout),
        heartbeat_details: known,
        ..task("says once", [])
    });
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(says_once).automatic_heartbeats();
    let check = async {
        let began = tokio::time::Instant::now();
        // What the attempt before said is repeated until there is news, and then that.
        for (after, number) in [(10, 1), (20, 1), (30, 2), (40, 2)] {
            let beat: RecordActivityTaskHeartbeatRequest = server.call("RecordActivityTaskHeartbeat").await;
            assert_eq!(beat.details, Some(details(number)), "after {:?}", began.elapsed());
            assert_eq!(began.elapsed().as_secs(), after);
        }
        let cancel = RecordActivityTaskHeartbeatResponse { cancel_requested: true, ..Default::default() };
        server.answers("RecordActivityTaskHeartbeat", cancel);
        assert_eq!(completed(&server).await, 0);
        assert_eq!(began.elapsed().as_secs(), 50);
    };
    worker.build().expect("valid options").run_until(check).await.expect("the worker was told to stop");
}

#[tokio::test(start_paused = true)]
async fn the_local_limit_of_an_attempt_comes_five_seconds_after_the_servers() {
    let server = Server::default();
    let timeout = stead_data::time::duration_to_proto(Duration::from_secs(20));
    server.activity_task(PollActivityTaskQueueResponse { start_to_close_timeout: Some(timeout), ..task("counts", []) });
    let counts = asynchronous("counts", |input| {
        Box::pin(async move {
            let began = tokio::time::Instant::now();
            let details = stead_activity::cancelled().await;
            assert!(details.timed_out, "{details:?}");
            input.encode(&u32::try_from(began.elapsed().as_secs())?)
        })
    });
    with_worker(&server, counts, async { assert_eq!(completed(&server).await, 25) }).await;
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_activity_that_ignores_its_cancellation_is_dropped_after_a_grace_where_that_is_wanted() {
    for grace in [Some(Duration::from_secs(3)), None] {
        let server = Server::default();
        let ignores = asynchronous("ignores", |input| {
            Box::pin(async move {
                stead_activity::heartbeat(&1);
                tokio::time::sleep(Duration::from_secs(100)).await;
                input.encode(&7)
            })
        });
        let cancel = RecordActivityTaskHeartbeatResponse { cancel_requested: true, ..Default::default() };
        server.answers("RecordActivityTaskHeartbeat", cancel).activity_task(task("ignores", []));
        let client = server.client().await;
        let worker = Worker::builder(&client, "orders").activities(ignores).drop_cancelled_activities_after(grace);
        let check = async {
            let began = tokio::time::Instant::now();
            match grace {
                Some(grace) => {
                    let _: RespondActivityTaskCanceledRequest = server.call("RespondActivityTaskCanceled").await;
                    assert_eq!(began.elapsed().as_secs(), grace.as_secs());
                }
                None => assert_eq!((completed(&server).await, began.elapsed().as_secs()), (7, 100)),
            }
        };
        worker.build().expect("valid options").run_until(check).await.expect("the worker was told to stop");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_the_server_has_given_up_is_not_reported() {
    let server = Server::default();
    server.refuses("RecordActivityTaskHeartbeat", Code::NotFound, "workflow is closed").activity_task(task("wait", []));
    with_worker(&server, waits_for_its_cancellation(), async {
        let _: RecordActivityTaskHeartbeatRequest = server.call("RecordActivityTaskHeartbeat").await;
    })
    .await;
    // The worker has drained, so there is nothing more to come.
    for method in ["RespondActivityTaskCanceled", "RespondActivityTaskFailed", "RespondActivityTaskCompleted"] {
        assert_eq!(server.count(method), 0, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_activities_run_than_there_are_slots() {
    let server = Server::default();
    let (release, gate) = tokio::sync::watch::channel(false);
    let wait = asynchronous("wait", move |input| {
        let mut gate = gate.clone();
        Box::pin(async move {
            gate.wait_for(|open| *open).await.map_err(|_| "closed")?;
            input.encode(&0)
        })
    });
    for _ in 0..3 {
        server.activity_task(task("wait", []));
    }
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders").activities(wait).max_concurrent_activities(2).build();
    let check = async {
        // Two tasks take the two slots; the third stays on the server.
        while server.count("PollActivityTaskQueue") < 2 || server.open_polls() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.count("PollActivityTaskQueue"), 2);
        release.send_replace(true);
        for _ in 0..3 {
            completed(&server).await;
        }
    };
    worker.expect("valid options").run_until(check).await.expect("the worker was told to stop");
}

/// Refuses activities whose second attempt it is.
struct FirstAttemptOnly;

impl Interceptor for FirstAttemptOnly {
    fn execute<'a>(&'a self, input: Input, next: Next) -> BoxFuture<'a, Result<Payload>> {
        Box::pin(async move {
            if stead_activity::info().attempt > 1 && !input.headers.contains_key("again") {
                return Err("once is enough".into());
            }
            next.run(input).await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn interceptors_wrap_asynchronous_and_blocking_activities() {
    let server = Server::default();
    let client = server.client().await;
    let worker = Worker::builder(&client, "orders")
        .activities(asynchronous("one", |input| Box::pin(async move { input.encode(&1) })))
        .activities(blocking("two", |input| input.encode(&2)))
        .activities(blocking("boom", |_input| panic!("boom")))
        .activity_interceptor(FirstAttemptOnly);
    let again = |activity_type: &str| {
        let fields = [("again".to_owned(), Payload::default())].into();
        PollActivityTaskQueueResponse { header: Some(Header { fields }), ..task(activity_type, []) }
    };
    let check = async {
        server.activity_task(task("one", []));
        assert_eq!(failed(&server).await.0.message, "once is enough");
        for (activity_type, expected) in [("one", 1), ("two", 2)] {
            server.activity_task(again(activity_type));
            assert_eq!(completed(&server).await, expected);
        }
        server.activity_task(again("boom"));
        assert_eq!(failed(&server).await.0.message, "the activity panicked: boom");
    };
    worker.build().expect("valid options").run_until(check).await.expect("the worker was told to stop");
}
