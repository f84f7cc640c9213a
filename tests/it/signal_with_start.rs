//! Workflows that signal others and start them if they do not run.

use stead::data::{Keyword, SearchAttribute, WorkflowIdReusePolicy};
use stead::prelude::*;
use stead::testing::Replayer;
use stead::workflow::WorkflowInterceptor;
use stead::workflow::intercepted::SignalWithStart;
use stead_tests::{Env, event_types};

const KEYWORD: SearchAttribute<Keyword> = SearchAttribute::new("StdKeyword");

/// Whom the items are for, who said so last, and the items.
#[derive(Default)]
pub struct Cart {
    items: State<Vec<String>>,
}

#[workflow]
impl Cart {
    #[run]
    async fn run(&self, customer: String) -> workflow::Result<Vec<String>> {
        let voice = workflow::info().headers().get("voice").cloned();
        let voice: Option<String> =
            voice.map(|it| workflow::payload_converter().from_payload(&it)).transpose().unwrap();
        workflow::wait_until(|| self.items.get().iter().any(|item| item == "enough")).await?;
        Ok([customer].into_iter().chain(voice).chain(self.items.get()).collect())
    }

    #[signal]
    fn add(&self, item: String) {
        self.items.update(|items| items.push(item));
    }
}

#[derive(Default)]
pub struct Shop;

#[workflow]
impl Shop {
    #[run]
    async fn run(&self, cart: String) -> workflow::Result<(String, String)> {
        let first = workflow::signal_with_start(Cart::run, "Ada")
            .signal(Cart::add, "a book")
            .id(&cart)
            .memo("origin", "the shop")
            .search_attributes([KEYWORD.set("cart")])
            .execution_timeout(mins(10))
            .summary("the cart of Ada")
            .details("It fills.")
            .await?;
        let second = workflow::signal_with_start_named("Cart", "Bob").signal_named("add", "a pen").id(&cart).await?;
        assert_eq!(second.id(), cart);
        first.signal(Cart::add, "enough").await?;
        Ok((first.run_id().unwrap_or_default().to_owned(), second.run_id().unwrap_or_default().to_owned()))
    }
}

#[tokio::test]
async fn wo_11_a_workflow_signals_another_and_starts_it_if_it_does_not_run() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Shop>().workflow::<Cart>().build().unwrap();
    let work = async {
        let id = env.id("cart");
        let shop = env.client.start_workflow(Shop::run, &id).id(env.id("shop")).task_queue(&env.task_queue);
        let shop = shop.await.unwrap();
        let (first, second) = shop.result().await.unwrap();
        let cart = env.client.workflow::<Cart>(&id);
        assert_eq!(cart.result().await.unwrap(), ["Ada", "a book", "a pen", "enough"], "the first call has started it");
        let cart = cart.describe().await.unwrap();
        assert_eq!((first, second.as_str()), (cart.run_id().to_owned(), cart.run_id()));
        assert_eq!(cart.memo::<String>("origin").unwrap().as_deref(), Some("the shop"));
        assert_eq!(cart.search_attributes().get(KEYWORD).unwrap().as_deref(), Some("cart"));
        assert_eq!(cart.task_queue(), env.task_queue, "as that of who called");
        assert_eq!(cart.static_summary().unwrap().as_deref(), Some("the cart of Ada"));
        assert_eq!(cart.static_details().unwrap().as_deref(), Some("It fills."));
        let history = env.replays(Replayer::new().workflow::<Shop>(), &shop, "signal-with-start").await;
        let operations: Vec<_> = event_types(&history).into_iter().filter(|it| it.starts_with("NEXUS")).collect();
        let (scheduled, completed) = ("NEXUS_OPERATION_SCHEDULED", "NEXUS_OPERATION_COMPLETED");
        assert_eq!(operations, [scheduled, completed, scheduled, completed]);
    };
    tokio::time::timeout(secs(60), worker.run_until(work)).await.expect("it ends").unwrap();
}

/// Says `voice` to whom it signals.
struct Says(&'static str);

impl WorkflowInterceptor for Says {
    fn signal_with_start(&self, request: &mut SignalWithStart) {
        let voice = stead::DataConverter::new().to_payload(self.0).expect("a text");
        request.headers.insert("voice".to_owned(), voice);
        request.workflow_id += "-of-the-shop";
    }
}

#[derive(Default)]
struct Kiosk;

#[workflow]
impl Kiosk {
    #[run]
    async fn run(&self, cart: String) -> workflow::Result<(String, bool)> {
        let call = || workflow::signal_with_start(Cart::run, "Ada").signal(Cart::add, "enough").id(&cart);
        let id = call().await?.id().to_owned();
        let again = loop {
            match call().id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate).await {
                // It has not come to its end.
                Ok(_) => workflow::sleep(millis(10)).await?,
                Err(error) => break error,
            }
        };
        Ok((id, again.is_already_started()))
    }
}

#[tokio::test]
async fn an_interceptor_sees_what_is_sent_and_who_may_not_be_started_again_is_an_error() {
    let env = Env::new().await;
    let worker =
        env.worker().workflow::<Kiosk>().workflow::<Cart>().workflow_interceptor(Says("loud")).build().unwrap();
    let work = async {
        let id = env.id("cart");
        let kiosk = env.client.start_workflow(Kiosk::run, &id).id(env.id("kiosk")).task_queue(&env.task_queue);
        let (found, is_already_started) = kiosk.await.unwrap().result().await.unwrap();
        let meant = format!("{id}-of-the-shop");
        assert!(is_already_started);
        assert_eq!(found, meant, "the workflow that was signalled is what the code gets");
        let cart = env.client.workflow::<Cart>(meant).result().await.unwrap();
        assert_eq!(cart[..3], ["Ada", "loud", "enough"]);
    };
    tokio::time::timeout(secs(60), worker.run_until(work)).await.expect("it ends").unwrap();
}

#[derive(Default)]
struct Friend;

#[workflow]
impl Friend {
    #[run]
    async fn run(&self, cart: String) -> workflow::Result<bool> {
        let call = || workflow::signal_with_start(Cart::run, "Ada").signal(Cart::add, "a gift").id(&cart);
        Ok(call().await?.run_id() == call().await?.run_id())
    }
}

#[stead::test]
async fn whoever_is_started_with_a_signal_can_be_mocked(env: TestEnv) -> stead::Result<()> {
    let cart = |customer: String| async move {
        workflow::sleep(days(1)).await?;
        Ok(vec![customer])
    };
    let worker = env.worker().workflow::<Friend>().mock_workflow(Cart::run, cart).start().await?;
    assert!(env.start(Friend::run, "cart").await?.result().await?, "the second call found what the first one started");
    assert_eq!(env.client().workflow::<Cart>("cart").result().await?, ["Ada"]);
    worker.stop().await?;
    Ok(())
}
