//! Cancellation scopes.

use stead::prelude::*;
use stead::testing::Replayer;
use stead::workflow::CancelScope;
use stead_tests::{Env, event_types, until_history_has};

struct Trips;

#[activities]
impl Trips {
    #[activity]
    async fn book(&self) -> activity::Result<()> {
        activity::cancelled().await;
        Err(activity::Error::cancelled())
    }

    #[activity]
    async fn undo(&self, what: String) -> activity::Result<String> {
        Ok(format!("{what} undone"))
    }
}

#[derive(Default)]
struct Journey;

#[workflow]
impl Journey {
    #[run]
    async fn run(&self) -> workflow::Result<Vec<String>> {
        let mut log = Vec::new();
        let booking = workflow::scope(async {
            workflow::activity(Trips::book, ()).start_to_close(secs(30)).await?;
            Ok(())
        });
        let error = booking.timeout(millis(20)).await.unwrap_err();
        log.push(format!("timed out: {}", error.is_timeout()));

        let scope = CancelScope::new();
        let nested = scope.run(async {
            let inner = workflow::scope(workflow::sleep(hours(1))).await;
            let undone =
                workflow::shield(async { workflow::activity(Trips::undo, "hotel").start_to_close(secs(5)).await });
            (inner.is_err(), undone.await, workflow::cancellation_reason())
        });
        scope.cancel("no rooms");
        let (inner, undone, reason) = nested.await;
        log.push(format!("inner cancelled: {inner}, {}, {}", undone?, reason.unwrap_or_default()));
        log.push(format!("workflow cancelled: {}", workflow::is_cancelled()));

        let Err(cancelled) = workflow::scope(workflow::sleep(hours(1))).await else { return Ok(log) };
        let undone =
            workflow::shield(async { workflow::activity(Trips::undo, "flight").start_to_close(secs(5)).await });
        log.push(format!("{cancelled}: {}", undone.await?));
        Ok(log)
    }
}

#[tokio::test]
async fn scopes_time_out_nest_and_are_cancelled_with_the_workflow() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Journey>().activities(Trips).build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Journey::run, ()).id(env.id("journey")).task_queue(&env.task_queue);
        let run = start.await.unwrap();
        until_history_has(&run, "ACTIVITY_TASK_COMPLETED").await;
        run.cancel().await.unwrap();
        let expected = [
            "timed out: true",
            "inner cancelled: true, hotel undone, no rooms",
            "workflow cancelled: false",
            "cancelled: flight undone",
        ];
        assert_eq!(run.result().await.unwrap(), expected);
        let history = env.replays(Replayer::new().workflow::<Journey>(), &run, "scopes").await;
        assert!(event_types(&history).contains(&"ACTIVITY_TASK_CANCEL_REQUESTED"));
    };
    worker.run_while(work).await.unwrap();
}
