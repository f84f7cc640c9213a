use stead::prelude::*;

#[derive(Default)]
struct NoRun;

#[workflow]
impl NoRun {
    #[query]
    fn total(&self) -> u64 {
        1
    }
}

#[derive(Default)]
struct TwoRuns;

#[workflow]
impl TwoRuns {
    #[run]
    async fn run(&self) -> workflow::Result<u64> {
        Ok(1)
    }

    #[run]
    async fn again(&self) -> workflow::Result<u64> {
        Ok(1)
    }
}

#[derive(Default)]
struct Blocking;

#[workflow]
impl Blocking {
    #[run]
    fn run(&self) -> workflow::Result<u64> {
        Ok(1)
    }
}

fn register(client: &Client) {
    let worker = Worker::builder(client, "q");
    worker.workflow::<NoRun>().workflow::<TwoRuns>().workflow::<Blocking>();
}

fn main() {
    let _ = (NoRun::total, TwoRuns::run, Blocking::run);
}
