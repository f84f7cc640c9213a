//! Patches.

use std::collections::BTreeMap;

use bytes::Bytes;
use stead_activation::{Command, Job};
use stead_core::{MismatchKind, RunOptions};
use stead_proto::command::v1::command::Attributes;
use stead_proto::common::v1::{Payload, Payloads};

use crate::support::{HistoryBuilder, Scenario, complete, run_to_end, timer};

fn patch(id: &str) -> Command {
    Command::SetPatch { id: id.into(), deprecated: false }
}

fn deprecate(id: &str) -> Command {
    Command::SetPatch { id: id.into(), deprecated: true }
}

fn data(payload: &Payload) -> &str {
    std::str::from_utf8(&payload.data).expect("it is text")
}

#[test]
fn s34_the_marker_has_the_shared_format() {
    let mut scenario = Scenario::new([vec![patch("p")]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    let Some(Attributes::RecordMarkerCommandAttributes(marker)) = &completion.commands[0].attributes else {
        panic!("not a marker: {:?}", completion.commands[0])
    };
    assert_eq!(marker.marker_name, "core_patch");
    let detail = &marker.details["patch-data"].payloads[0];
    assert_eq!(data(detail), r#"{"id":"p","deprecated":false}"#);
    assert_eq!(detail.metadata["encoding"], "json/plain");
}

#[test]
fn s34_the_first_markers_ever_written_are_read() {
    let detail = |data: &'static [u8]| Payloads {
        payloads: vec![Payload { data: Bytes::from_static(data), ..Payload::default() }],
    };
    let details = BTreeMap::from([("patch_id".to_owned(), detail(b"p")), ("deprecated".to_owned(), detail(&[0]))]);
    let history = HistoryBuilder::first_task().flags(&[]).task_completed().marker("core_patch", details);
    let scenario = run_to_end(&history, [vec![patch("p")]]);
    assert!(scenario.jobs(0).contains(&Job::NotifyHasPatch { id: "p".into() }));
}

#[test]
fn s35_each_patch_is_recorded_once_with_all_patches_so_far() {
    let mut scenario = Scenario::new([vec![patch("b"), patch("b"), patch("a")]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    let attributes: Vec<_> = completion
        .commands
        .iter()
        .filter_map(|command| match &command.attributes {
            Some(Attributes::UpsertWorkflowSearchAttributesCommandAttributes(upsert)) => {
                let payload =
                    &upsert.search_attributes.as_ref().expect("it is set").indexed_fields["TemporalChangeVersion"];
                assert_eq!(payload.metadata["type"], "KeywordList");
                Some(data(payload))
            }
            _ => None,
        })
        .collect();
    assert_eq!(attributes, [r#"["b"]"#, r#"["a","b"]"#]);
    assert_eq!(completion.commands.len(), 4);
}

#[test]
fn s35_a_list_that_is_too_long_is_not_recorded() {
    let mut scenario = Scenario::new([vec![patch(&"long".repeat(600))]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert_eq!((completion.commands.len(), completion.lists_too_many_patches), (1, true));
    let mut scenario = Scenario::new([vec![patch("short")]]);
    assert!(!scenario.completes(HistoryBuilder::first_task().poll()).lists_too_many_patches);
}

#[test]
fn s36_histories_without_the_flag_have_no_search_attribute() {
    let history = HistoryBuilder::first_task().flags(&[1]).task_completed().patch("p", false).timer_started(1);
    run_to_end(&history, [vec![patch("p"), timer(1)]]);
    let mut options = RunOptions::default();
    options.sdk_metadata = false;
    let mut scenario = Scenario::with_options(options, [vec![patch("p")]]);
    assert_eq!(scenario.completes(HistoryBuilder::first_task().poll()).commands.len(), 1);
}

/// The table of what history has against what the code asks for.
#[test]
fn s14_every_pairing_of_history_and_code() {
    enum Ends {
        Well,
        Badly(MismatchKind),
    }
    let none = || HistoryBuilder::first_task().task_completed();
    let marker = || none().patch("p", false).patches_recorded();
    let deprecated = || none().patch("p", true).patches_recorded();
    let asks: [fn() -> Vec<Command>; 3] =
        [|| vec![timer(1)], || vec![patch("p"), timer(1)], || vec![deprecate("p"), timer(1)]];
    let cases = [
        (none(), [Ends::Well, Ends::Well, Ends::Well]),
        (marker(), [Ends::Badly(MismatchKind::MissingPatch), Ends::Well, Ends::Well]),
        (deprecated(), [Ends::Well, Ends::Well, Ends::Well]),
    ];
    for (history, ends) in cases {
        for (ask, end) in asks.iter().zip(ends) {
            let history = history.clone().timer_started(1);
            match end {
                Ends::Well => drop(run_to_end(&history, [ask()])),
                Ends::Badly(kind) => {
                    let task = stead_core::replay_task(history.history(), "workflow", "run");
                    let failed = Scenario::new([ask()]).fails(task);
                    assert_eq!(failed.mismatch.expect("it says what differs").kind, kind);
                }
            }
        }
    }
}

#[test]
fn s14_a_deprecated_marker_of_another_patch_is_passed_over() {
    let history = HistoryBuilder::first_task()
        .task_completed()
        .patch("gone", true)
        .patches_recorded()
        .patch("here", false)
        .patches_recorded();
    run_to_end(&history, [vec![patch("here")]]);
}

#[test]
fn s14_a_marker_of_another_patch_is_a_mismatch() {
    let history = HistoryBuilder::first_task()
        .task_completed()
        .patch("one", false)
        .patches_recorded()
        .patch("two", false)
        .patches_recorded();
    let task = stead_core::replay_task(history.history(), "workflow", "run");
    let failed = Scenario::new([vec![patch("two"), patch("one")]]).fails(task);
    assert_eq!(failed.mismatch.expect("it says what differs").kind, MismatchKind::Different);
}

#[test]
fn s11_a_patch_is_known_in_the_activation_that_recorded_it() {
    let history = HistoryBuilder::first_task()
        .task_completed()
        .timer_started(1)
        .timer_fired(5)
        .task()
        .task_completed()
        .patch("p", false)
        .patches_recorded();
    let scenario = run_to_end(&history, [vec![timer(1)], vec![patch("p")]]);
    assert!(matches!(scenario.jobs(0), [Job::Initialize(_)]));
    assert_eq!(scenario.jobs(1), [Job::NotifyHasPatch { id: "p".into() }, Job::FireTimer { seq: 1 }]);
}

#[test]
fn a_patch_that_is_new_to_a_replayed_run_is_used_from_the_news_on() {
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    let mut scenario = Scenario::new([vec![patch("p"), timer(1)], vec![patch("p"), complete()]]);
    assert_eq!(scenario.completes(history.poll()).commands.len(), 3);
}
