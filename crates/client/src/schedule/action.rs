//! What a schedule does.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::Serialize;
use stead_data::{
    ConversionError, DataConverter, Headers, Payload, PayloadMap, Priority, RetryPolicy, SearchAttributeUpdate,
    SearchAttributes, VersioningOverride, time::duration_to_proto,
};
use stead_proto::{
    common::v1::{self as common, Header, Memo, Payloads, WorkflowType},
    schedule::v1::{ScheduleAction as WireAction, schedule_action::Action},
    sdk::v1::UserMetadata,
    taskqueue::v1::TaskQueue,
    workflow::v1::NewWorkflowExecutionInfo,
};

use super::ScheduleError;
use crate::{
    client::Client,
    payloads::{self, Owner},
    workflow::{Given, MissingId, MissingTaskQueue},
};

/// What a schedule does when its time comes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ScheduleAction {
    /// It starts a workflow.
    StartWorkflow(ScheduledWorkflow),
    /// Something that this version does not know. A schedule that has it cannot be updated.
    Unknown,
}

/// The workflow that a schedule starts.
///
/// One that was described keeps its arguments and its memo as the server has them, so that an update does not change
/// what it does not mean to.
#[derive(Clone, PartialEq)]
pub struct ScheduledWorkflow {
    info: Box<NewWorkflowExecutionInfo>,
    /// Whether its payloads have yet to pass through the codec.
    is_new: bool,
}

impl ScheduledWorkflow {
    /// The workflow type.
    pub fn workflow_type(&self) -> &str {
        self.info.workflow_type.as_ref().map_or("", |it| &it.name)
    }

    /// The workflow's id, to which the time is added unless the policy says otherwise.
    pub fn id(&self) -> &str {
        &self.info.workflow_id
    }

    /// The task queue that its workers poll.
    pub fn task_queue(&self) -> &str {
        self.info.task_queue.as_ref().map_or("", |queue| &queue.name)
    }

    /// All of it, payloads as the server has them, or as they were before the codec if it was made here.
    pub fn raw(&self) -> &NewWorkflowExecutionInfo {
        &self.info
    }

    async fn into_wire(self, client: &Client) -> Result<NewWorkflowExecutionInfo, ScheduleError> {
        let mut info = *self.info;
        if self.is_new {
            let (id, workflow_type) = (info.workflow_id.clone(), info.workflow_type.clone().unwrap_or_default().name);
            let owner = Owner::workflow(client, &id).workflow_type(&workflow_type);
            let arguments = info.input.take().unwrap_or_default().payloads;
            info.input = payloads::encode_arguments(&owner, arguments).await?;
            if let Some(memo) = &mut info.memo {
                memo.fields = payloads::encode(&owner, std::mem::take(&mut memo.fields)).await?;
            }
            info.user_metadata = payloads::encode(&owner, info.user_metadata).await?;
            info.header = payloads::encode(&owner, info.header).await?;
        }
        Ok(info)
    }
}

// Written by hand: arguments and memo hold users' data.
impl fmt::Debug for ScheduledWorkflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduledWorkflow")
            .field("workflow_type", &self.workflow_type())
            .field("id", &self.id())
            .field("task_queue", &self.task_queue())
            .finish_non_exhaustive()
    }
}

impl ScheduleAction {
    pub(super) async fn into_wire(self, client: &Client) -> Result<WireAction, ScheduleError> {
        let action = match self {
            Self::StartWorkflow(workflow) => Some(Action::StartWorkflow(workflow.into_wire(client).await?)),
            Self::Unknown => None,
        };
        Ok(WireAction { action })
    }

    pub(super) fn from_wire(action: Option<WireAction>) -> Self {
        match action.and_then(|action| action.action) {
            Some(Action::StartWorkflow(info)) => {
                Self::StartWorkflow(ScheduledWorkflow { info: Box::new(info), is_new: false })
            }
            None => Self::Unknown,
        }
    }
}

/// The workflow that a schedule is to start; `id` and `task_queue` are required.
pub struct ScheduledWorkflowBuilder<Id = MissingId, Queue = MissingTaskQueue> {
    info: NewWorkflowExecutionInfo,
    memo: PayloadMap,
    search_attributes: SearchAttributes,
    metadata: UserMetadata,
    converter: DataConverter,
    error: Option<ConversionError>,
    state: PhantomData<fn() -> (Id, Queue)>,
}

impl ScheduledWorkflowBuilder {
    pub(super) fn new(
        converter: DataConverter,
        workflow_type: String,
        arguments: Result<Vec<Payload>, ConversionError>,
    ) -> Self {
        let (payloads, error) = match arguments {
            Ok(payloads) => (payloads, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let info = NewWorkflowExecutionInfo {
            workflow_type: Some(WorkflowType { name: workflow_type }),
            input: Some(Payloads { payloads }),
            ..Default::default()
        };
        let (memo, search_attributes) = (PayloadMap::new(), SearchAttributes::default());
        Self { info, memo, search_attributes, metadata: UserMetadata::default(), converter, error, state: PhantomData }
    }
}

impl<Id, Queue> ScheduledWorkflowBuilder<Id, Queue> {
    /// The workflow's id, to which the server adds the time. Required.
    pub fn id(mut self, id: impl Into<String>) -> ScheduledWorkflowBuilder<Given, Queue> {
        self.info.workflow_id = id.into();
        self.become_state()
    }

    /// The task queue that the workflow's workers poll. Required.
    pub fn task_queue(mut self, task_queue: impl Into<String>) -> ScheduledWorkflowBuilder<Id, Given> {
        self.info.task_queue = Some(TaskQueue { name: task_queue.into(), ..Default::default() });
        self.become_state()
    }

    /// Time for the whole chain of retries and continuations. Default: any time.
    #[must_use]
    pub fn execution_timeout(mut self, timeout: Duration) -> Self {
        self.info.workflow_execution_timeout = Some(duration_to_proto(timeout));
        self
    }

    /// Time for one run. Default: that of the whole chain.
    #[must_use]
    pub fn run_timeout(mut self, timeout: Duration) -> Self {
        self.info.workflow_run_timeout = Some(duration_to_proto(timeout));
        self
    }

    /// Time that a worker has for one workflow task. Default: the server's, 10 s.
    #[must_use]
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.info.workflow_task_timeout = Some(duration_to_proto(timeout));
        self
    }

    /// How the workflow is retried when it fails. Default: not at all.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.info.retry_policy = Some(policy.into_proto());
        self
    }

    /// Adds a value to be found with the workflow; workflows cannot be searched by it.
    #[must_use]
    pub fn memo(mut self, key: impl Into<String>, value: impl Serialize) -> Self {
        match self.converter.to_payload(&value) {
            Ok(payload) => drop(self.memo.insert(key.into(), payload)),
            Err(error) => drop(self.error.get_or_insert(error)),
        }
        self
    }

    /// Sets values by which the workflows are found.
    #[must_use]
    pub fn search_attributes(mut self, attributes: impl IntoIterator<Item = SearchAttributeUpdate>) -> Self {
        self.search_attributes.apply(attributes);
        self
    }

    /// One line of Markdown about the workflow, for people. Default: none.
    #[must_use]
    pub fn static_summary(mut self, summary: impl Into<String>) -> Self {
        self.metadata.summary = self.text(summary.into());
        self
    }

    /// Markdown about the workflow, for people. Default: none.
    #[must_use]
    pub fn static_details(mut self, details: impl Into<String>) -> Self {
        self.metadata.details = self.text(details.into());
        self
    }

    /// How urgent the workflow's tasks are. Default: the server's choice.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.info.priority = Some(priority.into_proto());
        self
    }

    /// On which version of its workers the workflow runs. Default: what it and the deployment say.
    #[must_use]
    pub fn versioning_override(mut self, versioning: VersioningOverride) -> Self {
        self.info.versioning_override = Some(versioning.into_proto());
        self
    }

    /// Headers for the interceptors of the workflow's workers. Default: none.
    #[must_use]
    pub fn headers(mut self, headers: Headers) -> Self {
        self.info.header = (!headers.is_empty()).then_some(Header { fields: headers });
        self
    }

    fn text(&mut self, text: String) -> Option<Payload> {
        match self.converter.to_payload(&text) {
            Ok(payload) => Some(payload),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }

    fn become_state<NewId, NewQueue>(self) -> ScheduledWorkflowBuilder<NewId, NewQueue> {
        let Self { info, memo, search_attributes, metadata, converter, error, state: _ } = self;
        ScheduledWorkflowBuilder { info, memo, search_attributes, metadata, converter, error, state: PhantomData }
    }
}

impl ScheduledWorkflowBuilder<Given, Given> {
    pub(super) fn build(self) -> Result<ScheduledWorkflow, ConversionError> {
        let Self { mut info, memo, search_attributes, metadata, error, .. } = self;
        error.map_or(Ok(()), Err)?;
        info.memo = (!memo.is_empty()).then_some(Memo { fields: memo });
        info.search_attributes = (!search_attributes.is_empty())
            .then(|| common::SearchAttributes { indexed_fields: search_attributes.into_payloads() });
        info.user_metadata = (metadata != UserMetadata::default()).then_some(metadata);
        Ok(ScheduledWorkflow { info: Box::new(info), is_new: true })
    }
}

impl<Id, Queue> fmt::Debug for ScheduledWorkflowBuilder<Id, Queue> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduledWorkflowBuilder")
            .field("workflow_type", &self.info.workflow_type.as_ref().map(|it| &it.name))
            .field("id", &self.info.workflow_id)
            .finish_non_exhaustive()
    }
}
