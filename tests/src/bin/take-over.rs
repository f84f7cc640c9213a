//! `take-over ADDRESS TASK_QUEUE ID`: finishes an [`Order`] that a worker of another SDK began.

use stead::prelude::*;
use stead_tests::moved::{Greeter, Order};

#[tokio::main]
async fn main() -> stead::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, task_queue, id] = &arguments[..] else {
        return Err("usage: take-over ADDRESS TASK_QUEUE ID".into());
    };
    let client = Client::connect(address.as_str()).await?;
    let worker = Worker::builder(&client, task_queue).workflow::<Order>().activities(Greeter).build()?;
    let finish = async {
        let order = client.workflow::<Order>(id);
        // The task sticks to the worker that is gone, until its queue times out.
        order.signal(Order::pay, 3).await?;
        assert_eq!(order.result().await?, "tea, paid 3, shipped");
        assert!(order.query(Order::is_reserved, ()).await?, "the other worker reserved it");
        stead::Result::Ok(())
    };
    worker.run_while(finish).await?
}
