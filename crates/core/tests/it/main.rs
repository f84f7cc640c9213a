//! Scenarios: a scripted guest and a history on one side, what the run asks for on the other. Time is virtual and
//! nothing waits.

mod support;

mod activities;
mod children;
mod closing;
mod completion;
mod external;
mod failures;
mod flags;
mod fuzz;
mod history;
mod local_activities;
mod nexus;
mod patches;
mod policy;
mod queries;
mod shape;
mod signals;
mod tasks;
mod timers;
mod updates;
mod upserts;
