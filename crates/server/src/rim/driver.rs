//! [`Driver`]: the thread that owns the engine.
//!
//! It takes calls from the inbox, tells the engine what time it is and when calls have waited enough, and passes on
//! what comes out. It is a thread and not a task, so that workflow time does not depend on how busy a runtime is.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::inbox::{Arrived, Inbox, Input, stopped};
use super::journal::Journal;
use super::patience::{Patience, too_late};
use super::waiting::{Due, Open, Waiting};
use crate::clock::Timeline;
use crate::engine::{CallId, Engine, Output, Refusal, Time};

/// The thread that owns the engine, before it runs.
#[derive(Debug)]
pub(crate) struct Driver {
    engine: Engine,
    timeline: Timeline,
    waiting: Waiting,
    journal: Journal,
    inputs: Receiver<Input>,
}

/// The thread that owns the engine. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Running {
    inbox: Inbox,
    thread: Option<thread::JoinHandle<()>>,
}

impl Driver {
    pub(crate) fn start(engine: Engine, timeline: Timeline, journal: Journal) -> io::Result<Running> {
        let (inbox, inputs) = Inbox::new();
        let driver = Self { engine, timeline, waiting: Waiting::default(), journal, inputs };
        let thread = thread::Builder::new().name("stead-server".to_owned()).spawn(move || driver.run())?;
        Ok(Running { inbox, thread: Some(thread) })
    }

    fn run(mut self) {
        self.pass_on();
        while self.wait_and_take().is_some() {
            self.fire_timers();
            self.end_waits();
        }
        self.stop();
    }

    /// Takes what is there, or waits until something is or falls due. `None` when it is time to stop.
    fn wait_and_take(&mut self) -> Option<()> {
        let mut next = match self.sleep() {
            Some(left) => match self.inputs.recv_timeout(left) {
                Err(RecvTimeoutError::Timeout) => return Some(()),
                received => received.ok(),
            },
            None => self.inputs.recv().ok(),
        };
        // Timers wait for no more than so many calls.
        for _ in 0..AT_ONCE {
            self.take(next?)?;
            next = match self.inputs.try_recv() {
                Ok(input) => Some(input),
                Err(_) => return Some(()),
            };
        }
        self.take(next?)
    }

    fn take(&mut self, input: Input) -> Option<()> {
        match input {
            Input::Call(arrived) => self.take_call(arrived),
            Input::Abandoned(call) => self.abandon(call),
            Input::Stop => return None,
        }
        Some(())
    }

    fn take_call(&mut self, arrived: Arrived) {
        let Arrived { call, request, timeout, reply, .. } = arrived;
        let now = Instant::now();
        let patience = Patience::of(&request);
        match patience.expires(now, timeout) {
            Ok(expires) => {
                let ends = timeout.map(|timeout| now + timeout);
                let open = Open { reply, expires, ends, awaits_outcome: patience.awaits_outcome() };
                self.waiting.insert(call.id, open);
                self.engine.handle(&call, request, self.timeline.now(now));
                self.pass_on();
            }
            Err(refusal) => self.journal.answer(reply, Err(refusal)),
        }
    }

    fn abandon(&mut self, call: CallId) {
        if self.waiting.remove(call).is_some() {
            self.engine.handle_abandoned(call, self.timeline.now(Instant::now()));
            self.pass_on();
        }
    }

    fn fire_timers(&mut self) {
        while let Some(due) = self.engine.poll_timeout() {
            let now = self.timeline.now(Instant::now());
            if due > now {
                return;
            }
            self.fire(now);
        }
    }

    fn fire(&mut self, now: Time) {
        self.engine.handle_timeout(now);
        self.pass_on();
    }

    fn end_waits(&mut self) {
        let now = Instant::now();
        while let Some((call, due)) = self.waiting.pop_due(now) {
            match due {
                Due::Expired => self.expire(call, now),
                Due::Ended => self.give_up(call, too_late()),
            }
        }
    }

    fn expire(&mut self, call: CallId, now: Instant) {
        self.engine.handle_expired(call, self.timeline.now(now));
        self.pass_on();
    }

    fn give_up(&mut self, call: CallId, refusal: Refusal) {
        if let Some(reply) = self.waiting.remove(call) {
            self.journal.answer(reply, Err(refusal));
            self.engine.handle_abandoned(call, self.timeline.now(Instant::now()));
            self.pass_on();
        }
    }

    fn pass_on(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Write(batch) => self.journal.write(batch),
                Output::Reply { call, answer } => {
                    if let Some(reply) = self.waiting.remove(call) {
                        self.journal.answer(reply, answer);
                    }
                }
            }
        }
    }

    /// How long nothing falls due.
    fn sleep(&self) -> Option<Duration> {
        let now = Instant::now();
        let timer = self.engine.poll_timeout().and_then(|at| self.timeline.until(at, now));
        let wait = self.waiting.next_due().map(|at| at.saturating_duration_since(now));
        timer.into_iter().chain(wait).min()
    }

    /// Ends what waits: polls come back empty, everything else hears that the server has stopped.
    fn stop(mut self) {
        let now = Instant::now();
        while let Ok(input) = self.inputs.try_recv() {
            if let Input::Call(arrived) = input {
                self.journal.answer(arrived.reply, Err(stopped()));
            }
        }
        for call in self.waiting.ids() {
            self.expire(call, now);
            self.give_up(call, stopped());
        }
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
