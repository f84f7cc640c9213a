//! Renders the server's configuration with free ports.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::Result;

/// Name of the rendered file, in the folder that it is written to.
pub(super) const FILE: &str = "config.yaml";

const TEMPLATE: &str = include_str!("../../assets/real-server/config.yaml");
const DYNAMIC: &str = include_str!("../../assets/real-server/dynamic-config.yaml");

const FRONTEND: &str = "frontend-grpc";

/// The names that stand in the template in angle brackets.
const PORTS: [&str; 9] = [
    FRONTEND,
    "frontend-membership",
    "frontend-http",
    "matching-grpc",
    "matching-membership",
    "history-grpc",
    "history-membership",
    "worker-grpc",
    "worker-membership",
];

/// The ports that callers need to know.
pub(super) struct Ports {
    /// Where the server answers gRPC.
    pub(super) frontend: u16,
}

/// Writes the configuration into `folder`.
pub(super) fn write(folder: &Path) -> Result<Ports> {
    let ports = free_ports(PORTS.len())?;
    fs::write(folder.join(FILE), render(&ports))?;
    fs::write(folder.join("dynamic-config.yaml"), DYNAMIC)?;
    Ok(Ports { frontend: ports[0] })
}

fn render(ports: &[u16]) -> String {
    PORTS
        .iter()
        .zip(ports)
        .fold(TEMPLATE.to_owned(), |text, (name, port)| text.replace(&format!("<{name}>"), &port.to_string()))
}

/// All are held at once while they are looked for, so that they differ.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let held = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<Vec<_>, _>>()?;
    Ok(held.iter().map(|listener| listener.local_addr().map(|a| a.port())).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_of_the_template_is_rendered() {
        let ports: Vec<u16> = (0..PORTS.len() as u16).map(|n| 7000 + n).collect();
        let text = render(&ports);
        let settings: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(!settings.iter().any(|line| line.contains('<')), "{text}");
        assert!(text.contains("grpcPort: 7000\n") && text.contains("rpcAddress: localhost:7000\n"), "{text}");
    }

    #[test]
    fn free_ports_differ() -> Result<()> {
        let mut ports = free_ports(20)?;
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
        Ok(())
    }
}
