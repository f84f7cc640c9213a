//! Finding and counting activities that no workflow started.

use std::time::SystemTime;

use stead_data::{SearchAttributes, time::time_from_proto};
use stead_proto::{
    activity::v1::ActivityExecutionListInfo,
    workflowservice::v1::{CountActivityExecutionsRequest, ListActivityExecutionsRequest},
};

use super::{ActivityHandle, ActivityStatus};
use crate::{
    client::Client,
    connection::CallOptions,
    interceptor::Operation,
    listing::{Count, CountCall, ListCall, ListError, Page, Reader, count, list},
};

/// The activities without a workflow that a query finds, page by page; made by [`Client::list_activities`].
///
/// Nothing is asked before the first [`next`](Self::next). It is a [`Stream`](futures_core::Stream) too.
#[must_use = "nothing is asked for before the first `next`"]
pub struct ListActivities {
    client: Client,
    query: String,
    page_size: i32,
    options: CallOptions,
    reader: Reader<ListedActivity>,
}

list!(ListActivities, ListedActivity, "activities", page_size: 1000);

impl Operation for ListCall<ListedActivity> {
    type Output = Page<ListedActivity>;
    type Error = ListError;

    async fn send(self, client: &Client) -> Result<Page<ListedActivity>, ListError> {
        let Self { query, page_size, next_page_token, options, .. } = self;
        let request = ListActivityExecutionsRequest {
            namespace: client.namespace().to_owned(),
            page_size,
            next_page_token,
            query: query.clone(),
        };
        let answer = client.service().list_activity_executions(request, options).await;
        let answer = answer.map_err(|error| ListError::refused(query, error))?;
        let item = |raw| ListedActivity { client: client.clone(), raw };
        let items = answer.executions.into_iter().map(item).collect();
        Ok(Page { items, next_page_token: answer.next_page_token })
    }
}

/// An activity that was found, as the server's index sees it, which may be a moment behind.
#[derive(Debug, Clone)]
pub struct ListedActivity {
    client: Client,
    raw: ActivityExecutionListInfo,
}

impl ListedActivity {
    /// The activity's id.
    pub fn id(&self) -> &str {
        &self.raw.activity_id
    }

    /// The run.
    pub fn run_id(&self) -> &str {
        &self.raw.run_id
    }

    /// The activity type.
    pub fn activity_type(&self) -> &str {
        self.raw.activity_type.as_ref().map_or("", |it| &it.name)
    }

    /// The task queue that its workers poll.
    pub fn task_queue(&self) -> &str {
        &self.raw.task_queue
    }

    /// Where it is in its life.
    pub fn status(&self) -> ActivityStatus {
        ActivityStatus::from_wire(self.raw.status)
    }

    /// When it was started by its caller.
    pub fn scheduled_time(&self) -> Option<SystemTime> {
        self.raw.schedule_time.as_ref().map(time_from_proto)
    }

    /// When it ended.
    pub fn close_time(&self) -> Option<SystemTime> {
        // Of one that runs, the index has the beginning of time.
        self.raw.close_time.as_ref().filter(|time| time.seconds > 0).map(time_from_proto)
    }

    /// What the server finds it by.
    pub fn search_attributes(&self) -> SearchAttributes {
        SearchAttributes::from_payloads(self.raw.search_attributes.clone().unwrap_or_default().indexed_fields)
    }

    /// A handle to this run.
    pub fn handle<O>(&self) -> ActivityHandle<O> {
        ActivityHandle::new(self.client.clone(), self.raw.activity_id.clone(), Some(self.raw.run_id.clone()))
    }

    /// All that the server said.
    pub fn raw(&self) -> &ActivityExecutionListInfo {
        &self.raw
    }
}

/// A count to be asked for; made by [`Client::count_activities`]. Awaiting it asks.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct CountActivities {
    client: Client,
    query: String,
    options: CallOptions,
}

count!(CountActivities, ListedActivity);

impl Operation for CountCall<ListedActivity> {
    type Output = Count;
    type Error = ListError;

    async fn send(self, client: &Client) -> Result<Count, ListError> {
        let Self { query, options, .. } = self;
        let request = CountActivityExecutionsRequest { namespace: client.namespace().to_owned(), query: query.clone() };
        let answer = client.service().count_activity_executions(request, options).await;
        let answer = answer.map_err(|error| ListError::refused(query, error))?;
        Ok(Count::new(answer.count, answer.groups.into_iter().map(|group| (group.group_values, group.count))))
    }
}
