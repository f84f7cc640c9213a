use serde::{Deserialize, Serialize};
use stead::client::WorkflowHandle;
use stead::prelude::*;

#[derive(Serialize, Deserialize)]
pub struct Payment {
    amount: u64,
}

#[derive(Default)]
pub struct Order {
    total: Cell<u64>,
}

#[workflow]
impl Order {
    #[run]
    pub async fn run(&self, customer: String) -> workflow::Result<u64> {
        Ok(customer.len() as u64)
    }

    #[signal]
    pub fn pay(&self, payment: Payment) {
        self.total.set(payment.amount);
    }

    #[signal]
    pub fn set_price(&self, sku: String, price: u64) {
        self.total.set(sku.len() as u64 + price);
    }

    #[query]
    pub fn total(&self) -> u64 {
        self.total.get()
    }
}

#[contract]
pub trait Shipping {
    #[run]
    fn run(&self, order: String) -> u64;
    #[signal]
    fn hold(&self, why: String);
}

async fn wrong_kind(order: WorkflowHandle<Order>) {
    order.query(Order::pay, ()).await.unwrap();
}

async fn wrong_workflow(order: WorkflowHandle<Order>) {
    order.signal(Shipping::hold, "why").await.unwrap();
}

async fn typo(order: WorkflowHandle<Order>) {
    order.signal(Order::payy, Payment { amount: 1 }).await.unwrap();
}

fn called_as_a_function(order: &Order, payment: Payment) {
    Order::pay(order, payment);
}

fn main() {}
