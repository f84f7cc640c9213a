use stead::prelude::*;

struct Payments;

#[activities]
impl Payments {
    #[activity]
    async fn charge(&self, amount: u64) -> activity::Result<u64> {
        let shared = Rc::new(amount);
        std::future::ready(()).await;
        Ok(*shared)
    }
}

fn main() {}
