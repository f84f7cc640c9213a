//! Lists that are read page by page, and counts, whatever it is that they list and count.

use std::{
    collections::VecDeque,
    fmt,
    marker::PhantomData,
    task::{Context, Poll},
};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use stead_data::{BoxFuture, CodecError, ConversionError, DataConverter, Payload};

use crate::{
    client::Client,
    connection::{CallOptions, RpcError},
    interceptor::Intercepted,
    workflow::predicates,
};

/// Nothing could be listed or counted.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The server does not understand the query.
    #[error("the query `{query}` is not understood")]
    InvalidQuery {
        /// The query.
        query: String,
        /// What the server said.
        source: RpcError,
    },
    /// The codec refused a memo.
    #[error("a memo of the list cannot be decoded")]
    Codec(#[from] CodecError),
    /// The call failed. It may be repeated.
    #[error(transparent)]
    Rpc(RpcError),
}

predicates!(ListError);

impl ListError {
    pub(crate) fn refused(query: String, error: RpcError) -> Self {
        match error.code() {
            tonic::Code::InvalidArgument => Self::InvalidQuery { query, source: error },
            _ => Self::Rpc(error),
        }
    }
}

/// A page of a list on its way, as interceptors see it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ListCall<T> {
    /// What to find; all if it is empty.
    pub query: String,
    /// The largest number of items; 0 for the server's choice.
    pub page_size: i32,
    /// Where the page begins; empty for the first.
    pub next_page_token: Bytes,
    /// How the call is made.
    pub options: CallOptions,
    item: PhantomData<fn() -> T>,
}

/// A count on its way, as interceptors see it.
#[derive(Debug)]
#[non_exhaustive]
pub struct CountCall<T> {
    /// What to count; all if it is empty.
    pub query: String,
    /// How the call is made.
    pub options: CallOptions,
    item: PhantomData<fn() -> T>,
}

impl<T> CountCall<T> {
    pub(crate) fn new(query: String, options: CallOptions) -> Self {
        Self { query, options, item: PhantomData }
    }
}

/// One answer of the server, as interceptors see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page<T> {
    /// What it has.
    pub items: Vec<T>,
    /// Where the next page begins; empty after the last.
    pub next_page_token: Bytes,
}

/// Asks for a page.
pub(crate) fn ask<T>(client: Client, query: &str, page_size: i32, token: Bytes, options: &CallOptions) -> Reading<T>
where
    ListCall<T>: Intercepted<Output = Page<T>, Error = ListError>,
{
    let (query, options) = (query.to_owned(), options.clone());
    let call = ListCall { query, page_size, next_page_token: token, options, item: PhantomData };
    Box::pin(async move { client.perform(call).await })
}

/// A page on its way.
pub(crate) type Reading<T> = BoxFuture<'static, Result<Page<T>, ListError>>;

/// Where in the list one is.
pub(crate) struct Reader<T> {
    pub(crate) left: Option<usize>,
    read: VecDeque<T>,
    /// The token of the page to read next, empty for the first; `None` after the last.
    next: Option<Bytes>,
    reading: Option<Reading<T>>,
}

impl<T> Reader<T> {
    pub(crate) fn new() -> Self {
        Self { left: None, read: VecDeque::new(), next: Some(Bytes::new()), reading: None }
    }

    /// The next item; `ask` asks for the page of a token. A page that failed is asked for again.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        mut ask: impl FnMut(Bytes) -> Reading<T>,
    ) -> Poll<Option<Result<T, ListError>>> {
        loop {
            if self.left == Some(0) {
                return Poll::Ready(None);
            }
            if let Some(item) = self.read.pop_front() {
                self.left = self.left.map(|left| left - 1);
                return Poll::Ready(Some(Ok(item)));
            }
            let Some(token) = &self.next else { return Poll::Ready(None) };
            let reading = self.reading.get_or_insert_with(|| ask(token.clone()));
            let Poll::Ready(page) = reading.as_mut().poll(cx) else { return Poll::Pending };
            self.reading = None;
            match page {
                Ok(Page { items, next_page_token }) => {
                    self.next = Some(next_page_token).filter(|token| !token.is_empty());
                    self.read.extend(items);
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

/// A list as users see it: `next`, a stream, the limits and the options of its calls, for a builder with `reader`,
/// `page_size` and `options`, and a method `ask` that asks for the page of a token. With a page size to begin with, what
/// makes the builder and `ask` are those of a list of what a query finds.
macro_rules! list {
    ($list:ident, $item:ty, $what:literal, page_size: $page_size:literal) => {
        $crate::listing::list!($list, $item, $what);

        impl $list {
            pub(crate) fn new(client: $crate::Client, query: String) -> Self {
                let (options, reader) = ($crate::CallOptions::new(), $crate::listing::Reader::new());
                Self { client, query, page_size: $page_size, options, reader }
            }

            fn ask(&self, next_page_token: bytes::Bytes) -> $crate::listing::Reading<$item> {
                $crate::listing::ask(self.client.clone(), &self.query, self.page_size, next_page_token, &self.options)
            }
        }
    };
    ($list:ident, $item:ty, $what:literal) => {
        impl $list {
            #[doc = concat!("The largest number of ", $what, ". Default: all.")]
            pub fn limit(mut self, items: usize) -> Self {
                self.reader.left = Some(items);
                self
            }

            #[doc = concat!("The largest number of ", $what, " that the server sends at once. Default: the server's choice.")]
            pub fn page_size(mut self, items: u32) -> Self {
                self.page_size = i32::try_from(items).unwrap_or(i32::MAX);
                self
            }

            /// The deadline of each call to the server, retries included. Default: see
            /// [`CallOptions`](crate::CallOptions).
            pub fn rpc_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.timeout = timeout;
                self
            }

            /// Headers of the calls to the server.
            pub fn rpc_metadata(mut self, metadata: crate::Metadata) -> Self {
                self.options.metadata = metadata;
                self
            }

            #[doc = concat!("The next of the ", $what, "; `None` after the last.")]
            ///
            /// # Errors
            ///
            /// See [`ListError`](crate::ListError). Calling it again tries the same page again.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when the future is dropped.
            pub async fn next(&mut self) -> Option<Result<$item, $crate::ListError>> {
                std::future::poll_fn(|cx| futures_core::Stream::poll_next(std::pin::Pin::new(&mut *self), cx)).await
            }
        }

        impl futures_core::Stream for $list {
            type Item = Result<$item, $crate::ListError>;

            fn poll_next(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Self::Item>> {
                let mut reader = std::mem::replace(&mut self.reader, $crate::listing::Reader::new());
                let polled = reader.poll_next(cx, |token| self.ask(token));
                self.reader = reader;
                polled
            }
        }

        impl std::fmt::Debug for $list {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($list)).field("query", &self.query).finish_non_exhaustive()
            }
        }
    };
}

/// A count as users see it, for a builder with `options` and the call of its item.
macro_rules! count {
    ($count:ident, $item:ty) => {
        impl $count {
            pub(crate) fn new(client: $crate::Client, query: String) -> Self {
                Self { client, query, options: $crate::CallOptions::new() }
            }

            /// The deadline of the call to the server, retries included. Default: see
            /// [`CallOptions`](crate::CallOptions).
            pub fn rpc_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.timeout = timeout;
                self
            }

            /// Headers of the call to the server.
            pub fn rpc_metadata(mut self, metadata: crate::Metadata) -> Self {
                self.options.metadata = metadata;
                self
            }
        }

        impl std::future::IntoFuture for $count {
            type Output = Result<$crate::Count, $crate::ListError>;
            type IntoFuture = stead_data::BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                let call = $crate::listing::CountCall::<$item>::new(self.query, self.options);
                Box::pin(async move { self.client.perform(call).await })
            }
        }
    };
}

pub(crate) use {count, list};

/// How many a query finds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Count {
    /// All of them; about that many if there are very many.
    pub count: u64,
    /// The groups of a query that has `GROUP BY`.
    pub groups: Vec<CountGroup>,
}

/// Those that have the values in common that the query groups by.
#[derive(Clone)]
pub struct CountGroup {
    values: Vec<Payload>,
    count: u64,
    converter: DataConverter,
}

impl Count {
    pub(crate) fn new(count: i64, groups: impl Iterator<Item = (Vec<Payload>, i64)>) -> Self {
        let group = |(values, count)| CountGroup { values, count: unsigned(count), converter: DataConverter::new() };
        Self { count: unsigned(count), groups: groups.map(group).collect() }
    }
}

impl CountGroup {
    /// How many they are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// One of the values that they have in common, in the order of the query; `None` if there is no such value.
    ///
    /// # Errors
    ///
    /// The value is not a `T`.
    pub fn value<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, ConversionError> {
        self.values.get(index).map(|payload| self.converter.from_payload(payload)).transpose()
    }
}

impl fmt::Debug for CountGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountGroup").field("count", &self.count).finish_non_exhaustive()
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
