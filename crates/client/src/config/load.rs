//! [`ConfigLoader`]: where configuration comes from.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{ClientConfig, ClientProfile, ConfigError, environment::Environment, file};

/// The profile that counts where none is asked for.
pub const DEFAULT_PROFILE: &str = "default";

/// Loads configuration: a profile of a file, overruled by the environment.
///
/// The file is the one that is given, or else that of the variable `TEMPORAL_CONFIG_FILE`, or else
/// `temporalio/temporal.toml` in the user's folder for configuration: `~/.config` (or `$XDG_CONFIG_HOME`) on Linux,
/// `~/Library/Application Support` on macOS, `%AppData%` on Windows. A file that does not exist is an empty one. The
/// profile is the one that is given, or else that of `TEMPORAL_PROFILE`, or else `default`, which need not exist.
///
/// ```no_run
/// use stead_client::ConfigLoader;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let profile = ConfigLoader::new().profile("staging").strict().load()?;
/// let client = profile.connect()?.identity("batch-job").await?;
/// # Ok(())
/// # }
/// ```
///
/// The variables are in the table at [`Client::from_env`](crate::Client::from_env). The file:
///
/// ```toml
/// [profile.default]
/// address = "localhost:7233"
/// namespace = "shop"
/// api_key = ".."
///
/// [profile.default.tls]                   # turns TLS on; there may be a _data for each _path
/// disabled = false
/// client_cert_path = "client.pem"
/// client_key_path = "client.key"
/// server_ca_cert_path = "ca.pem"
/// server_name = "temporal.internal"
///
/// [profile.default.grpc_meta]             # headers of all calls
/// x-tenant = "blue"
/// ```
#[must_use = "nothing is loaded before `load`"]
#[derive(Clone, Default)]
pub struct ConfigLoader {
    profile: Option<String>,
    file: File,
    strict: bool,
    without_environment: bool,
    /// In the place of the process's.
    variables: Option<Vec<(String, String)>>,
}

#[derive(Clone, Default)]
enum File {
    #[default]
    Usual,
    Path(PathBuf),
    Text(String),
    None,
}

impl ConfigLoader {
    /// The usual file and this process's environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// The profile; it must exist.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// The file, instead of the usual one. It need not exist.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = File::Path(path.into());
        self
    }

    /// The text of a file, instead of a file.
    pub fn toml(mut self, text: impl Into<String>) -> Self {
        self.file = File::Text(text.into());
        self
    }

    /// Reads no file.
    pub fn without_file(mut self) -> Self {
        self.file = File::None;
        self
    }

    /// Lets the environment overrule nothing and choose no profile; it still says where the file is.
    pub fn without_environment(mut self) -> Self {
        self.without_environment = true;
        self
    }

    /// Refuses keys of the file that mean nothing. Default: they are let pass.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Variables in the place of this process's environment.
    pub fn variables<N: Into<String>, V: Into<String>>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        self.variables = Some(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Loads the profile.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn load(&self) -> Result<ClientProfile, ConfigError> {
        if self.without_environment && matches!(self.file, File::None) {
            return Err(ConfigError::NothingToLoad);
        }
        let environment = self.environment()?;
        let mut profile = match self.file {
            File::None => ClientProfile::default(),
            _ => self.choose(self.read(&environment)?, &environment)?,
        };
        if !self.without_environment {
            environment.apply(&mut profile)?;
        }
        Ok(profile)
    }

    /// Loads all profiles of the file, which the environment does not overrule.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn load_all(&self) -> Result<ClientConfig, ConfigError> {
        self.read(&self.environment()?)
    }

    fn environment(&self) -> Result<Environment, ConfigError> {
        self.variables.clone().map_or_else(Environment::current, |variables| Ok(Environment::of(variables)))
    }

    fn choose(&self, mut config: ClientConfig, environment: &Environment) -> Result<ClientProfile, ConfigError> {
        let from_environment = environment.filled("TEMPORAL_PROFILE").filter(|_| !self.without_environment);
        let asked_for = self.profile.as_deref().or(from_environment);
        match (config.profiles.remove(asked_for.unwrap_or(DEFAULT_PROFILE)), asked_for) {
            (Some(profile), _) => Ok(profile),
            (None, None) => Ok(ClientProfile::default()),
            (None, Some(name)) => {
                let known = config.profiles.into_keys().collect();
                Err(ConfigError::ProfileNotFound { name: name.to_owned(), known })
            }
        }
    }

    fn read(&self, environment: &Environment) -> Result<ClientConfig, ConfigError> {
        let text = match &self.file {
            File::None => None,
            File::Text(text) => Some(text.clone()),
            File::Path(path) => read(path)?,
            File::Usual => match environment.filled("TEMPORAL_CONFIG_FILE") {
                Some(path) => read(Path::new(path))?,
                None => usual_file(|name| env::var_os(name).map(PathBuf::from)).map_or(Ok(None), |path| read(&path))?,
            },
        };
        text.map_or_else(|| Ok(ClientConfig::default()), |text| file::parse(&text, self.strict))
    }
}

// Written by hand: the text and the variables may hold secrets.
impl fmt::Debug for ConfigLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file: &dyn fmt::Debug = match &self.file {
            File::Usual => &"the usual one",
            File::Path(path) => path,
            File::Text(_) => &"a text",
            File::None => &"none",
        };
        f.debug_struct("ConfigLoader")
            .field("profile", &self.profile)
            .field("file", file)
            .field("strict", &self.strict)
            .field("without_environment", &self.without_environment)
            .finish_non_exhaustive()
    }
}

/// `None` where there is no file.
fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(ConfigError::Unreadable { what: "configuration file", path: path.to_owned(), source });
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(ConfigError::NotText { what: format!("the configuration file `{}`", path.display()) }),
    }
}

/// The file in the user's folder for configuration; `None` where there is no such folder.
fn usual_file(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let home = || variable("HOME").filter(|home| home.is_absolute());
    let folder = if cfg!(windows) {
        variable("APPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        let own = variable("XDG_CONFIG_HOME").filter(|folder| folder.is_absolute());
        own.or_else(|| home().map(|home| home.join(".config")))
    };
    folder.map(|folder| folder.join("temporalio").join("temporal.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DataSource;

    const FILE: &str = r#"
[profile.default]
address = "file:7233"
namespace = "of-file"
api_key = "sentinel"
[profile.default.grpc_meta]
x-tenant = "blue"
x-region = "eu"
[profile.staging]
address = "staging:7233"
[profile.staging.tls]
server_name = "of-file"
client_cert_data = "certificate"
"#;

    fn loader(variables: &[(&str, &str)]) -> ConfigLoader {
        ConfigLoader::new().toml(FILE).variables(variables.iter().copied())
    }

    #[test]
    fn the_environment_overrules_the_file() {
        let profile = loader(&[
            ("TEMPORAL_ADDRESS", "environment:7233"),
            ("TEMPORAL_NAMESPACE", ""),
            ("TEMPORAL_GRPC_META_X_TENANT", "green"),
            ("TEMPORAL_GRPC_META_X_REGION", ""),
            ("HOME", "/nowhere"),
        ])
        .load()
        .unwrap();
        assert_eq!(profile.address.as_deref(), Some("environment:7233"));
        assert_eq!(profile.namespace.as_deref(), Some(""));
        assert_eq!(profile.api_key, Some("sentinel".into()));
        assert_eq!(profile.grpc_meta, [("x-tenant".to_owned(), "green".to_owned())].into());
        assert_eq!((&profile.tls, &profile.codec), (&None, &None));
        let shown = format!("{:?}", profile.connect().unwrap());
        assert!(shown.contains(r#"namespace: "default""#), "set to nothing is not set: {shown}");
    }

    #[test]
    fn the_profile_is_the_one_asked_for_or_that_of_the_environment_or_the_default() {
        let staging = [("TEMPORAL_PROFILE", "staging")];
        let address = |loader: ConfigLoader| loader.load().map(|profile| profile.address.unwrap_or_default());
        assert_eq!(address(loader(&[])).unwrap(), "file:7233");
        assert_eq!(address(loader(&[("TEMPORAL_PROFILE", "")])).unwrap(), "file:7233");
        assert_eq!(address(loader(&staging)).unwrap(), "staging:7233");
        assert_eq!(address(loader(&staging).profile("default")).unwrap(), "file:7233");
        assert_eq!(address(loader(&staging).without_environment()).unwrap(), "file:7233");
        assert_eq!(address(loader(&[]).toml("")).unwrap(), "");

        let gone = address(loader(&[("TEMPORAL_PROFILE", "prod")])).unwrap_err();
        assert_eq!(gone.to_string(), "there is no profile `prod`; there are `default`, `staging`");
        let gone = address(loader(&[]).toml("").profile("default")).unwrap_err();
        assert!(gone.to_string().contains("no profiles"), "{gone}");
    }

    #[test]
    fn all_profiles_are_as_the_file_has_them() {
        let all = loader(&[("TEMPORAL_ADDRESS", "environment:7233")]).load_all().unwrap();
        assert_eq!(all.profiles.keys().collect::<Vec<_>>(), ["default", "staging"]);
        assert_eq!(all.profiles["staging"].address.as_deref(), Some("staging:7233"));
    }

    #[test]
    fn one_of_file_and_environment_must_be_allowed() {
        let profile = loader(&[("TEMPORAL_ADDRESS", "environment:7233")]).without_file().load().unwrap();
        assert_eq!((profile.address.as_deref(), profile.namespace), (Some("environment:7233"), None));
        let nothing = loader(&[]).without_file().without_environment().load().unwrap_err();
        assert!(matches!(nothing, ConfigError::NothingToLoad), "{nothing}");
    }

    #[test]
    fn tls_of_the_environment_makes_its_part_of_the_profile_and_may_not_contradict_it() {
        let tls = |variables: &[(&str, &str)]| loader(variables).load().map(|profile| profile.tls);
        assert_eq!(tls(&[("TEMPORAL_TLS", "FALSE")]).unwrap().unwrap().disabled, Some(true));
        assert_eq!(tls(&[("TEMPORAL_TLS", "1")]).unwrap().unwrap().disabled, Some(false));
        assert_eq!(tls(&[("TEMPORAL_TLS", "maybe")]).unwrap().unwrap().disabled, None);

        let staging = ("TEMPORAL_PROFILE", "staging");
        let merged = tls(&[staging, ("TEMPORAL_TLS_CLIENT_CERT_DATA", "other")]).unwrap().unwrap();
        assert_eq!(merged.client_cert, Some(DataSource::Data("other".into())));
        assert_eq!(merged.server_name.as_deref(), Some("of-file"));
        let error = tls(&[staging, ("TEMPORAL_TLS_CLIENT_CERT_PATH", "x")]).unwrap_err().to_string();
        assert_eq!(error, "`TEMPORAL_TLS_CLIENT_CERT_PATH` and `client_cert_data` are both set; keep one");
        let both = [("TEMPORAL_TLS_CLIENT_KEY_PATH", "x"), ("TEMPORAL_TLS_CLIENT_KEY_DATA", "x")];
        let error = tls(&both).unwrap_err().to_string();
        assert!(error.contains("`TEMPORAL_TLS_CLIENT_KEY_PATH` and `TEMPORAL_TLS_CLIENT_KEY_DATA`"), "{error}");
    }

    #[test]
    fn a_codec_server_is_told_and_not_used() {
        let variables = [("TEMPORAL_CODEC_ENDPOINT", "http://localhost:8081"), ("TEMPORAL_CODEC_AUTH", "sentinel")];
        let profile = loader(&variables).load().unwrap();
        let codec = profile.codec.as_ref().unwrap();
        assert_eq!((codec.endpoint.as_deref(), &codec.auth), (Some("http://localhost:8081"), &Some("sentinel".into())));
        assert!(!format!("{profile:?} {:?}", profile.connect().unwrap()).contains("sentinel"));
    }

    #[test]
    fn a_file_that_is_not_there_is_empty_and_one_that_cannot_be_read_is_an_error() {
        let folder = std::env::temp_dir();
        let gone = folder.join("stead-no-such-folder").join("temporal.toml");
        let variables = [("TEMPORAL_CONFIG_FILE", gone.to_str().unwrap())];
        assert_eq!(ConfigLoader::new().variables(variables).load().unwrap(), ClientProfile::default());
        assert_eq!(ConfigLoader::new().file(gone).variables([("", "")]).load().unwrap(), ClientProfile::default());
        // A folder is no file.
        let variables = [("TEMPORAL_CONFIG_FILE", folder.to_str().unwrap())];
        for loader in [ConfigLoader::new(), ConfigLoader::new().without_environment()] {
            let error = loader.variables(variables).load().unwrap_err();
            assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
        }
    }

    #[test]
    fn the_usual_file_is_in_the_users_folder() {
        let absolute = |name: &str| Some(PathBuf::from(if cfg!(windows) { "C:\\x" } else { "/x" }).join(name));
        let file = usual_file(absolute).unwrap();
        assert!(file.ends_with("temporalio/temporal.toml"), "{}", file.display());
        assert!(file.is_absolute());
        assert_eq!(usual_file(|_| None), None);
        if cfg!(target_os = "linux") {
            let of_home = usual_file(|name| (name == "HOME").then(|| PathBuf::from("/home/ada")));
            assert_eq!(of_home, Some(PathBuf::from("/home/ada/.config/temporalio/temporal.toml")));
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_profile_becomes_a_connection() {
        let shown = |toml: &str| {
            let connect = ConfigLoader::new().toml(toml).without_environment().load().and_then(|it| it.connect());
            connect.map(|connect| format!("{connect:?}")).map_err(|error| error.to_string())
        };
        let plain = shown("").unwrap();
        for part in [r#"address: "localhost:7233""#, r#"namespace: "default""#, "tls: Auto", "has_api_key: false"] {
            assert!(plain.contains(part), "{plain}");
        }
        let all = shown(FILE).unwrap();
        for part in ["file:7233", "of-file", "has_api_key: true", "x-tenant", "tls: Auto"] {
            assert!(all.contains(part), "{all}");
        }
        assert!(shown("[profile.default.tls]").unwrap().contains("tls: On"), "an empty table turns it on");
        let off = "[profile.default]\napi_key = 'k'\n[profile.default.tls]\ndisabled = true\nserver_name = 'x'";
        assert!(shown(off).unwrap().contains("tls: Off"));
        assert!(shown("[profile.default.tls]\ndisable_host_verification = true").unwrap_err().contains("turned off"));
        assert!(shown("[profile.default.tls]\nclient_key_data = 'x'").unwrap_err().contains("client certificate"));
        assert!(shown("[profile.default.tls]\nclient_key_path = '/gone.pem'").unwrap_err().contains("/gone.pem"));
    }
}
