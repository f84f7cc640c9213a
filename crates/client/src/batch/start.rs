//! [`Batch`]: a batch to be started.

use std::{future::IntoFuture, time::Duration};

use serde::Serialize;
use stead_data::{Arg, BoxFuture, ConversionError, Payload, Signal, WorkflowType};
use stead_proto::{
    batch::v1::{
        BatchOperationCancelActivities, BatchOperationCancellation, BatchOperationDeleteActivities,
        BatchOperationDeletion, BatchOperationResetActivities, BatchOperationSignal, BatchOperationTerminateActivities,
        BatchOperationTermination, BatchOperationUnpauseActivities, batch_operation_reset_activities,
        batch_operation_unpause_activities,
    },
    common::v1::WorkflowExecution,
    workflowservice::v1::{StartBatchOperationRequest, start_batch_operation_request::Operation},
};

use super::{BatchHandle, BatchReset, BatchTargets, StartBatchError, Targets};
use crate::{
    client::Client,
    connection::{CallOptions, Metadata},
    payloads::{self, Owner},
    workflow::request_id,
};

/// A batch of which it is not said yet what it does; made by [`Client::batch`].
///
/// ```no_run
/// use stead_client::{BatchState, Filter};
///
/// # async fn run(client: stead_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let batch = client.batch(Filter::workflow_type("Order"), "the shop is closed").max_per_second(50.0).cancel().await?;
/// let state = batch.describe().await?;
/// println!("{} of {}", state.completed(), state.total());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "say what it does, and await that"]
pub struct Batch {
    client: Client,
    id: String,
    targets: BatchTargets,
    reason: String,
    max_per_second: f32,
    options: CallOptions,
}

/// A batch to be started: awaiting it starts it, and gives a handle to it. The server works on it from then on.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct StartBatch {
    batch: Batch,
    operation: Operation,
    /// Arguments of a signal.
    arguments: Result<Vec<Payload>, ConversionError>,
}

/// Which activities of each workflow a batch is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchActivities {
    /// All that are under way.
    All,
    /// Those of a type.
    Type(String),
}

impl Batch {
    pub(crate) fn new(client: Client, targets: BatchTargets, reason: String) -> Self {
        Self { client, id: request_id(), targets, reason, max_per_second: 0.0, options: CallOptions::new() }
    }

    /// By what it is found later. Default: a random one.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// How many executions it may see to in a second. Default: the server's. Servers up to and including 1.32 take no
    /// notice of it; the embedded one does.
    pub fn max_per_second(mut self, executions: f32) -> Self {
        self.max_per_second = executions;
        self
    }

    /// The deadline of the call to the server, retries included. Default: see [`CallOptions`].
    pub fn rpc_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Headers of the call to the server.
    pub fn rpc_metadata(mut self, metadata: Metadata) -> Self {
        self.options.metadata = metadata;
        self
    }

    /// Terminates workflows, for the reason of the batch.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn terminate(self) -> StartBatch {
        let identity = self.identity();
        self.start(Operation::TerminationOperation(BatchOperationTermination { details: None, identity }))
    }

    /// Asks workflows to cancel themselves.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn cancel(self) -> StartBatch {
        let identity = self.identity();
        self.start(Operation::CancellationOperation(BatchOperationCancellation { identity }))
    }

    /// Signals workflows.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn signal<W: WorkflowType + ?Sized, I>(self, signal: Signal<W, I>, argument: impl Arg<I>) -> StartBatch {
        let arguments = argument.encode(&self.client.drafts(), signal.arity());
        self.send_signal(signal.name().to_owned(), arguments)
    }

    /// Signals workflows by the signal's name; several arguments are a tuple.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn signal_named(self, signal: impl Into<String>, arguments: impl Serialize) -> StartBatch {
        let arguments = self.client.drafts().to_arguments(&arguments);
        self.send_signal(signal.into(), arguments)
    }

    /// Deletes workflows, open and closed, with their histories. Open ones are terminated first.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn delete(self) -> StartBatch {
        let identity = self.identity();
        self.start(Operation::DeletionOperation(BatchOperationDeletion { identity }))
    }

    /// Resets workflows, open and closed: each begins anew from a point of its history.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn reset(self, to: BatchReset) -> StartBatch {
        let identity = self.identity();
        self.start(Operation::ResetOperation(to.into_wire(identity)))
    }

    /// Lets paused activities of workflows go on.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn unpause_activities(self, activities: BatchActivities) -> StartBatch {
        use batch_operation_unpause_activities::Activity;
        let activity = Some(match activities {
            BatchActivities::All => Activity::MatchAll(true),
            BatchActivities::Type(name) => Activity::Type(name),
        });
        let identity = self.identity();
        let unpause = BatchOperationUnpauseActivities { identity, activity, ..Default::default() };
        self.start(Operation::UnpauseActivitiesOperation(unpause))
    }

    /// Begins activities of workflows anew, with their first attempt.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn reset_activities(self, activities: BatchActivities) -> StartBatch {
        use batch_operation_reset_activities::Activity;
        let activity = Some(match activities {
            BatchActivities::All => Activity::MatchAll(true),
            BatchActivities::Type(name) => Activity::Type(name),
        });
        let identity = self.identity();
        let reset = BatchOperationResetActivities { identity, activity, ..Default::default() };
        self.start(Operation::ResetActivitiesOperation(reset))
    }

    /// Terminates activities that no workflow started.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn terminate_activities(self) -> StartBatch {
        let (identity, reason) = (self.identity(), self.reason.clone());
        self.start(Operation::TerminateActivitiesOperation(BatchOperationTerminateActivities { identity, reason }))
    }

    /// Asks activities that no workflow started to cancel themselves.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn cancel_activities(self) -> StartBatch {
        let (identity, reason) = (self.identity(), self.reason.clone());
        self.start(Operation::CancelActivitiesOperation(BatchOperationCancelActivities { identity, reason }))
    }

    /// Deletes activities that no workflow started, open and closed.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn delete_activities(self) -> StartBatch {
        self.start(Operation::DeleteActivitiesOperation(BatchOperationDeleteActivities {}))
    }

    /// Whatever else the server can do, in the raw API's words. Payloads in it do not pass through a codec.
    ///
    /// # Errors
    ///
    /// At the await, see [`StartBatchError`].
    pub fn raw(self, operation: Operation) -> StartBatch {
        self.start(operation)
    }

    fn identity(&self) -> String {
        self.client.identity().to_owned()
    }

    fn send_signal(self, signal: String, arguments: Result<Vec<Payload>, ConversionError>) -> StartBatch {
        let identity = self.identity();
        let operation =
            Operation::SignalOperation(BatchOperationSignal { signal, identity, ..BatchOperationSignal::default() });
        StartBatch { arguments, ..self.start(operation) }
    }

    fn start(self, operation: Operation) -> StartBatch {
        StartBatch { batch: self, operation, arguments: Ok(Vec::new()) }
    }
}

impl StartBatch {
    async fn send(self) -> Result<BatchHandle, StartBatchError> {
        let Self { batch: Batch { client, id, targets, reason, max_per_second, options }, mut operation, arguments } =
            self;
        let arguments = payloads::encode_arguments(&Owner::unknown(&client), arguments?).await?;
        if let Operation::SignalOperation(signal) = &mut operation
            && arguments.is_some()
        {
            signal.input = arguments;
        }
        let (visibility_query, executions) = match targets.0.clone() {
            Targets::Query(query) => (query, Vec::new()),
            Targets::List(list) => {
                let executions = list.into_iter();
                let executions = executions.map(|(workflow_id, run_id)| WorkflowExecution { workflow_id, run_id });
                (String::new(), executions.collect())
            }
        };
        // Servers know the newer list of executions since 1.32 only, and this one mean the same to all.
        #[expect(deprecated, reason = "what replaces it is too new")]
        let request = StartBatchOperationRequest {
            namespace: client.namespace().to_owned(),
            visibility_query,
            job_id: id.clone(),
            reason,
            executions,
            max_operations_per_second: max_per_second,
            operation: Some(operation),
            ..Default::default()
        };
        match client.service().start_batch_operation(request, options).await {
            Ok(_) => Ok(BatchHandle::new(client, id)),
            Err(source) => Err(match source.code() {
                tonic::Code::AlreadyExists => StartBatchError::AlreadyExists { batch_id: id, source },
                tonic::Code::ResourceExhausted => StartBatchError::TooMany { batch_id: id, source },
                tonic::Code::InvalidArgument => StartBatchError::Invalid { batch_id: id, targets, source },
                _ => StartBatchError::Rpc(source),
            }),
        }
    }
}

impl IntoFuture for StartBatch {
    type Output = Result<BatchHandle, StartBatchError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
