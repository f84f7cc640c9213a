//! The activities: things that can be booked, and given back.

use serde::{Deserialize, Serialize};
use stead::prelude::*;

pub struct Agency;

#[derive(Debug, thiserror::Error, Serialize, Deserialize, IntoFailure)]
pub enum BookingError {
    #[error("there is no {what} for {customer}")]
    #[failure(non_retryable)]
    SoldOut { what: String, customer: String },
}

#[activities]
impl Agency {
    #[activity(errors(BookingError))]
    pub async fn book(&self, what: String, customer: String) -> activity::Result<String> {
        if what == "car" && customer == "Bob" {
            return Err(BookingError::SoldOut { what, customer }.into());
        }
        println!("agency: booked a {what} for {customer}");
        Ok(format!("{what} of {customer}"))
    }

    #[activity]
    pub async fn give_back(&self, booking: String) -> activity::Result<()> {
        println!("agency: gave the {booking} back");
        Ok(())
    }
}
