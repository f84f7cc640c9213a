//! Many histories at a time: those of a directory, or of the workflows that a query finds.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use stead_client::{Client, ListError, ListedWorkflow};
use stead_data::history::History;

use super::error::{ReplayError, ReplayManyError};
use super::{Replayer, json_files};
use crate::driver::panic_message;

/// Replays many histories, several at a time. Made by [`Replayer::replay_dir`] and [`Replayer::replay_query`]; awaiting it
/// gives the names of the histories, in order, once all of them have replayed.
#[must_use = "nothing is replayed until it is awaited"]
pub struct ReplayMany<'a> {
    replayer: &'a Replayer,
    source: Source,
    concurrency: usize,
    fail_fast: bool,
    progress: Option<OnProgress<'a>>,
}

type OnProgress<'a> = Box<dyn FnMut(&ReplayProgress<'_>) + Send + 'a>;

/// Where histories come from.
#[derive(Clone)]
enum Source {
    Directory(PathBuf),
    Query { client: Client, query: String },
}

/// A history that was replayed, and how far the whole is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReplayProgress<'a> {
    /// The file, or the ids of workflow and run.
    pub name: &'a str,
    /// Why it did not replay, if it did not.
    pub error: Option<&'a ReplayError>,
    /// How many histories were replayed so far, with this one.
    pub done: usize,
    /// How many of them did not replay.
    pub failed: usize,
    /// How many there are; `None` where that shows only in the end.
    pub total: Option<usize>,
}

/// A history that is still to be had.
enum Item {
    File(PathBuf),
    Workflow { client: Client, workflow_id: String, run_id: String },
}

type Items = BoxStream<'static, Result<Item, ListError>>;
type Outcome = (String, Result<(), ReplayError>);

impl<'a> ReplayMany<'a> {
    pub(super) fn directory(replayer: &'a Replayer, directory: &Path) -> Self {
        Self::new(replayer, Source::Directory(directory.to_owned()))
    }

    pub(super) fn query(replayer: &'a Replayer, client: &Client, query: String) -> Self {
        Self::new(replayer, Source::Query { client: client.clone(), query })
    }

    fn new(replayer: &'a Replayer, source: Source) -> Self {
        let concurrency = std::thread::available_parallelism().map_or(1, Into::into);
        Self { replayer, source, concurrency, fail_fast: false, progress: None }
    }

    /// How many histories are fetched and replayed at the same time; at least one.
    ///
    /// Default: the available parallelism.
    pub fn concurrency(mut self, histories: usize) -> Self {
        self.concurrency = histories.max(1);
        self
    }

    /// Stops at the first history that does not replay.
    ///
    /// Default: all are replayed, and all failures told.
    pub fn fail_fast(mut self) -> Self {
        self.fail_fast = true;
        self
    }

    /// Calls `progress` after each history.
    pub fn on_progress(mut self, progress: impl FnMut(&ReplayProgress<'_>) + Send + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    async fn run(mut self) -> Result<Vec<String>, ReplayManyError> {
        let source = self.source.clone();
        let (items, total) = source.items().map_err(|error| source.unreadable(error))?;
        let replayer = self.replayer;
        let outcomes = items.map(|item| async move {
            match item {
                Ok(item) => Ok(item.replay(replayer).await),
                Err(error) => Err(error),
            }
        });
        let mut outcomes = std::pin::pin!(outcomes.buffer_unordered(self.concurrency));
        let (mut names, mut failures) = (Vec::new(), Vec::new());
        while let Some(outcome) = outcomes.next().await {
            let (name, result) = outcome.map_err(|error| source.unlisted(error))?;
            let failed = failures.len() + usize::from(result.is_err());
            let (done, error) = (names.len() + 1, result.as_ref().err());
            if let Some(progress) = &mut self.progress {
                progress(&ReplayProgress { name: &name, error, done, failed, total });
            }
            names.push(name.clone());
            failures.extend(result.err().map(|error| (name, error)));
            if self.fail_fast && !failures.is_empty() {
                break;
            }
        }
        names.sort_unstable();
        failures.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        match failures.is_empty() {
            true => Ok(names),
            false => Err(ReplayManyError::Failed { of: source.to_string(), histories: names.len(), failures }),
        }
    }
}

impl<'a> IntoFuture for ReplayMany<'a> {
    type Output = Result<Vec<String>, ReplayManyError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        let replayer = self.replayer;
        Box::pin(replayer.within_plugins(self.run()))
    }
}

impl fmt::Debug for ReplayMany<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayMany")
            .field("source", &format_args!("{}", self.source))
            .field("concurrency", &self.concurrency)
            .field("fail_fast", &self.fail_fast)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// The histories, and how many there are where that is known.
    fn items(&self) -> io::Result<(Items, Option<usize>)> {
        match self {
            Self::Directory(directory) => {
                let files = json_files(directory)?;
                if files.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "no histories in it"));
                }
                let total = files.len();
                Ok((stream::iter(files.into_iter().map(Item::File).map(Ok)).boxed(), Some(total)))
            }
            Self::Query { client, query } => {
                let (listed, client) = (client.list_workflows(query), client.clone());
                Ok((listed.map(move |workflow| workflow.map(|it| Item::of(&client, &it))).boxed(), None))
            }
        }
    }

    fn unreadable(&self, source: io::Error) -> ReplayManyError {
        ReplayManyError::Directory { directory: self.to_string(), source }
    }

    fn unlisted(&self, source: ListError) -> ReplayManyError {
        ReplayManyError::List { source }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => write!(f, "`{}`", directory.display()),
            Self::Query { query, .. } => write!(f, "the workflows with `{query}`"),
        }
    }
}

impl Item {
    fn of(client: &Client, listed: &ListedWorkflow) -> Self {
        let (workflow_id, run_id) = (listed.id().to_owned(), listed.run_id().to_owned());
        Self::Workflow { client: client.clone(), workflow_id, run_id }
    }

    fn name(&self) -> String {
        match self {
            Self::File(file) => file.display().to_string(),
            Self::Workflow { workflow_id, run_id, .. } => format!("{workflow_id} {run_id}"),
        }
    }

    async fn replay(self, replayer: &Replayer) -> Outcome {
        let name = self.name();
        let result = match self.history(replayer).await {
            Ok(history) => on_a_thread_of_its_own(replayer.clone(), history).await,
            Err(error) => Err(error),
        };
        (name, result)
    }

    async fn history(self, replayer: &Replayer) -> Result<History, ReplayError> {
        let history = match self {
            Self::File(file) => Replayer::read(&file)?,
            Self::Workflow { client, workflow_id, run_id } => {
                let workflow = client.workflow_named(workflow_id).with_run_id(run_id);
                workflow.history().await.map_err(|source| ReplayError::Fetch { source: Box::new(source) })?
            }
        };
        replayer.decoded(history).await
    }
}

/// Replaying is work, so it does not hold up the others that are being fetched. A panic is the SDK's own: code that panics
/// fails its replay.
async fn on_a_thread_of_its_own(replayer: Replayer, history: History) -> Result<(), ReplayError> {
    let workflow = super::ReplayedWorkflow::of(&history);
    let replayed = tokio::task::spawn_blocking(move || replayer.replay(history)).await;
    replayed.unwrap_or_else(|error| {
        let message = match error.try_into_panic() {
            Ok(panic) => format!("the replay panicked: {}", panic_message(&*panic)),
            Err(error) => format!("the replay was given up: {error}"),
        };
        Err(ReplayError::BadHistory { workflow, message })
    })
}
