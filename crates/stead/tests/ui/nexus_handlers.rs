use stead::prelude::*;

#[nexus_service]
pub trait Billing {
    #[operation]
    async fn charge(&self, amount: u64) -> u64;
}

struct Renamed;

#[nexus_service("Other")]
impl BillingHandlers for Renamed {
    #[operation(name = "Charge")]
    async fn charge(&self, amount: u64) -> u64 {
        amount
    }
}

struct Vault;

#[nexus_service]
impl Vault {
    #[operation]
    async fn open(&mut self, _word: String) {}

    #[operation]
    async fn store(&self, _gold: u64, _silver: u64) {}

    #[operation(cancel = stop)]
    async fn guard(&self) {}

    #[operation(cancel = give_up)]
    async fn watch(&self) {}

    async fn give_up(&self) -> nexus::Result<()> {
        Ok(())
    }

    #[operation(dynamic)]
    async fn anything(&self) {}

    #[activity]
    async fn clean(&self) {}

    #[query]
    fn empty(&self) -> bool {
        true
    }
}

struct Nothing;

#[nexus_service]
impl Nothing {
    fn helper(&self) {}
}

struct Elsewhere;

#[activities]
impl Elsewhere {
    #[operation]
    async fn charge(&self) {}
}

fn main() {
    let _ = (Vault::open, Vault::guard);
}
