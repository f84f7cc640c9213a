//! `#[contract]`.

use stead::data::{Activity, Bounded, Query, Signal, Update, WorkflowFn, WorkflowType};
use stead::prelude::*;
use stead::workflow::Workflow;

use crate::driver::{self, Run};

/// As a crate of contracts has it: nothing of workflows is in sight.
mod contracts {
    use std::rc::Rc;

    use stead::contract;

    /// Ships orders.
    #[contract("ship-order")]
    pub trait Shipping {
        /// Ships one order.
        #[run]
        fn run(&self, order: String, copies: u32) -> u64;
        /// Holds it back.
        #[signal]
        fn hold(&self, why: String);
        /// Lets it go.
        #[signal]
        async fn release(&self);
        /// Whether it is held back.
        #[query(name = "is-held")]
        fn held(&self) -> bool;
        /// Sends it elsewhere.
        #[update]
        async fn redirect(self: Rc<Self>, street: String, number: u32) -> String;
        /// Done in another language.
        #[activity(name = "Charge")]
        fn charge(&self, amount: u64) -> String;
    }

    #[contract]
    pub trait Billing {
        #[activity]
        fn refund(&self, amount: u64);
        #[activity(schedule_to_close = "1h", task_queue = "billing")]
        fn invoice(&self, amount: u64) -> String;
    }
}

use contracts::{Billing, Shipping, ShippingHandlers};

struct MyShipping {
    copies: u32,
    held: Cell<bool>,
}

#[derive(Debug, thiserror::Error, IntoFailure)]
#[error("no number {0}")]
struct NoNumber(u32);

#[workflow]
impl ShippingHandlers for MyShipping {
    #[init]
    fn new(_order: &str, copies: &u32) -> Self {
        Self { copies: *copies, held: Cell::new(true) }
    }

    #[run]
    async fn run(&self, order: String, copies: u32) -> workflow::Result<u64> {
        workflow::wait_until(|| !self.held.get()).await?;
        Ok(order.len() as u64 * u64::from(copies) + self.extra())
    }

    #[signal]
    fn hold(&self, why: String) {
        self.held.set(!why.is_empty());
    }

    #[signal]
    async fn release(&self) -> workflow::Result<()> {
        self.held.set(false);
        Ok(())
    }

    #[query]
    fn held(&self) -> bool {
        self.held.get()
    }

    #[update(validator = check)]
    async fn redirect(self: Rc<Self>, street: String, number: u32) -> Result<String, NoNumber> {
        Ok(format!("{street} {number}"))
    }

    fn check(&self, _street: &str, number: &u32) -> Result<(), NoNumber> {
        if *number == 0 { Err(NoNumber(0)) } else { Ok(()) }
    }

    fn extra(&self) -> u64 {
        u64::from(self.copies)
    }
}

#[test]
fn the_contract_gives_callers_typed_references() {
    let run: WorkflowFn<Shipping, (String, u32), u64> = Shipping::run;
    let hold: Signal<Shipping, String> = Shipping::hold;
    let held: Query<Shipping, (), bool> = Shipping::held;
    let redirect: Update<Shipping, (String, u32), String> = Shipping::redirect;
    let charge: Activity<Shipping, u64, String> = Shipping::charge;
    let refund: Activity<Billing, u64, ()> = Billing::refund;
    let invoice: Activity<Billing, u64, String, Bounded> = Billing::invoice;
    assert_eq!(invoice.defaults().unwrap().task_queue.as_deref(), Some("billing"));
    assert_eq!([run.name(), hold.name(), held.name(), redirect.name()], ["ship-order", "hold", "is-held", "redirect"]);
    assert_eq!([charge.name(), refund.name()], ["Charge", "refund"]);
    assert_eq!(<Shipping as WorkflowType>::NAME, "ship-order");
}

#[test]
fn the_implementation_takes_its_names_from_the_contract() {
    assert_eq!(<MyShipping as Workflow>::NAME, "ship-order");
    assert_eq!(MyShipping::run.name(), "ship-order");
    assert_eq!(MyShipping::held.name(), "is-held");
}

#[test]
fn the_implementation_is_a_workflow() {
    let mut run = Run::start::<MyShipping>(("abc".to_owned(), 2));
    assert!(driver::read::<bool>(&run.query::<()>("is-held", (), 0).unwrap()));
    let commands = run.signal::<()>("release", (), 0);
    assert_eq!(driver::result::<u64>(&commands), 8);
}

#[test]
fn its_methods_are_still_methods() {
    let shipping = MyShipping::new("abc", &1);
    shipping.hold(String::new());
    assert!(!shipping.held());
}
