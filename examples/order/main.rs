//! An order that waits to be paid: signals, queries, updates, a timer and typed errors.
//!
//! ```sh
//! cargo run --example order               # the whole story in one process, with a server inside
//! ```
//!
//! Or each part in a process of its own, on a server that runs (`cargo run -p stead-cli -- server`, or any other):
//!
//! ```sh
//! cargo run --example order -- worker     # kill it, start it again, the order goes on
//! cargo run --example order -- customer
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

    match std::env::args().nth(1).as_deref() {
        None => {
            let (client, _server) = stead_examples::connect().await?;
            worker(&client)?.run_while(customer::story(&client)).await?
        }
        Some("worker") => {
            let client = Client::from_env().await?;
            println!("worker: serving the queue `{TASK_QUEUE}`; Ctrl-C drains it");
            worker(&client)?.run_until(tokio::signal::ctrl_c()).await?;
            Ok(())
        }
        Some("customer") => customer::story(&Client::from_env().await?).await,
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
