//! Starting a workflow together with an update.

use stead::client::{StartError, StartWithUpdateError, UpdateError};
use stead::data::WorkflowIdConflictPolicy::{Fail, UseExisting};
use stead::prelude::*;
use stead_tests::Env;

#[derive(Default)]
struct Basket {
    items: State<Vec<String>>,
    closed: Cell<bool>,
}

#[workflow]
impl Basket {
    #[run]
    async fn run(&self) -> workflow::Result<Vec<String>> {
        workflow::wait_until(|| self.closed.get()).await?;
        Ok(self.items.get())
    }

    #[update(validator = check)]
    async fn add(&self, item: String) -> workflow::Result<usize> {
        self.items.update(|items| items.push(item));
        workflow::sleep(millis(1)).await?;
        Ok(self.items.with(Vec::len))
    }

    fn check(&self, item: &str) -> workflow::Result<()> {
        if item.is_empty() {
            return Err(stead::Failure::application("no item").into());
        }
        Ok(())
    }

    #[signal]
    fn close(&self) {
        self.closed.set(true);
    }
}

#[tokio::test]
async fn an_update_starts_its_workflow_or_finds_it() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Basket>().build().unwrap();
    let work = async {
        let id = env.id("basket");
        let start = || env.client.start_workflow(Basket::run, ()).id(&id).task_queue(&env.task_queue);
        let first = start().with_update(Basket::add, "pen").await.unwrap();
        assert_eq!(first.result().await.unwrap(), 1);
        let second = start().with_update(Basket::add, "ink").on_conflict(UseExisting).wait_for_result().await.unwrap();
        assert_eq!(second.result().await.unwrap(), 2);
        assert_eq!(second.workflow().run_id(), first.workflow().run_id());

        let again = start().with_update(Basket::add, "cap").on_conflict(Fail).await.unwrap_err();
        assert!(matches!(again, StartWithUpdateError::Start(StartError::AlreadyStarted { .. })), "{again}");

        let rejected = start().on_conflict(UseExisting).with_update(Basket::add, "").await.unwrap();
        let error = rejected.result().await.unwrap_err();
        assert!(matches!(&error, UpdateError::Failed { failure, .. } if failure.message == "no item"), "{error}");

        first.workflow().signal(Basket::close, ()).await.unwrap();
        assert_eq!(first.workflow().result().await.unwrap(), ["pen", "ink"]);
    };
    worker.run_while(work).await.unwrap();
}
