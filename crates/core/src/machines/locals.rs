//! The local activities of a run: which run, which have ended and wait for a workflow task, and which ends history
//! tells of before the code gets there.

use std::collections::VecDeque;
use std::time::SystemTime;

use stead_activation::{CallSite, Payload, ScheduleLocalActivity, Seq};
use stead_proto::enums::v1::CommandType;
use stead_proto::history::v1::HistoryEvent;

use super::commands::{UnknownReference, ended};
use super::local_activity::{Began, CancelLocalActivity, End, LocalActivity, Moment};
use super::pending::{What, wire_with_summary};
use super::{Index, Machines, Step, Table};
use crate::fault::{Fault, Problem};
use crate::flags::Flag;
use crate::local::{LocalActivityAttempt, LocalActivityOutcome, LocalActivityStop};
use crate::marker::{LocalActivityMarker, Parsed};
use crate::{Instant, MismatchKind};

/// The local activities of a run. Most runs have none.
#[derive(Debug, Default)]
pub(super) struct Locals {
    pub(super) table: Table<LocalActivity>,
    /// Markers that the sequence ahead holds, in its order.
    foretold: VecDeque<LocalActivityMarker>,
    /// Those that are over, in that order. The code is told as soon as there is a task.
    over: VecDeque<Index>,
    requests: VecDeque<LocalRequest>,
    /// Attempts that began in this workflow task, of activities that began in an earlier one.
    later_attempts: u32,
}

/// What the driver is asked for.
#[derive(Debug)]
pub(crate) enum LocalRequest {
    Start(Box<LocalActivityAttempt>),
    Stop { seq: Seq, attempt: u32, why: LocalActivityStop },
}

/// What the code does.
impl Machines {
    /// While replaying, history may know how it ends; otherwise it runs.
    pub(super) fn schedule_local_activity(
        &mut self,
        request: Box<ScheduleLocalActivity>,
    ) -> Result<(), UnknownReference> {
        let (seq, time) = (request.seq, self.progress.time);
        let locals = self.locals.get_or_insert_default();
        let index = locals.table.insert(seq, LocalActivity::new(request, time)).ok_or(UnknownReference)?;
        if !self.progress.is_replaying {
            locals.begin(index, Began { time, at: self.now });
        }
        Ok(())
    }

    pub(super) fn cancel_local_activity(&mut self, seq: Seq, at: Option<CallSite>) -> Result<(), UnknownReference> {
        let Some(locals) = &mut self.locals else { return Err(UnknownReference) };
        let Some(index) = locals.table.by_seq(seq) else { return ended(locals.table.has_had(seq)) };
        let cancel = locals.table.get_mut(index).map_or(CancelLocalActivity::Nothing, LocalActivity::cancel);
        match cancel {
            CancelLocalActivity::Nothing => {}
            CancelLocalActivity::Tell { attempt } => locals.stop(seq, attempt, LocalActivityStop::Cancelled),
            CancelLocalActivity::End { tell, end } => {
                // An attempt that the driver has not heard of is never made.
                if !locals.take_back(seq)
                    && let Some(attempt) = tell
                {
                    locals.stop(seq, attempt, LocalActivityStop::Cancelled);
                }
                self.record_end(index, *end, at);
            }
        }
        // What history says of it comes now, as it would have come now the first time.
        let foretold = self.locals.as_ref().and_then(|locals| locals.foretold.iter().position(|it| it.seq == seq));
        if let Some(place) = foretold.filter(|place| self.is_foretold_due(*place)) {
            self.foretell_at(place);
        }
        Ok(())
    }

    /// Records how a local activity ended, and tells the code.
    fn record_end(&mut self, index: Index, end: End, at: Option<CallSite>) {
        let activation_index = self.progress.activation_index;
        let Some(locals) = &mut self.locals else { return };
        let seq = locals.table.seq(index);
        let Some(machine) = locals.table.get_mut(index) else { return };
        let marker = machine.record(seq, end, activation_index);
        self.jobs.push(machine.resolution(marker.clone()));
        let request = &mut machine.request;
        let arguments = request.include_arguments_in_marker.then(|| std::mem::take(&mut request.arguments));
        let summary = request.summary.take();
        self.advance_time(marker.complete_time);
        self.issue(What::RecordLocalActivity(index), at, |_| record_marker(marker, arguments, summary));
    }

    /// Workflow time goes on while a local activity runs.
    fn advance_time(&mut self, complete_time: Option<SystemTime>) {
        if let Some(time) = complete_time {
            self.progress.time = self.progress.time.max(time);
        }
    }
}

/// What history tells.
impl Machines {
    /// The sequence ahead holds the marker of a local activity.
    pub(super) fn notice_local_activity(&mut self, event: &mut HistoryEvent) -> Result<(), Fault> {
        let marker = match LocalActivityMarker::take_from(event) {
            Parsed::Other => return Ok(()),
            Parsed::Unreadable => return Err(Fault::event(event, Problem::Missing("readable details"))),
            Parsed::Marker(marker) => marker,
        };
        let locals = self.locals.get_or_insert_default();
        let machine = locals.table.by_seq(marker.seq).and_then(|index| locals.table.get(index));
        // What this worker has recorded itself is no news.
        if machine.is_some_and(LocalActivity::is_expected) || !locals.table.has_had(marker.seq) {
            locals.foretold.push_back(marker);
        }
        Ok(())
    }

    /// Tells the code of ends that were seen ahead, each in the activation in which it was told the first time.
    ///
    /// If there would be no activation they are told at once: markers do not always say when, and code may have changed
    /// in ways that history allows.
    pub(super) fn foretell(&mut self) {
        if self.locals.as_ref().is_none_or(|locals| locals.foretold.is_empty()) {
            return;
        }
        while self.is_foretold_due(0) && self.foretell_at(0) {}
        if self.jobs.is_empty() {
            while self.foretell_at(0) {}
        }
    }

    fn is_foretold_due(&self, place: usize) -> bool {
        let marker = self.locals.as_ref().and_then(|locals| locals.foretold.get(place));
        marker.is_some_and(|it| it.activation_index.is_none_or(|index| index <= self.progress.activation_index))
    }

    /// Tells the code of an end that was seen ahead, if the code has scheduled the activity.
    fn foretell_at(&mut self, place: usize) -> bool {
        let Some(locals) = &mut self.locals else { return false };
        let Some(seq) = locals.foretold.get(place).map(|marker| marker.seq) else { return false };
        let index = locals.table.by_seq(seq);
        let Some(machine) = index.and_then(|index| locals.table.get_mut(index)) else { return false };
        let Some(marker) = locals.foretold.remove(place) else { return false };
        machine.foretell();
        let complete_time = marker.complete_time;
        self.jobs.push(machine.resolution(marker));
        self.advance_time(complete_time);
        true
    }

    /// History holds the marker of a local activity. The command of one that ended while it was replayed never was.
    pub(super) fn record_local_activity(
        &mut self,
        marker: &LocalActivityMarker,
        event: &HistoryEvent,
    ) -> Result<(), Fault> {
        let index = self.locals.as_ref().and_then(|locals| locals.table.by_seq(marker.seq));
        let Some(index) = index else {
            return Err(self.mismatch(MismatchKind::MissingCommand, event, self.pending.front()));
        };
        let machine = self.locals.as_ref().and_then(|locals| locals.table.get(index));
        if machine.is_some_and(LocalActivity::is_in_line) {
            self.pending.skip_patches();
            let command = self.pending.pop();
            if !command.as_ref().is_some_and(|it| matches!(it.what, What::RecordLocalActivity(own) if own == index)) {
                return Err(self.mismatch(MismatchKind::Different, event, command.as_ref()));
            }
        }
        let checks = self.flags.is_recorded(Flag::IdAndTypeChecks);
        let step = machine_step(self.locals.as_deref(), index, |machine| {
            if checks && !machine.matches(marker) { Err(MismatchKind::Different) } else { Ok(machine.recorded()) }
        });
        match step {
            Ok(Step::Ended(_)) => {
                self.locals.as_mut().and_then(|locals| locals.table.remove(index));
                Ok(())
            }
            Ok(_) => Err(self.mismatch_of(MismatchKind::OutOfOrder, event, &What::RecordLocalActivity(index))),
            Err(kind) => Err(self.mismatch_of(kind, event, &What::RecordLocalActivity(index))),
        }
    }
}

fn machine_step(
    locals: Option<&Locals>,
    index: Index,
    step: impl FnOnce(&LocalActivity) -> Result<Step, MismatchKind>,
) -> Result<Step, MismatchKind> {
    locals.and_then(|locals| locals.table.get(index)).ok_or(MismatchKind::UnknownOperation).and_then(step)
}

/// What happens in the meantime.
impl Machines {
    /// An attempt ended.
    pub(crate) fn handle_local_activity(&mut self, seq: Seq, attempt: u32, outcome: LocalActivityOutcome) {
        let now = self.now;
        let Some(locals) = &mut self.locals else { return };
        let Some(index) = locals.table.by_seq(seq) else { return };
        if locals.table.get_mut(index).is_some_and(|machine| machine.finished(attempt, outcome, now)) {
            locals.over.push_back(index);
        }
    }

    /// Attempts whose moment has come are asked for, and activities whose time is over end.
    pub(crate) fn handle_local_timeouts(&mut self) {
        let now = self.now;
        let Some(locals) = &mut self.locals else { return };
        let due: Vec<_> = locals.table.iter().filter(|(_, it)| it.timeout().is_some_and(|at| at <= now)).collect();
        let due: Vec<_> = due.into_iter().map(|(index, _)| index).collect();
        for index in due {
            locals.handle_timeout(index, now);
        }
    }

    /// When [`handle_local_timeouts`](Self::handle_local_timeouts) has something to do.
    pub(crate) fn next_local_timeout(&self) -> Option<Instant> {
        self.locals.as_ref()?.table.iter().filter_map(|(_, machine)| machine.timeout()).min()
    }

    /// The next thing to ask of the driver.
    pub(crate) fn take_local_request(&mut self) -> Option<LocalRequest> {
        self.locals.as_mut()?.requests.pop_front()
    }

    /// Whether local activities run.
    pub(crate) fn has_running_local_activities(&self) -> bool {
        self.locals.as_ref().is_some_and(|locals| locals.table.iter().any(|(_, machine)| machine.is_running()))
    }

    /// History is over: what it did not tell of runs, and what has ended is told to the code.
    pub(crate) fn catch_up_with_local_activities(&mut self) {
        if self.progress.is_ended {
            return;
        }
        let began = Began { time: self.progress.time, at: self.now };
        let Some(locals) = &mut self.locals else { return };
        locals.begin_expected(began);
        while let Some((index, end)) = self.locals.as_mut().and_then(|locals| locals.next_end()) {
            self.record_end(index, end, None);
        }
    }

    /// A task is completed. Returns how many attempts began in it of activities that are older than it.
    pub(crate) fn count_later_attempts(&mut self) -> u32 {
        let Some(locals) = &mut self.locals else { return 0 };
        locals.table.iter_mut().for_each(|(_, machine)| machine.outlives_task());
        std::mem::take(&mut locals.later_attempts)
    }

    /// Nobody waits for local activities any more.
    pub(crate) fn stop_local_activities(&mut self) {
        let Some(locals) = &mut self.locals else { return };
        locals.requests.retain(|request| matches!(request, LocalRequest::Stop { .. }));
        let running: Vec<_> =
            locals.table.iter().filter_map(|(_, it)| Some((it.request.seq, it.running_attempt()?))).collect();
        for (seq, attempt) in running {
            locals.stop(seq, attempt, LocalActivityStop::RunGone);
        }
    }
}

impl Locals {
    fn begin(&mut self, index: Index, began: Began) {
        let Some(machine) = self.table.get_mut(index) else { return };
        if machine.begin(began) {
            self.start(index, began.at);
        } else {
            self.over.push_back(index);
        }
    }

    /// In the order in which the code scheduled them.
    fn begin_expected(&mut self, began: Began) {
        let mut expected: Vec<_> =
            self.table.iter().filter(|(_, it)| it.is_expected()).map(|(index, it)| (it.request.seq, index)).collect();
        expected.sort_unstable_by_key(|(seq, _)| *seq);
        for (_, index) in expected {
            self.begin(index, began);
        }
    }

    fn start(&mut self, index: Index, now: Instant) {
        let attempt = self.table.get(index).and_then(|machine| machine.attempt(now));
        self.requests.extend(attempt.map(|attempt| LocalRequest::Start(Box::new(attempt))));
    }

    fn stop(&mut self, seq: Seq, attempt: u32, why: LocalActivityStop) {
        self.requests.push_back(LocalRequest::Stop { seq, attempt, why });
    }

    /// Takes an attempt back that the driver has not heard of. Returns whether there was one.
    fn take_back(&mut self, seq: Seq) -> bool {
        let before = self.requests.len();
        self.requests.retain(|request| !matches!(request, LocalRequest::Start(attempt) if attempt.seq == seq));
        self.requests.len() < before
    }

    fn handle_timeout(&mut self, index: Index, now: Instant) {
        let seq = self.table.seq(index);
        match self.table.get_mut(index).map_or(Moment::Nothing, |machine| machine.handle_timeout(now)) {
            Moment::Nothing => {}
            Moment::Attempt { is_old } => {
                self.later_attempts += u32::from(is_old);
                self.start(index, now);
            }
            Moment::Over { tell } => {
                if let Some(attempt) = tell {
                    self.stop(seq, attempt, LocalActivityStop::TimedOut);
                }
                self.over.push_back(index);
            }
        }
    }

    /// The first of those that are over, unless the code has cancelled it in the meantime.
    fn next_end(&mut self) -> Option<(Index, End)> {
        while let Some(index) = self.over.pop_front() {
            if let Some(end) = self.table.get_mut(index).and_then(LocalActivity::take_end) {
                return Some((index, end));
            }
        }
        None
    }
}

fn record_marker(
    marker: LocalActivityMarker,
    arguments: Option<Vec<Payload>>,
    summary: Option<Payload>,
) -> stead_proto::command::v1::Command {
    wire_with_summary(CommandType::RecordMarker, marker.into_command(arguments), summary)
}
