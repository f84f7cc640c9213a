//! What makes a good history a bad one, and good code bad code.

use arbitrary::{Result, Unstructured};
use stead_activation::{Command, ScheduleActivity, ScheduleLocalActivity, UpdateResponse};
use stead_proto::history::v1::HistoryEvent;

use crate::follower::Follower;

/// Breaks events in up to `most` places. Returns whether it did.
pub(crate) fn mutate(events: &mut Vec<HistoryEvent>, most: u8, input: &mut Unstructured<'_>) -> Result<bool> {
    let count = input.int_in_range(0..=most)?;
    for _ in 0..count {
        if events.is_empty() {
            break;
        }
        mutate_one(events, input)?;
    }
    Ok(count > 0)
}

fn mutate_one(events: &mut Vec<HistoryEvent>, input: &mut Unstructured<'_>) -> Result<()> {
    let (at, other) = (input.choose_index(events.len())?, input.choose_index(events.len())?);
    match input.int_in_range(0..=8)? {
        0 => drop(events.remove(at)),
        1 => events.insert(at, events[other].clone()),
        2 => events.swap(at, other),
        3 => events[at].event_id = input.arbitrary()?,
        4 => events[at].event_id = input.int_in_range(-2..=64)?,
        5 => events[at].attributes = None,
        6 => events[at].worker_may_ignore = true,
        7 => events.truncate(at),
        // Attributes of one event under the id of another keep history without a gap.
        _ => events[at].attributes = events[other].attributes.clone(),
    }
    Ok(())
}

/// Changes what the code does in up to `most` places. Returns whether it did.
pub(crate) fn mislead(guest: &mut Follower, most: u8, input: &mut Unstructured<'_>) -> Result<bool> {
    let count = input.int_in_range(0..=most)?;
    for _ in 0..count {
        let tasks: Vec<u32> = guest.script.keys().copied().collect();
        let task = if tasks.is_empty() { 3 } else { *input.choose(&tasks)? };
        let commands = guest.script.entry(task).or_default();
        match input.int_in_range(0..=3)? {
            0 if !commands.is_empty() => drop(commands.remove(input.choose_index(commands.len())?)),
            1 if !commands.is_empty() => {
                let command = commands[input.choose_index(commands.len())?].clone();
                commands.push(command);
            }
            2 if !commands.is_empty() => {
                let (a, b) = (input.choose_index(commands.len())?, input.choose_index(commands.len())?);
                commands.swap(a, b);
            }
            _ => commands.push(command(input)?),
        }
    }
    Ok(count > 0)
}

fn command(input: &mut Unstructured<'_>) -> Result<Command> {
    let seq = input.int_in_range(0..=9)?;
    let id = || format!("u{seq}");
    let respond = |response| Command::RespondUpdate { protocol_instance_id: id(), response };
    Ok(match input.int_in_range(0..=19)? {
        0 => Command::StartTimer { seq, duration: input.arbitrary()?, summary: None },
        1 => Command::CancelTimer { seq },
        2 => Command::ScheduleActivity(Box::new(ScheduleActivity { seq, ..ScheduleActivity::default() })),
        3 => Command::CancelActivity { seq },
        4 => Command::ScheduleLocalActivity(Box::new(ScheduleLocalActivity {
            seq,
            schedule_to_close_timeout: input.arbitrary()?,
            ..ScheduleLocalActivity::default()
        })),
        5 => Command::CancelLocalActivity { seq },
        6 => Command::CancelChildWorkflow { seq, reason: String::new() },
        7 => Command::CancelSignalExternal { seq },
        8 => Command::CancelNexusOperation { seq },
        9 => Command::SetPatch { id: id(), deprecated: input.arbitrary()? },
        10 => respond(UpdateResponse::Accepted),
        11 => respond(UpdateResponse::Completed(None)),
        12 => respond(UpdateResponse::Rejected(Box::default())),
        13 => Command::AnswerQuery { id: id(), answer: stead_activation::QueryAnswer::Failed(Box::default()) },
        14 => Command::CompleteWorkflow { result: None },
        15 => Command::FailWorkflow { failure: Box::default() },
        16 => Command::CancelWorkflow,
        17 => Command::ContinueAsNew(Box::default()),
        18 if seq == 0 => Command::SetEventGroups(vec![Default::default()]),
        18 => Command::StartChildWorkflow(Box::default()),
        _ => Command::ScheduleNexusOperation(Box::default()),
    })
}
