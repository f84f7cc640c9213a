//! Decisions about resources and time as pure values: what comes in is an argument, what comes out is an answer.

mod heartbeat;
mod pollers;
mod rate;
mod resource;
mod retry;
mod slots;

pub use heartbeat::{CancelReason, HeartbeatThrottle, heartbeat_interval};
pub use pollers::{AutoscalingPollers, FixedPollers, PollEnd, PollerPolicy};
pub use rate::RateLimit;
pub use resource::{ResourceSlots, ResourceUse};
pub use retry::{RetryDecision, next_retry};
pub use slots::{FixedSlots, SlotKind, SlotPolicy, SlotUse};
