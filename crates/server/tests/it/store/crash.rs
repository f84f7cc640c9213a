//! Servers that are killed under load: what they had answered is there, and everything is whole.
//!
//! `STEAD_CRASH_ROUNDS` sets how often.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use stead_server::Server;
use stead_server::store::{SqliteStore, Table, kit};

use crate::live::Live;

const FILE: &str = "STEAD_CRASH_FILE";
const ROUND: &str = "STEAD_CRASH_ROUND";
const ACKNOWLEDGED: &str = "acknowledged ";

#[tokio::test]
async fn what_was_answered_before_a_crash_is_there_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.db");
    let rounds = std::env::var("STEAD_CRASH_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let before = acknowledged.len();
        acknowledged.extend(crash(&path, round));
        assert!(acknowledged.len() > before, "round {round} was not killed before it began");
        assert_whole(&path);
        let live = Live::start(Server::sqlite(&path)).await;
        for id in &acknowledged[before..] {
            assert_eq!(live.events(id).await.unwrap().len(), 2, "round {round}, workflow {id}");
        }
        if round + 1 == rounds {
            for id in &acknowledged {
                assert_eq!(live.events(id).await.unwrap().len(), 2, "at the end, workflow {id}");
            }
        }
        live.server.shutdown().await;
    }
}

/// Lets a server work until it has answered some calls, and kills it. The workflows that it said it had started.
fn crash(path: &Path, round: usize) -> Vec<String> {
    let mut child = serve(path, round);
    let enough = round * 37 % 151;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut acknowledged = Vec::new();
    for line in lines.by_ref() {
        acknowledged.extend(line.strip_prefix(ACKNOWLEDGED).map(str::to_owned));
        if acknowledged.len() > enough {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it said before it heard the shot counts too; a line that is cut off does not say which workflow.
    let rest: Vec<_> = lines.collect();
    let said = rest.iter().filter_map(|line| line.strip_prefix(ACKNOWLEDGED)?.strip_suffix('.'));
    acknowledged.iter().map(|id| id.trim_end_matches('.')).chain(said).map(str::to_owned).collect()
}

fn serve(path: &Path, round: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "store::crash::serves_until_it_is_killed", "--ignored", "--nocapture"]);
    command.env(FILE, path).env(ROUND, round.to_string()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other side of the test above"]
async fn serves_until_it_is_killed() {
    let path = std::env::var(FILE).expect("a file to serve from");
    let round = std::env::var(ROUND).expect("the number of the round");
    let live = std::sync::Arc::new(Live::start(Server::sqlite(path)).await);
    let callers = (0..16).map(|caller| {
        let (live, round) = (live.clone(), round.clone());
        tokio::spawn(async move {
            for number in 0.. {
                let id = format!("{round}-{caller}-{number}");
                live.start_workflow(&id).await.unwrap();
                writeln!(std::io::stdout(), "{ACKNOWLEDGED}{id}.").unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
}

/// A start is one batch: whatever is there of a run, all of it is.
fn assert_whole(path: &Path) {
    let rows = kit::load(&mut SqliteStore::open(path).unwrap()).unwrap();
    let mut parts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows.iter().filter(|row| [Table::Runs, Table::Events].contains(&row.table)) {
        parts.entry(row.key.slice(..8)).or_default().push(row.table);
    }
    assert!(!parts.is_empty());
    for (run, tables) in parts {
        assert_eq!(tables, [Table::Runs, Table::Events, Table::Events], "run {run:?}");
    }
}
