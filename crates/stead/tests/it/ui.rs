//! What the compiler says to a user who made a mistake: a file each under `tests/ui`, with the text next to it.
//!
//! After a change: `TRYBUILD=overwrite cargo test -p stead --test it ui`, then read the difference.

use std::process::Command;

/// The compiler that wrote the texts: others word their own part of them differently.
const WRITTEN_WITH: &str = "rustc 1.95.";

#[test]
fn mistakes_are_explained() {
    let version = Command::new("rustc").arg("--version").output().expect("cargo found a rustc to compile this test");
    if String::from_utf8_lossy(&version.stdout).starts_with(WRITTEN_WITH) {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    }
}
