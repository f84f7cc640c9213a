//! What `#[workflow]` implements: a workflow type as the executor sees it.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activation::Payload;
use stead_data::{ConversionError, DataConverter};

use crate::context;
use crate::error::{Error, Result};

/// A boxed future that stays on its thread.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A workflow type. Implemented by `#[workflow]`, not by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "not a workflow",
    note = "add `#[workflow]` to its impl block"
)]
pub trait Workflow: Sized + 'static {
    /// Name of the type on the wire.
    const NAME: &'static str;
    /// How many arguments `run` takes.
    const ARITY: usize;
    /// The arguments of `run`: `()`, the one argument, or a tuple.
    type Input: DeserializeOwned + 'static;
    /// What `run` returns.
    type Output: Serialize + 'static;
    /// Signals, queries and updates.
    const HANDLERS: &'static [Handler<Self>];

    /// Builds the state before any handler runs.
    fn init(input: &Self::Input) -> Self;

    /// The workflow's own code.
    fn run(self: Rc<Self>, input: Self::Input) -> LocalBoxFuture<'static, Result<Self::Output>>;
}

/// One handler of a workflow.
///
/// Exhaustive on purpose: a new kind of handler must break the executor at compile time.
pub enum Handler<W> {
    /// Takes a signal.
    Signal {
        /// Name on the wire.
        name: &'static str,
        /// Decodes the arguments and returns the handler's future, not yet polled.
        call: SignalCall<W>,
    },
    /// Answers a query. Reads only.
    Query {
        /// Name on the wire.
        name: &'static str,
        /// Decodes the arguments, answers, encodes.
        call: QueryCall<W>,
    },
    /// Takes an update.
    Update {
        /// Name on the wire.
        name: &'static str,
        /// Says whether the update may run. Reads only.
        validate: Option<ValidateCall<W>>,
        /// Decodes the arguments and returns the handler's future, not yet polled.
        call: UpdateCall<W>,
    },
}

/// Calls a signal handler.
pub type SignalCall<W> =
    fn(Rc<W>, &Arguments<'_>) -> std::result::Result<LocalBoxFuture<'static, Result<()>>, ConversionError>;
/// Calls a query handler.
pub type QueryCall<W> = fn(&W, &Arguments<'_>) -> std::result::Result<Result<Payload>, ConversionError>;
/// Calls an update's validator.
pub type ValidateCall<W> = fn(&W, &Arguments<'_>) -> std::result::Result<Result<()>, ConversionError>;
/// Calls an update handler.
pub type UpdateCall<W> =
    fn(Rc<W>, &Arguments<'_>) -> std::result::Result<LocalBoxFuture<'static, Result<Payload>>, ConversionError>;

/// The encoded arguments of a call, and the converter that reads them.
#[derive(Clone, Copy)]
pub struct Arguments<'a> {
    payloads: &'a [Payload],
    converter: &'a DataConverter,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(payloads: &'a [Payload], converter: &'a DataConverter) -> Self {
        Self { payloads, converter }
    }

    /// Decodes `arity` arguments: `()` for none, a value for one, a tuple for several.
    ///
    /// # Errors
    ///
    /// A [`ConversionError`] that names the argument and the type that was wanted.
    pub fn decode<T: DeserializeOwned>(&self, arity: usize) -> std::result::Result<T, ConversionError> {
        self.converter.from_payloads(self.payloads, arity)
    }

    /// Encodes the answer of a handler.
    ///
    /// # Errors
    ///
    /// If the value cannot be encoded, which also fails the workflow task, or the query.
    pub fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Payload> {
        encode_with(self.converter, value)
    }

    /// The converter, for futures that encode later.
    pub fn converter(&self) -> DataConverter {
        self.converter.clone()
    }
}

/// Encodes `value`. A value that cannot be encoded is a bug: it fails the workflow task (or the query), not the
/// workflow.
///
/// # Errors
///
/// If the value cannot be encoded.
pub fn encode_with<T: Serialize + ?Sized>(converter: &DataConverter, value: &T) -> Result<Payload> {
    converter.to_payload(value).map_err(|error| {
        let failure = crate::error::conversion("Failed encoding the result", &error);
        context::try_with(|runtime| runtime.fail_task(failure.clone()));
        Error::from(failure)
    })
}
