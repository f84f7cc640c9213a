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

async fn wrong_argument(order: WorkflowHandle<Order>) {
    order.signal(Order::pay, "ten").await.unwrap();
}

async fn one_of_two_arguments(order: WorkflowHandle<Order>) {
    order.signal(Order::set_price, "sku").await.unwrap();
}

async fn wrong_input(client: Client) {
    client.start_workflow(Order::run, 5).id("order").task_queue("orders").await.unwrap();
}

fn main() {}
