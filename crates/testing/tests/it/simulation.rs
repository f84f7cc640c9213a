//! Workflows in a simulation: what holds whatever goes wrong, and what a simulation notices.

use stead::prelude::*;
use stead::testing::{Faults, Report, Simulation, SimulationError, TestWorkerBuilder};
use stead::workflow::Result as WorkflowResult;

/// Counts what it is told, sleeps, asks an activity that does not always succeed and a child, and continues as new.
#[derive(Default)]
struct Order {
    items: RefCell<Vec<u32>>,
    paid: Cell<bool>,
}

#[workflow]
impl Order {
    #[run]
    async fn run(&self, round: u32) -> WorkflowResult<u64> {
        let quote = workflow::activity(Shop::quote, round).start_to_close(secs(20)).start();
        workflow::wait_until(|| self.items.borrow().len() == 3 && self.paid.get()).timeout(hours(2)).await?;
        let packed = workflow::local_activity(Shop::pack, 3).start_to_close(secs(20)).await?;
        workflow::sleep(mins(10)).await?;
        let shipped = workflow::child(Shipping::run, round).id(format!("shipping-{round}")).await?;
        Ok(quote.await? + u64::from(packed) + shipped)
    }

    #[signal]
    fn pay(&self) {
        self.paid.set(true);
    }

    #[update]
    async fn add(&self, item: u32) -> WorkflowResult<usize> {
        workflow::sleep(secs(1)).await?;
        self.items.borrow_mut().push(item);
        Ok(self.items.borrow().len())
    }
}

#[derive(Default)]
struct Shipping;

#[workflow]
impl Shipping {
    #[run]
    async fn run(&self, round: u32) -> WorkflowResult<u64> {
        workflow::sleep(secs(5)).await?;
        if round > 0 {
            return workflow::continue_as_new(Self::run, round - 1).exit();
        }
        Ok(100)
    }
}

struct Shop;

#[activities]
impl Shop {
    #[activity]
    async fn quote(&self, round: u32) -> activity::Result<u64> {
        tokio::time::sleep(secs(3)).await;
        if activity::info().attempt < 3 {
            return Err("the shop is closed".into());
        }
        Ok(u64::from(round) + 10)
    }

    #[activity]
    async fn pack(&self, items: u32) -> activity::Result<u32> {
        tokio::time::sleep(secs(1)).await;
        Ok(items)
    }
}

fn shop(worker: TestWorkerBuilder) -> TestWorkerBuilder {
    worker.workflow::<Order>().workflow::<Shipping>().activities(Shop)
}

fn buy(simulation: Simulation) -> Result<Report, SimulationError> {
    simulation.worker(shop).worker(shop).run(async |env| -> stead::Result<()> {
        let order = env.start(Order::run, 2).await?;
        for item in 0..3 {
            order.update(Order::add, item).await?;
        }
        order.signal(Order::pay, ()).await?;
        assert_eq!(order.result().await?, 115);
        Ok(())
    })
}

#[test]
fn orders_come_to_their_end_whatever_goes_wrong() {
    // 0.17 s each where this was written; a thousand with `STEAD_SEEDS=1000`.
    Simulation::seeds(60, buy);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 14] {
        let (one, two) = (buy(Simulation::new(seed)).unwrap(), buy(Simulation::new(seed)).unwrap());
        let difference = one.trace.iter().zip(&two.trace).find(|(one, two)| one != two);
        assert_eq!(difference, None, "the first difference with seed {seed}");
        assert_eq!(one, two);
        assert!(one.crashes > 0 && one.lost > 0, "nothing went wrong: {} crashes, {} lost", one.crashes, one.lost);
    }
    let traces = [3, 14].map(|seed| buy(Simulation::new(seed)).unwrap().trace);
    assert_ne!(traces[0], traces[1]);
}

#[test]
fn a_run_that_is_stuck_is_named_with_its_seed() {
    let stuck =
        Simulation::new(7).faults(Faults::none()).worker(shop).limit(hours(1)).run(async |env| -> stead::Result<()> {
            let order = env.start(Order::run, 2).await?;
            order.result().await?;
            Ok(())
        });
    let error = stuck.unwrap_err().to_string();
    assert!(error.contains("STEAD_SEED=7 cargo test"), "{error}");
    assert!(error.contains("Order `Order-1` waits for"), "{error}");
    assert!(error.contains("condition at crates/testing/tests/it/simulation.rs"), "{error}");
}
