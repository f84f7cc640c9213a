//! The `stead` program.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to whoever started it")]

mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Durable workflows, for Temporal's SDKs and tools.
#[derive(Debug, Parser)]
#[command(name = "stead", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a Temporal server until Ctrl-C or `SIGTERM`.
    Server(server::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let ended = match command {
        Command::Server(options) => server::run(options).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stead: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
