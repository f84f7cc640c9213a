use stead::prelude::*;

#[derive(Default)]
struct Order;

#[workflow(names = "order")]
impl Order {
    #[run(name = "order")]
    async fn run(&self) -> workflow::Result<u64> {
        Ok(1)
    }

    #[signal(validator = check)]
    fn pay(&self) {}

    #[query = "total"]
    fn total(&self) -> u64 {
        1
    }

    #[update(name = "", validator = check)]
    fn add(&self) {}

    #[update(name = "x", name = "y")]
    fn clear(&self) {}

    #[update(name = 5)]
    fn drop(&self) {}

    #[init(now)]
    fn new() -> Self {
        Self
    }
}

#[workflow]
struct Parcel;

#[workflow]
fn parcel() {}

fn main() {}
