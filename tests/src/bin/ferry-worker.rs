//! A worker process to kill: `ferry-worker TASK_QUEUE CACHED_WORKFLOWS`.

use stead::prelude::*;
use stead_tests::ferry::{Ferry, River};

#[tokio::main]
async fn main() -> stead::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let client = Client::connect(stead_tests::server()).await?;
    let worker = Worker::builder(&client, &arguments[1])
        .workflow::<Ferry>()
        .activities(River)
        .max_cached_workflows(arguments[2].parse()?)
        .build()?;
    println!("ready");
    worker.run_until(tokio::signal::ctrl_c()).await?;
    Ok(())
}
