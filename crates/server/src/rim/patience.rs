//! [`Patience`]: how long which call may wait, on the caller's clock.
//!
//! Polls and reads are answered a second before the caller gives up, with nothing, and the caller asks again. What
//! waits for a worker to answer (queries, updates) waits until the end.

use std::time::{Duration, Instant};

use crate::engine::{Code, Refusal, Request};

/// How long a call may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    kind: Kind,
    limit: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A worker asks for work.
    Work,
    /// Somebody watches for something to happen.
    Watch,
    /// Somebody asked for something, and waits for a worker to do it.
    Question,
}

impl Patience {
    pub(super) fn of(request: &Request) -> Self {
        let (kind, limit) = match request.method() {
            "PollWorkflowTaskQueue" | "PollActivityTaskQueue" | "PollNexusTaskQueue" => (Kind::Work, LONG),
            "DescribeActivityExecution"
            | "DescribeNexusOperationExecution"
            | "PollActivityExecution"
            | "PollNexusOperationExecution" => (Kind::Watch, LONG),
            "GetWorkflowExecutionHistory" | "PollWorkflowExecutionTimeSkipping" => (Kind::Watch, SHORT),
            // A query has no answer but that of a worker.
            "QueryWorkflow" => (Kind::Question, ENDLESS),
            _ => (Kind::Question, SHORT),
        };
        Self { kind, limit }
    }

    /// When a call that came at `now` has to be answered with what there is.
    ///
    /// # Errors
    ///
    /// A poll for work whose caller would be gone by the time it gets some.
    pub(super) fn expires(self, now: Instant, timeout: Option<Duration>) -> Result<Instant, Refusal> {
        let Some(timeout) = timeout else {
            return Ok(now + self.limit);
        };
        if self.kind == Kind::Work && timeout < LEAST {
            return Err(Refusal::failed_precondition("Context timeout is too short."));
        }
        let margin = if self.kind == Kind::Question { Duration::ZERO } else { MARGIN };
        Ok(now + self.limit.min(timeout.saturating_sub(margin)))
    }
}

/// What a call that nobody answered in time is told.
pub(super) fn too_late() -> Refusal {
    Refusal::new(Code::DeadlineExceeded, "context deadline exceeded")
}

/// `matching.longPollExpirationInterval` of the server.
const LONG: Duration = Duration::from_secs(60);
/// `history.longPollExpirationInterval` of the server.
const SHORT: Duration = Duration::from_secs(20);
/// Longer than anybody waits.
const ENDLESS: Duration = Duration::from_secs(60 * 60);
const MARGIN: Duration = Duration::from_secs(1);
const LEAST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(kind: Kind, limit: Duration, timeout: Option<Duration>) -> Result<Duration, String> {
        let now = Instant::now();
        let expires = Patience { kind, limit }.expires(now, timeout);
        expires.map(|at| at - now).map_err(|refusal| refusal.message)
    }

    #[test]
    fn polls_end_before_their_caller_does_and_by_themselves() {
        let second = Duration::from_secs(1);
        assert_eq!(waits(Kind::Work, LONG, None), Ok(LONG));
        assert_eq!(waits(Kind::Work, LONG, Some(70 * second)), Ok(LONG));
        assert_eq!(waits(Kind::Work, LONG, Some(10 * second)), Ok(9 * second));
        assert_eq!(waits(Kind::Watch, SHORT, Some(second / 2)), Ok(Duration::ZERO));
        assert_eq!(waits(Kind::Question, SHORT, Some(second / 2)), Ok(second / 2));
    }

    #[test]
    fn a_poll_that_could_not_use_its_task_is_refused() {
        let refused = waits(Kind::Work, LONG, Some(Duration::from_millis(1999)));
        assert_eq!(refused, Err("Context timeout is too short.".to_owned()));
    }
}
