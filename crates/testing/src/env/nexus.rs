//! Endpoints of Nexus, which lead to workers of the test.

use stead_client::CallOptions;
use stead_proto::nexus::v1::endpoint_target::{Variant, Worker};
use stead_proto::nexus::v1::{EndpointSpec, EndpointTarget};
use stead_proto::operatorservice::v1::{CreateNexusEndpointRequest, DeleteNexusEndpointRequest};

use super::TestEnv;
use crate::error::TestError;

/// An endpoint of Nexus that a test has made: a name by which workflows call the handlers of a task queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NexusEndpoint {
    /// The server's name for it.
    pub id: String,
    /// What workflows call it.
    pub name: String,
    /// Where its handlers' workers poll.
    pub task_queue: String,
    /// How often it was changed, from 1.
    pub version: i64,
}

impl TestEnv {
    /// Makes an endpoint of Nexus by which workflows reach the handlers of workers on a task queue, in the environment's
    /// namespace. [`task_queue`](Self::task_queue) is that of the environment's own workers.
    ///
    /// Endpoints belong to the server, not to the namespace: on a server that others use, choose a name that nobody else
    /// has, and [delete](Self::delete_nexus_endpoint) it at the end.
    ///
    /// ```
    /// # use stead_testing::TestEnv;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stead_testing::TestError> {
    /// let env = TestEnv::new().await?;
    /// let endpoint = env.create_nexus_endpoint("payments", env.task_queue()).await?;
    /// env.delete_nexus_endpoint(&endpoint).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the name is taken or no name of an endpoint (letters, digits and hyphens, a letter first).
    pub async fn create_nexus_endpoint(
        &self,
        name: impl Into<String>,
        task_queue: impl Into<String>,
    ) -> Result<NexusEndpoint, TestError> {
        let (name, task_queue) = (name.into(), task_queue.into());
        let worker = Worker { namespace: self.client.namespace().to_owned(), task_queue: task_queue.clone() };
        let target = EndpointTarget { variant: Some(Variant::Worker(worker)) };
        let spec = EndpointSpec { name: name.clone(), target: Some(target), ..EndpointSpec::default() };
        let request = CreateNexusEndpointRequest { spec: Some(spec) };
        let operator = self.client.connection().operator_service();
        let created = operator.create_nexus_endpoint(request, CallOptions::new()).await;
        let created = created.map_err(|cause| TestError::NexusEndpoint { name: name.clone(), cause })?;
        let endpoint = created.endpoint.unwrap_or_default();
        Ok(NexusEndpoint { id: endpoint.id, name, task_queue, version: endpoint.version })
    }

    /// Deletes an endpoint of Nexus. Operations under way go on; no new one reaches the handlers.
    ///
    /// # Errors
    ///
    /// If it is not there any longer, or was changed meanwhile.
    pub async fn delete_nexus_endpoint(&self, endpoint: &NexusEndpoint) -> Result<(), TestError> {
        let request = DeleteNexusEndpointRequest { id: endpoint.id.clone(), version: endpoint.version };
        let operator = self.client.connection().operator_service();
        let deleted = operator.delete_nexus_endpoint(request, CallOptions::new()).await;
        let name = || endpoint.name.clone();
        deleted.map_err(|cause| TestError::NexusEndpoint { name: name(), cause })?;
        Ok(())
    }
}
