//! What the macros write, seen from a user's crate.

mod activities;
mod contract;
mod driver;
mod failure;
mod ui;
mod workflow;
