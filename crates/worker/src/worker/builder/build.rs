//! Checks what was collected, and makes the worker of it.

use std::ops::RangeInclusive;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use stead_activity::Cancellation;
use stead_client::random;
use stead_client::workers::Claim;
use stead_core::policy::{RateLimit, SlotKind};
use stead_workflow::{Definition, GuestOptions};
use tokio::sync::watch;

use super::{Worker, WorkerBuilder};
use crate::activity::Registry;
use crate::clock::Clock;
use crate::codec::Codec;
use crate::deployment::WorkerDeployment;
use crate::error::BuildError;
use crate::guests::Guests;
use crate::health::{Errors, PollKind, Polls};
use crate::lifecycle::Lifecycle;
use crate::metrics::{Level, Metrics, names};
use crate::nexus;
use crate::shared::{Options, Shared};
use crate::slots::{Resources, SlotMaker, SlotWorker, Tuner};

impl WorkerBuilder {
    /// Makes the worker. It does nothing until it is [run](Worker::run_until).
    ///
    /// # Errors
    ///
    /// If nothing is registered, something is registered twice, an option is out of its range, or the program is built
    /// with `panic = "abort"`.
    pub fn build(mut self) -> Result<Worker, BuildError> {
        if cfg!(panic = "abort") {
            return Err(BuildError::PanicAbort);
        }
        self.options.validate()?;
        let tuner = self.take_tuner()?;
        if self.debug_mode {
            self.options.deadlock_timeout = None;
        }
        if self.task_queue.is_empty() {
            return Err(BuildError::NoTaskQueue);
        }
        let converter = self.client.data_converter().clone();
        let mut guest_options = GuestOptions::default();
        guest_options.converter = converter.clone();
        guest_options.interceptors = self.workflow_interceptors.into();
        guest_options.fail_on = self.options.fail_workflows_on;
        guest_options.versioning = self.deployment.as_ref().and_then(|deployment| deployment.default_versioning);
        guest_options.activates_patch = self.activates_patch;
        let connection = self.client.connection();
        let sink = self.metrics.or_else(|| connection.metrics().cloned());
        let metrics = Arc::new(Metrics::new(sink.clone(), self.client.namespace(), &self.task_queue));
        guest_options.metrics = sink;
        #[cfg(feature = "guard")]
        if self.options.guards {
            guest_options.poll_watch = Some(crate::guard::start());
        }
        if let Some(deployment) = &self.deployment {
            check_deployment(deployment, &self.workflows)?;
        }
        let guests = guests(self.workflows, guest_options)?.shadowed(self.options.shadows);
        let activities = registry(self.activities)?;
        let nexus = services(self.nexus_services)?;
        if guests.is_empty() && activities.is_empty() && nexus.is_empty() {
            return Err(BuildError::NothingRegistered);
        }
        if guests.is_empty() && !activities.is_empty() && !self.options.polls_activities {
            let requirement = "used with workflows, which are all that runs local activities";
            return Err(BuildError::InvalidOption { option: "local_activities_only", requirement });
        }
        let identity = self.identity.unwrap_or_else(|| self.client.identity().to_owned());
        let instance_key = unique_key();
        let caches = self.options.max_cached_workflows > 0 && !guests.is_empty();
        let mut extensions = self.activity_extensions;
        let mut nexus_extensions = self.nexus_extensions;
        let client = watch::Sender::new(self.client.clone());
        for extensions in [&mut extensions, &mut nexus_extensions] {
            let client_now = client.subscribe();
            extensions.insert_with(move || client_now.borrow().clone());
        }
        let build_id = self.deployment.as_ref().map(|deployment| deployment.version.build_id.clone());
        let slots_of = SlotWorker {
            task_queue: self.task_queue.clone(),
            identity: identity.clone(),
            build_id: build_id.unwrap_or_default(),
        };
        let resources = Arc::<Resources>::default();
        let slots = SlotMaker::new(&metrics, slots_of, &resources);
        let polls = |kind| Polls::new(&metrics, kind);
        let polls_activities = self.options.polls_activities && !activities.is_empty();
        let kinds = [
            ("workflows", !guests.is_empty()),
            ("activities", polls_activities),
            ("Nexus operations", !nexus.is_empty()),
        ];
        let kinds = kinds.into_iter().filter_map(|(kind, takes)| takes.then_some(kind)).collect();
        let name = format!("`{identity}` ({instance_key})");
        let mut claim = Claim::new(name, self.client.namespace(), &self.task_queue, kinds);
        if let Some(WorkerDeployment { version, .. }) = &self.deployment {
            claim.version = (version.deployment_name.clone(), version.build_id.clone());
        }
        let shared = Shared {
            client,
            claim,
            here: Mutex::default(),
            codec: Codec::new(&converter, self.client.namespace(), &self.task_queue),
            converter,
            namespace: self.client.namespace().to_owned(),
            sticky_queue: caches.then(|| format!("{identity}-{instance_key}")),
            identity,
            deployment: self.deployment,
            task_queue: self.task_queue,
            instance_key,
            guests,
            activities,
            activity_interceptors: self.activity_interceptors.into(),
            nexus,
            nexus_interceptors: self.nexus_interceptors.into(),
            extensions,
            nexus_extensions,
            told_to_stop: Cancellation::new(),
            nexus_told_to_stop: stead_nexus::Cancellation::new(),
            workflow_slots: slots.make(SlotKind::Workflow, tuner.workflow_tasks),
            activity_slots: slots.make(SlotKind::Activity, tuner.activities),
            local_activity_slots: slots.make(SlotKind::LocalActivity, tuner.local_activities),
            nexus_slots: slots.make(SlotKind::Nexus, tuner.nexus_tasks),
            workflow_polls: polls(PollKind::Workflow),
            sticky_polls: polls(PollKind::Sticky),
            activity_polls: polls(PollKind::Activity),
            nexus_polls: polls(PollKind::Nexus),
            errors: Errors::default(),
            refused: AtomicBool::new(false),
            cached_runs: Level::new(&metrics, &names::STICKY_CACHE_SIZE, &[]),
            cached_bytes: Level::new(&metrics, &names::STICKY_CACHE_BYTES, &[]),
            metrics,
            resources,
            activity_rate: self.options.max_activities_per_second.and_then(RateLimit::new).map(Mutex::new),
            clock: Clock::new(),
            wants_heartbeats: AtomicBool::new(false),
            lifecycle: Lifecycle::new(),
            payload_limits: RwLock::default(),
            plugin_names: self.plugins.iter().map(|plugin| plugin.name().to_owned()).collect(),
            options: self.options,
        };
        Ok(Worker {
            shared: Arc::new(shared),
            on_fatal_error: self.on_fatal_error,
            plugins: self.plugins,
            plugin_shutdown_timeout: self.plugin_shutdown_timeout,
        })
    }

    /// The tuner that was given, or one of the numbers that were.
    fn take_tuner(&mut self) -> Result<Tuner, BuildError> {
        let options = &self.options;
        let Some(tuner) = self.tuner.take() else {
            return Ok(Tuner::new()
                .workflow_tasks(options.max_concurrent_workflow_tasks)
                .activities(options.max_concurrent_activities)
                .local_activities(options.max_concurrent_local_activities)
                .nexus_tasks(options.max_concurrent_nexus_tasks));
        };
        let both = "the only one that says how many slots there are, without `max_concurrent_..`";
        let problem = if self.has_slot_counts { Some(both) } else { tuner.problem(options.max_cached_workflows > 0) };
        match problem {
            Some(requirement) => Err(BuildError::InvalidOption { option: "tuner", requirement }),
            None => Ok(tuner),
        }
    }
}

fn check_deployment(deployment: &WorkerDeployment, workflows: &[Definition]) -> Result<(), BuildError> {
    let WorkerDeployment { version, is_versioned, default_versioning } = deployment;
    let requirement = match (is_versioned, default_versioning) {
        _ if version.deployment_name.is_empty() || version.build_id.is_empty() => {
            "a name and a build id, both not empty"
        }
        (false, Some(_)) => "versioned, to have a default for how workflows move between versions",
        _ => {
            let silent = workflows.iter().find(|workflow| !workflow.says_versioning());
            return match silent.filter(|_| *is_versioned && default_versioning.is_none()) {
                Some(silent) => Err(BuildError::NoVersioning(silent.name())),
                None => Ok(()),
            };
        }
    };
    Err(BuildError::InvalidOption { option: "deployment", requirement })
}

fn guests(definitions: Vec<Definition>, options: GuestOptions) -> Result<Guests, BuildError> {
    let mut guests = Guests::new(options);
    for definition in definitions {
        let (name, is_dynamic) = (definition.name(), definition.is_dynamic());
        if !guests.register(definition) {
            return Err(match is_dynamic {
                true => BuildError::SecondDynamicWorkflow(name),
                false => BuildError::DuplicateWorkflow(name),
            });
        }
    }
    Ok(guests)
}

fn registry(definitions: Vec<stead_activity::Definition>) -> Result<Registry, BuildError> {
    let mut registry = Registry::default();
    for definition in definitions {
        let (name, is_dynamic) = (definition.name, definition.is_dynamic);
        if !registry.register(definition) {
            return Err(match is_dynamic {
                true => BuildError::SecondDynamicActivity(name),
                false => BuildError::DuplicateActivity(name),
            });
        }
    }
    Ok(registry)
}

fn services(definitions: Vec<stead_nexus::Definition>) -> Result<nexus::Registry, BuildError> {
    let mut registry = nexus::Registry::default();
    for definition in definitions {
        let name = definition.name;
        if !registry.register(definition) {
            return Err(BuildError::DuplicateNexusService(name));
        }
    }
    Ok(registry)
}

impl Options {
    fn validate(&self) -> Result<(), BuildError> {
        let least_tasks = if self.max_cached_workflows > 0 { 2 } else { 1 };
        let rules = [
            (
                self.max_concurrent_workflow_tasks >= least_tasks,
                "max_concurrent_workflow_tasks",
                "at least 1, and at least 2 with a cache",
            ),
            (self.max_concurrent_activities >= 1, "max_concurrent_activities", "at least 1"),
            (self.max_concurrent_local_activities >= 1, "max_concurrent_local_activities", "at least 1"),
            (self.max_concurrent_nexus_tasks >= 1, "max_concurrent_nexus_tasks", "at least 1"),
            (self.workflow_pollers.is_valid(), "workflow_task_pollers", POLLERS),
            (self.activity_pollers.is_valid(), "activity_pollers", POLLERS),
            (self.nexus_pollers.is_valid(), "nexus_task_pollers", POLLERS),
            ((0.0..=1.0).contains(&self.nonsticky_ratio), "nonsticky_to_sticky_poll_ratio", "between 0 and 1"),
            (self.max_activities_per_second.is_none_or(is_rate), "max_activities_per_second", "above 0"),
            (
                self.max_task_queue_activities_per_second.is_none_or(is_rate),
                "max_task_queue_activities_per_second",
                "above 0",
            ),
            (
                self.heartbeat_interval.is_none_or(|interval| HEARTBEATS.contains(&interval)),
                "heartbeat_interval",
                "between 1 s and 60 s, or `None`",
            ),
            (!self.sticky_timeout.is_zero(), "sticky_schedule_to_start_timeout", "more than 0"),
            (!self.default_heartbeat_throttle.is_zero(), "default_heartbeat_throttle_interval", "more than 0"),
            (!self.max_heartbeat_throttle.is_zero(), "max_heartbeat_throttle_interval", "more than 0"),
            (self.shards >= 1, "shards", "at least 1"),
            (
                self.shadows.is_none_or(|it| (0.0..=1.0).contains(&it.fraction)),
                "shadow_sample",
                "a fraction from 0 to 1",
            ),
            (self.deadlock_timeout != Some(Duration::ZERO), "deadlock_timeout", "more than 0"),
            (
                self.max_eager_activities != Some(0),
                "max_eager_activities",
                "at least 1; use `disable_eager_activities` for none",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, option, requirement)) => Err(BuildError::InvalidOption { option, requirement }),
            None => Ok(()),
        }
    }
}

/// Above zero, and none that is too large to wait for.
fn is_rate(per_second: f64) -> bool {
    RateLimit::new(per_second).is_some()
}

const POLLERS: &str = "at least 1, and its beginning within its limits";

/// What the server takes for a sign of life.
const HEARTBEATS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

/// A name that no other worker has.
fn unique_key() -> String {
    format!("{:016x}{:016x}", random::bits(), random::bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::PollerBehavior;
    use crate::shadow::Sample;

    fn refused(change: impl FnOnce(&mut Options)) -> Option<&'static str> {
        let mut options = Options::default();
        change(&mut options);
        match options.validate() {
            Err(BuildError::InvalidOption { option, .. }) => Some(option),
            _ => None,
        }
    }

    #[test]
    fn s55_the_defaults_are_valid_and_values_that_cannot_work_are_refused() {
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|it| it.max_concurrent_workflow_tasks = 1), Some("max_concurrent_workflow_tasks"));
        assert_eq!(
            refused(|it| {
                it.max_cached_workflows = 0;
                it.max_concurrent_workflow_tasks = 1;
            }),
            None
        );
        assert_eq!(refused(|it| it.max_concurrent_activities = 0), Some("max_concurrent_activities"));
        assert_eq!(refused(|it| it.max_concurrent_local_activities = 0), Some("max_concurrent_local_activities"));
        assert_eq!(refused(|it| it.max_concurrent_nexus_tasks = 0), Some("max_concurrent_nexus_tasks"));
        assert_eq!(refused(|it| it.shards = 0), Some("shards"));
        assert_eq!(refused(|it| it.max_eager_activities = Some(0)), Some("max_eager_activities"));
        assert_eq!(refused(|it| it.max_eager_activities = None), None);
        let fraction = |fraction| refused(|it| it.shadows = Some(Sample { fraction, whole: false }));
        assert_eq!((fraction(1.0), fraction(1.1)), (None, Some("shadow_sample")));
        assert_eq!((fraction(-0.1), fraction(f64::NAN)), (Some("shadow_sample"), Some("shadow_sample")));
        for count in [0.into(), PollerBehavior::autoscaling(2..=5, 1), PollerBehavior::autoscaling(0..=5, 1)] {
            assert_eq!(refused(|it| it.workflow_pollers = count), Some("workflow_task_pollers"), "{count:?}");
            assert_eq!(refused(|it| it.activity_pollers = count), Some("activity_pollers"), "{count:?}");
            assert_eq!(refused(|it| it.nexus_pollers = count), Some("nexus_task_pollers"), "{count:?}");
        }
        assert_eq!(refused(|it| it.activity_pollers = PollerBehavior::autoscaling(1..=1, 1)), None);
        assert_eq!(refused(|it| it.nonsticky_ratio = 1.1), Some("nonsticky_to_sticky_poll_ratio"));
        assert_eq!(refused(|it| it.nonsticky_ratio = f64::NAN), Some("nonsticky_to_sticky_poll_ratio"));
        assert_eq!(refused(|it| it.max_activities_per_second = Some(0.0)), Some("max_activities_per_second"));
        let queue_rate = refused(|it| it.max_task_queue_activities_per_second = Some(-1.0));
        assert_eq!(queue_rate, Some("max_task_queue_activities_per_second"));
        assert_eq!(refused(|it| it.sticky_timeout = Duration::ZERO), Some("sticky_schedule_to_start_timeout"));
        let throttle = refused(|it| it.max_heartbeat_throttle = Duration::ZERO);
        assert_eq!(throttle, Some("max_heartbeat_throttle_interval"));
        let throttle = refused(|it| it.default_heartbeat_throttle = Duration::ZERO);
        assert_eq!(throttle, Some("default_heartbeat_throttle_interval"));
        let heartbeat = |interval| refused(|it| it.heartbeat_interval = interval);
        assert_eq!(heartbeat(Some(Duration::from_millis(999))), Some("heartbeat_interval"));
        assert_eq!(heartbeat(Some(Duration::from_secs(61))), Some("heartbeat_interval"));
        assert_eq!((heartbeat(None), heartbeat(Some(Duration::from_secs(1)))), (None, None));
        assert_eq!(refused(|it| it.deadlock_timeout = Some(Duration::ZERO)), Some("deadlock_timeout"));
    }

    #[test]
    fn keys_are_unique() {
        assert_ne!(unique_key(), unique_key());
    }
}
