//! Waiting for several futures: all of them, or the first.

mod all;
mod completed;
mod macros;
mod set;

pub use all::{JoinAll, join_all};
pub use completed::{AsCompleted, as_completed};
pub use set::JoinSet;
