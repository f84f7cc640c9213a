use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stead::client::proto::history::v1::history_event::Attributes;
use stead::prelude::*;
use stead::server::engine::Limits;
use stead::workflow::Error;

#[derive(Default)]
struct Order {
    paid: Cell<bool>,
}

#[workflow]
impl Order {
    #[run]
    async fn run(&self, customer: String) -> workflow::Result<u64> {
        if !workflow::wait_until(|| self.paid.get()).timeout(hours(1)).await? {
            return Err(OrderError::Unpaid { customer }.into());
        }
        Ok(workflow::activity(Payments::charge, &customer).start_to_close(secs(30)).await?)
    }

    #[signal]
    fn pay(&self) {
        self.paid.set(true);
    }

    #[query]
    fn is_paid(&self) -> bool {
        self.paid.get()
    }
}

#[derive(Debug, thiserror::Error, IntoFailure)]
enum OrderError {
    #[error("{customer} did not pay")]
    Unpaid { customer: String },
}

struct Payments;

#[activities]
impl Payments {
    #[activity]
    async fn charge(&self, customer: String) -> activity::Result<u64> {
        Err(format!("no bank in a test, {customer}").into())
    }
}

#[stead::test]
async fn an_hour_passes_at_once_for_whoever_waits(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Order>().activities(Payments).start().await?;
    let order = env.start(Order::run, "Ada").await?;
    let error = order.result().await.unwrap_err();
    let Some(OrderError::Unpaid { customer }) = error.application() else { panic!("{error}") };
    assert_eq!(customer, "Ada");
    assert_eq!(env.elapsed(), hours(1));
    Ok(())
}

#[stead::test]
async fn a_mock_stands_in_the_place_of_an_activity(env: TestEnv) -> stead::Result<()> {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let charge = move |customer: String| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { Ok(customer.len() as u64) }
    };
    let _worker = env.worker().workflow::<Order>().mock(Payments::charge, charge).activities(Payments).start().await?;
    let order = env.start(Order::run, "Ada").await?;
    order.signal(Order::pay, ()).await?;
    assert!(order.query(Order::is_paid, ()).await?);
    assert_eq!(order.result().await?, 3);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(env.elapsed(), secs(0), "nothing had to wait");
    Ok(())
}

#[stead::test]
async fn time_is_moved_by_hand(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Order>().activities(Payments).start().await?;
    let order = env.start(Order::run, "Ada").await?;
    env.advance(mins(59)).await;
    assert!(order.describe().await?.close_time().is_none(), "there is a minute left");
    env.advance(mins(1)).await;
    assert!(order.describe().await?.close_time().is_some());
    assert_eq!(env.elapsed(), hours(1));
    Ok(())
}

#[derive(Default)]
struct Buggy;

#[workflow]
impl Buggy {
    #[run]
    async fn run(&self, two: u32) -> workflow::Result<()> {
        workflow::sleep(secs(1)).await?;
        assert_eq!(two, 2, "two is two");
        Err(Error::from(OrderError::Unpaid { customer: "nobody".to_owned() }))
    }
}

#[stead::test]
async fn an_assertion_in_a_workflow_fails_it(env: TestEnv) -> stead::Result<()> {
    let _worker = env.worker().workflow::<Buggy>().start().await?;
    let error = env.start(Buggy::run, 3).await?.result().await.unwrap_err();
    let failure = error.failure().expect("a failed workflow");
    assert!(failure.message.contains("two is two"), "{failure:?}");
    Ok(())
}

#[stead::test]
async fn environments_know_nothing_of_each_other(env: TestEnv) -> stead::Result<()> {
    let other = TestEnv::new().await?;
    let order = env.start(Order::run, "Ada").await?;
    assert!(other.client().workflow::<Order>(order.id()).describe().await.is_err());
    Ok(())
}

#[derive(Default)]
struct Parent;

#[workflow]
impl Parent {
    #[run]
    async fn run(&self, customer: String) -> workflow::Result<u64> {
        let paid = workflow::child(Order::run, &customer).id("order").await?;
        Ok(paid + 1)
    }
}

#[stead::test]
async fn a_mock_stands_in_the_place_of_a_child_and_takes_no_time(env: TestEnv) -> stead::Result<()> {
    let order = |customer: String| async move { Ok(customer.len() as u64 * 10) };
    let worker = env.worker().workflow::<Parent>().mock_workflow(Order::run, order).workflow::<Order>();
    let _worker = worker.start().await?;
    let parent = env.start(Parent::run, "Ada").await?;
    assert_eq!(parent.result().await?, 31);
    assert_eq!(env.elapsed(), secs(0), "the order itself waits for an hour");
    Ok(())
}

#[stead::test]
async fn a_mock_of_a_child_fails_and_waits_as_it_likes(env: TestEnv) -> stead::Result<()> {
    let unpaid = |customer: String| async move {
        workflow::sleep(mins(5)).await?;
        Err(OrderError::Unpaid { customer }.into())
    };
    let _worker = env.worker().workflow::<Parent>().mock_workflow(Order::run, unpaid).start().await?;
    let error = env.start(Parent::run, "Ada").await?.result().await.unwrap_err();
    assert!(format!("{error:?}").contains("Ada did not pay"), "{error:?}");
    assert_eq!(env.elapsed(), mins(5));
    Ok(())
}

#[stead::test]
async fn a_second_client_has_options_of_its_own_and_the_same_server(env: TestEnv) -> stead::Result<()> {
    let charge = |customer: String| async move { Ok(customer.len() as u64) };
    let _worker = env.worker().workflow::<Order>().mock(Payments::charge, charge).start().await?;
    let order = env.start(Order::run, "Ada").await?;
    let second = env.connect().identity("the second").await?;
    assert_eq!(second.identity(), "the second");
    second.workflow::<Order>(order.id()).signal(Order::pay, ()).await?;
    order.result().await?;
    let history = env.history(&order).await?;
    let signaled_by = history.history().0.events.iter().find_map(|event| match event.attributes.as_ref()? {
        Attributes::WorkflowExecutionSignaledEventAttributes(signal) => Some(signal.identity.as_str()),
        _ => None,
    });
    assert_eq!(signaled_by, Some("the second"));
    Ok(())
}

#[tokio::test]
async fn limits_are_reached_with_little_when_they_are_shrunk() -> stead::Result<()> {
    let env = TestEnv::with(|server| server.limits(Limits::default().shrunk(1_000))).await?;
    let order = env.start(Order::run, "Ada").await?;
    for _ in 0..10 {
        order.signal(Order::pay, ()).await?;
    }
    let refused = order.signal(Order::pay, ()).await.unwrap_err();
    assert!(refused.to_string().contains("exceeded workflow execution limit for signal events"), "{refused}");
    Ok(())
}

#[stead::test]
async fn a_second_worker_for_the_same_tasks_is_refused_when_it_starts(env: TestEnv) -> stead::Result<()> {
    let first = env.worker().workflow::<Order>().activities(Payments).start().await?;
    let error = env.worker().activities(Payments).start().await.expect_err("somebody takes these activities");
    assert!(error.to_string().contains("overlapping worker task types"), "{error}");
    first.stop().await?;
    env.worker().activities(Payments).start().await?.stop().await?;
    Ok(())
}
