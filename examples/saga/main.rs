//! A journey that is booked step by step, and undone step by step if a step fails or the customer changes their mind.
//!
//! ```sh
//! cargo run --example saga
//! ```

mod agency;
mod journey;

use stead::prelude::*;

use agency::Agency;
use journey::Journey;

const TASK_QUEUE: &str = "journeys";

#[tokio::main]
async fn main() -> stead::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let (client, _server) = stead_examples::connect().await?;
    let worker = Worker::builder(&client, TASK_QUEUE).workflow::<Journey>().activities(Agency).build()?;
    worker.run_while(stories(&client)).await?
}

async fn stories(client: &Client) -> stead::Result<()> {
    let stories =
        [("Ada", "all goes well"), ("Bob", "the third step fails"), ("Cy", "the customer changes their mind")];
    for (customer, story) in stories {
        println!("\n{customer}: {story}");
        let id = format!("journey-{customer}-{}", std::process::id());
        let journey = client.start_workflow(Journey::run, customer).id(id).task_queue(TASK_QUEUE).await?;
        if customer == "Cy" {
            let seen = journey.update(Journey::until_booked, 2).await?;
            println!("Cy looks at {seen:?} and at the weather");
            journey.cancel().reason("rain is forecast").await?;
        }
        match journey.result().await {
            Ok(booked) => println!("{customer} travels with {booked:?}"),
            Err(error) if error.is_cancelled() => println!("{customer} stays at home, at no cost"),
            Err(error) => println!("{customer} stays at home: {:?}", stead::Error::from(error)),
        }
    }
    Ok(())
}
