//! Workers: what they refuse, and that nothing one run does ends them.

use std::sync::atomic::{AtomicU32, Ordering};

use stead::client::Client;
use stead::prelude::*;
use stead_tests::Env;

#[derive(Default)]
struct Adds;

struct Slow;

#[activities]
impl Slow {
    #[activity]
    async fn add(&self, a: u64, b: u64) -> activity::Result<u64> {
        Ok(a + b)
    }

    #[activity]
    async fn naps(&self) -> activity::Result<bool> {
        NAPPING.fetch_add(1, Ordering::SeqCst);
        tokio::select! {
            details = activity::cancelled() => Ok(details.worker_shutdown),
            () = tokio::time::sleep(secs(60)) => Ok(false),
        }
    }
}

static NAPPING: AtomicU32 = AtomicU32::new(0);

#[workflow]
impl Adds {
    #[run]
    async fn run(&self, n: u64) -> workflow::Result<u64> {
        let mut sum = 0;
        for i in 0..n {
            sum = workflow::activity(Slow::add, (sum, i)).start_to_close(secs(10)).await?;
        }
        Ok(sum)
    }
}

#[derive(Default)]
struct Panics;

#[workflow]
impl Panics {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        panic!("always");
    }
}

#[derive(Default)]
struct Naps;

#[workflow]
impl Naps {
    #[run]
    async fn run(&self) -> workflow::Result<bool> {
        Ok(workflow::activity(Slow::naps, ()).start_to_close(secs(60)).await?)
    }
}

#[tokio::test]
async fn many_workflows_finish_on_a_small_cache_while_others_panic() {
    let env = Env::new().await;
    let worker =
        env.worker().workflow::<Adds>().workflow::<Panics>().activities(Slow).max_cached_workflows(4).build().unwrap();
    let id = env.id("many");
    worker
        .run_while(async {
            for i in 0..4 {
                let id = format!("{id}-panic-{i}");
                env.client.start_workflow(Panics::run, ()).id(id).task_queue(&env.task_queue).await.unwrap();
            }
            let mut running = tokio::task::JoinSet::new();
            for i in 0..25 {
                let (client, queue, id) = (env.client.clone(), env.task_queue.clone(), format!("{id}-{i}"));
                running.spawn(
                    async move { client.execute_workflow(Adds::run, 6).id(id).task_queue(queue).await.unwrap() },
                );
            }
            assert_eq!(running.join_all().await, [15; 25]);
            for i in 0..4 {
                env.client.workflow_named(format!("{id}-panic-{i}")).terminate().await.unwrap();
            }
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn shutdown_drains_and_tells_activities_after_the_grace_period() {
    let env = Env::new().await;
    let worker =
        env.worker().workflow::<Naps>().activities(Slow).graceful_shutdown_timeout(millis(100)).build().unwrap();
    let workflow =
        env.client.start_workflow(Naps::run, ()).id(env.id("naps")).task_queue(&env.task_queue).await.unwrap();
    worker
        .run_while(async {
            while NAPPING.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();

    let next = env.worker().workflow::<Naps>().build().unwrap();
    let saw_shutdown = next.run_while(async { workflow.result().await }).await.unwrap().unwrap();
    assert!(saw_shutdown, "the activity saw its worker stop and completed");
}

#[tokio::test]
async fn a_worker_without_anything_to_do_is_refused() {
    let env = Env::new().await;
    let error = env.worker().build().unwrap_err();
    assert!(error.to_string().contains("least one"), "{error}");
}

#[tokio::test]
async fn a_name_registered_twice_is_refused() {
    let env = Env::new().await;
    let error = env.worker().workflow::<Adds>().workflow::<Adds>().build().unwrap_err();
    assert!(error.to_string().contains("Adds"), "{error}");
}

#[tokio::test]
async fn a_second_worker_for_the_same_tasks_is_refused_unless_it_has_a_connection_of_its_own() {
    let env = Env::new().await;
    let build = |client: &Client| Worker::builder(client, &env.task_queue).activities(Slow).build().unwrap();
    let first = build(&env.client);
    let handle = first.handle();
    let work = async {
        assert!(handle.started().await);
        let own = Client::connect(stead_tests::server()).await.unwrap();
        let error = build(&env.client).run().await.unwrap_err();
        assert!(matches!(error, stead::worker::RunError::Overlap(_)), "{error:?}");
        let add = async {
            let add = env.client.execute_activity(Slow::add, (1, 2)).id(env.id("add")).task_queue(&env.task_queue);
            assert_eq!(add.start_to_close(secs(10)).await.unwrap(), 3);
        };
        build(&own).run_while(add).await.unwrap();
    };
    first.run_while(work).await.unwrap();
    build(&env.client).run_while(async {}).await.expect("the first has stopped");
}

#[tokio::test]
async fn a_worker_of_the_same_process_gets_the_first_task_with_the_answer_to_the_start() {
    let env = Env::new().await;
    let start = |client: &Client| {
        let start = client.start_workflow(Adds::run, 2).id(env.id("eager")).task_queue(&env.task_queue);
        start.request_eager_start()
    };
    let nobody_here = start(&env.client).await.unwrap();
    assert!(!nobody_here.started_eagerly());

    let worker = env.worker().workflow::<Adds>().activities(Slow).build().unwrap();
    let handle = worker.handle();
    let work = async {
        assert!(handle.started().await);
        let plain = env.client.start_workflow(Adds::run, 1).id(env.id("plain")).task_queue(&env.task_queue);
        assert!(!plain.await.unwrap().started_eagerly());
        let unknown = env.client.start_workflow_named("Unknown", ()).id(env.id("eager")).task_queue(&env.task_queue);
        let unknown = unknown.request_eager_start().await.unwrap();
        assert!(!unknown.started_eagerly(), "no worker here knows the workflow");
        unknown.terminate().await.unwrap();

        let eager = start(&env.client).await.unwrap();
        assert!(eager.started_eagerly());
        assert_eq!(eager.result().await.unwrap(), 1);
        let json = eager.history().await.unwrap().to_json().unwrap();
        assert!(json.contains("\"eagerExecutionAccepted\": true"), "{json}");
        assert_eq!(nobody_here.result().await.unwrap(), 1);
    };
    worker.run_while(work).await.unwrap();
    assert!(!start(&env.client).await.unwrap().started_eagerly(), "the worker has stopped");
}
