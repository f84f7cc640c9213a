//! Calls that change options of what runs already: of activities, and of workflows.

mod activity;
mod mask;
