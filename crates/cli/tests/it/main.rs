//! The program as whoever starts it sees it.

mod environment;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../client/tests/it/certificates");

fn stead(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stead")).args(arguments).output().unwrap()
}

/// What a server that cannot start says.
#[track_caller]
fn refusal(arguments: &[&str]) -> String {
    let output = stead(&[&["server", "--listen", "127.0.0.1:0"], arguments].concat());
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_file_of_certificates_that_cannot_be_used_is_named() {
    let (certificate, key) = (format!("{CERTIFICATES}/server.pem"), format!("{CERTIFICATES}/server.key"));
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.pem");
    fs::write(&text, "sentinel").unwrap();
    let [text, missing] = [&text, Path::new("/nowhere/at.pem")].map(|path| path.to_str().unwrap());
    for (arguments, expected) in [
        (["--tls-cert", missing, "--tls-key", &key, "--tls-client-ca", &certificate], missing),
        (["--tls-cert", text, "--tls-key", &key, "--tls-client-ca", &certificate], text),
        (["--tls-cert", &certificate, "--tls-key", text, "--tls-client-ca", &certificate], text),
        (["--tls-cert", &certificate, "--tls-key", &key, "--tls-client-ca", text], text),
    ] {
        let refusal = refusal(&arguments);
        assert!(refusal.contains(expected) && !refusal.contains("sentinel"), "{arguments:?}: {refusal}");
    }
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    let refusal = refusal(&["--tls-cert", &format!("{CERTIFICATES}/server.pem")]);
    assert!(refusal.contains("--tls-key <FILE>"), "{refusal}");
}

#[cfg(unix)]
#[test]
fn whoever_stops_it_from_a_terminal_or_a_container_sees_it_stop_in_order() {
    for signal in ["INT", "TERM"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_stead"));
        let mut server = program.args(["server", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.next().unwrap().starts_with("listening at 127.0.0.1:"));
        let sent = Command::new("kill").args(["-s", signal, &server.id().to_string()]).status().unwrap();
        assert!(sent.success(), "{sent}");
        assert_eq!(lines.last().unwrap(), "stopped; everything that was answered is kept", "{signal}");
        assert!(server.wait().unwrap().success(), "{signal}");
    }
}
