use stead::prelude::*;

#[derive(Default)]
struct Order;

#[workflow(versioning = sticky)]
impl Order {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        Ok(())
    }

    #[signal(unfinished = ignore)]
    async fn pay(&self) {}

    #[update(unfinished = abandon, unfinished = abandon)]
    async fn add(&self) {}

    #[query(unfinished = abandon)]
    fn total(&self) -> u64 {
        1
    }
}

#[derive(Default)]
struct Parcel;

#[workflow(fail_on(panic))]
impl Parcel {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        Ok(())
    }

    #[config(now)]
    fn config(&self) -> workflow::Config {
        workflow::Config::new()
    }
}

fn main() {}
