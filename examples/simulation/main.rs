//! A workflow in a simulation: one thread, a clock that jumps, and bad luck that a seed decides about.
//!
//! ```sh
//! cargo run --example simulation           # twenty seeds
//! cargo run --example simulation -- 7      # what happens with seed 7, message by message
//! ```
//!
//! A transfer takes money from one account and puts it into another. Messages get lost, the server and the worker crash
//! and come back, and the bank, which does not crash, counts what it is asked for. An activity may run more than once,
//! so the bank has to know its orders by their numbers: take that out of `Bank::book`, and a seed tells on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use stead::prelude::*;
use stead::testing::{Report, Simulation, SimulationError};

#[derive(Default)]
struct Transfer;

#[workflow]
impl Transfer {
    #[run]
    async fn run(&self, amount: i64) -> workflow::Result<()> {
        let book = |order: &str, account: &str, amount: i64| {
            let arguments = (order.to_owned(), account.to_owned(), amount);
            workflow::activity(Bank::book, arguments).start_to_close(secs(10))
        };
        book("order-1", "Ada", -amount).await?;
        workflow::sleep(mins(1)).await?;
        book("order-2", "Bob", amount).await?;
        Ok(())
    }
}

/// A bank outside of everything that crashes.
#[derive(Clone, Default)]
struct Bank(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    accounts: BTreeMap<String, i64>,
    orders: BTreeMap<String, i64>,
}

#[activities]
impl Bank {
    #[activity]
    async fn book(&self, order: String, account: String, amount: i64) -> activity::Result<()> {
        tokio::time::sleep(millis(500)).await;
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if books.orders.insert(order, amount).is_none() {
            *books.accounts.entry(account).or_default() += amount;
        }
        Ok(())
    }
}

fn transfer(simulation: Simulation) -> Result<Report, SimulationError> {
    let bank = Bank::default();
    let for_worker = bank.clone();
    let simulation = simulation.worker(move |worker| worker.workflow::<Transfer>().activities(for_worker.clone()));
    simulation.run(async |env| -> stead::Result<()> {
        env.start(Transfer::run, 30).await?.result().await?;
        let books = bank.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(books.accounts, BTreeMap::from([("Ada".to_owned(), -30), ("Bob".to_owned(), 30)]));
        Ok(())
    })
}

fn main() -> Result<(), SimulationError> {
    if let Some(seed) = std::env::args().nth(1).and_then(|seed| seed.parse().ok()) {
        let report = transfer(Simulation::new(seed))?;
        report.trace.iter().for_each(|line| println!("{line}"));
        return Ok(());
    }
    for seed in 0..20 {
        let Report { elapsed, calls, lost, crashes, .. } = transfer(Simulation::new(seed))?;
        println!("seed {seed:2}: {elapsed:?} with {calls} calls, {lost} lost messages, {crashes} crashes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_money_is_lost_or_made() {
        Simulation::seeds(10, transfer);
    }
}
