//! Suppliers of slots that a program brings along.

use std::any::Any;
use std::fmt;

use stead_data::BoxFuture;

/// Decides whether a worker may take on one more task.
///
/// A worker asks for a slot before it polls, so that no task arrives without room for it, and gives each slot back, used
/// or not. A panic is logged; if it was asked for a slot, it is asked again a second later.
pub trait SlotSupplier: Send + Sync + 'static {
    /// Waits for a slot. The future is dropped when the worker shuts down.
    fn reserve<'a>(&'a self, context: SlotContext<'a>) -> BoxFuture<'a, SlotPermit>;

    /// A slot, if there is one now, for a task that would come without a poll. It must not block.
    fn try_reserve(&self, context: SlotContext<'_>) -> Option<SlotPermit>;

    /// A task has come for a slot. It must not block.
    fn mark_used(&self, permit: &SlotPermit, task: &SlotTask) {
        let _ = (permit, task);
    }

    /// A slot is given back; `task` is the one that it was used for, if one came. It must not block.
    fn release(&self, permit: SlotPermit, task: Option<SlotTask>);

    /// How many slots there are altogether, used ones included, where that is a fixed number; for metrics.
    fn total(&self) -> Option<u32> {
        None
    }
}

/// For which worker, and for which kind of task.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SlotContext<'a> {
    /// The kind of task.
    pub kind: SlotKind,
    /// The worker's task queue.
    pub task_queue: &'a str,
    /// What the worker is called.
    pub identity: &'a str,
    /// The worker's build id; empty if it has none.
    pub build_id: &'a str,
    /// Whether the poll looks at the worker's own queue, where workflows in its memory get their tasks.
    pub is_sticky: bool,
}

/// A slot that a supplier has given.
#[derive(Default)]
pub struct SlotPermit(Option<Box<dyn Any + Send + Sync>>);

impl SlotPermit {
    /// A slot.
    pub fn new() -> Self {
        Self::default()
    }

    /// A slot with what the supplier wants to know of it again.
    pub fn with(value: impl Any + Send + Sync) -> Self {
        Self(Some(Box::new(value)))
    }

    /// What it was made with, if that is a `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for SlotPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotPermit").finish_non_exhaustive()
    }
}

/// What a slot is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotTask {
    /// A workflow task.
    Workflow {
        /// The workflow's type.
        workflow_type: String,
        /// Whether it came through the worker's own queue.
        is_sticky: bool,
    },
    /// An activity.
    Activity {
        /// Its type.
        activity_type: String,
    },
    /// A local activity.
    LocalActivity {
        /// Its type.
        activity_type: String,
    },
    /// A request to a handler of a Nexus operation.
    Nexus {
        /// The service.
        service: String,
        /// The operation.
        operation: String,
    },
}

impl SlotTask {
    /// The type of the workflow or activity, or the operation.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Workflow { workflow_type: name, .. }
            | Self::Activity { activity_type: name }
            | Self::LocalActivity { activity_type: name } => name.clone(),
            Self::Nexus { service, operation } => format!("{service}/{operation}"),
        }
    }
}

pub use stead_core::policy::SlotKind;
