//! Activities on their own: no server takes part.

use std::time::Duration;

use stead::activity::CancellationDetails;
use stead::prelude::*;
use stead::testing::ActivityEnv;

struct Crawler {
    first: usize,
}

#[activities]
impl Crawler {
    #[activity]
    async fn crawl(&self, pages: usize) -> activity::Result<usize> {
        let begin = activity::heartbeat_details::<usize>()?.map_or(self.first, |last| last + 1);
        for page in begin..pages {
            activity::heartbeat(&page);
        }
        Ok(begin)
    }

    #[activity]
    async fn rest(&self) -> activity::Result<Why> {
        let details = activity::cancelled().await;
        Ok(Why { by_request: details.cancel_requested, by_shutdown: details.worker_shutdown })
    }

    #[activity]
    fn spin(&self) -> activity::Result<()> {
        loop {
            activity::check_cancelled()?;
            std::thread::yield_now();
        }
    }

    #[activity]
    fn whoami(&self, name: String, number: u32) -> activity::Result<String> {
        let info = activity::info();
        let workflow = info.workflow.as_ref().map(|it| it.workflow_id.clone()).unwrap_or_default();
        let lent = activity::extension::<u8>().map(|lent| *lent);
        Ok(format!("{name}{number} {} {} {workflow} {} {lent:?}", info.activity_type, info.activity_id, info.attempt))
    }

    #[activity]
    async fn falls(&self) -> activity::Result<()> {
        panic!("over {}", "a wire")
    }
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Why {
    by_request: bool,
    by_shutdown: bool,
}

#[tokio::test]
async fn an_attempt_goes_on_where_the_one_before_left_off_and_its_heartbeats_are_kept() {
    let env = ActivityEnv::new();
    assert_eq!(env.run(Crawler { first: 1 }, Crawler::crawl, 4).await.unwrap(), 1);
    assert_eq!(env.heartbeats::<usize>().unwrap(), [1, 2, 3]);
    let again = ActivityEnv::new().heartbeat_details(&2);
    assert_eq!(again.run(Crawler { first: 1 }, Crawler::crawl, 5).await.unwrap(), 3);
    assert_eq!(again.heartbeats::<usize>().unwrap(), [3, 4]);
    assert!(again.heartbeats::<String>().is_err(), "they are numbers");
    let confused = ActivityEnv::new().heartbeat_details("two");
    let error = confused.run(Crawler { first: 1 }, Crawler::crawl, 5).await.unwrap_err();
    assert!(error.to_string().contains("heartbeat details"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_cancelled_when_the_test_says_so_and_learns_why() {
    let env = ActivityEnv::new().cancel_after(Duration::from_secs(3600));
    let seen = env.run(Crawler { first: 0 }, Crawler::rest, ()).await.unwrap();
    assert_eq!(seen, Why { by_request: true, by_shutdown: false });

    let env = ActivityEnv::new().cancel_after_with(Duration::from_secs(1), CancellationDetails::worker_shutdown());
    let seen = env.run(Crawler { first: 0 }, Crawler::rest, ()).await.unwrap();
    assert_eq!(seen, Why { by_request: false, by_shutdown: true });
}

#[tokio::test]
async fn a_blocking_attempt_is_cancelled_too() {
    let env = ActivityEnv::new();
    env.cancel();
    let error = env.run(Crawler { first: 0 }, Crawler::spin, ()).await.unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}

#[tokio::test]
async fn an_attempt_knows_what_the_test_tells_it() {
    let env = ActivityEnv::new().info(|info| info.attempt = 7).extension(9_u8);
    let crawler = std::sync::Arc::new(Crawler { first: 0 });
    let text = env.run(crawler, Crawler::whoami, ("x".to_owned(), 2)).await.unwrap();
    assert_eq!(text, "x2 whoami test test 7 Some(9)");
}

#[tokio::test]
async fn a_panic_is_the_failure_that_a_worker_would_report() {
    let error = ActivityEnv::new().run(Crawler { first: 0 }, Crawler::falls, ()).await.unwrap_err();
    assert_eq!(error.into_failure().message, "the activity panicked: over a wire");
}
