//! A report over many shops: a child workflow for each, ten at a time, and a fresh run after each hundred.
//!
//! ```sh
//! cargo run --example fan_out           # 250 shops
//! cargo run --example fan_out -- 1000
//! ```

mod report;

use stead::prelude::*;

use report::{Books, Progress, Report, ShopReport};

const TASK_QUEUE: &str = "reports";

#[tokio::main]
async fn main() -> stead::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let shops = match std::env::args().nth(1) {
        Some(number) => number.parse()?,
        None => 250,
    };
    let (client, _server) = stead_examples::connect().await?;
    let worker = Worker::builder(&client, TASK_QUEUE).workflow::<Report>().workflow::<ShopReport>().activities(Books);
    worker.build()?.run_while(order(&client, shops)).await?
}

async fn order(client: &Client, shops: u32) -> stead::Result<()> {
    let id = format!("report-{}", std::process::id());
    let report = client.start_workflow(Report::run, Progress::of(shops)).id(&id).task_queue(TASK_QUEUE).await?;
    let total = report.result().await?;
    println!("{shops} shops sold {total} books");

    let runs = client.count_workflows(format!("WorkflowId = '{id}'")).await?.count;
    println!("it took {runs} runs in a row, as far as the server has indexed them");
    Ok(())
}
