//! Tasks of one workflow that wait for each other.

use std::rc::Rc;

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

struct Kitchen;

#[activities]
impl Kitchen {
    #[activity]
    async fn cook(&self, dish: String, millis: u64) -> activity::Result<String> {
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
        Ok(dish)
    }
}

async fn cook(dish: &str, millis: u64) -> workflow::Result<String> {
    Ok(workflow::activity(Kitchen::cook, (dish.to_owned(), millis)).start_to_close(secs(10)).await?)
}

#[derive(Default)]
struct Dinner;

#[workflow]
impl Dinner {
    #[run]
    async fn run(&self) -> workflow::Result<Vec<String>> {
        let mut story = Vec::new();
        let mut served = workflow::as_completed([Box::pin(cook("roast", 400)), Box::pin(cook("soup", 1))]);
        while let Some(dish) = served.next().await {
            story.push(dish?);
        }

        let (stove, notes) = (Rc::new(workflow::Semaphore::new(2)), Rc::new(workflow::Mutex::new(Vec::new())));
        let mut cooks = workflow::JoinSet::new();
        for dish in ["a", "b", "c"] {
            let (stove, notes) = (Rc::clone(&stove), Rc::clone(&notes));
            cooks.spawn(async move {
                let _place = stove.acquire().await?;
                let busy = 2 - stove.available();
                let dish = cook(dish, 1).await?;
                let mut notes = notes.lock().await?;
                workflow::sleep(millis(1)).await?;
                notes.push(dish);
                workflow::Result::Ok(busy)
            });
        }
        let mut busiest = 0;
        while let Some(busy) = cooks.join_next().await? {
            busiest = busiest.max(busy?);
        }
        let mut noted = notes.lock().await?.clone();
        noted.sort();
        story.push(format!("{} with {busiest} at once", noted.concat()));

        let (pass, orders) = workflow::channel(1);
        let bell = Rc::new(workflow::Notify::new());
        let rings = Rc::clone(&bell);
        workflow::spawn(async move {
            rings.notified().await?;
            for table in 1..=3u32 {
                workflow::sleep(millis(1)).await?;
                pass.send(table).await?;
            }
            workflow::Result::Ok(())
        });
        bell.notify_one();
        while let Some(table) = orders.recv().await? {
            story.push(format!("table {table}"));
        }
        Ok(story)
    }
}

#[tokio::test]
async fn tasks_of_a_workflow_wait_for_each_other_the_same_way_in_each_replay() {
    for cached in [1000, 0] {
        let env = Env::new().await;
        let worker = env.worker().max_cached_workflows(cached).workflow::<Dinner>().activities(Kitchen);
        let work = async {
            let start = env.client.start_workflow(Dinner::run, ()).id(env.id("dinner")).task_queue(&env.task_queue);
            let run = start.await.unwrap();
            let story = run.result().await.unwrap();
            assert_eq!(story, ["soup", "roast", "abc with 2 at once", "table 1", "table 2", "table 3"]);
            env.replays(Replayer::new().workflow::<Dinner>(), &run, "coordination").await;
        };
        worker.build().unwrap().run_while(work).await.unwrap();
    }
}
