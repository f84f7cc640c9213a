//! Nexus operations: called by workflows, and handled by workers.

use std::sync::Arc;

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types};

#[nexus_service]
pub trait Billing {
    /// What it costs.
    #[operation]
    async fn quote(&self, items: Vec<u64>) -> u64;

    #[operation(name = "Charge")]
    async fn charge(&self, amount: u64) -> String;

    #[operation]
    fn currency(&self) -> String;
}

#[derive(Debug, PartialEq, thiserror::Error, serde::Serialize, serde::Deserialize, IntoFailure)]
enum BillingError {
    #[error("{amount} is too much")]
    Declined { amount: u64 },
}

struct MyBilling {
    currency: String,
}

#[nexus_service]
impl BillingHandlers for MyBilling {
    #[operation]
    async fn quote(&self, items: Vec<u64>) -> u64 {
        items.iter().sum()
    }

    #[operation(errors(BillingError))]
    async fn charge(&self, amount: u64) -> nexus::Result<String> {
        if amount > 1000 {
            return Err(BillingError::Declined { amount }.into());
        }
        let info = nexus::info();
        Ok(format!("{amount} {} by {}/{}", self.currency, info.service, info.operation))
    }

    #[operation]
    fn currency(&self) -> nexus::Result<String> {
        assert!(nexus::in_operation(), "blocking handlers have a context, too");
        Ok(self.currency.clone())
    }
}

#[derive(Default)]
struct Shop;

#[workflow]
impl Shop {
    #[run]
    async fn run(&self, endpoint: String) -> workflow::Result<Vec<String>> {
        let billing = workflow::nexus::<Billing>(endpoint);
        let price = billing.call(Billing::quote, &[3, 4][..]).schedule_to_close(secs(30)).await?;
        let charged = billing.call(Billing::charge, price).summary("the one charge").start().await?;
        assert_eq!(charged.operation_token(), None, "it is done at once");
        let charged = charged.result().await?;
        let currency = billing.call(Billing::currency, ()).await?;
        let error = billing.call(Billing::charge, 2000).await.unwrap_err();
        assert_eq!(error.application(), Some(BillingError::Declined { amount: 2000 }));
        let operation = error.operation().expect("an operation has failed");
        Ok(vec![charged, currency, format!("{}/{}", operation.service, operation.operation)])
    }
}

#[tokio::test]
async fn wo_19_a_workflow_calls_operations_that_are_done_at_once() {
    let env = Env::new().await;
    let billing = MyBilling { currency: "CHF".to_owned() };
    let worker = env.worker().workflow::<Shop>().nexus_service(billing).build().unwrap();
    let work = async {
        let endpoint = env.nexus_endpoint().await;
        let shop = env.client.start_workflow(Shop::run, endpoint).id(env.id("shop")).task_queue(&env.task_queue);
        let shop = shop.await.unwrap();
        assert_eq!(shop.result().await.unwrap(), ["7 CHF by Billing/Charge", "CHF", "Billing/Charge"]);
        let history = env.replays(Replayer::new().workflow::<Shop>(), &shop, "nexus-sync").await;
        let ended = ["NEXUS_OPERATION_COMPLETED", "NEXUS_OPERATION_FAILED"];
        let ended: Vec<_> = event_types(&history).into_iter().filter(|event| ended.contains(event)).collect();
        assert_eq!(ended, [ended[0], ended[0], ended[0], "NEXUS_OPERATION_FAILED"]);
    };
    worker.run_until(work).await.unwrap();
}

/// Handlers without a declaration, and what they share.
struct Greeter {
    greeting: String,
}

#[nexus_service("greetings")]
impl Greeter {
    #[operation]
    async fn greet(self: Arc<Self>, name: String) -> nexus::Result<String> {
        Ok(format!("{}, {name}", self.greeting))
    }

    #[operation]
    async fn refuse(&self) -> nexus::Result<()> {
        Err(nexus::Error::handler(nexus::HandlerErrorKind::BadRequest, "we do not do that"))
    }
}

#[derive(Default)]
struct Guest;

#[workflow]
impl Guest {
    #[run]
    async fn run(&self, endpoint: String) -> workflow::Result<Vec<String>> {
        let greeter = workflow::nexus::<Greeter>(&endpoint);
        let greeting = greeter.call(Greeter::greet, "Ada").await?;
        let again: String = workflow::nexus_named(&endpoint, "greetings").call_named("greet", "Bob").await?;
        let refused = greeter.call(Greeter::refuse, ()).await.unwrap_err();
        assert_eq!(refused.handler_error(), Some(nexus::HandlerErrorKind::BadRequest));
        let unknown =
            workflow::nexus_named(&endpoint, "greetings").call_named::<()>("insult", "Bob").await.unwrap_err();
        assert_eq!(unknown.handler_error(), Some(nexus::HandlerErrorKind::NotFound));
        Ok(vec![greeting, again])
    }
}

#[tokio::test]
async fn nx_1_a_type_serves_its_own_operations_and_what_it_does_not_have_is_not_found() {
    let env = Env::new().await;
    let greeter = Arc::new(Greeter { greeting: "Hello".to_owned() });
    let worker = env.worker().workflow::<Guest>().nexus_service_shared(Arc::clone(&greeter)).build().unwrap();
    let work = async {
        assert_eq!(greeter.clone().greet("you".to_owned()).await.unwrap(), "Hello, you", "it is still a method");
        let endpoint = env.nexus_endpoint().await;
        let guest = env.client.start_workflow(Guest::run, endpoint).id(env.id("guest")).task_queue(&env.task_queue);
        assert_eq!(guest.await.unwrap().result().await.unwrap(), ["Hello, Ada", "Hello, Bob"]);
    };
    worker.run_until(work).await.unwrap();
}
