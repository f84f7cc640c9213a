#![allow(unused_variables)]

use stead::prelude::*;

struct Order;

#[workflow]
impl Order {
    #[init]
    async fn new(customer: &String, copies: &u32, more: &u32) -> Self {
        Self
    }

    #[run]
    async fn run(&self, customer: String, copies: u32) -> workflow::Result<u64> {
        Ok(1)
    }

    #[update(validator = check_add)]
    fn add(&self, item: String, copies: u32) {}

    async fn check_add(&self, item: &String) -> Result<(), stead::Failure> {
        Ok(())
    }

    #[update(validator = add)]
    fn set(&self, item: String) {}
}

fn main() {}
