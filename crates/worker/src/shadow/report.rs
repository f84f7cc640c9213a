//! The first difference between two runs of the same code, for people.

use std::fmt::Write;

use stead_activation::{
    CallSite, Command, Issued, Payload, PayloadMap, QueryAnswer, SignalTarget, TaskFailure, UpdateResponse,
};
use stead_data::Failure;

/// What was commanded first and what again, where that differs first.
#[derive(Debug)]
pub(super) struct Difference<'a> {
    first: Option<&'a Issued>,
    again: Result<Option<&'a Issued>, &'a TaskFailure>,
    /// Which of the commands of the activation, from 1.
    number: usize,
}

impl<'a> Difference<'a> {
    /// The first difference, if there is one. On which line a command was issued, which headers interceptors gave it and
    /// the stack traces of failures do not matter: a replay does not look at them.
    pub(super) fn between(first: &'a [Issued], again: Result<&'a Vec<Issued>, &'a TaskFailure>) -> Option<Self> {
        let again = match again {
            Ok(again) => again,
            Err(failure) => return Some(Self { first: first.first(), again: Err(failure), number: 1 }),
        };
        let longer = first.len().max(again.len());
        let pairs = (0..longer).map(|index| (index, first.get(index), again.get(index)));
        let different = |one: Option<&Issued>, other: Option<&Issued>| match (one, other) {
            (Some(one), Some(other)) => !is_same(&one.command, &other.command),
            _ => true,
        };
        let (index, first, again) = pairs.into_iter().find(|(_, first, again)| different(*first, *again))?;
        Some(Self { first, again: Ok(again), number: index + 1 })
    }

    /// Its text. `when` says when the code was run again.
    pub(super) fn to_text(&self, when: &str, activation: usize) -> String {
        let (first, again) = (
            describe(self.first),
            match self.again {
                Ok(again) => describe(again),
                Err(failure) => format!("a failure: {}", failure.failure.message),
            },
        );
        let mut text = format!(
            "[TMPRL1100] Nondeterminism error: the code did something else when it was run again (shadow replay)\n  \
             where:   command {} of activation {activation}, run again {when}\n  first:   {first}{}\n  again:   {again}{}",
            self.number,
            line(self.first),
            line(self.again.ok().flatten()),
        );
        if first == again {
            let debug = |issued: Option<&Issued>| format!("{:?}", issued.map(|it| &it.command));
            let (first, again) = around_difference(&debug(self.first), &debug(self.again.ok().flatten()));
            // Writing to a string does not fail.
            let _ = write!(text, "\n  differs: `{first}`, then `{again}`");
        }
        text + "\n  usually: the code depends on what history does not record, such as the order of a hash map, time, random \
                numbers, a random select, a static or an address"
    }
}

fn line(issued: Option<&Issued>) -> String {
    let at: Option<CallSite> = issued.and_then(|issued| issued.at);
    at.map(|at| format!(", at {at}")).unwrap_or_default()
}

fn is_same(one: &Command, other: &Command) -> bool {
    one == other || bare(one) == bare(other)
}

/// The command without what does not matter to a replay.
fn bare(command: &Command) -> Command {
    let mut command = command.clone();
    match &mut command {
        Command::ScheduleActivity(it) => it.headers.clear(),
        Command::ScheduleLocalActivity(it) => it.headers.clear(),
        Command::StartChildWorkflow(it) => it.headers.clear(),
        Command::SignalExternal(it) => it.headers.clear(),
        Command::ScheduleNexusOperation(it) => it.headers.clear(),
        Command::SignalWithStart(it) => it.headers.clear(),
        Command::ContinueAsNew(it) => it.headers.clear(),
        Command::FailWorkflow { failure }
        | Command::RespondUpdate { response: UpdateResponse::Rejected(failure), .. }
        | Command::AnswerQuery { answer: QueryAnswer::Failed(failure), .. } => failure.stack_trace.clear(),
        _ => {}
    }
    command
}

/// What people want to know of a command.
fn describe(issued: Option<&Issued>) -> String {
    let Some(Issued { command, .. }) = issued else { return "nothing".to_owned() };
    match command {
        Command::StartTimer { seq, duration, .. } => format!("timer {seq} of {duration:?}"),
        Command::CancelTimer { seq } => format!("cancel timer {seq}"),
        Command::ScheduleActivity(it) => {
            format!("activity {} ({}){}", it.activity_type, it.activity_id, with(&it.arguments))
        }
        Command::CancelActivity { seq } => format!("cancel activity {seq}"),
        Command::ScheduleLocalActivity(it) => {
            format!("local activity {} ({}){}", it.activity_type, it.activity_id, with(&it.arguments))
        }
        Command::CancelLocalActivity { seq } => format!("cancel local activity {seq}"),
        Command::StartChildWorkflow(it) => {
            format!("child workflow {} ({}){}", it.workflow_type, it.workflow_id, with(&it.arguments))
        }
        Command::CancelChildWorkflow { seq, reason } => format!("cancel child workflow {seq}: {reason}"),
        Command::SignalExternal(it) => {
            let workflow_id = match &it.target {
                SignalTarget::Child { workflow_id } => workflow_id,
                SignalTarget::External(workflow) => &workflow.workflow_id,
            };
            format!("signal {} to {workflow_id}{}", it.signal_name, with(&it.arguments))
        }
        Command::CancelSignalExternal { seq } => format!("take signal {seq} back"),
        Command::CancelExternal(it) => format!("cancel workflow {}: {}", it.target.workflow_id, it.reason),
        Command::UpsertSearchAttributes(fields) => format!("search attributes {}", named(fields)),
        Command::UpsertMemo(fields) => format!("memo {}", named(fields)),
        Command::ScheduleNexusOperation(it) => {
            format!("Nexus operation {} of {}{}", it.operation, it.service, with(it.input.as_slice()))
        }
        Command::SignalWithStart(it) => format!(
            "signal {} with a start of workflow {} ({}){}",
            it.signal_name,
            it.workflow_type,
            it.workflow_id,
            with(&it.signal_arguments)
        ),
        Command::CancelNexusOperation { seq } => format!("cancel Nexus operation {seq}"),
        Command::SetPatch { id, deprecated } => {
            format!("patch {id}{}", if *deprecated { " (deprecated)" } else { "" })
        }
        Command::SetEventGroups(groups) => format!("{} event groups", groups.len()),
        Command::RespondUpdate { response, .. } => match response {
            UpdateResponse::Accepted => "accept an update".to_owned(),
            UpdateResponse::Rejected(failure) => format!("reject an update: {}", failure_text(failure)),
            UpdateResponse::Completed(result) => format!("complete an update{}", with(result.as_slice())),
        },
        Command::AnswerQuery { answer, .. } => match answer {
            QueryAnswer::Succeeded(result) => format!("answer a query{}", with(std::slice::from_ref(result))),
            QueryAnswer::Failed(failure) => format!("fail a query: {}", failure_text(failure)),
        },
        Command::CompleteWorkflow { result } => format!("complete the workflow{}", with(result.as_slice())),
        Command::FailWorkflow { failure } => format!("fail the workflow: {}", failure_text(failure)),
        Command::CancelWorkflow => "end the workflow as cancelled".to_owned(),
        Command::ContinueAsNew(it) => format!("continue as new{}", with(&it.arguments)),
    }
}

fn failure_text(failure: &stead_activation::Failure) -> String {
    Failure::from_proto(failure.clone()).message
}

fn with(payloads: &[Payload]) -> String {
    if payloads.is_empty() {
        return String::new();
    }
    let texts: Vec<_> = payloads.iter().map(text).collect();
    format!(" with {}", texts.join(", "))
}

fn named(fields: &PayloadMap) -> String {
    let texts: Vec<_> = fields.iter().map(|(name, payload)| format!("{name}: {}", text(payload))).collect();
    texts.join(", ")
}

/// The payload as text, if it is, and not all of it if it is long.
fn text(payload: &Payload) -> String {
    match std::str::from_utf8(&payload.data) {
        Ok("") => "nothing".to_owned(),
        Ok(text) => text.char_indices().nth(MAX_TEXT).map_or(text.to_owned(), |(end, _)| format!("{}…", &text[..end])),
        Err(_) => format!("{} bytes", payload.data.len()),
    }
}

/// Some of both texts from a little before they differ.
fn around_difference(one: &str, other: &str) -> (String, String) {
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let part = |text: &str| text.chars().skip(same.saturating_sub(MAX_TEXT / 4)).take(MAX_TEXT).collect();
    (part(one), part(other))
}

/// In characters.
const MAX_TEXT: usize = 160;

#[cfg(test)]
mod tests {
    use std::panic::Location;
    use std::time::Duration;

    use stead_activation::ScheduleActivity;

    use super::*;

    fn issued(command: Command) -> Issued {
        Issued { command, at: Some(Location::caller()) }
    }

    fn activity(kind: &str, argument: &str) -> ScheduleActivity {
        let arguments = vec![Payload { data: argument.to_owned().into(), ..Payload::default() }];
        ScheduleActivity {
            activity_type: kind.to_owned(),
            activity_id: "1".to_owned(),
            arguments,
            ..Default::default()
        }
    }

    fn command(activity: ScheduleActivity) -> Issued {
        issued(Command::ScheduleActivity(Box::new(activity)))
    }

    fn text(first: &[Issued], again: &[Issued]) -> Option<String> {
        let again = again.to_vec();
        Difference::between(first, Ok(&again)).map(|it| it.to_text("in step with it", 3))
    }

    #[test]
    fn the_first_command_that_differs_is_shown_on_both_sides_with_its_line() {
        let timer = issued(Command::StartTimer { seq: 1, duration: Duration::from_secs(5), summary: None });
        let (one, other) = (command(activity("charge", "\"Ada\"")), command(activity("charge", "\"Bob\"")));
        let found = text(&[timer.clone(), one], &[timer, other]).expect("they differ");
        let lines: Vec<_> = found.lines().collect();
        assert_eq!(lines[1], "  where:   command 2 of activation 3, run again in step with it");
        assert!(lines[2].starts_with("  first:   activity charge (1) with \"Ada\", at "), "{found}");
        assert!(lines[3].starts_with("  again:   activity charge (1) with \"Bob\", at "), "{found}");
        assert!(lines[2].contains("report.rs:"), "{found}");
    }

    #[test]
    fn a_command_too_many_or_a_failure_is_a_difference() {
        let one = command(activity("charge", "1"));
        assert!(text(&[], std::slice::from_ref(&one)).expect("they differ").contains("first:   nothing\n"));
        assert!(text(std::slice::from_ref(&one), &[]).expect("they differ").contains("again:   nothing\n"));
        let failure = TaskFailure {
            cause: stead_activation::TaskFailureCause::Panic,
            failure: Box::new(Failure::application("oh").into_proto()),
        };
        let found = Difference::between(&[one], Err(&failure)).expect("they differ").to_text("in step with it", 1);
        assert!(found.contains("again:   a failure: oh"), "{found}");
    }

    #[test]
    fn what_the_description_leaves_out_is_shown_where_it_differs() {
        let one = activity("charge", "1");
        let other = ScheduleActivity { task_queue: "elsewhere".to_owned(), ..one.clone() };
        let found = text(&[command(one)], &[command(other)]).expect("they differ");
        assert!(found.contains("differs: `") && found.contains("elsewhere"), "{found}");
    }

    #[test]
    fn lines_headers_and_stack_traces_do_not_matter() {
        let one = activity("charge", "1");
        let mut other = one.clone();
        other.headers.insert("trace".to_owned(), Payload::default());
        assert_eq!(text(&[command(one)], &[command(other)]), None);
        let fails = |trace: &str| {
            let mut failure = Failure::application("oh").into_proto();
            failure.stack_trace = trace.to_owned();
            issued(Command::FailWorkflow { failure: Box::new(failure) })
        };
        assert_eq!(text(&[fails("here")], &[fails("there")]), None);
    }
}
