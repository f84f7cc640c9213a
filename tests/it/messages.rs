//! Signals, queries and updates.

use serde::{Deserialize, Serialize};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

#[derive(Debug, thiserror::Error, PartialEq, Serialize, Deserialize, IntoFailure)]
enum CartError {
    #[error("no {sku} left")]
    #[failure(non_retryable)]
    SoldOut { sku: String },
    #[error("too many")]
    TooMany,
}

#[derive(Default)]
struct Cart {
    items: State<Vec<String>>,
    closed: Cell<bool>,
}

#[workflow]
impl Cart {
    #[init]
    fn new(first: &String) -> Self {
        Self { items: State::new(vec![first.clone()]), closed: Cell::new(false) }
    }

    #[run]
    async fn run(&self, _first: String) -> workflow::Result<Vec<String>> {
        workflow::wait_until(|| self.closed.get()).await?;
        workflow::all_handlers_finished().await;
        Ok(self.items.get())
    }

    #[signal]
    fn put(&self, sku: String, count: u32) {
        self.items.update(|items| items.extend((0..count).map(|_| sku.clone())));
    }

    #[signal]
    async fn close_soon(&self) {
        let _ = workflow::sleep(millis(10)).await;
        self.closed.set(true);
    }

    #[query]
    fn count(&self) -> usize {
        self.items.with(Vec::len)
    }

    #[query]
    fn holds(&self, sku: String, times: usize) -> bool {
        self.items.with(|items| items.iter().filter(|item| **item == sku).count() == times)
    }

    #[query(name = "nth-item")]
    fn nth(&self, index: usize) -> Result<String, CartError> {
        self.items.with(|items| items.get(index).cloned()).ok_or(CartError::TooMany)
    }

    #[update(validator = in_stock)]
    async fn add(&self, sku: String) -> Result<usize, CartError> {
        workflow::sleep(millis(5)).await.map_err(|_| CartError::TooMany)?;
        if sku == "late" {
            return Err(CartError::TooMany);
        }
        self.items.update(|items| items.push(sku));
        Ok(self.count())
    }

    fn in_stock(&self, sku: &String) -> Result<(), CartError> {
        if sku == "moon" { Err(CartError::SoldOut { sku: sku.clone() }) } else { Ok(()) }
    }

    #[update]
    fn clear(&self) -> usize {
        self.items.update(|items| items.drain(..).count())
    }
}

async fn talk(env: &Env, cached: usize, name: &str) {
    let worker = env.worker().workflow::<Cart>().max_cached_workflows(cached).build().unwrap();
    let id = env.id("cart");
    worker
        .run_while(async {
            let cart = env.client.start_workflow(Cart::run, "tea").id(&id).task_queue(&env.task_queue).await.unwrap();
            cart.signal(Cart::put, ("cake".to_owned(), 2)).await.unwrap();
            assert_eq!(cart.query(Cart::count, ()).await.unwrap(), 3);
            assert!(cart.query(Cart::holds, ("cake".to_owned(), 2)).await.unwrap());
            assert_eq!(cart.query(Cart::nth, 0).await.unwrap(), "tea");
            let error = cart.query(Cart::nth, 9).await.unwrap_err();
            assert!(error.to_string().contains("too many"), "{error}");

            assert_eq!(cart.update(Cart::add, "milk").await.unwrap(), 4);
            let rejected = cart.update(Cart::add, "moon").await.unwrap_err();
            assert_eq!(rejected.application(), Some(CartError::SoldOut { sku: "moon".into() }));
            let failed = cart.update(Cart::add, "late").await.unwrap_err();
            assert_eq!(failed.application(), Some(CartError::TooMany));

            let pending = cart.update(Cart::add, "jam").start().await.unwrap();
            assert_eq!(pending.result().await.unwrap(), 5);
            let unknown = cart.update_named::<()>("nonsense", ()).await.unwrap_err();
            assert!(unknown.to_string().contains("nonsense"), "{unknown}");

            assert_eq!(cart.update(Cart::clear, ()).await.unwrap(), 5);
            cart.signal(Cart::close_soon, ()).await.unwrap();
            assert_eq!(cart.result().await.unwrap(), Vec::<String>::new());
            assert_eq!(cart.query(Cart::count, ()).await.unwrap(), 0, "a closed workflow answers queries");
            env.replays(Replayer::new().workflow::<Cart>(), &cart, name).await;
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_workflow_is_talked_to_while_cached() {
    talk(&Env::new().await, 100, "messages").await;
}

#[tokio::test]
async fn a_workflow_is_talked_to_with_the_cache_at_zero() {
    talk(&Env::new().await, 0, "messages-uncached").await;
}

#[derive(Default)]
struct Deaf;

#[workflow]
impl Deaf {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        workflow::sleep(millis(300)).await?;
        Ok(())
    }
}

#[tokio::test]
async fn an_unknown_signal_waits_and_harms_nothing() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Deaf>().build().unwrap();
    let id = env.id("deaf");
    worker
        .run_while(async {
            let workflow = env.client.start_workflow(Deaf::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            workflow.signal_named("whisper", "psst").await.unwrap();
            workflow.result().await.unwrap();
            let unknown = workflow.query_named::<u32>("whisper", ()).await.unwrap_err();
            assert!(unknown.to_string().contains("whisper"), "{unknown}");
            env.replays(Replayer::new().workflow::<Deaf>(), &workflow, "unknown-signal").await;
        })
        .await
        .unwrap();
}
