//! Histories against the machines.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use stead_core::{HistoryPage, replay_task};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{History, HistoryEvent};
use stead_proto::protocol::v1::Message;
use stead_proto::protocol::v1::message::SequencingId;
use stead_proto::query::v1::WorkflowQuery;

use crate::drive::{Driver, Ending};
use crate::follower::Follower;
use crate::grammar;
use crate::mutation::{mislead, mutate};
use crate::seeds::recorded;
use crate::writer::poll;

static RECORDED: LazyLock<Vec<History>> = LazyLock::new(recorded);

/// A history out of a grammar. As it is, code that follows it replays it and live tasks come to the same; with a few
/// faults in it, nothing panics or goes on for ever.
pub fn plausible_history(data: &[u8]) {
    // An input that ends too early is one that says nothing more.
    let _ = try_plausible(&mut Unstructured::new(data));
}

/// A recorded history with faults in it, and code that does not quite follow it.
pub fn mutated_history(data: &[u8]) {
    let _ = try_mutated(&mut Unstructured::new(data));
}

fn try_plausible(input: &mut Unstructured<'_>) -> Result<()> {
    let is_live = input.arbitrary()?;
    let most = if input.arbitrary()? { 3 } else { 0 };
    let mut events = grammar::history(input)?;
    let mut guest = Follower::of(&events);
    let is_changed = mutate(&mut events, most, input)? | mislead(&mut guest, most, input)?;
    let failure = if is_live { live(&events, guest) } else { replay(events.clone(), guest, input)? };
    match failure {
        Some(message) if !is_changed => panic!("{message}\nin {:#?}", names(&events)),
        _ => Ok(()),
    }
}

fn try_mutated(input: &mut Unstructured<'_>) -> Result<()> {
    let History { mut events } = input.choose(&RECORDED)?.clone();
    let mut guest = Follower::of(&events);
    let is_live = input.arbitrary()?;
    mutate(&mut events, 6, input)?;
    mislead(&mut guest, 3, input)?;
    if is_live {
        live(&events, guest);
    } else if input.arbitrary()? {
        replay(events, guest, input)?;
    } else {
        disorder(events, guest, input)?;
    }
    Ok(())
}

/// The whole history at once, in pages if it leads to a task, as only then a server cuts it. Returns what went wrong.
pub(crate) fn replay(
    events: Vec<HistoryEvent>,
    guest: Follower,
    input: &mut Unstructured<'_>,
) -> Result<Option<String>> {
    let mut task = replay_task(History { events }, "workflow", "run");
    let is_open = task.started_event_id > task.previous_started_event_id;
    let pages = if is_open { cut(task.history.as_mut(), input)? } else { Vec::new() };
    task.next_page_token = if pages.is_empty() { bytes::Bytes::new() } else { "more".into() };
    match Driver::new(guest).task(task, pages) {
        Ending::Failed(message) => Ok(Some(message)),
        Ending::Quiet | Ending::Completed(_) | Ending::Answered => Ok(None),
    }
}

fn cut(history: Option<&mut History>, input: &mut Unstructured<'_>) -> Result<Vec<HistoryPage>> {
    let Some(history) = history else { return Ok(Vec::new()) };
    let mut pages = Vec::new();
    for _ in 0..input.int_in_range(0..=2)? {
        // A run that sees no first event asks for history from the beginning, which is not what is tested here.
        let at = input.int_in_range(1..=history.events.len().max(1))?.min(history.events.len());
        let events = history.events.split_off(at);
        pages.insert(0, HistoryPage { events, ..HistoryPage::default() });
    }
    Ok(pages)
}

/// Task after task, as a sticky queue gives them out. Returns what went wrong.
pub(crate) fn live(events: &[HistoryEvent], guest: Follower) -> Option<String> {
    let counts: Vec<_> = tasks(events).map(|end| guest.count(events[end].event_id)).collect();
    let is_plain = Follower::of(events).script.len() == guest.script.len();
    let mut driver = Driver::new(guest);
    let (mut first, mut previous) = (0, 0);
    for (end, count) in tasks(events).zip(counts) {
        let started = events[end].event_id;
        let mut task = poll(events[first..=end].to_vec(), previous, started);
        task.messages = requests(&events[end + 1..], previous);
        match driver.task(task, Vec::new()) {
            Ending::Failed(message) => return Some(message),
            Ending::Completed(completion) if is_plain && completion.commands.len() < count => {
                return Some(format!("task {started}: {} commands instead of {count}", completion.commands.len()));
            }
            Ending::Completed(_) | Ending::Quiet | Ending::Answered => {}
        }
        (first, previous) = (end + 1, started);
    }
    driver.evict();
    None
}

/// Where the starts of the tasks are that were completed, and of one that is open.
fn tasks(events: &[HistoryEvent]) -> impl Iterator<Item = usize> {
    let is_start =
        |event: &HistoryEvent| matches!(event.attributes, Some(Attributes::WorkflowTaskStartedEventAttributes(_)));
    let is_completion =
        |event: &HistoryEvent| matches!(event.attributes, Some(Attributes::WorkflowTaskCompletedEventAttributes(_)));
    (0..events.len()).filter(move |&at| is_start(&events[at]) && events.get(at + 1).is_none_or(is_completion))
}

/// The requests for the updates that a task accepted, by the events after its start.
fn requests(after: &[HistoryEvent], previous: i64) -> Vec<Message> {
    let traces = after
        .iter()
        .skip(1)
        .take_while(|event| !matches!(event.attributes, Some(Attributes::WorkflowTaskScheduledEventAttributes(_))));
    let accepted = traces.filter_map(|event| match &event.attributes {
        Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted)) => Some(accepted),
        _ => None,
    });
    let request = |request: &stead_proto::update::v1::Request| prost_types::Any {
        type_url: "type.googleapis.com/temporal.api.update.v1.Request".into(),
        value: prost::Message::encode_to_vec(request),
    };
    accepted
        .filter(|accepted| accepted.accepted_request_sequencing_event_id > previous)
        .map(|accepted| Message {
            id: accepted.accepted_request_message_id.clone(),
            protocol_instance_id: accepted.protocol_instance_id.clone(),
            sequencing_id: Some(SequencingId::EventId(accepted.accepted_request_sequencing_event_id)),
            body: accepted.accepted_request.as_ref().map(request),
        })
        .collect()
}

/// A task whose numbers are anything, with pages that are anything, twice, and with a query perhaps.
fn disorder(events: Vec<HistoryEvent>, guest: Follower, input: &mut Unstructured<'_>) -> Result<()> {
    let number = |input: &mut Unstructured<'_>| input.int_in_range(-1..=64_i64);
    let mut task = poll(events, number(input)?, number(input)?);
    task.attempt = input.int_in_range(0..=2)?;
    let pages = cut(task.history.as_mut(), input)?;
    task.next_page_token = if input.arbitrary()? { "more".into() } else { bytes::Bytes::new() };
    if input.arbitrary()? {
        task.query = Some(WorkflowQuery { query_type: "state".into(), ..WorkflowQuery::default() });
    }
    let mut driver = Driver::new(guest);
    driver.task(task.clone(), pages);
    driver.task(task, Vec::new());
    driver.evict();
    Ok(())
}

/// The types of events, for people.
fn names(events: &[HistoryEvent]) -> Vec<String> {
    let name = |event: &HistoryEvent| {
        let text = event.attributes.as_ref().map(|attributes| format!("{attributes:?}")).unwrap_or_default();
        format!("{} {}", event.event_id, text.split('(').next().unwrap_or_default())
    };
    events.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code that follows a history replays it, or mutations of it would test little.
    #[test]
    fn recorded_histories_are_followed_to_the_end() {
        let failed: Vec<_> = RECORDED
            .iter()
            .filter_map(|history| {
                let replayed =
                    replay(history.events.clone(), Follower::of(&history.events), &mut Unstructured::new(&[]));
                replayed.expect("nothing has to be drawn")
            })
            .collect();
        assert!(failed.len() * 10 <= RECORDED.len(), "{} of {}: {failed:#?}", failed.len(), RECORDED.len());
    }
}
