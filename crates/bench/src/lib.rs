//! Benchmarks of the stead SDK
