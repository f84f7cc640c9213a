//! The smallest whole program: a workflow, an activity, a worker and a client.
//!
//! ```sh
//! cargo run --example hello                                     # with a server inside
//! TEMPORAL_ADDRESS=localhost:7233 cargo run --example hello     # or on one that runs
//! ```

use stead::Server;
use stead::prelude::*;

#[derive(Default)]
struct Hello;

#[workflow]
impl Hello {
    #[run]
    async fn run(&self, name: String) -> workflow::Result<String> {
        let greeting = workflow::activity(Greetings::greet, &name).start_to_close(secs(10)).await?;
        workflow::sleep(secs(1)).await?;
        Ok(format!("{greeting} It took a durable second to say so."))
    }
}

struct Greetings;

#[activities]
impl Greetings {
    #[activity]
    async fn greet(&self, name: String) -> activity::Result<String> {
        Ok(format!("Hello, {name}!"))
    }
}

#[tokio::main]
async fn main() -> stead::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();

    // Nothing has to be installed: without an address, the program brings its own server.
    let server = Server::in_memory().start().await?;
    let client = match std::env::var("TEMPORAL_ADDRESS") {
        Ok(_) => Client::from_env().await?,
        Err(_) => Client::with_service(server.service()).await?,
    };
    let worker = Worker::builder(&client, "hello").workflow::<Hello>().activities(Greetings).build()?;

    // One program plays both parts here. Usually a worker runs in a process of its own, until it is told to stop.
    let conversation = async {
        let id = format!("hello-{}", std::process::id());
        let greeting = client.execute_workflow(Hello::run, "Temporal").id(id).task_queue("hello").await?;
        println!("{greeting}");
        stead::Result::Ok(())
    };
    worker.run_while(conversation).await?
}
