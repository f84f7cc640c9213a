//! The calls about clusters, as a server answers them that is the only one of its cluster and knows no other.

use stead_proto::operatorservice::v1 as api;

use super::namespaces::CLUSTER;
use super::refusal::Code;
use super::{Engine, Refusal};

impl Engine {
    pub(super) fn list_clusters(&self) -> api::ListClustersResponse {
        let info = self.cluster_info();
        let cluster = api::ClusterMetadata {
            cluster_name: info.cluster_name,
            cluster_id: info.cluster_id,
            initial_failover_version: info.initial_failover_version,
            history_shard_count: info.history_shard_count,
            is_connection_enabled: true,
            ..Default::default()
        };
        api::ListClustersResponse { clusters: vec![cluster], next_page_token: Default::default() }
    }
}

/// The engine makes no connections.
pub(super) fn no_remote_cluster(request: &api::AddOrUpdateRemoteClusterRequest) -> Refusal {
    let address = &request.frontend_address;
    let message = format!(
        "Unable connect to remote cluster {address} with error: this server is embedded and connects to no other."
    );
    Refusal::new(Code::Unavailable, message)
}

pub(super) fn cluster_stays(request: &api::RemoveRemoteClusterRequest) -> Refusal {
    if request.cluster_name != CLUSTER {
        return Refusal::not_found("The cluster to be deleted cannot be found in clusters cache.");
    }
    let message = "Unable to delete cluster info with error: Cannot delete current cluster metadata.";
    Refusal::new(Code::Internal, message)
}
