//! Test environments as their users see them.

mod environment;
mod snapshots;
mod stuck;
