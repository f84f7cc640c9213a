//! Where payloads are in the messages that clients and workers exchange with the server, as a table of fields.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

use super::descriptors;

/// The requests and responses that carry payloads of users.
const ROOTS: [&str; 30] = [
    "workflowservice.v1.DescribeWorkflowExecutionResponse",
    "workflowservice.v1.ExecuteMultiOperationRequest",
    "workflowservice.v1.ExecuteMultiOperationResponse",
    "workflowservice.v1.GetWorkflowExecutionHistoryResponse",
    "workflowservice.v1.PollActivityTaskQueueResponse",
    "workflowservice.v1.PollWorkflowExecutionUpdateResponse",
    "workflowservice.v1.PollWorkflowTaskQueueResponse",
    "workflowservice.v1.QueryWorkflowRequest",
    "workflowservice.v1.QueryWorkflowResponse",
    "workflowservice.v1.RecordActivityTaskHeartbeatByIdRequest",
    "workflowservice.v1.RecordActivityTaskHeartbeatRequest",
    "workflowservice.v1.RespondActivityTaskCanceledByIdRequest",
    "workflowservice.v1.RespondActivityTaskCanceledRequest",
    "workflowservice.v1.RespondActivityTaskCompletedByIdRequest",
    "workflowservice.v1.RespondActivityTaskCompletedRequest",
    "workflowservice.v1.RespondActivityTaskFailedByIdRequest",
    "workflowservice.v1.RespondActivityTaskFailedRequest",
    "workflowservice.v1.RespondQueryTaskCompletedRequest",
    "workflowservice.v1.RespondWorkflowTaskCompletedRequest",
    "workflowservice.v1.RespondWorkflowTaskFailedRequest",
    "workflowservice.v1.SignalWithStartWorkflowExecutionRequest",
    "workflowservice.v1.SignalWorkflowExecutionRequest",
    "workflowservice.v1.StartWorkflowExecutionRequest",
    "workflowservice.v1.TerminateWorkflowExecutionRequest",
    "workflowservice.v1.UpdateWorkflowExecutionRequest",
    "workflowservice.v1.UpdateWorkflowExecutionResponse",
    // They travel in the body of a `protocol.v1.Message`.
    "update.v1.Acceptance",
    "update.v1.Rejection",
    "update.v1.Request",
    "update.v1.Response",
];

/// Not looked into: search attributes are for the server to read.
const OPAQUE: [&str; 1] = ["common.v1.SearchAttributes"];

/// Implemented by hand, as they are more than the sum of their fields. Their oneofs are not.
const BY_HAND: [&str; 8] = [
    "command.v1.RecordMarkerCommandAttributes",
    "command.v1.ScheduleNexusOperationCommandAttributes",
    "common.v1.Header",
    "common.v1.Payload",
    "failure.v1.Failure",
    "history.v1.MarkerRecordedEventAttributes",
    "history.v1.NexusOperationScheduledEventAttributes",
    "protocol.v1.Message",
];

/// Messages by full name, with the leading dot.
type Messages<'a> = BTreeMap<String, &'a DescriptorProto>;

pub(super) fn generate(all: &FileDescriptorSet) -> Result<String> {
    let mut messages = Messages::new();
    for root in ROOTS {
        messages.extend(descriptors::messages(all, &format!("temporal.api.{root}"))?);
    }
    let carriers = carriers(&messages);
    let mut code = String::from("visit! {\n");
    for (name, message) in &messages {
        if carriers.contains(name) && !is_map_entry(message) {
            code += &Members::of(message, &carriers).lines(name);
        }
    }
    code.push_str("}\n");
    Ok(code)
}

/// The messages that have a payload somewhere in them: those that are or name one, as long as more are found.
fn carriers(messages: &Messages<'_>) -> BTreeSet<String> {
    let mut carriers: BTreeSet<_> = messages.keys().filter(|name| is_one_of(name, &BY_HAND)).cloned().collect();
    loop {
        let more: Vec<_> = messages
            .iter()
            .filter(|(name, _)| !carriers.contains(*name) && !is_one_of(name, &OPAQUE))
            .filter(|(_, message)| message.field.iter().any(|field| carries(field, &carriers)))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return carriers;
        }
        carriers.extend(more);
    }
}

fn carries(field: &FieldDescriptorProto, carriers: &BTreeSet<String>) -> bool {
    carriers.contains(field.type_name())
}

/// What of a message leads to payloads: names of fields and of oneofs, and the variants of these.
#[derive(Default)]
struct Members<'a> {
    fields: Vec<&'a str>,
    oneofs: BTreeMap<&'a str, Vec<String>>,
}

impl<'a> Members<'a> {
    fn of(message: &'a DescriptorProto, carriers: &BTreeSet<String>) -> Self {
        let mut members = Self::default();
        for field in message.field.iter().filter(|field| carries(field, carriers)) {
            match oneof(message, field) {
                Some(oneof) => members.oneofs.entry(oneof).or_default().push(upper_camel(field.name())),
                None => members.fields.push(field.name()),
            }
        }
        members.fields.extend(members.oneofs.keys());
        members
    }

    fn lines(&self, message: &str) -> String {
        let path = rust_path(message);
        let mut lines = String::new();
        if !is_one_of(message, &BY_HAND) {
            lines += &format!("    struct {path} {{ {} }}\n", self.fields.join(" "));
        }
        for (oneof, variants) in &self.oneofs {
            let (path, variants) = (format!("{}::{}", snake(&path), upper_camel(oneof)), variants.join("\n        "));
            lines += &format!("    enum {path} {{\n        {variants}\n    }}\n");
        }
        lines
    }
}

/// The name of the oneof that the field belongs to.
fn oneof<'a>(message: &'a DescriptorProto, field: &FieldDescriptorProto) -> Option<&'a str> {
    let index = usize::try_from(field.oneof_index?).ok()?;
    Some(message.oneof_decl.get(index)?.name())
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(|options| options.map_entry())
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    name.strip_prefix(".temporal.api.").is_some_and(|name| names.contains(&name))
}

/// `.temporal.api.update.v1.Outer.Inner` is `crate::update::v1::outer::Inner`.
fn rust_path(name: &str) -> String {
    let name = name.trim_start_matches(".temporal.api.");
    match name.rsplit_once('.') {
        Some((scope, simple)) => {
            format!("crate::{}::{simple}", scope.split('.').map(snake).collect::<Vec<_>>().join("::"))
        }
        None => name.to_owned(),
    }
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && snake.ends_with(char::is_alphanumeric) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn upper_camel(name: &str) -> String {
    let capitalised = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').filter(|word| !word.is_empty()).map(capitalised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prost() {
        assert_eq!(rust_path(".temporal.api.common.v1.Payloads"), "crate::common::v1::Payloads");
        assert_eq!(
            rust_path(".temporal.api.workflowservice.v1.ExecuteMultiOperationRequest.Operation"),
            "crate::workflowservice::v1::execute_multi_operation_request::Operation"
        );
        assert_eq!(upper_camel("signal_with_start"), "SignalWithStart");
    }
}
