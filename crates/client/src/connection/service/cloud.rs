//! The methods of the `CloudService` of Temporal Cloud; the server is `saas-api.tmprl.cloud:443`.

use super::{CallOptions, Connection, RpcError};

service! {
    /// The methods of the `CloudService` of Temporal Cloud; the server is `saas-api.tmprl.cloud:443`.
    CloudService of stead_proto::cloud::cloudservice::v1 as "temporal.api.cloud.cloudservice.v1.CloudService" {
        add_namespace_region AddNamespaceRegion(AddNamespaceRegionRequest) -> AddNamespaceRegionResponse;
        add_user_group_member AddUserGroupMember(AddUserGroupMemberRequest) -> AddUserGroupMemberResponse;
        create_account_audit_log_sink CreateAccountAuditLogSink(CreateAccountAuditLogSinkRequest) -> CreateAccountAuditLogSinkResponse;
        create_api_key CreateApiKey(CreateApiKeyRequest) -> CreateApiKeyResponse;
        create_billing_report CreateBillingReport(CreateBillingReportRequest) -> CreateBillingReportResponse;
        create_connectivity_rule CreateConnectivityRule(CreateConnectivityRuleRequest) -> CreateConnectivityRuleResponse;
        create_custom_role CreateCustomRole(CreateCustomRoleRequest) -> CreateCustomRoleResponse;
        create_namespace CreateNamespace(CreateNamespaceRequest) -> CreateNamespaceResponse;
        create_namespace_export_sink CreateNamespaceExportSink(CreateNamespaceExportSinkRequest) -> CreateNamespaceExportSinkResponse;
        create_nexus_endpoint CreateNexusEndpoint(CreateNexusEndpointRequest) -> CreateNexusEndpointResponse;
        create_service_account CreateServiceAccount(CreateServiceAccountRequest) -> CreateServiceAccountResponse;
        create_user CreateUser(CreateUserRequest) -> CreateUserResponse;
        create_user_group CreateUserGroup(CreateUserGroupRequest) -> CreateUserGroupResponse;
        delete_account_audit_log_sink DeleteAccountAuditLogSink(DeleteAccountAuditLogSinkRequest) -> DeleteAccountAuditLogSinkResponse;
        delete_api_key DeleteApiKey(DeleteApiKeyRequest) -> DeleteApiKeyResponse;
        delete_connectivity_rule DeleteConnectivityRule(DeleteConnectivityRuleRequest) -> DeleteConnectivityRuleResponse;
        delete_custom_role DeleteCustomRole(DeleteCustomRoleRequest) -> DeleteCustomRoleResponse;
        delete_namespace DeleteNamespace(DeleteNamespaceRequest) -> DeleteNamespaceResponse;
        delete_namespace_export_sink DeleteNamespaceExportSink(DeleteNamespaceExportSinkRequest) -> DeleteNamespaceExportSinkResponse;
        delete_namespace_region DeleteNamespaceRegion(DeleteNamespaceRegionRequest) -> DeleteNamespaceRegionResponse;
        delete_nexus_endpoint DeleteNexusEndpoint(DeleteNexusEndpointRequest) -> DeleteNexusEndpointResponse;
        delete_service_account DeleteServiceAccount(DeleteServiceAccountRequest) -> DeleteServiceAccountResponse;
        delete_user DeleteUser(DeleteUserRequest) -> DeleteUserResponse;
        delete_user_group DeleteUserGroup(DeleteUserGroupRequest) -> DeleteUserGroupResponse;
        failover_namespace_region FailoverNamespaceRegion(FailoverNamespaceRegionRequest) -> FailoverNamespaceRegionResponse;
        get_account GetAccount(GetAccountRequest) -> GetAccountResponse;
        get_account_audit_log_sink GetAccountAuditLogSink(GetAccountAuditLogSinkRequest) -> GetAccountAuditLogSinkResponse;
        get_account_audit_log_sinks GetAccountAuditLogSinks(GetAccountAuditLogSinksRequest) -> GetAccountAuditLogSinksResponse;
        get_api_key GetApiKey(GetApiKeyRequest) -> GetApiKeyResponse;
        get_api_keys GetApiKeys(GetApiKeysRequest) -> GetApiKeysResponse;
        get_async_operation GetAsyncOperation(GetAsyncOperationRequest) -> GetAsyncOperationResponse;
        get_audit_logs GetAuditLogs(GetAuditLogsRequest) -> GetAuditLogsResponse;
        get_billing_report GetBillingReport(GetBillingReportRequest) -> GetBillingReportResponse;
        get_connectivity_rule GetConnectivityRule(GetConnectivityRuleRequest) -> GetConnectivityRuleResponse;
        get_connectivity_rules GetConnectivityRules(GetConnectivityRulesRequest) -> GetConnectivityRulesResponse;
        get_current_identity GetCurrentIdentity(GetCurrentIdentityRequest) -> GetCurrentIdentityResponse;
        get_custom_role GetCustomRole(GetCustomRoleRequest) -> GetCustomRoleResponse;
        get_custom_roles GetCustomRoles(GetCustomRolesRequest) -> GetCustomRolesResponse;
        get_namespace GetNamespace(GetNamespaceRequest) -> GetNamespaceResponse;
        get_namespace_capacity_info GetNamespaceCapacityInfo(GetNamespaceCapacityInfoRequest) -> GetNamespaceCapacityInfoResponse;
        get_namespace_export_sink GetNamespaceExportSink(GetNamespaceExportSinkRequest) -> GetNamespaceExportSinkResponse;
        get_namespace_export_sinks GetNamespaceExportSinks(GetNamespaceExportSinksRequest) -> GetNamespaceExportSinksResponse;
        get_namespaces GetNamespaces(GetNamespacesRequest) -> GetNamespacesResponse;
        get_nexus_endpoint GetNexusEndpoint(GetNexusEndpointRequest) -> GetNexusEndpointResponse;
        get_nexus_endpoints GetNexusEndpoints(GetNexusEndpointsRequest) -> GetNexusEndpointsResponse;
        get_region GetRegion(GetRegionRequest) -> GetRegionResponse;
        get_regions GetRegions(GetRegionsRequest) -> GetRegionsResponse;
        get_service_account GetServiceAccount(GetServiceAccountRequest) -> GetServiceAccountResponse;
        get_service_account_namespace_assignments GetServiceAccountNamespaceAssignments(GetServiceAccountNamespaceAssignmentsRequest) -> GetServiceAccountNamespaceAssignmentsResponse;
        get_service_accounts GetServiceAccounts(GetServiceAccountsRequest) -> GetServiceAccountsResponse;
        get_usage GetUsage(GetUsageRequest) -> GetUsageResponse;
        get_user GetUser(GetUserRequest) -> GetUserResponse;
        get_user_group GetUserGroup(GetUserGroupRequest) -> GetUserGroupResponse;
        get_user_group_members GetUserGroupMembers(GetUserGroupMembersRequest) -> GetUserGroupMembersResponse;
        get_user_group_namespace_assignments GetUserGroupNamespaceAssignments(GetUserGroupNamespaceAssignmentsRequest) -> GetUserGroupNamespaceAssignmentsResponse;
        get_user_groups GetUserGroups(GetUserGroupsRequest) -> GetUserGroupsResponse;
        get_user_namespace_assignments GetUserNamespaceAssignments(GetUserNamespaceAssignmentsRequest) -> GetUserNamespaceAssignmentsResponse;
        get_users GetUsers(GetUsersRequest) -> GetUsersResponse;
        remove_user_group_member RemoveUserGroupMember(RemoveUserGroupMemberRequest) -> RemoveUserGroupMemberResponse;
        rename_custom_search_attribute RenameCustomSearchAttribute(RenameCustomSearchAttributeRequest) -> RenameCustomSearchAttributeResponse;
        set_service_account_namespace_access SetServiceAccountNamespaceAccess(SetServiceAccountNamespaceAccessRequest) -> SetServiceAccountNamespaceAccessResponse;
        set_user_group_namespace_access SetUserGroupNamespaceAccess(SetUserGroupNamespaceAccessRequest) -> SetUserGroupNamespaceAccessResponse;
        set_user_namespace_access SetUserNamespaceAccess(SetUserNamespaceAccessRequest) -> SetUserNamespaceAccessResponse;
        update_account UpdateAccount(UpdateAccountRequest) -> UpdateAccountResponse;
        update_account_audit_log_sink UpdateAccountAuditLogSink(UpdateAccountAuditLogSinkRequest) -> UpdateAccountAuditLogSinkResponse;
        update_api_key UpdateApiKey(UpdateApiKeyRequest) -> UpdateApiKeyResponse;
        update_custom_role UpdateCustomRole(UpdateCustomRoleRequest) -> UpdateCustomRoleResponse;
        update_namespace UpdateNamespace(UpdateNamespaceRequest) -> UpdateNamespaceResponse;
        update_namespace_export_sink UpdateNamespaceExportSink(UpdateNamespaceExportSinkRequest) -> UpdateNamespaceExportSinkResponse;
        update_namespace_tags UpdateNamespaceTags(UpdateNamespaceTagsRequest) -> UpdateNamespaceTagsResponse;
        update_nexus_endpoint UpdateNexusEndpoint(UpdateNexusEndpointRequest) -> UpdateNexusEndpointResponse;
        update_service_account UpdateServiceAccount(UpdateServiceAccountRequest) -> UpdateServiceAccountResponse;
        update_user UpdateUser(UpdateUserRequest) -> UpdateUserResponse;
        update_user_group UpdateUserGroup(UpdateUserGroupRequest) -> UpdateUserGroupResponse;
        validate_account_audit_log_sink ValidateAccountAuditLogSink(ValidateAccountAuditLogSinkRequest) -> ValidateAccountAuditLogSinkResponse;
        validate_namespace_export_sink ValidateNamespaceExportSink(ValidateNamespaceExportSinkRequest) -> ValidateNamespaceExportSinkResponse;
    }
}
