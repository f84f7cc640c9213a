//! The customers: one pays, one forgets to, one has a bad card.

use stead::prelude::*;

use crate::TASK_QUEUE;
use crate::order::{Item, Order, OrderError, OrderInput};

pub async fn story(client: &Client) -> stead::Result<()> {
    alice_pays(client).await?;
    bob_forgets(client).await?;
    mallory_is_declined(client).await
}

async fn alice_pays(client: &Client) -> stead::Result<()> {
    let order = open(client, "Alice", 60).await?;
    let count = order.update(Order::add, Item { sku: "tea".into(), price: 4 }).await?;
    println!("Alice: {count} item in the basket");
    order.update(Order::add, Item { sku: "cake".into(), price: 5 }).await?;

    match order.update(Order::add, Item { sku: "moon".into(), price: 1 }).await {
        Err(error) => match error.application::<OrderError>() {
            Some(refused) => println!("Alice: turned away: {refused}"),
            None => return Err(error.into()),
        },
        Ok(_) => println!("Alice: bought the moon"),
    }
    println!("Alice: the total is {}", order.query(Order::total, ()).await?);

    order.signal(Order::pay, ()).await?;
    let receipt = order.result().await?;
    println!("Alice: paid {}, receipt {}", receipt.total, receipt.number);
    Ok(())
}

async fn bob_forgets(client: &Client) -> stead::Result<()> {
    let order = open(client, "Bob", 2).await?;
    match order.result().await {
        Ok(receipt) => println!("Bob: paid {}", receipt.total),
        Err(error) => match error.application::<OrderError>() {
            Some(OrderError::Unpaid { customer }) => println!("{customer}: the order lapsed, unpaid"),
            _ => return Err(error.into()),
        },
    }
    Ok(())
}

async fn mallory_is_declined(client: &Client) -> stead::Result<()> {
    let order = open(client, "Mallory", 60).await?;
    order.signal(Order::pay, ()).await?;
    match order.result().await {
        Err(error) if matches!(error.application(), Some(OrderError::Declined { .. })) => {
            println!("Mallory: the card was declined");
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(receipt) => Err(format!("Mallory got receipt {}", receipt.number).into()),
    }
}

async fn open(client: &Client, customer: &str, pay_within_seconds: u64) -> stead::Result<WorkflowHandle<Order>> {
    let input = OrderInput { customer: customer.into(), pay_within_seconds };
    let id = format!("order-{customer}-{}", std::process::id());
    Ok(client.start_workflow(Order::run, &input).id(id).task_queue(TASK_QUEUE).await?)
}
