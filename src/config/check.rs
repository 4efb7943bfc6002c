//! What types alone cannot say about the settings.

use super::{Settings, Wechat, WechatMode, is_notify_url, is_stand_in};
use crate::kernel::Span;
use base64::{Engine, engine::general_purpose::STANDARD};

pub(super) fn settings(settings: &Settings, production: bool, faults: &mut Vec<String>) {
    http(settings, faults);
    backends(settings, faults);
    secrets(settings, faults);
    wechat(settings, production, faults);
    rules(settings, faults);
}

fn must(holds: bool, faults: &mut Vec<String>, fault: &str) {
    if !holds {
        faults.push(fault.to_owned());
    }
}

fn http(s: &Settings, faults: &mut Vec<String>) {
    must(
        s.http.listen.parse::<std::net::SocketAddr>().is_ok(),
        faults,
        "http.listen:应为 地址:端口,如 127.0.0.1:8080",
    );
    let url = &s.http.public_url;
    must(
        url.is_empty() || url.starts_with("http"),
        faults,
        "http.public_url:应为 http(s) 地址或留空",
    );
    for proxy in &s.http.trusted_proxies {
        must(
            proxy.parse::<std::net::IpAddr>().is_ok(),
            faults,
            "http.trusted_proxies:应为 IP 地址列表",
        );
    }
}

fn backends(s: &Settings, faults: &mut Vec<String>) {
    let url = &s.database.url;
    let known = ["sqlite:", "postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    must(
        url.is_empty() || known,
        faults,
        "database.url:应为 sqlite: 或 postgres:// 地址,或留空",
    );
    // Reader and writer are two handles; in memory they would be two databases.
    must(
        !url.contains(":memory:") && !url.contains("mode=memory"),
        faults,
        "database.url:SQLite 需要一个文件,不能在内存中",
    );
    must(
        (1..=1000).contains(&s.database.max_connections),
        faults,
        "database.max_connections:应在 1 到 1000 之间",
    );
    let redis = &s.queue.redis_url;
    let schemes = [
        "redis://",
        "rediss://",
        "redis+cluster://",
        "rediss+cluster://",
    ];
    let known = redis.is_empty() || schemes.iter().any(|scheme| redis.starts_with(scheme));
    must(
        known,
        faults,
        "queue.redis_url:应为 redis://、rediss://、redis+cluster:// 或 rediss+cluster:// 地址,或留空",
    );
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    must(
        (1..=64).contains(&s.queue.prefix.len()) && s.queue.prefix.bytes().all(plain),
        faults,
        "queue.prefix:1 到 64 个小写字母、数字或 - _ .",
    );
    must(
        (1..=100).contains(&s.queue.max_attempts),
        faults,
        "queue.max_attempts:应在 1 到 100 之间",
    );
    match s.blob.kind.as_str() {
        "local" => {}
        "s3" => must(
            !s.blob.bucket.is_empty(),
            faults,
            "blob.bucket:s3 需要存储桶名称",
        ),
        _ => faults.push("blob.kind:应为 local 或 s3".into()),
    }
}

fn secrets(s: &Settings, faults: &mut Vec<String>) {
    let secret = &s.auth.jwt_secret;
    must(
        secret.is_empty() || secret.len() >= 32,
        faults,
        "auth.jwt_secret:至少 32 个字符,或留空",
    );
    let quarter = "PT15M".parse::<Span>().ok();
    must(
        Some(s.auth.access_ttl) <= quarter,
        faults,
        "auth.access_ttl:不得超过 PT15M(SEC-08)",
    );
    let key = &s.crypto.master_key;
    let good = key.is_empty() || STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 32);
    must(
        good,
        faults,
        "crypto.master_key:应为 32 字节的 base64,或留空",
    );
    must(
        (1..=32).contains(&s.crypto.key_id.len()),
        faults,
        "crypto.key_id:1 到 32 个字符",
    );
}

fn wechat(s: &Settings, production: bool, faults: &mut Vec<String>) {
    let w = &s.wechat;
    must(
        ["release", "trial", "develop"].contains(&w.env_version.as_str()),
        faults,
        "wechat.env_version:应为 release、trial 或 develop",
    );
    must(
        ["1000", "1005", "1011"].contains(&w.transfer_scene_id.as_str()),
        faults,
        "wechat.transfer_scene_id:应为 1000、1005 或 1011",
    );
    if w.mode == WechatMode::Sandbox {
        must(
            !production,
            faults,
            "wechat.mode:APP_ENV=production 时不能使用沙箱",
        );
        return;
    }
    for (name, value) in [
        ("appid", &w.appid),
        ("app_secret", &w.app_secret),
        ("mchid", &w.mchid),
        ("merchant_serial", &w.merchant_serial),
        ("merchant_key_path", &w.merchant_key_path),
    ] {
        must(
            !value.is_empty(),
            faults,
            &format!("wechat.{name}:live 模式下必填"),
        );
    }
    must(
        w.apiv3_key.len() == 32,
        faults,
        "wechat.apiv3_key:应为 32 个字符",
    );
    must(
        w.platform_key_id.is_empty() == w.platform_key_path.is_empty(),
        faults,
        "wechat.platform_key_path:与 platform_key_id 一起填写",
    );
    must(
        w.platform_certificates || !w.platform_key_id.is_empty(),
        faults,
        "wechat.platform_key_id:live 模式下填写微信支付公钥,或打开 platform_certificates",
    );
    push(w, faults);
    addresses(s, production, faults);
}

/// Only the secure mode is spoken, so both keys or none (spec 1.8).
fn push(w: &Wechat, faults: &mut Vec<String>) {
    if w.push_token.is_empty() && w.push_aes_key.is_empty() {
        return;
    }
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
    must(
        (3..=32).contains(&w.push_token.len()) && plain(&w.push_token),
        faults,
        "wechat.push_token:3 到 32 个字母或数字,与 push_aes_key 一起填写",
    );
    must(
        w.push_aes_key.len() == 43 && plain(&w.push_aes_key),
        faults,
        "wechat.push_aes_key:43 个字母或数字,与 push_token 一起填写(只支持安全模式)",
    );
}

/// WeChat itself, or a stand-in of both its hosts on this machine; then our own address may be on this machine too.
fn addresses(s: &Settings, production: bool, faults: &mut Vec<String>) {
    let w = &s.wechat;
    let stand_in = is_stand_in(&w.api_base) && is_stand_in(&w.pay_base);
    must(
        !(stand_in && production),
        faults,
        "wechat.api_base:APP_ENV=production 时只能连接微信",
    );
    for (name, base) in [("api_base", &w.api_base), ("pay_base", &w.pay_base)] {
        must(
            stand_in || (base.starts_with("https://") && !is_stand_in(base)),
            faults,
            &format!("wechat.{name}:应为 https 地址"),
        );
    }
    let notify = if w.notify_base_url.is_empty() {
        &s.http.public_url
    } else {
        &w.notify_base_url
    };
    let notify = notify.trim_end_matches('/');
    must(
        is_notify_url(&format!("{notify}/api"))
            || (stand_in && (notify.is_empty() || is_stand_in(notify))),
        faults,
        "wechat.notify_base_url:live 模式下应为外网可达的 https 域名地址",
    );
}

fn rules(s: &Settings, faults: &mut Vec<String>) {
    must(
        (1..=10_000).contains(&s.booking.prepay_bp),
        faults,
        "booking.prepay_bp:应在 1 到 10000 之间",
    );
    must(
        (0..=10_000).contains(&s.booking.late_cancel_bp),
        faults,
        "booking.late_cancel_bp:应在 0 到 10000 之间",
    );
    must(
        s.booking.opens < s.booking.closes,
        faults,
        "booking.opens:应早于 booking.closes",
    );
    let recall = s.referral.recall_window.as_str();
    must(
        recall == "PT0S" || recall.parse::<Span>().is_ok(),
        faults,
        "referral.recall_window:应为 ISO 8601 时长",
    );
    must(
        s.customer.silver_visits <= s.customer.gold_visits,
        faults,
        "customer.silver_visits:不得大于 customer.gold_visits",
    );
    must(
        tracing_subscriber::EnvFilter::try_new(&s.log.filter).is_ok(),
        faults,
        "log.filter:应为日志级别或过滤式,如 info 或 linjian=debug,info",
    );
    must(
        ["text", "json"].contains(&s.log.format.as_str()),
        faults,
        "log.format:应为 text 或 json",
    );
}
