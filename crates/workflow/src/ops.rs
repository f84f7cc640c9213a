//! Operations that the server carries out, and what waits for them.

pub(crate) mod activity;
mod pending;
pub(crate) mod timer;
pub(crate) mod wait;

pub(crate) use pending::Pending;
