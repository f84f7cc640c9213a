//! Runs that follow one another: what a run knows of the one before it.

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

/// Returns 1, then fails, then tells what it knows until it is let go.
#[derive(Default)]
struct Tally {
    seen: State<Option<(u32, String)>>,
}

#[workflow]
impl Tally {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        let Some(last) = workflow::last_result::<u32>()? else { return Ok(1) };
        let Some(failure) = workflow::last_failure() else {
            return Err(stead::Failure::application("out of fingers").into());
        };
        self.seen.set(Some((last, failure.message)));
        workflow::wait_until(|| false).await?;
        Ok(last)
    }

    #[query]
    fn seen(&self) -> Option<(u32, String)> {
        self.seen.get()
    }
}

#[tokio::test]
async fn a_cron_run_sees_the_result_of_the_last_success_and_the_failure_since() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Tally>().build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Tally::run, ()).id(env.id("tally")).task_queue(&env.task_queue);
        let first = start.cron_schedule("@every 1s").await.unwrap();
        assert_eq!(first.result().follow_runs(false).await.unwrap(), 1);
        let current = env.client.workflow::<Tally>(first.id());
        let seen = loop {
            if let Some(seen) = current.query(Tally::seen, ()).await.unwrap() {
                break seen;
            }
            tokio::time::sleep(millis(50)).await;
        };
        assert_eq!(seen, (1, "out of fingers".to_owned()));
        env.replays(Replayer::new().workflow::<Tally>(), &current, "cron-run").await;

        let first_run = first.run_id().unwrap().to_owned();
        let stranger = current.with_first_run_id(current.describe().await.unwrap().run_id());
        let refused = stranger.terminate().await.unwrap_err();
        assert!(refused.to_string().contains(first.id()), "{refused}");
        let chain = current.with_first_run_id(first_run);
        chain.cancel().await.unwrap();
        let error = current.result().await.unwrap_err();
        assert!(error.is_cancelled(), "{error}");
    };
    let limit = tokio::time::timeout(secs(60), work);
    worker.run_while(limit).await.unwrap().expect("cron runs within a minute");
}

/// Fails once, and then says why.
#[derive(Default)]
struct SecondTry;

#[workflow]
impl SecondTry {
    #[run]
    async fn run(&self) -> workflow::Result<(u32, String)> {
        match workflow::last_failure() {
            None => Err(stead::Failure::application("slipped").into()),
            Some(failure) => Ok((workflow::info().attempt(), failure.message)),
        }
    }
}

#[tokio::test]
async fn a_retried_run_sees_the_failure_of_the_one_before() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<SecondTry>().build().unwrap();
    let work = async {
        let start = env.client.execute_workflow(SecondTry::run, ()).id(env.id("retried")).task_queue(&env.task_queue);
        start.retry(RetryPolicy::default().initial_interval(millis(1)).max_attempts(3)).await.unwrap()
    };
    assert_eq!(worker.run_while(work).await.unwrap(), (2, "slipped".to_owned()));
}
