#![allow(unused_variables)]

use stead::prelude::*;

#[derive(Default)]
struct Order {
    total: u64,
}

#[workflow]
impl Order {
    #[run]
    async fn run(&self) -> workflow::Result<u64> {
        Ok(self.total)
    }

    #[signal]
    fn pay(&mut self, amount: u64) {
        self.total = amount;
    }

    #[signal]
    fn reset() {}

    #[signal]
    fn rename(&self, name: &str) {}

    #[signal]
    fn convert<T: Into<u64>>(&self, amount: T) {}

    #[signal]
    fn show(&self, what: impl ToString) {}

    #[query]
    async fn total(&self) -> u64 {
        self.total
    }

    #[query]
    fn shared(self: Rc<Self>) -> u64 {
        self.total
    }

    #[query]
    fn name(&self) -> &str {
        "order"
    }

    #[signal]
    fn returns(&self) -> Result<u64, stead::Failure> {
        Ok(1)
    }

    #[query(name = "__stack_trace")]
    fn trace(&self) -> String {
        String::new()
    }

    #[signal(name = "again")]
    fn first(&self) {}

    #[signal(name = "again")]
    fn second(&self) {}

    #[signal]
    #[query]
    fn both(&self) -> u64 {
        1
    }

    #[activity]
    fn charge(&self) {}
}

fn main() {}
