//! A check before a new version of a workflow is deployed: whether all that are running, and those that were kept in files,
//! can go on with it.
//!
//! ```sh
//! cargo run --example replay
//! ```

use stead::prelude::*;
use stead::testing::{ReplayManyError, Replayer};

const TASK_QUEUE: &str = "subscriptions";

/// The version that is running. It charges once a month.
mod old {
    use stead::prelude::*;

    #[derive(Default)]
    pub struct Subscription;

    #[workflow]
    impl Subscription {
        #[run]
        pub async fn run(&self, customer: String) -> workflow::Result<()> {
            loop {
                workflow::sleep(days(30)).summary(format!("until {customer} pays again")).await?;
            }
        }
    }
}

/// Two versions that might come next: they charge once a week.
mod new {
    use stead::prelude::*;

    #[derive(Default)]
    pub struct Careless;

    #[workflow("Subscription")]
    impl Careless {
        #[run]
        pub async fn run(&self, _customer: String) -> workflow::Result<()> {
            loop {
                workflow::upsert_memo("period", "a week");
                workflow::sleep(days(7)).await?;
            }
        }
    }

    workflow::versioned! {
        /// How often a customer is charged.
        enum Period { Monthly, Weekly }
    }

    #[derive(Default)]
    pub struct Careful;

    #[workflow("Subscription")]
    impl Careful {
        #[run]
        pub async fn run(&self, _customer: String) -> workflow::Result<()> {
            loop {
                let period = workflow::versioned!(Period {
                    Monthly => days(30),
                    Weekly => days(7),
                });
                workflow::sleep(period).await?;
            }
        }
    }
}

#[tokio::main]
async fn main() -> stead::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let (client, _server) = stead_examples::connect().await?;
    let worker = Worker::builder(&client, TASK_QUEUE).workflow::<old::Subscription>().build()?;
    worker.run_while(begin(&client)).await??;

    let replayer = Replayer::new();
    check(&client, "careless", replayer.clone().workflow::<new::Careless>()).await;
    check(&client, "careful", replayer.workflow::<new::Careful>()).await;
    Ok(())
}

/// Starts subscriptions, and waits until each has done its first step.
async fn begin(client: &Client) -> stead::Result<()> {
    for customer in ["Ada", "Bob", "Cy"] {
        let id = format!("subscription-{customer}-{}", std::process::id());
        let start = client.start_workflow(old::Subscription::run, customer).id(id).task_queue(TASK_QUEUE);
        let subscription = start.await?;
        while subscription.history().await?.0.events.len() < 5 {
            tokio::time::sleep(millis(20)).await;
        }
    }
    Ok(())
}

/// Replays what is running on the server. A worker would find out the same, too late.
async fn check(client: &Client, version: &str, replayer: Replayer) {
    println!("\nthe {version} version:");
    let running = "WorkflowType = 'Subscription' AND ExecutionStatus = 'Running'";
    let replay = replayer.replay_query(client, running).concurrency(4).on_progress(|it| {
        println!(
            "  {} of {} so far, {} failed",
            it.done,
            it.total.map_or("?".to_owned(), |total| total.to_string()),
            it.failed
        );
    });
    match replay.await {
        Ok(replayed) => println!("  all {} subscriptions can go on with it", replayed.len()),
        Err(ReplayManyError::Failed { failures, .. }) => {
            let (name, error) = &failures[0];
            println!("  {} cannot go on with it, such as {name}:\n{error}", failures.len());
        }
        Err(error) => println!("  not known: {error}"),
    }
}
