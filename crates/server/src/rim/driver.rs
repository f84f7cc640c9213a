//! [`Driver`]: the thread that owns the engine.
//!
//! It takes calls from the inbox, tells the engine what time it is and when calls have waited enough, and passes on
//! what comes out. It is a thread and not a task, so that workflow time does not depend on how busy a runtime is.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::inbox::{Arrived, Inbox, Input, Standstill, stopped};
use super::journal::Journal;
use super::patience::{Patience, too_late};
use super::sleepers::{Sleeper, Sleepers, Wake};
use super::waiting::{Due, Open, Waiting};
use crate::clock::{ClockError, Request, Timeline};
use crate::engine::{CallId, Engine, Output, Refusal, Time};
use crate::store::Store;

/// The thread that owns the engine, before it runs.
#[derive(Debug)]
pub(crate) struct Driver {
    engine: Engine,
    timeline: Timeline,
    waiting: Waiting,
    sleepers: Sleepers,
    journal: Journal,
    /// Those who wait until nothing is under way.
    idlers: Vec<Wake>,
    inputs: Receiver<Input>,
    inbox: Inbox,
    /// Reads the clock by which callers wait.
    instant: fn() -> Instant,
    /// How many calls have come.
    calls: u64,
    stopping: bool,
}

/// The thread that owns the engine. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Running {
    inbox: Inbox,
    thread: Option<thread::JoinHandle<()>>,
}

/// What there was to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Something,
    Nothing,
    Stop,
}

impl Driver {
    pub(crate) fn start(engine: Engine, timeline: Timeline, store: Option<Box<dyn Store>>) -> io::Result<Running> {
        let (inbox, inputs) = Inbox::new();
        let journal = Journal::new(store, &inbox)?;
        let driver = Self::new(engine, timeline, journal, (inbox.clone(), inputs), Instant::now);
        let thread = thread::Builder::new().name("stead-server".to_owned()).spawn(move || driver.run())?;
        Ok(Running { inbox, thread: Some(thread) })
    }

    pub(super) fn new(
        engine: Engine,
        timeline: Timeline,
        journal: Journal,
        (inbox, inputs): (Inbox, Receiver<Input>),
        instant: fn() -> Instant,
    ) -> Self {
        inbox.set_latest(timeline.now(instant()));
        Self {
            engine,
            timeline,
            waiting: Waiting::default(),
            sleepers: Sleepers::default(),
            journal,
            idlers: Vec::new(),
            inputs,
            inbox,
            instant,
            calls: 0,
            stopping: false,
        }
    }

    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Does what there is to do, without waiting for more. Returns how long nothing falls due from then on.
    pub(super) fn step(&mut self) -> Option<Duration> {
        self.pass_on();
        loop {
            let mut taken = false;
            while let Ok(input) = self.inputs.try_recv() {
                self.handle(input);
                taken = true;
            }
            self.do_what_is_due();
            match self.until_due() {
                Some(Duration::ZERO) => self.skip(),
                left if !taken => return left,
                _ => {}
            }
        }
    }

    fn run(mut self) {
        self.pass_on();
        loop {
            match self.take() {
                Taken::Something => {}
                Taken::Nothing => self.skip(),
                Taken::Stop => return self.stop(),
            }
            self.do_what_is_due();
        }
    }

    /// Drops the calls that wait, in the order in which they came.
    pub(super) fn break_off(&mut self) {
        for call in self.waiting.ids() {
            drop(self.waiting.remove(call));
        }
    }

    fn do_what_is_due(&mut self) {
        if let Some(refusal) = self.journal.failure() {
            self.give_all_up(&refusal);
        } else {
            self.fire_timers();
            self.end_waits();
            self.wake_idlers();
        }
    }

    fn wake_idlers(&mut self) {
        let now = self.now();
        let is_due = self.engine.poll_progress().is_some_and(|at| at <= now);
        if self.engine.is_idle() && !is_due && self.journal.is_settled() {
            for wake in self.idlers.drain(..) {
                // Whoever has gone away does not miss it.
                let _ = wake.send(Ok(now));
            }
        }
    }

    /// Sets the clock.
    fn jump_to(&mut self, time: Time) {
        self.timeline.jump_to(time, (self.instant)());
        self.inbox.set_latest(self.now());
    }

    /// Takes what is there, or waits until something is or falls due.
    fn take(&mut self) -> Taken {
        let first = match self.until_due() {
            Some(left) => self.inputs.recv_timeout(left),
            None => self.inputs.recv().map_err(RecvTimeoutError::from),
        };
        match first {
            Ok(input) => self.handle(input),
            Err(RecvTimeoutError::Timeout) => return Taken::Nothing,
            Err(RecvTimeoutError::Disconnected) => return Taken::Stop,
        }
        // Timers wait for no more than so many calls.
        for _ in 1..AT_ONCE {
            match self.inputs.try_recv() {
                Ok(input) => self.handle(input),
                Err(_) => break,
            }
        }
        if self.stopping { Taken::Stop } else { Taken::Something }
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Call(arrived) => self.handle_call(arrived),
            Input::Abandoned(call) => self.handle_abandoned(call),
            Input::Clock(call, request, wake) => self.handle_clock(call, request, wake),
            Input::Standstill(reply) => {
                // Whoever has gone away does not miss it.
                let _ = reply.send(self.standstill());
            }
            // The loop looks at the journal.
            Input::Kept => {}
            Input::Rows(prefix, rows) => {
                self.engine.handle_rows(&prefix, rows, self.now());
                self.pass_on();
            }
            Input::Stop => self.stopping = true,
        }
    }

    fn handle_call(&mut self, arrived: Arrived) {
        let Arrived { mut call, request, timeout, reply, .. } = arrived;
        self.calls += 1;
        let now = (self.instant)();
        let failure = self.journal.failure().map_or(Ok(()), Err);
        match failure.and_then(|()| Patience::of(&request).expires(now, timeout)) {
            Ok(expires) => {
                let ends = timeout.map(|timeout| now + timeout);
                call.patience = timeout.filter(|_| !self.timeline.can_be_moved());
                self.waiting.insert(call.id, Open { reply, expires, ends });
                self.engine.handle(&call, request, self.timeline.now(now));
                self.pass_on();
            }
            Err(refusal) => self.journal.answer(reply, Err(refusal)),
        }
    }

    fn handle_abandoned(&mut self, call: CallId) {
        self.sleepers.forget(call);
        if self.waiting.remove(call).is_some() {
            self.engine.handle_abandoned(call, self.now());
            self.pass_on();
        }
    }

    fn handle_clock(&mut self, call: CallId, request: Request, wake: Wake) {
        let now = self.now();
        let done = match request {
            Request::Now => Ok(()),
            Request::Idle => return self.idlers.push(wake),
            Request::Advance(by) => self.advance(now + by),
            Request::Sleep(duration) => return self.sleep(call, now + duration, Sleeper { wake, locks: false }),
            Request::SleepUntil(until) => return self.sleep(call, until, Sleeper { wake, locks: false }),
            Request::Lock => {
                self.timeline.lock();
                Ok(())
            }
            Request::Unlock => self.timeline.unlock(self.engine.things_that_can_wait()),
            Request::UnlockFor(duration) => match self.timeline.unlock(self.engine.things_that_can_wait()) {
                Ok(()) => return self.sleep(call, now + duration, Sleeper { wake, locks: true }),
                Err(error) => Err(error),
            },
        };
        // Whoever has gone away does not miss it.
        let _ = wake.send(done.map(|()| self.now()));
    }

    fn sleep(&mut self, call: CallId, until: Time, sleeper: Sleeper) {
        self.sleepers.insert(call, until, sleeper);
    }

    fn advance(&mut self, end: Time) -> Result<(), ClockError> {
        if !self.timeline.can_be_moved() {
            return Err(ClockError::Real);
        }
        while let Some(next) = self.next_timer().filter(|next| *next <= end) {
            self.jump_to(next);
            self.fire_timers();
        }
        self.jump_to(end);
        Ok(())
    }

    /// Jumps to the next timer, if time may be skipped. Called when there is nothing else to do.
    fn skip(&mut self) {
        if let Some(next) = self.skips_to() {
            self.jump_to(next);
        }
    }

    fn skips_to(&self) -> Option<Time> {
        let somebody_waits = self.engine.somebody_waits() || self.sleepers.next().is_some();
        let free = self.timeline.may_skip(somebody_waits)
            && self.engine.is_idle_but_for(self.timeline.excused())
            && self.journal.is_settled();
        let next = self.engine.poll_progress().into_iter().chain(self.sleepers.next()).min();
        next.filter(|_| free && self.journal.failure().is_none())
    }

    /// Only on a clock that stands between its skips, as on all others time passes, or somebody is there to move it.
    fn standstill(&self) -> Option<Standstill> {
        let time_is_over = self.timeline.stands_unless_skipped() && self.skips_to().is_none();
        let stands = time_is_over && self.journal.is_settled() && !self.engine.worker_has_work(true);
        let somebody_asks = || self.engine.somebody_asks() || self.sleepers.next().is_some() || !self.idlers.is_empty();
        (stands && somebody_asks())
            .then(|| Standstill { calls: self.calls, retries: self.engine.worker_has_work(false) })
    }

    /// Does what has fallen due, but not without an end: there may be calls to take.
    fn fire_timers(&mut self) {
        let mut rounds = 0..ROUNDS;
        loop {
            let now = self.now();
            if self.engine.poll_timeout().is_some_and(|at| at <= now) {
                if rounds.next().is_none() {
                    return;
                }
                self.engine.handle_timeout(now);
                self.pass_on();
            } else if let Some(sleeper) = self.sleepers.pop_due(now) {
                if sleeper.locks {
                    self.timeline.lock();
                }
                // Whoever has gone away does not miss it.
                let _ = sleeper.wake.send(Ok(now));
            } else {
                return;
            }
        }
    }

    fn end_waits(&mut self) {
        let now = (self.instant)();
        while let Some((call, due)) = self.waiting.pop_due(now) {
            match due {
                Due::Expired => self.expire(call),
                Due::Ended => self.give_up(call, too_late()),
            }
        }
    }

    fn expire(&mut self, call: CallId) {
        self.engine.handle_expired(call, self.now());
        self.pass_on();
    }

    fn give_up(&mut self, call: CallId, refusal: Refusal) {
        if let Some(reply) = self.waiting.remove(call) {
            self.journal.answer(reply, Err(refusal));
            self.engine.handle_abandoned(call, self.now());
            self.pass_on();
        }
    }

    fn give_all_up(&mut self, refusal: &Refusal) {
        for call in self.waiting.ids() {
            self.give_up(call, refusal.clone());
        }
    }

    fn pass_on(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Write(batch) => self.journal.write(batch),
                Output::Read { table, prefix } => self.journal.read(table, prefix),
                Output::Reply { call, answer } => {
                    if let Some(reply) = self.waiting.remove(call) {
                        self.journal.answer(reply, answer);
                    }
                }
            }
        }
    }

    fn now(&self) -> Time {
        self.timeline.now((self.instant)())
    }

    fn next_timer(&self) -> Option<Time> {
        self.engine.poll_timeout().into_iter().chain(self.sleepers.next()).min()
    }

    /// How long nothing falls due.
    fn until_due(&self) -> Option<Duration> {
        let now = (self.instant)();
        if self.journal.failure().is_some() {
            return None;
        }
        if self.skips_to().is_some() {
            return Some(Duration::ZERO);
        }
        let timer = self.next_timer().and_then(|at| self.timeline.until(at, now));
        let wait = self.waiting.next_due().map(|at| at.saturating_duration_since(now));
        timer.into_iter().chain(wait).min()
    }

    /// Ends what waits: polls come back empty, everything else hears that the server has stopped.
    fn stop(mut self) {
        while let Ok(input) = self.inputs.try_recv() {
            if let Input::Call(arrived) = input {
                self.journal.answer(arrived.reply, Err(stopped()));
            }
        }
        for call in self.waiting.ids() {
            self.expire(call);
            self.give_up(call, stopped());
        }
        self.journal.close();
    }
}

impl Running {
    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Stops the thread, and returns when everything that was answered is kept.
    pub(crate) fn stop(&mut self) {
        self.inbox.stop();
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the thread that had it.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Calls that are taken between two looks at the timers.
const AT_ONCE: usize = 256;

/// How often the engine does what is due between two looks at the calls. What is too much for one input, it does in
/// steps that are due one after the other.
const ROUNDS: usize = 8;
