use stead::prelude::*;

#[nexus_service]
pub trait Billing {
    #[operation]
    async fn charge(&self, amount: u64) -> u64;
    #[operation]
    async fn refund(&self, amount: u64) -> String;
}

struct WrongInput;

#[nexus_service]
impl BillingHandlers for WrongInput {
    #[operation]
    async fn charge(&self, amount: String) -> u64 {
        amount.len() as u64
    }

    #[operation]
    async fn refund(&self, _amount: u64) -> String {
        String::new()
    }
}

struct WrongOutput;

#[nexus_service]
impl BillingHandlers for WrongOutput {
    #[operation]
    async fn charge(&self, amount: u64) -> u64 {
        amount
    }

    #[operation]
    async fn refund(&self, amount: u64) -> nexus::Result<u64> {
        Ok(amount)
    }
}

struct Incomplete;

#[nexus_service]
impl BillingHandlers for Incomplete {
    #[operation]
    async fn charge(&self, amount: u64) -> u64 {
        amount
    }
}

struct Local;

#[nexus_service]
impl Local {
    #[operation]
    async fn count(&self) -> u64 {
        let one = std::rc::Rc::new(1);
        std::future::ready(()).await;
        *one
    }
}

fn main() {}
