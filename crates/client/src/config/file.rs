//! `temporal.toml`: the text of a configuration file as profiles.

use std::collections::BTreeMap;

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{ClientConfig, ClientProfile, ConfigError, DataSource, ProfileCodec, ProfileTls, environment::header_name};
use crate::secret::Secret;

pub(super) fn parse(text: &str, strict: bool) -> Result<ClientConfig, ConfigError> {
    let root = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        line: line(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let root = Table { text, path: String::new(), entries: root.get_ref() };
    let mut config = ClientConfig::default();
    if let Some(profiles) = root.table("profile")? {
        for name in profiles.entries.keys() {
            if let Some(table) = profiles.table(name.get_ref())? {
                config.profiles.insert(name.get_ref().to_string(), profile(&table, strict)?);
            }
        }
    }
    root.only(strict, &["profile"])?;
    Ok(config)
}

fn profile(table: &Table<'_>, strict: bool) -> Result<ClientProfile, ConfigError> {
    table.only(strict, &["address", "namespace", "api_key", "tls", "codec", "grpc_meta"])?;
    Ok(ClientProfile {
        address: table.text("address")?,
        namespace: table.text("namespace")?,
        api_key: table.text("api_key")?.map(Secret::from),
        tls: table.table("tls")?.map(|table| tls(&table, strict)).transpose()?,
        codec: table.table("codec")?.map(|table| codec(&table, strict)).transpose()?,
        grpc_meta: table.table("grpc_meta")?.map(|table| headers(&table)).transpose()?.unwrap_or_default(),
    })
}

fn tls(table: &Table<'_>, strict: bool) -> Result<ProfileTls, ConfigError> {
    table.only(
        strict,
        &[
            "disabled",
            "client_cert_path",
            "client_cert_data",
            "client_key_path",
            "client_key_data",
            "server_ca_cert_path",
            "server_ca_cert_data",
            "server_name",
            "disable_host_verification",
        ],
    )?;
    Ok(ProfileTls {
        disabled: table.flag("disabled")?,
        client_cert: table.source("client_cert")?,
        client_key: table.source("client_key")?,
        server_ca_cert: table.source("server_ca_cert")?,
        server_name: table.text("server_name")?,
        disable_host_verification: table.flag("disable_host_verification")?.unwrap_or(false),
    })
}

fn codec(table: &Table<'_>, strict: bool) -> Result<ProfileCodec, ConfigError> {
    table.only(strict, &["endpoint", "auth"])?;
    Ok(ProfileCodec { endpoint: table.text("endpoint")?, auth: table.text("auth")?.map(Secret::from) })
}

fn headers(table: &Table<'_>) -> Result<BTreeMap<String, String>, ConfigError> {
    let header = |key: &Spanned<DeString<'_>>| {
        let value = table.text(key.get_ref())?;
        Ok((header_name(key.get_ref()), value.unwrap_or_default()))
    };
    table.entries.keys().map(header).collect()
}

/// A table of the file, and where it is.
struct Table<'a> {
    text: &'a str,
    path: String,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    fn get<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        match read(value.get_ref()) {
            Some(value) => Ok(Some(value)),
            None => {
                let line = line(self.text, value.span().start);
                Err(ConfigError::WrongType { key: self.name(key), expected, line })
            }
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        self.get(key, "text", |value| value.as_str().map(str::to_owned))
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        self.get(key, "`true` or `false`", DeValue::as_bool)
    }

    fn table(&self, key: &str) -> Result<Option<Table<'a>>, ConfigError> {
        let entries = self.get(key, "a table", DeValue::as_table)?;
        Ok(entries.map(|entries| Table { text: self.text, path: self.name(key), entries }))
    }

    /// What `<key>_path` or `<key>_data` says.
    fn source(&self, key: &str) -> Result<Option<DataSource>, ConfigError> {
        let (path, data) = (format!("{key}_path"), format!("{key}_data"));
        match (self.text(&path)?, self.text(&data)?) {
            (Some(_), Some(_)) => Err(ConfigError::Conflict { first: self.name(&path), second: self.name(&data) }),
            (Some(path), None) => Ok(Some(DataSource::Path(path.into()))),
            (None, Some(data)) => {
                Ok(Some(data).filter(|data| !data.is_empty()).map(|data| DataSource::Data(data.into())))
            }
            (None, None) => Ok(None),
        }
    }

    fn only(&self, strict: bool, known: &[&str]) -> Result<(), ConfigError> {
        let unknown = self.entries.keys().find(|key| !known.contains(&&**key.get_ref()));
        match unknown.filter(|_| strict) {
            None => Ok(()),
            Some(key) => {
                let line = line(self.text, key.span().start);
                Err(ConfigError::UnknownKey { key: self.name(key.get_ref()), line })
            }
        }
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// The line of a place in the text, from 1.
fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &str = r#"
[profile.default]
address = "there:7233"
namespace = "shop"
api_key = "sentinel"
[profile.default.tls]
disabled = false
client_cert_path = "client.pem"
client_key_data = "sentinel"
server_name = "temporal.test"
disable_host_verification = true
[profile.default.codec]
endpoint = "http://localhost:8081"
auth = "Bearer sentinel"
[profile.default.grpc_meta]
X_Tenant = "sentinel"
[profile.empty]
"#;

    #[test]
    fn every_key_is_read() {
        let config = parse(COMPLETE, true).expect("it is valid");
        assert_eq!(config.profiles["empty"], ClientProfile::default());
        let profile = &config.profiles["default"];
        assert_eq!(profile.address.as_deref(), Some("there:7233"));
        assert_eq!(profile.namespace.as_deref(), Some("shop"));
        assert_eq!(profile.api_key, Some("sentinel".into()));
        let tls = profile.tls.as_ref().expect("there is TLS");
        assert_eq!(tls.client_cert, Some(DataSource::Path("client.pem".into())));
        assert_eq!(tls.client_key, Some(DataSource::Data("sentinel".into())));
        assert_eq!((tls.disabled, tls.server_name.as_deref()), (Some(false), Some("temporal.test")));
        assert!(tls.disable_host_verification && tls.server_ca_cert.is_none());
        let codec = profile.codec.as_ref().expect("there is a codec");
        assert_eq!(codec.endpoint.as_deref(), Some("http://localhost:8081"));
        assert_eq!(codec.auth, Some("Bearer sentinel".into()));
        assert_eq!(profile.grpc_meta, [("x-tenant".to_owned(), "sentinel".to_owned())].into());
        assert!(!format!("{config:?}").contains("sentinel"), "{config:?}");
    }

    #[test]
    fn nothing_is_a_configuration_without_profiles() {
        for text in ["", " \n\t", "# nothing", "[profile]"] {
            assert_eq!(parse(text, true).expect("it is empty"), ClientConfig::default(), "{text}");
        }
    }

    #[test]
    fn unknown_keys_are_errors_only_where_they_are_not_let_pass() {
        for (text, key) in [
            ("colour = 1", "colour"),
            ("[profile.a]\nadress = 'x:1'", "profile.a.adress"),
            ("[profile.a.tls]\n\ndisable = true", "profile.a.tls.disable"),
            ("[profile.a.codec]\nurl = ''", "profile.a.codec.url"),
        ] {
            parse(text, false).unwrap_or_else(|error| panic!("{text}: {error}"));
            let error = parse(text, true).expect_err(text).to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
            assert!(error.contains(&format!("line {}", text.lines().count())), "{error}");
        }
    }

    #[test]
    fn errors_name_the_place_and_never_the_value() {
        for (text, said) in [
            ("[profile.a]\napi_key = \"sentinel", "line 2"),
            ("[profile.a]\napi_key = sentinel", "line 2"),
            ("[profile.a]\napi_key = ['sentinel']", "`profile.a.api_key` must be text (line 2"),
            ("[profile.a]\ntls = 'sentinel'", "`profile.a.tls` must be a table"),
            ("[profile.a.tls]\ndisabled = 'sentinel'", "`profile.a.tls.disabled` must be `true` or `false`"),
            ("profile = 'sentinel'", "`profile` must be a table"),
            ("[profile]\na = 'sentinel'", "`profile.a` must be a table"),
            ("[profile.a.grpc_meta]\nx = 1", "`profile.a.grpc_meta.x` must be text"),
            (
                "[profile.a.tls]\nclient_key_path = 'sentinel'\nclient_key_data = 'sentinel'",
                "`profile.a.tls.client_key_path` and `profile.a.tls.client_key_data` are both set",
            ),
        ] {
            let error = parse(text, false).expect_err(text);
            assert!(error.to_string().contains(said), "{error}");
            assert!(!format!("{error} {error:?}").contains("sentinel"), "{error:?}");
        }
    }
}
