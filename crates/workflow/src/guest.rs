//! A workflow type that can be run, and the options its runs share.

use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activation::{CallSite, Guest, VersioningBehavior};
use stead_data::metrics::MetricSink;
use stead_data::{ConversionError, DataConverter};

use crate::definition::{Arguments, Workflow, WorkflowOptions};
use crate::fail_on::FailOn;
use crate::instance::Instance;
use crate::interceptor::WorkflowInterceptor;
use crate::patch::ActivatesPatch;
use crate::program::{self, PayloadFuture, Program};
use crate::watch::PollWatch;

pub(crate) type StartFn =
    Arc<dyn Fn(&Arguments<'_>) -> Result<(Rc<dyn Program>, PayloadFuture), ConversionError> + Send + Sync>;

/// A workflow type that can be run: what a worker registers.
#[derive(Clone)]
pub struct Definition {
    name: &'static str,
    start: StartFn,
    options: WorkflowOptions,
    is_configured_by_run: bool,
}

impl Definition {
    /// The definition of `W`.
    pub fn of<W: Workflow>() -> Self {
        Self {
            name: W::NAME,
            start: Arc::new(program::start::<W>),
            options: W::OPTIONS,
            is_configured_by_run: W::CONFIG.is_some(),
        }
    }

    /// The definition of a workflow whose code is a closure and that has no handlers: what a test puts in the place of
    /// another.
    #[doc(hidden)]
    pub fn of_code<I, O, R>(name: &'static str, arity: usize, code: impl Fn(I) -> R + Send + Sync + 'static) -> Self
    where
        I: DeserializeOwned + 'static,
        O: Serialize + 'static,
        R: Future<Output = crate::Result<O>> + 'static,
    {
        Self {
            name,
            start: Arc::new(move |arguments: &Arguments<'_>| program::start_code(&code, arguments, arity)),
            options: WorkflowOptions::NONE,
            is_configured_by_run: false,
        }
    }

    /// Name of the workflow type.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it takes the types that no other workflow of the worker takes.
    pub fn is_dynamic(&self) -> bool {
        self.options.dynamic
    }

    /// Whether it says how its runs move to newer versions of their workers, or leaves that to each of them.
    pub fn says_versioning(&self) -> bool {
        self.options.config.versioning.is_some() || self.is_configured_by_run
    }

    /// The code of one run, which has not started.
    pub fn instantiate(&self, options: &Arc<GuestOptions>) -> Box<dyn Guest> {
        let fail_on = options.fail_on | self.options.config.fail_on;
        Box::new(Instance::new(Arc::clone(&self.start), fail_on, Arc::clone(options)))
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Definition").field(&self.name).finish()
    }
}

/// What the runs of a worker share.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct GuestOptions {
    /// Converts arguments and results. Default: JSON by serde.
    pub converter: DataConverter,
    /// Called around workflow code, in this order. Default: none.
    pub interceptors: Arc<[Arc<dyn WorkflowInterceptor>]>,
    /// Where the runs note what they do; one for each thread that drives runs, so that a watchdog can say where the
    /// thread hangs. Default: one of its own.
    pub last_operation: Arc<LastOperation>,
    /// Defects that fail the workflow, and not the workflow task. Default: none.
    pub fail_on: FailOn,
    /// Says of each patch that a run asks for the first time whether it is taken. Default: it is.
    pub activates_patch: Option<Arc<ActivatesPatch>>,
    /// Where the numbers go that workflow code counts and measures. Default: nowhere.
    pub metrics: Option<Arc<dyn MetricSink>>,
    /// How runs move to newer versions of their workers whose definition does not say it. Default: not said.
    pub versioning: Option<VersioningBehavior>,
    /// Whether the same code runs elsewhere, too, and what it tells is told there. Default: it does not.
    pub is_shadow: bool,
    /// Looks at the polls of the code. Default: nobody does.
    pub poll_watch: Option<Arc<dyn PollWatch>>,
}

impl fmt::Debug for GuestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestOptions")
            .field("interceptors", &self.interceptors.len())
            .field("last_operation", &self.last_operation.get())
            .finish_non_exhaustive()
    }
}

/// The line of workflow code that last used an operation, on one thread that drives runs.
#[derive(Debug, Default)]
pub struct LastOperation(Mutex<Option<CallSite>>);

impl LastOperation {
    /// The line; `None` if there was no operation yet.
    pub fn get(&self) -> Option<CallSite> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the line, before the thread turns to another run.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn record(&self, at: CallSite) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}
