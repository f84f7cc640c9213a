//! Calls that change options of what runs already: of activities, and of workflows.

pub(super) mod activity;
pub(super) mod mask;
mod workflow;

pub(super) use workflow::OptionsChange;
