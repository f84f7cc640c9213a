//! Worker: where I/O meets the core
