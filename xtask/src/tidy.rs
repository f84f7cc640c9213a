//! `cargo xtask tidy`: the rules of the repository that neither compiler nor clippy knows.
//!
//! Each rule is a function that fails with everything that breaks it. `cargo test -p xtask` runs them one by one.

mod edges;
mod lock;
mod manifests;
mod parity;
mod sources;
mod workspace;

use anyhow::{Result, ensure};

use crate::codegen;

/// Name of the rule, and the rule.
type Rule = (&'static str, fn() -> Result<()>);

const RULES: [Rule; 6] = [
    ("dependencies between crates", edges::check),
    ("manifests", manifests::check),
    ("sources", sources::check),
    ("parity table", parity::check),
    ("size of a user's lock file", lock::check),
    ("generated code", codegen::check),
];

/// Checks every rule and reports all that are broken.
pub(crate) fn run() -> Result<()> {
    let mut broken = 0;
    for (name, rule) in RULES {
        match rule() {
            Ok(()) => eprintln!("ok      {name}"),
            Err(error) => {
                broken += 1;
                eprintln!("BROKEN  {name}: {error:#}");
            }
        }
    }
    ensure!(broken == 0, "{broken} of {} rules broken", RULES.len());
    Ok(())
}

/// Fails with one line for each fault, if there is any.
fn none(faults: Vec<String>) -> Result<()> {
    ensure!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_depend_inward() -> Result<()> {
        edges::check()
    }

    #[test]
    fn manifests_agree() -> Result<()> {
        manifests::check()
    }

    #[test]
    fn sources_are_finished_and_the_core_reads_no_clock() -> Result<()> {
        sources::check()
    }

    #[test]
    fn parity_table_is_complete_and_names_tests_that_exist() -> Result<()> {
        parity::check()
    }

    #[test]
    fn a_program_that_uses_stead_locks_few_packages() -> Result<()> {
        lock::check()
    }

    #[test]
    fn generated_code_is_up_to_date() -> Result<()> {
        codegen::check()
    }
}
