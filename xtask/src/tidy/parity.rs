//! `docs/parity.md`: a row per feature, and a test behind each that is done.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result};

use super::none;
use super::workspace::rust_files;
use crate::root;

/// Every row that there must be.
const IDS: &str = include_str!("../../assets/parity-ids.txt");

const FOLDERS: [&str; 4] = ["crates", "tests", "examples", "xtask"];

/// Fails on a row that is missing, doubled or unknown, and on one that names what does not exist.
pub(super) fn check() -> Result<()> {
    let path = root().join("docs").join("parity.md");
    let table = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    none(faults(&table, IDS, &tests_of_the_repository()?))
}

fn tests_of_the_repository() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS {
        for (_, text) in rust_files(&root().join(folder))? {
            names.extend(tests(&text));
        }
    }
    Ok(names)
}

/// Names of the functions under a test attribute.
fn tests(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if is_test_attribute(line) {
            is_test = true;
        } else if is_test && let Some((_, rest)) = line.split_once("fn ") {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            names.push(rest[..end].to_owned());
            is_test = false;
        }
    }
    names
}

/// `#[test]`, `#[tokio::test(..)]`, `#[stead::test]`.
fn is_test_attribute(line: &str) -> bool {
    let Some(attribute) = line.strip_prefix("#[") else {
        return false;
    };
    let path = attribute.split(['(', ']']).next().unwrap_or_default();
    path == "test" || path.ends_with("::test")
}

fn faults(table: &str, ids: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let rows: Vec<_> = table.lines().filter_map(Row::parse).collect();
    let mut missing: BTreeSet<&str> = ids.lines().collect();
    let mut faults = Vec::new();
    for row in &rows {
        if !missing.remove(row.id) {
            faults.push(format!("{}: unknown, or listed twice", row.id));
        }
        faults.extend(row.fault(tests).map(|fault| format!("{}: {fault}", row.id)));
    }
    faults.extend(missing.iter().map(|id| format!("{id}: has no row")));
    faults
}

struct Row<'a> {
    id: &'a str,
    state: &'a str,
    shown_by: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let cells: Vec<_> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        let [id, _, state, shown_by] = cells.as_slice() else {
            return None;
        };
        let is_row = *id != "row" && !id.starts_with('-');
        is_row.then_some(Self { id: id.trim_matches('`'), state, shown_by })
    }

    fn fault(&self, tests: &BTreeSet<String>) -> Option<String> {
        match (self.state, self.shown_by) {
            ("open", _) => None,
            ("not in Rust", "") => Some("needs a reason".to_owned()),
            ("not in Rust", _) => None,
            ("done", "") => Some("needs the name of a test".to_owned()),
            ("done", shown_by) => {
                let mut names = shown_by.split(',').map(|name| name.trim().trim_matches('`'));
                let unknown = names.find(|name| !tests.contains(*name) && !is_file(name))?;
                Some(format!("no test and no file is named `{unknown}`"))
            }
            (state, _) => Some(format!("`{state}` is no state: done, open, not in Rust")),
        }
    }
}

fn is_file(path: &str) -> bool {
    path.contains('/') && root().join(path).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(rows: &str) -> Vec<String> {
        let tests = BTreeSet::from(["timers_fire".to_owned()]);
        faults(rows, "A-1\nA-2", &tests)
    }

    #[test]
    fn complete_rows_are_no_faults() {
        assert_eq!(
            faults_of(
                "| row | feature | state | shown by |\n|---|---|---|---|\n| A-1 | x | open | |\n| A-2 | y | done | `timers_fire`, xtask/Cargo.toml |"
            ),
            [""; 0]
        );
    }

    #[test]
    fn a_row_must_be_there_once_with_a_state_and_a_test_that_exists() {
        assert_eq!(faults_of("| A-1 | x | open | |"), ["A-2: has no row"]);
        let twice = "| A-1 | x | open | |\n| A-1 | x | open | |\n| A-2 | y | open | |";
        assert_eq!(faults_of(twice), ["A-1: unknown, or listed twice"]);
        let done = "| A-1 | x | done | timers_sleep |\n| A-2 | y | done | |";
        assert_eq!(
            faults_of(done),
            ["A-1: no test and no file is named `timers_sleep`", "A-2: needs the name of a test"]
        );
        let odd = "| A-1 | x | maybe | |\n| A-2 | y | not in Rust | |";
        assert_eq!(faults_of(odd).len(), 2);
    }

    #[test]
    fn tests_are_found_by_their_attributes() {
        let text = "#[test]\nfn one() {}\n#[tokio::test(flavor = \"x\")]\n#[ignore]\nasync fn two() {}\nfn not_one() {}\n#[cfg(test)]\nmod tests {\nfn helper() {}";
        assert_eq!(tests(text), ["one", "two"]);
    }
}
