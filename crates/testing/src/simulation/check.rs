//! Whether the histories say what the parties were told.

use std::collections::BTreeMap;

use prost::Message;
use stead_client::Client;
use stead_data::history::History;
use stead_proto::history::v1::WorkflowExecutionStartedEventAttributes;
use stead_proto::history::v1::history_event::Attributes as A;

use super::network::Network;
use super::record::{ActivityKey, Record, SignalKey};
use crate::violations;

/// All runs at the end of a simulation.
#[derive(Debug, Default)]
struct Histories {
    /// By workflow id and run id.
    runs: BTreeMap<(String, String), History>,
}

/// What is wrong; nothing, if all is well. The histories become part of the trace.
pub(super) async fn problems(client: &Client, network: &Network) -> Vec<String> {
    let histories = match Histories::read(client).await {
        Ok(histories) => histories,
        Err(error) => return vec![format!("the histories cannot be read: {error}")],
    };
    for ((workflow_id, run_id), history) in &histories.runs {
        for event in &history.0.events {
            let bytes = fingerprint(&event.encode_to_vec());
            let kind = event.event_type().as_str_name().trim_start_matches("EVENT_TYPE_");
            network.note(format_args!("{workflow_id} {run_id} {} {kind} {bytes:016x}", event.event_id));
        }
    }
    let record = network.record();
    let mut problems = histories.violations();
    problems.extend(histories.starts(&record));
    problems.extend(histories.signals(&record));
    problems.extend(histories.updates(&record));
    problems.extend(histories.activities(&record));
    problems
}

impl Histories {
    async fn read(client: &Client) -> Result<Self, Box<dyn std::error::Error>> {
        let mut list = client.list_workflows("");
        let mut runs = BTreeMap::new();
        while let Some(found) = list.next().await {
            let found = found?;
            let execution = found.raw().execution.clone().unwrap_or_default();
            let workflow = client.workflow_named(&execution.workflow_id).with_run_id(&execution.run_id);
            runs.insert((execution.workflow_id, execution.run_id), workflow.history().await?);
        }
        Ok(Self { runs })
    }

    fn of<'a>(&'a self, workflow_id: &'a str) -> impl Iterator<Item = &'a A> {
        self.runs_of(workflow_id).flatten()
    }

    /// The events of each run. A run knows the requests that it was sent, and not those of the run before it: what is
    /// sent again after a run has continued as new counts anew.
    fn runs_of<'a>(&'a self, workflow_id: &'a str) -> impl Iterator<Item = impl Iterator<Item = &'a A>> {
        let runs = self.runs.iter().filter(move |((id, _), _)| id == workflow_id);
        runs.map(|(_, history)| history.0.events.iter().filter_map(|event| event.attributes.as_ref()))
    }

    fn violations(&self) -> Vec<String> {
        let broken = |((workflow_id, _), history): (&(String, String), &History)| {
            let found = violations(history).into_iter();
            found.map(|violation| format!("the history of `{workflow_id}` is not well formed: {violation}")).collect()
        };
        self.runs.iter().flat_map::<Vec<_>, _>(broken).collect()
    }

    /// Every acknowledged start has its run, and no request has started two.
    fn starts(&self, record: &Record) -> Vec<String> {
        let missing = record.starts.iter().filter(|start| !self.runs.contains_key(start));
        let mut problems: Vec<_> = missing
            .map(|(workflow_id, run_id)| {
                format!("the start of `{workflow_id}` was acknowledged, but there is no run {run_id}")
            })
            .collect();
        for (workflow_id, requests) in &record.starts_sent {
            let started = self.of(workflow_id).filter(|event| match event {
                A::WorkflowExecutionStartedEventAttributes(started) => is_first(started),
                _ => false,
            });
            let (started, sent) = (started.count(), requests.len());
            if started > sent {
                problems.push(format!("`{workflow_id}` was started {started} times by {sent} requests"));
            }
        }
        problems
    }

    fn signals(&self, record: &Record) -> Vec<String> {
        let problem = |(key, sent): (&SignalKey, &super::record::Sent)| {
            let is_it = |event: &&A| match event {
                A::WorkflowExecutionSignaledEventAttributes(signal) if signal.external_workflow_execution.is_none() => {
                    SignalKey::new(&key.workflow_id, &signal.signal_name, signal.input.as_ref()) == *key
                }
                _ => false,
            };
            let found: Vec<_> = self.runs_of(&key.workflow_id).map(|run| run.filter(is_it).count()).collect();
            let in_one_run = found.iter().copied().max().unwrap_or_default();
            let (found, sent, acknowledged) = (found.iter().sum::<usize>(), sent.sent.len(), sent.acknowledged.len());
            let SignalKey { workflow_id, name, .. } = key;
            let is_held_back = || self.runs.iter().any(|((id, _), run)| id == workflow_id && holds_back(run));
            (found < acknowledged && !is_held_back() || in_one_run > sent).then(|| {
                format!(
                    "the signal `{name}` to `{workflow_id}` was sent {sent} times and acknowledged {acknowledged} times, \
                     and is {found} times in its history"
                )
            })
        };
        record.signals.iter().filter_map(problem).collect()
    }

    fn updates(&self, record: &Record) -> Vec<String> {
        let problem = |((workflow_id, update_id), completed): (&(String, String), &bool)| {
            let count = |run: &mut dyn Iterator<Item = &A>| {
                let (mut accepted, mut done) = (0, 0);
                for event in run {
                    match event {
                        A::WorkflowExecutionUpdateAcceptedEventAttributes(it) => {
                            accepted += i32::from(it.protocol_instance_id == *update_id);
                        }
                        A::WorkflowExecutionUpdateCompletedEventAttributes(it) => {
                            done += i32::from(it.meta.as_ref().is_some_and(|meta| meta.update_id == *update_id));
                        }
                        _ => {}
                    }
                }
                (accepted, done)
            };
            let runs: Vec<_> = self.runs_of(workflow_id).map(|mut run| count(&mut run)).collect();
            let (accepted, done) = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
            let is_twice = runs.iter().any(|&(accepted, done)| accepted > 1 || done > 1);
            (is_twice || accepted == 0 || (*completed && done == 0)).then(|| {
                let how = if *completed { "answered" } else { "accepted" };
                format!(
                    "the update {update_id} of `{workflow_id}` was {how}, but was accepted {accepted} times and completed \
                     {done} times in its history"
                )
            })
        };
        record.updates.iter().filter_map(problem).collect()
    }

    /// Every result that was acknowledged is in the history once, as it was sent.
    fn activities(&self, record: &Record) -> Vec<String> {
        let mut problems = Vec::new();
        for (activity, result) in &record.activities {
            let ActivityKey { workflow_id, run_id, activity_id } = activity;
            let run = self.runs.get(&(workflow_id.clone(), run_id.clone()));
            let events = run.map(|history| history.0.events.as_slice()).unwrap_or_default();
            let scheduled: Vec<_> = events
                .iter()
                .filter(|event| match &event.attributes {
                    Some(A::ActivityTaskScheduledEventAttributes(it)) => it.activity_id == *activity_id,
                    _ => false,
                })
                .map(|event| event.event_id)
                .collect();
            let completed: Vec<_> = events
                .iter()
                .filter_map(|event| match &event.attributes {
                    Some(A::ActivityTaskCompletedEventAttributes(it)) => Some(it),
                    _ => None,
                })
                .filter(|completed| scheduled.contains(&completed.scheduled_event_id))
                .collect();
            match &completed[..] {
                [one] if one.result == *result => {}
                [] if run.is_some_and(holds_back) => {}
                [_] => problems.push(format!("activity {activity_id} of `{workflow_id}` has another result in its history")),
                several => problems.push(format!(
                    "the result of activity {activity_id} of `{workflow_id}` was acknowledged, and is {} times in its history",
                    several.len()
                )),
            }
        }
        problems
    }
}

/// Whether a task is at work: what comes meanwhile is acknowledged, and gets into the history after it.
fn holds_back(history: &History) -> bool {
    let last = history.0.events.last().and_then(|event| event.attributes.as_ref());
    matches!(last, Some(A::WorkflowTaskStartedEventAttributes(_)))
}

/// Whether somebody started it: not its parent, and no run before it.
fn is_first(started: &WorkflowExecutionStartedEventAttributes) -> bool {
    started.parent_workflow_execution.is_none() && started.original_execution_run_id == started.first_execution_run_id
}

/// FNV-1a: short, and the same in each process.
fn fingerprint(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use stead_proto::common::v1::WorkflowExecution;
    use stead_proto::history::v1 as wire;
    use stead_proto::update::v1::Meta;

    use super::super::record::Sent;
    use super::*;

    /// A run of the workflow `w`, whose run id is `r`.
    fn run(events: impl IntoIterator<Item = A>) -> Histories {
        let events = events.into_iter().zip(1..);
        let event = |(attributes, event_id)| wire::HistoryEvent {
            event_id,
            attributes: Some(attributes),
            ..Default::default()
        };
        let history = History(wire::History { events: events.map(event).collect() });
        Histories { runs: [(("w".to_owned(), "r".to_owned()), history)].into() }
    }

    fn signaled() -> A {
        A::WorkflowExecutionSignaledEventAttributes(Box::new(wire::WorkflowExecutionSignaledEventAttributes {
            signal_name: "pay".to_owned(),
            ..Default::default()
        }))
    }

    fn ids(ids: &[&str]) -> std::collections::BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_start_without_a_run_and_a_run_without_a_start_are_found() {
        let started = A::WorkflowExecutionStartedEventAttributes(Box::default());
        let mut record = Record::default();
        record.starts.insert(("w".to_owned(), "r".to_owned()));
        record.starts_sent.insert("w".to_owned(), ids(&["one"]));
        assert!(run([started.clone()]).starts(&record).is_empty());
        record.starts.insert(("w".to_owned(), "lost".to_owned()));
        assert!(run([started.clone()]).starts(&record)[0].contains("there is no run lost"));
        record.starts.clear();
        assert!(run([started.clone(), started]).starts(&record)[0].contains("started 2 times by 1 requests"));
    }

    #[test]
    fn a_signal_that_is_lost_or_there_twice_is_found() {
        let mut record = Record::default();
        let key = SignalKey::new("w", "pay", None);
        record.signals.insert(key.clone(), Sent { sent: ids(&["one"]), acknowledged: ids(&["one"]) });
        assert!(run([signaled()]).signals(&record).is_empty());
        assert!(run([]).signals(&record)[0].contains("acknowledged 1 times, and is 0 times"));
        assert!(run([signaled(), signaled()]).signals(&record)[0].contains("and is 2 times"));
        record.signals.insert(key, Sent { sent: ids(&["one"]), ..Sent::default() });
        assert!(run([]).signals(&record).is_empty(), "nobody was told that it arrived");
    }

    #[test]
    fn an_update_without_its_events_is_found() {
        let accepted = A::WorkflowExecutionUpdateAcceptedEventAttributes(Box::new(
            wire::WorkflowExecutionUpdateAcceptedEventAttributes {
                protocol_instance_id: "u".to_owned(),
                ..Default::default()
            },
        ));
        let completed = A::WorkflowExecutionUpdateCompletedEventAttributes(Box::new(
            wire::WorkflowExecutionUpdateCompletedEventAttributes {
                meta: Some(Meta { update_id: "u".to_owned(), ..Default::default() }),
                ..Default::default()
            },
        ));
        let mut record = Record::default();
        record.updates.insert(("w".to_owned(), "u".to_owned()), true);
        assert!(run([accepted.clone(), completed.clone()]).updates(&record).is_empty());
        assert_eq!(run([accepted.clone()]).updates(&record).len(), 1);
        assert_eq!(run([accepted.clone(), accepted, completed]).updates(&record).len(), 1);
    }

    #[test]
    fn a_result_that_does_not_reach_its_workflow_is_found() {
        let scheduled = A::ActivityTaskScheduledEventAttributes(Box::new(wire::ActivityTaskScheduledEventAttributes {
            activity_id: "a".to_owned(),
            ..Default::default()
        }));
        let completed = |scheduled_event_id| {
            A::ActivityTaskCompletedEventAttributes(wire::ActivityTaskCompletedEventAttributes {
                scheduled_event_id,
                ..Default::default()
            })
        };
        let WorkflowExecution { workflow_id, run_id } =
            WorkflowExecution { workflow_id: "w".to_owned(), run_id: "r".to_owned() };
        let mut record = Record::default();
        record.activities.insert(ActivityKey { workflow_id, run_id, activity_id: "a".to_owned() }, None);
        assert!(run([scheduled.clone(), completed(1)]).activities(&record).is_empty());
        assert!(run([scheduled.clone(), completed(7)]).activities(&record)[0].contains("is 0 times"));
        record.activities.values_mut().for_each(|result| *result = Some(Default::default()));
        assert!(run([scheduled, completed(1)]).activities(&record)[0].contains("another result"));
    }
}
