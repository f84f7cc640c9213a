//! What tasks of one workflow coordinate with: deterministic companions of what async runtimes have.
//!
//! All of them serve in the order in which they were asked. Waiting resolves to [`Cancelled`](crate::Cancelled) where
//! cancellation was requested, as [`wait_until`](crate::wait_until) does, and a future that is dropped leaves its place
//! in the queue. They know one run: sharing one between runs is not possible, because they are not `Send`.

mod channel;
mod mutex;
mod notify;
mod queue;
mod semaphore;

pub use self::channel::{Closed, Receiver, Sender, channel};
pub use self::mutex::{Mutex, MutexGuard};
pub use self::notify::Notify;
pub use self::semaphore::{Permit, Semaphore};
