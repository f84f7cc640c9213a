use stead::prelude::*;

#[contract("Shipping")]
pub trait Shipping {
    #[run]
    fn run(&self, order: String) -> u64;
    #[query]
    fn held(&self);
    #[query]
    fn why(&self) -> String;
}

#[derive(Default)]
struct WrongKinds;

#[workflow]
impl ShippingHandlers for WrongKinds {
    #[run]
    async fn run(&self, order: String) -> workflow::Result<u64> {
        Ok(order.len() as u64)
    }

    #[signal]
    fn held(&self) {}

    #[query]
    fn why(&self) -> u32 {
        1
    }
}

fn main() {}
