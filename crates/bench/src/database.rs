//! Databases of a benchmark.

use std::path::{Path, PathBuf};
use std::time::Instant;

/// A database file that goes away with the value.
pub struct File(PathBuf);

impl File {
    pub fn new() -> Self {
        let name =
            format!("stead-bench-{}-{:?}.db", std::process::id(), Instant::now()).replace(['{', '}', ' ', ':'], "");
        Self(std::env::temp_dir().join(name))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for File {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            // What is not there need not go.
            let _ = std::fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}
