//! Commands that are done once their event is there have no machine of their own. Here is which event records which of
//! them: every one against every one.

use std::collections::BTreeMap;
use std::sync::Arc;

use stead_proto::command::v1::command::Attributes as CommandAttributes;
use stead_proto::common::v1::{Payload, SearchAttributes};
use stead_proto::history::v1::{
    MarkerRecordedEventAttributes, UpsertWorkflowSearchAttributesEventAttributes,
    WorkflowExecutionCanceledEventAttributes, WorkflowExecutionCompletedEventAttributes,
    WorkflowPropertiesModifiedEventAttributes,
};

use super::*;
use crate::RunOptions;
use crate::patch::SEARCH_ATTRIBUTE;

fn patch(id: &str, deprecated: bool) -> Patch {
    Patch { id: id.to_owned(), deprecated }
}

fn marker(id: &str, deprecated: bool) -> Attributes {
    let CommandAttributes::RecordMarkerCommandAttributes(command) = patch(id, deprecated).command() else {
        panic!("a patch is recorded by a marker")
    };
    Attributes::MarkerRecordedEventAttributes(Box::new(MarkerRecordedEventAttributes {
        marker_name: command.marker_name,
        details: command.details,
        ..Default::default()
    }))
}

fn upsert(attribute: &str) -> Attributes {
    let indexed_fields = [(attribute.to_owned(), Payload::default())].into();
    let search_attributes = Some(SearchAttributes { indexed_fields });
    Attributes::UpsertWorkflowSearchAttributesEventAttributes(UpsertWorkflowSearchAttributesEventAttributes {
        search_attributes,
        ..Default::default()
    })
}

fn events() -> Vec<(&'static str, Attributes)> {
    vec![
        ("marker of patch a", marker("a", false)),
        ("deprecated marker of patch a", marker("a", true)),
        ("marker of patch b", marker("b", false)),
        ("deprecated marker of patch b", marker("b", true)),
        ("upsert of patches", upsert(SEARCH_ATTRIBUTE)),
        ("upsert of others", upsert("Status")),
        (
            "memo modified",
            Attributes::WorkflowPropertiesModifiedEventAttributes(WorkflowPropertiesModifiedEventAttributes::default()),
        ),
        (
            "completed",
            Attributes::WorkflowExecutionCompletedEventAttributes(WorkflowExecutionCompletedEventAttributes::default()),
        ),
        ("failed", Attributes::WorkflowExecutionFailedEventAttributes(Box::default())),
        (
            "cancelled",
            Attributes::WorkflowExecutionCanceledEventAttributes(WorkflowExecutionCanceledEventAttributes::default()),
        ),
        ("continued as new", Attributes::WorkflowExecutionContinuedAsNewEventAttributes(Box::default())),
    ]
}

/// What becomes of a command when an event comes, and of an event for which there is none.
fn outcome(command: Option<What>, attributes: Attributes) -> String {
    let mut machines = Machines::new("run", Arc::new(RunOptions::default()));
    let is_waiting = command.is_some();
    if let Some(command) = command {
        machines.pending.push(command, None, None);
    }
    let event = HistoryEvent { event_id: 5, attributes: Some(attributes), ..HistoryEvent::default() };
    match machines.record(&event, None) {
        Ok(After::Next) if !is_waiting => "passes".to_owned(),
        Ok(After::Next) if machines.pending.front().is_none() => "is recorded".to_owned(),
        Ok(After::Next) => "goes on waiting".to_owned(),
        Ok(After::SkipNext) => "goes on waiting, and the next event is left out".to_owned(),
        Err(Fault::Mismatch(mismatch)) => format!("{:?}", mismatch.kind),
        Err(fault) => panic!("{fault:?}"),
    }
}

#[test]
fn transition_table() {
    type Make = fn() -> Option<What>;
    let commands: [(&str, Make); 10] = [
        ("no command", || None),
        ("patch a", || Some(What::Patch(Box::new(patch("a", false))))),
        ("deprecated patch a", || Some(What::Patch(Box::new(patch("a", true))))),
        ("record patches", || Some(What::RecordPatches)),
        ("upsert search attributes", || Some(What::UpsertSearchAttributes)),
        ("upsert memo", || Some(What::UpsertMemo)),
        ("complete", || Some(What::CompleteWorkflow)),
        ("fail", || Some(What::FailWorkflow)),
        ("cancel", || Some(What::CancelWorkflow)),
        ("continue as new", || Some(What::ContinueAsNew { workflow_type: "Order".into() })),
    ];
    let mut table = String::new();
    for (command, make) in commands {
        let mut outcomes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (event, attributes) in events() {
            outcomes.entry(outcome(make(), attributes)).or_default().push(event);
        }
        outcomes.remove("Different");
        for (outcome, events) in outcomes {
            table += &format!("{command}, {outcome}: {}\n", events.join(", "));
        }
    }
    let expected = "\
no command, MissingCommand: upsert of patches, upsert of others, memo modified, completed, failed, cancelled, continued as new
no command, MissingPatch: marker of patch a, marker of patch b
no command, passes: deprecated marker of patch a, deprecated marker of patch b
patch a, MissingCommand: upsert of patches, upsert of others, memo modified, completed, failed, cancelled, continued as new
patch a, goes on waiting: deprecated marker of patch b
patch a, is recorded: marker of patch a, deprecated marker of patch a
deprecated patch a, MissingCommand: upsert of patches, upsert of others, memo modified, completed, failed, cancelled, continued as new
deprecated patch a, goes on waiting: deprecated marker of patch b
deprecated patch a, is recorded: marker of patch a, deprecated marker of patch a
record patches, MissingPatch: marker of patch a, marker of patch b
record patches, goes on waiting: deprecated marker of patch a, deprecated marker of patch b
record patches, is recorded: upsert of patches
upsert search attributes, MissingPatch: marker of patch a, marker of patch b
upsert search attributes, goes on waiting: deprecated marker of patch a, deprecated marker of patch b
upsert search attributes, is recorded: upsert of patches, upsert of others
upsert memo, MissingPatch: marker of patch a, marker of patch b
upsert memo, goes on waiting: deprecated marker of patch a, deprecated marker of patch b
upsert memo, is recorded: memo modified
complete, MissingPatch: marker of patch a, marker of patch b
complete, goes on waiting: deprecated marker of patch a, deprecated marker of patch b
complete, is recorded: completed
fail, MissingPatch: marker of patch a, marker of patch b
fail, goes on waiting: deprecated marker of patch a, deprecated marker of patch b
fail, is recorded: failed
cancel, MissingPatch: marker of patch a, marker of patch b
cancel, goes on waiting: deprecated marker of patch a, deprecated marker of patch b
cancel, is recorded: cancelled
continue as new, MissingPatch: marker of patch a, marker of patch b
continue as new, goes on waiting: deprecated marker of patch a, deprecated marker of patch b
continue as new, is recorded: continued as new
";
    assert_eq!(table, expected, "{table}");
}
