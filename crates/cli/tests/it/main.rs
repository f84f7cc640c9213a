//! The program as whoever starts it sees it.

mod environment;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
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

/// What a server says on both of its streams until it listens.
fn began(arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stead"));
    let mut server = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let listening = lines.into_iter().find(|line| line.starts_with("listening at ")).unwrap_or_default();
    server.kill().unwrap();
    server.wait().unwrap();
    let mut said = String::new();
    server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (listening, said)
}

#[test]
fn the_arguments_by_which_sdks_start_the_server_for_development_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dev.db");
    let sdk = ["server", "start-dev", "--port", "0", "--namespace", "default", "--ip", "127.0.0.1"];
    let logs = ["--log-format", "pretty", "--log-level", "warn", "--headless"];
    let settings = ["frontend.enableServerVersionCheck=false", "limit.historyCount.suggestContinueAsNew=50"];
    let settings = settings.map(|setting| ["--dynamic-config-value", setting]).concat();
    let kept = ["--db-filename", file.to_str().unwrap(), "--search-attribute", "Customer=Keyword"];
    let (listening, said) = began(&[&sdk[..], &logs, &settings, &kept].concat());
    assert!(listening.starts_with("listening at 127.0.0.1:") && listening.contains("dev.db"), "{listening}");
    assert_eq!(said, "");
    assert!(file.exists());
}

#[test]
fn what_the_server_for_development_has_not_is_said_and_it_starts_all_the_same() {
    let asked = ["--ui-port", "8233", "--http-port", "7243", "--dynamic-config-value", "history.shards=4"];
    let (listening, said) = began(&[&["server", "start-dev", "--port", "0"], &asked[..]].concat());
    assert!(listening.starts_with("listening at 127.0.0.1:"), "{listening}");
    let named = ["--ui-port", "--http-port", "`history.shards`"];
    assert!(said.lines().count() == 3 && named.iter().all(|name| said.contains(name)), "{said}");
}

#[test]
fn a_port_alone_starts_the_server_for_tests() {
    for arguments in [&["0"][..], &["test-server", "0"]] {
        let (listening, said) = began(arguments);
        assert!(listening.contains("skips time when it is unlocked") && said.is_empty(), "{listening} {said}");
    }
    let unknown = stead(&["no-such-command"]);
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("no-such-command"));
}

#[test]
fn a_setting_that_cannot_be_is_refused_by_its_name() {
    let setting = ["--dynamic-config-value", "limit.historyCount.error=many"];
    let output = stead(&[&["server", "start-dev", "--port", "0"], &setting[..]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("`limit.historyCount.error`"), "{said}");
}
