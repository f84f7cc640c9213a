//! Authoring API and deterministic executor for workflows
