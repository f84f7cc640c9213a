//! Repository chores: `cargo xtask <chore>`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool: results on stdout, the rest on stderr"
)]

mod bench;
mod codegen;
mod real_server;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <chore>

  codegen [--check]               write the Rust of `stead-proto` from `proto/`, or only compare
  real-server [--stop]            run Temporal's own server and print its address
  bench [acts|idle|replay|soak]   measure `stead` and the official SDK by turns, and compare
  bench servers                   measure both SDKs on `stead server` and on Temporal's own
  tidy                            check the rules of the repository";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["codegen"] => codegen::run(false),
        ["codegen", "--check"] => codegen::run(true),
        ["real-server"] => real_server::run(),
        ["real-server", "--stop"] => real_server::stop(),
        ["bench"] => bench::run(bench::Part::All),
        ["bench", part] => bench::run(part.parse()?),
        ["tidy"] => tidy::run(),
        _ => anyhow::bail!("{USAGE}"),
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

/// The folder of the workspace.
fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Where cargo builds, and chores keep what they make.
fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target))
}
