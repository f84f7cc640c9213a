//! A shop whose refunds another team makes: a Nexus service between the two, and a workflow behind its operation.
//!
//! ```sh
//! cargo run --example nexus
//! ```

mod billing;
mod shop;

use stead::client::CallOptions;
use stead::client::proto::nexus::v1::endpoint_target::{Variant, Worker as WorkerTarget};
use stead::client::proto::nexus::v1::{EndpointSpec, EndpointTarget};
use stead::client::proto::operatorservice::v1::CreateNexusEndpointRequest;
use stead::prelude::*;

use billing::{BillingTeam, Refund};
use shop::Order;

#[tokio::main]
async fn main() -> stead::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let (client, _server) = stead_examples::connect().await?;
    let endpoint = create_endpoint(&client).await?;
    let billing = Worker::builder(&client, "billing").workflow::<Refund>().nexus_service(BillingTeam).build()?;
    let shop = Worker::builder(&client, "shop").workflow::<Order>().build()?;
    billing.run_while(shop.run_while(customers(&client, &endpoint))).await???;
    Ok(())
}

async fn customers(client: &Client, endpoint: &str) -> stead::Result<()> {
    for (customer, amount) in [("Ada", 30), ("Bob", 3000)] {
        let id = format!("order-{customer}-{}", std::process::id());
        let order = (endpoint.to_owned(), customer.to_owned(), amount);
        let order = client.start_workflow(Order::run, order).id(id).task_queue("shop").await?;
        println!("{customer}: {}", order.result().await?);
    }
    Ok(())
}

/// Who operates Temporal creates endpoints once: `temporal operator nexus endpoint create`.
async fn create_endpoint(client: &Client) -> stead::Result<String> {
    let name = format!("billing-{}", std::process::id());
    let (namespace, task_queue) = (client.namespace().to_owned(), "billing".to_owned());
    let target = EndpointTarget { variant: Some(Variant::Worker(WorkerTarget { namespace, task_queue })) };
    let spec = EndpointSpec { name: name.clone(), target: Some(target), ..EndpointSpec::default() };
    let request = CreateNexusEndpointRequest { spec: Some(spec) };
    client.connection().operator_service().create_nexus_endpoint(request, CallOptions::new()).await?;
    Ok(name)
}
