//! What a worker lends to activities and Nexus handlers, by type.

use std::any::{Any, TypeId, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Values by their type. A worker puts its client here, so that the crates of activities and handlers need not know
/// what a client is.
#[derive(Clone, Default)]
pub struct Extensions(BTreeMap<TypeId, Entry>);

#[derive(Clone)]
struct Entry {
    type_name: &'static str,
    value: Value,
}

type Shared = Arc<dyn Any + Send + Sync>;

#[derive(Clone)]
enum Value {
    Fixed(Shared),
    Asked(Arc<dyn Fn() -> Shared + Send + Sync>),
}

impl Extensions {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value; one of the same type is replaced.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.set::<T>(Value::Fixed(Arc::new(value)));
    }

    /// Adds a value that may change: `ask` is called each time it is wanted.
    pub fn insert_with<T: Send + Sync + 'static>(&mut self, ask: impl Fn() -> T + Send + Sync + 'static) {
        self.set::<T>(Value::Asked(Arc::new(move || Arc::new(ask()))));
    }

    fn set<T: 'static>(&mut self, value: Value) {
        self.0.insert(TypeId::of::<T>(), Entry { type_name: type_name::<T>(), value });
    }

    /// The value of this type, if there is one.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let entry = self.0.get(&TypeId::of::<T>())?;
        let value = match &entry.value {
            Value::Fixed(value) => Arc::clone(value),
            Value::Asked(ask) => ask(),
        };
        value.downcast().ok()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.values().map(|entry| entry.type_name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    #[test]
    fn values_are_found_by_type_and_replaced() {
        let mut extensions = Extensions::new();
        extensions.insert(1_u8);
        extensions.insert("text");
        extensions.insert(2_u8);
        assert_eq!(extensions.get::<u8>().as_deref(), Some(&2));
        assert_eq!(extensions.get::<&str>().as_deref(), Some(&"text"));
        assert!(extensions.get::<u16>().is_none());
    }

    #[test]
    fn a_value_that_changes_is_asked_for_each_time() {
        let number = Arc::new(AtomicU8::new(1));
        let mut extensions = Extensions::new();
        extensions.insert_with({
            let number = Arc::clone(&number);
            move || number.load(Ordering::SeqCst)
        });
        let held = extensions.clone();
        number.store(2, Ordering::SeqCst);
        assert_eq!(held.get::<u8>().as_deref(), Some(&2));
    }
}
