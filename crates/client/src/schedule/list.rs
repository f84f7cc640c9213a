//! Finding and counting schedules.

use std::{fmt, time::SystemTime};

use serde::de::DeserializeOwned;
use stead_data::{CodecError, ConversionError, DataConverter, PayloadMap, SearchAttributes, time::time_from_proto};
use stead_proto::{
    schedule::v1::{ScheduleListEntry, ScheduleListInfo},
    workflowservice::v1::{CountSchedulesRequest, ListSchedulesRequest},
};

use super::{ScheduleHandle, ScheduleSpec, ScheduledRun};
use crate::{
    client::Client,
    connection::CallOptions,
    interceptor::Operation,
    listing::{Count, CountCall, ListCall, ListError, Page, Reader, count, list},
    payloads::{self, Owner},
};

/// The schedules that a query finds, page by page; made by [`Client::list_schedules`].
///
/// Nothing is asked before the first [`next`](Self::next). It is a [`Stream`](futures_core::Stream) too. The server's
/// index may be a moment behind.
#[must_use = "nothing is asked for before the first `next`"]
pub struct ListSchedules {
    client: Client,
    query: String,
    page_size: i32,
    options: CallOptions,
    reader: Reader<ListedSchedule>,
}

// A server takes no page size as one of nothing.
list!(ListSchedules, ListedSchedule, "schedules", page_size: 1000);

impl Operation for ListCall<ListedSchedule> {
    type Output = Page<ListedSchedule>;
    type Error = ListError;

    async fn send(self, client: &Client) -> Result<Page<ListedSchedule>, ListError> {
        let Self { query, page_size, next_page_token, options, .. } = self;
        let request = ListSchedulesRequest {
            namespace: client.namespace().to_owned(),
            maximum_page_size: page_size,
            next_page_token,
            query: query.clone(),
        };
        let answer = client.service().list_schedules(request, options).await;
        let answer = answer.map_err(|error| ListError::refused(query, error))?;
        let mut items = Vec::with_capacity(answer.schedules.len());
        for entry in answer.schedules {
            items.push(ListedSchedule::new(client, entry).await?);
        }
        Ok(Page { items, next_page_token: answer.next_page_token })
    }
}

/// A schedule that was found, as the server's index sees it, which may be a moment behind.
#[derive(Clone)]
pub struct ListedSchedule {
    client: Client,
    raw: ScheduleListEntry,
    info: ScheduleListInfo,
    memo: PayloadMap,
    converter: DataConverter,
}

impl ListedSchedule {
    async fn new(client: &Client, raw: ScheduleListEntry) -> Result<Self, CodecError> {
        let converter = client.data_converter().clone();
        let memo = payloads::decode(&Owner::unknown(client), raw.memo.clone().unwrap_or_default().fields).await?;
        let info = raw.info.clone().unwrap_or_default();
        Ok(Self { client: client.clone(), raw, info, memo, converter })
    }

    /// The schedule's id.
    pub fn id(&self) -> &str {
        &self.raw.schedule_id
    }

    /// A handle to it.
    pub fn handle(&self) -> ScheduleHandle {
        self.client.schedule(self.id())
    }

    /// When it acts; `None` if the index does not know.
    pub fn spec(&self) -> Option<ScheduleSpec> {
        self.info.spec.clone().map(ScheduleSpec::from_wire)
    }

    /// The type of the workflow that it starts.
    pub fn workflow_type(&self) -> &str {
        self.info.workflow_type.as_ref().map_or("", |it| &it.name)
    }

    /// The note for people.
    pub fn note(&self) -> &str {
        &self.info.notes
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.info.paused
    }

    /// What it has done last, the latest at the end; a server tells five.
    pub fn recent_actions(&self) -> Vec<ScheduledRun> {
        self.info.recent_actions.iter().map(ScheduledRun::from_wire).collect()
    }

    /// When it acts next; a server tells five times.
    pub fn next_action_times(&self) -> Vec<SystemTime> {
        self.info.future_action_times.iter().map(time_from_proto).collect()
    }

    /// The memo's value for a key; `None` if there is none.
    ///
    /// # Errors
    ///
    /// The value is not a `T`.
    pub fn memo<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ConversionError> {
        self.memo.get(key).map(|payload| self.converter.from_payload(payload)).transpose()
    }

    /// What the server finds the schedule by.
    pub fn search_attributes(&self) -> SearchAttributes {
        SearchAttributes::from_payloads(self.raw.search_attributes.clone().unwrap_or_default().indexed_fields)
    }

    /// All that the server said, payloads as they came.
    pub fn raw(&self) -> &ScheduleListEntry {
        &self.raw
    }
}

// Written by hand: the memo holds users' data.
impl fmt::Debug for ListedSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListedSchedule")
            .field("id", &self.id())
            .field("workflow_type", &self.workflow_type())
            .field("is_paused", &self.is_paused())
            .finish_non_exhaustive()
    }
}

/// A count to be asked for; made by [`Client::count_schedules`]. Awaiting it asks.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct CountSchedules {
    client: Client,
    query: String,
    options: CallOptions,
}

count!(CountSchedules, ListedSchedule);

impl Operation for CountCall<ListedSchedule> {
    type Output = Count;
    type Error = ListError;

    async fn send(self, client: &Client) -> Result<Count, ListError> {
        let Self { query, options, .. } = self;
        let request = CountSchedulesRequest { namespace: client.namespace().to_owned(), query: query.clone() };
        let answer = client.service().count_schedules(request, options).await;
        let answer = answer.map_err(|error| ListError::refused(query, error))?;
        Ok(Count::new(answer.count, answer.groups.into_iter().map(|group| (group.group_values, group.count))))
    }
}
