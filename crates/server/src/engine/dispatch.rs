//! Which room serves which call.

use super::call::Outcome;
use super::{Call, Engine, Refusal, Request};

impl Engine {
    pub(super) fn dispatch(&mut self, _call: &Call, request: Request) -> Result<Outcome, Refusal> {
        Ok(match request {
            Request::GetSystemInfo(_) => self.system_info().into(),
            Request::GetClusterInfo(_) => self.cluster_info().into(),
            Request::RegisterNamespace(request) => self.register_namespace(*request)?.into(),
            Request::DescribeNamespace(request) => self.describe_namespace(&request)?.into(),
            Request::ListNamespaces(request) => self.list_namespaces(&request)?.into(),
            Request::UpdateNamespace(request) => self.update_namespace(*request)?.into(),
            Request::DeprecateNamespace(request) => self.deprecate_namespace(&request)?.into(),
        })
    }
}
