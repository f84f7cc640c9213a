//! The activities.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use stead::prelude::*;

/// Talks to a bank that fails now and then.
#[derive(Default)]
pub struct Payments {
    receipts: AtomicU64,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, IntoFailure)]
pub enum ChargeError {
    #[error("the bank declined the card of {customer}")]
    #[failure(non_retryable)]
    Declined { customer: String },
}

#[activities]
impl Payments {
    #[activity(errors(ChargeError))]
    pub async fn charge(&self, customer: String, amount: u64) -> activity::Result<u64> {
        println!("bank: charging {customer} {amount}, attempt {}", activity::info().attempt);
        if customer == "Mallory" {
            return Err(ChargeError::Declined { customer }.into());
        }
        if activity::info().attempt == 1 {
            return Err("the line to the bank is busy".into());
        }
        Ok(1000 + self.receipts.fetch_add(1, Ordering::Relaxed))
    }
}
