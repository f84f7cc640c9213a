//! The workflow.

use serde::{Deserialize, Serialize};
use stead::prelude::*;

use crate::payments::{ChargeError, Payments};

/// One order of one customer, from the first item to the receipt.
#[derive(Default)]
pub struct Order {
    items: State<Vec<Item>>,
    paid: Cell<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderInput {
    pub customer: String,
    pub pay_within_seconds: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Item {
    pub sku: String,
    pub price: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    pub number: u64,
    pub total: u64,
}

/// What can go wrong with an order; a caller gets these variants back.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, IntoFailure)]
pub enum OrderError {
    #[error("{customer} did not pay in time")]
    Unpaid { customer: String },
    #[error("no such item: {sku}")]
    #[failure(non_retryable)]
    UnknownItem { sku: String },
    #[error("the card of {customer} was declined")]
    Declined { customer: String },
}

#[workflow]
impl Order {
    #[run]
    pub async fn run(&self, input: OrderInput) -> workflow::Result<Receipt> {
        let deadline = secs(input.pay_within_seconds);
        if !workflow::wait_until(|| self.paid.get()).timeout(deadline).await? {
            return Err(OrderError::Unpaid { customer: input.customer }.into());
        }

        let charged = workflow::activity(Payments::charge, (input.customer.clone(), self.total()))
            .start_to_close(secs(30))
            .retry(RetryPolicy::default().max_attempts(5))
            .await;
        let number = match charged {
            Ok(number) => number,
            Err(error) => match error.application::<ChargeError>() {
                Some(ChargeError::Declined { customer }) => return Err(OrderError::Declined { customer }.into()),
                _ => return Err(error.into()),
            },
        };

        workflow::sleep(secs(1)).await?;
        Ok(Receipt { number, total: self.total() })
    }

    #[signal]
    pub fn pay(&self) {
        self.paid.set(true);
    }

    #[query]
    pub fn total(&self) -> u64 {
        self.items.with(|items| items.iter().map(|item| item.price).sum())
    }

    /// Adds an item and returns how many there are.
    #[update(validator = in_stock)]
    pub async fn add(&self, item: Item) -> Result<usize, OrderError> {
        self.items.update(|items| items.push(item));
        Ok(self.items.with(Vec::len))
    }

    fn in_stock(&self, item: &Item) -> Result<(), OrderError> {
        match item.sku.as_str() {
            "tea" | "cake" => Ok(()),
            _ => Err(OrderError::UnknownItem { sku: item.sku.clone() }),
        }
    }
}
