//! What the sequence ahead tells about this one: it records what the code did, so a replay must know it beforehand.

use stead_activation::{DeploymentVersion, Job};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{HistoryEvent, WorkflowTaskCompletedEventAttributes};

use super::Machines;
use crate::fault::{Fault, Problem};
use crate::patch::Patch;
use crate::protocol::Incoming;

impl Machines {
    /// Before a sequence: updates that were accepted in answer to it must be asked for again, in their places.
    pub(super) fn expect_updates(&mut self, ahead: &mut [HistoryEvent]) {
        for event in ahead {
            if let Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted)) = &mut event.attributes {
                self.incoming.push(Incoming::from_accepted(accepted));
            }
        }
    }

    /// After a sequence: patches that the code asked for in answer to it, local activities that ended in answer to it, and
    /// the circumstances in which it ran.
    pub(super) fn notice_ahead(&mut self, ahead: &mut [HistoryEvent]) -> Result<(), Fault> {
        for event in ahead {
            match &event.attributes {
                Some(Attributes::MarkerRecordedEventAttributes(_)) => {
                    self.notice_patch(event);
                    self.notice_local_activity(event)?;
                }
                Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) => {
                    self.notice_completed(event, completed)?;
                }
                _ => {}
            }
        }
        self.foretell();
        Ok(())
    }

    fn notice_patch(&mut self, event: &HistoryEvent) {
        if let Some(patch) = Patch::of_event(event) {
            self.patches.see(&patch.id);
            self.jobs.push(Job::NotifyHasPatch { id: patch.id });
        }
    }

    /// A task was completed with these flags, by this version.
    pub(super) fn notice_completed(
        &mut self,
        event: &HistoryEvent,
        completed: &WorkflowTaskCompletedEventAttributes,
    ) -> Result<(), Fault> {
        if let Some(metadata) = &completed.sdk_metadata {
            let unknown = |number| Fault::event(event, Problem::UnknownFlag(number));
            self.flags.add(metadata, &self.options).map_err(unknown)?;
        }
        if let Some(version) = deployment_version(completed) {
            self.deployment = Some(Box::new(version));
        }
        Ok(())
    }
}

/// The version that completed a task, in whichever of the ways that servers have recorded it.
fn deployment_version(completed: &WorkflowTaskCompletedEventAttributes) -> Option<DeploymentVersion> {
    if let Some(version) = &completed.deployment_version {
        return Some(DeploymentVersion {
            deployment_name: version.deployment_name.clone(),
            build_id: version.build_id.clone(),
        });
    }
    #[expect(deprecated, reason = "older histories have nothing else")]
    let (version, stamp) = (&completed.worker_deployment_version, &completed.worker_version);
    if let Some((deployment_name, build_id)) = version.split_once('.') {
        return Some(DeploymentVersion { deployment_name: deployment_name.to_owned(), build_id: build_id.to_owned() });
    }
    let build_id = stamp.as_ref().map(|stamp| stamp.build_id.clone()).unwrap_or_default();
    let deployment_name = completed.worker_deployment_name.clone();
    (!build_id.is_empty() || !deployment_name.is_empty()).then_some(DeploymentVersion { deployment_name, build_id })
}
