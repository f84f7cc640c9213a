//! The worker's side: starts the child, passes on what it says, and ends it.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use stead_data::{Failure, Payload};

use super::wire::{Attempt, Frames, FromChild, Task, ToChild, VARIABLE};
use super::{Program, child};
use crate::{Context, Error, Input, Result};

/// Runs an attempt of the activity that is called `name` where it is written. Blocks until it ends.
pub(crate) fn call(name: &'static str, input: Input) -> Result<Payload> {
    let context = Context::current();
    if child::is_child() {
        return Err(failed(
            &context,
            "would start a process from a process: `process::Host::run` comes first in `main`",
        ));
    }
    let program = context.extension::<Program>().map_or_else(Program::current, |program| (*program).clone());
    let task = Task {
        name: name.to_owned(),
        arguments: input.arguments,
        headers: input.headers.into_iter().collect(),
        attempt: Attempt::of(&context.info()),
    };
    let io = |error: io::Error| failed(&context, &format!("cannot be reached in its process: {error}"));
    let (stream, theirs) = UnixStream::pair().map_err(io)?;
    stream.set_read_timeout(Some(TICK)).map_err(io)?;
    stream.set_write_timeout(Some(READY_WITHIN)).map_err(io)?;
    let child = start(&program, theirs).map_err(|error| failed(&context, &format!("has no process: {error}")))?;
    let mut frames = Frames::new(stream.try_clone().map_err(io)?);
    let mut process =
        Process { context: &context, stream, child, grace_period: program.grace_period, told: Told::NotReady };
    process.watch(&mut frames, task)
}

fn start(program: &Program, stdin: UnixStream) -> io::Result<Running> {
    let path = program.path.clone().map_or_else(std::env::current_exe, Ok)?;
    let mut command = Command::new(path);
    command.args(&program.arguments).env(VARIABLE, std::process::id().to_string());
    command.stdin(Stdio::from(OwnedFd::from(stdin))).spawn().map(Running)
}

/// How often the worker looks whether a child that says nothing still is there, and whether its attempt is cancelled.
const TICK: Duration = Duration::from_millis(50);

/// How long a program may take to come to its host, and to read what it is sent.
const READY_WITHIN: Duration = Duration::from_secs(30);

const NO_HOST: &str = "as its program did not call `activity::process::Host::run`, which comes first in `main`";

/// A child, which does not outlive this.
struct Running(Child);

impl Running {
    /// How the process ended. It is over, or is ended now.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // A process that ended by itself keeps the status that it ended with.
        let _ = self.0.kill();
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

struct Process<'a> {
    context: &'a Context,
    stream: UnixStream,
    child: Running,
    grace_period: Duration,
    told: Told,
}

/// What the child knows.
enum Told {
    /// Nothing: it has not come to its host.
    NotReady,
    Task,
    WorkerShutdown,
    Cancelled {
        at: Instant,
    },
}

impl Process<'_> {
    fn watch(&mut self, frames: &mut Frames, task: Task) -> Result<Payload> {
        let mut task = Some(task);
        let started = Instant::now();
        let mut is_over = false;
        loop {
            match frames.next() {
                Ok(Some(frame)) => match FromChild::read(frame).map_err(|error| self.io(&error))? {
                    FromChild::Ready => {
                        let Some(task) = task.take() else { continue };
                        self.send(&ToChild::Run(Box::new(task)))?;
                        self.told = Told::Task;
                    }
                    FromChild::Heartbeat(details) => self.context.send_heartbeat(details),
                    FromChild::Completed(result) => return Ok(result),
                    FromChild::Failed(failure) => return Err(Error::failure(*failure)),
                    FromChild::CompleteAsync => return Err(Error::complete_async()),
                },
                Ok(None) => return Err(self.ended()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    // What it has started may hold the socket open. What it said before its end was read by now.
                    if is_over {
                        return Err(self.ended());
                    }
                    is_over = self.child.0.try_wait().map_err(|error| self.io(&error))?.is_some();
                }
                Err(error) => return Err(self.io(&error)),
            }
            self.tell(started)?;
        }
    }

    /// Passes on that the attempt should end, and kills a process that does not heed it.
    fn tell(&mut self, started: Instant) -> Result<()> {
        let cancelled = self.context.cancellation().details();
        match self.told {
            Told::NotReady if cancelled.is_some() => Err(Error::cancelled()),
            Told::NotReady if started.elapsed() >= READY_WITHIN => {
                Err(failed(self.context, &format!("did not start, {NO_HOST}")))
            }
            Told::NotReady => Ok(()),
            Told::Cancelled { at } if at.elapsed() >= self.grace_period => Err(Error::cancelled()),
            Told::Cancelled { .. } => Ok(()),
            Told::Task | Told::WorkerShutdown => {
                if let Some(details) = cancelled {
                    self.told = Told::Cancelled { at: Instant::now() };
                    return self.send(&ToChild::Cancel(details));
                }
                if matches!(self.told, Told::Task) && self.context.worker_shutdown().is_cancelled() {
                    self.told = Told::WorkerShutdown;
                    return self.send(&ToChild::WorkerShutdown);
                }
                Ok(())
            }
        }
    }

    /// A child that is gone is seen, with its reason, by the next read.
    fn send(&self, message: &ToChild) -> Result<()> {
        match message.send(&self.stream) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(self.io(&error)),
            _ => Ok(()),
        }
    }

    fn ended(&mut self) -> Error {
        let how = match self.child.end() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        match self.told {
            Told::NotReady => failed(self.context, &format!("did not start, {NO_HOST}: {how}")),
            _ => failed(self.context, &format!("ended with its process: {how}")),
        }
    }

    fn io(&self, error: &io::Error) -> Error {
        failed(self.context, &format!("cannot be reached in its process: {error}"))
    }
}

/// The attempt failed, and not by its code's own error.
fn failed(context: &Context, what: &str) -> Error {
    let message = format!("activity {} {what}", context.info().activity_type);
    Error::failure(Failure::application(message).type_name("ActivityProcess"))
}
