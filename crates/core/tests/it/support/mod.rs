//! What the scenarios are made of.

mod history;
mod remote;
mod scenario;

pub(crate) use self::history::{HistoryBuilder, update_request};
pub(crate) use self::scenario::{
    Scenario, activity, complete, completion, eviction, local, local_activity, mismatch, payload, query, run_to_end,
    timer,
};
