//! Waiting for several futures: all of them, or the first.

mod all;
mod macros;

pub use all::{JoinAll, join_all};
