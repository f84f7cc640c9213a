//! The seam for code that sees every operation of a client: tracing, authorization, headers.

use std::{fmt, future::Future, marker::PhantomData, sync::Arc};

use stead_data::BoxFuture;

use crate::{
    client::Client,
    workflow::{
        CancelError, CancelWorkflowCall, DescribeError, DescribeWorkflowCall, QueryError, QueryOutput,
        QueryWorkflowCall, SignalError, SignalWorkflowCall, StartError, StartUpdateCall, StartUpdateOutput,
        StartWithUpdateCall, StartWithUpdateError, StartWithUpdateOutput, StartWorkflowCall, StartWorkflowOutput,
        TerminateError, TerminateWorkflowCall, UpdateError, WorkflowDescription,
    },
};

/// Sees the operations of a client, and may change them on their way in and out.
///
/// Each method gets the call, before its payloads pass through the codec, and a [`Next`] that carries it on; the
/// default does nothing else. A client without interceptors pays nothing for them.
///
/// ```
/// use stead_client::{ClientInterceptor, Next, SignalError, SignalWorkflowCall};
/// use stead_data::{BoxFuture, DataConverter};
///
/// struct Tenant(String);
///
/// impl ClientInterceptor for Tenant {
///     fn signal_workflow<'a>(
///         &'a self,
///         mut call: SignalWorkflowCall,
///         next: Next<'a, SignalWorkflowCall>,
///     ) -> BoxFuture<'a, Result<(), SignalError>> {
///         Box::pin(async move {
///             call.headers.insert("tenant".to_owned(), DataConverter::new().to_payload(&self.0)?);
///             next.run(call).await
///         })
///     }
/// }
/// ```
pub trait ClientInterceptor: Send + Sync + 'static {
    /// A workflow is started, with a signal perhaps.
    fn start_workflow<'a>(
        &'a self,
        call: StartWorkflowCall,
        next: Next<'a, StartWorkflowCall>,
    ) -> BoxFuture<'a, Result<StartWorkflowOutput, StartError>> {
        next.run(call)
    }

    /// A workflow is signalled.
    fn signal_workflow<'a>(
        &'a self,
        call: SignalWorkflowCall,
        next: Next<'a, SignalWorkflowCall>,
    ) -> BoxFuture<'a, Result<(), SignalError>> {
        next.run(call)
    }

    /// A workflow is queried.
    fn query_workflow<'a>(
        &'a self,
        call: QueryWorkflowCall,
        next: Next<'a, QueryWorkflowCall>,
    ) -> BoxFuture<'a, Result<QueryOutput, QueryError>> {
        next.run(call)
    }

    /// An update is sent to a workflow.
    fn start_update<'a>(
        &'a self,
        call: StartUpdateCall,
        next: Next<'a, StartUpdateCall>,
    ) -> BoxFuture<'a, Result<StartUpdateOutput, UpdateError>> {
        next.run(call)
    }

    /// A workflow is started together with an update.
    fn start_with_update<'a>(
        &'a self,
        call: StartWithUpdateCall,
        next: Next<'a, StartWithUpdateCall>,
    ) -> BoxFuture<'a, Result<StartWithUpdateOutput, StartWithUpdateError>> {
        next.run(call)
    }

    /// The cancellation of a workflow is requested.
    fn cancel_workflow<'a>(
        &'a self,
        call: CancelWorkflowCall,
        next: Next<'a, CancelWorkflowCall>,
    ) -> BoxFuture<'a, Result<(), CancelError>> {
        next.run(call)
    }

    /// A workflow is terminated.
    fn terminate_workflow<'a>(
        &'a self,
        call: TerminateWorkflowCall,
        next: Next<'a, TerminateWorkflowCall>,
    ) -> BoxFuture<'a, Result<(), TerminateError>> {
        next.run(call)
    }

    /// A workflow is described.
    fn describe_workflow<'a>(
        &'a self,
        call: DescribeWorkflowCall,
        next: Next<'a, DescribeWorkflowCall>,
    ) -> BoxFuture<'a, Result<WorkflowDescription, DescribeError>> {
        next.run(call)
    }
}

/// The rest of the way of a call: the inner interceptors, then the server.
pub struct Next<'a, C> {
    client: &'a Client,
    rest: &'a [Arc<dyn ClientInterceptor>],
    call: PhantomData<fn(C)>,
}

impl<'a, C: Operation> Next<'a, C> {
    pub(crate) fn new(client: &'a Client, rest: &'a [Arc<dyn ClientInterceptor>]) -> Self {
        Self { client, rest, call: PhantomData }
    }

    /// Carries the call on.
    pub fn run(self, call: C) -> BoxFuture<'a, Result<C::Output, C::Error>> {
        match self.rest {
            [] => Box::pin(call.send(self.client)),
            [interceptor, rest @ ..] => call.intercept(&**interceptor, Next::new(self.client, rest)),
        }
    }
}

impl<C> fmt::Debug for Next<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("interceptors", &self.rest.len()).finish_non_exhaustive()
    }
}

/// What a client does, as a value on its way through the interceptors to the server: one of the calls that the methods
/// of [`ClientInterceptor`] take.
///
/// Nobody else can implement it: its name is not exported.
pub trait Operation: Send + Sized + 'static {
    /// What comes back.
    type Output: Send;
    /// What goes wrong.
    type Error: Send;

    /// Hands the operation to the interceptor's method for it.
    fn intercept<'a>(
        self,
        interceptor: &'a dyn ClientInterceptor,
        next: Next<'a, Self>,
    ) -> BoxFuture<'a, Result<Self::Output, Self::Error>>;

    /// Does it.
    fn send(self, client: &Client) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}
