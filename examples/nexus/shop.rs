//! The shop, which knows the service and the name of an endpoint.

use stead::prelude::*;

use crate::billing::{Billing, BillingError, RefundOrder};

#[derive(Default)]
pub struct Order;

#[workflow]
impl Order {
    #[run]
    pub async fn run(&self, endpoint: String, customer: String, amount: u64) -> workflow::Result<String> {
        let billing = workflow::nexus::<Billing>(endpoint);
        let amount = billing.call(Billing::quote, amount).await?;
        let refund = billing.call(Billing::refund, RefundOrder { customer, amount });
        match refund.schedule_to_close(mins(5)).summary("what does not fit comes back").await {
            Ok(receipt) => Ok(receipt),
            Err(error) => match error.application() {
                Some(BillingError::TooMuch { amount }) => Ok(format!("somebody calls about {amount}")),
                None => Err(error.into()),
            },
        }
    }
}
