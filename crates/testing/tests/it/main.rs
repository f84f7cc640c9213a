//! Test environments as their users see them.

mod environment;
mod shadows;
mod simulation;
mod snapshots;
mod stuck;
