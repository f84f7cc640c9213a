//! Typed references to handlers: a name on the wire and the types that go with it.
//!
//! The macros emit one constant for each handler (`Order::pay`). A reference is a name, a number and no data, so it is
//! `Copy` and asks nothing of the types it mentions.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;

use crate::Payload;
use crate::activity_defaults::{ActivityDefaults, Unbounded};
use crate::convert::{ConversionError, DataConverter, Raw};
use crate::nexus::NexusService;

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident<$owner:ident $(, $type:ident)*>) => {
        $(#[$doc])*
        pub struct $name<$owner: ?Sized, $($type),*> {
            name: &'static str,
            arity: usize,
            types: PhantomData<(fn(&$owner), $(fn() -> $type),*)>,
        }

        impl<$owner: ?Sized, $($type),*> $name<$owner, $($type),*> {
            /// Refers to the handler that is called `name` on the wire and takes `arity` arguments.
            #[must_use]
            pub const fn new(name: &'static str, arity: usize) -> Self {
                Self { name, arity, types: PhantomData }
            }

            /// The name on the wire.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                self.name
            }

            /// How many arguments the handler takes: each travels as a payload of its own.
            #[must_use]
            pub const fn arity(&self) -> usize {
                self.arity
            }
        }

        impl<$owner: ?Sized, $($type),*> Clone for $name<$owner, $($type),*> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$owner: ?Sized, $($type),*> Copy for $name<$owner, $($type),*> {}

        impl<$owner: ?Sized, $($type),*> fmt::Debug for $name<$owner, $($type),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.name)
            }
        }
    };
}

reference! {
    /// Reference to a workflow `W` that takes `I` and returns `O`. Its name is the workflow type.
    WorkflowFn<W, I, O>
}
reference! {
    /// Reference to a signal of the workflow `W`.
    Signal<W, I>
}
reference! {
    /// Reference to a query of the workflow `W` that answers `O`.
    Query<W, I, O>
}
reference! {
    /// Reference to an update of the workflow `W` that returns `O`.
    Update<W, I, O>
}

reference! {
    /// Reference to an operation of the Nexus service `S` that takes `I` and gives `O`.
    Operation<S, I, O>
}

impl<S: NexusService + ?Sized, I, O> Operation<S, I, O> {
    /// The name of the service on the wire.
    #[must_use]
    pub const fn service(&self) -> &'static str {
        S::NAME
    }
}

/// Reference to an activity of `A` that takes `I` and returns `O`. Its name is the activity type. `T` says whether its
/// definition sets a timeout that bounds it.
pub struct Activity<A: ?Sized, I, O, T = Unbounded> {
    name: &'static str,
    arity: usize,
    defaults: Option<fn() -> ActivityDefaults<T>>,
    types: ActivityTypes<A, I, O>,
}

/// What a reference mentions and does not hold.
type ActivityTypes<A, I, O> = PhantomData<fn(&A) -> (I, O)>;

impl<A: ?Sized, I, O> Activity<A, I, O> {
    /// Refers to the activity that is called `name` on the wire and takes `arity` arguments.
    #[must_use]
    pub const fn new(name: &'static str, arity: usize) -> Self {
        Self { name, arity, defaults: None, types: PhantomData }
    }

    /// The same with options for all calls that do not say otherwise.
    #[must_use]
    pub const fn with_defaults<T>(self, defaults: fn() -> ActivityDefaults<T>) -> Activity<A, I, O, T> {
        Activity { name: self.name, arity: self.arity, defaults: Some(defaults), types: PhantomData }
    }
}

impl<A: ?Sized, I, O, T> Activity<A, I, O, T> {
    /// The name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How many arguments the activity takes: each travels as a payload of its own.
    #[must_use]
    pub const fn arity(&self) -> usize {
        self.arity
    }

    /// What the definition says about calls.
    #[must_use]
    pub fn defaults(&self) -> Option<ActivityDefaults<T>> {
        self.defaults.map(|defaults| defaults())
    }
}

impl<A: ?Sized, I, O, T> Clone for Activity<A, I, O, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: ?Sized, I, O, T> Copy for Activity<A, I, O, T> {}

impl<A: ?Sized, I, O, T> fmt::Debug for Activity<A, I, O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Activity({:?})", self.name)
    }
}

/// A workflow as its callers see it: a name, an input and an output.
///
/// `#[workflow]` and `#[contract]` implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    note = "add `#[workflow]` to its impl block, or declare it with `#[contract]`"
)]
pub trait WorkflowType {
    /// The workflow type on the wire.
    const NAME: &'static str;
    /// What it takes; a tuple if it takes several arguments.
    type Input;
    /// What it returns.
    type Output;
}

/// A workflow, or a Nexus service, of which only the name is known, when it is started or asked for by name.
#[derive(Debug)]
pub enum Untyped {}

impl NexusService for Untyped {
    const NAME: &'static str = "";
}

impl WorkflowType for Untyped {
    const NAME: &'static str = "";
    type Input = Raw;
    type Output = Raw;
}

/// What may be passed where a handler takes `I`: `I`, `&I`, `&str` for a `String`, a slice for a `Vec`.
///
/// Several arguments are a tuple, none are `()`.
#[diagnostic::on_unimplemented(
    message = "this handler takes `{I}`, but `{Self}` was passed",
    label = "expected `{I}` (or `&{I}`)",
    note = "several arguments are passed as a tuple: `(a, b)`; none as `()`"
)]
pub trait Arg<I> {
    /// Encodes the value as the arguments of a handler that takes `arity` of them.
    ///
    /// # Errors
    ///
    /// When a value refuses to be serialized, or is not a tuple of `arity` elements.
    fn encode(&self, converter: &DataConverter, arity: usize) -> Result<Vec<Payload>, ConversionError>;
}

impl<I: Serialize> Arg<I> for I {
    fn encode(&self, converter: &DataConverter, arity: usize) -> Result<Vec<Payload>, ConversionError> {
        converter.to_payloads(self, arity)
    }
}

impl<I: Serialize> Arg<I> for &I {
    fn encode(&self, converter: &DataConverter, arity: usize) -> Result<Vec<Payload>, ConversionError> {
        converter.to_payloads(*self, arity)
    }
}

impl Arg<String> for &str {
    fn encode(&self, converter: &DataConverter, arity: usize) -> Result<Vec<Payload>, ConversionError> {
        converter.to_payloads(*self, arity)
    }
}

impl<T: Serialize> Arg<Vec<T>> for &[T] {
    fn encode(&self, converter: &DataConverter, arity: usize) -> Result<Vec<Payload>, ConversionError> {
        converter.to_payloads(*self, arity)
    }
}

/// What a handler that is declared to give `T` may return: `T` itself, or a `Result` of it.
pub trait Returns<T> {
    /// The error, [`Infallible`] if there is none.
    type Error;

    /// The value as a result.
    ///
    /// # Errors
    ///
    /// The handler's own error.
    fn into_result(self) -> Result<T, Self::Error>;
}

impl<T> Returns<T> for T {
    type Error = Infallible;

    fn into_result(self) -> Result<T, Infallible> {
        Ok(self)
    }
}

impl<T, E> Returns<T> for Result<T, E> {
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}
