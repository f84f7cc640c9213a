use stead::prelude::*;

#[derive(Default)]
struct Order;

pub struct Input;

pub struct Output;

#[derive(Debug)]
pub struct Refused;

#[workflow]
impl Order {
    #[run]
    async fn run(&self) -> workflow::Result<u64> {
        Ok(1)
    }

    #[signal]
    fn take(&self, input: Input) {
        let _ = input;
    }

    #[query]
    fn give(&self) -> Output {
        Output
    }

    #[update]
    async fn try_it(&self) -> Result<u64, Refused> {
        Err(Refused)
    }
}

fn main() {}
