//! The child's side.

use std::any::Any;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};

use stead_data::{Failure, Payload};

use super::Host;
use super::wire::{Frames, FromChild, Task, ToChild, VARIABLE};
use crate::{Cancellation, Context, ContextParts, Error, Extensions, HeartbeatSink, Implementation, Input, Result};

/// Whether this process was started for an activity, by the process that is its parent.
pub(super) fn is_child() -> bool {
    std::env::var(VARIABLE).is_ok_and(|parent| parent == parent_id().to_string())
}

/// Runs the activity and ends the process.
pub(super) fn run(host: Host) -> ! {
    match serve(host) {
        Ok(()) => exit(0),
        Err(error) => {
            let _ = writeln!(io::stderr(), "a process for an activity ends: {error}");
            exit(1)
        }
    }
}

fn serve(host: Host) -> io::Result<()> {
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut frames = Frames::new(stream.try_clone()?);
    FromChild::Ready.send(&stream)?;
    let Some(frame) = frames.next()? else { return Ok(()) };
    let ToChild::Run(task) = ToChild::read(frame)? else {
        return Err(io::Error::other("the worker sent something before the task"));
    };
    let (cancellation, worker_shutdown) = (Cancellation::new(), Cancellation::new());
    std::thread::Builder::new().name("worker".to_owned()).spawn({
        let (cancellation, worker_shutdown) = (cancellation.clone(), worker_shutdown.clone());
        move || listen(frames, &cancellation, &worker_shutdown)
    })?;
    let stream = Arc::new(ToWorker(Mutex::new(stream)));
    let Task { name, arguments, headers, attempt } = *task;
    let parts = ContextParts {
        converter: host.converter.clone(),
        heartbeat: Arc::clone(&stream) as Arc<dyn HeartbeatSink>,
        cancellation,
        worker_shutdown,
        metrics: None,
        extensions: Extensions::new(),
    };
    let context = Context::new(attempt.read()?, parts);
    let mut input = Input::new(arguments, context.data_converter().clone());
    input.headers = headers.into_iter().collect();
    let answer = match execute(&host, &name, input, &context) {
        Ok(result) => FromChild::Completed(result),
        Err(error) if error.is_complete_async() => FromChild::CompleteAsync,
        Err(error) => FromChild::Failed(Box::new(match context.heartbeat_failure() {
            Some(failure) => failure.clone(),
            None => error.into_failure(),
        })),
    };
    // The worker may end this process as soon as it has the answer.
    io::stdout().flush()?;
    stream.send(answer)
}

fn execute(host: &Host, name: &str, input: Input, context: &Context) -> Result<Payload> {
    let mut codes = host.definitions.iter().filter(|definition| definition.name == name);
    let Some(Implementation::Blocking(code)) = codes.find_map(|definition| definition.in_process.as_ref()) else {
        let message = format!("activity {name} is not among those of the host: `process::Host::activities`");
        return Err(Error::failure(Failure::application(message).type_name("NotFoundError")));
    };
    catch_unwind(AssertUnwindSafe(|| context.enter(|| code(input)))).unwrap_or_else(|panic| {
        let message = format!("the activity panicked: {}", panic_message(&*panic));
        Err(Error::failure(Failure::application(message).type_name("Panic")))
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic that is no text")
}

/// Hears from the worker until one of the two is gone.
fn listen(mut frames: Frames, cancellation: &Cancellation, worker_shutdown: &Cancellation) {
    while let Ok(Some(frame)) = frames.next() {
        match ToChild::read(frame) {
            Ok(ToChild::Cancel(details)) => {
                cancellation.cancel(details);
            }
            Ok(ToChild::WorkerShutdown) => {
                worker_shutdown.cancel(crate::CancellationDetails::worker_shutdown());
            }
            Ok(ToChild::Run(_)) | Err(_) => break,
        }
    }
    // Nobody would hear what becomes of the activity.
    exit(1)
}

struct ToWorker(Mutex<UnixStream>);

impl ToWorker {
    fn send(&self, message: FromChild) -> io::Result<()> {
        message.send(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HeartbeatSink for ToWorker {
    fn heartbeat(&self, details: Vec<Payload>) {
        // A worker that is gone ends this process from the thread that listens.
        let _ = self.send(FromChild::Heartbeat(details));
    }
}
