//! [`Deployment`]: what is kept of a worker deployment and its versions, and how a version goes through its life.
//!
//! ```text
//!   create ──▶ CREATED ──first poll──▶ INACTIVE ──┐
//!                 │                       ▲       │ set as current or ramping
//!                 │           first poll ─┘       ▼
//!                 └───────────────────────▶ CURRENT ◀──▶ RAMPING
//!                                             ▲  │ another is set
//!                                   set again │  ▼
//!                               DRAINED ◀── DRAINING ◀── pinned to again: INACTIVE, DRAINED
//!                                  no pinned workflow runs
//! ```

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use stead_proto::deployment::v1::{
    RoutingConfig, VersionDrainageInfo, WorkerDeploymentVersion, WorkerDeploymentVersionInfo,
};
use stead_proto::enums::v1::{VersionDrainageStatus, WorkerDeploymentVersionStatus as Status};

use super::names;
use crate::engine::Time;

/// What is kept of a worker deployment.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Deployment {
    #[prost(message, optional, tag = "1")]
    pub(super) create_time: Option<Timestamp>,
    #[prost(message, required, tag = "2")]
    pub(super) routing: RoutingConfig,
    /// Counts what the conflict token stands for.
    #[prost(uint64, tag = "3")]
    pub(super) changes: u64,
    #[prost(string, tag = "4")]
    pub(super) last_modifier: String,
    #[prost(string, tag = "5")]
    pub(super) manager: String,
    #[prost(string, tag = "6")]
    pub(super) create_request_id: String,
    /// By build id.
    #[prost(btree_map = "string, message", tag = "7")]
    pub(super) versions: BTreeMap<String, Version>,
}

/// What is kept of a version of a worker deployment.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Version {
    #[prost(message, required, tag = "1")]
    pub(super) info: WorkerDeploymentVersionInfo,
    #[prost(string, tag = "2")]
    pub(super) create_request_id: String,
}

/// Instants in order, none first.
pub(super) fn order(timestamp: Option<&Timestamp>) -> Option<Time> {
    timestamp.map(Time::from_timestamp)
}

impl Deployment {
    pub(super) fn new(create_request_id: String, now: Time) -> Self {
        Self {
            create_time: Some(now.timestamp()),
            routing: RoutingConfig { current_version: names::UNVERSIONED.to_owned(), ..RoutingConfig::default() },
            changes: 1,
            create_request_id,
            ..Self::default()
        }
    }

    pub(super) fn conflict_token(&self) -> Bytes {
        self.changes.to_be_bytes().to_vec().into()
    }

    /// Notes who changed what a conflict token protects.
    pub(super) fn changed_by(&mut self, identity: &str) {
        self.changes += 1;
        identity.clone_into(&mut self.last_modifier);
    }

    pub(super) fn version_or_new(&mut self, name: &str, build_id: &str, now: Time) -> &mut Version {
        let fresh = || Version::new(name, build_id, Status::Inactive, now);
        self.versions.entry(build_id.to_owned()).or_insert_with(fresh)
    }

    pub(super) fn is_current_or_ramping(&self, build_id: &str) -> bool {
        let is_it = |version: &Option<WorkerDeploymentVersion>| {
            version.as_ref().is_some_and(|version| version.build_id == build_id)
        };
        is_it(&self.routing.current_deployment_version) || is_it(&self.routing.ramping_deployment_version)
    }

    /// Build ids, oldest version first.
    pub(super) fn by_age(&self) -> Vec<String> {
        let mut versions: Vec<_> = self.versions.iter().collect();
        versions.sort_by_key(|(_, version)| order(version.info.create_time.as_ref()));
        versions.into_iter().map(|(build_id, _)| build_id.clone()).collect()
    }

    /// Makes a version current; `None`: unversioned workers. If it was ramping, nothing is any more.
    pub(super) fn set_current(&mut self, version: Option<WorkerDeploymentVersion>, now: Time) {
        let named = names::dotted(version.as_ref());
        if named == self.routing.current_version {
            return;
        }
        let routing = &mut self.routing;
        routing.revision_number += 1;
        if named == routing.ramping_version {
            routing.ramping_version = String::new();
            routing.ramping_deployment_version = None;
            routing.ramping_version_percentage = 0.0;
            routing.ramping_version_changed_time = Some(now.timestamp());
            routing.ramping_version_percentage_changed_time = Some(now.timestamp());
        }
        routing.current_deployment_version = version;
        routing.current_version = named;
        routing.current_version_changed_time = Some(now.timestamp());
        self.follow_routing(now);
    }

    /// Lets a version ramp, as the older strings name it: empty is none.
    pub(super) fn set_ramping(&mut self, named: &str, version: Option<WorkerDeploymentVersion>, share: f32, now: Time) {
        let routing = &mut self.routing;
        if named == routing.ramping_version && share == routing.ramping_version_percentage {
            return;
        }
        routing.revision_number += 1;
        if named != routing.ramping_version || named.is_empty() {
            routing.ramping_version_changed_time = Some(now.timestamp());
        }
        named.clone_into(&mut routing.ramping_version);
        routing.ramping_deployment_version = version;
        routing.ramping_version_percentage = share;
        routing.ramping_version_percentage_changed_time = Some(now.timestamp());
        self.follow_routing(now);
    }

    fn follow_routing(&mut self, now: Time) {
        for version in self.versions.values_mut() {
            version.follow(&self.routing, now);
        }
    }
}

impl Version {
    pub(super) fn new(deployment: &str, build_id: &str, status: Status, now: Time) -> Self {
        let version = WorkerDeploymentVersion { deployment_name: deployment.to_owned(), build_id: build_id.to_owned() };
        let info = WorkerDeploymentVersionInfo {
            version: names::dotted(Some(&version)),
            deployment_version: Some(version),
            status: status.into(),
            create_time: Some(now.timestamp()),
            ..WorkerDeploymentVersionInfo::default()
        };
        Self { info, create_request_id: String::new() }
    }

    /// How many names of queues it serves.
    pub(super) fn served_names(&self) -> usize {
        self.info.task_queue_infos.iter().map(|queue| &queue.name).collect::<BTreeSet<_>>().len()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drainage() == Some(VersionDrainageStatus::Draining)
    }

    fn drainage(&self) -> Option<VersionDrainageStatus> {
        self.info.drainage_info.map(|drainage| drainage.status())
    }

    /// Becomes what the routing makes of it.
    fn follow(&mut self, routing: &RoutingConfig, now: Time) {
        let was_active = self.info.current_since_time.is_some() || self.info.ramping_since_time.is_some();
        if routing.current_deployment_version == self.info.deployment_version {
            let since = routing.current_version_changed_time;
            self.activate(Status::Current, since, now);
            self.info.current_since_time = since;
            self.info.last_current_time = since;
        } else if routing.ramping_deployment_version == self.info.deployment_version {
            self.activate(Status::Ramping, routing.ramping_version_percentage_changed_time, now);
            self.info.ramping_since_time = routing.ramping_version_changed_time;
            self.info.ramp_percentage = routing.ramping_version_percentage;
        } else if was_active {
            self.drain(now);
        }
    }

    fn activate(&mut self, status: Status, changed: Option<Timestamp>, now: Time) {
        self.info.set_status(status);
        self.info.current_since_time = None;
        self.info.ramping_since_time = None;
        self.info.ramp_percentage = 0.0;
        self.info.routing_changed_time = changed;
        self.info.first_activation_time.get_or_insert(now.timestamp());
        self.info.last_deactivation_time = None;
        self.info.drainage_info = None;
    }

    fn drain(&mut self, now: Time) {
        self.info.current_since_time = None;
        self.info.ramping_since_time = None;
        self.info.ramp_percentage = 0.0;
        self.info.routing_changed_time = Some(now.timestamp());
        self.info.last_deactivation_time = Some(now.timestamp());
        self.start_draining(now);
    }

    /// Workflows may be on it: it is looked after until there are none.
    pub(super) fn start_draining(&mut self, now: Time) {
        self.info.set_status(Status::Draining);
        self.info.drainage_info = Some(VersionDrainageInfo {
            status: VersionDrainageStatus::Draining.into(),
            last_changed_time: Some(now.timestamp()),
            last_checked_time: Some(now.timestamp()),
        });
    }

    /// Notes whether workflows that are pinned to it still run.
    pub(super) fn checked(&mut self, is_drained: bool, now: Time) {
        let Some(drainage) = &mut self.info.drainage_info else { return };
        drainage.last_checked_time = Some(now.timestamp());
        if is_drained {
            drainage.set_status(VersionDrainageStatus::Drained);
            drainage.last_changed_time = Some(now.timestamp());
            self.info.set_status(Status::Drained);
        }
    }

    /// Since when it was not checked, if it is to be checked at all.
    pub(super) fn last_check(&self) -> Option<Time> {
        let drainage = self.info.drainage_info.filter(|_| self.is_draining())?;
        order(drainage.last_checked_time.as_ref())
    }
}
