//! Client for any Temporal server
