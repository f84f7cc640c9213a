//! Search attributes and memo fields.

use std::collections::BTreeMap;

use bytes::Bytes;
use stead_activation::{Command, Payload, PayloadMap};
use stead_core::MismatchKind;
use stead_proto::command::v1::command::Attributes;

use crate::support::{HistoryBuilder, Scenario, complete, mismatch, payload, run_to_end};

fn map(entries: &[(&str, Payload)]) -> PayloadMap {
    entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn attributes(entries: &[(&str, Payload)]) -> Command {
    Command::UpsertSearchAttributes(map(entries))
}

fn memo(entries: &[(&str, Payload)]) -> Command {
    Command::UpsertMemo(map(entries))
}

fn nothing() -> Payload {
    Payload {
        metadata: BTreeMap::from([("encoding".to_owned(), Bytes::from_static(b"binary/null"))]),
        ..Payload::default()
    }
}

fn upserted(attributes: &Option<Attributes>) -> Vec<&str> {
    match attributes {
        Some(Attributes::UpsertWorkflowSearchAttributesCommandAttributes(it)) => {
            it.search_attributes.iter().flat_map(|it| it.indexed_fields.keys()).map(String::as_str).collect()
        }
        other => panic!("no search attributes: {other:?}"),
    }
}

#[test]
fn search_attributes_and_memo_fields_are_set() {
    let mut scenario = Scenario::new([vec![attributes(&[("Status", payload("paid"))]), memo(&[("m", payload("x"))])]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert_eq!(upserted(&completion.commands[0].attributes), ["Status"]);
    let Some(Attributes::ModifyWorkflowPropertiesCommandAttributes(it)) = &completion.commands[1].attributes else {
        panic!("no memo")
    };
    assert_eq!(it.upserted_memo.as_ref().map(|memo| &memo.fields["m"]), Some(&payload("x")));
}

#[test]
fn they_replay() {
    let history = HistoryBuilder::first_task().task_completed().search_attribute("Status").memo_modified().completed();
    run_to_end(&history, [vec![attributes(&[("Status", payload("paid"))]), memo(&[("m", payload("x"))]), complete()]]);
    let (kind, text) = mismatch(&history, vec![vec![memo(&[("m", payload("x"))]), complete()]]);
    assert_eq!(kind, MismatchKind::Different);
    assert!(text.contains("set search attributes") && text.contains("set fields of the memo"), "{text}");
}

#[test]
fn s35_what_the_code_says_of_the_runs_patches_has_no_effect() {
    let both = [("TemporalChangeVersion", payload("mine")), ("Status", payload("paid"))];
    let mut scenario = Scenario::new([vec![attributes(&both), attributes(&both[..1])]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert_eq!(upserted(&completion.commands[0].attributes), ["Status"]);
    assert_eq!(upserted(&completion.commands[1].attributes), [""; 0], "the command is there nonetheless");
}

#[test]
fn s36_before_there_was_the_flag_the_code_could_set_it() {
    let history = HistoryBuilder::first_task().flags(&[1]).task_completed().patches_recorded().completed();
    run_to_end(&history, [vec![attributes(&[("TemporalChangeVersion", payload("mine"))]), complete()]]);
}

#[test]
fn s52_the_next_run_inherits_what_was_set_and_not_what_was_removed() {
    let mut history = HistoryBuilder::first_task();
    let start = history.start_mut();
    start.memo = Some(stead_proto::common::v1::Memo { fields: map(&[("old", payload("1")), ("gone", payload("2"))]) });
    let fields = map(&[("Kept", payload("1")), ("Gone", payload("2"))]);
    start.search_attributes = Some(stead_proto::common::v1::SearchAttributes { indexed_fields: fields });
    let mut scenario = Scenario::new([vec![
        attributes(&[("Status", payload("paid")), ("Gone", nothing())]),
        memo(&[("new", payload("3")), ("gone", nothing())]),
        Command::ContinueAsNew(Box::default()),
    ]]);
    let completion = scenario.completes(history.poll());
    let Some(Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(next)) = &completion.commands[2].attributes
    else {
        panic!("it does not continue as new")
    };
    let names =
        |fields: Option<&PayloadMap>| fields.into_iter().flat_map(PayloadMap::keys).cloned().collect::<Vec<_>>();
    assert_eq!(names(next.search_attributes.as_ref().map(|it| &it.indexed_fields)), ["Kept", "Status"]);
    assert_eq!(names(next.memo.as_ref().map(|it| &it.fields)), ["new", "old"]);
}
