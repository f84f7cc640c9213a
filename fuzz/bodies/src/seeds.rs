//! Where a fuzzer begins.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;
use stead_core::replay_task;
use stead_proto::history::v1::History;
use stead_proto::json::history_from_json;

/// Inputs of a target that are worth varying, with their names. Targets that draw from their input need none: there any
/// bytes are as good.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let histories = files().into_iter();
    match target {
        "history_json" => histories.map(|(name, json)| (name, json.into_bytes())).collect(),
        "task" => histories
            .map(|(name, json)| (name, replay_task(history(&json), "workflow", "run").encode_to_vec()))
            .collect(),
        _ => Vec::new(),
    }
}

/// Writes the seeds of a target into the folder that `STEAD_FUZZ_SEEDS` names, if it names one, where its fuzzer finds
/// them: it looks there only afterwards.
pub fn write_seeds(target: &str) {
    let Some(folder) = std::env::var_os("STEAD_FUZZ_SEEDS").map(PathBuf::from) else { return };
    for (name, seed) in seeds(target) {
        let path = folder.join(name);
        fs::write(&path, seed).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// The histories that the integration suite recorded on a server.
pub(crate) fn recorded() -> Vec<History> {
    files().iter().map(|(_, json)| history(json)).collect()
}

fn history(json: &str) -> History {
    history_from_json(json).expect("a recorded history can be read")
}

fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/histories");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (name, text)
    };
    paths.iter().map(read).collect()
}
