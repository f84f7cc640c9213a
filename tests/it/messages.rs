//! Signals, queries and updates.

use serde::{Deserialize, Serialize};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types, until_history_has};

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
    fn new(first: &str) -> Self {
        Self { items: State::new(vec![first.to_owned()]), closed: Cell::new(false) }
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
async fn b4_an_unknown_signal_waits_and_harms_nothing() {
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

struct Postbox {
    owner: String,
    log: State<Vec<String>>,
    open: Cell<bool>,
}

#[workflow]
impl Postbox {
    #[init]
    fn new(owner: &str) -> Self {
        Self { owner: owner.to_owned(), log: State::default(), open: Cell::new(true) }
    }

    #[run]
    async fn run(&self, _owner: String) -> workflow::Result<Vec<String>> {
        self.write("run");
        workflow::wait_until(|| !self.open.get()).await?;
        workflow::all_handlers_finished().await;
        Ok(self.log.get())
    }

    #[signal]
    fn post(&self, n: u32) {
        self.write(&n.to_string());
    }

    #[signal]
    fn close(&self) {
        self.open.set(false);
    }

    #[update(validator = is_polite)]
    async fn ask(&self, question: String) -> Result<String, CartError> {
        self.write(&question);
        Ok(format!("{}: {question}", self.owner))
    }

    fn is_polite(&self, question: &str) -> Result<(), CartError> {
        if question.contains("please") { Ok(()) } else { Err(CartError::TooMany) }
    }

    fn write(&self, line: &str) {
        self.log.update(|log| log.push(line.to_owned()));
    }
}

#[tokio::test]
async fn messages_of_the_first_task_come_in_order_after_init_and_before_run() {
    let env = Env::new().await;
    let id = env.id("postbox");
    let postbox = env.client.start_workflow(Postbox::run, "Ada").id(&id).task_queue(&env.task_queue).await.unwrap();
    for n in 0..5 {
        postbox.signal(Postbox::post, n).await.unwrap();
    }
    let worker = env.worker().workflow::<Postbox>().build().unwrap();
    let log = worker
        .run_while(async {
            assert_eq!(postbox.update(Postbox::ask, "one, please").await.unwrap(), "Ada: one, please");
            postbox.signal(Postbox::close, ()).await.unwrap();
            let log = postbox.result().await.unwrap();
            env.replays(Replayer::new().workflow::<Postbox>(), &postbox, "first-task").await;
            log
        })
        .await
        .unwrap();
    let place = |line: &str| log.iter().position(|l| l == line).unwrap_or_else(|| panic!("{line} in {log:?}"));
    assert_eq!(log[..5], ["0", "1", "2", "3", "4"], "{log:?}");
    assert!(place("run") >= 5 && log.len() == 7, "{log:?}");
}

#[tokio::test]
async fn updates_that_are_rejected_leave_nothing_in_the_history() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Postbox>().build().unwrap();
    let id = env.id("postbox");
    worker
        .run_while(async {
            let postbox =
                env.client.start_workflow(Postbox::run, "Ada").id(&id).task_queue(&env.task_queue).await.unwrap();
            postbox.update(Postbox::ask, "first, please").await.unwrap();
            let before = event_types(&postbox.history().await.unwrap());
            for _ in 0..3 {
                let rejected = postbox.update(Postbox::ask, "now!").await.unwrap_err();
                assert_eq!(rejected.application(), Some(CartError::TooMany));
            }
            assert_eq!(event_types(&postbox.history().await.unwrap()), before);
            postbox.update(Postbox::ask, "once more, please").await.unwrap();
            postbox.signal(Postbox::close, ()).await.unwrap();
            let log = postbox.result().await.unwrap();
            assert!(!log.contains(&"now!".to_owned()) && log.len() == 3, "{log:?}");
            env.replays(Replayer::new().workflow::<Postbox>(), &postbox, "rejected-updates").await;
        })
        .await
        .unwrap();
}

#[derive(Default)]
struct Listens {
    done: Cell<bool>,
}

#[workflow]
impl Listens {
    #[run]
    async fn run(self: Rc<Self>) -> workflow::Result<Vec<String>> {
        workflow::sleep(millis(50)).await?;
        let heard = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&heard);
        workflow::on_signal_dynamic(move |name, arguments| {
            let log = Rc::clone(&log);
            async move {
                log.borrow_mut().push(format!("{name} {}", workflow::decode::<String>(&arguments[0])?));
                Ok(())
            }
        });
        workflow::wait_until(|| self.done.get()).await?;
        Ok(heard.take())
    }

    #[signal]
    fn done(&self) {
        self.done.set(true);
    }
}

#[tokio::test]
async fn a_dynamic_handler_hears_the_signals_that_waited_for_it_first() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Listens>().build().unwrap();
    let id = env.id("listens");
    let listens = env.client.start_workflow(Listens::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
    listens.signal_named("whisper", "psst").await.unwrap();
    listens.signal_named("shout", "hey").await.unwrap();
    worker
        .run_while(async {
            until_history_has(&listens, "TIMER_FIRED").await;
            listens.signal_named("whisper", "again").await.unwrap();
            listens.signal(Listens::done, ()).await.unwrap();
            assert_eq!(listens.result().await.unwrap(), ["whisper psst", "shout hey", "whisper again"]);
            env.replays(Replayer::new().workflow::<Listens>(), &listens, "dynamic-signals").await;
        })
        .await
        .unwrap();
}
