use stead::prelude::*;

struct Order;

#[workflow]
impl Order {
    #[run]
    async fn run(&self) -> workflow::Result<u64> {
        Ok(1)
    }
}

struct Parcel(String);

#[workflow]
impl Parcel {
    #[init]
    fn new(sender: &u32) -> Self {
        Self(sender.to_string())
    }

    #[run]
    async fn run(&self, sender: String) -> workflow::Result<u64> {
        Ok(self.0.len() as u64 + sender.len() as u64)
    }
}

fn main() {}
