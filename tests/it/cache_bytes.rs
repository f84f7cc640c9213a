//! A worker keeps no more of its workflows in memory than it may.

use futures::{StreamExt, stream};
use stead::prelude::*;
use stead_tests::Env;

/// Waits for ever, and says that it is there.
#[derive(Default)]
struct Waits;

#[workflow]
impl Waits {
    #[run]
    async fn run(&self, _keepsake: String) -> workflow::Result<()> {
        Ok(workflow::wait_until(|| false).await?)
    }

    #[update]
    async fn is_there(&self) -> bool {
        true
    }
}

/// `STEAD_CACHED=10000` tries more workflows than fit in the patience of every day.
#[tokio::test]
async fn a_worker_with_thousands_of_workflows_keeps_to_its_budget_of_bytes() {
    let count = std::env::var("STEAD_CACHED").map_or(200, |count| count.parse::<u64>().expect("a number"));
    // About two kilobytes of history each, of which half have room.
    let budget = count * 1_000;
    let env = Env::new().await;
    let worker = env.worker().workflow::<Waits>().max_cached_workflows(20_000).shards(2);
    let worker = worker.max_cached_bytes(usize::try_from(budget).expect("it is not much")).build().unwrap();
    let handle = worker.handle();
    let start = async |number: u64| {
        let start = env.client.start_workflow(Waits::run, "x".repeat(1_000)).id(env.id(&format!("waits-{number}")));
        let start = start.task_queue(&env.task_queue).with_update(Waits::is_there, ());
        assert!(start.wait_for_result().await.unwrap().update().result().await.unwrap());
        let health = handle.health();
        assert!(health.cached_bytes <= budget, "{health:?}");
    };
    let work = async {
        stream::iter(0..count).map(start).buffer_unordered(50).collect::<Vec<_>>().await;
        let health = handle.health();
        assert!(health.cached_workflows > count / 4 && health.cached_workflows < count, "{health:?}");
        assert!(health.cached_bytes > budget / 2, "{health:?}");
        println!("{} of {count} workflows, {} of {budget} bytes", health.cached_workflows, health.cached_bytes);
    };
    worker.run_while(work).await.unwrap();
    assert_eq!((handle.health().cached_workflows, handle.health().cached_bytes), (0, 0), "nothing is left at its end");
}
