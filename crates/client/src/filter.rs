//! [`Filter`]: queries of lists and counts, put together by type.

use std::{
    fmt,
    marker::PhantomData,
    ops::{BitAnd, BitOr, Not},
    time::SystemTime,
};

use stead_data::{
    Bool, DataConverter, Datetime, Double, Int, Keyword, KeywordList, SearchAttribute, SearchAttributeType, Text,
};

use crate::workflow::WorkflowStatus;

/// A query of a list or a count, put together by type instead of as a string. Values are quoted as the server wants it.
///
/// A condition on a search attribute without a value is neither true nor false, and neither is its opposite, as in SQL: ask
/// for [`is_unset`](FilterOn::is_unset), too.
///
/// ```
/// use stead_client::{Filter, WorkflowStatus};
/// use stead_data::{Int, SearchAttribute};
///
/// const TOTAL: SearchAttribute<Int> = SearchAttribute::new("Total");
///
/// let large = Filter::workflow_type("Order") & !Filter::status(WorkflowStatus::Running) & Filter::on(TOTAL).at_least(100);
/// assert_eq!(
///     large.to_string(),
///     "((WorkflowType = 'Order') AND (NOT (ExecutionStatus = 'Running'))) AND (Total >= 100)"
/// );
/// # let list = |client: stead_client::Client| client.list_workflows(large);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Filter(String);

impl Filter {
    /// Those of a workflow type.
    pub fn workflow_type(name: &str) -> Self {
        Self(format!("WorkflowType = {}", quoted(name)))
    }

    /// The one of a workflow id, in all its runs.
    pub fn workflow_id(id: &str) -> Self {
        Self(format!("WorkflowId = {}", quoted(id)))
    }

    /// Those whose workflow id begins like this.
    pub fn workflow_id_prefix(prefix: &str) -> Self {
        Self(format!("WorkflowId STARTS_WITH {}", quoted(prefix)))
    }

    /// Those of a task queue.
    pub fn task_queue(name: &str) -> Self {
        Self(format!("TaskQueue = {}", quoted(name)))
    }

    /// Those that are where a workflow can be in its life. [`WorkflowStatus::Unknown`] finds nothing.
    pub fn status(status: WorkflowStatus) -> Self {
        let name = match status {
            WorkflowStatus::Running => "Running",
            WorkflowStatus::Paused => "Paused",
            WorkflowStatus::Completed => "Completed",
            WorkflowStatus::Failed => "Failed",
            WorkflowStatus::Cancelled => "Canceled",
            WorkflowStatus::Terminated => "Terminated",
            WorkflowStatus::ContinuedAsNew => "ContinuedAsNew",
            WorkflowStatus::TimedOut => "TimedOut",
            WorkflowStatus::Unknown(_) => return Self("ExecutionStatus IS NULL".to_owned()),
        };
        Self(format!("ExecutionStatus = '{name}'"))
    }

    /// Those that were started at a time or later.
    pub fn started_since(time: SystemTime) -> Self {
        Self::on(SearchAttribute::<Datetime>::new("StartTime")).at_least(time)
    }

    /// Those that closed at a time or later.
    pub fn closed_since(time: SystemTime) -> Self {
        Self::on(SearchAttribute::<Datetime>::new("CloseTime")).at_least(time)
    }

    /// Those whose search attribute is as what follows says. The server's own are search attributes, too.
    pub fn on<T: SearchAttributeType>(attribute: SearchAttribute<T>) -> FilterOn<T> {
        FilterOn { name: attribute.name(), kind: PhantomData }
    }

    /// A condition in the server's own words, for what this type does not say.
    pub fn raw(query: impl Into<String>) -> Self {
        Self(query.into())
    }
}

/// A condition on a search attribute, to be completed.
#[must_use]
pub struct FilterOn<T> {
    name: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> FilterOn<T> {
    /// It has a value.
    pub fn is_set(self) -> Filter {
        Filter(format!("{} IS NOT NULL", self.name))
    }

    /// It has no value.
    pub fn is_unset(self) -> Filter {
        Filter(format!("{} IS NULL", self.name))
    }

    fn compare(self, operator: &str, literal: &str) -> Filter {
        Filter(format!("{} {operator} {literal}", self.name))
    }
}

impl<T: OneValue> FilterOn<T> {
    /// It is this.
    pub fn is(self, value: impl Into<T::Value>) -> Filter {
        self.compare("=", &literal::<T>(value.into()))
    }

    /// It is something else. One without a value is neither this nor something else.
    pub fn is_not(self, value: impl Into<T::Value>) -> Filter {
        self.compare("!=", &literal::<T>(value.into()))
    }
}

impl<T: Ordered> FilterOn<T> {
    /// It is this or more; of a point in time, this one or a later.
    pub fn at_least(self, value: impl Into<T::Value>) -> Filter {
        self.compare(">=", &literal::<T>(value.into()))
    }

    /// It is less than this; of a point in time, an earlier.
    pub fn below(self, value: impl Into<T::Value>) -> Filter {
        self.compare("<", &literal::<T>(value.into()))
    }
}

impl FilterOn<Keyword> {
    /// It begins like this.
    pub fn starts_with(self, prefix: &str) -> Filter {
        self.compare("STARTS_WITH", &quoted(prefix))
    }
}

impl FilterOn<KeywordList> {
    /// One of its values is this.
    pub fn contains(self, value: &str) -> Filter {
        self.compare("=", &quoted(value))
    }
}

/// Types of search attributes that hold one value. Nobody else can add one.
pub trait OneValue: SearchAttributeType {}

impl OneValue for Keyword {}
impl OneValue for Text {}
impl OneValue for Int {}
impl OneValue for Double {}
impl OneValue for Bool {}
impl OneValue for Datetime {}

/// Types of search attributes of which one value is more than another. Nobody else can add one.
pub trait Ordered: OneValue {}

impl Ordered for Int {}
impl Ordered for Double {}
impl Ordered for Datetime {}

impl BitAnd for Filter {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(format!("({self}) AND ({other})"))
    }
}

impl BitOr for Filter {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(format!("({self}) OR ({other})"))
    }
}

impl Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self(format!("NOT ({self})"))
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.0
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T> fmt::Debug for FilterOn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FilterOn").field(&self.name).finish()
    }
}

/// A value as it is written in a query: what is text in JSON is quoted.
fn literal<T: SearchAttributeType>(value: T::Value) -> String {
    let update = SearchAttribute::<T>::new("").set(value);
    let payload = update.into_entry().1;
    match DataConverter::new().from_payload::<String>(&payload) {
        Ok(text) => quoted(&text),
        Err(_) => String::from_utf8_lossy(&payload.data).into_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_by_their_type() {
        const NAME: SearchAttribute<Keyword> = SearchAttribute::new("Name");
        const WHEN: SearchAttribute<Datetime> = SearchAttribute::new("When");
        const TAGS: SearchAttribute<KeywordList> = SearchAttribute::new("Tags");
        let said = |filter: Filter| filter.to_string();
        assert_eq!(said(Filter::on(NAME).is(r"o'clock\")), r"Name = 'o\'clock\\'");
        assert_eq!(said(Filter::on(NAME).is_not("x")), "Name != 'x'");
        assert_eq!(said(Filter::on(NAME).starts_with("x")), "Name STARTS_WITH 'x'");
        assert_eq!(said(Filter::on(NAME).is_set()), "Name IS NOT NULL");
        assert_eq!(said(Filter::on(WHEN).below(SystemTime::UNIX_EPOCH)), "When < '1970-01-01T00:00:00Z'");
        assert_eq!(said(Filter::on(TAGS).contains("a")), "Tags = 'a'");
        assert_eq!(said(Filter::on(SearchAttribute::<Bool>::new("Is")).is(true)), "Is = true");
        assert_eq!(said(Filter::on(SearchAttribute::<Double>::new("D")).at_least(1.5)), "D >= 1.5");
        assert_eq!(said(Filter::raw("a = 1") | Filter::raw("b = 2")), "(a = 1) OR (b = 2)");
    }
}
