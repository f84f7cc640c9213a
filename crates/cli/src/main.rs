//! The `stead` program.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to whoever started it")]

mod dynamic_config;
mod server;
mod start_dev;

use std::ffi::OsString;
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
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
enum Command {
    /// Runs a Temporal server until Ctrl-C or `SIGTERM`.
    #[command(args_conflicts_with_subcommands = true)]
    Server {
        #[command(subcommand)]
        form: Option<Form>,
        #[command(flatten)]
        options: server::Options,
    },
    /// Takes the place of Temporal's test server: `stead PORT` means the same.
    TestServer(start_dev::TestServer),
}

#[derive(Debug, Subcommand)]
enum Form {
    /// Takes the place of `temporal server start-dev`, with its options.
    StartDev(start_dev::StartDev),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse_from(arguments(std::env::args_os()));
    let ended = match command {
        Command::Server { form: None, options } => server::run(options).await,
        Command::Server { form: Some(Form::StartDev(options)), .. } => start_dev::start_dev(options).await,
        Command::TestServer(options) => start_dev::test_server(options).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stead: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The arguments, with the name of the command that a port without one stands for: so SDKs start Temporal's test server.
fn arguments(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = given.collect();
    let first = arguments.get(1).and_then(|argument| argument.to_str());
    if first.is_some_and(|first| first.parse::<u16>().is_ok()) {
        arguments.insert(1, "test-server".into());
    }
    arguments
}

/// An error and its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
