//! `temporal.api.testservice.v1.TestService`: how test environments of other SDKs skip time. Served only where time can
//! be skipped.

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use stead_proto::testservice::v1::{GetCurrentTimeResponse, SleepRequest, SleepUntilRequest};

use super::frame::framed;
use super::health::unreadable;
use super::inbox::{Inbox, stopped};
use crate::clock::{ClockError, Request};
use crate::engine::{Code, Refusal, Time, duration};

pub(super) const SERVICE: &str = "temporal.api.testservice.v1.TestService";

/// The framed answer of a call; `None` if there is no such call.
pub(super) async fn call(inbox: &Inbox, method: &str, message: Bytes) -> Option<Result<Bytes, Refusal>> {
    let request = read(method, message)?;
    Some(answer(inbox, method, request).await)
}

async fn answer(inbox: &Inbox, method: &str, request: Result<Request, Refusal>) -> Result<Bytes, Refusal> {
    let now = inbox.clock(request?).await.map_err(refusal)?;
    match method {
        "GetCurrentTime" => {
            let response = GetCurrentTimeResponse { time: Some(now.timestamp()) };
            framed(response.encoded_len(), |buffer| response.encode_raw(buffer))
        }
        // All others say nothing.
        _ => framed(0, |_| ()),
    }
}

fn read(method: &str, message: Bytes) -> Option<Result<Request, Refusal>> {
    Some(match method {
        "GetCurrentTime" => Ok(Request::Now),
        "LockTimeSkipping" => Ok(Request::Lock),
        "UnlockTimeSkipping" => Ok(Request::Unlock),
        "UnlockTimeSkippingWithSleep" => sleep(message).map(Request::UnlockFor),
        "Sleep" => sleep(message).map(Request::Sleep),
        "SleepUntil" => sleep_until(message).map(Request::SleepUntil),
        _ => return None,
    })
}

fn sleep(message: Bytes) -> Result<std::time::Duration, Refusal> {
    let request = SleepRequest::decode(message).map_err(|error| unreadable(&error))?;
    Ok(duration(request.duration.as_ref()).unwrap_or_default())
}

fn sleep_until(message: Bytes) -> Result<Time, Refusal> {
    let request = SleepUntilRequest::decode(message).map_err(|error| unreadable(&error))?;
    let timestamp: Timestamp = request.timestamp.unwrap_or_default();
    Ok(Time::from_timestamp(&timestamp))
}

fn refusal(error: ClockError) -> Refusal {
    match error {
        ClockError::Stopped => stopped(),
        // As an exception that the Java test server does not catch.
        ClockError::Unbalanced => Refusal::new(Code::Unknown, "Unbalanced lock and unlock calls"),
        ClockError::Real => Refusal::failed_precondition(error.to_string()),
    }
}
