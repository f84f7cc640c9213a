//! The service: what both teams know of it, and what the billing team does.

use serde::{Deserialize, Serialize};
use stead::prelude::*;

/// Would be in a crate of its own, which needs `stead` with the feature `contract` alone.
#[nexus_service]
pub trait Billing {
    /// What would be paid back.
    #[operation]
    async fn quote(&self, amount: u64) -> u64;

    /// Pays it back.
    #[operation]
    async fn refund(&self, refund: RefundOrder) -> String;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RefundOrder {
    pub customer: String,
    pub amount: u64,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, IntoFailure)]
pub enum BillingError {
    #[error("{amount} is more than we pay back without asking")]
    TooMuch { amount: u64 },
}

pub struct BillingTeam;

#[nexus_service]
impl BillingHandlers for BillingTeam {
    /// Done at once.
    #[operation]
    async fn quote(&self, amount: u64) -> u64 {
        amount * 9 / 10
    }

    /// A workflow goes on in its place, and its result is the operation's.
    #[operation(errors(BillingError))]
    async fn refund(&self, refund: RefundOrder) -> nexus::Result<nexus::Started<String>> {
        if refund.amount > 1000 {
            return Err(BillingError::TooMuch { amount: refund.amount }.into());
        }
        let id = format!("refund-{}-{}", refund.customer, std::process::id());
        nexus::start(nexus::client().start_workflow(Refund::run, refund).id(id)).await
    }
}

/// How the billing team pays back is its own business.
#[derive(Default)]
pub struct Refund;

#[workflow]
impl Refund {
    #[run]
    pub async fn run(&self, refund: RefundOrder) -> workflow::Result<String> {
        workflow::sleep(millis(200)).summary("the bank takes its time").await?;
        Ok(format!("{} were paid back to {}", refund.amount, refund.customer))
    }
}
