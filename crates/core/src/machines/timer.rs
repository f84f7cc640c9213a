//! Timers.

use stead_activation::{Job, Seq};

use super::Step;

/// A timer that has not ended.
///
/// ```text
///   StartTimer            TimerStarted            TimerFired: FireTimer
/// ────────────▶ Commanded ────────────▶ Running ──────────────────────▶ ended
///                   │                      │
///                   │ cancel               │ cancel: CancelTimer
///                   ▼                      ▼            TimerCanceled
///                 ended                Cancelling ────────────────────▶ ended
///              (nothing sent)             │    ▲
///                                         └────┘ TimerFired: too late for the code, which has resolved it
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The command waits for its event.
    Commanded,
    /// It runs.
    Running,
    /// The command to cancel it waits for its event.
    Cancelling,
}

/// What cancelling a timer asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum CancelTimer {
    /// Take back the command that starts it.
    TakeBack,
    /// Issue the command that cancels it.
    Issue,
    /// Nothing.
    Nothing,
}

impl Timer {
    /// The code cancels it. Nothing comes back: the guest has resolved it by itself.
    pub(super) fn cancel(&mut self) -> CancelTimer {
        match self {
            Self::Commanded => CancelTimer::TakeBack,
            Self::Running => {
                *self = Self::Cancelling;
                CancelTimer::Issue
            }
            Self::Cancelling => CancelTimer::Nothing,
        }
    }

    /// `TimerStarted`.
    pub(super) fn started(&mut self) -> Step {
        match self {
            Self::Commanded => {
                *self = Self::Running;
                Step::Going
            }
            Self::Running | Self::Cancelling => Step::Illegal,
        }
    }

    /// `TimerFired`.
    pub(super) fn fired(&self, seq: Seq) -> Step {
        match self {
            Self::Running => Step::Ended(Some(Job::FireTimer { seq })),
            Self::Cancelling => Step::Going,
            Self::Commanded => Step::Illegal,
        }
    }

    /// `TimerCanceled`.
    pub(super) fn cancelled(&self) -> Step {
        match self {
            Self::Cancelling => Step::Ended(None),
            Self::Commanded | Self::Running => Step::Illegal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Event = fn(&mut Timer) -> String;

    /// Every event in every state.
    #[test]
    fn transition_table() {
        let events: [(&str, Event); 4] = [
            ("cancel", |timer| format!("{:?}", timer.cancel())),
            ("started", |timer| format!("{:?}", timer.started())),
            ("fired", |timer| format!("{:?}", timer.fired(1))),
            ("cancelled", |timer| format!("{:?}", timer.cancelled())),
        ];
        let mut table = String::new();
        for state in [Timer::Commanded, Timer::Running, Timer::Cancelling] {
            for (name, event) in events {
                let mut timer = state;
                let step = event(&mut timer);
                table += &format!("{state:?} {name}: {step} {timer:?}\n");
            }
        }
        let expected = "\
Commanded cancel: TakeBack Commanded
Commanded started: Going Running
Commanded fired: Illegal Commanded
Commanded cancelled: Illegal Commanded
Running cancel: Issue Cancelling
Running started: Illegal Running
Running fired: Ended(Some(FireTimer { seq: 1 })) Running
Running cancelled: Illegal Running
Cancelling cancel: Nothing Cancelling
Cancelling started: Illegal Cancelling
Cancelling fired: Going Cancelling
Cancelling cancelled: Ended(None) Cancelling
";
        assert_eq!(table, expected);
    }
}
