//! What the text of a crate must not contain.

use std::path::Path;

use anyhow::Result;

use super::none;
use super::workspace::{relative, rust_files};
use crate::root;

/// In any crate: code that was left for later.
const UNFINISHED: [&str; 2] = ["todo!(", "unimplemented!("];

/// In the crates whose time and randomness are arguments: reading a clock, starting or stopping a thread.
const IMPURE: [&str; 5] = ["SystemTime::now(", "Instant::now(", "thread::spawn(", "thread::sleep(", "thread::Builder"];
const PURE_CRATES: [&str; 4] = ["core", "activation", "workflow", "data"];

/// Fails on unfinished code, and on clocks and threads in the pure crates.
pub(super) fn check() -> Result<()> {
    let crates = root().join("crates");
    let pure = PURE_CRATES.map(|name| crates.join(name).join("src"));
    let mut found = Vec::new();
    for (path, text) in rust_files(&crates)? {
        if !is_code_of_a_crate(&path) {
            continue;
        }
        found.extend(faults(&path, &text, &UNFINISHED));
        if pure.iter().any(|folder| path.starts_with(folder)) {
            found.extend(faults(&path, &text, &IMPURE));
        }
    }
    none(found)
}

/// And not of its tests, in a folder or a file of their own.
fn is_code_of_a_crate(path: &Path) -> bool {
    let has = |name: &str| path.components().any(|part| part.as_os_str() == name);
    has("src") && !has("tests") && !has("tests.rs")
}

/// Comments may name what they like, and so may the tests at the bottom of a file.
fn faults(path: &Path, text: &str, needles: &[&str]) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .filter_map(|(number, line)| {
            let needle = needles.iter().find(|needle| line.contains(**needle))?;
            Some(format!("{}:{}: `{}`", relative(path), number + 1, needle.trim_end_matches('(')))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_found_in_code_only() {
        let text = "// Instant::now() is banned\nfn a() { Instant::now(); }\n#[cfg(test)]\nmod tests { fn b() { Instant::now(); } }";
        assert_eq!(faults(Path::new("a.rs"), text, &IMPURE), ["a.rs:2: `Instant::now`"]);
    }
}
