use stead::prelude::*;

#[contract("Shipping")]
pub trait Shipping {
    #[run]
    fn run(&self, order: String) -> u64;
    #[signal]
    fn hold(&self, why: String);
    #[query]
    fn held(&self) -> bool;
}

#[derive(Default)]
struct WrongTypes;

#[workflow]
impl ShippingHandlers for WrongTypes {
    #[run]
    async fn run(&self, order: String) -> workflow::Result<u64> {
        Ok(order.len() as u64)
    }

    #[signal]
    fn hold(&self, why: u32) {
        let _ = why;
    }
}

fn main() {}
