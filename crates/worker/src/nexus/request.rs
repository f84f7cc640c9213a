//! A Nexus task, read.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use stead_data::Payload;
use stead_data::nexus::{Callback, Link};
use stead_data::time::time_from_proto;
use stead_nexus::{Info, OperationToken, StartInfo};
use stead_proto::nexus::v1::request::Variant;
use stead_proto::nexus::v1::{CancelOperationRequest, StartOperationRequest};
use stead_proto::workflowservice::v1::PollNexusTaskQueueResponse;

use crate::shared::Shared;

/// What is asked of a handler.
pub(super) struct Request {
    /// Names the task to the server.
    pub(super) token: Bytes,
    pub(super) ask: Ask,
    pub(super) info: Info,
    /// How long the answer is of use; `None` if the server does not say.
    pub(super) patience: Option<Duration>,
    /// Whether the server reads failures as they are, and not only in the form that the Nexus specification has.
    pub(super) speaks_failures: bool,
}

pub(super) enum Ask {
    /// To start an operation with this input.
    Start(Option<Payload>),
    /// To cancel the operation with this token.
    Cancel(OperationToken),
    /// Nothing that is known here.
    Nothing,
}

/// The service and the operation that a task is about.
pub(super) fn names(task: &PollNexusTaskQueueResponse) -> (&str, &str) {
    match task.request.as_ref().and_then(|request| request.variant.as_ref()) {
        Some(Variant::StartOperation(it)) => (&it.service, &it.operation),
        Some(Variant::CancelOperation(it)) => (&it.service, &it.operation),
        None => ("", ""),
    }
}

impl Request {
    pub(super) fn read(shared: &Shared, task: PollNexusTaskQueueResponse) -> Self {
        let mut info = Info::default();
        let (service, operation) = names(&task);
        (info.service, info.operation) = (service.to_owned(), operation.to_owned());
        (info.namespace, info.task_queue) = (shared.namespace.clone(), shared.task_queue.clone());
        let request = task.request.unwrap_or_default();
        info.endpoint = request.endpoint;
        info.scheduled_time = request.scheduled_time.as_ref().map(time_from_proto);
        info.headers = request.header.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
        let patience = info.headers.get(REQUEST_TIMEOUT).and_then(|text| duration(text));
        info.deadline = patience.and_then(|patience| SystemTime::now().checked_add(patience));
        let ask = match request.variant {
            Some(Variant::StartOperation(start)) => {
                let (start, payload) = start_info(start);
                info.start = Some(start);
                Ask::Start(payload)
            }
            Some(Variant::CancelOperation(cancel)) => Ask::Cancel(token(cancel)),
            None => Ask::Nothing,
        };
        let speaks_failures = request.capabilities.is_some_and(|it| it.temporal_failure_responses);
        Self { token: task.task_token, ask, info, patience, speaks_failures }
    }
}

fn start_info(start: StartOperationRequest) -> (StartInfo, Option<Payload>) {
    let StartOperationRequest { request_id, callback, payload, callback_header, links, .. } = start;
    let mut info = StartInfo::default();
    info.request_id = request_id;
    info.callback = (!callback.is_empty()).then(|| Callback::new(callback, callback_header));
    info.links = links.into_iter().map(|link| Link::new(link.url, link.r#type)).collect();
    (info, payload)
}

#[expect(deprecated, reason = "older servers send the operation id alone")]
fn token(cancel: CancelOperationRequest) -> OperationToken {
    let CancelOperationRequest { operation_id, operation_token, .. } = cancel;
    OperationToken::new(if operation_token.is_empty() { operation_id } else { operation_token })
}

/// A duration as Go writes it, such as `9.5s`, `1m30s` or `250ms`.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let unit = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * unit;
        rest = after;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

/// How long the caller waits for the answer, as the Nexus specification names it.
const REQUEST_TIMEOUT: &str = "request-timeout";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nx_10_timeouts_are_read_as_go_writes_them() {
        for (text, millis) in
            [("10s", 10_000), ("9.5s", 9_500), ("250ms", 250), ("1m30s", 90_000), ("1h0m0.5s", 3_600_500), ("0s", 0)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "s", "-1s", "10y", "1.2.3s", "99999999999999999999999h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
