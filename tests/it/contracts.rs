//! Contracts: the caller knows the trait, the worker implements it.

use stead::prelude::*;
use stead::testing::Replayer;
use stead_example_contracts::{Delivery, Shipping, ShippingHandlers};
use stead_tests::Env;

#[derive(Default)]
struct Courier {
    held: Cell<bool>,
    times_held: Cell<u32>,
}

#[workflow]
impl ShippingHandlers for Courier {
    #[run]
    async fn run(&self, order: String) -> workflow::Result<Delivery> {
        workflow::wait_until(|| self.times_held.get() > 0 && !self.held.get()).await?;
        Ok(Delivery { signed_by: format!("the customer of {order}"), times_held: self.times_held.get() })
    }

    #[signal]
    fn hold(&self, _why: String) {
        self.held.set(true);
        self.times_held.set(self.times_held.get() + 1);
    }

    #[signal]
    fn release(&self) {
        self.held.set(false);
    }

    #[query]
    fn held(&self) -> bool {
        self.held.get()
    }
}

#[tokio::test]
async fn a_caller_that_knows_the_contract_talks_to_the_worker_that_serves_it() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Courier>().build().unwrap();
    let id = env.id("shipping");
    worker
        .run_while(async {
            let parcel =
                env.client.start_workflow(Shipping::run, "o-1").id(&id).task_queue(&env.task_queue).await.unwrap();
            parcel.signal(Shipping::hold, "rain").await.unwrap();
            assert!(parcel.query(Shipping::held, ()).await.unwrap());
            parcel.signal(Shipping::release, ()).await.unwrap();
            let delivery = parcel.result().await.unwrap();
            assert_eq!(delivery, Delivery { signed_by: "the customer of o-1".into(), times_held: 1 });
            env.replays(Replayer::new().workflow::<Courier>(), &parcel, "contract").await;
        })
        .await
        .unwrap();
}
