//! Timers.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use stead_activation::{CallSite, Command, Payload, Seq};

use crate::context;
use crate::error::{self, Cancelled};

/// Waits for `duration` of workflow time, which the server keeps: a year is as cheap as a second, and a restart of the
/// worker does not matter.
///
/// The timer starts when the future is first polled. Dropping the pending future cancels it. Resolves to [`Cancelled`]
/// when cancellation of the workflow is requested.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn nag() -> workflow::Result<()> {
///     workflow::sleep(Duration::from_secs(24 * 3600)).summary("wait a day").await?;
///     Ok(())
/// }
/// ```
///
/// # Panics
///
/// When polled outside of workflow code.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(duration, Location::caller())
}

/// The future of [`sleep`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    duration: Duration,
    summary: Option<Box<str>>,
    at: CallSite,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Unstarted,
    Waiting(Seq),
    Done,
}

impl Sleep {
    pub(crate) fn new(duration: Duration, at: CallSite) -> Self {
        Self { duration, summary: None, at, state: State::Unstarted }
    }

    /// One line about the timer, for people who look at the workflow. Default: none.
    pub fn summary(mut self, text: impl Into<Box<str>>) -> Self {
        self.summary = Some(text.into());
        self
    }

    /// Cancels the timer if it is running.
    pub(crate) fn stop(&mut self) {
        let State::Waiting(seq) = std::mem::replace(&mut self.state, State::Done) else {
            return;
        };
        context::try_with(|runtime| {
            if runtime.timers().borrow_mut().abandon(seq) {
                runtime.issue_by_drop(Command::CancelTimer { seq });
            }
        });
    }

    /// Starts the timer, unless there is no point in it.
    fn start(&mut self) -> Result<Seq, NotStarted> {
        let runtime = context::current();
        runtime.assert_writable("start a timer");
        if runtime.is_scope_cancelled() {
            return Err(NotStarted::Cancelled);
        }
        let summary = self.encode_summary().ok_or(NotStarted::TaskFailed)?;
        let seq = runtime.timers().borrow_mut().open(runtime.current_scope(), self.at);
        runtime.issue(Command::StartTimer { seq, duration: self.duration, summary }, self.at);
        Ok(seq)
    }

    fn encode_summary(&mut self) -> Option<Option<Payload>> {
        let Some(text) = self.summary.take() else {
            return Some(None);
        };
        let runtime = context::current();
        runtime
            .converter()
            .to_payload(&*text)
            .map(Some)
            .map_err(|error| runtime.fail_task(error::conversion("Failed encoding a timer's summary", &error)))
            .ok()
    }
}

enum NotStarted {
    Cancelled,
    /// The task has failed already: what this future does matters no more.
    TaskFailed,
}

impl Future for Sleep {
    type Output = Result<(), Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let seq = match self.state {
            State::Waiting(seq) => seq,
            State::Unstarted => match self.start() {
                Ok(seq) => seq,
                Err(NotStarted::TaskFailed) => return Poll::Pending,
                Err(NotStarted::Cancelled) => {
                    self.state = State::Done;
                    return Poll::Ready(Err(Cancelled));
                }
            },
            State::Done => panic!("a timer was polled after it had fired"),
        };
        self.state = State::Waiting(seq);
        let result = context::current().timers().borrow_mut().poll(seq, cx);
        if result.is_ready() {
            self.state = State::Done;
        }
        result
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.stop();
    }
}
