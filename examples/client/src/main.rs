//! Starts, describes and cancels a workflow of any language with `stead-client` alone.
//!
//! ```sh
//! cargo run -p stead-example-client -- Hello hello
//! ```

use stead_client::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(workflow_type), Some(task_queue)) = (arguments.next(), arguments.next()) else {
        return Err("usage: stead-example-client WORKFLOW_TYPE TASK_QUEUE".into());
    };

    let client = Client::from_env().await?;
    let id = format!("from-the-client-{}", std::process::id());
    let workflow = client.start_workflow_named(&workflow_type, "Temporal").id(&id).task_queue(task_queue).await?;

    let description = workflow.describe().await?;
    println!("{} `{}` is {:?}", description.workflow_type(), workflow.id(), description.status());

    workflow.cancel().reason("the example is over").await?;
    println!("asked it to cancel; nothing else is left to do here");
    Ok(())
}
