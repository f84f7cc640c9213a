//! What the calling code belongs to: a value that a thread has for as long as some code runs on it.

use std::any::Any;
use std::cell::RefCell;
use std::pin::pin;
use std::thread::LocalKey;

/// Where a thread keeps the value.
pub type Place<T> = LocalKey<RefCell<Option<T>>>;

/// The value that the calling code belongs to, if there is one.
pub fn get<T: Clone>(place: &'static Place<T>) -> Option<T> {
    place.with_borrow(Clone::clone)
}

/// Makes `future` belong to a value, wherever it is polled.
pub async fn scope<T: Clone, F: Future>(place: &'static Place<T>, value: &T, future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| enter(place, value, || future.as_mut().poll(cx))).await
}

/// Makes what `call` does on this thread belong to a value.
pub fn enter<T: Clone, R>(place: &'static Place<T>, value: &T, call: impl FnOnce() -> R) -> R {
    let _restore = Restore { place, before: place.replace(Some(value.clone())) };
    call()
}

/// Brings something of the thread that made this to another one: called there, it gives what holds it there until it is
/// dropped.
pub type CarryOver = Box<dyn FnOnce() -> Box<dyn Any> + Send>;

/// Runs code amidst what is carried over, the last of which leaves first.
pub fn amidst<T>(carried: impl IntoIterator<Item = CarryOver>, code: impl FnOnce() -> T) -> T {
    let held: Vec<_> = carried.into_iter().map(|enter| enter()).collect();
    let _held = Held(held);
    code()
}

struct Held(Vec<Box<dyn Any>>);

impl Drop for Held {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

/// Puts back what was current before, also when the code in between panics.
struct Restore<T: 'static> {
    place: &'static Place<T>,
    before: Option<T>,
}

impl<T> Drop for Restore<T> {
    fn drop(&mut self) {
        // A thread that is ending has no current value to restore.
        let _ = self.place.try_with(|current| current.replace(self.before.take()));
    }
}
