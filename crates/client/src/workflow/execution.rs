//! Which workflow, and which of its runs.

use stead_proto::common::v1::WorkflowExecution;

use crate::{client::Client, connection::RpcError, payloads::Owner, random};

/// Names a workflow, and perhaps one of its runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Execution {
    /// The workflow's id.
    pub workflow_id: String,
    /// The run; `None` for whichever runs now, or ran last.
    pub run_id: Option<String>,
    /// The first run of the chain of retries, cron runs and continuations that the workflow must belong to, where an
    /// operation can say so; `None` for any.
    pub first_execution_run_id: Option<String>,
}

impl Execution {
    pub(crate) fn to_proto(&self) -> WorkflowExecution {
        WorkflowExecution { workflow_id: self.workflow_id.clone(), run_id: self.run_id.clone().unwrap_or_default() }
    }

    /// Whose payloads a call about this workflow carries.
    pub(super) fn owner<'a>(&'a self, client: &'a Client) -> Owner<'a> {
        Owner::workflow(client, &self.workflow_id).run(self.run_id.as_deref().unwrap_or_default())
    }
}

/// Whether it is the workflow that does not exist, rather than the namespace.
pub(crate) fn is_workflow_not_found(error: &RpcError) -> bool {
    error.is_not_found() && !error.is_namespace_not_found()
}

/// A fresh id, so that the server can tell a retry of a request from another request.
pub(crate) fn request_id() -> String {
    random::uuid()
}
