use stead::prelude::*;

struct Order;

struct Payments;

fn register(client: &Client) {
    let worker = Worker::builder(client, "orders");
    let worker = worker.workflow::<Order>();
    worker.activities(Payments);
}

async fn ask(client: Client) {
    client.workflow::<Order>("order");
}

fn main() {}
