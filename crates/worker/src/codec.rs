//! The user's codec and failure converter, applied to whole messages on their way in and out.
//!
//! They run on the asynchronous runtime, never on a shard. Each payload comes with its [context](SerializationContext),
//! which is found in what surrounds it: see [`owners`].

mod owners;

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use stead_activity::Info;
use stead_client::payloads::{
    Part, Transfers, decode_parts, decode_workflow_parts, encode_parts, encode_workflow_parts, has_stages,
};
use stead_data::{CodecError, DataConverter, Failure, Payload, SerializationContext, WorkflowContext};
use stead_proto::common::v1::Header;
use stead_proto::failure::v1::Failure as ProtoFailure;
use stead_proto::history::v1::HistoryEvent;
use stead_proto::sdk::v1::{EventGroupMarker, UserMetadata};
use stead_proto::visit::VisitPayloads;
use stead_proto::workflowservice::v1::{
    PollWorkflowTaskQueueResponse, RespondQueryTaskCompletedRequest, RespondWorkflowTaskCompletedRequest,
};

use owners::{Owners, owner_of_command};

/// What payloads go through; or nothing, which costs nothing.
#[derive(Default)]
pub(crate) struct Codec(Option<Box<Stages>>);

struct Stages {
    converter: DataConverter,
    namespace: String,
    task_queue: String,
    owners: Mutex<Owners>,
}

/// The workflow that a message of a worker is about; `None` where nobody needs to know.
pub(crate) type Owner = Option<WorkflowContext>;

impl Codec {
    pub(crate) fn new(converter: &DataConverter, namespace: &str, task_queue: &str) -> Self {
        Self(has_stages(converter).then(|| {
            Box::new(Stages {
                converter: converter.clone(),
                namespace: namespace.to_owned(),
                task_queue: task_queue.to_owned(),
                owners: Mutex::default(),
            })
        }))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// The workflow of a task.
    pub(crate) fn owner_of_task(&self, task: &PollWorkflowTaskQueueResponse) -> Owner {
        if !self.is_set() {
            return None;
        }
        let execution = task.workflow_execution.clone().unwrap_or_default();
        let workflow_type = task.workflow_type.as_ref().map(|it| it.name.clone());
        self.owner(execution.workflow_id, execution.run_id, workflow_type)
    }

    /// A workflow.
    pub(crate) fn owner(&self, workflow_id: String, run_id: String, workflow_type: Option<String>) -> Owner {
        let mut owner = WorkflowContext::new(&self.0.as_ref()?.namespace, workflow_id);
        (owner.run_id, owner.workflow_type) = (Some(run_id), workflow_type);
        Some(owner)
    }

    /// The workflow of a run that has got a task.
    pub(crate) fn owner_of_run(&self, run_id: &str) -> Owner {
        let stages = self.0.as_ref()?;
        let known = stages.owners().workflow(run_id);
        // Whatever happens, nothing goes out as it is.
        Some(known.unwrap_or_else(|| WorkflowContext::new(&stages.namespace, "")))
    }

    /// A task that was decoded has come to the shard of its run.
    pub(crate) fn arrived(&self, run_id: &str) {
        if let Some(stages) = &self.0 {
            stages.owners().arrived(run_id);
        }
    }

    /// A run has left the cache.
    pub(crate) fn forget(&self, run_id: &str) {
        if let Some(stages) = &self.0 {
            stages.owners().forget(run_id);
        }
    }

    /// All of these runs have left the cache.
    pub(crate) fn forget_all(&self, have_left: impl Fn(&str) -> bool) {
        if let Some(stages) = &self.0 {
            stages.owners().forget_all(have_left);
        }
    }

    /// Decodes a workflow task. If that fails the message has lost its payloads.
    pub(crate) async fn decode_task(&self, task: &mut PollWorkflowTaskQueueResponse) -> Result<(), CodecError> {
        let (Some(stages), Some(owner)) = (&self.0, self.owner_of_task(task)) else { return Ok(()) };
        let PollWorkflowTaskQueueResponse { history, query, queries, messages, .. } = task;
        let run_id = owner.run_id.clone().unwrap_or_default();
        stages.owners().expect(&owner);
        let mut parts = match history {
            Some(history) => stages.parts_of(&owner, &mut history.events),
            None => Vec::new(),
        };
        parts.push((owner.clone().into(), query));
        parts.push((owner.clone().into(), queries));
        parts.push((owner.into(), messages));
        let transfers = Transfers::default();
        let decoded = decode_workflow_parts(&stages.converter, &mut parts, &transfers).await;
        match decoded {
            Ok(()) => stages.owners().transferred(&run_id, &transfers),
            Err(_) => stages.owners().failed(&run_id),
        }
        decoded
    }

    /// Decodes a page of a run's history, or all of it.
    pub(crate) async fn decode_history(&self, owner: &Owner, events: &mut [HistoryEvent]) -> Result<(), CodecError> {
        let (Some(stages), Some(owner)) = (&self.0, owner) else { return Ok(()) };
        let transfers = Transfers::default();
        decode_workflow_parts(&stages.converter, &mut stages.parts_of(owner, events), &transfers).await?;
        stages.owners().transferred(owner.run_id.as_deref().unwrap_or_default(), &transfers);
        Ok(())
    }

    /// When the run's latest task came, before its payloads were decoded, and what external storage has had to do for it.
    pub(crate) fn work_on_task(&self, run_id: &str) -> Option<(Instant, Transfers)> {
        self.0.as_ref()?.owners().work_on_task(run_id)
    }

    /// Encodes the completion of a workflow task.
    pub(crate) async fn encode_completion(
        &self,
        owner: &Owner,
        mut request: RespondWorkflowTaskCompletedRequest,
    ) -> Result<RespondWorkflowTaskCompletedRequest, CodecError> {
        let (Some(stages), Some(owner)) = (&self.0, owner) else { return Ok(request) };
        let RespondWorkflowTaskCompletedRequest { commands, messages, query_results, .. } = &mut request;
        let parent = stages.owners().parent(owner.run_id.as_deref().unwrap_or_default());
        let mut parts = Vec::<Part<'_>>::new();
        for command in commands {
            let context = owner_of_command(owner, parent.as_ref(), &stages.task_queue, command);
            parts.push((context, &mut command.attributes));
            push_labels(&mut parts, owner, &mut command.user_metadata, &mut command.event_group_markers);
        }
        parts.push((owner.clone().into(), messages));
        parts.push((owner.clone().into(), query_results));
        let transfers = Transfers::default();
        encode_workflow_parts(&stages.converter, &mut parts, &transfers).await?;
        stages.owners().transferred(owner.run_id.as_deref().unwrap_or_default(), &transfers);
        for result in request.query_results.values_mut() {
            say_the_same(&mut result.error_message, result.failure.as_ref());
        }
        Ok(request)
    }

    /// Encodes the answer to a query.
    pub(crate) async fn encode_answer(
        &self,
        owner: &Owner,
        request: RespondQueryTaskCompletedRequest,
    ) -> Result<RespondQueryTaskCompletedRequest, CodecError> {
        let mut request = self.encode(owner.clone().map(Into::into), request).await?;
        if self.is_set() {
            say_the_same(&mut request.error_message, request.failure.as_ref());
        }
        Ok(request)
    }

    /// The context of an activity's payloads; `None` where nobody needs to know.
    pub(crate) fn activity(&self, info: &Info) -> Option<SerializationContext> {
        self.0.as_ref().map(|_| info.owner())
    }

    /// The context of a Nexus operation's payloads; `None` where nobody needs to know.
    pub(crate) fn nexus(&self, info: &stead_nexus::Info) -> Option<SerializationContext> {
        self.0.as_ref().map(|_| info.owner())
    }

    /// Decodes what a Nexus operation is started with.
    pub(crate) async fn decode_nexus(
        &self,
        context: &Option<SerializationContext>,
        input: &mut Option<Payload>,
    ) -> Result<(), CodecError> {
        let (Some(stages), Some(context)) = (&self.0, context) else { return Ok(()) };
        decode_parts(&stages.converter, &mut [(context.clone(), input)]).await
    }

    /// Decodes what an activity is called with. If that fails the payloads are lost.
    pub(crate) async fn decode_activity(
        &self,
        context: &Option<SerializationContext>,
        arguments: &mut Vec<Payload>,
        header: &mut Option<Header>,
        heartbeat_details: &mut Vec<Payload>,
    ) -> Result<(), CodecError> {
        let (Some(stages), Some(context)) = (&self.0, context) else { return Ok(()) };
        let mut parts: [Part<'_>; 3] =
            [(context.clone(), arguments), (context.clone(), header), (context.clone(), heartbeat_details)];
        decode_parts(&stages.converter, &mut parts).await
    }

    /// Encodes what is about to be sent.
    pub(crate) async fn encode<M: VisitPayloads + Send>(
        &self,
        context: Option<SerializationContext>,
        mut message: M,
    ) -> Result<M, CodecError> {
        if let (Some(stages), Some(context)) = (&self.0, context) {
            encode_parts(&stages.converter, &mut [(context, &mut message)]).await?;
        }
        Ok(message)
    }

    /// Encodes a failure. If that fails the failure itself cannot be told, as it may hold what must not be seen, but
    /// that there was one must not get lost.
    pub(crate) async fn encode_failure_or_say_why(
        &self,
        context: Option<SerializationContext>,
        failure: ProtoFailure,
    ) -> ProtoFailure {
        self.encode(context, failure).await.unwrap_or_else(|error| {
            let message = format!("a failure that cannot be shown: {error}");
            Failure::application(message).type_name(FAILURE_TYPE).into_proto()
        })
    }
}

impl Stages {
    /// The events of a run, each with whose payloads it has. Of a run that is not known and whose history begins
    /// elsewhere there are none: its cache has gone, and the whole history is about to be fetched.
    fn parts_of<'a>(&self, owner: &WorkflowContext, events: &'a mut [HistoryEvent]) -> Vec<Part<'a>> {
        let Some(owners) = self.owners().of_events(owner, &self.task_queue, events) else { return Vec::new() };
        let mut parts = Vec::<Part<'_>>::new();
        for (event, context) in events.iter_mut().zip(owners) {
            parts.extend(context.map(|context| (context, &mut event.attributes as _)));
            push_labels(&mut parts, owner, &mut event.user_metadata, &mut event.event_group_markers);
        }
        parts
    }

    /// No foreign code runs under the lock, so a poisoned one is intact.
    fn owners(&self) -> std::sync::MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a command or an event is labelled with is the workflow's. Most have no labels, and no copy of their owner is made.
fn push_labels<'a>(
    parts: &mut Vec<Part<'a>>,
    owner: &WorkflowContext,
    metadata: &'a mut Option<Box<UserMetadata>>,
    groups: &'a mut Vec<EventGroupMarker>,
) {
    if metadata.is_some() {
        parts.push((owner.clone().into(), metadata));
    }
    if !groups.is_empty() {
        parts.push((owner.clone().into(), groups));
    }
}

/// The message that stands beside a failure must not show what the failure was made to hide.
fn say_the_same(error_message: &mut String, failure: Option<&ProtoFailure>) {
    if let Some(failure) = failure {
        error_message.clone_from(&failure.message);
    }
}

/// What a codec's error does to a task. Unless the codec says otherwise it may be retried: the key may be back by then.
pub(crate) fn failure(error: &CodecError) -> Failure {
    match error.failure() {
        Some(failure) => failure.clone(),
        None => Failure::application(error.to_string()).type_name(FAILURE_TYPE),
    }
}

const FAILURE_TYPE: &str = "PayloadCodecError";

#[cfg(test)]
mod tests;
