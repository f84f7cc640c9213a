//! How workflows close, and what their results, histories and updates say then.

use stead::client::{HistoryError, ResultError, UpdateError};
use stead::data::FailureKind;
use stead::prelude::*;
use stead_tests::{Env, event_types};

#[derive(Default)]
struct Closes {
    last: Cell<u32>,
}

#[workflow]
impl Closes {
    #[run]
    async fn run(&self, how: String) -> workflow::Result<u32> {
        match how.as_str() {
            "completes" => Ok(7),
            "fails" => Err(stead::Failure::application("no way").type_name("Refused").into()),
            "continues" => workflow::continue_as_new(Self::run, "completes".to_owned()).exit(),
            _ => {
                workflow::wait_until(|| self.last.get() > 2).await?;
                Ok(self.last.get())
            }
        }
    }

    #[update]
    fn set(&self, to: u32) -> u32 {
        self.last.replace(to)
    }
}

async fn start(env: &Env, how: &str) -> WorkflowHandle<Closes> {
    env.client.start_workflow(Closes::run, how).id(env.id(how)).task_queue(&env.task_queue).await.unwrap()
}

#[tokio::test]
async fn the_result_tells_how_a_workflow_closed() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Closes>().build().unwrap();
    let work = async {
        let completes = env.client.execute_workflow(Closes::run, "completes").id(env.id("completes"));
        assert_eq!(completes.task_queue(&env.task_queue).await.unwrap(), 7);

        let error = start(&env, "fails").await.result().await.unwrap_err();
        let ResultError::Failed { failure, .. } = &error else { panic!("{error:?}") };
        assert_eq!(failure.message, "no way");
        assert!(matches!(&failure.kind, FailureKind::Application(it) if it.type_name == "Refused"), "{failure:?}");

        let cancelled = start(&env, "waits").await;
        cancelled.cancel().reason("enough").await.unwrap();
        let error = cancelled.result().await.unwrap_err();
        assert!(matches!(&error, ResultError::Cancelled { .. }) && error.is_cancelled(), "{error:?}");

        let terminated = start(&env, "waits").await;
        terminated.terminate().reason("for good").await.unwrap();
        let error = terminated.result().await.unwrap_err();
        let ResultError::Terminated { failure, .. } = &error else { panic!("{error:?}") };
        assert_eq!(failure.message, "for good");

        let late = env.client.start_workflow(Closes::run, "waits").id(env.id("late")).task_queue(&env.task_queue);
        let error = late.run_timeout(secs(1)).await.unwrap().result().await.unwrap_err();
        assert!(matches!(&error, ResultError::TimedOut { .. }) && error.is_timeout(), "{error:?}");

        let continued = start(&env, "continues").await;
        let error = continued.result().follow_runs(false).await.unwrap_err();
        let ResultError::ContinuedAsNew { new_run_id, .. } = &error else { panic!("{error:?}") };
        assert_eq!(continued.with_run_id(new_run_id).result().follow_runs(false).await.unwrap(), 7);
        assert_eq!(continued.result().await.unwrap(), 7);
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn a_history_comes_whole_page_by_page_or_as_its_last_event() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Closes>().build().unwrap();
    let work = async {
        let run = start(&env, "completes").await;
        let close = run.history().close_event_only().wait_for_new_events().await.unwrap();
        assert_eq!(event_types(&close), ["WORKFLOW_EXECUTION_COMPLETED"]);

        let whole = run.history().await.unwrap();
        let mut pages = run.history().page_size(2).events();
        let mut events = Vec::new();
        while let Some(event) = pages.next().await {
            events.push(event.unwrap());
        }
        assert!(events.len() > 2);
        assert_eq!(events, whole.0.events);

        let error = env.client.workflow_named(env.id("nobody")).history().await.unwrap_err();
        assert!(matches!(error, HistoryError::NotFound { .. }), "{error}");
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn an_update_is_accepted_awaited_and_found_again_until_its_workflow_closes() {
    let env = Env::new().await;
    let early = start(&env, "waits").await;
    let error = early.update(Closes::set, 1).rpc_timeout(millis(300)).await.unwrap_err();
    assert!(matches!(error, UpdateError::TimedOut { .. }), "no worker yet: {error}");

    let worker = env.worker().workflow::<Closes>().build().unwrap();
    let work = async {
        let run = start(&env, "waits").await;
        let accepted = run.update(Closes::set, 2).id("second").start().await.unwrap();
        assert_eq!(accepted.id(), "second");
        assert_eq!(accepted.result().await.unwrap(), 0);
        assert_eq!(run.update(Closes::set, 1).id("second").await.unwrap(), 0, "the same update runs once");
        assert_eq!(run.update_handle::<u32>("second").result().await.unwrap(), 0);

        let unknown = run.update_named::<u32>("unset", ()).await.unwrap_err();
        let UpdateError::Failed { failure, .. } = &unknown else { panic!("{unknown:?}") };
        assert!(failure.message.contains("known updates: [set]"), "{failure:?}");

        assert_eq!(run.update(Closes::set, 3).await.unwrap(), 2);
        assert_eq!(run.result().await.unwrap(), 3);
        let late = run.update(Closes::set, 4).await.unwrap_err();
        assert!(matches!(late, UpdateError::NotFound { .. }), "{late}");
    };
    worker.run_while(work).await.unwrap();
    early.terminate().await.unwrap();
}
