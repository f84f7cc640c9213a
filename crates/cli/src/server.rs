//! `stead server`.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use stead_server::{Builder, Clock, SearchAttributeType, Server};

/// Options of `stead server`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Keep everything in this SQLite file. Without it, everything is forgotten at the end.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Listen at this address. Nobody is asked who they are, so name an address of the network only
    /// where everybody may come in.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7233")]
    listen: SocketAddr,
    /// Have this namespace, beside `default`. May be repeated.
    #[arg(long, value_name = "NAME")]
    namespace: Vec<String>,
    /// Have this search attribute in all of these namespaces: `Customer=Keyword`, of the types Bool, Datetime, Double,
    /// Int, Keyword, KeywordList and Text. May be repeated.
    #[arg(long, value_name = "NAME=TYPE", value_parser = search_attribute)]
    search_attribute: Vec<(String, SearchAttributeType)>,
    /// Skip time when nothing can run, as the test environments of Temporal's SDKs expect: it begins locked, and they
    /// lock and unlock it with the calls of the test service.
    #[arg(long)]
    skip_time: bool,
}

/// Runs a server until Ctrl-C.
pub(crate) async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let kept = match &options.db {
        Some(file) => {
            println!("opening {} …", file.display());
            format!("kept in {}", file.display())
        }
        None => "in memory, forgotten at the end".to_owned(),
    };
    let server = builder(options).start().await?;
    let address = server.address().ok_or("the server does not listen")?;
    println!("listening at {address} ({kept}; ready after {:.0?})", began.elapsed());
    tokio::signal::ctrl_c().await?;
    println!("stopping …");
    server.shutdown().await;
    println!("stopped; everything that was answered is kept");
    Ok(())
}

fn builder(options: Options) -> Builder {
    let mut builder = match options.db {
        Some(file) => Server::sqlite(file),
        None => Server::in_memory(),
    };
    builder = builder.listen(options.listen);
    for name in options.namespace {
        builder = builder.namespace(name);
    }
    for (name, kind) in options.search_attribute {
        builder = builder.search_attribute(name, kind);
    }
    if options.skip_time {
        builder = builder.clock(Clock::skipping_when_unlocked());
    }
    builder
}

fn search_attribute(text: &str) -> Result<(String, SearchAttributeType), String> {
    let (name, kind) = text.split_once('=').ok_or("say NAME=TYPE, such as Customer=Keyword")?;
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    Ok((name.to_owned(), kind.parse()?))
}
