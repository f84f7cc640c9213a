//! Test environments on the server of the suite, as on their own.

use stead::prelude::*;
use stead::testing::TestError;

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

#[nexus_service]
pub trait Bank {
    #[operation]
    async fn double(&self, amount: u64) -> u64;
}

struct MyBank;

#[nexus_service]
impl BankHandlers for MyBank {
    #[operation]
    async fn double(&self, amount: u64) -> u64 {
        2 * amount
    }
}

#[derive(Default)]
struct Saver;

#[workflow]
impl Saver {
    #[run]
    async fn run(&self, endpoint: String) -> workflow::Result<u64> {
        Ok(workflow::nexus::<Bank>(endpoint).call(Bank::double, 21).schedule_to_close(secs(30)).await?)
    }
}

#[tokio::test]
async fn ts_8_an_environment_has_endpoints_that_lead_to_its_workers() -> stead::Result<()> {
    for env in [TestEnv::against(stead_tests::server()).await?, TestEnv::new().await?] {
        let name = format!("bank-{}", uuid::Uuid::new_v4());
        let endpoint = env.create_nexus_endpoint(&name, env.task_queue()).await?;
        assert_eq!((endpoint.name.as_str(), endpoint.task_queue.as_str()), (name.as_str(), env.task_queue()));
        let taken = env.create_nexus_endpoint(&name, "elsewhere").await.unwrap_err();
        assert!(matches!(&taken, TestError::NexusEndpoint { name: taken, .. } if *taken == name), "{taken:?}");
        let workflows = env.worker().workflow::<Saver>();
        let worker = workflows.with(|worker| worker.nexus_service(MyBank)).start().await?;
        assert_eq!(env.start(Saver::run, name.clone()).await?.result().await?, 42);
        env.delete_nexus_endpoint(&endpoint).await?;
        let gone = env.delete_nexus_endpoint(&endpoint).await.unwrap_err();
        assert!(gone.to_string().contains(&name), "{gone}");
        worker.stop().await?;
    }
    Ok(())
}
