//! `#[workflow]`.

use serde::{Deserialize, Serialize};
use stead::data::{Query, Signal, Update, WorkflowFn, WorkflowType};
use stead::prelude::*;
use stead_activation::{Command, UpdateResponse};

use crate::driver::{self, Run};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Payment {
    amount: u64,
}

#[derive(Debug, thiserror::Error, PartialEq, IntoFailure)]
enum OrderError {
    #[error("no such item: {sku}")]
    UnknownItem { sku: String },
    #[error("{0} items are too many")]
    TooMany(usize),
}

struct Order {
    customer: String,
    paid: Cell<u64>,
    items: State<Vec<String>>,
}

#[workflow]
impl Order {
    const MOST: usize = 3;

    #[init]
    fn new(customer: &str) -> Self {
        Self { customer: customer.to_owned(), paid: Cell::new(0), items: State::default() }
    }

    #[run]
    async fn run(&self, mut customer: String) -> workflow::Result<u64> {
        customer.push('!');
        workflow::wait_until(|| self.paid.get() > 0).await?;
        Ok(self.total() + customer.len() as u64)
    }

    /// Pays.
    #[signal]
    fn pay(&self, Payment { amount }: Payment) {
        self.paid.set(amount);
    }

    #[signal(name = "pay-twice")]
    async fn pay_twice(self: Rc<Self>, first: u64, second: u64) -> Result<(), OrderError> {
        self.paid.set(first + second);
        Ok(())
    }

    #[query]
    fn total(&self) -> u64 {
        self.paid.get()
    }

    #[query]
    fn customer(&self) -> String {
        self.customer.clone()
    }

    #[query]
    fn item(&self, at: usize) -> Result<String, OrderError> {
        let unknown = || OrderError::UnknownItem { sku: at.to_string() };
        self.items.with(|items| items.get(at).cloned()).ok_or_else(unknown)
    }

    #[update(validator = check)]
    async fn add(&self, sku: String, copies: usize) -> Result<usize, OrderError> {
        self.items.update(|items| items.extend(vec![sku; copies]));
        Ok(self.count())
    }

    #[update]
    fn clear(&self) {
        self.items.set(Vec::new());
    }

    #[cfg(any())]
    #[query]
    fn compiled_out(&self) -> NoSuchType {}

    fn check(&self, _sku: &str, copies: &usize) -> Result<(), OrderError> {
        let count = self.count() + copies;
        if count > Self::MOST { Err(OrderError::TooMany(count)) } else { Ok(()) }
    }

    fn count(&self) -> usize {
        self.items.with(Vec::len)
    }
}

#[test]
fn methods_are_still_methods() {
    let order = Order::new("ada");
    order.pay(Payment { amount: 3 });
    assert_eq!(order.total(), 3);
    assert!(order.check("sku", &4).is_err());
    assert!(matches!(order.item(0), Err(OrderError::UnknownItem { .. })));
}

#[test]
fn paths_are_typed_references() {
    let run: WorkflowFn<Order, String, u64> = Order::run;
    let pay: Signal<Order, Payment> = Order::pay;
    let pay_twice: Signal<Order, (u64, u64)> = Order::pay_twice;
    let item: Query<Order, usize, String> = Order::item;
    let total: Query<Order, (), u64> = Order::total;
    let add: Update<Order, (String, usize), usize> = Order::add;
    let clear: Update<Order, (), ()> = Order::clear;
    assert_eq!(
        [run.name(), pay.name(), item.name(), add.name(), clear.name()],
        ["Order", "pay", "item", "add", "clear"]
    );
    assert_eq!((pay_twice.name(), pay_twice.arity()), ("pay-twice", 2));
    assert_eq!((total.arity(), pay.arity()), (0, 1));
}

#[test]
fn a_signal_reaches_its_method_and_the_run_completes() {
    let mut run = Run::start::<Order>("ada");
    assert!(run.first.is_empty(), "waits for a payment, but issued {:?}", run.first);
    let commands = run.signal::<Payment>("pay", Payment { amount: 5 }, 1);
    assert_eq!(driver::result::<u64>(&commands), 9);
}

#[test]
fn several_arguments_are_a_payload_each() {
    let mut run = Run::start::<Order>("ada");
    let commands = run.signal::<(u64, u64)>("pay-twice", (2, 3), 2);
    assert_eq!(driver::result::<u64>(&commands), 9);
}

#[test]
fn queries_answer_values_and_typed_errors() {
    let mut run = Run::start::<Order>("ada");
    assert_eq!(driver::read::<String>(&run.query::<()>("customer", (), 0).unwrap()), "ada");
    let failure = run.query::<usize>("item", 7, 1).unwrap_err();
    assert_eq!(failure.application_as(), Some(OrderError::UnknownItem { sku: "7".to_owned() }));
}

#[test]
fn an_update_is_validated_and_answered() {
    let mut run = Run::start::<Order>("ada");
    let responses = run.update::<(String, usize)>("add", ("sku".to_owned(), 2), 2);
    assert!(
        matches!(&responses[..], [UpdateResponse::Accepted, UpdateResponse::Completed(count)]
        if driver::read::<usize>(count.as_ref().unwrap()) == 2),
        "{responses:?}"
    );

    let responses = run.update::<(String, usize)>("add", ("sku".to_owned(), 2), 2);
    let [UpdateResponse::Rejected(failure)] = &responses[..] else { panic!("{responses:?}") };
    let failure = stead::Failure::from_proto((**failure).clone());
    assert_eq!(failure.application_as(), Some(OrderError::TooMany(4)));
}

/// What a generic workflow needs to know.
pub(crate) trait Rule: Clone + Serialize + for<'de> Deserialize<'de> + 'static {
    /// Name of the workflow.
    const WORKFLOW: &'static str;
    fn holds(&self) -> bool;
}

pub(crate) struct Checker<R> {
    rule: R,
    strict: bool,
}

#[workflow(name = R::WORKFLOW)]
impl<R> Checker<R>
where
    R: Rule,
{
    #[init]
    fn new(rule: &R, strict: &bool) -> Self {
        Self { rule: rule.clone(), strict: *strict }
    }

    #[run]
    pub(crate) async fn run(&self, _rule: R, _strict: bool) -> workflow::Result<bool> {
        Ok(self.strict && self.rule().holds())
    }

    #[query]
    pub(crate) fn rule(&self) -> R {
        self.rule.clone()
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Even(u32);

impl Rule for Even {
    const WORKFLOW: &'static str = "CheckEven";
    fn holds(&self) -> bool {
        self.0.is_multiple_of(2)
    }
}

#[test]
fn a_generic_workflow_is_named_by_its_parameter() {
    assert_eq!(<Checker<Even> as WorkflowType>::NAME, "CheckEven");
    assert_eq!(Checker::<Even>::run.name(), "CheckEven");
    assert_eq!(Checker::<Even>::rule.name(), "rule");
    let run = Run::start::<Checker<Even>>((Even(4), true));
    assert!(driver::result::<bool>(&run.first));
}

/// Everything by default: no `#[init]`, no arguments, no `Result`.
#[derive(Default)]
struct Plain {
    started: Cell<bool>,
}

#[workflow("plain-one")]
impl Plain {
    #[run]
    async fn start(self: Rc<Self>) -> String {
        self.started.set(true);
        "done".to_owned()
    }
}

#[test]
fn without_init_the_state_is_the_default_one() {
    assert_eq!(Plain::start.name(), "plain-one");
    let run = Run::start::<Plain>(());
    assert_eq!(driver::result::<String>(&run.first), "done");
}

#[derive(Default)]
struct Failing;

#[workflow]
impl Failing {
    #[run]
    async fn run(&self, sku: String) -> Result<(), OrderError> {
        Err(OrderError::UnknownItem { sku })
    }
}

#[test]
fn an_error_of_ones_own_fails_the_workflow_with_its_type() {
    let run = Run::start::<Failing>("x");
    let [Command::FailWorkflow { failure }] = &run.first[..] else { panic!("{:?}", run.first) };
    let failure = stead::Failure::from_proto((**failure).clone());
    assert_eq!(failure.application_as(), Some(OrderError::UnknownItem { sku: "x".to_owned() }));
}

mod elsewhere {
    use stead::prelude::*;

    #[derive(Default)]
    pub(crate) struct Counter {
        count: Cell<u32>,
    }

    #[workflow]
    impl Counter {
        #[run]
        pub(crate) async fn run(&self) -> workflow::Result<u32> {
            let _loud = workflow::nondeterministic! { std::env::var("LOUD").is_ok() };
            Ok(self.count.get())
        }

        #[signal]
        pub(crate) fn bump(&self) {
            self.count.set(self.count.get() + 1);
        }

        #[query]
        pub(crate) fn count(&self) -> u32 {
            self.count.get()
        }
    }
}

#[test]
fn another_module_imports_the_methods() {
    use elsewhere::CounterMethods;

    let counter = elsewhere::Counter::default();
    counter.bump();
    assert_eq!(counter.count(), 1);
}
