//! `stead server`.

use std::error::Error;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use stead_server::{Builder, Clock, SearchAttributeType, Server, StartError, Tls, TlsError, TlsPart};

/// Options of `stead server`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Keep everything in this SQLite file. Without it, everything is forgotten at the end.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Listen at this address. Without `--tls-client-ca`, nobody is asked who they are, so name an address of the
    /// network only where everybody may come in.
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
    #[command(flatten)]
    encryption: Encryption,
}

/// Files of the certificates, in PEM.
#[derive(Clone, Debug, Args)]
struct Encryption {
    /// Encrypt connections. The server's certificate, followed by those that lead to its authority.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of this certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Take only clients that have a certificate of these authorities.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
}

/// Runs a server until it is told to stop.
pub(crate) async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let (encryption, db) = (options.encryption.clone(), options.db.clone());
    let served = serve(builder(options)?, db.as_deref(), encryption.described()).await;
    served.map_err(|error| match error.downcast() {
        Ok(error) => encryption.named(*error),
        Err(error) => error,
    })
}

/// Starts a server, which keeps everything in `db` if it is there, and runs it until it is told to stop.
/// `about` is what else there is to say about it.
pub(crate) async fn serve(builder: Builder, db: Option<&Path>, about: &str) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let kept = match db {
        Some(file) => {
            println!("opening {} …", file.display());
            format!("kept in {}", file.display())
        }
        None => "in memory, forgotten at the end".to_owned(),
    };
    let server = builder.start().await?;
    let address = server.address().ok_or("the server does not listen")?;
    let mut stop = Stop::new()?;
    println!("listening at {address} ({about}{kept}; ready after {:.0?})", began.elapsed());
    stop.told().await?;
    println!("stopping …");
    server.shutdown().await;
    println!("stopped; everything that was answered is kept");
    Ok(())
}

/// What tells the server to stop: Ctrl-C, and what process managers and containers send.
struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    #[cfg(unix)]
    async fn told(&mut self) -> io::Result<()> {
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = self.terminate.recv() => Ok(()),
        }
    }

    #[cfg(not(unix))]
    async fn told(&mut self) -> io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}

fn builder(options: Options) -> Result<Builder, Box<dyn Error>> {
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
    if let Some(tls) = options.encryption.read()? {
        builder = builder.tls(tls);
    }
    Ok(builder)
}

impl Encryption {
    fn read(&self) -> Result<Option<Tls>, String> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let tls = Tls::new(read(certificate)?, read(key)?);
        Ok(Some(match &self.tls_client_ca {
            Some(file) => tls.client_ca(read(file)?),
            None => tls,
        }))
    }

    /// The same error, with the file it is about.
    fn named(&self, error: StartError) -> Box<dyn Error> {
        let StartError::Tls(TlsError { part, reason }) = error else { return error.into() };
        let file = match part {
            TlsPart::Certificate => &self.tls_cert,
            TlsPart::Key => &self.tls_key,
            TlsPart::ClientCa => &self.tls_client_ca,
            _ => &None,
        };
        match file {
            Some(file) => format!("{}: {part} cannot be used: {reason}", file.display()).into(),
            None => format!("{part} cannot be used: {reason}").into(),
        }
    }

    fn described(&self) -> &'static str {
        match (&self.tls_cert, &self.tls_client_ca) {
            (None, _) => "",
            (Some(_), None) => "TLS; ",
            (Some(_), Some(_)) => "mutual TLS; ",
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

pub(crate) fn search_attribute(text: &str) -> Result<(String, SearchAttributeType), String> {
    let (name, kind) = text.split_once('=').ok_or("say NAME=TYPE, such as Customer=Keyword")?;
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    Ok((name.to_owned(), kind.parse()?))
}
