//! Schedules: what is started again and again, when, and under which conditions.

mod action;
mod create;
mod describe;
mod handle;
mod list;
mod spec;
mod update;

use std::time::{Duration, SystemTime};

use stead_data::{CodecError, ConversionError};
use stead_proto::{enums::v1::ScheduleOverlapPolicy, schedule::v1 as wire};

use crate::{
    connection::RpcError,
    workflow::{is_workflow_not_found, predicates},
};

pub use {
    action::{ScheduleAction, ScheduledWorkflow, ScheduledWorkflowBuilder},
    create::{CreateSchedule, CreateScheduleCall, CreateScheduleError, MissingAction},
    describe::{DescribeSchedule, DescribeScheduleCall, ScheduleDescription, ScheduledRun},
    handle::{
        BackfillSchedule, BackfillScheduleCall, DeleteSchedule, DeleteScheduleCall, MatchingTimes, PauseSchedule,
        PauseScheduleCall, ScheduleHandle, TriggerSchedule, TriggerScheduleCall, UnpauseScheduleCall,
    },
    list::{CountSchedules, ListSchedules, ListedSchedule},
    spec::{IntoScheduleRanges, InvalidScheduleSpec, ScheduleCalendar, ScheduleInterval, ScheduleRange, ScheduleSpec},
    update::{ScheduleUpdate, UpdateSchedule, UpdateScheduleCall},
};

/// All that makes a schedule.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Schedule {
    /// When.
    pub spec: ScheduleSpec,
    /// What.
    pub action: ScheduleAction,
    /// Under which conditions.
    pub policy: SchedulePolicy,
    /// Whether now, and how often yet.
    pub state: ScheduleState,
}

/// What a schedule does when things are not as they should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SchedulePolicy {
    /// What happens when a time comes and the workflow of the time before still runs. Default: the new one is skipped.
    pub overlap: Overlap,
    /// How late a time may be made up for, after the server was down for example. Default: the server's, a year.
    pub catchup_window: Option<Duration>,
    /// Whether the schedule pauses when a workflow fails or times out. Default: it goes on.
    pub pause_on_failure: bool,
    /// Whether workflows get the id as it is, without the time added to it. Default: the time is added.
    pub keep_original_workflow_id: bool,
}

/// Whether a schedule runs, and how often yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScheduleState {
    /// A note for people; pausing and unpausing replace it.
    pub note: String,
    /// Whether it is paused.
    pub paused: bool,
    /// How many times it still acts; `None` for any number of times.
    pub remaining_actions: Option<u64>,
}

/// What happens when a time comes and the workflow of the time before still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overlap {
    /// The new one is not started.
    #[default]
    Skip,
    /// The new one is started when the running one has closed; at most one waits.
    BufferOne,
    /// The new one is started when the running one and those before it have closed.
    BufferAll,
    /// The running one is asked to cancel itself, and the new one is started when it has closed.
    CancelOther,
    /// The running one is terminated, and the new one started.
    TerminateOther,
    /// The new one is started beside it. A workflow of such a schedule does not see the result of the one before.
    AllowAll,
}

/// Times in the past, or the future, that a schedule acts for at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleBackfill {
    /// The beginning, itself left out.
    pub start_at: SystemTime,
    /// The end, itself included.
    pub end_at: SystemTime,
    /// What happens when workflows overlap. Default: what the schedule's policy says.
    pub overlap: Option<Overlap>,
}

impl ScheduleBackfill {
    /// The times between two points in time.
    pub fn new(start_at: SystemTime, end_at: SystemTime) -> Self {
        Self { start_at, end_at, overlap: None }
    }

    /// What happens when workflows overlap.
    #[must_use]
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = Some(overlap);
        self
    }

    fn into_wire(self) -> wire::BackfillRequest {
        wire::BackfillRequest {
            start_time: Some(stead_data::time::time_to_proto(self.start_at)),
            end_time: Some(stead_data::time::time_to_proto(self.end_at)),
            overlap_policy: Overlap::to_wire(self.overlap),
        }
    }
}

impl Overlap {
    /// `None` is what the schedule says.
    fn to_wire(overlap: Option<Self>) -> i32 {
        let policy = match overlap {
            None => ScheduleOverlapPolicy::Unspecified,
            Some(Self::Skip) => ScheduleOverlapPolicy::Skip,
            Some(Self::BufferOne) => ScheduleOverlapPolicy::BufferOne,
            Some(Self::BufferAll) => ScheduleOverlapPolicy::BufferAll,
            Some(Self::CancelOther) => ScheduleOverlapPolicy::CancelOther,
            Some(Self::TerminateOther) => ScheduleOverlapPolicy::TerminateOther,
            Some(Self::AllowAll) => ScheduleOverlapPolicy::AllowAll,
        };
        policy.into()
    }

    /// What this version does not know reads as the default.
    fn from_wire(policy: i32) -> Self {
        match ScheduleOverlapPolicy::try_from(policy).unwrap_or_default() {
            ScheduleOverlapPolicy::Unspecified | ScheduleOverlapPolicy::Skip => Self::Skip,
            ScheduleOverlapPolicy::BufferOne => Self::BufferOne,
            ScheduleOverlapPolicy::BufferAll => Self::BufferAll,
            ScheduleOverlapPolicy::CancelOther => Self::CancelOther,
            ScheduleOverlapPolicy::TerminateOther => Self::TerminateOther,
            ScheduleOverlapPolicy::AllowAll => Self::AllowAll,
        }
    }
}

impl SchedulePolicy {
    fn to_wire(&self) -> wire::SchedulePolicies {
        wire::SchedulePolicies {
            overlap_policy: Overlap::to_wire(Some(self.overlap)),
            catchup_window: self.catchup_window.map(stead_data::time::duration_to_proto),
            pause_on_failure: self.pause_on_failure,
            keep_original_workflow_id: self.keep_original_workflow_id,
        }
    }

    fn from_wire(policies: &wire::SchedulePolicies) -> Self {
        Self {
            overlap: Overlap::from_wire(policies.overlap_policy),
            catchup_window: policies.catchup_window.as_ref().map(stead_data::time::duration_from_proto),
            pause_on_failure: policies.pause_on_failure,
            keep_original_workflow_id: policies.keep_original_workflow_id,
        }
    }
}

impl ScheduleState {
    fn to_wire(&self) -> wire::ScheduleState {
        wire::ScheduleState {
            notes: self.note.clone(),
            paused: self.paused,
            limited_actions: self.remaining_actions.is_some(),
            remaining_actions: self.remaining_actions.map_or(0, |left| i64::try_from(left).unwrap_or(i64::MAX)),
        }
    }

    fn from_wire(state: wire::ScheduleState) -> Self {
        let remaining = u64::try_from(state.remaining_actions).unwrap_or(0);
        Self { note: state.notes, paused: state.paused, remaining_actions: state.limited_actions.then_some(remaining) }
    }
}

/// Something could not be done with a schedule.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// There is no schedule of this id.
    #[error("schedule `{schedule_id}` does not exist")]
    NotFound {
        /// The schedule's id.
        schedule_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// Somebody else has changed the schedule since it was read. Read it again, and change that.
    #[error("schedule `{schedule_id}` was changed by somebody else at the same time")]
    Conflict {
        /// The schedule's id.
        schedule_id: String,
        /// What the server said.
        source: RpcError,
    },
    /// The times make no sense.
    #[error(transparent)]
    InvalidSpec(#[from] InvalidScheduleSpec),
    /// An argument, a memo or another value cannot be converted.
    #[error("the arguments of the scheduled workflow cannot be converted")]
    Conversion(#[from] ConversionError),
    /// The codec refused an argument, a memo or another value.
    #[error("the values of the schedule or of its workflow cannot be encoded or decoded")]
    Codec(#[from] CodecError),
    /// The call failed. Unless the server refused it, it may have been acted on all the same.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(ScheduleError);

impl ScheduleError {
    fn of_call(schedule_id: &str, source: RpcError) -> Self {
        let schedule_id = schedule_id.to_owned();
        match source.code() {
            _ if is_workflow_not_found(&source) => Self::NotFound { schedule_id, source },
            tonic::Code::FailedPrecondition if source.message().contains("conflict token") => {
                Self::Conflict { schedule_id, source }
            }
            _ => Self::Rpc(source),
        }
    }
}
