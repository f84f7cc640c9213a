//! Nexus operations of a run: what becomes of them means events in its history. The operations themselves are
//! [`OperationState`]'s.

use stead_proto::command::v1::ScheduleNexusOperationCommandAttributes;
use stead_proto::common::v1::{Link, Payload};
use stead_proto::enums::v1::TimeoutType;
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    NexusOperationCancelRequestCompletedEventAttributes, NexusOperationCancelRequestFailedEventAttributes,
    NexusOperationCancelRequestedEventAttributes, NexusOperationCanceledEventAttributes,
    NexusOperationCompletedEventAttributes, NexusOperationFailedEventAttributes,
    NexusOperationScheduledEventAttributes, NexusOperationStartedEventAttributes,
    NexusOperationTimedOutEventAttributes,
};

use super::deadlines::Deadline;
use super::events::Extras;
use super::{Context, Run};
use crate::engine::Time;
use crate::engine::effect::Effect;
use crate::engine::nexus::operation::{
    Ask, CancelAnswer, Cancellation, OperationDeadline, OperationState, StartAnswer,
};
use crate::engine::nexus::{Owner, failures};

impl Run {
    /// Schedules an operation; the command has been checked and completed.
    pub(crate) fn schedule_operation(
        &mut self,
        cx: &mut Context<'_>,
        command: ScheduleNexusOperationCommandAttributes,
        endpoint_id: String,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let event = NexusOperationScheduledEventAttributes {
            endpoint: command.endpoint,
            endpoint_id,
            service: command.service,
            operation: command.operation,
            input: command.input,
            schedule_to_close_timeout: command.schedule_to_close_timeout,
            schedule_to_start_timeout: command.schedule_to_start_timeout,
            start_to_close_timeout: command.start_to_close_timeout,
            nexus_header: command.nexus_header,
            request_id: cx.ids.uuid().to_string(),
            workflow_task_completed_event_id: completed_event_id,
        };
        let operation = operation_of(cx.now, event.clone());
        let id = self.add_with(cx, Attributes::NexusOperationScheduledEventAttributes(Box::new(event)), extras);
        self.operations.insert(id, operation);
        self.watch_operation(id);
        self.ask(cx, id, Ask::Start);
    }

    /// Sets the operation's deadlines by its state.
    pub(crate) fn watch_operation(&mut self, id: i64) {
        let Some(operation) = self.operations.get(&id) else { return };
        for (deadline, at) in operation.deadlines() {
            self.deadlines.set(Deadline::Operation(id, deadline), at);
        }
    }

    /// Goes on after a restart: whoever was asked is asked again.
    pub(crate) fn resume_operation(&mut self, cx: &mut Context<'_>, id: i64) {
        self.watch_operation(id);
        let Some(operation) = self.operations.get(&id) else { return };
        for ask in [Ask::Start, Ask::Cancel].into_iter().filter(|ask| operation.asks(*ask)) {
            cx.effects.push_back(Effect::AskHandler(Owner::Run(self.key, id), ask));
        }
    }

    fn ask(&self, cx: &mut Context<'_>, id: i64, ask: Ask) {
        cx.effects.push_back(Effect::AskHandler(Owner::Run(self.key, id), ask));
    }

    /// The workflow wants an operation cancelled. It may have ended without the workflow having heard of it.
    pub(crate) fn request_cancel_operation(
        &mut self,
        cx: &mut Context<'_>,
        id: i64,
        completed_event_id: i64,
        extras: Extras,
    ) {
        let event = NexusOperationCancelRequestedEventAttributes {
            scheduled_event_id: id,
            workflow_task_completed_event_id: completed_event_id,
        };
        let event = Attributes::NexusOperationCancelRequestedEventAttributes(event);
        let requested_event_id = self.add_with(cx, event, extras);
        let Some(operation) = self.operations.get_mut(&id) else { return };
        if operation.request_cancel(cx.now, Cancellation { requested_event_id, ..Default::default() }) {
            self.ask(cx, id, Ask::Cancel);
        }
    }

    /// The handler has answered, or will not.
    pub(crate) fn operation_answered(&mut self, cx: &mut Context<'_>, id: i64, answer: StartAnswer) {
        match answer {
            StartAnswer::Completed { result, links } => self.operation_completed(cx, id, result, links),
            StartAnswer::Started { token, links } => {
                self.operation_started(cx, id, cx.now, token, links);
                self.wake(cx);
            }
            StartAnswer::Failed(failure) => self.operation_failed(cx, id, failure),
            StartAnswer::Canceled(failure) => self.operation_canceled(cx, id, failure),
            StartAnswer::TimedOut(timeout) => self.operation_timed_out(cx, id, timeout),
            StartAnswer::Retry(failure) => {
                let fraction = cx.ids.fraction();
                let Some(operation) = self.operations.get_mut(&id) else { return };
                operation.back_off(cx.now, failure, fraction);
                self.watch_operation(id);
            }
        }
    }

    fn operation_started(&mut self, cx: &mut Context<'_>, id: i64, at: Time, token: String, links: Vec<Link>) {
        let Some(operation) = self.operations.get_mut(&id) else { return };
        operation.start(at, cx.now, token.clone());
        let event = NexusOperationStartedEventAttributes {
            scheduled_event_id: id,
            operation_id: token.clone(),
            operation_token: token,
            request_id: operation.request_id.clone(),
        };
        let cancels = operation.asks(Ask::Cancel);
        self.add_at(cx, at, Attributes::NexusOperationStartedEventAttributes(event), links.into());
        self.watch_operation(id);
        if cancels {
            self.ask(cx, id, Ask::Cancel);
        }
    }

    fn operation_completed(&mut self, cx: &mut Context<'_>, id: i64, result: Option<Payload>, links: Vec<Link>) {
        let Some(operation) = self.remove_operation(id) else { return };
        let event =
            NexusOperationCompletedEventAttributes { scheduled_event_id: id, result, request_id: operation.request_id };
        self.add_with(cx, Attributes::NexusOperationCompletedEventAttributes(event), links.into());
        self.wake(cx);
    }

    fn operation_failed(&mut self, cx: &mut Context<'_>, id: i64, cause: Failure) {
        self.end_operation(cx, id, cause, |scheduled_event_id, failure, request_id| {
            let event = NexusOperationFailedEventAttributes { scheduled_event_id, failure, request_id };
            Attributes::NexusOperationFailedEventAttributes(Box::new(event))
        });
    }

    fn operation_canceled(&mut self, cx: &mut Context<'_>, id: i64, cause: Failure) {
        self.end_operation(cx, id, cause, |scheduled_event_id, failure, request_id| {
            let event = NexusOperationCanceledEventAttributes { scheduled_event_id, failure, request_id };
            Attributes::NexusOperationCanceledEventAttributes(Box::new(event))
        });
    }

    fn operation_timed_out(&mut self, cx: &mut Context<'_>, id: i64, timeout: TimeoutType) {
        self.end_operation(cx, id, failures::timed_out(timeout), |scheduled_event_id, failure, request_id| {
            let event = NexusOperationTimedOutEventAttributes { scheduled_event_id, failure, request_id };
            Attributes::NexusOperationTimedOutEventAttributes(Box::new(event))
        });
    }

    fn end_operation(
        &mut self,
        cx: &mut Context<'_>,
        id: i64,
        cause: Failure,
        event: impl FnOnce(i64, Option<Failure>, String) -> Attributes,
    ) {
        let Some(operation) = self.remove_operation(id) else { return };
        let failure = failures::of_operation(&operation, id, cause);
        self.add(cx, event(id, Some(failure), operation.request_id));
        self.wake(cx);
    }

    /// What the handler began has ended. It may be news that it has begun.
    pub(crate) fn operation_called_back(
        &mut self,
        cx: &mut Context<'_>,
        id: i64,
        token: String,
        started_at: Time,
        link: Link,
        outcome: Result<Option<Payload>, Box<Failure>>,
    ) {
        let Some(operation) = self.operations.get(&id) else { return };
        if operation.started().is_none() {
            self.operation_started(cx, id, started_at, token, vec![link]);
        }
        match outcome {
            Ok(result) => self.operation_completed(cx, id, result, Vec::new()),
            Err(failure) if failures::is_canceled(&failure) => self.operation_canceled(cx, id, *failure),
            Err(failure) => self.operation_failed(cx, id, *failure),
        }
    }

    /// The handler has answered the request to cancel, or will not.
    pub(crate) fn cancellation_answered(&mut self, cx: &mut Context<'_>, id: i64, answer: CancelAnswer) {
        let fraction = cx.ids.fraction();
        let operation = self.operations.get_mut(&id);
        let Some(cancellation) = operation.and_then(|operation| operation.cancellation.as_mut()) else { return };
        let requested_event_id = cancellation.requested_event_id;
        let event = match answer {
            CancelAnswer::Delivered => {
                cancellation.delivered(cx.now);
                let event = NexusOperationCancelRequestCompletedEventAttributes {
                    requested_event_id,
                    scheduled_event_id: id,
                    ..Default::default()
                };
                Attributes::NexusOperationCancelRequestCompletedEventAttributes(event)
            }
            CancelAnswer::Failed(failure) => {
                cancellation.failed(cx.now, failure.clone());
                let event = NexusOperationCancelRequestFailedEventAttributes {
                    requested_event_id,
                    scheduled_event_id: id,
                    failure: Some(failure),
                    ..Default::default()
                };
                Attributes::NexusOperationCancelRequestFailedEventAttributes(Box::new(event))
            }
            CancelAnswer::Retry(failure) => {
                cancellation.back_off(cx.now, failure, fraction);
                self.watch_operation(id);
                return;
            }
        };
        self.add(cx, event);
        self.wake(cx);
    }

    /// A deadline of an operation has come.
    pub(crate) fn operation_due(&mut self, cx: &mut Context<'_>, id: i64, deadline: OperationDeadline) {
        match deadline {
            OperationDeadline::ScheduleToStart => self.operation_timed_out(cx, id, TimeoutType::ScheduleToStart),
            OperationDeadline::ScheduleToClose => self.operation_timed_out(cx, id, TimeoutType::ScheduleToClose),
            OperationDeadline::StartToClose => self.operation_timed_out(cx, id, TimeoutType::StartToClose),
            OperationDeadline::Retry => {
                let Some(operation) = self.operations.get_mut(&id) else { return };
                operation.retry();
                self.ask(cx, id, Ask::Start);
            }
            OperationDeadline::RetryCancel => {
                let operation = self.operations.get_mut(&id);
                let Some(cancellation) = operation.and_then(|operation| operation.cancellation.as_mut()) else {
                    return;
                };
                cancellation.retry();
                self.ask(cx, id, Ask::Cancel);
            }
        }
    }

    /// Whether the operation has ended and the workflow has not heard of it.
    pub(crate) fn has_buffered_operation_end(&self, id: i64) -> bool {
        self.state.buffered.iter().any(|event| match &event.attributes {
            Some(Attributes::NexusOperationCompletedEventAttributes(a)) => a.scheduled_event_id == id,
            Some(Attributes::NexusOperationFailedEventAttributes(a)) => a.scheduled_event_id == id,
            Some(Attributes::NexusOperationCanceledEventAttributes(a)) => a.scheduled_event_id == id,
            Some(Attributes::NexusOperationTimedOutEventAttributes(a)) => a.scheduled_event_id == id,
            _ => false,
        })
    }

    /// Whether an event says something new of an operation of the run.
    pub(crate) fn is_news_of_operation(&self, news: &Attributes) -> bool {
        use Attributes as A;
        let (id, request_id) = match news {
            A::NexusOperationStartedEventAttributes(a) => (a.scheduled_event_id, &a.request_id),
            A::NexusOperationCompletedEventAttributes(a) => (a.scheduled_event_id, &a.request_id),
            A::NexusOperationFailedEventAttributes(a) => (a.scheduled_event_id, &a.request_id),
            A::NexusOperationCanceledEventAttributes(a) => (a.scheduled_event_id, &a.request_id),
            A::NexusOperationTimedOutEventAttributes(a) => (a.scheduled_event_id, &a.request_id),
            _ => return false,
        };
        let operation = self.operations.get(&id);
        let begins = matches!(news, A::NexusOperationStartedEventAttributes(_));
        operation.is_some_and(|it| it.request_id == *request_id && !(begins && it.started().is_some()))
    }

    /// Takes over news of an operation that the run asked for before the point at which it begins anew.
    pub(crate) fn reapply_operation(&mut self, cx: &Context<'_>, at: Time, news: Attributes, links: Vec<Link>) {
        use Attributes as A;
        let ended = match &news {
            A::NexusOperationStartedEventAttributes(started) => {
                if let Some(operation) = self.operations.get_mut(&started.scheduled_event_id) {
                    operation.start(at, cx.now, started.operation_token.clone());
                }
                None
            }
            A::NexusOperationCompletedEventAttributes(a) => Some(a.scheduled_event_id),
            A::NexusOperationFailedEventAttributes(a) => Some(a.scheduled_event_id),
            A::NexusOperationCanceledEventAttributes(a) => Some(a.scheduled_event_id),
            A::NexusOperationTimedOutEventAttributes(a) => Some(a.scheduled_event_id),
            _ => return,
        };
        ended.and_then(|id| self.remove_operation(id));
        self.add_with(cx, news, links.into());
    }

    pub(crate) fn remove_operation(&mut self, id: i64) -> Option<OperationState> {
        let operation = self.operations.remove(&id)?;
        for (deadline, _) in operation.deadlines() {
            self.deadlines.set(Deadline::Operation(id, deadline), None);
        }
        Some(operation)
    }
}

/// The operation that was scheduled by this event.
pub(crate) fn operation_of(at: Time, scheduled: NexusOperationScheduledEventAttributes) -> OperationState {
    OperationState {
        endpoint: scheduled.endpoint,
        endpoint_id: scheduled.endpoint_id,
        service: scheduled.service,
        operation: scheduled.operation,
        request_id: scheduled.request_id,
        input: scheduled.input,
        header: scheduled.nexus_header,
        schedule_to_close: scheduled.schedule_to_close_timeout,
        schedule_to_start: scheduled.schedule_to_start_timeout,
        start_to_close: scheduled.start_to_close_timeout,
        scheduled_at: at.unix_nanos(),
        ..Default::default()
    }
}
