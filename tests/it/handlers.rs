//! What a bad message, and an error in the handler of a good one, do and do not do.

use stead::client::{QueryError, ResultError};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types, until_history_has};

#[derive(Default)]
struct Till {
    total: Cell<u32>,
    open: Cell<bool>,
}

#[workflow]
impl Till {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        workflow::wait_until(|| self.total.get() >= 10).await?;
        Ok(self.total.get())
    }

    #[signal]
    fn take(&self, amount: u32) {
        self.total.set(self.total.get() + amount);
    }

    #[signal]
    async fn refuse(&self, why: String) -> workflow::Result<()> {
        workflow::sleep(millis(1)).await?;
        Err(stead::Failure::application(why).type_name("Refused").into())
    }

    #[signal]
    fn explode(&self) {
        assert!(self.open.get(), "the drawer is stuck");
    }

    #[query]
    fn total(&self) -> u32 {
        self.total.get()
    }

    #[query]
    fn change(&self, of: u32) -> Result<u32, stead::Failure> {
        of.checked_sub(self.total.get()).ok_or_else(|| stead::Failure::application("not enough").type_name("Short"))
    }

    #[query]
    fn stuck(&self) -> u32 {
        panic!("the drawer is stuck")
    }
}

async fn start(env: &Env) -> WorkflowHandle<Till> {
    env.client.start_workflow(Till::run, ()).id(env.id("till")).task_queue(&env.task_queue).await.unwrap()
}

/// The official SDK fails the workflow task, and again whenever it is retried: the workflow never goes on.
#[tokio::test]
async fn b5_a_signal_that_cannot_be_decoded_stops_nothing() {
    for cached in [1000, 0] {
        let env = Env::new().await;
        let worker = env.worker().max_cached_workflows(cached).workflow::<Till>().build().unwrap();
        let work = async {
            let till = start(&env).await;
            till.signal_named("take", "a lot").await.unwrap();
            till.signal(Till::take, 4).await.unwrap();
            assert_eq!(till.query(Till::total, ()).await.unwrap(), 4);
            till.signal_named("take", ()).await.unwrap();
            till.signal(Till::take, 6).await.unwrap();
            assert_eq!(till.result().await.unwrap(), 10);
            let history = env.replays(Replayer::new().workflow::<Till>(), &till, "undecodable-signal").await;
            assert!(!event_types(&history).contains(&"WORKFLOW_TASK_FAILED"), "{:?}", event_types(&history));
        };
        worker.run_while(work).await.unwrap();
    }
}

#[tokio::test]
async fn an_error_of_a_signal_handler_closes_the_workflow_and_a_panic_fails_its_task() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Till>().build().unwrap();
    let work = async {
        let refused = start(&env).await;
        refused.signal(Till::refuse, "closed today").await.unwrap();
        let error = refused.result().await.unwrap_err();
        let ResultError::Failed { failure, .. } = &error else { panic!("{error:?}") };
        assert_eq!(failure.message, "closed today");
        env.replays(Replayer::new().workflow::<Till>(), &refused, "failing-handler").await;

        let stuck = start(&env).await;
        stuck.signal(Till::explode, ()).await.unwrap();
        let json = until_history_has(&stuck, "WORKFLOW_TASK_FAILED").await.to_json().unwrap();
        assert!(json.contains("the drawer is stuck"), "{json}");
        stuck.terminate().await.unwrap();
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn a_query_that_fails_says_why_and_leaves_the_workflow_alone() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Till>().build().unwrap();
    let work = async {
        let till = start(&env).await;
        till.signal(Till::take, 4).await.unwrap();
        let unknown = till.query_named::<u32>("nonsense", ()).await.unwrap_err();
        let expected = "Query handler for 'nonsense' expected but not found, known queries: [__enhanced_stack_trace __stack_trace __temporal_workflow_metadata change stuck total]";
        assert!(matches!(&unknown, QueryError::Failed { message, .. } if message == expected), "{unknown:?}");

        let short = till.query(Till::change, 3).await.unwrap_err();
        assert!(matches!(&short, QueryError::Failed { message, .. } if message == "not enough"), "{short:?}");
        assert_eq!(till.query(Till::change, 9).await.unwrap(), 5);

        let stuck = till.query(Till::stuck, ()).await.unwrap_err();
        assert!(stuck.to_string().contains("the drawer is stuck"), "{stuck}");
        let unreadable = till.query_named::<u32>("change", "three").await.unwrap_err();
        assert!(matches!(unreadable, QueryError::Failed { .. }), "{unreadable:?}");

        till.signal(Till::take, 6).await.unwrap();
        assert_eq!(till.result().await.unwrap(), 10);
        let types = event_types(&till.history().await.unwrap());
        assert!(!types.contains(&"WORKFLOW_TASK_FAILED"), "{types:?}");
    };
    worker.run_while(work).await.unwrap();
}
