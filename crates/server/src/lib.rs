//! A Temporal server as a library: in process, in memory or on SQLite.

mod engine;
