//! What worker and child say to each other: a length, a byte for the kind, and a message.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, SystemTime};

use prost::Message;
use stead_data::{Failure, Payload, Priority, RetryPolicy};

use crate::{CancellationDetails, Info, WorkflowInfo};

/// Set for a child, to the id of the process that started it. What the child starts itself inherits it, with another parent.
pub(super) const VARIABLE: &str = "STEAD_ACTIVITY_PROCESS";

/// The longest message: payloads are far smaller on their way through a server.
const MAX_LENGTH: usize = 64 << 20;

pub(super) enum ToChild {
    Run(Box<Task>),
    Cancel(CancellationDetails),
    WorkerShutdown,
}

pub(super) enum FromChild {
    /// The program came to its host and waits for its task.
    Ready,
    Heartbeat(Vec<Payload>),
    Completed(Payload),
    Failed(Box<Failure>),
    CompleteAsync,
}

impl ToChild {
    pub(super) fn send(&self, stream: &UnixStream) -> io::Result<()> {
        match self {
            Self::Run(task) => send(stream, 0, &**task),
            Self::Cancel(details) => send(stream, 1, &Details::of(*details)),
            Self::WorkerShutdown => send(stream, 2, &()),
        }
    }

    pub(super) fn read((kind, body): (u8, Vec<u8>)) -> io::Result<Self> {
        Ok(match kind {
            0 => Self::Run(Box::new(decode(&body)?)),
            1 => Self::Cancel(decode::<Details>(&body)?.read()),
            2 => Self::WorkerShutdown,
            _ => return Err(unknown(kind)),
        })
    }
}

impl FromChild {
    pub(super) fn send(self, stream: &UnixStream) -> io::Result<()> {
        match self {
            Self::Ready => send(stream, 0, &()),
            Self::Heartbeat(payloads) => send(stream, 1, &Payloads { payloads }),
            Self::Completed(result) => send(stream, 2, &result),
            Self::Failed(failure) => send(stream, 3, &failure.into_proto()),
            Self::CompleteAsync => send(stream, 4, &()),
        }
    }

    pub(super) fn read((kind, body): (u8, Vec<u8>)) -> io::Result<Self> {
        Ok(match kind {
            0 => Self::Ready,
            1 => Self::Heartbeat(decode::<Payloads>(&body)?.payloads),
            2 => Self::Completed(decode(&body)?),
            3 => Self::Failed(Box::new(Failure::from_proto(decode(&body)?))),
            4 => Self::CompleteAsync,
            _ => return Err(unknown(kind)),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Payloads {
    #[prost(message, repeated, tag = "1")]
    payloads: Vec<Payload>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Task {
    /// The activity's name where it is written.
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) arguments: Vec<Payload>,
    #[prost(map = "string, message", tag = "3")]
    pub(super) headers: HashMap<String, Payload>,
    #[prost(message, required, tag = "4")]
    pub(super) attempt: Attempt,
}

/// [`Info`] on the wire. Times are nanoseconds, and since 1970 for points in time.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Attempt {
    #[prost(string, tag = "1")]
    activity_id: String,
    #[prost(string, tag = "2")]
    activity_run_id: String,
    #[prost(string, tag = "3")]
    activity_type: String,
    #[prost(uint32, tag = "4")]
    attempt: u32,
    #[prost(bool, tag = "5")]
    is_local: bool,
    #[prost(string, tag = "6")]
    namespace: String,
    #[prost(string, tag = "7")]
    task_queue: String,
    #[prost(bytes = "vec", tag = "8")]
    task_token: Vec<u8>,
    /// Id, run id and type.
    #[prost(string, repeated, tag = "9")]
    workflow: Vec<String>,
    #[prost(uint64, optional, tag = "10")]
    scheduled_time: Option<u64>,
    #[prost(uint64, optional, tag = "11")]
    current_attempt_scheduled_time: Option<u64>,
    #[prost(uint64, optional, tag = "12")]
    started_time: Option<u64>,
    #[prost(uint64, optional, tag = "13")]
    schedule_to_close_timeout: Option<u64>,
    #[prost(uint64, optional, tag = "14")]
    start_to_close_timeout: Option<u64>,
    #[prost(uint64, optional, tag = "15")]
    heartbeat_timeout: Option<u64>,
    #[prost(message, repeated, tag = "16")]
    heartbeat_details: Vec<Payload>,
    #[prost(bytes = "vec", optional, tag = "17")]
    retry_policy: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "18")]
    priority: Option<Vec<u8>>,
}

impl Attempt {
    pub(super) fn of(info: &Info) -> Self {
        // Without `..`, so that a new field is not forgotten.
        let Info {
            activity_id,
            activity_run_id,
            activity_type,
            attempt,
            is_local,
            namespace,
            task_queue,
            task_token,
            workflow,
            scheduled_time,
            current_attempt_scheduled_time,
            started_time,
            schedule_to_close_timeout,
            start_to_close_timeout,
            heartbeat_timeout,
            heartbeat_details,
            retry_policy,
            priority,
        } = info.clone();
        let workflow = workflow.map(|it| vec![it.workflow_id, it.run_id, it.workflow_type]);
        Self {
            activity_id,
            activity_run_id,
            activity_type,
            attempt,
            is_local,
            namespace,
            task_queue,
            task_token: task_token.to_vec(),
            workflow: workflow.unwrap_or_default(),
            scheduled_time: scheduled_time.and_then(since_1970),
            current_attempt_scheduled_time: current_attempt_scheduled_time.and_then(since_1970),
            started_time: started_time.and_then(since_1970),
            schedule_to_close_timeout: schedule_to_close_timeout.map(nanos),
            start_to_close_timeout: start_to_close_timeout.map(nanos),
            heartbeat_timeout: heartbeat_timeout.map(nanos),
            heartbeat_details,
            retry_policy: retry_policy.map(|policy| policy.into_proto().encode_to_vec()),
            priority: priority.map(|priority| priority.into_proto().encode_to_vec()),
        }
    }

    pub(super) fn read(self) -> io::Result<Info> {
        let mut workflow = self.workflow.into_iter();
        let workflow = match (workflow.next(), workflow.next(), workflow.next()) {
            (Some(id), Some(run_id), Some(workflow_type)) => Some(WorkflowInfo::new(id, run_id, workflow_type)),
            _ => None,
        };
        let point = |nanos: u64| SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
        let retry_policy = self.retry_policy.as_deref().map(decode).transpose()?;
        let priority = self.priority.as_deref().map(decode).transpose()?;
        Ok(Info {
            activity_id: self.activity_id,
            activity_run_id: self.activity_run_id,
            activity_type: self.activity_type,
            attempt: self.attempt,
            is_local: self.is_local,
            namespace: self.namespace,
            task_queue: self.task_queue,
            task_token: self.task_token.into(),
            workflow,
            scheduled_time: self.scheduled_time.map(point),
            current_attempt_scheduled_time: self.current_attempt_scheduled_time.map(point),
            started_time: self.started_time.map(point),
            schedule_to_close_timeout: self.schedule_to_close_timeout.map(Duration::from_nanos),
            start_to_close_timeout: self.start_to_close_timeout.map(Duration::from_nanos),
            heartbeat_timeout: self.heartbeat_timeout.map(Duration::from_nanos),
            heartbeat_details: self.heartbeat_details,
            retry_policy: retry_policy.map(RetryPolicy::from_proto),
            priority: priority.map(Priority::from_proto),
        })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn since_1970(time: SystemTime) -> Option<u64> {
    time.duration_since(SystemTime::UNIX_EPOCH).ok().map(nanos)
}

#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(bool, tag = "1")]
    not_found: bool,
    #[prost(bool, tag = "2")]
    cancel_requested: bool,
    #[prost(bool, tag = "3")]
    paused: bool,
    #[prost(bool, tag = "4")]
    reset: bool,
    #[prost(bool, tag = "5")]
    timed_out: bool,
    #[prost(bool, tag = "6")]
    worker_shutdown: bool,
}

impl Details {
    fn of(details: CancellationDetails) -> Self {
        let CancellationDetails { not_found, cancel_requested, paused, reset, timed_out, worker_shutdown } = details;
        Self { not_found, cancel_requested, paused, reset, timed_out, worker_shutdown }
    }

    fn read(self) -> CancellationDetails {
        let Self { not_found, cancel_requested, paused, reset, timed_out, worker_shutdown } = self;
        CancellationDetails { not_found, cancel_requested, paused, reset, timed_out, worker_shutdown }
    }
}

fn send(mut stream: &UnixStream, kind: u8, body: &impl Message) -> io::Result<()> {
    let length = body.encoded_len();
    if length > MAX_LENGTH {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("{length} bytes are too many: {MAX_LENGTH} are allowed"),
        ));
    }
    let mut frame = Vec::with_capacity(HEADER + length);
    frame.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    frame.push(kind);
    frame.extend(body.encode_to_vec());
    stream.write_all(&frame)
}

const HEADER: usize = 5;

fn decode<T: Message + Default>(body: &[u8]) -> io::Result<T> {
    T::decode(body).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

fn unknown(kind: u8) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("a message of the unknown kind {kind}: is it the same program?"))
}

/// Reads messages. One that has come in part is kept when a read times out.
pub(super) struct Frames {
    stream: UnixStream,
    read: Vec<u8>,
}

impl Frames {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// The next message; `None` when the other side is gone.
    pub(super) fn next(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        let mut chunk = [0; 16 << 10];
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(length) => self.read.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        let Some((&[a, b, c, d, kind], rest)) = self.read.split_first_chunk::<HEADER>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > MAX_LENGTH {
            return Err(io::Error::new(ErrorKind::InvalidData, "a message of more bytes than are allowed"));
        }
        let Some(body) = rest.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
        self.read.drain(..HEADER + length);
        Ok(Some((kind, body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_knows_the_same_in_the_child() {
        let info = Info {
            activity_id: "7".to_owned(),
            attempt: 3,
            workflow: Some(WorkflowInfo::new("order", "run", "Order")),
            started_time: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1500)),
            heartbeat_timeout: Some(Duration::from_secs(5)),
            heartbeat_details: vec![Payload::default()],
            retry_policy: Some(RetryPolicy::default().max_attempts(4)),
            task_token: "token".into(),
            ..Info::default()
        };
        let bytes = Attempt::of(&info).encode_to_vec();
        assert_eq!(decode::<Attempt>(&bytes).expect("as encoded").read().expect("as encoded"), info);
    }

    #[test]
    fn a_message_that_comes_in_parts_is_read_when_it_is_whole() {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        theirs.set_nonblocking(true).expect("a socket");
        let mut frames = Frames::new(theirs);
        ours.write_all(&[1, 0, 0]).expect("sent");
        assert_eq!(frames.next().expect_err("not whole").kind(), ErrorKind::WouldBlock);
        ours.write_all(&[0, 9, 42, 0]).expect("sent");
        assert_eq!(frames.next().expect("whole"), Some((9, vec![42])));
        drop(ours);
        assert_eq!(frames.next().expect("the end"), None);
    }

    #[test]
    fn a_message_over_the_limit_is_refused_before_it_is_read() {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        ours.write_all(&[255, 255, 255, 255, 0]).expect("sent");
        assert_eq!(Frames::new(theirs).next().expect_err("too long").kind(), ErrorKind::InvalidData);
    }
}
