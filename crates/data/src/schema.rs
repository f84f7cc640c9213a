//! JSON schemas of what handlers take and return, for documentation, forms and other languages.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};

use crate::references::{Activity, Query, Signal, Update, WorkflowFn};

/// What a handler takes and returns, as JSON schemas.
///
/// Payloads are not checked against it: types do that when they are read. `#[serde(deny_unknown_fields)]` and
/// `#[serde(try_from = "…")]` refuse what does not fit.
///
/// ```
/// use stead_data::schemars::{self, JsonSchema};
/// use stead_data::Update;
///
/// # struct Cart;
/// #[derive(serde::Serialize, serde::Deserialize, JsonSchema)]
/// struct Item {
///     sku: String,
///     #[schemars(range(min = 1))]
///     quantity: u32,
/// }
///
/// let add: Update<Cart, Item, u64> = Update::new("add", 1);
/// let schema = add.schema();
/// assert_eq!(schema.input.as_value()["properties"]["quantity"]["minimum"], 1);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HandlerSchema {
    /// The name on the wire.
    pub name: &'static str,
    /// How many arguments it takes.
    pub arity: usize,
    /// The argument; with several, a list of them, which travel as a payload each.
    pub input: Schema,
    /// The result; of a signal, null.
    pub output: Schema,
}

fn schema<I: JsonSchema, O: JsonSchema>(name: &'static str, arity: usize) -> HandlerSchema {
    let generator = |settings: SchemaSettings| SchemaGenerator::new(settings);
    let input = generator(SchemaSettings::default()).into_root_schema_for::<I>();
    let output = generator(SchemaSettings::default().for_serialize()).into_root_schema_for::<O>();
    HandlerSchema { name, arity, input, output }
}

impl<W: ?Sized, I: JsonSchema, O: JsonSchema> WorkflowFn<W, I, O> {
    /// The schemas of the workflow's arguments and result.
    #[must_use]
    pub fn schema(&self) -> HandlerSchema {
        schema::<I, O>(self.name(), self.arity())
    }
}

impl<W: ?Sized, I: JsonSchema> Signal<W, I> {
    /// The schema of the signal's arguments.
    #[must_use]
    pub fn schema(&self) -> HandlerSchema {
        schema::<I, ()>(self.name(), self.arity())
    }
}

impl<W: ?Sized, I: JsonSchema, O: JsonSchema> Query<W, I, O> {
    /// The schemas of the query's arguments and answer.
    #[must_use]
    pub fn schema(&self) -> HandlerSchema {
        schema::<I, O>(self.name(), self.arity())
    }
}

impl<W: ?Sized, I: JsonSchema, O: JsonSchema> Update<W, I, O> {
    /// The schemas of the update's arguments and result.
    #[must_use]
    pub fn schema(&self) -> HandlerSchema {
        schema::<I, O>(self.name(), self.arity())
    }
}

impl<A: ?Sized, I: JsonSchema, O: JsonSchema, T> Activity<A, I, O, T> {
    /// The schemas of the activity's arguments and result.
    #[must_use]
    pub fn schema(&self) -> HandlerSchema {
        schema::<I, O>(self.name(), self.arity())
    }
}
