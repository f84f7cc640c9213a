//! How many packages a program locks that depends on `stead` alone, with its default features.

use std::fs;

use anyhow::{Result, ensure};

use super::workspace::cargo;
use crate::{root, target_folder};

/// The program itself included.
const MOST: usize = 150;

/// Fails if there are more than [`MOST`].
pub(super) fn check() -> Result<()> {
    let packages = locked_packages()?;
    ensure!(
        packages.len() <= MOST,
        "a program that depends on `stead` locks {} packages, {MOST} are the most:\n{}",
        packages.len(),
        packages.join(" ")
    );
    Ok(())
}

/// Locks a program as a user's would be, starting from the versions that the workspace has locked.
fn locked_packages() -> Result<Vec<String>> {
    let folder = target_folder().join("tidy").join("lock-probe");
    let stead = root().join("crates").join("stead");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src").join("main.rs"), "fn main() {}\n")?;
    fs::write(folder.join("Cargo.toml"), manifest(&stead.display().to_string()))?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    // Everything is known after a build of the workspace; where it was not built, the registry must be asked.
    cargo(&folder, &["update", "--workspace", "--offline"]).or_else(|_| cargo(&folder, &["update", "--workspace"]))?;
    Ok(names(&fs::read_to_string(folder.join("Cargo.lock"))?))
}

fn manifest(stead: &str) -> String {
    format!(
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nstead = {{ path = {stead:?} }}\n\n[workspace]\n"
    )
}

fn names(lock: &str) -> Vec<String> {
    let lines = lock.lines().filter_map(|line| line.strip_prefix("name = "));
    lines.map(|name| name.trim_matches('"').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_counted_by_their_names() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"b\"\n";
        assert_eq!(names(lock), ["a", "b"]);
    }
}
