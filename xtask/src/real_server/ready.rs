//! Brings a server that was just started to where a test can use it.
//!
//! Its parts learn of a new namespace and of new search attributes by polling a shared store, so each step is followed
//! by a call that fails until they know.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use tonic::{Code, Status};

use super::rpc::{
    AddSearchAttributes, Connection, Empty, Execution, Name, OfNamespace, OfWorkflow, Payload, PollWorkflowTask,
    RegisterNamespace, SearchAttributes, SearchAttributesList, StartWorkflow, WorkflowTask,
};

const NAMESPACE: &str = "default";
const RETENTION_SECONDS: i64 = 24 * 60 * 60;

/// One of each type, by the server's number for it.
const SEARCH_ATTRIBUTES: [(&str, i32); 7] = [
    ("StdText", 1),
    ("StdKeyword", 2),
    ("StdInt", 3),
    ("StdDouble", 4),
    ("StdBool", 5),
    ("StdDatetime", 6),
    ("StdKeywordList", 7),
];

const PROBE: &str = "stead-readiness-probe";

/// Whether a server answers at `address`.
pub(super) fn answers(address: &str) -> bool {
    Connection::new(address).is_ok_and(|server| describe_namespace(&server).is_ok())
}

/// What is left to do: the first step that has not succeeded.
pub(crate) struct Readiness {
    server: Connection,
    step: usize,
}

/// Each may be repeated until it succeeds, and is harmless when it has before.
const STEPS: [fn(&Connection) -> Result<()>; 6] =
    [register_namespace, describe_namespace, add_search_attributes, start_probe, poll_probe, delete_probe];

impl Readiness {
    pub(crate) fn new(address: &str) -> Result<Self> {
        Ok(Self { server: Connection::new(address)?, step: 0 })
    }

    /// Takes the steps that are left; stops at the first that fails, which the next call repeats.
    pub(crate) fn advance(&mut self) -> Result<()> {
        while let Some(step) = STEPS.get(self.step) {
            step(&self.server)?;
            self.step += 1;
        }
        Ok(())
    }
}

fn register_namespace(server: &Connection) -> Result<()> {
    let retention = prost_types::Duration { seconds: RETENTION_SECONDS, nanos: 0 };
    let request = RegisterNamespace { namespace: NAMESPACE.to_owned(), retention: Some(retention) };
    tolerate_existing(server.workflow("RegisterNamespace", request))
}

fn describe_namespace(server: &Connection) -> Result<()> {
    let _: Empty = server.workflow("DescribeNamespace", OfNamespace { namespace: NAMESPACE.to_owned() })?;
    Ok(())
}

fn add_search_attributes(server: &Connection) -> Result<()> {
    let attributes = SEARCH_ATTRIBUTES.map(|(name, kind)| (name.to_owned(), kind)).into();
    let request = AddSearchAttributes { attributes, namespace: NAMESPACE.to_owned() };
    tolerate_existing(server.operator("AddSearchAttributes", request))?;
    let list: SearchAttributesList =
        server.operator("ListSearchAttributes", OfNamespace { namespace: NAMESPACE.to_owned() })?;
    let missing = SEARCH_ATTRIBUTES.iter().find(|(name, _)| !list.custom.contains_key(*name));
    ensure!(missing.is_none(), "the search attribute {missing:?} is not known yet");
    Ok(())
}

fn start_probe(server: &Connection) -> Result<()> {
    let metadata = [("encoding", "json/plain"), ("type", "Keyword")];
    let keyword = Payload {
        metadata: metadata.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec())).into(),
        data: br#""probe""#.to_vec(),
    };
    let request = StartWorkflow {
        namespace: NAMESPACE.to_owned(),
        workflow_id: PROBE.to_owned(),
        workflow_type: Some(Name { name: PROBE.to_owned() }),
        task_queue: Some(Name { name: PROBE.to_owned() }),
        request_id: PROBE.to_owned(),
        search_attributes: Some(SearchAttributes { fields: BTreeMap::from([("StdKeyword".to_owned(), keyword)]) }),
    };
    tolerate_existing(server.workflow("StartWorkflowExecution", request))
}

/// Sees the task travel from the history service to a poller.
fn poll_probe(server: &Connection) -> Result<()> {
    let task_queue = Some(Name { name: PROBE.to_owned() });
    let request = PollWorkflowTask { namespace: NAMESPACE.to_owned(), task_queue };
    let task: WorkflowTask = server.workflow("PollWorkflowTaskQueue", request)?;
    ensure!(!task.task_token.is_empty(), "no workflow task came within the poll's time");
    Ok(())
}

fn delete_probe(server: &Connection) -> Result<()> {
    let execution = Some(Execution { workflow_id: PROBE.to_owned() });
    let request = OfWorkflow { namespace: NAMESPACE.to_owned(), execution };
    let _: Empty = server.workflow("DeleteWorkflowExecution", request)?;
    Ok(())
}

fn tolerate_existing(result: Result<Empty, Status>) -> Result<()> {
    match result {
        Err(status) if status.code() != Code::AlreadyExists => Err(status.into()),
        _ => Ok(()),
    }
}
