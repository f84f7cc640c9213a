//! The server's address as a user writes it.

use std::net::IpAddr;

use http::uri::Authority;

/// `host:port`, with or without a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) authority: Authority,
    /// What a scheme in front of it says about encryption.
    pub(super) encrypted: Option<bool>,
}

impl Address {
    /// `None` where the text is not an address, or holds credentials.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (encrypted, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(false), rest),
            Some(("https", rest)) => (Some(true), rest),
            Some(_) => return None,
        };
        let authority: Authority = rest.strip_suffix('/').unwrap_or(rest).parse().ok()?;
        let is_complete = !authority.host().is_empty() && authority.port_u16().is_some();
        (is_complete && !authority.as_str().contains('@')).then_some(Self { authority, encrypted })
    }

    /// A name, or an address without brackets.
    pub(super) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        // There is one, or it would not be an address.
        self.authority.port_u16().unwrap_or_default()
    }

    /// Whether what is sent there stays on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host();
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// What comes before the path of a URL, and the path.
#[cfg(feature = "http1")]
pub(super) fn split_path(url: &str) -> (&str, Option<&str>) {
    let host = url.find("://").map_or(0, |scheme| scheme + "://".len());
    match url[host..].find('/') {
        Some(path) if host + path + 1 < url.len() => (&url[..host + path], Some(&url[host + path..])),
        Some(_) | None => (url, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_required_and_a_scheme_is_optional() {
        assert_eq!(Address::parse("localhost:7233").unwrap().encrypted, None);
        assert_eq!(Address::parse("http://localhost:7233/").unwrap().encrypted, Some(false));
        assert_eq!(Address::parse("https://a.b.tmprl.cloud:7233").unwrap().encrypted, Some(true));
        assert_eq!(Address::parse("[::1]:7233").unwrap().authority, "[::1]:7233");
        for wrong in ["", "localhost", ":7233", "ftp://localhost:7233", "user:secret@host:7233", "host:1/path", "a b:1"]
        {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
    }

    #[cfg(feature = "http1")]
    #[test]
    fn a_url_is_split_before_its_path() {
        assert_eq!(split_path("https://a:1/v1/metrics?x=1"), ("https://a:1", Some("/v1/metrics?x=1")));
        assert_eq!(split_path("a:1/v1"), ("a:1", Some("/v1")));
        for without in ["https://a:1", "https://a:1/", "a:1", "", "https://"] {
            assert_eq!(split_path(without), (without, None));
        }
    }

    #[test]
    fn loopback_is_a_name_or_an_address_of_this_machine() {
        let is_loopback = |text| Address::parse(text).unwrap().is_loopback();
        assert!(["localhost:1", "LOCALHOST:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1"].into_iter().all(is_loopback));
        assert!(!["localhost.example.com:1", "10.0.0.1:1", "[::2]:1", "0.0.0.0:1"].into_iter().any(is_loopback));
    }
}
