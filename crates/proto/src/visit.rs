//! Finds the payloads in a message, for codecs and whatever else treats all payloads alike.
//!
//! Visited is what users wrote: arguments, results, details, memos, summaries, whole failures with their causes. Not
//! visited are search attributes, which the server has to read; what SDKs keep in markers for themselves; and headers,
//! unless the visitor [asks for them](Visitor::wants_headers): they belong to interceptors, which may encode them as they
//! like.
//!
//! A table of the fields to follow is generated from the API's descriptors, so that no new one is forgotten. By hand is
//! what needs more than that.
//!
//! ```
//! use stead_proto::common::v1::{Payload, Payloads};
//! use stead_proto::visit::{put_back_payloads, take_payloads};
//! use stead_proto::workflowservice::v1::SignalWorkflowExecutionRequest;
//!
//! let secret = Payload { data: "secret".into(), ..Payload::default() };
//! let mut request = SignalWorkflowExecutionRequest {
//!     input: Some(Payloads { payloads: vec![secret.clone()] }),
//!     ..Default::default()
//! };
//! let payloads = take_payloads(&mut request);
//! assert_eq!(payloads, [secret]);
//! put_back_payloads(&mut request, payloads)?;
//! # Ok::<(), stead_proto::visit::WrongCount>(())
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::mem;

use prost::Message as _;
use prost_types::Any;

use crate::command::v1::{RecordMarkerCommandAttributes, ScheduleNexusOperationCommandAttributes};
use crate::common::v1::{Header, Payload, Payloads};
use crate::failure::v1::Failure;
use crate::history::v1::{MarkerRecordedEventAttributes, NexusOperationScheduledEventAttributes};
use crate::protocol::v1::Message;
use crate::system;
use crate::update::v1::{Acceptance, Rejection, Request, Response};

/// A message, or a collection of messages, with payloads in it.
pub trait VisitPayloads {
    /// Shows each payload. Two visits of the same message meet the same payloads in the same order, whatever became of
    /// them in between.
    fn visit_payloads(&mut self, visit: &mut dyn Visitor);
}

/// What payloads are shown to; a closure that takes `&mut Payload` is one.
pub trait Visitor {
    /// A payload.
    fn payload(&mut self, payload: &mut Payload);

    /// A failure with its causes, before their payloads are shown one by one.
    fn failure(&mut self, _failure: &mut Failure) {}

    /// Whether the payloads of headers are shown, too.
    fn wants_headers(&self) -> bool {
        false
    }
}

impl<F: FnMut(&mut Payload)> Visitor for F {
    fn payload(&mut self, payload: &mut Payload) {
        self(payload);
    }
}

/// Takes all payloads out of a message; empty ones are left in their place.
pub fn take_payloads(message: &mut (impl VisitPayloads + ?Sized)) -> Vec<Payload> {
    let mut payloads = Vec::new();
    message.visit_payloads(&mut |payload: &mut Payload| payloads.push(mem::take(payload)));
    payloads
}

/// Puts payloads where [`take_payloads`] took them from, or where they were taken from in another copy of the message.
///
/// # Errors
///
/// If there are not as many as the message has places. It is left as it is then.
pub fn put_back_payloads(
    message: &mut (impl VisitPayloads + ?Sized),
    payloads: Vec<Payload>,
) -> Result<(), WrongCount> {
    let (mut expected, found) = (0, payloads.len());
    message.visit_payloads(&mut |_: &mut Payload| expected += 1);
    if expected != found {
        return Err(WrongCount { expected, found });
    }
    let mut payloads = payloads.into_iter();
    message.visit_payloads(&mut |place: &mut Payload| {
        if let Some(payload) = payloads.next() {
            *place = payload;
        }
    });
    Ok(())
}

/// A message was to be given more or fewer payloads than it has places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongCount {
    /// Places in the message.
    pub expected: usize,
    /// Payloads for it.
    pub found: usize,
}

impl fmt::Display for WrongCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} payloads became {}", self.expected, self.found)
    }
}

impl Error for WrongCount {}

impl<T: VisitPayloads> VisitPayloads for Box<T> {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        (**self).visit_payloads(visit);
    }
}

impl<T: VisitPayloads> VisitPayloads for Option<T> {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        self.iter_mut().for_each(|it| it.visit_payloads(visit));
    }
}

impl<T: VisitPayloads> VisitPayloads for Vec<T> {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        self.iter_mut().for_each(|it| it.visit_payloads(visit));
    }
}

impl<T: VisitPayloads> VisitPayloads for BTreeMap<String, T> {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        self.values_mut().for_each(|it| it.visit_payloads(visit));
    }
}

impl VisitPayloads for Payload {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        visit.payload(self);
    }
}

impl VisitPayloads for Header {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        if visit.wants_headers() {
            self.fields.visit_payloads(visit);
        }
    }
}

impl VisitPayloads for Failure {
    /// Goes from cause to cause by a loop: the chain may be longer than the stack allows.
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        visit.failure(self);
        let mut next = Some(self);
        while let Some(failure) = next {
            failure.encoded_attributes.visit_payloads(visit);
            failure.failure_info.visit_payloads(visit);
            next = failure.cause.as_deref_mut();
        }
    }
}

impl VisitPayloads for Message {
    /// The body is one of the messages of the update protocol. Any other is left alone, as is one that cannot be read.
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        if let Some(body) = &mut self.body {
            let _known = visit_body::<Request>(body, visit)
                || visit_body::<Response>(body, visit)
                || visit_body::<Acceptance>(body, visit)
                || visit_body::<Rejection>(body, visit);
        }
    }
}

/// Visits the message in `body` if it is an `M`.
fn visit_body<M>(body: &mut Any, visit: &mut dyn Visitor) -> bool
where
    M: VisitPayloads + prost::Message + prost::Name + Default,
{
    let Ok(mut message) = body.to_msg::<M>() else { return false };
    message.visit_payloads(visit);
    body.value = message.encode_to_vec();
    true
}

impl VisitPayloads for RecordMarkerCommandAttributes {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        visit_marker_details(&self.marker_name, &mut self.details, visit);
        self.failure.visit_payloads(visit);
    }
}

impl VisitPayloads for MarkerRecordedEventAttributes {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        visit_marker_details(&self.marker_name, &mut self.details, visit);
        self.failure.visit_payloads(visit);
    }
}

/// Of the markers of Temporal's SDKs only what the user's code was given or returned is the user's; all SDKs read the rest
/// as it is. Markers of anybody else are the user's as a whole.
fn visit_marker_details(marker: &str, details: &mut BTreeMap<String, Payloads>, visit: &mut dyn Visitor) {
    let is_sdks = marker.starts_with("core_");
    details
        .iter_mut()
        .filter(|(key, _)| !is_sdks || matches!(key.as_str(), "input" | "result"))
        .for_each(|(_, payloads)| payloads.visit_payloads(visit));
}

impl VisitPayloads for ScheduleNexusOperationCommandAttributes {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        visit_operation_input(&self.endpoint, &self.operation, &mut self.input, visit);
    }
}

impl VisitPayloads for NexusOperationScheduledEventAttributes {
    fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
        visit_operation_input(&self.endpoint, &self.operation, &mut self.input, visit);
    }
}

/// The input of an operation of the server is a request that the server reads: the user's is what is in it.
fn visit_operation_input(endpoint: &str, operation: &str, input: &mut Option<Payload>, visit: &mut dyn Visitor) {
    let Some(mut request) = system::signal_with_start(endpoint, operation, input.as_ref()) else {
        return input.visit_payloads(visit);
    };
    request.visit_payloads(visit);
    if let Some(input) = input {
        input.data = request.encode_to_vec().into();
    }
}

/// Follows the listed fields of structs and variants of oneofs, in the order of the list.
macro_rules! visit {
    ($($kind:tt $name:path { $($member:ident)+ })+) => { $(visit_one! { $kind $name { $($member)+ } })+ };
}

macro_rules! visit_one {
    (struct $name:path { $($field:ident)+ }) => {
        #[allow(deprecated, reason = "what newer servers no longer send, older ones do")]
        impl VisitPayloads for $name {
            fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
                $(self.$field.visit_payloads(visit);)+
            }
        }
    };
    (enum $name:path { $($variant:ident)+ }) => {
        impl VisitPayloads for $name {
            fn visit_payloads(&mut self, visit: &mut dyn Visitor) {
                #[allow(unreachable_patterns, reason = "in some all variants have payloads")]
                match self {
                    $(Self::$variant(it) => it.visit_payloads(visit),)+
                    _ => {}
                }
            }
        }
    };
}

include!("generated/visit.rs");

#[cfg(test)]
mod tests;
