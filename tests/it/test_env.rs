//! Test environments on the server of the suite, as on their own.

use stead::prelude::*;

#[derive(Default)]
struct Order {
    paid: Cell<bool>,
}

#[workflow]
impl Order {
    #[run]
    async fn run(&self, customer: String) -> workflow::Result<u64> {
        workflow::wait_until(|| self.paid.get()).timeout(hours(1)).await?;
        Ok(workflow::activity(Payments::charge, &customer).start_to_close(secs(30)).await?)
    }

    #[signal]
    fn pay(&self) {
        self.paid.set(true);
    }
}

struct Payments;

#[activities]
impl Payments {
    #[activity]
    async fn charge(&self, customer: String) -> activity::Result<u64> {
        Err(format!("no bank in a test, {customer}").into())
    }
}

#[tokio::test]
async fn the_same_test_runs_on_a_server_that_is_there_already() -> stead::Result<()> {
    for env in [TestEnv::against(stead_tests::server()).await?, TestEnv::new().await?] {
        let charge = |customer: String| async move { Ok(customer.len() as u64) };
        let worker = env.worker().workflow::<Order>().mock(Payments::charge, charge).start().await?;
        let order = env.start(Order::run, "Ada").await?;
        let second = env.connect().identity("the second").await?;
        second.workflow::<Order>(order.id()).signal(Order::pay, ()).await?;
        assert_eq!(order.result().await?, 3);
        worker.stop().await?;
    }
    Ok(())
}
