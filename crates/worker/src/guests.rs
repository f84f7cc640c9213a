//! The workflows that are registered, and how one becomes the code of a run.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use stead_activation::{Guest, TaskFailure, TaskFailureCause};
use stead_data::Failure;
use stead_workflow::{Definition, GuestOptions, LastOperation};

use crate::shadow::{Sample, Shadows};

/// Registered workflows by their type.
#[derive(Clone, Default)]
pub(crate) struct Guests {
    definitions: BTreeMap<&'static str, Definition>,
    /// Takes every other type.
    dynamic: Option<Definition>,
    options: Arc<GuestOptions>,
    /// Which runs are run twice.
    sample: Option<Sample>,
    /// Who runs them the second time.
    shadows: Option<Arc<Shadows>>,
}

impl Guests {
    pub(crate) fn new(options: GuestOptions) -> Self {
        Self { options: Arc::new(options), ..Self::default() }
    }

    /// The code of these runs is run twice.
    pub(crate) fn shadowed(self, sample: Option<Sample>) -> Self {
        Self { sample, ..self }
    }

    /// The same workflows for one thread, which notes their operations in a place of its own.
    pub(crate) fn for_thread(&self) -> Self {
        let mut guests = self.clone();
        Arc::make_mut(&mut guests.options).last_operation = Arc::default();
        guests.shadows = self.sample.map(|sample| Arc::new(Shadows::new(sample, self.for_shadows())));
        guests
    }

    /// The same workflows where nobody should notice that they run.
    fn for_shadows(&self) -> Self {
        let mut guests = Self { sample: None, ..self.clone() };
        let options = Arc::make_mut(&mut guests.options);
        options.last_operation = Arc::default();
        options.metrics = None;
        options.is_shadow = true;
        guests
    }

    /// Where the runs of this thread note what they do.
    pub(crate) fn last_operation(&self) -> &Arc<LastOperation> {
        &self.options.last_operation
    }

    /// Adds a workflow. Returns whether its type was free.
    pub(crate) fn register(&mut self, definition: Definition) -> bool {
        if definition.is_dynamic() {
            return self.dynamic.is_none() && self.dynamic.replace(definition).is_none();
        }
        match self.definitions.entry(definition.name()) {
            Entry::Vacant(vacant) => {
                vacant.insert(definition);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    pub(crate) fn knows(&self, workflow_type: &str) -> bool {
        self.dynamic.is_some() || self.definitions.contains_key(workflow_type)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.definitions.is_empty() && self.dynamic.is_none()
    }

    /// The code of a run, with a shadow if it is to have one.
    pub(crate) fn create_for(&self, run_id: &str, workflow_type: &str) -> Result<Box<dyn Guest>, TaskFailure> {
        let code = self.create(workflow_type)?;
        Ok(match &self.shadows {
            Some(shadows) => shadows.follow(run_id, code),
            None => code,
        })
    }

    /// The code of a new run. An unknown type fails the task: a worker that knows it may be deployed later.
    pub(crate) fn create(&self, workflow_type: &str) -> Result<Box<dyn Guest>, TaskFailure> {
        match self.definitions.get(workflow_type).or(self.dynamic.as_ref()) {
            Some(definition) => Ok(definition.instantiate(&self.options)),
            None => Err(self.unknown(workflow_type)),
        }
    }

    fn unknown(&self, workflow_type: &str) -> TaskFailure {
        let known = self.definitions.keys().copied().collect::<Vec<_>>().join(", ");
        let message =
            format!("Workflow class {workflow_type} is not registered on this worker, available workflows: {known}");
        TaskFailure {
            cause: TaskFailureCause::WorkflowWorkerUnhandledFailure,
            failure: Box::new(Failure::application(message).type_name("NotFoundError").into_proto()),
        }
    }
}
