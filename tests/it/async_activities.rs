//! Activities that are completed from elsewhere.

use stead::client::AsyncActivityError;
use stead::prelude::*;
use stead_tests::Env;
use tokio::sync::mpsc;

/// Hands its token to whoever completes it.
struct Approvals {
    tokens: mpsc::UnboundedSender<(Vec<u8>, String)>,
}

#[activities]
impl Approvals {
    #[activity]
    async fn approve(&self) -> activity::Result<String> {
        let info = activity::info();
        self.tokens.send((info.task_token.to_vec(), info.activity_id.clone()))?;
        Err(activity::Error::complete_async())
    }
}

#[derive(Default)]
struct Request;

#[workflow]
impl Request {
    #[run]
    async fn run(&self) -> workflow::Result<String> {
        let call = workflow::activity(Approvals::approve, ())
            .start_to_close(secs(30))
            .cancellation(workflow::ActivityCancellation::WaitCancellationCompleted)
            .retry(RetryPolicy::default().max_attempts(1));
        match call.await {
            Ok(answer) => Ok(answer),
            Err(error) if error.is_cancelled() => Ok("cancelled".into()),
            Err(error) => Ok(error.failure().chain().last().map(|it| it.message.clone()).unwrap_or_default()),
        }
    }
}

/// Goes on from where the attempt before it got to.
struct Reviews {
    tokens: mpsc::UnboundedSender<Vec<u8>>,
}

#[activities]
impl Reviews {
    #[activity]
    async fn review(&self) -> activity::Result<String> {
        if let Some(page) = activity::heartbeat_details::<String>()? {
            return Ok(format!("went on at {page}"));
        }
        self.tokens.send(activity::info().task_token.to_vec())?;
        Err(activity::Error::complete_async())
    }
}

#[derive(Default)]
struct Review;

#[workflow]
impl Review {
    #[run]
    async fn run(&self) -> workflow::Result<String> {
        let retry = RetryPolicy::default().initial_interval(millis(1));
        Ok(workflow::activity(Reviews::review, ()).start_to_close(secs(30)).retry(retry).await?)
    }
}

#[tokio::test]
async fn the_attempt_after_one_that_failed_with_a_heartbeat_knows_its_details() {
    let env = Env::new().await;
    let (tokens, mut received) = mpsc::unbounded_channel();
    let worker = env.worker().workflow::<Review>().activities(Reviews { tokens });
    let work = async {
        for by_id in [false, true] {
            let start = env.client.start_workflow(Review::run, ()).id(env.id("review")).task_queue(&env.task_queue);
            let review = start.await.unwrap();
            let token = received.recv().await.unwrap();
            let activity = match by_id {
                true => env.client.activity_by_id(review.id(), "1"),
                false => env.client.activity_by_token(token),
            };
            activity.fail_with_heartbeat(stead::Failure::application("tired"), "page 7").await.unwrap();
            assert_eq!(review.result().await.unwrap(), "went on at page 7");
        }
    };
    worker.build().unwrap().run_while(work).await.unwrap();
}

#[tokio::test]
async fn an_activity_is_completed_failed_or_reported_cancelled_from_elsewhere() {
    let env = Env::new().await;
    let (tokens, mut received) = mpsc::unbounded_channel();
    let worker = env.worker().workflow::<Request>().activities(Approvals { tokens }).max_concurrent_activities(1);
    let work = async {
        let start = async |name: &str| {
            let id = env.id(name);
            env.client.start_workflow(Request::run, ()).id(id).task_queue(&env.task_queue).await.unwrap()
        };
        let done = start("by-token").await;
        let (token, _) = received.recv().await.unwrap();
        let activity = env.client.activity_by_token(token);
        assert!(!activity.heartbeat(&"on it").await.unwrap().cancel_requested);
        activity.complete("yes").await.unwrap();
        assert_eq!(done.result().await.unwrap(), "yes");
        let late = activity.complete("again").await.unwrap_err();
        assert!(matches!(late, AsyncActivityError::NotFound { .. }), "{late}");

        let failed = start("by-id").await;
        let (_, activity_id) = received.recv().await.unwrap();
        let activity = env.client.activity_by_id(failed.id(), &activity_id);
        activity.fail(stead::Failure::application("no")).await.unwrap();
        assert_eq!(failed.result().await.unwrap(), "no");
        let late = activity.heartbeat(&()).await.unwrap_err();
        assert!(late.to_string().contains(failed.id()), "{late}");

        let cancelled = start("cancelled").await;
        let (token, _) = received.recv().await.unwrap();
        let activity = env.client.activity_by_token(token);
        cancelled.cancel().await.unwrap();
        while !activity.heartbeat(&()).await.unwrap().cancel_requested {
            tokio::time::sleep(millis(10)).await;
        }
        activity.report_cancelled(&"bye").await.unwrap();
        assert_eq!(cancelled.result().await.unwrap(), "cancelled");
    };
    worker.build().unwrap().run_while(work).await.unwrap();
}
