//! What is known of a request besides its body: id, masked address, device class. The evidence of CR-22.

use crate::kernel::Result;
use crate::{config::Settings, kernel::AppError};
use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use std::{
    future::{Ready, ready},
    net::IpAddr,
};

/// Evidence of how a request came in; no exact address, no full user agent.
#[derive(Clone, Debug)]
pub struct RequestMeta {
    /// The request's id.
    pub request_id: String,
    /// Client address with the host part removed (/24 or /48).
    pub address_masked: String,
    /// `wechat`, `mobile`, `desktop` or `other`.
    pub device: &'static str,
}

impl FromRequest for RequestMeta {
    type Error = AppError;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let agent = req
            .headers()
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        ready(Ok(Self {
            request_id: super::current_request_id(),
            address_masked: address_of(req).map_or_else(|| "unknown".into(), mask),
            device: device(agent),
        }))
    }
}

fn device(agent: &str) -> &'static str {
    if agent.contains("MicroMessenger") {
        "wechat"
    } else if agent.contains("Mobile") {
        "mobile"
    } else if agent.contains("Mozilla") {
        "desktop"
    } else {
        "other"
    }
}

/// The client's address: the peer, or what a trusted proxy says (SEC-34).
pub fn address_of(req: &HttpRequest) -> Option<IpAddr> {
    let peer = req.peer_addr()?.ip();
    let settings = req.app_data::<web::Data<Settings>>()?;
    let trusted: Vec<IpAddr> = settings
        .http
        .trusted_proxies
        .iter()
        .filter_map(|proxy| proxy.parse::<IpAddr>().ok())
        .map(|proxy| proxy.to_canonical())
        .collect();
    let lines = req.headers().get_all("x-forwarded-for");
    let hops: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    Some(client(peer.to_canonical(), &hops, &trusted))
}

/// The first address, from our side, that is not one of our proxies. Each proxy appends whom it saw, so everything left
/// of an address we do not trust is a client's own word; a hop that is no address ends the walk.
fn client(peer: IpAddr, lines: &[&str], trusted: &[IpAddr]) -> IpAddr {
    let mut seen = peer;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted.contains(&seen) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => seen = address.to_canonical(),
            Err(_) => break,
        }
    }
    seen
}

/// What limits count an address by: an IPv6 customer owns a whole /64 and could be a new address with each call.
pub fn limit_key(req: &HttpRequest) -> String {
    match address_of(req) {
        None => "unknown".to_owned(),
        Some(IpAddr::V4(v4)) => v4.to_string(),
        Some(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn mask(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::client;
    use std::net::IpAddr;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        let from = |peer: &str, lines: &[&str]| client(ip(peer), lines, &proxies).to_string();
        assert_eq!(
            from("9.9.9.9", &["1.2.3.4"]),
            "9.9.9.9",
            "a stranger's word"
        );
        assert_eq!(from("10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(
            from("10.0.0.1", &["6.6.6.6, 1.2.3.4"]),
            "1.2.3.4",
            "the client's own line"
        );
        assert_eq!(
            from("10.0.0.1", &["6.6.6.6", "1.2.3.4"]),
            "1.2.3.4",
            "two headers"
        );
        assert_eq!(
            from("10.0.0.1", &["1.2.3.4, 10.0.0.2"]),
            "1.2.3.4",
            "two hops"
        );
        assert_eq!(from("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
    }
}
