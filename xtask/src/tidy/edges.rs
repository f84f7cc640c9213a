//! Which crate may depend on which: arrows point inward.

use anyhow::Result;

use super::none;
use super::workspace::{Dependency, Package, packages};

/// Package, and the packages of the workspace that it may depend on. Development dependencies are not ruled: a crate's
/// tests may look at it from outside.
const EDGES: [(&str, &[&str]); 18] = [
    ("stead-proto", &[]),
    ("stead-activation", &["stead-proto"]),
    ("stead-data", &["stead-proto"]),
    ("stead-core", &["stead-proto", "stead-activation"]),
    ("stead-workflow", &["stead-activation", "stead-data"]),
    ("stead-activity", &["stead-data"]),
    ("stead-macros", &[]),
    ("stead-client", &["stead-proto", "stead-data"]),
    ("stead-worker", &INSIDE),
    ("stead-testing", &BELOW_TESTING),
    ("stead", &BELOW_FACADE),
    ("stead-nexus", &["stead-data"]),
    ("stead-server", &["stead-proto"]),
    ("stead-guard", &[]),
    ("stead-cli", &["stead", "stead-server"]),
    ("xtask", &[]),
    ("stead-bench", &["stead", "stead-testing"]),
    ("stead-fuzz-bodies", &["stead-proto", "stead-activation", "stead-data", "stead-core"]),
];

/// Programs that show or test the SDK use it as anybody would, one of them the client alone, and share contracts.
const PROGRAMS: [&str; 2] = [EXAMPLES, "stead-tests"];
const EXAMPLES: &str = "stead-example";

const INSIDE: [&str; 9] = [
    "stead-proto",
    "stead-activation",
    "stead-data",
    "stead-core",
    "stead-workflow",
    "stead-activity",
    "stead-nexus",
    "stead-client",
    "stead-guard",
];

const BELOW_TESTING: [&str; 12] = [
    "stead-proto",
    "stead-activation",
    "stead-data",
    "stead-core",
    "stead-workflow",
    "stead-activity",
    "stead-nexus",
    "stead-client",
    "stead-macros",
    "stead-worker",
    "stead-server",
    "stead-guard",
];

const BELOW_FACADE: [&str; 13] = [
    "stead-proto",
    "stead-activation",
    "stead-data",
    "stead-core",
    "stead-workflow",
    "stead-activity",
    "stead-nexus",
    "stead-client",
    "stead-macros",
    "stead-worker",
    "stead-server",
    "stead-guard",
    "stead-testing",
];

/// Crates that are pure functions of their arguments, and what would make them something else.
const PURE: [&str; 4] = ["stead-core", "stead-activation", "stead-workflow", "stead-data"];
const IMPURE: [&str; 14] = [
    "tokio",
    "tokio-util",
    "tokio-stream",
    "tonic",
    "tonic-prost",
    "tower",
    "hyper",
    "futures",
    "futures-timer",
    "rand",
    "getrandom",
    "fastrand",
    "crossbeam-channel",
    "parking_lot",
];

/// Only where activities are declared, not where they are carried.
const NO_TRANSPORT: [&str; 2] = ["stead-activity", "stead-nexus"];

/// Fails on a dependency that the tables above forbid.
pub(super) fn check() -> Result<()> {
    none(packages()?.iter().flat_map(faults).collect())
}

fn faults(package: &Package) -> Vec<String> {
    let ruled = package.dependencies.iter().filter(|dependency| !dependency.is_dev());
    ruled.filter_map(|dependency| fault(&package.name, dependency)).collect()
}

fn fault(package: &str, dependency: &Dependency) -> Option<String> {
    let forbidden = if dependency.path.is_some() {
        !may_depend(package, &dependency.name) || reaches_transport(package, dependency)
    } else {
        PURE.contains(&package) && IMPURE.contains(&dependency.name.as_str())
            || NO_TRANSPORT.contains(&package) && dependency.name == "tonic"
    };
    forbidden.then(|| {
        let features = dependency.features.join(", ");
        format!("{package} must not depend on {} [{features}]", dependency.name)
    })
}

fn may_depend(package: &str, on: &str) -> bool {
    if PROGRAMS.iter().any(|prefix| package.starts_with(prefix)) {
        return on.starts_with(EXAMPLES) || ["stead", "stead-testing", "stead-client"].contains(&on);
    }
    match EDGES.iter().find(|(name, _)| *name == package) {
        Some((_, allowed)) => allowed.contains(&on),
        // Integrations are written against the facade, like any program.
        None => on == "stead",
    }
}

/// The stubs of the wire crate bring tonic with them.
fn reaches_transport(package: &str, dependency: &Dependency) -> bool {
    let stubs = |feature: &String| ["client", "server"].contains(&feature.as_str());
    let sheltered = PURE.contains(&package) || NO_TRANSPORT.contains(&package);
    sheltered && dependency.name == "stead-proto" && dependency.features.iter().any(stubs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(name: &str, features: &[&str]) -> Dependency {
        Dependency { path: Some("crates".into()), ..foreign(name, features) }
    }

    fn foreign(name: &str, features: &[&str]) -> Dependency {
        let features = features.iter().map(|&feature| feature.to_owned()).collect();
        Dependency { name: name.to_owned(), kind: None, path: None, features }
    }

    #[test]
    fn an_arrow_that_points_outward_is_a_fault() {
        assert!(fault("stead-core", &ours("stead-data", &[])).is_some());
        assert!(fault("stead-server", &ours("stead-core", &[])).is_some());
        assert!(fault("stead-object-store", &ours("stead-core", &[])).is_some());
        assert_eq!(fault("stead-worker", &ours("stead-core", &[])), None);
        assert_eq!(fault("stead-object-store", &ours("stead", &[])), None);
    }

    #[test]
    fn a_runtime_in_a_pure_crate_is_a_fault() {
        assert!(fault("stead-workflow", &foreign("tokio", &["sync"])).is_some());
        assert!(fault("stead-data", &ours("stead-proto", &["client"])).is_some());
        assert_eq!(fault("stead-data", &ours("stead-proto", &["json"])), None);
        assert_eq!(fault("stead-activity", &foreign("tokio", &["sync"])), None);
        assert!(fault("stead-activity", &foreign("tonic", &[])).is_some());
    }
}
