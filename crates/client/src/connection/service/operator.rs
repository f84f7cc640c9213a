//! The methods of Temporal's `OperatorService`: search attributes, namespaces, Nexus endpoints, clusters.

use super::{CallOptions, Connection, RpcError};

service! {
    /// The methods of Temporal's `OperatorService`: search attributes, namespaces, Nexus endpoints, clusters.
    OperatorService of stead_proto::operatorservice::v1 as "temporal.api.operatorservice.v1.OperatorService" {
        add_or_update_remote_cluster AddOrUpdateRemoteCluster(AddOrUpdateRemoteClusterRequest) -> AddOrUpdateRemoteClusterResponse;
        add_search_attributes AddSearchAttributes(AddSearchAttributesRequest) -> AddSearchAttributesResponse;
        create_nexus_endpoint CreateNexusEndpoint(CreateNexusEndpointRequest) -> CreateNexusEndpointResponse;
        delete_namespace DeleteNamespace(DeleteNamespaceRequest) -> DeleteNamespaceResponse;
        delete_nexus_endpoint DeleteNexusEndpoint(DeleteNexusEndpointRequest) -> DeleteNexusEndpointResponse;
        get_nexus_endpoint GetNexusEndpoint(GetNexusEndpointRequest) -> GetNexusEndpointResponse;
        list_clusters ListClusters(ListClustersRequest) -> ListClustersResponse;
        list_nexus_endpoints ListNexusEndpoints(ListNexusEndpointsRequest) -> ListNexusEndpointsResponse;
        list_search_attributes ListSearchAttributes(ListSearchAttributesRequest) -> ListSearchAttributesResponse;
        remove_remote_cluster RemoveRemoteCluster(RemoveRemoteClusterRequest) -> RemoveRemoteClusterResponse;
        remove_search_attributes RemoveSearchAttributes(RemoveSearchAttributesRequest) -> RemoveSearchAttributesResponse;
        update_nexus_endpoint UpdateNexusEndpoint(UpdateNexusEndpointRequest) -> UpdateNexusEndpointResponse;
    }
}
