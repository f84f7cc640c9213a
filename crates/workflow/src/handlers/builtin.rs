//! Queries that every workflow answers: where it waits, and what it is.

use std::collections::BTreeMap;

use serde::Serialize;
use stead_activation::{CallSite, Payload};
use stead_data::{DataConverter, Failure};

use super::set::Table;
use crate::error;
use crate::program::{HandlerKind, Program};
use crate::runtime::Runtime;

const STACK_TRACE: &str = "__stack_trace";
const ENHANCED_STACK_TRACE: &str = "__enhanced_stack_trace";
const METADATA: &str = "__temporal_workflow_metadata";

/// Their names.
pub(super) const NAMES: [&str; 3] = [ENHANCED_STACK_TRACE, STACK_TRACE, METADATA];

/// Answers a query of this name, if it is one of these.
pub(super) fn answer(name: &str, runtime: &Runtime, program: &dyn Program) -> Option<Result<Payload, Failure>> {
    Some(match name {
        STACK_TRACE => encode(&stack_trace(runtime)),
        ENHANCED_STACK_TRACE => {
            encode(&enhanced_stack_trace(runtime)).map(|json| message(json, "temporal.api.sdk.v1.EnhancedStackTrace"))
        }
        METADATA => {
            encode(&metadata(runtime, program)).map(|json| message(json, "temporal.api.sdk.v1.WorkflowMetadata"))
        }
        _ => return None,
    })
}

/// Tools read these, which know no converter of the user's.
fn encode<T: Serialize>(value: &T) -> Result<Payload, Failure> {
    DataConverter::new().to_payload(value).map_err(|problem| error::conversion("Failed encoding the answer", &problem))
}

/// JSON as the JSON of a message.
fn message(mut json: Payload, name: &'static str) -> Payload {
    json.metadata.insert("encoding".to_owned(), "json/protobuf".into());
    json.metadata.insert("messageType".to_owned(), name.into());
    json
}

/// What the workflow waits for, a line for each, with the line of code that asked for it.
fn stack_trace(runtime: &Runtime) -> String {
    let lines = runtime.pending_operations().into_iter().map(|(what, at)| format!("{what} at {at}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[derive(Serialize)]
struct EnhancedStackTrace {
    sdk: Sdk,
    stacks: Vec<Stack>,
}

#[derive(Serialize)]
struct Sdk {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Stack {
    locations: [Location; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    file_path: &'static str,
    line: u32,
    column: u32,
    function_name: String,
    internal_code: bool,
}

fn enhanced_stack_trace(runtime: &Runtime) -> EnhancedStackTrace {
    let stack = |(what, at): (String, CallSite)| Stack {
        locations: [Location {
            file_path: at.file(),
            line: at.line(),
            column: at.column(),
            function_name: what,
            internal_code: false,
        }],
    };
    EnhancedStackTrace {
        sdk: Sdk { name: "stead", version: env!("CARGO_PKG_VERSION") },
        stacks: runtime.pending_operations().into_iter().map(stack).collect(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    definition: Definition,
    current_details: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    r#type: String,
    query_definitions: Vec<Interaction>,
    signal_definitions: Vec<Interaction>,
    update_definitions: Vec<Interaction>,
}

/// A dynamic handler has no name.
#[derive(Serialize)]
struct Interaction {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    description: String,
}

fn metadata(runtime: &Runtime, program: &dyn Program) -> Metadata {
    let interactions = |kind| {
        let definitions = definitions(runtime, program, kind).into_iter();
        let mut all: Vec<_> = definitions.map(|(name, description)| Interaction { name, description }).collect();
        if kind == HandlerKind::Query {
            all.extend(NAMES.map(built_in));
            all.sort_by(|a, b| a.name.cmp(&b.name));
        }
        all
    };
    Metadata {
        definition: Definition {
            r#type: runtime.info().workflow_type().to_owned(),
            query_definitions: interactions(HandlerKind::Query),
            signal_definitions: interactions(HandlerKind::Signal),
            update_definitions: interactions(HandlerKind::Update),
        },
        current_details: runtime.set_handlers(|sets| sets.details.clone()).unwrap_or_default(),
    }
}

fn built_in(name: &str) -> Interaction {
    let description = match name {
        STACK_TRACE => "What the workflow waits for, and the lines of code that asked for it",
        ENHANCED_STACK_TRACE => "What the workflow waits for, for programs to read",
        _ => "What the workflow can be asked and told, and what it is at",
    };
    Interaction { name: Some(name.to_owned()), description: description.to_owned() }
}

/// The handlers of a kind that calls can reach, by name, with their descriptions: those of the definition as run time has
/// changed them.
pub(super) fn definitions(
    runtime: &Runtime,
    program: &dyn Program,
    kind: HandlerKind,
) -> BTreeMap<Option<String>, String> {
    let defined = program.handlers().into_iter().filter(|handler| handler.kind == kind);
    let mut all: BTreeMap<_, _> =
        defined.map(|handler| (handler.name.map(str::to_owned), handler.description.to_owned())).collect();
    runtime.set_handlers(|sets| match kind {
        HandlerKind::Signal => apply(&sets.signals, &mut all),
        HandlerKind::Query => apply(&sets.queries, &mut all),
        HandlerKind::Update => apply(&sets.updates, &mut all),
    });
    all
}

fn apply<H: Clone>(set: &Table<H>, all: &mut BTreeMap<Option<String>, String>) {
    for (name, is_set) in set.names() {
        let name = name.map(str::to_owned);
        match is_set {
            true => drop(all.insert(name, String::new())),
            false => drop(all.remove(&name)),
        }
    }
}
