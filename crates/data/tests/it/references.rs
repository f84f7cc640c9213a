use std::convert::Infallible;

use stead_data::{
    Activity, Arg, DataConverter, Payload, Query, Returns, Signal, Untyped, Update, WorkflowFn, WorkflowType,
};

use crate::json;

/// Neither `Clone` nor `Debug`, and never made: references ask nothing of it.
struct Order;

const PAY: Signal<Order, u64> = Signal::new("pay", 1);
const LIST: Signal<Order, Vec<u8>> = Signal::new("list", 1);
const SET_PRICE: Signal<Order, (String, u64)> = Signal::new("set-price", 2);

fn encode<W, I>(signal: Signal<W, I>, argument: impl Arg<I>) -> Vec<Payload> {
    argument.encode(&DataConverter::new(), signal.arity()).unwrap()
}

#[test]
fn a_reference_is_a_name_and_an_arity() {
    let copy = PAY;
    assert_eq!((copy.name(), PAY.arity()), ("pay", 1));
    assert_eq!(format!("{PAY:?}"), r#"Signal("pay")"#);
    const RUN: WorkflowFn<Order, (), u8> = WorkflowFn::new("Order", 0);
    const TOTAL: Query<Order, (), u8> = Query::new("total", 0);
    const ADD: Update<Order, u8, u8> = Update::new("add", 1);
    const CHARGE: Activity<dyn Send, u8, u8> = Activity::new("charge", 1);
    assert_eq!([RUN.name(), TOTAL.name(), ADD.name(), CHARGE.name()], ["Order", "total", "add", "charge"]);
}

#[test]
fn references_move_between_threads_whatever_they_refer_to() {
    fn is_send_and_sync<T: Send + Sync + 'static>(_: T) {}
    is_send_and_sync(Signal::<std::rc::Rc<u8>, std::rc::Rc<u8>>::new("pay", 1));
}

#[test]
fn arguments_are_passed_by_value_or_by_reference() {
    assert_eq!(encode(PAY, 3), [json("3")]);
    let list = vec![1];
    assert_eq!(encode(LIST, &list), [json("[1]")]);
    assert_eq!(encode(LIST, list), [json("[1]")]);
    assert_eq!(encode(SET_PRICE, ("sku".to_owned(), 5)), [json("\"sku\""), json("5")]);
    assert_eq!(encode(SET_PRICE, &("sku".to_owned(), 5)), [json("\"sku\""), json("5")]);
    assert_eq!(encode(Signal::<Order, ()>::new("stop", 0), ()), []);
}

#[test]
fn literals_stand_for_owned_strings_and_slices_for_vectors() {
    assert_eq!(encode(Signal::<Order, String>::new("name", 1), "x"), [json("\"x\"")]);
    assert_eq!(encode(LIST, &[1, 2][..]), [json("[1,2]")]);
}

#[test]
fn a_handler_returns_its_value_or_a_result_of_it() {
    fn value<T, R: Returns<T>>(returned: R) -> Result<T, R::Error> {
        returned.into_result()
    }
    assert_eq!(value::<u8, _>(1u8), Ok::<u8, Infallible>(1));
    assert_eq!(value::<u8, _>(Err::<u8, _>("no")), Err("no"));
}

#[test]
fn an_untyped_workflow_takes_and_gives_payloads() {
    fn untyped<W: WorkflowType<Input = stead_data::Raw, Output = stead_data::Raw>>() {}
    untyped::<Untyped>();
}
