//! State that handlers share.

use std::cell::RefCell;
use std::fmt;

/// A cell for what `run` and the handlers of a workflow share.
///
/// Like a `RefCell`, but a borrow lasts as long as a closure, so none can be held across an `.await`.
///
/// ```
/// use stead_workflow::State;
///
/// let items = State::new(vec!["tea"]);
/// items.update(|items| items.push("milk"));
/// assert_eq!(items.with(Vec::len), 2);
/// assert_eq!(items.get(), ["tea", "milk"]);
/// ```
#[derive(Default)]
pub struct State<T>(RefCell<T>);

impl<T> State<T> {
    /// A cell that holds `value`.
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Reads the value.
    ///
    /// # Panics
    ///
    /// Inside of [`update`](Self::update) of the same cell.
    #[track_caller]
    pub fn with<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.0.borrow())
    }

    /// Changes the value in place.
    ///
    /// # Panics
    ///
    /// Inside of [`with`](Self::with) or [`update`](Self::update) of the same cell.
    #[track_caller]
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.0.borrow_mut())
    }

    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// Inside of [`update`](Self::update) of the same cell.
    #[track_caller]
    pub fn get(&self) -> T
    where
        T: Clone,
    {
        self.0.borrow().clone()
    }

    /// Sets the value.
    ///
    /// # Panics
    ///
    /// Inside of [`with`](Self::with) or [`update`](Self::update) of the same cell.
    #[track_caller]
    pub fn set(&self, value: T) {
        self.replace(value);
    }

    /// Sets the value and returns the one before.
    ///
    /// # Panics
    ///
    /// Inside of [`with`](Self::with) or [`update`](Self::update) of the same cell.
    #[track_caller]
    pub fn replace(&self, value: T) -> T {
        self.0.replace(value)
    }

    /// Takes the value out and leaves the default.
    ///
    /// # Panics
    ///
    /// Inside of [`with`](Self::with) or [`update`](Self::update) of the same cell.
    #[track_caller]
    pub fn take(&self) -> T
    where
        T: Default,
    {
        self.0.take()
    }

    /// The value, once nobody shares it.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

impl<T> From<T> for State<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.try_borrow() {
            Ok(value) => f.debug_tuple("State").field(&*value).finish(),
            Err(_) => f.write_str("State(<being changed>)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_can_be_printed_while_it_is_changed() {
        let state = State::new(1);
        state.update(|_| assert_eq!(format!("{state:?}"), "State(<being changed>)"));
        assert_eq!(format!("{state:?}"), "State(1)");
    }

    #[test]
    fn values_are_replaced_and_taken() {
        let state = State::from(1);
        assert_eq!((state.replace(2), state.take(), state.into_inner()), (1, 2, 0));
    }
}
