//! `StartActivityExecution`: what a start must say, and what an id that was used before means.

use prost::Message;
use stead_proto::activity::v1::ActivityOptions as WireOptions;
use stead_proto::common::v1::{Link, link};
use stead_proto::enums::v1::{
    ActivityExecutionStatus as Status, ActivityIdConflictPolicy as Conflict, ActivityIdReusePolicy as Reuse,
};
use stead_proto::errordetails::v1::ActivityExecutionAlreadyStartedFailure;
use stead_proto::workflowservice::v1 as api;

use super::checks::check_duration;
use super::{ActivityKey, StandaloneActivity};
use crate::engine::activity::ActivityState;
use crate::engine::activity_options::{ActivityOptions, Owner};
use crate::engine::call::Outcome;
use crate::engine::links::check_links;
use crate::engine::namespaces::NamespaceKey;
use crate::engine::nexus::callbacks::check_callbacks;
use crate::engine::refusal::Code;
use crate::engine::{Engine, Refusal};

type Request = api::StartActivityExecutionRequest;

impl Engine {
    pub(in crate::engine) fn start_activity_execution(&mut self, mut request: Request) -> Result<Outcome, Refusal> {
        let namespace = self.namespaces.key(&request.namespace)?;
        self.check_activity_start(namespace, &mut request)?;
        if let Some(key) = self.existing_activity(namespace, &request)? {
            self.attach_callbacks(key, &request)?;
            self.attach_links(key, &request)?;
            return Ok(self.activity_started(key, &request, false).into());
        }
        let key = ActivityKey(self.runs.next_key().0);
        let activity = self.requested_activity(namespace, request.clone());
        self.activities.insert(key, activity);
        self.resume_activity(key);
        Ok(self.activity_started(key, &request, true).into())
    }

    fn check_activity_start(&mut self, namespace: NamespaceKey, request: &mut Request) -> Result<(), Refusal> {
        self.complete_activity_request_id(&mut request.request_id)?;
        check_duration("StartDelay", request.start_delay.as_ref())?;
        self.complete_activity_options(request)?;
        self.check_activity_text("identity", &request.identity)?;
        if request.input.as_ref().map_or(0, Message::encoded_len) > self.config.limits.blob {
            return Err(Refusal::invalid("input exceeds length limit"));
        }
        check_metadata(request)?;
        if let Some(attributes) = request.search_attributes.take() {
            let registry = self.registry(namespace)?;
            registry.validate(&attributes)?;
            request.search_attributes = Some(registry.normalized(attributes));
        }
        check_callbacks(&mut request.completion_callbacks)?;
        check_links(request.links.iter())?;
        check_on_conflict(request)
    }

    fn complete_activity_options(&self, request: &mut Request) -> Result<(), Refusal> {
        let name = request.activity_type.as_ref().map_or("", |kind| kind.name.as_str());
        for (field, value) in [("activityId", request.activity_id.as_str()), ("activityType", name)] {
            if value.is_empty() {
                return Err(Refusal::invalid(format!("{field} is not set")));
            }
            self.check_activity_text(field, value)?;
        }
        let mut options = ActivityOptions {
            task_queue: request.task_queue.take(),
            schedule_to_close: request.schedule_to_close_timeout,
            schedule_to_start: request.schedule_to_start_timeout,
            start_to_close: request.start_to_close_timeout,
            heartbeat: request.heartbeat_timeout,
            retry_policy: request.retry_policy.take(),
            priority: request.priority.clone(),
        };
        let owner = Owner { task_queue: "", run_timeout: None, id_length: self.config.limits.id_length };
        options.complete(&request.activity_id, name, &owner)?;
        request.task_queue = options.task_queue;
        request.schedule_to_close_timeout = options.schedule_to_close;
        request.schedule_to_start_timeout = options.schedule_to_start;
        request.start_to_close_timeout = options.start_to_close;
        request.heartbeat_timeout = options.heartbeat;
        request.retry_policy = options.retry_policy;
        Ok(())
    }

    /// The activity that a start finds in its way and is content with.
    fn existing_activity(&self, namespace: NamespaceKey, request: &Request) -> Result<Option<ActivityKey>, Refusal> {
        let Ok(key) = self.activities.find(namespace, &request.activity_id, "") else { return Ok(None) };
        let Some(existing) = self.activities.get(key) else { return Ok(None) };
        if existing.start_request_id == request.request_id {
            return Ok(Some(key));
        }
        if existing.is_open() {
            return match request.id_conflict_policy() {
                Conflict::UseExisting => Ok(Some(key)),
                Conflict::Fail | Conflict::Unspecified => Err(already_started(existing)),
            };
        }
        match request.id_reuse_policy() {
            Reuse::AllowDuplicateFailedOnly if existing.status() == Status::Completed => Err(already_started(existing)),
            Reuse::RejectDuplicate => Err(already_started(existing)),
            _ => Ok(None),
        }
    }

    /// Attaches the links of a start that found its activity, if it wants that. The same request attaches them once.
    fn attach_links(&mut self, key: ActivityKey, request: &Request) -> Result<(), Refusal> {
        let wanted = request.on_conflict_options.is_some_and(|options| options.attach_links);
        let Some(existing) = self.activities.get(key).filter(|_| wanted && !request.links.is_empty()) else {
            return Ok(());
        };
        if existing.link_requests.contains(&request.request_id) {
            return Ok(());
        }
        if !existing.is_open() {
            return Err(Refusal::failed_precondition("cannot attach links to a closed activity"));
        }
        let attached = existing.links.len();
        if attached + request.links.len() > MAX_LINKS {
            return Err(Refusal::failed_precondition(format!(
                "cannot attach more than {MAX_LINKS} links to an activity ({attached} links already attached)"
            )));
        }
        self.change_activity(key, |activity, _| {
            activity.links.extend(request.links.iter().cloned());
            activity.link_requests.push(request.request_id.clone());
        });
        Ok(())
    }

    fn requested_activity(&mut self, namespace: NamespaceKey, request: Request) -> StandaloneActivity {
        let at = self.now.unix_nanos();
        let original = WireOptions {
            task_queue: request.task_queue.clone(),
            schedule_to_close_timeout: request.schedule_to_close_timeout,
            schedule_to_start_timeout: request.schedule_to_start_timeout,
            start_to_close_timeout: request.start_to_close_timeout,
            heartbeat_timeout: request.heartbeat_timeout,
            retry_policy: request.retry_policy.clone(),
            priority: request.priority.clone(),
            start_delay: request.start_delay,
        };
        let mut attempt = ActivityState {
            activity_id: request.activity_id,
            activity_type: request.activity_type,
            header: request.header,
            input: request.input,
            start_delay: request.start_delay,
            first_scheduled_at: at,
            scheduled_at: at,
            attempt: 1,
            ..Default::default()
        };
        attempt.take_options(ActivityOptions::from(original.clone()));
        if attempt.first_begin() > self.now {
            attempt.wait_until(attempt.first_begin());
        }
        let link_requests = if request.links.is_empty() { Vec::new() } else { vec![request.request_id.clone()] };
        StandaloneActivity {
            callbacks: self.new_callbacks(&request.completion_callbacks, &request.request_id),
            namespace: namespace.0,
            run_id: self.ids.run_id(self.now).to_string(),
            attempt,
            start_request_id: request.request_id,
            status: Status::Running.into(),
            search_attributes: request.search_attributes,
            user_metadata: request.user_metadata,
            links: request.links,
            link_requests,
            original,
            transitions: 1,
            ..Default::default()
        }
    }

    fn activity_started(
        &self,
        key: ActivityKey,
        request: &Request,
        started: bool,
    ) -> api::StartActivityExecutionResponse {
        let run_id = self.activities.get(key).map(|activity| activity.run_id.clone()).unwrap_or_default();
        let link = link::Activity {
            namespace: request.namespace.clone(),
            activity_id: request.activity_id.clone(),
            run_id: run_id.clone(),
        };
        let link = Some(Link { variant: Some(link::Variant::Activity(link)) });
        api::StartActivityExecutionResponse { run_id, started, link, ..Default::default() }
    }
}

fn check_metadata(request: &Request) -> Result<(), Refusal> {
    let Some(metadata) = &request.user_metadata else { return Ok(()) };
    for (field, payload, limit) in
        [("summary", &metadata.summary, MAX_SUMMARY), ("details", &metadata.details, MAX_DETAILS)]
    {
        let size = payload.as_ref().map_or(0, Message::encoded_len);
        if size > limit {
            let message = format!("user_metadata.{field} exceeds size limit. Length={size} Limit={limit}");
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}

fn check_on_conflict(request: &Request) -> Result<(), Refusal> {
    let Some(options) = &request.on_conflict_options else { return Ok(()) };
    if options.attach_completion_callbacks && !options.attach_request_id {
        let message = "on_conflict_options: attach_completion_callbacks requires attach_request_id to be set";
        return Err(Refusal::invalid(message));
    }
    if options.attach_request_id && request.completion_callbacks.is_empty() && request.links.is_empty() {
        let message = "on_conflict_options: attach_request_id requires at least one completion callback or link";
        return Err(Refusal::invalid(message));
    }
    Ok(())
}

fn already_started(existing: &StandaloneActivity) -> Refusal {
    Refusal::new(Code::AlreadyExists, "activity execution already started").with(
        &ActivityExecutionAlreadyStartedFailure {
            start_request_id: existing.start_request_id.clone(),
            run_id: existing.run_id.clone(),
        },
    )
}

/// `chasm.maxLinksPerComponent` of Temporal's server.
const MAX_LINKS: usize = 2_000;
/// `limit.userMetadataSummarySize` of Temporal's server.
const MAX_SUMMARY: usize = 400;
/// `limit.userMetadataDetailsSize` of Temporal's server.
const MAX_DETAILS: usize = 20_000;
