//! A schedule: a workflow that is started again and again, each run going on from the result of the last.
//!
//! ```sh
//! cargo run --example schedule
//! ```

use stead::client::Overlap;
use stead::prelude::*;

#[derive(Default)]
struct Report;

#[workflow]
impl Report {
    #[run]
    async fn run(&self, of: String) -> workflow::Result<u32> {
        let number = workflow::last_result::<u32>()?.unwrap_or(0) + 1;
        tracing::info!("report {number} of {of}");
        Ok(number)
    }
}

#[tokio::main]
async fn main() -> stead::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let (client, _server) = stead_examples::connect().await?;
    let worker = Worker::builder(&client, "reports").workflow::<Report>().build()?;
    worker.run_while(story(&client)).await?
}

async fn story(client: &Client) -> stead::Result<()> {
    let nightly = client
        .create_schedule(format!("nightly-{}", std::process::id()))
        .every(days(1))
        .at("02:30")
        .time_zone("Europe/Paris")
        .start_workflow(Report::run, "sales", |workflow| workflow.id("report").task_queue("reports"))
        .overlap(Overlap::BufferOne)
        .catchup_window(hours(6))
        .await?;

    // Nobody has to wait for the night.
    nightly.trigger().await?;
    nightly.trigger().await?;
    let done = loop {
        let description = nightly.describe().await?;
        if description.actions() == 2 && description.running_workflows().count() == 0 {
            break description;
        }
        tokio::time::sleep(millis(50)).await;
    };
    for run in done.recent_actions() {
        let report = client.workflow::<Report>(&run.workflow_id).with_run_id(&run.first_run_id);
        println!("{} was report {}", run.workflow_id, report.result().await?);
    }

    nightly.update(|schedule| schedule.spec.time_zone = "America/New_York".to_owned()).await?;
    let next = nightly.describe().await?.next_action_times();
    println!("the next of {} times that are known is at {:?}", next.len(), next.first());
    nightly.delete().await?;
    Ok(())
}
