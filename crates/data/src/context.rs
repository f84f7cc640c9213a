//! What a payload belongs to: codecs and external storage are told.

use std::borrow::Cow;

/// The workflow, the activity or the Nexus operation that a payload is an argument, a result or another part of.
///
/// A payload is decoded in the context that it was encoded in: the arguments and the result of an activity in the
/// activity's, those of a child workflow and of a signal to another workflow in that workflow's, and all else in that of
/// the workflow it is found in. To be sure of that, compare by what names the owner, the ids and the namespace: what is
/// optional is not known to everybody who meets the payload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum SerializationContext {
    /// Nobody knows, as of an activity that is completed by its token alone.
    #[default]
    Unknown,
    /// A workflow.
    Workflow(WorkflowContext),
    /// An activity.
    Activity(ActivityContext),
    /// A Nexus operation.
    Nexus(NexusContext),
}

/// A workflow as the owner of payloads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub struct WorkflowContext {
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    pub workflow_id: String,
    /// Its run, where that is known: not to a client that starts it.
    pub run_id: Option<String>,
    /// Its type, where that is known.
    pub workflow_type: Option<String>,
    /// Of the result of a child, where it is stored: the parent, which reads it when the child may be long gone.
    pub parent: Option<Box<WorkflowContext>>,
}

/// A Nexus operation as the owner of payloads: all that both its caller and its handler know of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub struct NexusContext {
    /// The endpoint.
    pub endpoint: String,
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
}

/// An activity as the owner of payloads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub struct ActivityContext {
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    pub activity_id: String,
    /// Its type, where that is known: not to a client that completes it.
    pub activity_type: Option<String>,
    /// Its task queue, where that is known.
    pub task_queue: Option<String>,
    /// The workflow that runs it; none for a standalone activity.
    pub workflow: Option<WorkflowContext>,
    /// Its own run, for a standalone activity.
    pub run_id: Option<String>,
    /// Whether it runs in the worker of its workflow, without a task of its own.
    pub is_local: bool,
}

impl SerializationContext {
    /// The namespace, where that is known; that of a Nexus operation's caller is not to its handler.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Unknown | Self::Nexus(_) => None,
            Self::Workflow(workflow) => Some(&workflow.namespace),
            Self::Activity(activity) => Some(&activity.namespace),
        }
    }

    /// The id of the workflow, which of an activity is the one that runs it.
    #[must_use]
    pub fn workflow_id(&self) -> Option<&str> {
        match self {
            Self::Unknown | Self::Nexus(_) => None,
            Self::Workflow(workflow) => Some(&workflow.workflow_id),
            Self::Activity(activity) => activity.workflow.as_ref().map(|workflow| workflow.workflow_id.as_str()),
        }
    }

    /// Whose a payload is while it is kept: the result of a child is kept for the parent. Drivers of external storage are
    /// told this one.
    #[must_use]
    pub fn keeper(&self) -> Cow<'_, Self> {
        match self {
            Self::Workflow(WorkflowContext { parent: Some(parent), .. }) => Cow::Owned(Self::from((**parent).clone())),
            _ => Cow::Borrowed(self),
        }
    }

    /// The activity, if it is one.
    #[must_use]
    pub fn activity(&self) -> Option<&ActivityContext> {
        match self {
            Self::Activity(activity) => Some(activity),
            _ => None,
        }
    }
}

impl WorkflowContext {
    /// A workflow of which no more is known.
    #[must_use]
    pub fn new(namespace: impl Into<String>, workflow_id: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            workflow_id: workflow_id.into(),
            run_id: None,
            workflow_type: None,
            parent: None,
        }
    }
}

impl NexusContext {
    /// An operation of a service behind an endpoint.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, service: impl Into<String>, operation: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), service: service.into(), operation: operation.into() }
    }
}

impl ActivityContext {
    /// An activity of which no more is known.
    #[must_use]
    pub fn new(namespace: impl Into<String>, activity_id: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), activity_id: activity_id.into(), ..Self::default() }
    }
}

impl From<NexusContext> for SerializationContext {
    fn from(operation: NexusContext) -> Self {
        Self::Nexus(operation)
    }
}

impl From<WorkflowContext> for SerializationContext {
    fn from(workflow: WorkflowContext) -> Self {
        Self::Workflow(workflow)
    }
}

impl From<ActivityContext> for SerializationContext {
    fn from(activity: ActivityContext) -> Self {
        Self::Activity(activity)
    }
}
