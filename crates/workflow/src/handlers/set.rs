//! Handlers that workflow code sets and takes away while it runs, and the signals that wait for one.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activation::{Payload, SignalReceived};
use stead_data::{ConversionError, DataConverter, Raw};

use super::{RESERVED, around_signal, builtin, log_undecodable};
use crate::call::HandlerCall;
use crate::context;
use crate::definition::{Arguments, UnfinishedPolicy, encode_with};
use crate::error::Result;
use crate::executor::Work;
use crate::program::{PayloadFuture, SignalFuture};
use crate::runtime::Runtime;

type Decoded<T> = std::result::Result<T, ConversionError>;
type SignalFn = Rc<dyn Fn(&Arguments<'_>) -> Decoded<SignalFuture>>;
type QueryFn = Rc<dyn Fn(&Arguments<'_>) -> Decoded<Result<Payload>>>;
type ValidateFn = Rc<dyn Fn(&Arguments<'_>) -> Decoded<Result<()>>>;
type UpdateFn = Rc<dyn Fn(&Arguments<'_>) -> Decoded<PayloadFuture>>;

/// What a run has set, and what most runs never have.
#[derive(Default)]
pub(crate) struct SetHandlers {
    pub(super) signals: Table<SignalFn>,
    pub(super) queries: Table<QueryFn>,
    pub(super) updates: Table<SetUpdate>,
    waiting: Vec<SignalReceived>,
    pub(super) details: String,
}

#[derive(Clone)]
pub(super) struct SetUpdate {
    pub(super) validate: Option<ValidateFn>,
    pub(super) call: UpdateFn,
}

/// Handlers by their names, `None` being the dynamic one. A handler of `None` was taken away.
pub(super) struct Table<H>(BTreeMap<Option<Box<str>>, Option<H>>);

/// What run time says of a name.
pub(super) enum Slot<H> {
    Set(H),
    Removed,
    /// The definition holds.
    Untouched,
}

impl<H> Default for Table<H> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<H: Clone> Table<H> {
    pub(super) fn slot(&self, name: Option<&str>) -> Slot<H> {
        match self.0.get(&name.map(Box::from)) {
            Some(Some(handler)) => Slot::Set(handler.clone()),
            Some(None) => Slot::Removed,
            None => Slot::Untouched,
        }
    }

    fn put(&mut self, name: Option<&str>, handler: Option<H>) {
        self.0.insert(name.map(Box::from), handler);
    }

    /// The names that were set or taken away, and whether they were set.
    pub(super) fn names(&self) -> impl Iterator<Item = (Option<&str>, bool)> {
        self.0.iter().map(|(name, handler)| (name.as_deref(), handler.is_some()))
    }
}

/// A function of up to six arguments, each of which travels as a payload, that gives `R`. Closures and functions are.
pub trait HandlerFn<A, R>: sealed::Sealed<A, R> + 'static {
    #[doc(hidden)]
    fn call(&self, arguments: &Arguments<'_>) -> std::result::Result<R, ConversionError>;
}

mod sealed {
    pub trait Sealed<A, R> {}
}

macro_rules! handler_fn {
    ($arity:literal, $($argument:ident)*) => {
        impl<F: Fn($($argument),*) -> R, R, $($argument),*> sealed::Sealed<($($argument,)*), R> for F {}

        impl<F, R, $($argument),*> HandlerFn<($($argument,)*), R> for F
        where
            F: Fn($($argument),*) -> R + 'static,
            $($argument: DeserializeOwned,)*
        {
            #[allow(non_snake_case, unused_parens, clippy::let_unit_value)]
            fn call(&self, arguments: &Arguments<'_>) -> std::result::Result<R, ConversionError> {
                let ($($argument),*) = arguments.decode::<($($argument),*)>($arity)?;
                Ok(self($($argument),*))
            }
        }
    };
}

handler_fn!(0,);
handler_fn!(1, A1);
handler_fn!(2, A1 A2);
handler_fn!(3, A1 A2 A3);
handler_fn!(4, A1 A2 A3 A4);
handler_fn!(5, A1 A2 A3 A4 A5);
handler_fn!(6, A1 A2 A3 A4 A5 A6);

/// Sets the handler of a signal, in the place of any before. Signals of that name that have come already are handled
/// first, in their order, once the code that calls this waits.
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
/// use stead_workflow as workflow;
///
/// fn collect(log: Rc<RefCell<Vec<String>>>) {
///     workflow::on_signal("say", move |word: String, times: usize| {
///         log.borrow_mut().push(word.repeat(times));
///         async { Ok(()) }
///     });
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code; in queries, validators and conditions; for a name that is reserved for the SDK.
#[track_caller]
pub fn on_signal<A, F>(name: &str, handler: impl HandlerFn<A, F>)
where
    F: Future<Output = Result<()>> + 'static,
{
    let runtime = writable("set a signal handler", Some(name));
    set_signal(&runtime, Some(name), Rc::new(move |arguments| Ok(Box::pin(handler.call(arguments)?))));
}

/// Sets the handler of the signals that have no other: it gets the signal's name and its arguments, which
/// [`decode`](crate::decode) reads. Those that have come already are handled first, in their order.
///
/// ```
/// use stead_workflow as workflow;
///
/// fn listen() {
///     workflow::on_signal_dynamic(|name, arguments| async move {
///         let amount: u32 = workflow::decode(&arguments[0])?;
///         tracing::info!(name, amount, "signalled");
///         Ok(())
///     });
/// }
/// ```
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn on_signal_dynamic<F>(handler: impl Fn(String, Vec<Raw>) -> F + 'static)
where
    F: Future<Output = Result<()>> + 'static,
{
    let runtime = writable("set a signal handler", None);
    set_signal(&runtime, None, Rc::new(move |arguments| Ok(Box::pin(dynamic(&handler, arguments)?))));
}

/// Sets the handler of a query, in the place of any before.
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn on_query<A, T: Serialize>(name: &str, handler: impl HandlerFn<A, Result<T>>) {
    let runtime = writable("set a query handler", Some(name));
    let handler: QueryFn = Rc::new(move |arguments| Ok(encode(arguments, handler.call(arguments)?)));
    runtime.with_set_handlers(|sets| sets.queries.put(Some(name), Some(handler)));
}

/// Sets the handler of the queries that have no other. See [`on_signal_dynamic`].
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn on_query_dynamic<T: Serialize>(handler: impl Fn(String, Vec<Raw>) -> Result<T> + 'static) {
    let runtime = writable("set a query handler", None);
    let handler: QueryFn = Rc::new(move |arguments| Ok(encode(arguments, dynamic(&handler, arguments)?)));
    runtime.with_set_handlers(|sets| sets.queries.put(None, Some(handler)));
}

/// Sets the handler of an update, in the place of any before.
///
/// Unlike a signal, an update does not wait for its handler: one that comes earlier is rejected, and its caller hears
/// which updates are known. An update that comes with the start of the run is looked up before `run` is first polled, so
/// set handlers that must not miss one in `#[init]`; or let the definition have the handler, and wait in it for what it
/// needs.
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn on_update<A, T, F>(name: &str, handler: impl HandlerFn<A, F>)
where
    T: Serialize,
    F: Future<Output = Result<T>> + 'static,
{
    let runtime = writable("set an update handler", Some(name));
    set_update(&runtime, Some(name), None, move |arguments| handler.call(arguments));
}

/// Sets the handler of an update with a validator, which takes the same arguments, reads only, and rejects the update
/// with its error.
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn on_update_validated<A, T, F>(name: &str, validator: impl HandlerFn<A, Result<()>>, handler: impl HandlerFn<A, F>)
where
    T: Serialize,
    F: Future<Output = Result<T>> + 'static,
{
    let runtime = writable("set an update handler", Some(name));
    let validate: ValidateFn = Rc::new(move |arguments| validator.call(arguments));
    set_update(&runtime, Some(name), Some(validate), move |arguments| handler.call(arguments));
}

/// Sets the handler of the updates that have no other. See [`on_signal_dynamic`].
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn on_update_dynamic<T, F>(handler: impl Fn(String, Vec<Raw>) -> F + 'static)
where
    T: Serialize,
    F: Future<Output = Result<T>> + 'static,
{
    let runtime = writable("set an update handler", None);
    set_update(&runtime, None, None, move |arguments| dynamic(&handler, arguments));
}

/// Takes the handler of a signal away, that of the definition too. Signals of that name go to the dynamic handler, or
/// wait for one.
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn off_signal(name: &str) {
    let runtime = writable("remove a signal handler", Some(name));
    runtime.with_set_handlers(|sets| sets.signals.put(Some(name), None));
}

/// Takes the dynamic handler of signals away.
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn off_signal_dynamic() {
    let runtime = writable("remove a signal handler", None);
    runtime.with_set_handlers(|sets| sets.signals.put(None, None));
}

/// Takes the handler of a query away, that of the definition too.
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn off_query(name: &str) {
    let runtime = writable("remove a query handler", Some(name));
    runtime.with_set_handlers(|sets| sets.queries.put(Some(name), None));
}

/// Takes the dynamic handler of queries away.
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn off_query_dynamic() {
    let runtime = writable("remove a query handler", None);
    runtime.with_set_handlers(|sets| sets.queries.put(None, None));
}

/// Takes the handler of an update away, that of the definition too.
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn off_update(name: &str) {
    let runtime = writable("remove an update handler", Some(name));
    runtime.with_set_handlers(|sets| sets.updates.put(Some(name), None));
}

/// Takes the dynamic handler of updates away.
///
/// # Panics
///
/// As [`on_signal`] does.
#[track_caller]
pub fn off_update_dynamic() {
    let runtime = writable("remove an update handler", None);
    runtime.with_set_handlers(|sets| sets.updates.put(None, None));
}

/// Says, for people who look at the workflow, what it is at: the web interface shows it. Markdown is welcome.
///
/// # Panics
///
/// Outside of workflow code; in queries, validators and conditions.
#[track_caller]
pub fn set_current_details(text: impl Into<String>) {
    let runtime = writable("set the current details", None);
    runtime.with_set_handlers(|sets| sets.details = text.into());
}

/// What [`set_current_details`] set last.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn current_details() -> String {
    context::current().set_handlers(|sets| sets.details.clone()).unwrap_or_default()
}

#[track_caller]
fn writable(action: &str, name: Option<&str>) -> Rc<Runtime> {
    let runtime = context::current();
    runtime.assert_writable(action);
    if let Some(name) = name {
        let is_reserved = name.starts_with(RESERVED) || builtin::NAMES.contains(&name);
        assert!(!is_reserved, "the name `{name}` is reserved for the SDK");
    }
    runtime
}

fn dynamic<R>(handler: &impl Fn(String, Vec<Raw>) -> R, arguments: &Arguments<'_>) -> Decoded<R> {
    let all = arguments.decode(DataConverter::ALL)?;
    Ok(handler(arguments.name().to_owned(), all))
}

fn encode<T: Serialize>(arguments: &Arguments<'_>, result: Result<T>) -> Result<Payload> {
    arguments.encode(&result?)
}

fn set_update<T, F>(
    runtime: &Runtime,
    name: Option<&str>,
    validate: Option<ValidateFn>,
    call: impl Fn(&Arguments<'_>) -> Decoded<F> + 'static,
) where
    T: Serialize,
    F: Future<Output = Result<T>> + 'static,
{
    let call: UpdateFn = Rc::new(move |arguments| {
        let (future, converter) = (call(arguments)?, arguments.converter());
        Ok(Box::pin(async move { encode_with(&converter, &future.await?) }))
    });
    runtime.with_set_handlers(|sets| sets.updates.put(name, Some(SetUpdate { validate, call })));
}

fn set_signal(runtime: &Rc<Runtime>, name: Option<&str>, handler: SignalFn) {
    let waited: Vec<_> = runtime.with_set_handlers(|sets| {
        sets.signals.put(name, Some(Rc::clone(&handler)));
        let all = std::mem::take(&mut sets.waiting);
        let (waited, waiting) = all
            .into_iter()
            .partition(|signal| name.map_or(!signal.name.starts_with(RESERVED), |name| signal.name == name));
        sets.waiting = waiting;
        waited
    });
    for signal in waited {
        match handler(&Arguments::new(&signal.name, &signal.input, runtime.converter())) {
            Ok(future) => {
                let future = around_signal(runtime, &signal, future);
                let call = HandlerCall::signal(signal.name, UnfinishedPolicy::default());
                runtime.start_handler(call, Work::Signal(future));
            }
            Err(problem) => log_undecodable(runtime, &signal.name, &problem),
        }
    }
}

/// Keeps a signal until there is a handler for it.
pub(super) fn keep(runtime: &Runtime, signal: SignalReceived) {
    let is_first = runtime.with_set_handlers(|sets| sets.waiting.iter().all(|other| other.name != signal.name));
    if is_first && !runtime.moment().is_replaying {
        tracing::warn!(
            target: "stead::workflow",
            workflow_id = runtime.info().workflow_id(),
            run_id = runtime.info().run_id(),
            workflow_type = runtime.info().workflow_type(),
            signal = signal.name,
            "no handler for this signal; it waits for one, as will others of its name",
        );
    }
    runtime.with_set_handlers(|sets| sets.waiting.push(signal));
}
