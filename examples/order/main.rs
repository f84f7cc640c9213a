//! An order that waits to be paid: signals, queries, updates, a timer and typed errors.
//!
//! ```sh
//! export TEMPORAL_ADDRESS=$(cargo xtask real-server)
//! cargo run --example order               # the whole story in one process
//! cargo run --example order -- worker     # only the worker: kill it, start it again, the order goes on
//! cargo run --example order -- customer   # only the customer
//! ```

mod customer;
mod order;
mod payments;

use stead::prelude::*;

use order::Order;
use payments::Payments;

const TASK_QUEUE: &str = "orders";

#[tokio::main]
async fn main() -> stead::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let client = Client::from_env().await?;

    match std::env::args().nth(1).as_deref() {
        None => worker(&client)?.run_while(customer::story(&client)).await?,
        Some("worker") => {
            println!("worker: serving the queue `{TASK_QUEUE}`; Ctrl-C drains it");
            worker(&client)?.run_until(tokio::signal::ctrl_c()).await?;
            Ok(())
        }
        Some("customer") => customer::story(&client).await,
        Some(other) => Err(format!("unknown part `{other}`: say `worker`, `customer` or nothing").into()),
    }
}

fn worker(client: &Client) -> stead::Result<Worker> {
    let cached = match std::env::var("CACHED_WORKFLOWS") {
        Ok(number) => number.parse()?,
        Err(_) => 1000,
    };
    Ok(Worker::builder(client, TASK_QUEUE)
        .workflow::<Order>()
        .activities(Payments::default())
        .max_cached_workflows(cached)
        .build()?)
}
