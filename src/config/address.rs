//! Addresses: which are reachable from outside, which are this machine.

use std::net::IpAddr;
use url::Url;

/// Whether WeChat takes an address for its notifications: https, reachable from outside, a path, no query (spec 2.3).
pub fn is_notify_url(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    // WeChat asks for a domain with a filing; a bare address is one of ours, or nobody's.
    let outside = url.host_str().is_some_and(|host| {
        host.trim_matches(['[', ']']).parse::<IpAddr>().is_err()
            && host.contains('.')
            && host.rsplit('.').next() != Some("local")
    });
    url.scheme() == "https"
        && outside
        && url.path() != "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && text.len() <= 255
}

/// Whether an address is plain http or https on this machine, where only a stand-in of WeChat can be.
pub fn is_stand_in(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| is_loopback(&url))
}

/// Whether a host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}
