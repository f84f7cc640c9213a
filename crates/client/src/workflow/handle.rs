//! [`WorkflowHandle`]: a workflow from outside.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use stead_data::{Arg, Query, Signal, Update, WorkflowType};

use super::{
    CancelWorkflow, DescribeWorkflow, Execution, FastForward, FetchHistory, QueryWorkflow, ResetWorkflow,
    SetTimeSkipping, SignalWorkflow, StartWorkflowOutput, TerminateWorkflow, TimeSkipping, UpdateHandle,
    UpdateWorkflow, WorkflowResult,
};
use crate::client::Client;

/// A workflow from outside: signal, query, update, await, cancel, describe it. Cheap to clone.
///
/// A handle that came of starting a workflow follows it: its result is that of the started run or what continues it,
/// cancelling, terminating and updating reach that chain of runs only, and signals and queries reach whichever run is
/// current. A handle of [`Client::workflow`] means whichever run is current, one of [`with_run_id`](Self::with_run_id)
/// always that run, and one of [`with_first_run_id`](Self::with_first_run_id) the chain that began with it.
pub struct WorkflowHandle<W: ?Sized> {
    client: Client,
    id: String,
    run: Run,
    workflow: PhantomData<fn() -> Box<W>>,
}

#[derive(Debug, Clone)]
enum Run {
    Latest,
    Started { run_id: String, first_run_id: Option<String>, eagerly: bool },
    Chain { first_run_id: String },
    Pinned { run_id: String },
}

impl<W: ?Sized> WorkflowHandle<W> {
    fn new(client: Client, id: String, run: Run) -> Self {
        Self { client, id, run, workflow: PhantomData }
    }

    pub(crate) fn latest(client: Client, id: String) -> Self {
        Self::new(client, id, Run::Latest)
    }

    pub(super) fn started(client: Client, id: String, output: StartWorkflowOutput) -> Self {
        let StartWorkflowOutput { run_id, first_execution_run_id: first_run_id, started_eagerly: eagerly, .. } = output;
        Self::new(client, id, Run::Started { run_id, first_run_id, eagerly })
    }

    /// The same workflow, kept to one run.
    #[must_use]
    pub fn with_run_id(&self, run_id: impl Into<String>) -> Self {
        Self::new(self.client.clone(), self.id.clone(), Run::Pinned { run_id: run_id.into() })
    }

    /// The same workflow, kept to the chain of runs that began with this one: cancelling, terminating and updating reach
    /// its current run, and are refused when another chain has taken the id over. Signals and queries reach whichever
    /// run is current, and the result is that of the chain.
    #[must_use]
    pub fn with_first_run_id(&self, run_id: impl Into<String>) -> Self {
        Self::new(self.client.clone(), self.id.clone(), Run::Chain { first_run_id: run_id.into() })
    }

    /// Whether a worker of this process got the first task along with the answer to the start, see
    /// [`StartWorkflow::request_eager_start`](super::StartWorkflow::request_eager_start).
    pub fn started_eagerly(&self) -> bool {
        matches!(self.run, Run::Started { eagerly: true, .. })
    }

    /// The workflow's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The run that was started, or that the handle keeps to or begins with; `None` for one that means whichever run is current.
    pub fn run_id(&self) -> Option<&str> {
        match &self.run {
            Run::Latest => None,
            Run::Started { run_id, .. } | Run::Pinned { run_id } | Run::Chain { first_run_id: run_id } => Some(run_id),
        }
    }

    /// The client that the handle uses.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Signals the workflow by the signal's name; several arguments are a tuple. See [`signal`](Self::signal).
    pub fn signal_named(&self, signal: impl Into<String>, arguments: impl Serialize) -> SignalWorkflow {
        let arguments = self.client.drafts().to_arguments(&arguments);
        SignalWorkflow::new(self.client.clone(), self.current(), signal.into(), arguments)
    }

    /// Queries the workflow by the query's name; several arguments are a tuple. See [`query`](Self::query).
    pub fn query_named<O: DeserializeOwned>(
        &self,
        query: impl Into<String>,
        arguments: impl Serialize,
    ) -> QueryWorkflow<O> {
        let arguments = self.client.drafts().to_arguments(&arguments);
        QueryWorkflow::new(self.client.clone(), self.current(), query.into(), arguments)
    }

    /// Updates the workflow by the update's name; several arguments are a tuple. See [`update`](Self::update).
    pub fn update_named<O: DeserializeOwned>(
        &self,
        update: impl Into<String>,
        arguments: impl Serialize,
    ) -> UpdateWorkflow<O> {
        let arguments = self.client.drafts().to_arguments(&arguments);
        UpdateWorkflow::new(self.client.clone(), self.chain(), update.into(), arguments)
    }

    /// A handle to an update that was sent earlier, whether it exists or not: no call is made.
    pub fn update_handle<O: DeserializeOwned>(&self, update_id: impl Into<String>) -> UpdateHandle<O> {
        UpdateHandle::new(self.client.clone(), self.current(), update_id.into(), None)
    }

    /// Waits for the result as an `O`, whatever the workflow's type says. See [`result`](Self::result).
    pub fn result_as<O: DeserializeOwned>(&self) -> WorkflowResult<O> {
        let run_id = self.run_id().map(str::to_owned);
        WorkflowResult::new(self.client.clone(), self.id.clone(), run_id)
    }

    /// Asks the workflow to cancel itself. This returns when the request is recorded; the workflow decides what to do
    /// about it, and [`result`](Self::result) says what became of it.
    ///
    /// # Errors
    ///
    /// At the await, see [`CancelError`](super::CancelError).
    pub fn cancel(&self) -> CancelWorkflow {
        CancelWorkflow::new(self.client.clone(), self.chain())
    }

    /// Ends the workflow at once, without its code hearing of it.
    ///
    /// # Errors
    ///
    /// At the await, see [`TerminateError`](super::TerminateError).
    pub fn terminate(&self) -> TerminateWorkflow {
        TerminateWorkflow::new(self.client.clone(), self.chain())
    }

    /// Starts another run, which goes on from an event of this one that ends a workflow task; if this one runs still, it
    /// is terminated. Awaiting it gives the id of the new run, see [`with_run_id`](Self::with_run_id).
    ///
    /// # Errors
    ///
    /// At the await, see [`ResetError`](super::ResetError).
    pub fn reset_to(&self, event_id: i64) -> ResetWorkflow {
        ResetWorkflow::new(self.client.clone(), self.current(), event_id)
    }

    /// What the server knows of the workflow: its status, its times, its memo …
    ///
    /// # Errors
    ///
    /// At the await, see [`DescribeError`](super::DescribeError).
    pub fn describe(&self) -> DescribeWorkflow {
        DescribeWorkflow::new(self.client.clone(), self.current())
    }

    /// The workflow's history, whole or event by event.
    ///
    /// # Errors
    ///
    /// At the await, see [`HistoryError`](super::HistoryError).
    pub fn history(&self) -> FetchHistory {
        let run_id = self.run_id().map(str::to_owned);
        FetchHistory::new(self.client.clone(), self.id.clone(), run_id)
    }

    /// Turns the workflow's time skipping on or off.
    ///
    /// # Errors
    ///
    /// At the await, see [`TimeSkippingError`](super::TimeSkippingError).
    pub fn set_time_skipping(&self, skipping: TimeSkipping) -> SetTimeSkipping {
        SetTimeSkipping::new(self.client.clone(), self.current(), skipping)
    }

    /// Lets so much time pass for this workflow alone, as fast as it can: whatever is due meanwhile happens when it is
    /// due. Then its time goes on at its own pace.
    ///
    /// # Errors
    ///
    /// At the await, see [`TimeSkippingError`](super::TimeSkippingError).
    pub fn fast_forward(&self, by: Duration) -> FastForward {
        FastForward::new(self.client.clone(), self.current(), by)
    }

    /// Whichever run is current, unless the handle keeps to one.
    fn current(&self) -> Execution {
        let run_id = match &self.run {
            Run::Latest | Run::Started { .. } | Run::Chain { .. } => None,
            Run::Pinned { run_id } => Some(run_id.clone()),
        };
        Execution { workflow_id: self.id.clone(), run_id, first_execution_run_id: None }
    }

    /// As [`current`](Self::current), but of the chain that was started.
    fn chain(&self) -> Execution {
        let first_execution_run_id = match &self.run {
            Run::Started { first_run_id, .. } => first_run_id.clone(),
            Run::Chain { first_run_id } => Some(first_run_id.clone()),
            Run::Latest | Run::Pinned { .. } => None,
        };
        Execution { first_execution_run_id, ..self.current() }
    }
}

impl<W: WorkflowType + ?Sized> WorkflowHandle<W> {
    /// Signals the workflow. This returns when the signal is recorded, before the workflow sees it.
    ///
    /// # Errors
    ///
    /// At the await, see [`SignalError`](super::SignalError).
    pub fn signal<I>(&self, signal: Signal<W, I>, argument: impl Arg<I>) -> SignalWorkflow {
        let arguments = argument.encode(&self.client.drafts(), signal.arity());
        SignalWorkflow::new(self.client.clone(), self.current(), signal.name().to_owned(), arguments)
    }

    /// Asks the workflow a question. A worker answers it, running or closed, so there must be one.
    ///
    /// # Errors
    ///
    /// At the await, see [`QueryError`](super::QueryError).
    pub fn query<I, O: DeserializeOwned>(&self, query: Query<W, I, O>, argument: impl Arg<I>) -> QueryWorkflow<O> {
        let arguments = argument.encode(&self.client.drafts(), query.arity());
        QueryWorkflow::new(self.client.clone(), self.current(), query.name().to_owned(), arguments)
    }

    /// Updates the workflow and waits for the update's result; [`start`](UpdateWorkflow::start) waits only until the
    /// workflow has accepted it.
    ///
    /// # Errors
    ///
    /// At the await, see [`UpdateError`](super::UpdateError).
    pub fn update<I, O: DeserializeOwned>(&self, update: Update<W, I, O>, argument: impl Arg<I>) -> UpdateWorkflow<O> {
        let arguments = argument.encode(&self.client.drafts(), update.arity());
        UpdateWorkflow::new(self.client.clone(), self.chain(), update.name().to_owned(), arguments)
    }

    /// Waits until the workflow has closed, and returns its result.
    ///
    /// A run that was retried, continued as new or followed by a cron run is not the end: the runs are followed, see
    /// [`follow_runs`](WorkflowResult::follow_runs).
    ///
    /// # Errors
    ///
    /// At the await, see [`ResultError`](super::ResultError): the workflow did not complete, or the calls failed.
    pub fn result(&self) -> WorkflowResult<W::Output>
    where
        W::Output: DeserializeOwned,
    {
        self.result_as()
    }
}

impl<W: ?Sized> Clone for WorkflowHandle<W> {
    fn clone(&self) -> Self {
        Self::new(self.client.clone(), self.id.clone(), self.run.clone())
    }
}

impl<W: ?Sized> fmt::Debug for WorkflowHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkflowHandle").field("id", &self.id).field("run", &self.run).finish_non_exhaustive()
    }
}
