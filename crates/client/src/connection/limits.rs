//! Sizes of payloads and memos, checked before a request is sent.
//!
//! Measured is what Temporal's server measures, each field by itself: arguments, results, details, whole failures. What
//! it has limits of its own for is left to it: headers, search attributes, summaries.

use std::{any::Any, fmt};

use prost::Message;
use stead_proto::{
    command::v1::command::Attributes,
    common::v1::Payloads,
    workflowservice::v1::{self as api, execute_multi_operation_request::operation},
};

/// How large payloads and memos may be, in bytes.
///
/// What is over a limit that warns is logged as `[TMPRL1103]` and sent. What is over a limit that refuses is not sent:
/// the call fails with an error that names the field, its size and the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PayloadLimits {
    /// Warns of payloads of one field that are larger together; `None` never. Default: 512 KiB.
    pub warn_payloads: Option<usize>,
    /// Warns of a memo that is larger; `None` never. Default: 2 KiB.
    pub warn_memo: Option<usize>,
    /// Refuses to send payloads of one field that are larger together. Default: `None`, as the server's limit, usually
    /// 2 MiB, is the server's to know. A worker asks it.
    pub refuse_payloads: Option<usize>,
    /// Refuses to send a memo that is larger. Default: `None`, likewise.
    pub refuse_memo: Option<usize>,
}

impl PayloadLimits {
    /// No warning and no refusal.
    pub const NONE: Self = Self { warn_payloads: None, warn_memo: None, refuse_payloads: None, refuse_memo: None };

    /// Sets the size from which payloads are warned of.
    #[must_use]
    pub fn warn_payloads(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.warn_payloads = bytes.into();
        self
    }

    /// Sets the size from which a memo is warned of.
    #[must_use]
    pub fn warn_memo(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.warn_memo = bytes.into();
        self
    }

    /// Sets the size from which payloads are refused.
    #[must_use]
    pub fn refuse_payloads(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.refuse_payloads = bytes.into();
        self
    }

    /// Sets the size from which a memo is refused.
    #[must_use]
    pub fn refuse_memo(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.refuse_memo = bytes.into();
        self
    }
}

impl Default for PayloadLimits {
    fn default() -> Self {
        Self { warn_payloads: Some(512 * 1024), warn_memo: Some(2 * 1024), ..Self::NONE }
    }
}

/// A field that is too large to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PayloadTooLarge {
    /// Where it is in the request, such as `commands[2].schedule_activity_task_command_attributes.input`.
    pub field: String,
    /// Its size in bytes.
    pub size: usize,
    /// The limit.
    pub limit: usize,
    is_memo: bool,
}

impl fmt::Display for PayloadTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, size, limit, is_memo } = self;
        let what = if *is_memo { "memo" } else { "payloads" };
        write!(
            f,
            "[TMPRL1103] Attempted to upload {what} with size that exceeded the error limit: \
             `{field}` has {size} bytes, {limit} are the most"
        )
    }
}

/// What is measured of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Payloads,
    Memo,
    /// Payloads that may be warned of, but are sent whatever their size: what they tell must not get lost.
    Told,
}

/// Warns of what is large, and finds the first field that is too large.
pub(super) fn check(rpc: &str, request: &dyn Any, limits: &PayloadLimits) -> Option<PayloadTooLarge> {
    let mut refused = None;
    measure(request, &mut |field, kind, size| {
        let (warn, refuse, what) = match kind {
            Kind::Payloads => (limits.warn_payloads, limits.refuse_payloads, "payloads"),
            Kind::Told => (limits.warn_payloads, None, "payloads"),
            Kind::Memo => (limits.warn_memo, limits.refuse_memo, "memo"),
        };
        if let Some(limit) = refuse.filter(|limit| size > *limit) {
            let is_memo = kind == Kind::Memo;
            refused.get_or_insert_with(|| PayloadTooLarge { field: field.to_string(), size, limit, is_memo });
        } else if let Some(limit) = warn.filter(|limit| size > *limit) {
            tracing::warn!(
                target: "stead::client",
                rpc, %field, size, limit,
                "[TMPRL1103] Attempted to upload {what} with size that exceeded the warning limit."
            );
        }
    });
    refused
}

type See<'a> = &'a mut dyn FnMut(fmt::Arguments<'_>, Kind, usize);

/// Shows the size of each field of a request that has sizes; of most requests there is nothing to see.
fn measure(request: &dyn Any, see: See<'_>) {
    macro_rules! fields {
        ($($message:ident { $($field:ident: $kind:ident),+ })+) => { $(
            if let Some(request) = request.downcast_ref::<api::$message>() {
                $(see(format_args!(stringify!($field)), Kind::$kind, size(&request.$field));)+
                return;
            }
        )+ };
    }
    if let Some(request) = request.downcast_ref() {
        return measure_completion(request, see);
    }
    fields! {
        StartWorkflowExecutionRequest { input: Payloads, memo: Memo }
        SignalWithStartWorkflowExecutionRequest { input: Payloads, signal_input: Payloads, memo: Memo }
        SignalWorkflowExecutionRequest { input: Payloads }
        StartActivityExecutionRequest { input: Payloads }
        RecordActivityTaskHeartbeatRequest { details: Payloads }
        RecordActivityTaskHeartbeatByIdRequest { details: Payloads }
        RespondActivityTaskCompletedRequest { result: Payloads }
        RespondActivityTaskCompletedByIdRequest { result: Payloads }
        RespondActivityTaskCanceledRequest { details: Payloads }
        RespondActivityTaskCanceledByIdRequest { details: Payloads }
        RespondActivityTaskFailedRequest { failure: Told, last_heartbeat_details: Told }
        RespondActivityTaskFailedByIdRequest { failure: Told, last_heartbeat_details: Told }
        RespondWorkflowTaskFailedRequest { failure: Told }
        RespondQueryTaskCompletedRequest { query_result: Told }
    }
    if let Some(request) = request.downcast_ref::<api::QueryWorkflowRequest>() {
        let arguments = request.query.as_ref().and_then(|query| query.query_args.as_ref());
        see(format_args!("query.query_args"), Kind::Payloads, arguments.map_or(0, Message::encoded_len));
    } else if let Some(request) = request.downcast_ref::<api::UpdateWorkflowExecutionRequest>() {
        see(format_args!("request.input.args"), Kind::Payloads, arguments_of(request));
    } else if let Some(request) = request.downcast_ref::<api::ExecuteMultiOperationRequest>() {
        for (index, operation) in request.operations.iter().enumerate() {
            match &operation.operation {
                Some(operation::Operation::StartWorkflow(start)) => {
                    see(format_args!("operations[{index}].start_workflow.input"), Kind::Payloads, size(&start.input));
                    see(format_args!("operations[{index}].start_workflow.memo"), Kind::Memo, size(&start.memo));
                }
                Some(operation::Operation::UpdateWorkflow(update)) => {
                    let size = arguments_of(update);
                    see(format_args!("operations[{index}].update_workflow.request.input.args"), Kind::Payloads, size);
                }
                None => {}
            }
        }
    }
}

fn measure_completion(request: &api::RespondWorkflowTaskCompletedRequest, see: See<'_>) {
    for (index, command) in request.commands.iter().enumerate() {
        if let Some(attributes) = &command.attributes {
            measure_command(index, attributes, see);
        }
    }
    for (index, message) in request.messages.iter().enumerate() {
        see(format_args!("messages[{index}].body"), Kind::Payloads, size(&message.body));
    }
    for (key, result) in &request.query_results {
        see(format_args!("query_results[{key}].answer"), Kind::Told, size(&result.answer));
    }
}

fn measure_command(index: usize, attributes: &Attributes, see: See<'_>) {
    macro_rules! commands {
        ($($variant:ident($name:literal) { $($field:ident: $kind:ident),+ })+) => {
            match attributes {
                $(Attributes::$variant(it) => {
                    $(see(
                        format_args!(concat!("commands[{}].", $name, ".", stringify!($field)), index),
                        Kind::$kind,
                        size(&it.$field),
                    );)+
                })+
                Attributes::RecordMarkerCommandAttributes(it) => {
                    let details = it.details.iter().map(|(key, payloads)| key.len() + payloads.encoded_len()).sum();
                    let field = format_args!("commands[{index}].record_marker_command_attributes.details");
                    see(field, Kind::Payloads, details);
                }
                Attributes::ScheduleNexusOperationCommandAttributes(it) => {
                    let field = format_args!("commands[{index}].schedule_nexus_operation_command_attributes.input");
                    see(field, Kind::Payloads, it.input.as_ref().map_or(0, Message::encoded_len));
                }
                _ => {}
            }
        };
    }
    commands! {
        CompleteWorkflowExecutionCommandAttributes("complete_workflow_execution_command_attributes") {
            result: Payloads
        }
        FailWorkflowExecutionCommandAttributes("fail_workflow_execution_command_attributes") { failure: Payloads }
        ContinueAsNewWorkflowExecutionCommandAttributes("continue_as_new_workflow_execution_command_attributes") {
            input: Payloads, memo: Memo
        }
        ModifyWorkflowPropertiesCommandAttributes("modify_workflow_properties_command_attributes") {
            upserted_memo: Payloads
        }
        ScheduleActivityTaskCommandAttributes("schedule_activity_task_command_attributes") { input: Payloads }
        SignalExternalWorkflowExecutionCommandAttributes("signal_external_workflow_execution_command_attributes") {
            input: Payloads
        }
        StartChildWorkflowExecutionCommandAttributes("start_child_workflow_execution_command_attributes") {
            input: Payloads, memo: Memo
        }
    }
}

fn arguments_of(update: &api::UpdateWorkflowExecutionRequest) -> usize {
    let input = update.request.as_ref().and_then(|request| request.input.as_ref());
    input.and_then(|input| input.args.as_ref()).map_or(0, Payloads::encoded_len)
}

fn size(field: &Option<impl Message>) -> usize {
    field.as_ref().map_or(0, Message::encoded_len)
}

#[cfg(test)]
mod tests {
    use stead_proto::{
        command::v1::{Command, ScheduleActivityTaskCommandAttributes},
        common::v1::{Memo, Payload},
        failure::v1::Failure,
    };

    use super::*;

    fn payloads(bytes: usize) -> Option<Payloads> {
        Some(Payloads { payloads: vec![Payload { data: vec![0; bytes].into(), ..Default::default() }] })
    }

    #[test]
    fn a_field_over_the_limit_is_named_with_its_size() {
        let limits = PayloadLimits::NONE.refuse_payloads(100).refuse_memo(50);
        let activity = ScheduleActivityTaskCommandAttributes { input: payloads(101), ..Default::default() };
        let command = Command {
            attributes: Some(Attributes::ScheduleActivityTaskCommandAttributes(Box::new(activity))),
            ..Default::default()
        };
        let request = api::RespondWorkflowTaskCompletedRequest {
            commands: vec![Command::default(), command],
            ..Default::default()
        };
        let refused = check("RespondWorkflowTaskCompleted", &request, &limits).expect("it is too large");
        assert_eq!(
            refused.to_string(),
            "[TMPRL1103] Attempted to upload payloads with size that exceeded the error limit: \
             `commands[1].schedule_activity_task_command_attributes.input` has 105 bytes, 100 are the most"
        );

        let memo =
            Memo { fields: [("k".to_owned(), Payload { data: vec![0; 51].into(), ..Default::default() })].into() };
        let request =
            api::StartWorkflowExecutionRequest { input: payloads(90), memo: Some(memo), ..Default::default() };
        let refused = check("StartWorkflowExecution", &request, &limits).expect("its memo is too large");
        assert_eq!((&*refused.field, refused.limit), ("memo", 50));
        assert!(refused.to_string().starts_with("[TMPRL1103] Attempted to upload memo with size"));
    }

    #[test]
    fn what_tells_of_a_failure_is_sent_whatever_its_size() {
        let limits = PayloadLimits::NONE.refuse_payloads(10);
        let failure = Some(Failure { message: "x".repeat(100), ..Default::default() });
        let request = api::RespondActivityTaskFailedRequest { failure, ..Default::default() };
        assert_eq!(check("RespondActivityTaskFailed", &request, &limits), None);
    }

    #[test]
    fn what_has_no_payloads_and_what_is_just_at_the_limit_pass() {
        let limits = PayloadLimits::NONE.refuse_payloads(104);
        let request = api::SignalWorkflowExecutionRequest { input: payloads(100), ..Default::default() };
        assert_eq!(check("SignalWorkflowExecution", &request, &limits), None);
        assert_eq!(check("DescribeNamespace", &api::DescribeNamespaceRequest::default(), &limits), None);
    }
}
