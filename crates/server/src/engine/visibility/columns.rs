//! [`Column`]: what a filter can name, which depends on the kind of record, and what a record has there.

use std::cmp::Ordering;

use stead_proto::enums::v1::IndexedValueType::{self, Datetime, Int, Keyword};

use super::index::Row;
use super::record::Kind;
use crate::engine::Time;
use crate::engine::search_attributes::{PREFIX, Registry, Value, common};

/// A column, as a filter named it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) field: Field,
    pub(super) kind: IndexedValueType,
}

/// Where the values of a column are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    Id,
    RunId,
    TypeName,
    StartTime,
    ExecutionTime,
    CloseTime,
    /// By number.
    Status,
    /// By name.
    StatusName,
    TaskQueue,
    HistoryLength,
    ExecutionDuration,
    StateTransitions,
    HistorySize,
    ParentId,
    ParentRunId,
    RootId,
    RootRunId,
    /// A search attribute.
    Attribute(String),
    /// A column that only this kind of record has.
    Own(&'static str),
    /// There is nothing.
    Void,
}

/// What a record has in a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Seen<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    /// Microseconds since the Unix epoch.
    Datetime(i64),
    Text(&'a str),
    List(&'a [String]),
}

/// The columns of one kind of record in one namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns<'a> {
    pub(super) kind: Kind,
    pub(super) registry: Registry<'a>,
}

/// The attribute that says to which part of a namespace an execution belongs.
pub(super) const DIVISION: &str = "TemporalNamespaceDivision";

impl Columns<'_> {
    /// The namespace's own attributes come first, then the kind's columns, then those that all have.
    pub(super) fn find(&self, name: &str) -> Option<Column> {
        let column = |field, kind| Some(Column { name: name.to_owned(), field, kind });
        if common(name).is_none()
            && let Some(kind) = self.registry.custom(name)
        {
            return column(Field::Attribute(name.to_owned()), kind);
        }
        if let Some((field, kind)) = self.own(name).or_else(|| self.fixed(name)) {
            return column(field, kind);
        }
        let (field, kind) = self.with_or_without_prefix(name)?;
        column(field, kind)
    }

    /// Columns of this kind alone.
    fn own(&self, name: &str) -> Option<(Field, IndexedValueType)> {
        let id = |alias: &str| (name.strip_prefix(PREFIX).unwrap_or(name) == alias).then_some((Field::Id, Keyword));
        match (self.kind, name) {
            (Kind::Workflow, _) => None,
            (_, "ExecutionStatus") => Some((Field::StatusName, Keyword)),
            (Kind::Activity, "ActivityType") => Some((Field::TypeName, Keyword)),
            (Kind::Activity, _) => id("ActivityId"),
            (Kind::NexusOperation, "Endpoint") => Some((Field::Own("Endpoint"), Keyword)),
            (Kind::NexusOperation, "Service") => Some((Field::Own("Service"), Keyword)),
            (Kind::NexusOperation, "Operation") => Some((Field::Own("Operation"), Keyword)),
            (Kind::NexusOperation, "RequestId") => Some((Field::Own("RequestId"), Keyword)),
            (Kind::NexusOperation, _) => id("OperationId"),
            (Kind::Schedule, "ScheduleNextActionTime") => Some((Field::Own("ScheduleNextActionTime"), Datetime)),
            (Kind::Schedule, "ScheduleIdleCloseTime") => Some((Field::Own("ScheduleIdleCloseTime"), Datetime)),
            (Kind::Schedule, "ScheduleRunningWorkflowCount") => Some((Field::Own("ScheduleRunningWorkflowCount"), Int)),
            (Kind::Schedule, "ScheduleBufferedStartsCount") => Some((Field::Own("ScheduleBufferedStartsCount"), Int)),
            (Kind::Schedule, _) => None,
        }
    }

    /// Columns that all have, by their full names.
    fn fixed(&self, name: &str) -> Option<(Field, IndexedValueType)> {
        if let Some((alias, kind)) = self.registry.behind(name) {
            return Some((alias.map_or(Field::Void, |alias| Field::Attribute(alias.to_owned())), kind));
        }
        let kind = common(name)?;
        let field = match name {
            "WorkflowId" => Field::Id,
            "RunId" => Field::RunId,
            "WorkflowType" => Field::TypeName,
            "StartTime" => Field::StartTime,
            "ExecutionTime" => Field::ExecutionTime,
            "CloseTime" => Field::CloseTime,
            "ExecutionStatus" => Field::Status,
            "TaskQueue" => Field::TaskQueue,
            "HistoryLength" => Field::HistoryLength,
            "ExecutionDuration" => Field::ExecutionDuration,
            "StateTransitionCount" => Field::StateTransitions,
            "HistorySizeBytes" => Field::HistorySize,
            "ParentWorkflowId" => Field::ParentId,
            "ParentRunId" => Field::ParentRunId,
            "RootWorkflowId" => Field::RootId,
            "RootRunId" => Field::RootRunId,
            attribute => Field::Attribute(attribute.to_owned()),
        };
        Some((field, kind))
    }

    /// `ScheduledById` is `TemporalScheduledById`, `TemporalWorkflowType` is `WorkflowType`.
    fn with_or_without_prefix(&self, name: &str) -> Option<(Field, IndexedValueType)> {
        match name.strip_prefix(PREFIX) {
            Some("ScheduleId") => Some((Field::Id, Keyword)),
            Some(rest) => self.fixed(rest),
            None if name == "ScheduleId" => Some((Field::Id, Keyword)),
            None => self.fixed(&format!("{PREFIX}{name}")),
        }
    }
}

impl Field {
    /// What a record has here. `None` is SQL's null.
    pub(super) fn of<'a>(&self, row: &'a Row, kind: Kind) -> Option<Seen<'a>> {
        let record = &row.record;
        let at_end = |value| record.close_time.map(|_| Seen::Int(value));
        match self {
            Self::Id => Some(Seen::Text(&record.id)),
            Self::RunId => Some(Seen::Text(&record.run_id)),
            Self::TypeName => Some(Seen::Text(&record.type_name)),
            Self::StartTime => Some(instant(record.start_time)),
            Self::ExecutionTime => Some(instant(record.execution_time)),
            Self::CloseTime => record.close_time.map(instant),
            Self::Status => Some(Seen::Int(record.status.into())),
            Self::StatusName => Some(Seen::Text(kind.status_name(record.status))),
            Self::TaskQueue => Some(Seen::Text(&record.task_queue)),
            Self::HistoryLength => at_end(record.history_length),
            Self::StateTransitions => at_end(record.state_transitions),
            Self::HistorySize => at_end(record.history_size),
            Self::ExecutionDuration => {
                let lasted = record.close_time?.since(record.execution_time);
                Some(Seen::Int(i64::try_from(lasted.as_nanos()).unwrap_or(i64::MAX)))
            }
            Self::ParentId => record.parent.as_ref().map(|parent| Seen::Text(&parent.workflow_id)),
            Self::ParentRunId => record.parent.as_ref().map(|parent| Seen::Text(&parent.run_id)),
            Self::RootId => Some(Seen::Text(record.root.as_ref().map_or("", |root| &root.workflow_id))),
            Self::RootRunId => Some(Seen::Text(record.root.as_ref().map_or("", |root| &root.run_id))),
            Self::Attribute(name) => row.values.get(name).map(Seen::from),
            Self::Own(name) => record.own.iter().find(|(own, _)| own == name).map(|(_, value)| Seen::from(value)),
            Self::Void => None,
        }
    }
}

impl<'a> From<&'a Value> for Seen<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Double(value) => Self::Double(*value),
            Value::Datetime(value) => Self::Datetime(*value),
            Value::Keyword(value) | Value::Text(value) => Self::Text(value),
            Value::KeywordList(values) => Self::List(values),
        }
    }
}

impl Seen<'_> {
    /// How this stands to another value. `None` if they cannot be compared.
    pub(super) fn compare(self, other: Seen<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(one), Seen::Bool(other)) => Some(one.cmp(&other)),
            (Self::Int(one), Seen::Int(other)) | (Self::Datetime(one), Seen::Datetime(other)) => Some(one.cmp(&other)),
            (Self::Int(one), Seen::Double(other)) => compare_mixed(one, other),
            (Self::Double(one), Seen::Int(other)) => compare_mixed(other, one).map(Ordering::reverse),
            (Self::Double(one), Seen::Double(other)) => one.partial_cmp(&other),
            (Self::Text(one), Seen::Text(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

fn instant(time: Time) -> Seen<'static> {
    Seen::Datetime(time.unix_nanos().div_euclid(1_000))
}

/// Exact: not every integer is a double.
fn compare_mixed(integer: i64, double: f64) -> Option<Ordering> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= BEYOND {
        return Some(Ordering::Less);
    }
    if double < -BEYOND {
        return Some(Ordering::Greater);
    }
    Some(
        integer.cmp(&(double.trunc() as i64)).then_with(|| 0.0.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal)),
    )
}
