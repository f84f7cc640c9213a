//! A shard's desk: what of a shard stands outside of its thread.
//!
//! A thread that runs workflow code may never come back from it. So its queue is here, and with it the tasks that are
//! under way and their slots: who takes the desk over answers for them, and nothing is lost. A thread that has lost its
//! desk can neither answer a task nor touch what is shared, should it come back.
//!
//! The queue needs no bound of its own: each event belongs to a workflow task that holds a slot, and a task has at most
//! one event under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;
use stead_workflow::LastOperation;
use tokio::sync::mpsc;

use super::Event;
use crate::activity::Attempts;
use crate::driver::TaskId;
use crate::slots::Permit;

/// The desk of one shard. One thread at a time sits at it.
pub(super) struct Desk {
    state: Mutex<State>,
    arrived: Condvar,
    /// The same for a shard that has no thread.
    #[cfg(feature = "simulation")]
    changed: tokio::sync::Notify,
}

struct State {
    events: VecDeque<Event>,
    /// The runs that have tasks under way.
    open: BTreeMap<String, Open>,
    /// Who sits here.
    occupant: Option<Occupant>,
    /// How many have sat down so far.
    sat_down: u64,
    /// The runs in whose code threads still are that have lost the desk, by their seats.
    stuck: BTreeMap<u64, String>,
    /// Held while somebody sits here or is going to.
    alive: Option<mpsc::Sender<()>>,
    closed: bool,
}

/// A thread at a desk.
struct Occupant {
    number: u64,
    pulse: Arc<AtomicU64>,
    last_operation: Arc<LastOperation>,
    /// The run that it works on.
    at_hand: Option<String>,
}

/// What a run has under way.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) workflow_id: String,
    pub(super) workflow_type: String,
    /// Without those whose answer is on its way.
    pub(super) tasks: Vec<TaskId>,
    /// Of local activities.
    pub(super) attempts: Attempts,
    /// Given back when the run is idle.
    permits: Vec<Permit>,
}

/// A thread's place at the desk, until it is dropped or somebody else sits there.
pub(super) struct Seat {
    desk: Arc<Desk>,
    number: u64,
    pulse: Arc<AtomicU64>,
}

/// What waiting for an event came to.
#[derive(Debug)]
pub(super) enum Next {
    Event(Event),
    TimedOut,
    /// The shard ends, or another thread sits at the desk.
    Leave,
}

/// Proof that a thread was at work on a run. It did not get on if it gives the same proof again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sign {
    seat: u64,
    pulse: u64,
}

/// What a thread leaves behind that does not come back.
pub(super) struct Abandoned {
    pub(super) run_id: String,
    pub(super) last_operation: Arc<LastOperation>,
    /// All that was under way, the run's own tasks too.
    pub(super) open: BTreeMap<String, Open>,
    /// How many threads are stuck by now.
    pub(super) stuck: usize,
}

impl Desk {
    pub(super) fn new(alive: mpsc::Sender<()>) -> Self {
        let state = State {
            events: VecDeque::new(),
            open: BTreeMap::new(),
            occupant: None,
            sat_down: 0,
            stuck: BTreeMap::new(),
            alive: Some(alive),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            arrived: Condvar::new(),
            #[cfg(feature = "simulation")]
            changed: tokio::sync::Notify::new(),
        }
    }

    /// Adds an event. Once the desk is closed it is dropped.
    pub(super) fn push(&self, event: Event) {
        let mut state = self.lock();
        if !state.closed {
            state.events.push_back(event);
            self.arrived.notify_one();
            #[cfg(feature = "simulation")]
            self.changed.notify_one();
        }
    }

    /// Sits down. The last one to do so has the desk.
    pub(super) fn sit(self: &Arc<Self>, last_operation: Arc<LastOperation>) -> Seat {
        let pulse = Arc::new(AtomicU64::new(0));
        let mut state = self.lock();
        state.sat_down += 1;
        let number = state.sat_down;
        state.occupant = Some(Occupant { number, pulse: Arc::clone(&pulse), last_operation, at_hand: None });
        Seat { desk: Arc::clone(self), number, pulse }
    }

    /// Ends the shard. What is still queued is dropped.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        if state.occupant.is_none() {
            state.alive = None;
        }
        // Dropped outside of the lock: an event may hold anything.
        let events = std::mem::take(&mut state.events);
        self.arrived.notify_all();
        #[cfg(feature = "simulation")]
        self.changed.notify_one();
        drop(state);
        drop(events);
    }

    /// Whether somebody is needed here.
    pub(super) fn is_vacant(&self) -> bool {
        let state = self.lock();
        state.occupant.is_none() && !state.closed
    }

    /// The sign of a thread that is at work; `None` if there is none, or it rests.
    pub(super) fn sign(&self) -> Option<Sign> {
        self.lock().sign()
    }

    /// Takes the desk from the thread that gave this sign and has not got on since, unless as many are stuck as may be.
    pub(super) fn abandon(&self, sign: &Sign, at_most: usize) -> Option<Abandoned> {
        let mut state = self.lock();
        if state.sign().as_ref() != Some(sign) || state.stuck.len() >= at_most {
            return None;
        }
        let Occupant { number, last_operation, at_hand, .. } = state.occupant.take()?;
        let run_id = at_hand?;
        state.stuck.insert(number, run_id.clone());
        let (open, stuck) = (std::mem::take(&mut state.open), state.stuck.len());
        if state.closed {
            state.alive = None;
        }
        Some(Abandoned { run_id, last_operation, open, stuck })
    }

    /// No foreign code runs under the lock, so a poisoned one is intact.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_occupied_by(&self, number: u64) -> bool {
        self.occupant.as_ref().is_some_and(|occupant| occupant.number == number)
    }

    fn sign(&self) -> Option<Sign> {
        let occupant = self.occupant.as_ref().filter(|occupant| occupant.at_hand.is_some())?;
        Some(Sign { seat: occupant.number, pulse: occupant.pulse.load(Ordering::Relaxed) })
    }
}

impl Seat {
    /// The next event; waits for one, at most until `timeout` has passed.
    pub(super) fn next(&self, timeout: Option<Duration>) -> Next {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.desk.lock();
        loop {
            match &mut state.occupant {
                Some(occupant) if occupant.number == self.number => occupant.at_hand = None,
                _ => return Next::Leave,
            }
            if state.closed {
                return Next::Leave;
            }
            if let Some(event) = state.events.pop_front() {
                return Next::Event(event);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let arrived = &self.desk.arrived;
            state = match left {
                Some(Duration::ZERO) => return Next::TimedOut,
                Some(left) => arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// The same as [`next`](Self::next), but that it does not hold its thread, and waits on the runtime's clock.
    #[cfg(feature = "simulation")]
    pub(super) async fn next_here(&self, timeout: Option<Duration>) -> Next {
        let deadline = timeout.map(|timeout| tokio::time::Instant::now() + timeout);
        loop {
            match self.next(Some(Duration::ZERO)) {
                Next::TimedOut => {}
                next => return next,
            }
            // A change between the look and the wait is kept for the wait.
            let changed = self.desk.changed.notified();
            let Some(deadline) = deadline else {
                changed.await;
                continue;
            };
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Next::TimedOut;
            }
        }
    }

    /// Turns to a run, and opens the task that came with it. False if somebody else sits here.
    pub(super) fn turn_to(
        &self,
        run_id: &str,
        task: Option<&PollWorkflowTaskQueueResponse>,
        permit: Option<Permit>,
    ) -> bool {
        self.beat();
        let mut state = self.desk.lock();
        let Some(occupant) = state.occupant.as_mut().filter(|occupant| occupant.number == self.number) else {
            return false;
        };
        match &mut occupant.at_hand {
            Some(at_hand) => run_id.clone_into(at_hand),
            None => occupant.at_hand = Some(run_id.to_owned()),
        }
        if let Some(task) = task {
            let open = state.open.entry(run_id.to_owned()).or_insert_with(|| Open::of(task));
            open.tasks.push(TaskId::of(task));
            open.permits.extend(permit);
        }
        true
    }

    /// Shows that the thread gets on.
    pub(super) fn beat(&self) {
        self.pulse.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the thread still sits here.
    pub(super) fn is_mine(&self) -> bool {
        self.desk.lock().is_occupied_by(self.number)
    }

    /// Closes a task for the answer that is about to be sent. False if somebody else answers it.
    pub(super) fn answers(&self, run_id: &str, token: &[u8]) -> bool {
        let mut state = self.desk.lock();
        if !state.is_occupied_by(self.number) {
            return false;
        }
        if let Some(open) = state.open.get_mut(run_id) {
            open.tasks.retain(|task| task.token != token);
        }
        true
    }

    /// The attempts of the run's local activities; `None` if somebody else sits here.
    pub(super) fn with_attempts<R>(&self, run_id: &str, f: impl FnOnce(&mut Attempts) -> R) -> Option<R> {
        let mut state = self.desk.lock();
        let is_mine = state.is_occupied_by(self.number);
        state.open.get_mut(run_id).filter(|_| is_mine).map(|open| f(&mut open.attempts))
    }

    /// Nothing of the run is under way any more. Its slots are the caller's.
    pub(super) fn release(&self, run_id: &str) -> Vec<Permit> {
        let mut state = self.desk.lock();
        let open = if state.is_occupied_by(self.number) { state.open.remove(run_id) } else { None };
        drop(state);
        open.map(|open| open.permits).unwrap_or_default()
    }

    /// Whether a thread that has lost the desk is still in the run's code.
    pub(super) fn is_stuck(&self, run_id: &str) -> bool {
        self.desk.lock().stuck.values().any(|stuck| stuck == run_id)
    }

    /// The desk's queue, for what comes back to it.
    pub(super) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.desk.lock();
        if let Some(run_id) = state.stuck.remove(&self.number) {
            drop(state);
            tracing::info!(target: "stead::worker", run_id, "a thread that was given up has come back");
            return;
        }
        if state.is_occupied_by(self.number) {
            state.occupant = None;
            if state.closed {
                state.alive = None;
            }
        }
    }
}

impl Open {
    fn of(task: &PollWorkflowTaskQueueResponse) -> Self {
        Self {
            workflow_id: task.workflow_execution.as_ref().map(|it| it.workflow_id.clone()).unwrap_or_default(),
            workflow_type: task.workflow_type.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
            tasks: Vec::new(),
            attempts: Attempts::default(),
            permits: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Incoming;

    fn desk() -> Arc<Desk> {
        Arc::new(Desk::new(mpsc::channel(1).0))
    }

    fn event(run_id: &str) -> Event {
        Event { run_id: run_id.to_owned(), incoming: Incoming::Timeout, permit: None }
    }

    fn run_of(next: Next) -> Option<String> {
        match next {
            Next::Event(event) => Some(event.run_id),
            Next::TimedOut | Next::Leave => None,
        }
    }

    #[test]
    fn events_come_in_order_and_a_deadline_ends_the_wait() {
        let desk = desk();
        let seat = desk.sit(Arc::default());
        desk.push(event("a"));
        desk.push(event("b"));
        assert_eq!(run_of(seat.next(None)).as_deref(), Some("a"));
        assert_eq!(run_of(seat.next(Some(Duration::ZERO))).as_deref(), Some("b"));
        assert!(matches!(seat.next(Some(Duration::ZERO)), Next::TimedOut));
    }

    #[test]
    fn closing_wakes_the_thread_and_drops_what_is_queued() {
        let desk = desk();
        let seat = desk.sit(Arc::default());
        let next = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| seat.next(None));
            desk.close();
            waiting.join().expect("waiting does not panic")
        });
        assert!(matches!(next, Next::Leave));
        desk.push(event("a"));
        assert!(matches!(seat.next(None), Next::Leave));
    }

    #[test]
    fn a_thread_that_rests_or_gets_on_is_left_alone() {
        let desk = desk();
        let seat = desk.sit(Arc::default());
        assert_eq!(desk.sign(), None);
        seat.turn_to("a", None, None);
        let sign = desk.sign().expect("the thread works");
        seat.beat();
        assert!(desk.abandon(&sign, 1).is_none());
        assert!(seat.is_mine());
    }

    #[test]
    fn who_loses_the_desk_answers_nothing_any_more_and_what_was_queued_stays() {
        let desk = desk();
        let stuck = desk.sit(Arc::default());
        let task = PollWorkflowTaskQueueResponse { task_token: "token".into(), ..Default::default() };
        stuck.turn_to("a", Some(&task), None);
        desk.push(event("b"));
        let sign = desk.sign().expect("the thread works");
        let abandoned = desk.abandon(&sign, 1).expect("the thread did not get on");
        assert_eq!((abandoned.run_id.as_str(), abandoned.open["a"].tasks.len()), ("a", 1));
        assert!(desk.is_vacant());
        let next = desk.sit(Arc::default());
        assert_eq!(run_of(next.next(None)).as_deref(), Some("b"));
        assert!(!stuck.is_mine() && !stuck.answers("a", b"token") && matches!(stuck.next(None), Next::Leave));
        assert!(next.is_stuck("a"));
        drop(stuck);
        assert!(!next.is_stuck("a"), "its thread has come back");
        assert!(next.is_mine());
    }

    #[test]
    fn a_task_whose_answer_is_on_its_way_is_not_answered_twice() {
        let desk = desk();
        let seat = desk.sit(Arc::default());
        let task = PollWorkflowTaskQueueResponse { task_token: "token".into(), ..Default::default() };
        seat.turn_to("a", Some(&task), None);
        assert!(seat.answers("a", b"token"));
        let abandoned = desk.abandon(&desk.sign().expect("the thread works"), 1).expect("the thread did not get on");
        assert!(abandoned.open["a"].tasks.is_empty());
    }

    #[test]
    fn no_more_threads_are_given_up_than_may_be() {
        let desk = desk();
        let stuck = desk.sit(Arc::default());
        stuck.turn_to("a", None, None);
        assert!(desk.abandon(&desk.sign().expect("the thread works"), 1).is_some());
        let second = desk.sit(Arc::default());
        second.turn_to("b", None, None);
        assert!(desk.abandon(&desk.sign().expect("the thread works"), 1).is_none());
        assert!(second.is_mine());
    }
}
