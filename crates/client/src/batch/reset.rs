//! [`BatchReset`]: where a batch resets workflows to.

use stead_proto::{
    batch::v1::BatchOperationReset,
    common::v1::{ResetOptions, reset_options::Target},
    enums::v1::ResetReapplyExcludeType,
};

/// Where a batch resets workflows to, and what the new runs hear again.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct BatchReset {
    target: Target,
    excluded: Vec<ResetReapplyExcludeType>,
    current_run_only: bool,
}

impl BatchReset {
    /// To the first workflow task that was completed.
    pub fn first_task() -> Self {
        Self::to(Target::FirstWorkflowTask(()))
    }

    /// To the last workflow task that was completed.
    pub fn last_task() -> Self {
        Self::to(Target::LastWorkflowTask(()))
    }

    /// To the workflow task that an event of this id ends.
    pub fn event(event_id: i64) -> Self {
        Self::to(Target::WorkflowTaskId(event_id))
    }

    /// To the first workflow task that workers with this build id completed, in an earlier run perhaps.
    pub fn build_id(build_id: impl Into<String>) -> Self {
        Self::to(Target::BuildId(build_id.into()))
    }

    fn to(target: Target) -> Self {
        Self { target, excluded: Vec::new(), current_run_only: false }
    }

    /// Leaves out signals that came after that point. Default: the new run gets them.
    pub fn without_signals(mut self) -> Self {
        self.excluded.push(ResetReapplyExcludeType::Signal);
        self
    }

    /// Leaves out updates that came after that point. Default: the new run gets them.
    pub fn without_updates(mut self) -> Self {
        self.excluded.push(ResetReapplyExcludeType::Update);
        self
    }

    /// Does nothing where [`build_id`](Self::build_id) would go back to an earlier run; such a workflow counts as failed.
    pub fn current_run_only(mut self) -> Self {
        self.current_run_only = true;
        self
    }

    pub(super) fn into_wire(self, identity: String) -> BatchOperationReset {
        BatchOperationReset {
            identity,
            options: Some(ResetOptions {
                target: Some(self.target),
                current_run_only: self.current_run_only,
                reset_reapply_exclude_types: self.excluded.into_iter().map(Into::into).collect(),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}
