//! What a server shows of its workers.

use stead::client::CallOptions;
use stead::client::proto::enums::v1::WorkerStatus;
use stead::client::proto::worker::v1::WorkerHeartbeat;
use stead::client::proto::workflowservice::v1::{DescribeWorkerRequest, ListWorkersRequest};
use stead::prelude::*;
use stead::worker::PollerBehavior;
use stead_tests::Env;

struct Adds;

#[activities]
impl Adds {
    #[activity]
    async fn add(&self, a: u32, b: u32) -> activity::Result<u32> {
        Ok(a + b)
    }
}

#[derive(Default)]
struct Sums;

#[workflow]
impl Sums {
    #[run]
    async fn run(&self, of: u32) -> workflow::Result<u32> {
        let mut sum = 0;
        for number in 0..of {
            sum = workflow::activity(Adds::add, (sum, number)).start_to_close(secs(5)).await?;
        }
        Ok(sum)
    }
}

async fn list(env: &Env) -> Vec<String> {
    let request = ListWorkersRequest {
        namespace: env.client.namespace().to_owned(),
        query: format!("TaskQueue = '{}'", env.task_queue),
        ..Default::default()
    };
    let listed = env.client.connection().workflow_service().list_workers(request, CallOptions::new()).await.unwrap();
    listed.workers.into_iter().map(|worker| worker.worker_instance_key).collect()
}

async fn describe(env: &Env, key: &str) -> WorkerHeartbeat {
    let namespace = env.client.namespace().to_owned();
    let request = DescribeWorkerRequest { namespace, worker_instance_key: key.to_owned() };
    let service = env.client.connection().workflow_service();
    let described = service.describe_worker(request, CallOptions::new()).await.unwrap();
    described.worker_info.unwrap().worker_heartbeat.unwrap()
}

/// The only worker and its heartbeat, as soon as that tells enough.
async fn seen(env: &Env, tells_enough: impl Fn(&WorkerHeartbeat) -> bool) -> (String, WorkerHeartbeat) {
    for _ in 0..100 {
        if let [one] = list(env).await.as_slice() {
            let seen = describe(env, one).await;
            if tells_enough(&seen) {
                return (one.clone(), seen);
            }
        }
        tokio::time::sleep(millis(100)).await;
    }
    panic!("the server never showed the worker and what it did");
}

#[tokio::test]
async fn a_server_shows_its_workers_and_what_they_do() {
    let env = Env::new().await;
    let worker = env
        .worker()
        .workflow::<Sums>()
        .activities(Adds)
        .plugin(stead::worker::Plugin::new("listed"))
        .identity("seen")
        .heartbeat_interval(secs(1))
        .activity_pollers(PollerBehavior::autoscaling(1..=20, 2))
        .workflow_task_pollers(PollerBehavior::autoscaling(1..=20, 2))
        .build()
        .unwrap();
    let work = async {
        let sums = (0..10).map(|number| {
            let start = env.client.execute_workflow(Sums::run, 4).id(env.id(&format!("sums-{number}")));
            start.task_queue(&env.task_queue)
        });
        let mut running = tokio::task::JoinSet::new();
        sums.for_each(|sum| drop(running.spawn(async move { sum.await.unwrap() })));
        assert_eq!(running.join_all().await, [6; 10]);
        let activities =
            |seen: &WorkerHeartbeat| seen.activity_task_slots_info.as_ref().map(|it| it.total_processed_tasks);
        seen(&env, |seen| activities(seen) >= Some(40)).await
    };
    let (key, seen) = worker.run_while(work).await.unwrap();
    assert_eq!((seen.task_queue.as_str(), seen.worker_identity.as_str()), (env.task_queue.as_str(), "seen"));
    assert_eq!((seen.sdk_name.as_str(), seen.status()), ("stead", WorkerStatus::Running));
    assert_eq!(seen.plugins.iter().map(|plugin| plugin.name.as_str()).collect::<Vec<_>>(), ["listed"]);
    assert!(seen.activity_poller_info.as_ref().unwrap().is_autoscaling);
    assert!(seen.workflow_task_slots_info.as_ref().unwrap().total_processed_tasks >= 10, "{seen:?}");

    let last = describe(&env, &key).await;
    assert_ne!(last.status(), WorkerStatus::Running, "the last heartbeat came with the shutdown");
}

struct Sorts;

#[nexus_service]
impl Sorts {
    #[operation]
    async fn sort(&self, mut numbers: Vec<u32>) -> Vec<u32> {
        numbers.sort_unstable();
        numbers
    }
}

#[tokio::test]
async fn a_server_shows_what_handlers_of_nexus_operations_do() {
    let env = Env::new().await;
    let worker = env.worker().nexus_service(Sorts).heartbeat_interval(secs(1)).max_concurrent_nexus_tasks(7);
    let worker = worker.nexus_task_pollers(PollerBehavior::autoscaling(1..=3, 2)).build().unwrap();
    let work = async {
        let sorts = env.client.nexus::<Sorts>(env.nexus_endpoint().await);
        assert_eq!(sorts.execute(Sorts::sort, vec![3, 1]).id(env.id("sort")).await.unwrap(), [1, 3]);
        let unreadable = sorts.execute_named::<Vec<u32>>("sort", "no numbers").id(env.id("unreadable")).await;
        assert!(unreadable.is_err());
        let failed = |seen: &WorkerHeartbeat| seen.nexus_task_slots_info.as_ref().map(|it| it.total_failed_tasks);
        seen(&env, |seen| failed(seen) >= Some(1)).await
    };
    let (_, seen) = worker.run_while(work).await.unwrap();
    let slots = seen.nexus_task_slots_info.as_ref().expect("it handles operations");
    assert!(slots.total_processed_tasks >= 2, "{seen:?}");
    assert_eq!(slots.current_used_slots + slots.current_available_slots, 7, "{seen:?}");
    assert!(seen.nexus_poller_info.as_ref().expect("it polls for them").is_autoscaling);
    assert!(seen.workflow_task_slots_info.is_none() && seen.activity_task_slots_info.is_none(), "{seen:?}");
}
