use stead::prelude::*;

#[nexus_service]
pub trait Empty {}

#[nexus_service]
pub trait Mixed {
    #[operation]
    async fn charge(&self, customer: String, amount: u64) -> u64;
    #[operation(cancel = stop)]
    async fn refund(&self, amount: u64) -> u64;
    #[operation(errors(Refused))]
    async fn quote(&self, amount: u64) -> u64;
    #[operation(retries = 3)]
    async fn send(&self, bill: String);
    #[operation]
    async fn print(bill: String);
    #[operation]
    async fn burn(&mut self, bill: String);
    #[operation]
    async fn read(&self, bill: &str) -> u64;
    #[operation]
    fn currency(&self) -> String {
        String::new()
    }
    #[signal]
    fn hold(&self);
    fn helper(&self);
}

#[nexus_service]
pub trait Twice {
    #[operation(name = "charge")]
    async fn charge(&self) -> u64;
    #[operation(name = "charge")]
    async fn charge_again(&self) -> u64;
}

#[nexus_service]
struct NotATrait;

fn main() {
    let _ = (Mixed::charge, Mixed::currency);
}
