use stead::prelude::*;

#[nexus_service]
pub trait Billing {
    #[operation]
    async fn charge(&self, amount: u64) -> u64;
}

#[nexus_service]
pub trait Shipping {
    #[operation]
    async fn ship(&self, order: String) -> u64;
}

#[derive(Default)]
struct Cart;

#[workflow]
impl Cart {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        Ok(())
    }

    #[signal]
    fn add(&self, _item: String) {}
}

async fn calls() -> workflow::Result<()> {
    let billing = workflow::nexus::<Billing>("billing");
    billing.call(Shipping::ship, "order-1").await?;
    billing.call(Billing::charge, "5").await?;
    workflow::nexus::<Cart>("carts");
    workflow::signal_with_start(Cart::run, ()).id("cart-1").await?;
    workflow::signal_with_start(Cart::run, ()).signal(Cart::add, "a book").await?;
    workflow::signal_with_start(Cart::run, ()).signal(Cart::add, 5).id("cart-1").await?;
    Ok(())
}

fn main() {
    let _ = calls;
}
