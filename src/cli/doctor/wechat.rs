//! The doctor's questions about WeChat.

use super::Report;
use crate::{
    app,
    config::{Settings, Shipping, WechatMode, is_notify_url, is_stand_in},
    kernel::{AppError, Code},
    notify,
    platform::wechat::{
        CertificateFit, NOTIFY_PATH, PUSH_PATH, WechatClient, WechatHost, errcode, pay_code,
    },
    rule::{PolicyPack, lint_notice},
};
use chrono::Duration;
use std::path::Path;

/// Further off than this, WeChat Pay refuses our signatures soon (its limit is 300 s).
const MOST_SKEW: Duration = Duration::seconds(60);

/// Asks everything about WeChat, in the order in which a shop sets it up.
pub(super) async fn check(settings: &Settings, report: &mut Report) {
    let live = settings.wechat.mode == WechatMode::Live;
    println!(
        "· 微信 wechat:{}",
        if live {
            "live"
        } else {
            "sandbox(本机沙箱,不需要密钥)"
        }
    );
    let (client, sandbox) = match app::wechat(settings).await {
        Ok(opened) => opened,
        Err(error) => {
            report.line("微信密钥 wechat keys", Err(error), "按提示修改 wechat 一节");
            return;
        }
    };
    if live {
        lengths(settings, report);
        certificate(settings, &client, report);
        address(settings, report);
    }
    if live && !settings.wechat.push_token.is_empty() {
        report.line(
            "消息推送地址可达",
            client.push_address_answers().await,
            "先启动 linjian serve,并把域名反向代理到它;再运行一次 doctor",
        );
    }
    clock(&client, report).await;
    token(&client, report).await;
    templates(settings, &client, report).await;
    shipping(settings, &client, report).await;
    pay(settings, &client, report).await;
    if let Some(sandbox) = sandbox {
        sandbox.shutdown().await;
    }
}

fn lengths(settings: &Settings, report: &mut Report) {
    let w = &settings.wechat;
    report.yes(
        "APIv3 密钥长度",
        w.apiv3_key.len() == 32,
        "不是 32 个字符",
        "商户平台 → API安全 → 设置 APIv3 密钥,填入 wechat.apiv3_key",
    );
    let key = &w.push_aes_key;
    let good = key.len() == 43 && key.bytes().all(|b| b.is_ascii_alphanumeric());
    report.yes(
        "消息推送 EncodingAESKey",
        good && !w.push_token.is_empty(),
        "未设置,或不是 43 个字母数字",
        "小程序后台 → 消息推送:选安全模式,填入 wechat.push_token 与 wechat.push_aes_key;没有它内容安全的结果收不到",
    );
    report.yes(
        "AppID",
        w.appid.starts_with("wx") && w.appid.len() == 18,
        "不像小程序的 AppID(wx 开头,18 个字符)",
        "检查 wechat.appid",
    );
}

/// The certificate usually lies beside its key, where WeChat's tool put both.
fn certificate(settings: &Settings, client: &WechatClient, report: &mut Report) {
    const NAME: &str = "商户私钥与证书";
    let beside = Path::new(&settings.wechat.merchant_key_path).with_file_name("apiclient_cert.pem");
    let Ok(pem) = std::fs::read_to_string(&beside) else {
        Report::skipped(
            NAME,
            "私钥旁没有 apiclient_cert.pem,由下面的签名验签代为检查",
        );
        return;
    };
    match client.certificate_fit(&pem) {
        CertificateFit::Fits => report.yes(NAME, true, "", ""),
        CertificateFit::OtherSerial => report.wrong(
            NAME,
            "证书序列号与 wechat.merchant_serial 不同",
            "把 wechat.merchant_serial 改为该证书的序列号(商户平台 → API安全)",
        ),
        CertificateFit::OtherKey => report.wrong(
            NAME,
            "证书与私钥不是一对",
            "把同一次申请得到的 apiclient_key.pem 与 apiclient_cert.pem 放在一起",
        ),
        CertificateFit::Unreadable => report.wrong(
            NAME,
            "apiclient_cert.pem 读不出证书",
            "重新从商户平台下载证书",
        ),
    }
}

fn address(settings: &Settings, report: &mut Report) {
    let base = app::notify_base(settings);
    let stand_in = is_stand_in(&settings.wechat.api_base) && is_stand_in(&settings.wechat.pay_base);
    for (name, path) in [("支付通知地址", NOTIFY_PATH), ("消息推送地址", PUSH_PATH)] {
        let url = format!("{base}{path}");
        report.yes(
            name,
            stand_in || is_notify_url(&url),
            "微信只接受外网可达的 https 域名地址",
            "设置 wechat.notify_base_url 为备案域名的 https 地址",
        );
    }
}

async fn clock(client: &WechatClient, report: &mut Report) {
    const CURE: &str = "打开服务器的时间同步(NTP);连不上时检查网络、DNS 与出口防火墙";
    for (name, host) in [
        ("时钟与 api.weixin.qq.com", WechatHost::Api),
        ("时钟与 api.mch.weixin.qq.com", WechatHost::Pay),
    ] {
        match client.clock_skew(host).await {
            Ok(skew) => report.yes(
                name,
                skew.abs() <= MOST_SKEW,
                &format!("相差 {} 秒", skew.num_seconds()),
                CURE,
            ),
            Err(error) => report.line(name, Err(error), CURE),
        }
    }
}

async fn token(client: &WechatClient, report: &mut Report) {
    let outcome = client.has_token().await;
    let cure = outcome.as_ref().err().and_then(WechatClient::cure);
    let barred = outcome
        .as_ref()
        .err()
        .is_some_and(|error| errcode(error) == Some(40_164));
    if barred {
        report.wrong(
            "IP 白名单",
            "微信拒绝了本机的出口 IP(40164)",
            "把服务器的出口 IP 加入小程序后台 → 开发设置 → IP白名单",
        );
        Report::skipped("access_token", "先处理 IP 白名单");
        return;
    }
    let well = outcome.is_ok();
    report.line(
        "access_token(AppID 与 AppSecret)",
        outcome,
        cure.unwrap_or("检查 wechat.appid、wechat.app_secret 与网络"),
    );
    if well {
        report.yes("IP 白名单", true, "", "");
    } else {
        Report::skipped("IP 白名单", "没有取得 access_token");
    }
}

async fn templates(settings: &Settings, client: &WechatClient, report: &mut Report) {
    const NAME: &str = "订阅消息模板";
    let Some(wanted) = notify::template_of(settings) else {
        Report::skipped(NAME, "没有设置 wechat.service_template,消息只留在小程序内");
        return;
    };
    let listed = match client.templates().await {
        Ok(listed) => listed,
        Err(error) => {
            let cure = WechatClient::cure(&error).unwrap_or("稍后再试,或检查小程序的接口权限");
            report.line(NAME, Err(error), cure);
            return;
        }
    };
    let Some(template) = listed.get(wanted) else {
        report.wrong(
            NAME,
            "小程序的模板库里没有 wechat.service_template",
            "小程序后台 → 订阅消息 → 我的模板,复制模板 ID",
        );
        return;
    };
    let fields = &template.fields;
    if let Some(found) = lint_notice("", &template.title, PolicyPack::shipped()).first() {
        report.wrong("订阅消息模板的用途", &found.message, &found.fix);
    }
    let missing: Vec<&str> = notify::FIELDS
        .into_iter()
        .filter(|field| !fields.iter().any(|known| known == field))
        .collect();
    report.yes(
        NAME,
        missing.is_empty() && fields.len() == notify::FIELDS.len(),
        &format!(
            "模板的字段是 {},程序填的是 {}",
            fields.join("、"),
            notify::FIELDS.join("、")
        ),
        "选用含 thing、time、thing 三个字段的服务类模板(不得含营销内容,WX-11)",
    );
}

/// Money may stay frozen at WeChat until fulfilment is reported (spec 1.9).
async fn shipping(settings: &Settings, client: &WechatClient, report: &mut Report) {
    const NAME: &str = "发货信息管理";
    match client.is_trade_managed().await {
        Ok(managed) => report.yes(
            NAME,
            !(managed && settings.wechat.shipping == Shipping::Off),
            "微信要求上报发货信息,而 wechat.shipping = off:货款不会结算",
            "把 wechat.shipping 改为 auto",
        ),
        Err(error) => {
            let cure = WechatClient::cure(&error).unwrap_or("稍后再试;未开通该能力的小程序可忽略");
            report.line(NAME, Err(error), cure);
        }
    }
}

async fn pay(settings: &Settings, client: &WechatClient, report: &mut Report) {
    if settings.wechat.platform_certificates {
        report.line(
            "平台证书下载",
            client.renew_certificates().await,
            "检查 wechat.apiv3_key;新商户用公钥模式,把 platform_certificates 设为 false",
        );
    }
    let echo = client.security_echo(false).await;
    let cure = echo.as_ref().err().map_or("", pay_cure);
    report.line("微信支付签名与验签(security echo)", echo, cure);
}

fn pay_cure(error: &AppError) -> &'static str {
    match (pay_code(error), error.code) {
        (Some("SIGN_ERROR"), _) => {
            "检查 wechat.mchid、wechat.merchant_serial 与 wechat.merchant_key_path 是否同属一个商户,以及服务器时钟"
        }
        (Some("NO_AUTH"), _) => "在商户平台开通 JSAPI 支付权限",
        (Some("PARAM_ERROR"), _) => "检查 wechat.platform_key_id 是否为本商户的微信支付公钥 ID",
        (_, Code::Unavailable) => {
            "应答验签不过时,检查 wechat.platform_key_id 与 platform_key_path 是否为微信支付公钥(不是商户公钥);否则检查网络"
        }
        _ => "检查 wechat 一节的商户设置",
    }
}
