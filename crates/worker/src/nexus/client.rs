//! What handlers do with the worker's client.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use stead_client::{
    Answer, Client, ClientInterceptor, Given, Next, SignalWorkflowCall, StartActivity, StartActivityCall,
    StartUpdateCall, StartWorkflow, StartWorkflowCall, Started as HandleOf, UpdateWorkflow,
};
use stead_data::nexus::{Callback, Link, Response, Started};
use stead_data::{Bounded, BoxFuture, WorkflowType};
use stead_nexus::{Backing, Context, Error, HandlerErrorKind, StartInfo};

/// The worker's client. What it starts, signals and updates is linked with the operation that the calling code belongs
/// to, so that people find the one from the other.
///
/// # Panics
///
/// Outside of a handler of a Nexus operation.
#[track_caller]
pub fn client() -> Client {
    let context = Context::current();
    match context.extension::<Client>() {
        Some(client) => linked(&client, &context),
        None => panic!("a worker lends its client to its handlers, and this one is not run by a worker"),
    }
}

fn linked(client: &Client, context: &Context) -> Client {
    client.with_innermost_interceptor(Arc::new(Linking(context.clone())))
}

/// Starts a workflow, an activity or an update that goes on in place of the operation: whoever called the operation gets
/// its outcome, and cancels it when the operation is cancelled (but for an update, which cannot be). Repeating the same
/// request starts nothing twice.
///
/// A workflow or an activity without a task queue is started on the worker's own. The id is best made of what the
/// operation is about: with [`UseExisting`](stead_data::WorkflowIdConflictPolicy::UseExisting) several operations share
/// one workflow, and all of them get its result.
///
/// An operation has one such thing behind it; whatever else is started by [`client`] is on its own.
///
/// ```
/// use stead_data::WorkflowFn;
/// use stead_nexus as nexus;
/// use stead_worker::nexus::{client, start};
///
/// # struct Refund;
/// # impl stead_data::WorkflowType for Refund {
/// #     const NAME: &'static str = "Refund";
/// #     type Input = String;
/// #     type Output = u64;
/// # }
/// # const RUN: WorkflowFn<Refund, String, u64> = WorkflowFn::new("Refund", 1);
/// async fn refund(order: String) -> nexus::Result<nexus::Started<u64>> {
///     let id = format!("refund-{order}");
///     start(client().start_workflow(RUN, order).id(id)).await
/// }
/// ```
///
/// # Errors
///
/// It was not started; `BAD_REQUEST` if something goes on in place of the operation already.
///
/// # Panics
///
/// When called outside of a handler that starts an operation.
#[track_caller]
pub fn start<S: Starts>(what: S) -> BoxFuture<'static, stead_nexus::Result<S::Answer>> {
    let context = Context::current();
    let Some(request) = context.info().start.clone() else { panic!("a request to cancel an operation starts none") };
    Box::pin(async move {
        let Some(starting) = context.begin_start() else {
            let message = "something goes on in place of this operation already, and there can be one such thing only";
            return Err(Error::handler(HandlerErrorKind::BadRequest, message));
        };
        let answer = what.start(Behind { request, context }).await?;
        starting.succeeded();
        Ok(answer)
    })
}

/// What can go on in place of an operation: what `start_workflow`, `start_activity` and `update` of a client make.
///
/// Nobody else can implement it: what its method takes is not exported.
pub trait Starts: Send + 'static {
    /// What the handler returns.
    type Answer: Send;

    /// Starts it behind an operation.
    #[doc(hidden)]
    fn start(self, behind: Behind) -> impl Future<Output = stead_nexus::Result<Self::Answer>> + Send;
}

/// The operation that something is started in place of.
#[doc(hidden)]
#[derive(Debug)]
pub struct Behind {
    request: StartInfo,
    context: Context,
}

impl Behind {
    /// Who is told how it ends.
    fn callbacks(&self, backing: &Backing) -> Vec<Callback> {
        let callback = self.request.callback.clone().map(|mut callback| {
            callback.headers.insert("nexus-operation-token".to_owned(), backing.token().as_str().to_owned());
            callback
        });
        callback.into_iter().collect()
    }

    fn queue_or_own(&self, task_queue: &mut String) {
        if task_queue.is_empty() {
            task_queue.push_str(&self.context.info().task_queue);
        }
    }
}

impl<W, Queue> Starts for StartWorkflow<W, HandleOf, Given, Queue>
where
    W: WorkflowType + ?Sized + 'static,
    Queue: 'static,
{
    type Answer = Started<W::Output>;

    async fn start(self, behind: Behind) -> stead_nexus::Result<Self::Answer> {
        let (client, mut call) = self.into_call()?;
        let (namespace, workflow_id) = (client.namespace().to_owned(), call.workflow_id.clone());
        let backing = Backing::Workflow { namespace, workflow_id };
        call.completion_callbacks = behind.callbacks(&backing);
        call.request_id.clone_from(&behind.request.request_id);
        behind.queue_or_own(&mut call.task_queue);
        linked(&client, &behind.context).perform(call).await?;
        Ok(Started::with_token(backing.token().as_str()))
    }
}

impl<O, Queue> Starts for StartActivity<O, HandleOf, Bounded, Given, Queue>
where
    O: 'static,
    Queue: 'static,
{
    type Answer = Started<O>;

    async fn start(self, behind: Behind) -> stead_nexus::Result<Self::Answer> {
        let (client, mut call) = self.into_call()?;
        let (namespace, activity_id) = (client.namespace().to_owned(), call.activity_id.clone());
        let backing =
            |run_id| Backing::Activity { namespace: namespace.clone(), activity_id: activity_id.clone(), run_id };
        call.completion_callbacks = behind.callbacks(&backing(None));
        call.request_id.clone_from(&behind.request.request_id);
        behind.queue_or_own(&mut call.task_queue);
        let output = linked(&client, &behind.context).perform(call).await?;
        Ok(Started::with_token(backing(Some(output.run_id)).token().as_str()))
    }
}

/// The result, if the update has completed already.
impl<O: DeserializeOwned + Send + 'static> Starts for UpdateWorkflow<O> {
    type Answer = Response<O>;

    async fn start(self, behind: Behind) -> stead_nexus::Result<Self::Answer> {
        // The same request is the same update.
        let (client, mut call) = self.into_call(Some(behind.request.request_id.clone()))?;
        call.wait_for = stead_client::UpdateStage::Accepted;
        call.request_id.clone_from(&behind.request.request_id);
        let (execution, update_id) = (call.execution.clone(), call.update_id.clone());
        let backing = |run_id| Backing::Update {
            namespace: client.namespace().to_owned(),
            workflow_id: execution.workflow_id.clone(),
            run_id,
            update_id: update_id.clone(),
        };
        call.completion_callbacks = behind.callbacks(&backing(execution.run_id.clone()));
        let output = linked(&client, &behind.context).perform(call).await?;
        match output.outcome {
            Some(Ok(payload)) => Ok(Response::Done(client.data_converter().from_result(payload.as_ref())?)),
            Some(Err(failure)) => Err(Error::operation_failed_as(*failure)),
            None => {
                let run_id = output.run_id.or_else(|| execution.run_id.clone());
                Ok(Response::Started(Started::with_token(backing(run_id).token().as_str())))
            }
        }
    }
}

/// Links what a client does with an operation, and the operation with that.
struct Linking(Context);

impl Linking {
    /// Adds those of the operation to the links of a call.
    fn add_to(&self, links: &mut Vec<Link>) {
        let info = self.0.info();
        for link in info.start.iter().flat_map(|start| &start.links) {
            if !links.contains(link) {
                links.push(link.clone());
            }
        }
    }

    fn add(&self, link: Option<&Link>) {
        link.into_iter().for_each(|link| self.0.add_link(link.clone()));
    }
}

impl ClientInterceptor for Linking {
    fn start_workflow<'a>(
        &'a self,
        mut call: StartWorkflowCall,
        next: Next<'a, StartWorkflowCall>,
    ) -> Answer<'a, StartWorkflowCall> {
        Box::pin(async move {
            self.add_to(&mut call.links);
            let output = next.run(call).await?;
            self.add(output.link.as_ref());
            Ok(output)
        })
    }

    fn signal_workflow<'a>(
        &'a self,
        mut call: SignalWorkflowCall,
        next: Next<'a, SignalWorkflowCall>,
    ) -> Answer<'a, SignalWorkflowCall> {
        Box::pin(async move {
            self.add_to(&mut call.links);
            let output = next.run(call).await?;
            self.add(output.link.as_ref());
            Ok(output)
        })
    }

    fn start_update<'a>(
        &'a self,
        mut call: StartUpdateCall,
        next: Next<'a, StartUpdateCall>,
    ) -> Answer<'a, StartUpdateCall> {
        Box::pin(async move {
            // Servers take the links of an update with its callbacks alone.
            if !call.completion_callbacks.is_empty() {
                self.add_to(&mut call.links);
            }
            let output = next.run(call).await?;
            self.add(output.link.as_ref());
            Ok(output)
        })
    }

    fn start_activity<'a>(
        &'a self,
        mut call: StartActivityCall,
        next: Next<'a, StartActivityCall>,
    ) -> Answer<'a, StartActivityCall> {
        Box::pin(async move {
            self.add_to(&mut call.links);
            let output = next.run(call).await?;
            self.add(output.link.as_ref());
            Ok(output)
        })
    }
}
