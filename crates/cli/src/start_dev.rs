//! `stead server start-dev` and `stead test-server`: the forms in which Temporal's SDKs and users start the programs whose
//! place this one can take.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use stead_server::engine::Limits;
use stead_server::{Builder, Clock, SearchAttributeType, Server};

use crate::dynamic_config::Setting;
use crate::server::{search_attribute, serve};

/// Options of `stead server start-dev`, as Temporal's command line has them.
#[derive(Debug, Args)]
pub(crate) struct StartDev {
    /// Listen at this port.
    #[arg(long, short, default_value_t = 7233)]
    port: u16,
    /// Listen at this address.
    #[arg(long, default_value = "localhost", value_parser = ip)]
    ip: IpAddr,
    /// Have this namespace, beside `default`. May be repeated.
    #[arg(long, short, value_name = "NAME")]
    namespace: Vec<String>,
    /// Keep everything in this SQLite file, which Temporal's own program cannot read. Without it, everything is forgotten
    /// at the end.
    #[arg(long, short = 'f', value_name = "FILE")]
    db_filename: Option<PathBuf>,
    /// Have this search attribute in all of these namespaces: `Customer=Keyword`. May be repeated.
    #[arg(long, value_name = "NAME=TYPE", value_parser = search_attribute)]
    search_attribute: Vec<(String, SearchAttributeType)>,
    /// Set a value of Temporal's dynamic configuration: limits are set, and what has no effect is named. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = Setting::parse)]
    dynamic_config_value: Vec<Setting>,
    #[command(flatten)]
    unneeded: Unneeded,
    #[command(flatten)]
    missing: Missing,
}

/// What is as if it had been said: there is no page, and nothing is logged.
#[derive(Debug, Args)]
struct Unneeded {
    /// Serve no web page, which is always so.
    #[arg(long)]
    headless: bool,
    /// Of no effect: nothing is logged.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Of no effect: nothing is logged.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

/// What is asked of parts that are not there. It is accepted, so that the server starts, and said.
#[derive(Debug, Args)]
struct Missing {
    /// Of no effect: there is no web page.
    #[arg(long, value_name = "PORT")]
    ui_port: Option<u16>,
    /// Of no effect: there is no web page.
    #[arg(long, value_name = "ADDRESS")]
    ui_ip: Option<String>,
    /// Of no effect: there is no HTTP API.
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Of no effect: there are no metrics.
    #[arg(long, value_name = "PORT")]
    metrics_port: Option<u16>,
}

/// What `stead test-server` is told, as Temporal's test server is.
#[derive(Debug, Args)]
pub(crate) struct TestServer {
    /// Listen at this port of the loopback interface.
    port: u16,
}

/// Runs a server until it is told to stop.
pub(crate) async fn start_dev(options: StartDev) -> Result<(), Box<dyn Error>> {
    for said in options.missing.said() {
        eprintln!("stead: {said}");
    }
    let (listen, db) = (SocketAddr::from((options.ip, options.port)), options.db_filename.clone());
    serve(builder(options)?.listen(listen), db.as_deref(), "").await
}

/// Runs a server that skips time until it is told to stop.
pub(crate) async fn test_server(options: TestServer) -> Result<(), Box<dyn Error>> {
    let server = Server::in_memory().clock(Clock::skipping_when_unlocked());
    serve(server.listen(options.port), None, "skips time when it is unlocked; ").await
}

fn builder(options: StartDev) -> Result<Builder, String> {
    let mut builder = match options.db_filename {
        Some(file) => Server::sqlite(file),
        None => Server::in_memory(),
    };
    for name in options.namespace {
        builder = builder.namespace(name);
    }
    for (name, kind) in options.search_attribute {
        builder = builder.search_attribute(name, kind);
    }
    let mut limits = Limits::default();
    for setting in options.dynamic_config_value {
        if let Some(said) = setting.apply(&mut limits)? {
            eprintln!("stead: {said}");
        }
    }
    Ok(builder.limits(limits))
}

impl Missing {
    fn said(&self) -> impl Iterator<Item = String> {
        let asked = [
            (
                self.ui_port.is_some(),
                "--ui-port",
                "no web page; Temporal's own, `temporalio/ui`, connects to this server",
            ),
            (self.ui_ip.is_some(), "--ui-ip", "no web page"),
            (self.http_port.is_some(), "--http-port", "no HTTP API"),
            (self.metrics_port.is_some(), "--metrics-port", "no endpoint for metrics"),
        ];
        let asked = asked.into_iter().filter(|(is_asked, ..)| *is_asked);
        asked.map(|(_, option, why)| format!("{option} has no effect: there is {why}"))
    }
}

fn ip(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.parse().map_err(|_| "say an address, such as 127.0.0.1, or localhost".to_owned())
}
