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
    let trusted = req
        .app_data::<web::Data<Settings>>()
        .is_some_and(|settings| {
            settings
                .http
                .trusted_proxies
                .iter()
                .any(|proxy| proxy.parse() == Ok(peer))
        });
    if !trusted {
        return Some(peer);
    }
    let forwarded = req
        .headers()
        .get("x-forwarded-for")
        .and_then(|value| value.to_str().ok());
    forwarded
        .and_then(|list| list.rsplit(',').next())
        .and_then(|last| last.trim().parse().ok())
        .or(Some(peer))
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
