//! Replays of what a server lists.

use stead::prelude::*;
use stead::testing::{ReplayManyError, Replayer};
use stead_tests::Env;

macro_rules! counting {
    ($module:ident, $millis:literal) => {
        mod $module {
            use stead::prelude::*;

            #[derive(Default)]
            pub struct Replayed {
                asked: Cell<u32>,
            }

            #[workflow]
            impl Replayed {
                #[run]
                pub async fn run(&self, times: u32) -> workflow::Result<u32> {
                    if $millis == 0 {
                        workflow::upsert_memo("new", &1);
                    }
                    workflow::sleep(millis(1)).await?;
                    workflow::wait_until(|| self.asked.get() >= times).await?;
                    Ok(times)
                }

                #[signal]
                pub fn ask(&self) {
                    self.asked.set(self.asked.get() + 1);
                }

                #[query]
                pub fn asked(&self) -> u32 {
                    self.asked.get()
                }
            }
        }
    };
}

counting!(today, 1);
counting!(tomorrow, 0);

#[tokio::test]
async fn what_a_query_finds_is_replayed_and_the_workers_that_have_it_in_memory_notice_nothing() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<today::Replayed>().build().unwrap();
    let query = format!("TaskQueue = '{}'", env.task_queue);
    let work = async {
        let mut runs = Vec::new();
        for times in [0, 1, 1] {
            let start = env.client.start_workflow(today::Replayed::run, times).id(env.id("replayed"));
            runs.push(start.task_queue(&env.task_queue).await.unwrap());
        }
        runs[0].result().await.unwrap();
        assert_eq!(runs[1].query(today::Replayed::asked, ()).await.unwrap(), 0);
        stead_tests::until_history_has(&runs[2], "TIMER_FIRED").await;

        // A list lags behind what it lists.
        while env.client.count_workflows(&query).await.unwrap().count < 3 {
            tokio::time::sleep(millis(50)).await;
        }
        let mut seen = Vec::new();
        let replayer = Replayer::new().workflow::<today::Replayed>();
        let replayed = replayer.replay_query(&env.client, &query).concurrency(2).on_progress(|it| {
            seen.push((it.done, it.failed, it.total));
        });
        assert_eq!(replayed.await.unwrap().len(), 3);
        assert_eq!(seen, [(1, 0, None), (2, 0, None), (3, 0, None)]);

        let changed = Replayer::new().workflow::<tomorrow::Replayed>();
        let error = changed.replay_query(&env.client, &query).await.unwrap_err();
        assert_eq!(error.failures().len(), 3);
        assert!(error.failures().iter().all(|(_, error)| error.mismatch().is_some()), "{error}");
        let none = changed.replay_query(&env.client, format!("{query} AND WorkflowType = 'Nobody'")).await;
        assert_eq!(none.unwrap(), [""; 0], "nothing is wrong with nothing");
        let nonsense = changed.replay_query(&env.client, "Nonsense = ").await.unwrap_err();
        assert!(matches!(nonsense, ReplayManyError::List { .. }), "{nonsense}");

        for run in &runs[1..] {
            run.signal(today::Replayed::ask, ()).await.unwrap();
            assert_eq!(run.result().await.unwrap(), 1);
        }
    };
    worker.run_while(work).await.unwrap();
}
