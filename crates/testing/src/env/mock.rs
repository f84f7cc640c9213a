//! [`Mock`]: an activity whose code is a closure of the test; and workflows and Nexus operations of that kind.

use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activity::{Activities, Definition, Implementation, Input};
use stead_data::{Activity, BoxFuture, NexusService, Operation, Payload};
use stead_nexus::{Definition as NexusDefinition, OperationDefinition, Service};
use stead_workflow::Definition as WorkflowDefinition;

/// Activities that a test has put together.
#[derive(Debug, Default)]
pub(super) struct Collected {
    real: Vec<Definition>,
    mocks: Vec<Definition>,
}

/// An activity whose code is a closure of the test. Made by [`TestWorkerBuilder::mock`](super::TestWorkerBuilder::mock).
#[derive(Debug)]
pub struct Mock(Definition);

impl Mock {
    pub(super) fn new<A, I, O, T, F, R>(activity: Activity<A, I, O, T>, code: F) -> Self
    where
        A: ?Sized,
        I: DeserializeOwned + Send + 'static,
        O: Serialize + 'static,
        F: Fn(I) -> R + Send + Sync + 'static,
        R: Future<Output = stead_activity::Result<O>> + Send + 'static,
    {
        let arity = activity.arity();
        let code = Arc::new(code);
        let call = move |input: Input| -> BoxFuture<'static, stead_activity::Result<Payload>> {
            let code = Arc::clone(&code);
            Box::pin(async move {
                let argument = input.decode::<I>(arity)?;
                let result = code(argument).await?;
                input.encode(&result)
            })
        };
        Self(Definition::new(activity.name(), Implementation::Async(Arc::new(call))))
    }
}

impl Collected {
    pub(super) fn add(&mut self, activities: Arc<impl Activities>) {
        self.real.extend(activities.definitions());
    }

    /// Adds a mock, which stands before a real activity and an earlier mock of its name.
    pub(super) fn mock(&mut self, Mock(definition): Mock) {
        self.mocks.retain(|mock| mock.name != definition.name);
        self.mocks.push(definition);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.real.is_empty() && self.mocks.is_empty()
    }
}

impl Activities for Collected {
    fn definitions(self: Arc<Self>) -> Vec<Definition> {
        let mocked = |definition: &&Definition| self.mocks.iter().any(|mock| mock.name == definition.name);
        let real = self.real.iter().filter(|definition| !mocked(definition));
        real.chain(&self.mocks).cloned().collect()
    }
}

/// Workflows that a test has put together.
#[derive(Debug, Default)]
pub(super) struct CollectedWorkflows {
    real: Vec<WorkflowDefinition>,
    mocks: Vec<WorkflowDefinition>,
}

impl CollectedWorkflows {
    pub(super) fn add(&mut self, workflow: WorkflowDefinition) {
        self.real.push(workflow);
    }

    /// Adds a mock, which stands before a real workflow and an earlier mock of its name.
    pub(super) fn mock(&mut self, workflow: WorkflowDefinition) {
        self.mocks.retain(|mock| mock.name() != workflow.name());
        self.mocks.push(workflow);
    }

    pub(super) fn into_definitions(self) -> impl Iterator<Item = WorkflowDefinition> {
        let Self { mut real, mocks } = self;
        real.retain(|real| mocks.iter().all(|mock| mock.name() != real.name()));
        real.into_iter().chain(mocks)
    }
}

/// Nexus services that a test has put together.
#[derive(Debug, Default)]
pub(super) struct CollectedServices {
    real: Vec<NexusDefinition>,
    mocks: Vec<(&'static str, OperationDefinition)>,
}

impl CollectedServices {
    pub(super) fn add(&mut self, handlers: Arc<impl Service>) {
        self.real.push(handlers.definition());
    }

    /// Adds a mock, which stands before a real operation and an earlier mock of its name.
    pub(super) fn mock<S, I, O, F, R>(&mut self, operation: Operation<S, I, O>, code: F)
    where
        S: NexusService + ?Sized + 'static,
        I: DeserializeOwned + Send + 'static,
        O: Serialize + 'static,
        F: Fn(I) -> R + Send + Sync + 'static,
        R: Future<Output = stead_nexus::Result<O>> + Send + 'static,
    {
        let code = Arc::new(code);
        let start = stead_nexus::Implementation::asynchronous(move |input: stead_nexus::Input| {
            let code = Arc::clone(&code);
            Box::pin(async move {
                let result = code(input.decode(operation)?).await;
                input.encode(operation, result, |error| error)
            })
        });
        let service = operation.service();
        self.mocks.retain(|(other, mock)| *other != service || mock.name != operation.name());
        self.mocks.push((service, OperationDefinition::new(operation.name(), start)));
    }

    pub(super) fn into_definitions(self) -> Vec<NexusDefinition> {
        let Self { mut real, mocks } = self;
        for (service, mock) in mocks {
            match real.iter_mut().find(|definition| definition.name == service) {
                Some(definition) => {
                    definition.operations.retain(|operation| operation.name != mock.name);
                    definition.operations.push(mock);
                }
                None => real.push(NexusDefinition::new(service, vec![mock])),
            }
        }
        real
    }
}
