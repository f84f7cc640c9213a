//! Signals to other workflows and requests to cancel them.

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

#[derive(Default)]
struct Order {
    paid: Cell<u64>,
}

#[workflow]
impl Order {
    #[run]
    async fn run(&self) -> workflow::Result<u64> {
        workflow::wait_until(|| self.paid.get() > 0).await?;
        Ok(self.paid.get())
    }

    #[signal]
    fn pay(&self, amount: u64) {
        self.paid.set(amount);
    }
}

#[derive(Default)]
struct Desk;

#[workflow]
impl Desk {
    #[run]
    async fn run(&self, order: String, other: String) -> workflow::Result<String> {
        workflow::external::<Order>(order).signal(Order::pay, 5).await?;
        workflow::external::<Order>(other).cancel().reason("closing").await?;
        let nobody = workflow::external::<Order>("there is no such workflow");
        let signal = nobody.signal(Order::pay, 5).await.unwrap_err();
        let cancel = nobody.cancel().await.unwrap_err();
        Ok(format!("{signal}; {cancel}"))
    }
}

#[tokio::test]
async fn other_workflows_are_signalled_and_cancelled() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Desk>().workflow::<Order>().build().unwrap();
    let work = async {
        let start = async || {
            let id = env.id("order");
            env.client.start_workflow(Order::run, ()).id(id).task_queue(&env.task_queue).await.unwrap()
        };
        let (paid, cancelled) = (start().await, start().await);
        let names = (paid.id().to_owned(), cancelled.id().to_owned());
        let desk = env.client.start_workflow(Desk::run, names).id(env.id("desk")).task_queue(&env.task_queue);
        let desk = desk.await.unwrap();
        let failures = desk.result().await.unwrap();
        assert!(failures.contains("Unable to signal external workflow because it was not found"), "{failures}");
        assert!(failures.contains("Unable to cancel external workflow because it was not found"), "{failures}");
        assert_eq!(paid.result().await.unwrap(), 5);
        assert!(cancelled.result().await.unwrap_err().is_cancelled());
        env.replays(Replayer::new().workflow::<Desk>(), &desk, "external").await;
    };
    worker.run_while(work).await.unwrap();
}
