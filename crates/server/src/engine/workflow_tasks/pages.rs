//! Completions of workflow tasks that are too large for one message: they come in pages, and the commands of all but the
//! last are kept until that one comes. Nothing of it is stored: a worker whose pages are lost sends them again.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use stead_proto::command::v1::Command;
use stead_proto::errordetails::v1::WorkflowTaskCompletionBufferLostFailure;
use stead_proto::workflowservice::v1::RespondWorkflowTaskCompletedRequest;

use super::is_of_started_task;
use crate::engine::Refusal;
use crate::engine::namespaces::COMPLETION_SIZE_LIMIT;
use crate::engine::refusal::Code;
use crate::engine::run::{Run, RunKey};
use crate::engine::token::TaskToken;

/// The pages of completions whose last one has not come.
#[derive(Debug, Default)]
pub(in crate::engine) struct Pages {
    by_run: HashMap<RunKey, Begun>,
    size: usize,
}

#[derive(Debug)]
struct Begun {
    task: TaskToken,
    pages: BTreeMap<i32, Vec<Command>>,
    size: usize,
}

/// Why a page is not kept.
#[derive(Debug)]
pub(super) enum NotKept {
    /// The completion is larger than any may be.
    TooLarge,
    /// The call is refused, and the task goes on.
    Refused(Refusal),
}

impl Pages {
    /// Keeps a page that others follow. One that is there already is kept as it is.
    pub(super) fn keep(
        &mut self,
        run: RunKey,
        task: &TaskToken,
        request: &mut RespondWorkflowTaskCompletedRequest,
    ) -> Result<(), NotKept> {
        let page = request.page_number;
        if let Err(refusal) = check(request) {
            self.forget(run);
            return Err(NotKept::Refused(refusal));
        }
        let begun =
            self.by_run.entry(run).or_insert_with(|| Begun { task: task.clone(), pages: BTreeMap::new(), size: 0 });
        if begun.pages.contains_key(&page) {
            return Ok(());
        }
        let commands = std::mem::take(&mut request.commands);
        let size: usize = commands.iter().map(Message::encoded_len).sum();
        if begun.size + size > COMPLETION_SIZE_LIMIT {
            self.forget(run);
            return Err(NotKept::TooLarge);
        }
        if self.size + size > TOTAL {
            self.forget(run);
            let message = format!("workflow task completion buffer memory limit reached while buffering page {page}");
            return Err(NotKept::Refused(lost(message)));
        }
        begun.pages.insert(page, commands);
        begun.size += size;
        self.size += size;
        Ok(())
    }

    /// Puts the commands of the earlier pages before those of the last one.
    pub(super) fn complete(
        &mut self,
        run: RunKey,
        task: &TaskToken,
        request: &mut RespondWorkflowTaskCompletedRequest,
    ) -> Result<(), Refusal> {
        check(request)?;
        let Some(mut begun) = self.forget(run) else {
            let (event, attempt) = (task.scheduled_event_id, task.attempt);
            let message = format!("workflow task completion buffer lost for scheduled event {event} attempt {attempt}");
            return Err(lost(message));
        };
        let last = request.page_number;
        let mut commands = Vec::new();
        for page in 0..last {
            let earlier = begun
                .pages
                .remove(&page)
                .ok_or_else(|| lost(format!("workflow task completion buffer missing page {page} of {last}")))?;
            commands.extend(earlier);
        }
        commands.append(&mut request.commands);
        request.commands = commands;
        Ok(())
    }

    /// A run has changed: what its worker has sent for a task that is over is of no use.
    pub(in crate::engine) fn changed(&mut self, run: &Run) {
        if self.by_run.get(&run.key).is_some_and(|begun| !is_of_started_task(run, &begun.task)) {
            self.forget(run.key);
        }
    }

    pub(in crate::engine) fn forget_run(&mut self, run: RunKey) {
        self.forget(run);
    }

    fn forget(&mut self, run: RunKey) -> Option<Begun> {
        let begun = self.by_run.remove(&run)?;
        self.size -= begun.size;
        Some(begun)
    }
}

fn check(request: &RespondWorkflowTaskCompletedRequest) -> Result<(), Refusal> {
    if request.page_number < 0 {
        return Err(Refusal::invalid("workflow task completion pagination page number must be non-negative"));
    }
    if request.page_number >= MAX_PAGES {
        let message = format!("workflow task completion pagination supports at most {MAX_PAGES} pages");
        return Err(Refusal::invalid(message));
    }
    if request.intermediate_page && request.commands.is_empty() {
        return Err(Refusal::invalid("intermediate workflow task page must carry at least one command"));
    }
    Ok(())
}

/// Says to the worker that it is to begin with the first page again.
fn lost(message: String) -> Refusal {
    Refusal::new(Code::Aborted, message).with(&WorkflowTaskCompletionBufferLostFailure {})
}

/// How many pages a completion may have.
const MAX_PAGES: i32 = 1024;
/// Bytes of all pages together.
const TOTAL: usize = 256 << 20;
