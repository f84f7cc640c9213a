//! What the programs of this package share: what they run, and how they measure.

pub mod database;
pub mod measure;
pub mod workflows;
