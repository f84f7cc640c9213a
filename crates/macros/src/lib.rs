//! Macros of the stead SDK for Temporal.
//!
//! This file is the table of contents; users find the macros re-exported by `stead`. The road through the crate is
//! `parse` (tokens to syntax), `model` (syntax to meaning), `validate` (what a user may have got wrong), `expand`
//! (meaning to code), and on a mistake `fallback` (as much code as keeps one mistake at one message). `lint` looks for
//! calls that workflow code must not make.
//!
//! # Typed references next to plain methods
//!
//! An inherent constant and an inherent method cannot share a name, but an inherent constant and a *trait's* method
//! can: paths (`Order::pay`) prefer inherent items, and method calls (`order.pay(p)`) do not see constants. So handlers
//! move into a generated trait, `OrderMethods`, and constants of the same names take their place:
//!
//! - `Order::pay` is a `Signal<Order, Payment>`; an editor that is asked for its definition goes to the method.
//! - `order.pay(p)` and `self.pay(p)` call the method, as ever. Another module imports `OrderMethods` first.
//! - `Order::pay(&order, p)` is not available, since `Order::pay` is the constant.
//!
//! # Paths
//!
//! The code that is written names everything through `::stead::__private`. Those who depend on single crates say which
//! one stands in: `#[workflow(crate = stead_workflow)]`, `#[activities(crate = stead_activity)]`,
//! `#[contract(crate = stead_data)]`, `#[failure(crate = stead_data)]`.

mod expand;
mod fallback;
mod lint;
mod model;
mod parse;
mod validate;

use proc_macro::TokenStream;

/// Makes a type a workflow.
///
/// It goes on the one impl block that holds the handlers:
///
/// ```ignore
/// use stead::prelude::*;
///
/// #[derive(Default)]
/// struct Order {
///     paid: Cell<bool>,
/// }
///
/// #[workflow]
/// impl Order {
///     #[run]
///     async fn run(&self, input: OrderInput) -> workflow::Result<Receipt> {
///         workflow::wait_until(|| self.paid.get()).await?;
///         Ok(Receipt { no: 1 })
///     }
///
///     #[signal]
///     fn pay(&self, payment: Payment) {
///         self.paid.set(payment.amount >= 3);
///     }
///
///     #[query]
///     fn is_paid(&self) -> bool {
///         self.paid.get()
///     }
/// }
/// ```
///
/// # Options
///
/// The workflow type is the name of the Rust type, unless `#[workflow("Name")]` or `#[workflow(name = "Name")]` says
/// otherwise. A name may be any constant expression, such as `name = T::NAME` in a generic impl block, and for handlers
/// likewise. `crate = path` says where the SDK is found, if not at `::stead`.
///
/// `versioning = pinned` keeps a run on the version of its workers on which it started, `versioning = auto_upgrade` lets
/// it go on with the current one; it matters to workers that have a version. `fail_on(panics, nondeterminism,
/// undecodable)`, or `fail_on(anything)`, names the defects that fail the workflow instead of its workflow task.
///
/// `#[workflow(dynamic)]` takes the types that no other workflow of the worker takes: its `run` gets
/// `arguments: Vec<workflow::Raw>`, and `workflow::info().workflow_type()` says what was started. A method
/// `#[config] fn config(&self) -> workflow::Config` says for each of its runs what the options above say for all.
///
/// # Methods
///
/// | attribute | method |
/// |---|---|
/// | `#[run]` | exactly one, `async`; its arguments are the workflow's input |
/// | `#[init]` | at most one; takes the arguments of `run` by reference (or none) and returns `Self`. Without it the type implements `Default` |
/// | `#[config]` | at most one, in a dynamic workflow; takes `&self`, only reads, and returns `workflow::Config` |
/// | `#[signal]` | `async` or not |
/// | `#[query]` | not `async`, takes `&self` |
/// | `#[update]` | `async` or not; `#[update(validator = check)]` names a method with the same arguments by reference |
///
/// `name = ".."` renames a signal, query or update on the wire. What people who look at the workflow read about it is
/// `description = ".."`, or else the first paragraph of its documentation. A signal or update that may be running when
/// the workflow ends says `unfinished = abandon`, and nobody is warned of it. `dynamic` makes a handler take all signals
/// (queries, updates) that have no handler of their own: `fn any(&self, name: String, arguments: Vec<workflow::Raw>)`, and
/// `workflow::decode` reads the arguments.
///
/// Handlers take `&self`, or `self: Rc<Self>` where a
/// spawned task needs to keep it, and own their arguments; several arguments travel as a payload each, and callers pass
/// a tuple. They return a value, or a `Result` of one; a type alias of a `Result` must end in `Result` and have the
/// value as its first parameter, as `workflow::Result<T>` does. Methods without an attribute are helpers and stay as
/// they are.
///
/// # Contracts
///
/// `#[workflow] impl ShippingHandlers for MyShipping` implements a contract (see [`macro@contract`]): names come from
/// it, and the compiler checks completeness and types. `#[init]` and helpers may stand in the same block.
///
/// # Determinism
///
/// Calls that would differ when the code is replayed (clocks, randomness, threads, I/O, `tokio::select!` …) are errors
/// that name what to use instead, and hash maps, which iterate in random order, are warnings. Both look at the text of
/// this block only. Where such a call is harmless, `workflow::nondeterministic! { .. }` lets it pass, and
/// `#[allow(deprecated)]` on the method silences the warnings.
#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::workflow::attribute(arguments.into(), item.into()).into()
}

/// Makes the methods of a type activities.
///
/// ```ignore
/// use stead::prelude::*;
///
/// struct Payments {
///     db: Db,
/// }
///
/// #[activities]
/// impl Payments {
///     #[activity]
///     async fn charge(&self, order: Order) -> activity::Result<Receipt> {
///         Ok(self.db.charge(&order).await?)
///     }
///
///     #[activity(name = "resize-image", errors(TooLarge))]
///     fn resize(&self, width: u32, height: u32) -> activity::Result<Image> {
///         Ok(Image::new(width, height)?)
///     }
/// }
/// ```
///
/// `Payments::charge` is then a typed reference to call the activity with, and `payments.charge(order)` still the
/// method (see the note on `PaymentsMethods` at the top of this crate). An `async` activity runs on the asynchronous
/// runtime and must be `Send`; one that is not `async` runs on the blocking pool.
///
/// `#[activity]` methods take `&self`, `self: Arc<Self>` or no `self`, own their arguments, and return a value or a
/// `Result` of one. Methods without the attribute are helpers and stay as they are.
///
/// # Options
///
/// - `#[activity(name = "..")]`: the activity type, if not the method's name.
/// - `#[activity(errors(A, B))]`: error types that derive [`macro@IntoFailure`] and that `?` may put into an
///   `activity::Error`. They reach the caller with their type and fields.
/// - `#[activity(start_to_close = "30s", retry(max_attempts = 5))]`: options of all calls that do not set them
///   themselves. With `start_to_close` or `schedule_to_close` a call needs no timeout of its own. There are
///   `start_to_close`, `schedule_to_close`, `schedule_to_start`, `heartbeat` (durations: `ms`, `s`, `m`, `h`, `d`),
///   `task_queue` (a string or a constant) and `retry(initial_interval = "1s", backoff = 2.0, max_interval = "1m",
///   max_attempts = 5, non_retryable("TypeName"))`. They belong to the reference, so they reach workflows that name
///   it, not those that call the activity by its name.
/// - `#[activity(dynamic)]`: takes the types that no other activity of the worker takes, as
///   `arguments: Vec<activity::Raw>`, which `activity::decode` reads; `activity::info().activity_type` says what was called.
///   A worker has at most one, and there is no reference to it: callers name a type.
/// - `#[activity(process)]`: each attempt runs in a process of its own, so that a crash or an exit ends that attempt and
///   nothing else. The method takes no `self` and is not `async`; `main` begins with `activity::process::Host`, whose
///   module says more.
/// - `#[activities(part = 2)]`: a type may have several blocks. The first one is plain, the others are numbered from 2
///   on, without a gap. Registering the type registers all of them. The methods of part 2 are in `PaymentsMethods2`.
/// - `#[activities(crate = path)]`: where the SDK is found, if not at `::stead`.
#[proc_macro_attribute]
pub fn activities(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::activities::attribute(arguments.into(), item.into()).into()
}

/// Makes a function a test on a server of its own.
///
/// ```ignore
/// #[stead::test]
/// async fn unpaid_orders_fail(env: TestEnv) -> stead::Result<()> {
///     let _worker = env.worker().workflow::<Order>().start().await?;
///     let order = env.start(Order::run, "ada").await?;
///     assert!(order.result().await.is_err());
///     assert_eq!(env.elapsed(), hours(1));
///     Ok(())
/// }
/// ```
///
/// The server is in this process, knows nothing of other tests and skips time. The function may return anything that a
/// test may.
///
/// # Options
///
/// - `#[stead::test(crate = path)]`: where the SDK is found, if not at `::stead`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::test::attribute(arguments.into(), item.into()).into()
}

/// Declares what a workflow or activities look like from outside, apart from their code.
///
/// A crate of contracts needs `stead` with `default-features = false, features = ["contract"]` only.
///
/// ```ignore
/// #[contract("Shipping")]
/// pub trait Shipping {
///     #[run]
///     fn run(&self, order: String) -> Receipt;
///     #[signal]
///     fn hold(&self, why: String);
///     #[query]
///     fn held(&self) -> bool;
/// }
/// ```
///
/// The trait becomes a type, `Shipping`, whose constants are the typed references (`Shipping::run`, `Shipping::hold`),
/// and, if it has a `#[run]`, a trait `ShippingHandlers` that a worker implements with
/// `#[workflow] impl ShippingHandlers for MyShipping`.
///
/// Methods are written with the value that a caller gets: an implementation may return it or a `Result` of it. `run` is
/// always `async` there; signals and updates are if the contract says `async fn`. A method takes `&self`, or
/// `self: Rc<Self>` if implementations need to keep it.
///
/// `#[activity]` methods (which other programs implement, in any language) become references as well.
/// Options of calls, such as `start_to_close = "30s"`, stand in the contract (see [`macro@activities`]).
/// `name = ".."` on a method and on the contract gives the name on the wire; `crate = path` says where the SDK is
/// found, if not at `::stead`.
#[proc_macro_attribute]
pub fn contract(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::contract::attribute(arguments.into(), item.into()).into()
}

/// Declares a Nexus service, or serves one.
///
/// On a trait it declares what callers and handlers have in common, in a crate that both depend on (features = `contract`
/// is enough):
///
/// ```ignore
/// #[nexus_service]
/// pub trait Billing {
///     #[operation]
///     async fn charge(&self, payment: Payment) -> Receipt;
///     #[operation(name = "Refund")]
///     async fn refund(&self, receipt: Receipt) -> Refunded;
/// }
/// ```
///
/// The trait becomes a type, `Billing`, whose constants are the references that callers name
/// (`workflow::nexus::<Billing>("endpoint").call(Billing::charge, &payment)`), and a trait `BillingHandlers` that a
/// worker implements. A handler gives the value itself, or says what will: `nexus::Started`; both in a `Result` or not.
///
/// ```ignore
/// #[nexus_service]
/// impl BillingHandlers for MyBilling {
///     #[operation(errors(Declined))]
///     async fn charge(&self, payment: Payment) -> nexus::Result<Receipt> {
///         Ok(self.db.charge(&payment).await?)
///     }
///
///     #[operation]
///     async fn refund(&self, receipt: Receipt) -> nexus::Result<nexus::Started<Refunded>> {
///         nexus::start(nexus::client().start_workflow(Refund::run, &receipt).id(format!("refund-{}", receipt.no))).await
///     }
/// }
/// ```
///
/// On a plain impl block it does both: `Billing::charge` is then the reference, and `billing.charge(payment)` still the
/// method (see the note on `OrderMethods` at the top of this crate).
///
/// An operation takes `&self` or `self: Arc<Self>`, and one input or none. An `async` one runs on the asynchronous runtime
/// and must be `Send`; one that is not `async` runs on the blocking pool. Methods without the attribute are helpers.
///
/// # Options
///
/// - `#[nexus_service("Name")]` or `name = ".."`: the service on the wire, if not the name of the trait or the type.
///   `crate = path` says where the SDK is found, if not at `::stead`.
/// - `#[operation(name = "..")]`: the operation on the wire, if not the method's name.
/// - `#[operation(errors(A, B))]`: error types that derive [`macro@IntoFailure`] and that `?` may put into a
///   `nexus::Error`. They fail the operation for good and reach the caller with their type and fields; other errors fail
///   the request, which the server may repeat.
/// - `#[operation(cancel = method)]`: a method of the same block, `async` or not, that takes `&self` and a
///   `nexus::OperationToken` and returns a `nexus::Result<()>`. By default the workflow or the activity behind the operation is
///   cancelled.
#[proc_macro_attribute]
pub fn nexus_service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::nexus::attribute(arguments.into(), item.into()).into()
}

/// Makes an error type an application failure, and back.
///
/// ```ignore
/// #[derive(Debug, thiserror::Error, IntoFailure)]
/// enum OrderError {
///     #[error("not paid in time")]
///     Unpaid,
///     #[error("no such item {sku}")]
///     #[failure(non_retryable)]
///     UnknownItem { sku: String },
/// }
/// ```
///
/// The failure's message is what `Display` writes, its type the name of the variant (of the struct, for a struct), and
/// its details one JSON object of the fields; fields of a tuple are called `0`, `1` … On the other side,
/// `error.application::<OrderError>()` gives the variant again, by that type name and from those details.
///
/// The type implements `Display`, and its fields serde's `Serialize` and `DeserializeOwned`; `#[serde(..)]` attributes
/// of fields are honoured.
///
/// # Options
///
/// On a variant or a struct, and but for `type` on a whole enum:
///
/// - `#[failure(type = "..")]`: another type name.
/// - `#[failure(non_retryable)]`: the server does not retry.
/// - `#[failure(next_retry_delay = "1m30s")]`: how long the server waits before the next attempt; units are `ms`, `s`,
///   `m`, `h` and `d`.
/// - `#[failure(benign)]`: an expected outcome, which is neither logged nor counted as a failure.
/// - `#[failure(crate = path)]`, on the type: where the SDK is found, if not at `::stead`.
#[proc_macro_derive(IntoFailure, attributes(failure, serde))]
pub fn into_failure(item: TokenStream) -> TokenStream {
    expand::failure::derive(item.into()).into()
}
