//! `converse ADDRESS`: workflows of the official Rust SDK run to their ends; prints for each what it shows, and its
//! ids.
//! `begin ADDRESS TASK_QUEUE ID`: begins one, and leaves it open for a worker of another SDK.

mod workflows;

use std::time::Duration;

use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, WorkflowExecuteUpdateOptions, WorkflowExecutionInfo,
    WorkflowGetResultOptions, WorkflowQueryOptions, WorkflowSignalOptions, WorkflowStartOptions,
};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::task::LocalSet;
use url::Url;

use workflows::{Child, Countdown, Counter, Greeter, Greeting, Order, Parent, Persistent, Versioned};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let address = arguments.get(1).ok_or("usage: converse ADDRESS | begin ADDRESS TASK_QUEUE ID")?;
    let url = Url::parse(&format!("http://{address}"))?;
    let connection = Connection::connect(ConnectionOptions::new(url).build()).await?;
    let client = Client::new(connection, ClientOptions::new("default").build())?;
    let queue = arguments.get(2).map_or_else(|| format!("official-rust-{}", std::process::id()), ToString::to_string);
    let mut worker = worker(&client, &queue)?;
    LocalSet::new()
        .run_until(async {
            tokio::task::spawn_local(async move { worker.run().await.map_err(|error| error.to_string()) });
            match arguments[..] {
                ["converse", _] => converse(&client, &queue).await,
                ["begin", _, _, id] => begin(&client, &queue, id).await,
                _ => Err("usage: converse ADDRESS | begin ADDRESS TASK_QUEUE ID".into()),
            }
        })
        .await?;
    // As a worker that is killed: whatever is open stays with the server.
    std::process::exit(0)
}

fn worker(client: &Client, queue: &str) -> Result<Worker> {
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let options = WorkerOptions::new(queue)
        .register_workflow::<Greeting>()?
        .register_workflow::<Persistent>()?
        .register_workflow::<Versioned>()?
        .register_workflow::<Parent>()?
        .register_workflow::<Child>()?
        .register_workflow::<Counter>()?
        .register_workflow::<Countdown>()?
        .register_workflow::<Order>()?
        .register_activities(Greeter)
        .build();
    Ok(Worker::new(&runtime, client.clone(), options)?)
}

async fn converse(client: &Client, queue: &str) -> Result<()> {
    let options = |name: &str| WorkflowStartOptions::new(queue.to_owned(), format!("{queue}-{name}")).build();
    let result = WorkflowGetResultOptions::default;

    let greeting = client.start_workflow(Greeting::run, "Ada".to_owned(), options("activity")).await?;
    report("activity", greeting.info());
    assert_eq!(greeting.get_result(result()).await?, "hello Ada, bye Ada");

    let persistent = client.start_workflow(Persistent::run, "Ada".to_owned(), options("local-activity")).await?;
    report("local-activity", persistent.info());
    assert_eq!(persistent.get_result(result()).await?, 3);

    let versioned = client.start_workflow(Versioned::run, "Ada".to_owned(), options("patch")).await?;
    report("patch", versioned.info());
    assert_eq!(versioned.get_result(result()).await?, "hello Ada!");

    let parent = client.start_workflow(Parent::run, "Ada".to_owned(), options("child")).await?;
    report("child", parent.info());
    assert_eq!(parent.get_result(result()).await?, "the child says hello Ada");

    let counter = client.start_workflow(Counter::run, 10u32, options("update")).await?;
    report("update", counter.info());
    let update = WorkflowExecuteUpdateOptions::default;
    assert_eq!(counter.execute_update(Counter::add, 4u32, update()).await?, 4);
    assert!(counter.execute_update(Counter::add, 0u32, update()).await.is_err(), "the validator refuses it");
    assert_eq!(counter.query(Counter::total, (), WorkflowQueryOptions::default()).await?, 4);
    assert_eq!(counter.execute_update(Counter::add, 6u32, update()).await?, 10);
    assert_eq!(counter.get_result(result()).await?, 10);

    let countdown = client.start_workflow(Countdown::run, 2u32, options("continue-as-new")).await?;
    report("continue-as-new", countdown.info());
    assert_eq!(countdown.get_result(result()).await?, 0);

    let order = client.start_workflow(Order::run, "tea".to_owned(), options("order")).await?;
    report("order", order.info());
    order.signal(Order::pay, 3u32, WorkflowSignalOptions::default()).await?;
    assert_eq!(order.get_result(result()).await?, "tea, paid 3, shipped");
    Ok(())
}

fn report(name: &str, run: &WorkflowExecutionInfo) {
    println!("{name} {} {}", run.workflow_id, run.first_execution_run_id.as_deref().unwrap_or_default());
}

/// Ends when the order is reserved, and waits for its payment.
async fn begin(client: &Client, queue: &str, id: &str) -> Result<()> {
    let options = WorkflowStartOptions::new(queue.to_owned(), id.to_owned()).build();
    let order = client.start_workflow(Order::run, "tea".to_owned(), options).await?;
    while !order.query(Order::is_reserved, (), WorkflowQueryOptions::default()).await? {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("reserved");
    Ok(())
}
