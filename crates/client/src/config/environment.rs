//! The variables `TEMPORAL_…` over a profile.

use std::{collections::BTreeMap, env};

use super::{ClientProfile, ConfigError, DataSource, ProfileCodec, ProfileTls};

/// Variables by name, those of others left out.
#[derive(Debug, Default)]
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// This process's.
    pub(super) fn current() -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        for (name, value) in env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            if name.starts_with(PREFIX) {
                let value = value.into_string();
                let value = value.map_err(|_| ConfigError::NotText { what: format!("the variable `{name}`") })?;
                variables.insert(name, value);
            }
        }
        Ok(Self(variables))
    }

    pub(super) fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Overrules a profile.
    pub(super) fn apply(&self, profile: &mut ClientProfile) -> Result<(), ConfigError> {
        let text = |name: &str, place: &mut Option<String>| {
            if let Some(value) = self.get(name) {
                *place = Some(value.to_owned());
            }
        };
        text("TEMPORAL_ADDRESS", &mut profile.address);
        text("TEMPORAL_NAMESPACE", &mut profile.namespace);
        if let Some(key) = self.get("TEMPORAL_API_KEY") {
            profile.api_key = Some(key.into());
        }
        if profile.tls.is_some() || self.has("TEMPORAL_TLS") {
            self.apply_tls(profile.tls.get_or_insert_with(ProfileTls::default))?;
        }
        if profile.codec.is_some() || self.has("TEMPORAL_CODEC_") {
            let codec = profile.codec.get_or_insert_with(ProfileCodec::default);
            text("TEMPORAL_CODEC_ENDPOINT", &mut codec.endpoint);
            if let Some(auth) = self.get("TEMPORAL_CODEC_AUTH") {
                codec.auth = Some(auth.into());
            }
        }
        self.apply_headers(&mut profile.grpc_meta);
        Ok(())
    }

    fn apply_tls(&self, tls: &mut ProfileTls) -> Result<(), ConfigError> {
        if let Some(on) = self.flag("TEMPORAL_TLS") {
            tls.disabled = Some(!on);
        }
        self.apply_source("TEMPORAL_TLS_CLIENT_CERT", &mut tls.client_cert)?;
        self.apply_source("TEMPORAL_TLS_CLIENT_KEY", &mut tls.client_key)?;
        self.apply_source("TEMPORAL_TLS_SERVER_CA_CERT", &mut tls.server_ca_cert)?;
        if let Some(name) = self.get("TEMPORAL_TLS_SERVER_NAME") {
            tls.server_name = Some(name.to_owned());
        }
        if let Some(disable) = self.flag("TEMPORAL_TLS_DISABLE_HOST_VERIFICATION") {
            tls.disable_host_verification = disable;
        }
        Ok(())
    }

    /// What `<name>_PATH` or `<name>_DATA` says, which may not contradict the file.
    fn apply_source(&self, name: &str, place: &mut Option<DataSource>) -> Result<(), ConfigError> {
        let (path, data) = (format!("{name}_PATH"), format!("{name}_DATA"));
        let conflict = |first: &str, second: &str| {
            Err(ConfigError::Conflict { first: first.to_owned(), second: second.to_owned() })
        };
        // The file's keys have the names of the variables, but for the prefix and the case.
        let in_file = |kind: &str| format!("{}_{kind}", name.trim_start_matches("TEMPORAL_TLS_").to_ascii_lowercase());
        *place = match (self.get(&path), self.get(&data), place.take()) {
            (Some(_), Some(_), _) => return conflict(&path, &data),
            (Some(_), None, Some(DataSource::Data(_))) => return conflict(&path, &in_file("data")),
            (None, Some(_), Some(DataSource::Path(_))) => return conflict(&data, &in_file("path")),
            (Some(path), None, _) => Some(DataSource::Path(path.into())),
            (None, Some(data), _) => Some(DataSource::Data(data.into())),
            (None, None, before) => before,
        };
        Ok(())
    }

    /// An empty one takes the file's away.
    fn apply_headers(&self, headers: &mut BTreeMap<String, String>) {
        for (name, value) in &self.0 {
            let Some(header) = name.strip_prefix("TEMPORAL_GRPC_META_") else { continue };
            if value.is_empty() {
                headers.remove(&header_name(header));
            } else {
                headers.insert(header_name(header), value.clone());
            }
        }
    }

    fn has(&self, prefix: &str) -> bool {
        self.0.keys().any(|name| name.starts_with(prefix))
    }

    /// What is neither is as good as not set, in all SDKs.
    fn flag(&self, name: &str) -> Option<bool> {
        match self.filled(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => {
                tracing::warn!(target: "stead::client", "`{name}` is neither `true`, `1`, `false` nor `0`, and does nothing");
                None
            }
        }
    }
}

const PREFIX: &str = "TEMPORAL_";

/// A header's name, of a variable's or a key's.
pub(super) fn header_name(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}
