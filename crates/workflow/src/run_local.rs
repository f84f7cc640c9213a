//! What shared code, such as an interceptor, knows of one run.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::context;

/// Values by their type.
pub(crate) type RunLocals = BTreeMap<TypeId, Rc<dyn Any>>;

/// The run's own `T`, which is made when it is first asked for and lives as long as the run is in memory: for what code
/// that all runs share, such as an interceptor, knows of one of them. It is rebuilt as the run is, by the same calls.
///
/// ```
/// use std::cell::Cell;
/// use stead_workflow as workflow;
///
/// #[derive(Default)]
/// struct Calls(Cell<u32>);
///
/// fn count() -> u32 {
///     let calls = workflow::run_local::<Calls>();
///     calls.0.set(calls.0.get() + 1);
///     calls.0.get()
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn run_local<T: Default + 'static>() -> Rc<T> {
    let runtime = context::current();
    let find = || runtime.with_remote(|remote| remote.locals.get(&TypeId::of::<T>()).cloned());
    // Made outside of the books, as it is foreign code that makes it.
    let value = find().unwrap_or_else(|| {
        let made: Rc<dyn Any> = Rc::new(T::default());
        runtime.with_remote(|remote| Rc::clone(remote.locals.entry(TypeId::of::<T>()).or_insert(made)))
    });
    value.downcast().expect("a value is kept under its own type")
}
