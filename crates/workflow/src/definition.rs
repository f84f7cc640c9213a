//! What `#[workflow]` implements: a workflow type as the executor sees it.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activation::{Payload, VersioningBehavior as Versioning};
use stead_data::{ConversionError, DataConverter};

use crate::context;
use crate::error::{Error, Result};
use crate::fail_on::FailOn;

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
    /// How many arguments `run` takes; [`DataConverter::ALL`] for a list of any length.
    const ARITY: usize;
    /// The arguments of `run`: `()`, the one argument, or a tuple.
    type Input: DeserializeOwned + 'static;
    /// What `run` returns.
    type Output: Serialize + 'static;
    /// Signals, queries and updates.
    const HANDLERS: &'static [Handler<Self>];
    /// What else the definition says. Default: nothing.
    const OPTIONS: WorkflowOptions = WorkflowOptions::NONE;
    /// What each run says of itself once its state is built. Default: what the definition says. Reads only.
    const CONFIG: Option<fn(&Self) -> Config> = None;

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
        /// Name on the wire; `None` for the handler of all signals that have none of their own.
        name: Option<&'static str>,
        /// What else the definition says.
        options: HandlerOptions,
        /// Decodes the arguments and returns the handler's future, not yet polled.
        call: SignalCall<W>,
    },
    /// Answers a query. Reads only.
    Query {
        /// Name on the wire; `None` for the handler of all queries that have none of their own.
        name: Option<&'static str>,
        /// What else the definition says.
        options: HandlerOptions,
        /// Decodes the arguments, answers, encodes.
        call: QueryCall<W>,
    },
    /// Takes an update.
    Update {
        /// Name on the wire; `None` for the handler of all updates that have none of their own.
        name: Option<&'static str>,
        /// What else the definition says.
        options: HandlerOptions,
        /// Says whether the update may run. Reads only.
        validate: Option<ValidateCall<W>>,
        /// Decodes the arguments and returns the handler's future, not yet polled.
        call: UpdateCall<W>,
    },
}

/// What the definition of a workflow says besides its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkflowOptions {
    /// Takes the types that no other workflow of the worker takes.
    pub dynamic: bool,
    /// What holds for its runs.
    pub config: Config,
}

impl WorkflowOptions {
    /// Nothing.
    pub const NONE: Self = Self { dynamic: false, config: Config::new() };

    /// These, of a workflow that takes the types that no other takes.
    pub const fn dynamic(mut self) -> Self {
        self.dynamic = true;
        self
    }

    /// These, with this for its runs.
    pub const fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }
}

/// What holds for the runs of a workflow: part of its definition, or what the `#[config]` method of a dynamic workflow
/// returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use = "it holds only where it is returned"]
#[non_exhaustive]
pub struct Config {
    /// Defects that fail the workflow, besides those of the worker. Default: none.
    pub fail_on: FailOn,
    /// How runs move to newer versions of their workers. Default: what the worker says.
    pub versioning: Option<Versioning>,
}

impl Config {
    /// Nothing besides what the worker says.
    pub const fn new() -> Self {
        Self { fail_on: FailOn::NOTHING, versioning: None }
    }

    /// These defects fail the workflow, besides those of the worker.
    pub const fn fail_on(mut self, defects: FailOn) -> Self {
        self.fail_on = self.fail_on.and(defects);
        self
    }

    /// How runs move to newer versions of their workers.
    pub const fn versioning(mut self, versioning: Versioning) -> Self {
        self.versioning = Some(versioning);
        self
    }
}

/// What the definition of a handler says besides its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandlerOptions {
    /// What it does, for people who look at the workflow.
    pub description: &'static str,
    /// What happens if the run ends while it runs. Means nothing to queries.
    pub unfinished: UnfinishedPolicy,
}

impl HandlerOptions {
    /// Nothing.
    pub const NONE: Self = Self { description: "", unfinished: UnfinishedPolicy::WarnAndAbandon };
}

/// What happens if a run ends while a signal or update handler of it is running: either way it stops where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnfinishedPolicy {
    /// A warning, because work may be left half done, and the caller of an update gets an error.
    #[default]
    WarnAndAbandon,
    /// Nothing.
    Abandon,
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
    name: &'a str,
    payloads: &'a [Payload],
    converter: &'a DataConverter,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(name: &'a str, payloads: &'a [Payload], converter: &'a DataConverter) -> Self {
        Self { name, payloads, converter }
    }

    /// Name of what was called, as it came over the wire.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Decodes `arity` arguments: `()` for none, a value for one, a tuple for several, and a list for
    /// [`DataConverter::ALL`].
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
