//! [`WorkerFilter`]: which workers a list shows. The language is that of the other filters, in a smaller form of its own.
//!
//! A condition that asks for what there is not is no mistake here: no worker meets it, as on the real server.

use prost_types::Timestamp;
use stead_proto::enums::v1::WorkerStatus;
use stead_proto::worker::v1::WorkerHeartbeat;

use super::literal::Constant;
use super::query::{Expr, Is, Literal, Operator, parse_condition};
use crate::engine::Refusal;
use crate::engine::search_attributes::parse_datetime;

/// A condition that workers meet or do not.
#[derive(Clone, Debug)]
pub(crate) struct WorkerFilter {
    /// None shows every worker.
    condition: Option<Expr>,
}

impl WorkerFilter {
    /// Reads a query about workers.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub(crate) fn parse(query: &str) -> Result<Self, Refusal> {
        let text = query.trim();
        if text.is_empty() {
            return Ok(Self { condition: None });
        }
        let start = text.to_ascii_lowercase();
        if start.starts_with("where ") || start.starts_with("select ") {
            return Err(Refusal::invalid(format!("invalid filter: {text}")));
        }
        let query = parse_condition(text).map_err(|error| Refusal::invalid(format!("malformed query: {error}")))?;
        if query.limited {
            return Err(Refusal::invalid("operation is not supported: 'limit' clause"));
        }
        Ok(Self { condition: query.condition })
    }

    /// Whether a worker meets the condition.
    pub(crate) fn matches(&self, worker: &WorkerHeartbeat) -> bool {
        self.condition.as_ref().is_none_or(|condition| holds(condition, worker) == Some(true))
    }
}

/// `None` when the condition asks for what there is not.
fn holds(expr: &Expr, worker: &WorkerHeartbeat) -> Option<bool> {
    match expr {
        Expr::And(parts) => until(parts, worker, false),
        Expr::Or(parts) => until(parts, worker, true),
        Expr::Paren(inner) => holds(inner, worker),
        Expr::Compare { left, operator, right } => comparison(column(left)?, *operator, right, worker),
        Expr::Between { left, negated, from, to } => {
            let (seen, from, to) = (time(column(left)?, worker)?, instant(from)?, instant(to)?);
            Some(seen.is_some_and(|seen| (from..=to).contains(&micros(seen)) != *negated))
        }
        Expr::Is { left, test: Is::Null } => is_null(column(left)?, worker),
        Expr::Is { left, test: Is::NotNull } => is_null(column(left)?, worker).map(|null| !null),
        _ => None,
    }
}

/// Whether one part is `decisive`. Parts after it are not looked at.
fn until(parts: &[Expr], worker: &WorkerHeartbeat, decisive: bool) -> Option<bool> {
    for part in parts {
        if holds(part, worker)? == decisive {
            return Some(decisive);
        }
    }
    Some(!decisive)
}

fn comparison(name: &str, operator: Operator, right: &Expr, worker: &WorkerHeartbeat) -> Option<bool> {
    if let Some(seen) = text(name, worker) {
        let Expr::Literal(Literal::String(wanted)) = right else { return None };
        return if wanted.is_empty() { None } else { compare_text(seen, operator, wanted) };
    }
    let order = micros(time(name, worker)?.unwrap_or_default()).cmp(&instant(right)?);
    match operator {
        Operator::Equal => Some(order.is_eq()),
        Operator::NotEqual => Some(order.is_ne()),
        Operator::Less => Some(order.is_lt()),
        Operator::LessOrEqual => Some(order.is_le()),
        Operator::Greater => Some(order.is_gt()),
        Operator::GreaterOrEqual => Some(order.is_ge()),
        _ => None,
    }
}

fn compare_text(seen: &str, operator: Operator, wanted: &str) -> Option<bool> {
    match operator {
        Operator::Equal => Some(seen == wanted),
        Operator::NotEqual => Some(seen != wanted),
        Operator::StartsWith => Some(seen.starts_with(wanted)),
        Operator::NotStartsWith => Some(!seen.starts_with(wanted)),
        _ => None,
    }
}

fn is_null(name: &str, worker: &WorkerHeartbeat) -> Option<bool> {
    text(name, worker).map(str::is_empty).or_else(|| time(name, worker).map(|seen| seen.is_none()))
}

fn column(expr: &Expr) -> Option<&str> {
    if let Expr::Column(name) = expr { Some(name.trim_matches('`')) } else { None }
}

/// Columns that are texts. `status` is what the language makes of an unquoted `Status`.
fn text<'a>(name: &str, worker: &'a WorkerHeartbeat) -> Option<&'a str> {
    let version = worker.deployment_version.as_ref();
    Some(match name {
        "WorkerInstanceKey" => &worker.worker_instance_key,
        "WorkerIdentity" => &worker.worker_identity,
        "HostName" => worker.host_info.as_ref().map_or("", |host| &host.host_name),
        "TaskQueue" => &worker.task_queue,
        "DeploymentName" => version.map_or("", |version| &version.deployment_name),
        "BuildId" => version.map_or("", |version| &version.build_id),
        "SdkName" => &worker.sdk_name,
        "SdkVersion" => &worker.sdk_version,
        "WorkerStatus" | "status" => match worker.status() {
            WorkerStatus::Unspecified => "Unspecified",
            WorkerStatus::Running => "Running",
            WorkerStatus::ShuttingDown => "ShuttingDown",
            WorkerStatus::Shutdown => "Shutdown",
        },
        _ => return None,
    })
}

/// Columns that are times; the worker may not say.
fn time(name: &str, worker: &WorkerHeartbeat) -> Option<Option<Timestamp>> {
    match name {
        "StartTime" => Some(worker.start_time),
        "HeartbeatTime" => Some(worker.heartbeat_time),
        _ => None,
    }
}

/// An instant, as text or in nanoseconds, in microseconds.
fn instant(expr: &Expr) -> Option<i64> {
    let Expr::Literal(literal) = expr else { return None };
    match Constant::read(literal)? {
        Constant::Int(nanos) => Some(nanos.div_euclid(1_000)),
        Constant::String(text) => parse_datetime(&text),
        _ => None,
    }
}

fn micros(time: Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos / 1_000))
}

#[cfg(test)]
mod tests {
    use stead_proto::deployment::v1::WorkerDeploymentVersion;

    use super::*;

    #[test]
    fn workers_are_found_by_what_they_say() {
        let worker = WorkerHeartbeat {
            worker_instance_key: "k1".to_owned(),
            worker_identity: "me".to_owned(),
            task_queue: "q".to_owned(),
            deployment_version: Some(WorkerDeploymentVersion {
                deployment_name: "d".to_owned(),
                build_id: "b".to_owned(),
            }),
            status: WorkerStatus::Running.into(),
            heartbeat_time: Some(Timestamp { seconds: 60, nanos: 0 }),
            ..WorkerHeartbeat::default()
        };
        let matches = |query: &str| WorkerFilter::parse(query).unwrap().matches(&worker);
        for query in [
            "",
            "WorkerInstanceKey = 'k1'",
            "Status = 'Running' AND WorkerStatus = 'Running'",
            "WorkerIdentity STARTS_WITH 'm' AND DeploymentName = \"d\" AND BuildId != 'c'",
            "(TaskQueue = 'x' OR TaskQueue = 'q') AND HostName IS NULL AND StartTime IS NULL",
            "HeartbeatTime = '1970-01-01T00:01:00Z' AND HeartbeatTime BETWEEN 0 AND 60000000000",
            "TaskQueue = 'q' OR Foo = 'x'",
        ] {
            assert!(matches(query), "{query}");
        }
        for query in [
            "`Status` = 'Running'",
            "Foo = 'x'",
            "NOT TaskQueue = 'x'",
            "TaskQueue = ''",
            "TaskQueue IN ('q')",
            "TaskQueue > 'a'",
            "TaskQueue",
            "StartTime BETWEEN 0 AND 5",
            "Foo = 'x' OR TaskQueue = 'q'",
        ] {
            assert!(!matches(query), "{query}");
        }
    }

    #[test]
    fn what_is_no_query_is_refused() {
        let message = |query: &str| WorkerFilter::parse(query).unwrap_err().message;
        assert_eq!(message("TaskQueue ="), "malformed query: syntax error at position 39");
        assert_eq!(message("where x = 1"), "invalid filter: where x = 1");
        assert_eq!(message("TaskQueue = 'q' LIMIT 1"), "operation is not supported: 'limit' clause");
    }
}
