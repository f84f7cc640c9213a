use stead::prelude::*;

#[contract("Shipping")]
pub trait Shipping {
    #[run]
    fn run(&self, order: String) -> u64;
    #[query]
    fn held(&self) -> bool;
}

#[derive(Default)]
struct Renamed;

#[workflow("Parcels")]
impl ShippingHandlers for Renamed {
    #[run]
    async fn run(&self, order: String) -> workflow::Result<u64> {
        Ok(order.len() as u64)
    }

    #[query(name = "is-held")]
    fn held(&self) -> bool {
        true
    }
}

fn main() {}
