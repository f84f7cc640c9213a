//! Test environments as their users see them.

mod environment;
mod simulation;
mod snapshots;
mod stuck;
