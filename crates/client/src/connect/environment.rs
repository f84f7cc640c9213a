//! A connection out of environment variables.

use std::{collections::BTreeMap, env, fs, io, path::Path};

use super::{Connect, EnvironmentError, Remote};
#[cfg(feature = "tls")]
use super::{Tls, TlsMode};

/// The variables `TEMPORAL_…`, those that are empty left out as if they were not set.
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only certificates are in files"))]
    read: fn(&Path) -> io::Result<Vec<u8>>,
}

impl Environment {
    /// This process's.
    pub(super) fn current() -> Self {
        let variables =
            env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::new(variables, |path| fs::read(path))
    }

    fn new(variables: impl Iterator<Item = (String, String)>, read: fn(&Path) -> io::Result<Vec<u8>>) -> Self {
        let variables = variables.filter(|(name, value)| name.starts_with("TEMPORAL_") && !value.is_empty()).collect();
        Self { variables, read }
    }

    pub(super) fn into_connect(self) -> Result<Connect<Remote>, EnvironmentError> {
        self.refuse_unsupported()?;
        let mut connect = Connect::to(self.get("TEMPORAL_ADDRESS").unwrap_or("localhost:7233"));
        if let Some(namespace) = self.get("TEMPORAL_NAMESPACE") {
            connect = connect.namespace(namespace);
        }
        if let Some(key) = self.get("TEMPORAL_API_KEY") {
            connect = connect.api_key(key);
        }
        for (name, value) in &self.variables {
            if let Some(header) = name.strip_prefix("TEMPORAL_GRPC_META_") {
                connect = connect.metadata(&header.to_ascii_lowercase().replace('_', "-"), value);
            }
        }
        self.add_tls(connect)
    }

    fn refuse_unsupported(&self) -> Result<(), EnvironmentError> {
        let profiles = "configuration files with profiles are not supported yet by this version of stead";
        let codec = "remote codecs are not supported yet by this version of stead";
        let verification =
            "certificates are always verified; trust the server's with `TEMPORAL_TLS_SERVER_CA_CERT_PATH`";
        let unsupported = [
            ("TEMPORAL_CONFIG_FILE", profiles),
            ("TEMPORAL_PROFILE", profiles),
            ("TEMPORAL_CODEC_ENDPOINT", codec),
            ("TEMPORAL_CODEC_AUTH", codec),
        ];
        if let Some((variable, reason)) = unsupported.into_iter().find(|(variable, _)| self.get(variable).is_some()) {
            return Err(EnvironmentError::Unsupported { variable: variable.to_owned(), reason });
        }
        match self.flag("TEMPORAL_TLS_DISABLE_HOST_VERIFICATION")? {
            Some(true) => Err(EnvironmentError::Unsupported {
                variable: "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION".to_owned(),
                reason: verification,
            }),
            Some(false) | None => Ok(()),
        }
    }

    #[cfg(feature = "tls")]
    fn add_tls(&self, connect: Connect<Remote>) -> Result<Connect<Remote>, EnvironmentError> {
        let flag = self.flag("TEMPORAL_TLS")?;
        let details = self.tls()?;
        Ok(match (flag, details) {
            (Some(false), _) => connect.tls(TlsMode::Off),
            (_, Some(tls)) => connect.tls(tls),
            (Some(true), None) => connect.tls(true),
            (None, None) => connect,
        })
    }

    #[cfg(not(feature = "tls"))]
    fn add_tls(&self, connect: Connect<Remote>) -> Result<Connect<Remote>, EnvironmentError> {
        if self.flag("TEMPORAL_TLS")? == Some(false) {
            return Ok(connect);
        }
        match self.variables.keys().find(|name| name.starts_with("TEMPORAL_TLS")) {
            Some(variable) => Err(EnvironmentError::Unsupported {
                variable: variable.clone(),
                reason: "the feature `tls` is off in this program",
            }),
            None => Ok(connect),
        }
    }

    /// `None` where no variable says more than whether TLS is on.
    #[cfg(feature = "tls")]
    fn tls(&self) -> Result<Option<Tls>, EnvironmentError> {
        let ca = self.pem("TEMPORAL_TLS_SERVER_CA_CERT")?;
        let server_name = self.get("TEMPORAL_TLS_SERVER_NAME");
        let client = self.client_certificate()?;
        if ca.is_none() && server_name.is_none() && client.is_none() {
            return Ok(None);
        }
        let mut tls = Tls::new();
        if let Some(pem) = ca {
            tls = tls.ca_certificate(pem);
        }
        if let Some(name) = server_name {
            tls = tls.server_name(name);
        }
        if let Some([certificate, key]) = client {
            tls = tls.client_certificate(certificate, key);
        }
        Ok(Some(tls))
    }

    #[cfg(feature = "tls")]
    fn client_certificate(&self) -> Result<Option<[Vec<u8>; 2]>, EnvironmentError> {
        let (certificate, key) = ("TEMPORAL_TLS_CLIENT_CERT", "TEMPORAL_TLS_CLIENT_KEY");
        let incomplete = |present: &str, missing: &str| {
            let (present, missing) = (format!("{present}_PATH` or `{present}_DATA"), format!("{missing}_PATH"));
            Err(EnvironmentError::Incomplete { present, missing })
        };
        match (self.pem(certificate)?, self.pem(key)?) {
            (Some(certificate), Some(key)) => Ok(Some([certificate, key])),
            (None, None) => Ok(None),
            (Some(_), None) => incomplete(certificate, key),
            (None, Some(_)) => incomplete(key, certificate),
        }
    }

    /// What `<name>_DATA` holds, or the file that `<name>_PATH` names.
    #[cfg(feature = "tls")]
    fn pem(&self, name: &str) -> Result<Option<Vec<u8>>, EnvironmentError> {
        let (data, path) = (format!("{name}_DATA"), format!("{name}_PATH"));
        match (self.get(&data), self.get(&path)) {
            (Some(_), Some(_)) => Err(EnvironmentError::Conflict { first: path, second: data }),
            (Some(pem), None) => Ok(Some(pem.as_bytes().to_vec())),
            (None, Some(file)) => match (self.read)(Path::new(file)) {
                Ok(pem) => Ok(Some(pem)),
                Err(source) => Err(EnvironmentError::Unreadable { variable: path, path: file.into(), source }),
            },
            (None, None) => Ok(None),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, EnvironmentError> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => {
                Err(EnvironmentError::Invalid { variable: name.to_owned(), expected: "`true`, `1`, `false` or `0`" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(variables: &[(&str, &str)]) -> Result<String, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let missing: fn(&Path) -> io::Result<Vec<u8>> = |path| match path.to_str() {
            Some("ca.pem") => Ok(b"ca".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let connect = Environment::new(variables, missing).into_connect();
        connect.map(|connect| format!("{connect:?}")).map_err(|error| error.to_string())
    }

    #[test]
    fn no_variables_mean_a_local_server() {
        let shown = connect(&[("TEMPORAL_NAMESPACE", "")]).unwrap();
        assert!(shown.contains(r#"address: "localhost:7233""#) && shown.contains(r#"namespace: "default""#), "{shown}");
    }

    #[test]
    fn address_namespace_key_and_headers_are_taken_over() {
        let shown = connect(&[
            ("TEMPORAL_ADDRESS", "there:7233"),
            ("TEMPORAL_NAMESPACE", "shop"),
            ("TEMPORAL_API_KEY", "sentinel"),
            ("TEMPORAL_GRPC_META_X_TENANT", "sentinel"),
        ])
        .unwrap();
        assert!(["there:7233", "shop", "x-tenant"].iter().all(|part| shown.contains(part)), "{shown}");
        assert!(!shown.contains("sentinel"), "{shown}");
    }

    #[test]
    fn what_this_version_does_not_do_is_refused_and_not_ignored() {
        for variable in ["TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE", "TEMPORAL_CODEC_ENDPOINT"] {
            assert!(connect(&[(variable, "x")]).unwrap_err().contains("not supported yet"), "{variable}");
        }
        assert!(connect(&[("TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", "true")]).is_err());
        assert!(connect(&[("TEMPORAL_TLS", "maybe")]).unwrap_err().contains("`true`"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn certificates_come_from_data_or_from_a_file() {
        let shown = connect(&[("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "ca.pem")]).unwrap();
        assert!(shown.contains("own_ca_certificate: true"), "{shown}");
        let both = [("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "ca.pem"), ("TEMPORAL_TLS_SERVER_CA_CERT_DATA", "ca")];
        assert!(connect(&both).unwrap_err().contains("both set"));
        assert!(connect(&[("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "gone.pem")]).unwrap_err().contains("gone.pem"));
        assert!(
            connect(&[("TEMPORAL_TLS_CLIENT_KEY_DATA", "sentinel")]).unwrap_err().contains("TEMPORAL_TLS_CLIENT_CERT")
        );
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_can_be_turned_off_plainly() {
        assert!(connect(&[("TEMPORAL_TLS", "0"), ("TEMPORAL_TLS_SERVER_NAME", "x")]).unwrap().contains("tls: Off"));
        assert!(connect(&[("TEMPORAL_TLS", "TRUE")]).unwrap().contains("tls: On"));
    }
}
