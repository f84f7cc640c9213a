//! The calls about schedules. The texts of refusals are those of Temporal's server, for which a schedule is a workflow.

use prost::Message;
use stead_proto::common::v1::{Memo, Payloads, SearchAttributes};
use stead_proto::enums::v1::WorkflowIdReusePolicy;
use stead_proto::errordetails::v1::{QueryFailedFailure, WorkflowExecutionAlreadyStartedFailure};
use stead_proto::schedule::v1::{Schedule as Definition, schedule_action};
use stead_proto::workflow::v1::NewWorkflowExecutionInfo;
use stead_proto::workflowservice::v1 as api;

use super::describe::{APPENDED, conflict_token};
use super::schedule::{FIRST_TOKEN, NewSchedule, Schedule, started_workflow};
use super::spec::{TooManyExclusions, canonical};
use super::{Engine, Refusal, ScheduleKey, Time};
use crate::engine::activity_options::{check_length, check_user_queue};
use crate::engine::namespaces::NamespaceKey;
use crate::engine::refusal::Code;
use crate::engine::start::check_timeouts;

impl Engine {
    pub(in crate::engine) fn create_schedule(
        &mut self,
        request: api::CreateScheduleRequest,
    ) -> Result<api::CreateScheduleResponse, Refusal> {
        let key = self.schedule_key(&request.namespace, &request.schedule_id)?;
        self.check_schedule_id(&request)?;
        let definition = self.checked_definition(key.namespace, request.schedule)?;
        let search_attributes = self.checked_attributes(key.namespace, request.search_attributes)?;
        self.check_memo(request.memo.as_ref())?;
        let response = api::CreateScheduleResponse { conflict_token: conflict_token(FIRST_TOKEN) };
        if let Some(existing) = self.schedules.rows.get(&key) {
            if existing.request_id == request.request_id {
                return Ok(response);
            }
            let message = format!("schedule {:?} is already registered", key.id);
            let detail = WorkflowExecutionAlreadyStartedFailure::default();
            return Err(Refusal::new(Code::AlreadyExists, message).with(&detail));
        }
        let namespace = self.namespaces.get(key.namespace).map(|namespace| namespace.info.id.as_str());
        let new = NewSchedule {
            seed: format!("{}-{}", namespace.unwrap_or_default(), key.id),
            request_id: request.request_id,
            definition,
            patch: request.initial_patch,
            memo: request.memo,
            search_attributes,
        };
        self.schedules.rows.insert(key.clone(), Schedule::create(new, self.now));
        self.tell_schedule(&key, |_, _| {});
        Ok(response)
    }

    pub(in crate::engine) fn describe_schedule(
        &self,
        request: &api::DescribeScheduleRequest,
    ) -> Result<api::DescribeScheduleResponse, Refusal> {
        let key = self.schedule_key(&request.namespace, &request.schedule_id)?;
        self.schedule(&key).map(Schedule::description)
    }

    pub(in crate::engine) fn update_schedule(
        &mut self,
        request: api::UpdateScheduleRequest,
    ) -> Result<api::UpdateScheduleResponse, Refusal> {
        let key = self.schedule_key(&request.namespace, &request.schedule_id)?;
        self.check_request_id(&request.request_id)?;
        let definition = self.checked_definition(key.namespace, request.schedule)?;
        let attributes = self.checked_attributes(key.namespace, request.search_attributes)?;
        let Some(workflow) = started_workflow(&definition) else {
            return Err(Refusal::invalid("Only StartWorkflow action is supported for schedules"));
        };
        let input = workflow.input.as_ref().map_or(0, Payloads::encoded_len);
        if input + request.memo.as_ref().map_or(0, Memo::encoded_len) > self.config.limits.blob {
            return Err(Refusal::invalid("Blob data size exceeds limit."));
        }
        if request.memo.is_some() {
            return Err(Refusal::failed_precondition("memo updates are not supported on workflow-backed schedules"));
        }
        self.schedule(&key)?;
        let token = request.conflict_token.first_chunk().map_or(0, |token| i64::from_be_bytes(*token));
        self.tell_schedule(&key, |schedule, now| schedule.update(definition, attributes, token, now));
        Ok(api::UpdateScheduleResponse {})
    }

    pub(in crate::engine) fn patch_schedule(
        &mut self,
        request: api::PatchScheduleRequest,
    ) -> Result<api::PatchScheduleResponse, Refusal> {
        let key = self.schedule_key(&request.namespace, &request.schedule_id)?;
        let Some(patch) = request.patch else { return Err(Refusal::invalid("Patch is not set on request.")) };
        self.check_request_id(&request.request_id)?;
        if patch.pause.len().max(patch.unpause.len()) > MAX_NOTES {
            return Err(Refusal::invalid("Schedule notes exceeds limit."));
        }
        if patch.encoded_len() > self.config.limits.blob {
            return Err(Refusal::invalid("Blob data size exceeds limit."));
        }
        self.schedule(&key)?;
        self.tell_schedule(&key, |schedule, now| schedule.patch(patch, now));
        Ok(api::PatchScheduleResponse {})
    }

    pub(in crate::engine) fn delete_schedule(
        &mut self,
        request: &api::DeleteScheduleRequest,
    ) -> Result<api::DeleteScheduleResponse, Refusal> {
        let key = self.schedule_key(&request.namespace, &request.schedule_id)?;
        self.schedule(&key)?;
        self.forget_schedule(&key);
        Ok(api::DeleteScheduleResponse {})
    }

    pub(in crate::engine) fn list_schedule_matching_times(
        &self,
        request: &api::ListScheduleMatchingTimesRequest,
    ) -> Result<api::ListScheduleMatchingTimesResponse, Refusal> {
        let key = self.schedule_key(&request.namespace, &request.schedule_id)?;
        let schedule = self.schedule(&key)?;
        let (Some(start), Some(end)) = (&request.start_time, &request.end_time) else {
            let refusal = Refusal::invalid("missing or invalid query");
            return Err(refusal.with(&QueryFailedFailure::default()));
        };
        let times = schedule.matching_times(Time::from_timestamp(start), Time::from_timestamp(end));
        let times = times.map_err(|TooManyExclusions| {
            let message =
                "the schedule calendar specification has too many exclusions. Please modify the specification.";
            Refusal::invalid(message).with(&QueryFailedFailure::default())
        })?;
        Ok(api::ListScheduleMatchingTimesResponse { start_time: times })
    }

    pub(super) fn schedule_key(&self, namespace: &str, id: &str) -> Result<ScheduleKey, Refusal> {
        Ok(ScheduleKey { namespace: self.namespaces.key(namespace)?, id: id.to_owned() })
    }

    fn schedule(&self, key: &ScheduleKey) -> Result<&Schedule, Refusal> {
        if key.id.is_empty() {
            return Err(no_id());
        }
        let found = self.schedules.rows.get(key);
        found.ok_or_else(|| Refusal::not_found(format!("workflow not found for ID: {PREFIX}{}", key.id)))
    }

    fn check_schedule_id(&self, request: &api::CreateScheduleRequest) -> Result<(), Refusal> {
        check_length("WorkflowId", &format!("{PREFIX}{}", request.schedule_id), self.config.limits.id_length)?;
        if request.request_id.is_empty() {
            return Err(Refusal::invalid("RequestId is not set on request."));
        }
        self.check_request_id(&request.request_id)?;
        if request.schedule_id.is_empty() {
            return Err(no_id());
        }
        Ok(())
    }

    fn check_request_id(&self, request_id: &str) -> Result<(), Refusal> {
        if request_id.len() > self.config.limits.id_length {
            return Err(Refusal::invalid("RequestId length exceeds limit."));
        }
        Ok(())
    }

    fn check_memo(&self, memo: Option<&Memo>) -> Result<(), Refusal> {
        if memo.map_or(0, Memo::encoded_len) > self.config.limits.memo {
            return Err(Refusal::invalid("Memo size exceeds limit."));
        }
        Ok(())
    }

    fn checked_definition(
        &self,
        namespace: NamespaceKey,
        definition: Option<Definition>,
    ) -> Result<Definition, Refusal> {
        let mut definition = definition.unwrap_or_default();
        let spec = canonical(definition.spec.unwrap_or_default());
        definition.spec = Some(spec.map_err(|error| Refusal::invalid(format!("Invalid schedule spec: {error}")))?);
        let action = definition.action.as_mut().and_then(|action| action.action.as_mut());
        if let Some(schedule_action::Action::StartWorkflow(workflow)) = action {
            self.check_scheduled_workflow(workflow)?;
            let attributes = workflow.search_attributes.take();
            workflow.search_attributes = self.checked_attributes(namespace, attributes)?;
        }
        if definition.encoded_len() > self.config.limits.blob {
            return Err(Refusal::invalid("Blob data size exceeds limit."));
        }
        Ok(definition)
    }

    fn checked_attributes(
        &self,
        namespace: NamespaceKey,
        attributes: Option<SearchAttributes>,
    ) -> Result<Option<SearchAttributes>, Refusal> {
        let Some(attributes) = attributes else { return Ok(None) };
        let registry = self.registry(namespace)?;
        registry.validate(&attributes)?;
        Ok(Some(registry.normalized(attributes)))
    }

    fn check_scheduled_workflow(&self, workflow: &NewWorkflowExecutionInfo) -> Result<(), Refusal> {
        let limit = self.config.limits.id_length;
        self.check_workflow_id(&format!("{}{APPENDED}", workflow.workflow_id))?;
        let name = workflow.workflow_type.as_ref().map_or("", |kind| kind.name.as_str());
        if name.is_empty() {
            return Err(Refusal::invalid("WorkflowType is not set on request."));
        }
        if name.len() > limit {
            return Err(Refusal::invalid("WorkflowType length exceeds limit."));
        }
        let queue = workflow.task_queue.as_ref().ok_or_else(|| Refusal::invalid("taskQueue is not set"))?;
        check_user_queue(&queue.name, "", limit)?;
        check_timeouts(
            workflow.workflow_execution_timeout.as_ref(),
            workflow.workflow_run_timeout.as_ref(),
            workflow.workflow_task_timeout.as_ref(),
        )?;
        if !workflow.cron_schedule.is_empty() {
            return Err(Refusal::invalid("Scheduled workflow must not contain CronSchedule"));
        }
        match workflow.workflow_id_reuse_policy() {
            WorkflowIdReusePolicy::Unspecified | WorkflowIdReusePolicy::AllowDuplicate => Ok(()),
            _ => Err(Refusal::invalid("Scheduled workflow must not contain WorkflowIDReusePolicy")),
        }
    }
}

impl Schedule {
    /// The times at which the schedule would act, after the first instant and up to the second.
    fn matching_times(&self, start: Time, end: Time) -> Result<Vec<prost_types::Timestamp>, TooManyExclusions> {
        let Some(spec) = self.spec() else { return Ok(Vec::new()) };
        let (mut times, mut after) = (Vec::new(), start);
        while times.len() < MAX_MATCHING_TIMES
            && let Some(next) = spec.next(&self.seed, after)?.filter(|next| next.at <= end)
        {
            times.push(next.at.timestamp());
            after = next.at;
        }
        Ok(times)
    }
}

fn no_id() -> Refusal {
    Refusal::invalid("Can't load workflow execution.  WorkflowId not set.")
}

/// The workflow that a schedule is, on Temporal's server, has this and the schedule's id for an id.
const PREFIX: &str = "temporal-sys-scheduler:";

/// Bytes of the notes with a pause.
const MAX_NOTES: usize = 1_000;

const MAX_MATCHING_TIMES: usize = 1_000;
