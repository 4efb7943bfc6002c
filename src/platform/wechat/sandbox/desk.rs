//! Calls an operator makes rather than a customer: templates, schemes, platform certificates, the going-live self-test.

use super::{
    Sandbox,
    mini::{self, TokenQuery, answered, read},
    seal::Refusal,
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

/// The sandbox's only template: `thing1`, `time2`, `thing3`.
pub const TEMPLATE: &str = "visit_followup";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/wxaapi/newtmpl/gettemplate", web::get().to(templates))
        .route("/wxa/generatescheme", web::post().to(scheme))
        .route("/v3/certificates", web::get().to(certificates))
        .route("/v3/security/echo", web::post().to(echo));
}

async fn templates(query: web::Query<TokenQuery>, sandbox: web::Data<Sandbox>) -> HttpResponse {
    let listed = query.check(&sandbox).map(|()| {
        json!({ "errcode": 0, "errmsg": "ok", "data": [{
            "priTmplId": TEMPLATE,
            "title": "服务完成通知",
            "content": "服务项目:{{thing1.DATA}}\n完成时间:{{time2.DATA}}\n温馨提示:{{thing3.DATA}}\n",
            "example": "服务项目:日常保洁\n完成时间:2026年11月24日 15:00\n温馨提示:点击查看服务记录\n",
            "type": 2,
        }]})
    });
    std::future::ready(answered(listed)).await
}

#[derive(Deserialize)]
struct SchemeIn {
    jump_wxa: JumpIn,
    #[serde(default)]
    is_expire: bool,
    expire_type: Option<u8>,
    expire_interval: Option<u32>,
}

#[derive(Deserialize)]
struct JumpIn {
    #[serde(default)]
    path: String,
    #[serde(default)]
    query: String,
}

async fn scheme(
    query: web::Query<TokenQuery>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    std::future::ready(answered(scheme_to(&query, &body, &sandbox))).await
}

fn scheme_to(query: &TokenQuery, body: &[u8], sandbox: &Sandbox) -> Result<Value, mini::Refusal> {
    query.check(sandbox)?;
    let input: SchemeIn = read(body)?;
    if input.jump_wxa.path.contains('?') {
        return Err((40_165, "invalid weapp pagepath"));
    }
    if input.jump_wxa.query.len() > 1_024 {
        return Err((40_212, "invalid query"));
    }
    let days = input.expire_interval.unwrap_or_default();
    if input.is_expire && input.expire_type == Some(1) && !(1..=30).contains(&days) {
        return Err((85_401, "time limit between 1min and 1year"));
    }
    let link = format!("weixin://dl/business/?t=sandbox&{}", input.jump_wxa.query);
    Ok(json!({ "errcode": 0, "errmsg": "ok", "openlink": link }))
}

async fn certificates(req: HttpRequest, sandbox: web::Data<Sandbox>) -> HttpResponse {
    let listed = sandbox
        .check_merchant(&req, b"")
        .and_then(|()| Ok(sandbox.certificate_list()?));
    // Proved by the certificate that is inside, whatever the request asked for.
    let serial = sandbox.inner.secrets.certificate_serial.clone();
    std::future::ready(sandbox.signed_by(&serial, listed)).await
}

#[derive(Deserialize)]
struct EchoIn {
    echo_message: String,
    notify_url: Option<String>,
}

async fn echo(req: HttpRequest, body: web::Bytes, sandbox: web::Data<Sandbox>) -> HttpResponse {
    let outcome = sandbox.check_merchant(&req, &body).and_then(|()| {
        let input: EchoIn = serde_json::from_slice(&body)
            .map_err(|_| Refusal::new(400, "PARAM_ERROR", "参数错误"))?;
        if let Some(url) = input.notify_url {
            sandbox.announce_echo(url, &input.echo_message);
        }
        Ok(json!({ "echo_message": input.echo_message }))
    });
    std::future::ready(sandbox.signed_for(&req, outcome)).await
}
