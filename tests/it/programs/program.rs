//! What a random program may do.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// Steps that are done one after the other.
pub type Program = Vec<Step>;

/// One step. Numbers without a unit are milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Step {
    Sleep(u64),
    /// An activity that takes its time and fails a few times, and how it takes it when it is cancelled.
    Activity {
        takes: u64,
        failures: u32,
        cancellation: Cancellation,
    },
    /// The same as a local one; a retry later than in a second is left to a timer.
    LocalActivity {
        takes: u64,
        failures: u32,
        cancellation: Cancellation,
        backoff: u64,
    },
    /// A child, awaited.
    Child {
        program: Program,
        cancellation: EndCancellation,
    },
    /// A child that outlives its parent.
    Abandon(Program),
    /// An operation of Nexus that is done at once, or refused for good.
    Operation {
        takes: u64,
        refused: bool,
        cancellation: EndCancellation,
    },
    /// One in whose place another run goes on.
    Delegate {
        program: Program,
        within: Option<u64>,
        cancellation: EndCancellation,
    },
    /// To a run that is started if it does not run.
    SignalWithStart,
    SignalParent,
    SignalNobody,
    CancelNobody,
    /// Until so many signals have come, but no longer than this.
    Signals {
        count: u64,
        within: u64,
    },
    Memo,
    SearchAttribute,
    Random,
    Now,
    Patch(u8),
    Join(Vec<Program>),
    /// Whoever ends first; the others are dropped.
    Race(Program, Program),
    AsCompleted(Vec<Program>),
    Within(u64, Program),
    CancelAfter(u64, Program),
    Shield(Program),
    /// In the background, until the end.
    Spawn(Program),
    Locked(Program),
    /// Compensates what it did.
    Saga(Program),
    Fail,
    ContinueAsNew(Program),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Cancellation {
    Try,
    Wait,
    Abandon,
}

/// Of what is first asked to end: a child, an operation.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum EndCancellation {
    Try,
    Requested,
    Completed,
    Abandon,
}

/// A program whose steps nest at most `depth` deep. Times grow with `scale`.
pub fn random_program(rng: &mut Rng, depth: usize, scale: u64) -> Program {
    (0..rng.usize(1..=4)).map(|_| step(rng, depth, scale)).collect()
}

fn step(rng: &mut Rng, depth: usize, scale: u64) -> Step {
    let time = rng.u64(1..=30) * scale;
    let kind = rng.u8(..if depth == 0 { 16 } else { 29 });
    let inner = |rng: &mut Rng| random_program(rng, depth.saturating_sub(1), scale);
    match kind {
        0 | 1 => Step::Sleep(time),
        2..=4 => Step::Activity { takes: time, failures: few(rng), cancellation: cancellation(rng) },
        5 | 6 => {
            let backoff = [1, 5, 2_000][rng.usize(..3)];
            Step::LocalActivity { takes: time / 4, failures: few(rng), cancellation: cancellation(rng), backoff }
        }
        7 => Step::Signals { count: rng.u64(1..4), within: time },
        8 => Step::Memo,
        9 => Step::SearchAttribute,
        10 => Step::Random,
        11 => Step::Now,
        12 => Step::Patch(rng.u8(..3)),
        13 => match rng.u8(..8) {
            0 | 1 => Step::SignalNobody,
            2 | 3 => Step::CancelNobody,
            4 => Step::Fail,
            _ => Step::SignalParent,
        },
        14 => Step::Operation { takes: time / 4, refused: rng.u8(..4) == 0, cancellation: end_cancellation(rng) },
        15 => Step::SignalWithStart,
        16 | 17 => Step::Child { program: inner(rng), cancellation: end_cancellation(rng) },
        18 => {
            let within = rng.bool().then_some(2 * time);
            Step::Delegate { program: inner(rng), within, cancellation: end_cancellation(rng) }
        }
        19 => Step::Abandon(inner(rng)),
        20 => Step::Join((0..rng.usize(1..4)).map(|_| inner(rng)).collect()),
        21 => Step::Race(inner(rng), inner(rng)),
        22 => Step::AsCompleted((0..rng.usize(1..4)).map(|_| inner(rng)).collect()),
        23 => Step::Within(time, inner(rng)),
        24 => Step::CancelAfter(time, inner(rng)),
        25 => Step::Shield(inner(rng)),
        26 => Step::Spawn(inner(rng)),
        // Whoever has the lock must not wait for it.
        27 if rng.bool() => Step::Locked(random_program(rng, 0, scale)),
        27 => Step::Saga(inner(rng)),
        _ => Step::ContinueAsNew(inner(rng)),
    }
}

/// Mostly none.
fn few(rng: &mut Rng) -> u32 {
    [0, 0, 0, 1, 2, 9][rng.usize(..6)]
}

fn cancellation(rng: &mut Rng) -> Cancellation {
    [Cancellation::Try, Cancellation::Wait, Cancellation::Abandon][rng.usize(..3)]
}

fn end_cancellation(rng: &mut Rng) -> EndCancellation {
    use EndCancellation::{Abandon, Completed, Requested, Try};
    [Try, Requested, Completed, Abandon][rng.usize(..4)]
}
