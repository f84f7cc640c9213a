//! Operations that the server carries out, and what waits for them.

pub(crate) mod activity;
pub(crate) mod child;
pub(crate) mod external;
pub(crate) mod local;
pub(crate) mod local_activity;
pub(crate) mod nexus;
mod pending;
mod phases;
pub(crate) mod remote;
pub(crate) mod signal_with_start;
pub(crate) mod timer;
pub(crate) mod upsert;
pub(crate) mod wait;

pub(crate) use pending::Pending;
pub(crate) use phases::Phases;
