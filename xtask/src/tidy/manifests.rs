//! What every manifest says alike.

use std::fs;

use anyhow::Result;

use super::none;
use super::workspace::{Package, packages, relative};

/// Fails on a package that left the common table of lints, edition or license, or is published without a description.
pub(super) fn check() -> Result<()> {
    let mut found = Vec::new();
    for package in packages()? {
        let text = fs::read_to_string(&package.manifest_path)?;
        let path = relative(&package.manifest_path);
        found.extend(faults(&package, &text).into_iter().map(|fault| format!("{path}: {fault}")));
    }
    none(found)
}

fn faults(package: &Package, manifest: &str) -> Vec<&'static str> {
    let published = package.publish.is_none();
    let internal = ["xtask", "stead-bench", "stead-tests"].contains(&package.name.as_str())
        || package.name.starts_with("stead-example");
    // A program prints, and documents no items: it may keep a table of its own, as long as that forbids `unsafe`.
    let own_lints = internal && manifest.contains("unsafe_code = \"forbid\"");
    // The common table forbids `unsafe` for good. The one crate that needs it says for each block why it is sound.
    let of_guard = package.name == "stead-guard" && manifest.contains("undocumented_unsafe_blocks = \"warn\"");
    let lints = common_lints(manifest) || own_lints || of_guard;
    [
        (!lints, "needs `[lints] workspace = true`"),
        (package.edition != "2024", "needs `edition.workspace = true`"),
        (package.license.as_deref() != Some("MIT OR Apache-2.0"), "needs `license.workspace = true`"),
        (published && package.description.is_none(), "is published: needs a description"),
        (published && internal, "is of no use to others: needs `publish = false`"),
    ]
    .into_iter()
    .filter_map(|(broken, fault)| broken.then_some(fault))
    .collect()
}

fn common_lints(manifest: &str) -> bool {
    manifest.split_once("[lints]").is_some_and(|(_, rest)| rest.trim_start().starts_with("workspace = true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> Package {
        Package {
            name: "stead-core".to_owned(),
            edition: "2024".to_owned(),
            license: Some("MIT OR Apache-2.0".to_owned()),
            description: Some("State machines".to_owned()),
            manifest_path: "Cargo.toml".into(),
            publish: None,
            dependencies: Vec::new(),
        }
    }

    #[test]
    fn a_manifest_that_differs_is_a_fault() {
        assert_eq!(faults(&package(), "[lints]\nworkspace = true\n"), [""; 0]);
        assert_eq!(faults(&package(), "[package]\n"), ["needs `[lints] workspace = true`"]);
        let old = Package { edition: "2021".to_owned(), license: None, ..package() };
        assert_eq!(faults(&old, "[lints]\nworkspace = true\n").len(), 2);
        let bench = Package { name: "stead-bench".to_owned(), ..package() };
        assert_eq!(faults(&bench, "[lints]\nworkspace = true\n").len(), 1);
        let guard = Package { name: "stead-guard".to_owned(), ..package() };
        assert_eq!(faults(&guard, "[lints.clippy]\nundocumented_unsafe_blocks = \"warn\"\n"), [""; 0]);
        assert_eq!(faults(&guard, "[package]\n").len(), 1);
    }
}
