//! Whatever a server sends, nothing panics and nothing goes on for ever.

use proptest::prelude::*;
use prost::Message as _;
use stead_activation::{ActivityCancellation, Command, Issued, Job, QueryAnswer, ScheduleActivity, UpdateResponse};
use stead_core::{
    CompletionOutcome, EvictionReason, HistoryPage, LocalActivityOutcome, Output, Run, RunOptions, replay_task,
};
use stead_proto::history::v1::{History, HistoryEvent};
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use crate::support::{HistoryBuilder, Scenario, payload};

/// More outputs than any task of these sizes can need.
const MAX_OUTPUTS: usize = 2_000;

/// Drives a run with a guest that does something about every job, until nothing more is asked.
fn exhaust(run: &mut Run, pages: &mut Vec<HistoryPage>) {
    let mut guest = Guest::default();
    let now = Scenario::now();
    for _ in 0..MAX_OUTPUTS {
        match run.poll_output() {
            None => return,
            Some(Output::Activate(activation)) => run.handle_commands(guest.answer(activation.jobs), now),
            Some(Output::FetchHistory { .. }) => match pages.pop() {
                Some(page) => run.handle_history(page, now),
                None => run.handle_history_failed("no more pages".into(), now),
            },
            Some(Output::Complete(_) | Output::Fail(_) | Output::AnswerQuery(_)) => {
                run.handle_completed(CompletionOutcome::accepted(), now);
            }
            Some(Output::StartLocalActivity(attempt)) => {
                let outcome = LocalActivityOutcome::Completed(Some(payload("looked")));
                run.handle_local_activity(attempt.seq, attempt.attempt, outcome, now);
            }
            Some(Output::StopLocalActivity { .. }) => {}
            Some(Output::Evict(_)) => return,
        }
    }
    panic!("it goes on for ever");
}

/// Starts a timer and an activity, cancels them when it is signalled, and answers what is asked.
#[derive(Default)]
struct Guest {
    seq: u32,
}

impl Guest {
    fn answer(&mut self, jobs: Vec<Job>) -> Vec<Issued> {
        let commands = jobs.into_iter().flat_map(|job| self.react(job));
        commands.map(|command| Issued { command, at: None }).collect()
    }

    fn react(&mut self, job: Job) -> Vec<Command> {
        self.seq += 1;
        let seq = self.seq;
        match job {
            Job::Query(query) => {
                vec![Command::AnswerQuery { id: query.id, answer: QueryAnswer::Succeeded(payload("answer")) }]
            }
            Job::Update(update) => {
                let respond = |response| Command::RespondUpdate {
                    protocol_instance_id: update.protocol_instance_id.clone(),
                    response,
                };
                vec![respond(UpdateResponse::Accepted), respond(UpdateResponse::Completed(None))]
            }
            Job::Signal(_) => vec![Command::CancelTimer { seq: 1 }, Command::CancelActivity { seq: 1 }],
            Job::NotifyHasPatch { id } => vec![Command::SetPatch { id, deprecated: true }],
            Job::CancelWorkflow { .. } => vec![crate::support::complete()],
            Job::Initialize(_) => vec![crate::support::timer(seq), Self::schedule(seq)],
            Job::FireTimer { .. } => vec![crate::support::timer(seq)],
            Job::UpdateRandomSeed(_) => vec![crate::support::local(seq)],
            _ => Vec::new(),
        }
    }

    fn schedule(seq: u32) -> Command {
        let cancellation = match seq % 3 {
            0 => ActivityCancellation::Abandon,
            1 => ActivityCancellation::TryCancel,
            _ => ActivityCancellation::WaitCancellationCompleted,
        };
        Command::ScheduleActivity(Box::new(ScheduleActivity {
            seq,
            activity_id: seq.to_string(),
            activity_type: "charge".into(),
            cancellation,
            ..ScheduleActivity::default()
        }))
    }
}

/// A history with most of what there is, which the guest above follows for a while.
fn rich() -> HistoryBuilder {
    HistoryBuilder::first_task()
        .task_timed_out()
        .task()
        .task_completed()
        .timer_started(1)
        .activity_scheduled("1", "charge")
        .activity_started(9)
        .signalled("stop")
        .task()
        .task_completed()
        .timer_cancelled(8)
        .activity_cancel_requested(9)
        .activity_cancelled(9)
        .update_admitted("u")
        .task()
        .task_completed()
        .patch("p", true)
        .patches_recorded()
        .admitted_update_accepted("u", 18)
        .update_completed("u", 24)
        .task()
        .task_completed()
        .cancel_requested("enough")
        .task()
        .task_completed()
        .completed()
}

#[derive(Debug, Clone)]
enum Mutation {
    Drop(usize),
    Duplicate(usize),
    Swap(usize, usize),
    Renumber(usize, i64),
    Strip(usize),
    Ignore(usize),
    Transplant(usize, usize),
    Truncate(usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = 0..32_usize;
    prop_oneof![
        place.clone().prop_map(Mutation::Drop),
        place.clone().prop_map(Mutation::Duplicate),
        (place.clone(), place.clone()).prop_map(|(a, b)| Mutation::Swap(a, b)),
        (place.clone(), any::<i64>()).prop_map(|(a, id)| Mutation::Renumber(a, id)),
        (place.clone(), -2..40_i64).prop_map(|(a, id)| Mutation::Renumber(a, id)),
        place.clone().prop_map(Mutation::Strip),
        place.clone().prop_map(Mutation::Ignore),
        (place.clone(), place.clone()).prop_map(|(a, b)| Mutation::Transplant(a, b)),
        place.prop_map(Mutation::Truncate),
    ]
}

fn mutate(events: &mut Vec<HistoryEvent>, mutation: &Mutation) {
    let len = events.len();
    if len == 0 {
        return;
    }
    match *mutation {
        Mutation::Drop(at) => drop(events.remove(at % len)),
        Mutation::Duplicate(at) => events.insert(at % len, events[at % len].clone()),
        Mutation::Swap(a, b) => events.swap(a % len, b % len),
        Mutation::Renumber(at, id) => events[at % len].event_id = id,
        Mutation::Strip(at) => events[at % len].attributes = None,
        Mutation::Ignore(at) => events[at % len].worker_may_ignore = true,
        // The attributes of one event under the id of another keep history contiguous.
        Mutation::Transplant(from, to) => events[to % len].attributes = events[from % len].attributes.clone(),
        Mutation::Truncate(at) => events.truncate(at % len),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_as_a_task_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(task) = PollWorkflowTaskQueueResponse::decode(bytes.as_slice()) {
            let mut run = Run::new("run", RunOptions::default());
            run.handle_task(task, Scenario::now());
            exhaust(&mut run, &mut Vec::new());
        }
        if let Ok(history) = History::decode(bytes.as_slice()) {
            let mut run = Run::new("run", RunOptions::default());
            run.handle_task(replay_task(history, "workflow", "run"), Scenario::now());
            exhaust(&mut run, &mut Vec::new());
        }
    }

    #[test]
    fn flipped_bytes_of_a_task_do_no_harm(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut task = rich().poll();
        task.messages = vec![stead_proto::protocol::v1::Message::default()];
        let mut bytes = task.encode_to_vec();
        for (index, byte) in flips {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(task) = PollWorkflowTaskQueueResponse::decode(bytes.as_slice()) {
            let mut run = Run::new("run", RunOptions::default());
            run.handle_task(task, Scenario::now());
            exhaust(&mut run, &mut Vec::new());
        }
    }

    #[test]
    fn mutated_histories_do_no_harm(
        mutations in prop::collection::vec(mutation(), 0..6),
        cut in 0..32_usize,
        started in -1..32_i64,
        previous in -1..32_i64,
        is_query in any::<bool>(),
    ) {
        let mut task = rich().poll();
        let mut events = task.history.take().unwrap_or_default().events;
        for mutation in &mutations {
            mutate(&mut events, mutation);
        }
        let rest = events.split_off(cut.min(events.len()));
        task.history = Some(History { events });
        task.next_page_token = if rest.is_empty() { bytes::Bytes::new() } else { "rest".into() };
        task.started_event_id = started;
        task.previous_started_event_id = previous;
        if is_query {
            task.query = rich().poll_query(1).query;
        }
        let mut run = Run::new("run", RunOptions::default());
        let mut pages = vec![HistoryPage { events: rest, ..HistoryPage::default() }];
        run.handle_task(task.clone(), Scenario::now());
        exhaust(&mut run, &mut pages);
        // What follows on the same run does no harm either.
        run.handle_task(task, Scenario::now());
        exhaust(&mut run, &mut Vec::new());
        run.handle_eviction_request(EvictionReason::Requested, Scenario::now());
        exhaust(&mut run, &mut Vec::new());
    }
}

/// The history that is mutated above is one that the guest can follow, or the mutations would test little.
#[test]
fn the_history_that_is_mutated_replays_far() {
    let mut run = Run::new("run", RunOptions::default());
    run.handle_task(replay_task(rich().history(), "workflow", "run"), Scenario::now());
    let mut guest = Guest::default();
    let mut activations = 0;
    while let Some(output) = run.poll_output() {
        match output {
            Output::Activate(activation) => {
                activations += 1;
                run.handle_commands(guest.answer(activation.jobs), Scenario::now());
            }
            Output::Fail(failed) => panic!("after {activations} activations: {}", failed.failure.message),
            other => panic!("after {activations} activations: {other:?}"),
        }
    }
    assert_eq!(activations, 5);
}
