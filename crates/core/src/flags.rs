//! SDK flags: which of the behaviours that once changed a history was recorded with.

use stead_proto::sdk::v1::WorkflowTaskCompletedMetadata;

use crate::RunOptions;

/// A change of behaviour that histories depend on. The numbers are shared by all SDKs on this protocol, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Flag {
    /// Ids and types of activities are compared with history.
    IdAndTypeChecks = 1,
    /// A patch also records the patches of the run in its search attributes.
    UpsertOnPatch = 2,
    /// Commands that come after the one that ends the run are sent before it. Without the flag they are dropped.
    MoveTerminalCommands = 3,
    /// A task without a trace counts as a heartbeat only if the task after it accepts no update. Read, not written: SDKs
    /// of before 2026 do not know it, and could not take a run over.
    CarefulHeartbeats = 4,
}

const KNOWN: [Flag; 4] =
    [Flag::IdAndTypeChecks, Flag::UpsertOnPatch, Flag::MoveTerminalCommands, Flag::CarefulHeartbeats];

/// Those that this version records.
const WRITTEN: [Flag; 3] = [Flag::IdAndTypeChecks, Flag::UpsertOnPatch, Flag::MoveTerminalCommands];

/// The flags of one run, as its history records them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags {
    /// A bit for each flag that history records.
    recorded: u8,
    /// Whether the SDK that wrote the last completion was this one in this version.
    same_sdk: bool,
}

impl Flags {
    /// Takes over what a completed task recorded.
    ///
    /// # Errors
    ///
    /// The number of a flag that this version does not know: its history cannot be replayed with certainty.
    pub(crate) fn add(&mut self, metadata: &WorkflowTaskCompletedMetadata, options: &RunOptions) -> Result<(), u32> {
        for &number in &metadata.core_used_flags {
            let flag = KNOWN.into_iter().find(|flag| *flag as u32 == number).ok_or(number)?;
            self.recorded |= bit(flag);
        }
        // What did not change is left out.
        if !metadata.sdk_name.is_empty() || !metadata.sdk_version.is_empty() {
            self.same_sdk = metadata.sdk_name == options.sdk_name && metadata.sdk_version == options.sdk_version;
        }
        Ok(())
    }

    /// Whether history was recorded with this flag.
    pub(crate) const fn is_recorded(self, flag: Flag) -> bool {
        self.recorded & bit(flag) != 0
    }

    /// What to record with a completion: the flags that are new, and the SDK if it is another.
    pub(crate) fn record(&mut self, options: &RunOptions) -> Option<WorkflowTaskCompletedMetadata> {
        if !options.sdk_metadata {
            return None;
        }
        let new = WRITTEN.into_iter().filter(|flag| !self.is_recorded(*flag));
        let mut metadata = WorkflowTaskCompletedMetadata {
            core_used_flags: new.map(|flag| flag as u32).collect(),
            ..WorkflowTaskCompletedMetadata::default()
        };
        if !self.same_sdk {
            options.sdk_name.clone_into(&mut metadata.sdk_name);
            options.sdk_version.clone_into(&mut metadata.sdk_version);
        }
        self.recorded = WRITTEN.into_iter().fold(self.recorded, |bits, flag| bits | bit(flag));
        self.same_sdk = true;
        Some(metadata)
    }
}

const fn bit(flag: Flag) -> u8 {
    1 << flag as u8
}
