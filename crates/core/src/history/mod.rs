//! History as it comes in: pages of events, cut into the sequences that each end in a workflow task.

mod buffer;
pub(crate) mod event;
mod recent;
mod sequence;

pub(crate) use self::buffer::{History, Next, Sequence};
pub(crate) use self::recent::Recent;
