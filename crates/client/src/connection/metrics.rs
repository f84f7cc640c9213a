//! The metrics of calls, as all of Temporal's SDKs have them. Without a sink they cost nothing.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use stead_data::metrics::{Metric, MetricKind, MetricSink};
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::workflowservice::v1 as api;
use tonic::Code;

/// The metrics of the attempts of one call.
pub(super) struct CallMetrics<'a> {
    sink: &'a Arc<dyn MetricSink>,
    rpc: &'static str,
    namespace: Option<&'a str>,
    task_queue: Option<&'a str>,
    is_long: bool,
}

impl<'a> CallMetrics<'a> {
    pub(super) fn new(
        sink: &'a Arc<dyn MetricSink>,
        rpc: &'static str,
        namespace: Option<&'a str>,
        request: &'a dyn Any,
    ) -> Self {
        Self { sink, rpc, namespace, task_queue: task_queue(request), is_long: is_long(rpc, request) }
    }

    /// An attempt began.
    pub(super) fn attempt(&self) -> Instant {
        let metric = if self.is_long { &LONG_REQUEST } else { &REQUEST };
        self.sink.record(metric, 1.into(), self.labels(None).as_slice());
        Instant::now()
    }

    /// It ended, with this code.
    pub(super) fn ended(&self, began: Instant, code: Code) {
        let (latency, failure) = match self.is_long {
            true => (&LONG_REQUEST_LATENCY, &LONG_REQUEST_FAILURE),
            false => (&REQUEST_LATENCY, &REQUEST_FAILURE),
        };
        self.sink.record(latency, began.elapsed().into(), self.labels(None).as_slice());
        if code != Code::Ok {
            self.sink.record(failure, 1.into(), self.labels(Some(code_name(code))).as_slice());
        }
    }

    fn labels(&self, status_code: Option<&'static str>) -> Labels<'a> {
        let mut labels = Labels { all: [("operation", self.rpc); 4], len: 1 };
        labels.add("namespace", self.namespace);
        labels.add("task_queue", self.task_queue);
        labels.add("status_code", status_code);
        labels
    }
}

/// As many labels as a call can have, without an allocation.
struct Labels<'a> {
    all: [(&'a str, &'a str); 4],
    len: usize,
}

impl<'a> Labels<'a> {
    fn add(&mut self, name: &'a str, value: Option<&'a str>) {
        if let (Some(value), Some(place)) = (value, self.all.get_mut(self.len)) {
            *place = (name, value);
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[(&'a str, &'a str)] {
        &self.all[..self.len]
    }
}

/// The task queue that a request names; of a sticky one the queue that it belongs to.
fn task_queue(request: &dyn Any) -> Option<&str> {
    fn name(queue: &Option<TaskQueue>) -> Option<&str> {
        queue.as_ref().map(|queue| if queue.normal_name.is_empty() { &*queue.name } else { &*queue.normal_name })
    }
    if let Some(request) = request.downcast_ref::<api::PollWorkflowTaskQueueRequest>() {
        name(&request.task_queue)
    } else if let Some(request) = request.downcast_ref::<api::PollActivityTaskQueueRequest>() {
        name(&request.task_queue)
    } else if let Some(request) = request.downcast_ref::<api::PollNexusTaskQueueRequest>() {
        name(&request.task_queue)
    } else if let Some(request) = request.downcast_ref::<api::StartWorkflowExecutionRequest>() {
        name(&request.task_queue)
    } else if let Some(request) = request.downcast_ref::<api::SignalWithStartWorkflowExecutionRequest>() {
        name(&request.task_queue)
    } else {
        None
    }
}

/// Whether Temporal's SDKs count a call among the long ones.
fn is_long(rpc: &str, request: &dyn Any) -> bool {
    match rpc {
        "PollWorkflowTaskQueue"
        | "PollActivityTaskQueue"
        | "PollNexusTaskQueue"
        | "UpdateWorkflowExecution"
        | "ExecuteMultiOperation"
        | "PollWorkflowExecutionTimeSkipping" => true,
        _ => request
            .downcast_ref::<api::GetWorkflowExecutionHistoryRequest>()
            .is_some_and(|request| request.wait_new_event),
    }
}

/// The name of a code in the specification of gRPC.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

const REQUEST: Metric<'_> = Metric::sdk(MetricKind::Counter, "request", "Calls to the server, each attempt");
const REQUEST_FAILURE: Metric<'_> = Metric::sdk(MetricKind::Counter, "request_failure", "Calls that failed");
const REQUEST_LATENCY: Metric<'_> = Metric::sdk(MetricKind::Histogram, "request_latency", "Duration of calls");
const LONG_REQUEST: Metric<'_> = Metric::sdk(MetricKind::Counter, "long_request", "Long polls, each attempt");
const LONG_REQUEST_FAILURE: Metric<'_> =
    Metric::sdk(MetricKind::Counter, "long_request_failure", "Long polls that failed");
const LONG_REQUEST_LATENCY: Metric<'_> =
    Metric::sdk(MetricKind::Histogram, "long_request_latency", "Duration of long polls");
