//! The attributes that every namespace has, and how many more it may define.

use stead_proto::enums::v1::IndexedValueType::{self, Bool, Datetime, Double, Int, Keyword, KeywordList, Text};

use super::type_name;

/// Facts that the server knows of every workflow.
pub(super) const SYSTEM: [(&str, IndexedValueType); 16] = [
    ("WorkflowId", Keyword),
    ("RunId", Keyword),
    ("WorkflowType", Keyword),
    ("StartTime", Datetime),
    ("ExecutionTime", Datetime),
    ("CloseTime", Datetime),
    ("ExecutionStatus", Keyword),
    ("TaskQueue", Keyword),
    ("HistoryLength", Int),
    ("ExecutionDuration", Int),
    ("StateTransitionCount", Int),
    ("HistorySizeBytes", Int),
    ("ParentWorkflowId", Keyword),
    ("ParentRunId", Keyword),
    ("RootWorkflowId", Keyword),
    ("RootRunId", Keyword),
];

/// Attributes with a meaning to the server that callers may set as well, as SDKs do.
pub(super) const PREDEFINED: [(&str, IndexedValueType); 11] = [
    ("TemporalChangeVersion", KeywordList),
    ("BinaryChecksums", KeywordList),
    ("BuildIds", KeywordList),
    ("BatcherNamespace", Keyword),
    ("BatcherUser", Keyword),
    ("TemporalScheduledStartTime", Datetime),
    ("TemporalScheduledById", Keyword),
    ("TemporalSchedulePaused", Bool),
    ("TemporalNamespaceDivision", Keyword),
    ("TemporalPauseInfo", KeywordList),
    ("TemporalReportedProblems", KeywordList),
];

/// Attributes that only the server sets.
pub(super) const PREDEFINED_READ_ONLY: [(&str, IndexedValueType); 6] = [
    ("TemporalWorkerDeploymentVersion", Keyword),
    ("TemporalWorkflowVersioningBehavior", Keyword),
    ("TemporalWorkerDeployment", Keyword),
    ("TemporalUsedWorkerDeploymentVersions", KeywordList),
    ("TemporalExternalPayloadCount", Int),
    ("TemporalExternalPayloadSizeBytes", Int),
];

/// How many attributes of a type a namespace may define.
pub(super) const FIELDS: [(IndexedValueType, usize); 7] =
    [(Bool, 3), (Datetime, 3), (Double, 3), (Int, 3), (Keyword, 10), (KeywordList, 3), (Text, 3)];

/// Names that are neither attributes nor free.
const RESERVED: [&str; 4] = ["NamespaceId", "MemoEncoding", "Memo", "VisibilityTaskKey"];

/// What names of the server's own begin with.
pub(crate) const PREFIX: &str = "Temporal";

pub(super) fn find(table: &[(&str, IndexedValueType)], name: &str) -> Option<IndexedValueType> {
    table.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

/// The type of an attribute that every namespace has.
pub(crate) fn common(name: &str) -> Option<IndexedValueType> {
    find(&PREDEFINED, name).or_else(|| find(&PREDEFINED_READ_ONLY, name)).or_else(|| find(&SYSTEM, name))
}

/// Whether no namespace may define an attribute of this name.
pub(crate) fn is_reserved(name: &str) -> bool {
    common(name).is_some() || RESERVED.contains(&name) || name.starts_with(PREFIX)
}

/// The fields that attributes of a namespace may take, such as `Keyword01`.
pub(super) fn fields() -> impl Iterator<Item = (String, IndexedValueType)> {
    FIELDS.into_iter().flat_map(|(kind, count)| fields_of(kind, count).map(move |field| (field, kind)))
}

pub(super) fn fields_of(kind: IndexedValueType, count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(move |number| format!("{}{number:02}", type_name(kind)))
}

/// The type of a field that attributes of a namespace may take.
pub(super) fn field_type(field: &str) -> Option<IndexedValueType> {
    let (kind, number) = field.split_at_checked(field.len().checked_sub(2)?)?;
    let (kind, count) = FIELDS.into_iter().find(|(known, _)| type_name(*known) == kind)?;
    (1..=count).contains(&number.parse().ok()?).then_some(kind)
}
