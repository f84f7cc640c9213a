//! Commands on their way: issued by the code, waiting for the event that records them.

use std::collections::VecDeque;

use stead_activation::{CallSite, EventGroupMarker};
use stead_proto::command::v1::{Command, command};
use stead_proto::enums::v1::CommandType;
use stead_proto::sdk::v1::UserMetadata;

use super::table::Index;
use crate::patch::Patch;

/// The commands of a run that wait for their events. History records them in the order in which they were issued.
#[derive(Debug, Default)]
pub(super) struct Pending {
    commands: VecDeque<PendingCommand>,
}

/// A command that waits for its event.
#[derive(Debug)]
pub(super) struct PendingCommand {
    pub(super) what: What,
    /// The line of the user's source that issued it.
    pub(super) at: Option<CallSite>,
    /// As it goes on the wire, until it has. `None` while replaying, when it has gone long ago.
    wire: Option<Box<Command>>,
}

impl PendingCommand {
    /// Whether its event should be in history: it was sent, or history was being replayed when it was issued.
    pub(super) const fn is_due(&self) -> bool {
        self.wire.is_none()
    }
}

/// What a command does, as far as its event must match.
#[derive(Debug)]
pub(super) enum What {
    StartTimer {
        index: Index,
        duration: std::time::Duration,
    },
    CancelTimer(Index),
    ScheduleActivity(Index),
    CancelActivity(Index),
    RecordLocalActivity(Index),
    StartChild(Index),
    /// The request to cancel a child, and the child's number.
    CancelChild(Index),
    SignalExternal(Index),
    CancelExternal(Index),
    UpsertSearchAttributes,
    UpsertMemo,
    ScheduleNexusOperation(Index),
    CancelNexusOperation(Index),
    AcceptUpdate(Index),
    CompleteUpdate(Index),
    Patch(Box<Patch>),
    /// The search attribute that lists the run's patches.
    RecordPatches,
    CompleteWorkflow,
    FailWorkflow,
    CancelWorkflow,
    ContinueAsNew {
        workflow_type: Box<str>,
    },
}

impl Pending {
    pub(super) fn push(&mut self, what: What, at: Option<CallSite>, wire: Option<Command>) {
        let wire = wire.map(Box::new);
        self.commands.push_back(PendingCommand { what, at, wire });
    }

    pub(super) fn count(&self) -> usize {
        self.commands.len()
    }

    /// Says of the commands from the one at `first` on that they belong to these groups, as far as they are to be sent.
    pub(super) fn group(&mut self, first: usize, groups: &[EventGroupMarker]) {
        for wire in self.commands.iter_mut().skip(first).filter_map(|command| command.wire.as_mut()) {
            if wire.command_type() != CommandType::ProtocolMessage {
                wire.event_group_markers = groups.to_vec();
            }
        }
    }

    /// The command whose event comes next.
    pub(super) fn front(&self) -> Option<&PendingCommand> {
        self.commands.front()
    }

    pub(super) fn pop(&mut self) -> Option<PendingCommand> {
        self.commands.pop_front()
    }

    /// Takes back a command that has not been sent. Returns whether there was one.
    pub(super) fn take_back(&mut self, is_meant: impl Fn(&What) -> bool) -> bool {
        let place = self.commands.iter().rposition(|command| is_meant(&command.what));
        place.and_then(|place| self.commands.remove(place)).is_some()
    }

    /// Drops commands of patches at the front. Code may ask for a patch that history does not know, as long as
    /// nothing depends on it: what comes of it is decided by what history knows.
    pub(super) fn skip_patches(&mut self) {
        while self.front().is_some_and(|command| matches!(command.what, What::Patch(_))) {
            self.pop();
            if self.front().is_some_and(|command| matches!(command.what, What::RecordPatches)) {
                self.pop();
            }
        }
    }

    /// The commands to send, in order. They go on waiting for their events.
    pub(super) fn take_commands(&mut self) -> Vec<Command> {
        // Commands are large and mostly one or two, so no room is taken for more.
        let mut commands = Vec::with_capacity(self.commands.iter().filter(|command| !command.is_due()).count());
        commands.extend(self.commands.iter_mut().filter_map(|command| command.wire.take()).map(|command| *command));
        commands
    }
}

/// A command as it goes on the wire.
pub(super) fn wire(kind: CommandType, attributes: command::Attributes) -> Command {
    Command { command_type: kind.into(), attributes: Some(attributes), ..Command::default() }
}

/// A command as it goes on the wire, with a line about it for people.
pub(super) fn wire_with_summary(
    kind: CommandType,
    attributes: command::Attributes,
    summary: Option<stead_activation::Payload>,
) -> Command {
    let user_metadata = summary.map(|summary| Box::new(UserMetadata { summary: Some(summary), details: None }));
    Command { user_metadata, ..wire(kind, attributes) }
}
