use serde::{Deserialize, Serialize};
use stead_data::schemars::{self, JsonSchema};
use stead_data::{Activity, DataConverter, Query, Signal, Update, WorkflowFn};

use crate::json;

struct Cart;

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Item {
    stock_number: String,
    #[serde(default)]
    gift: bool,
}

#[test]
fn every_kind_of_handler_says_what_it_takes_and_returns() {
    let run = WorkflowFn::<Cart, (), Vec<Item>>::new("Cart", 0).schema();
    assert_eq!((run.name, run.arity, run.input.as_value()["type"].as_str()), ("Cart", 0, Some("null")));
    assert_eq!(run.output.as_value()["type"], "array");
    assert!(run.output.as_value()["$defs"]["Item"].is_object());
    let pay = Signal::<Cart, (u64, Item)>::new("pay", 2).schema();
    assert_eq!(pay.input.as_value()["prefixItems"][0]["type"], "integer");
    assert_eq!(pay.output.as_value()["type"], "null");
    let total = Query::<Cart, (), u64>::new("total", 0).schema();
    assert_eq!(total.output.as_value()["minimum"], 0);
    let ship = Activity::<Cart, String, bool>::new("ship", 1).schema();
    assert_eq!(ship.output.as_value()["type"], "boolean");
}

/// The schema and the type say the same: the names of fields, which may be missing, and that there are no others.
#[test]
fn what_a_schema_demands_the_type_demands() {
    let schema = Update::<Cart, Item, u64>::new("add", 1).schema();
    let input = schema.input.as_value();
    assert_eq!(input["required"], serde_json::json!(["stockNumber"]));
    assert_eq!(input["additionalProperties"], false);
    let read = |text| DataConverter::new().from_payload::<Item>(&json(text));
    assert_eq!(read(r#"{"stockNumber":"x"}"#).unwrap(), Item { stock_number: "x".to_owned(), gift: false });
    read(r#"{"gift":true}"#).unwrap_err();
    read(r#"{"stockNumber":"x","color":"red"}"#).unwrap_err();
}
