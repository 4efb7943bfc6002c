//! The mini-program API of the sandbox: people, tokens, messages (spec 1.1 to 1.4).

use super::{
    APPID, Sandbox,
    book::{Book, Entry, SandboxMessage},
    code, safety,
    trade::digits,
};
use crate::kernel::{AppError, Result, normalise_phone};
use crate::platform::wechat::limit;
use actix_web::{HttpResponse, web};
use aws_lc_rs::{digest, rand};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::PoisonError};

const TOKEN_SECONDS: i64 = 7_200;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The one access token, the same for everybody until it ends.
pub(super) struct Token {
    value: String,
    until: DateTime<Utc>,
}

/// `errcode` and `errmsg`.
pub(super) type Refusal = (i64, &'static str);

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/sns/jscode2session", web::get().to(login))
        .route("/cgi-bin/stable_token", web::post().to(token))
        .route("/wxa/business/getuserphonenumber", web::post().to(phone))
        .route("/cgi-bin/message/subscribe/send", web::post().to(send))
        .route("/wxa/getwxacodeunlimit", web::post().to(code::image))
        .route("/wxa/generate_urllink", web::post().to(code::url_link))
        .route("/wxa/msg_sec_check", web::post().to(safety::text))
        .route("/wxa/media_check_async", web::post().to(safety::media));
}

/// WeChat answers 200 even on errors.
pub(super) fn answered(outcome: Result<Value, Refusal>) -> HttpResponse {
    HttpResponse::Ok().json(outcome.unwrap_or_else(|(errcode, errmsg)| {
        json!({ "errcode": errcode, "errmsg": format!("{errmsg} rid: 5a6e6462-00000000-00000001") })
    }))
}

pub(super) fn system(error: &AppError) -> Refusal {
    tracing::error!(error = %error, "the WeChat sandbox failed");
    (-1, "system error")
}

/// What magic names of codes answer, so that every branch of a caller can be tried.
fn magic(code: &str) -> Option<Refusal> {
    [
        ("bad-", (40_029, "invalid code")),
        ("used-", (40_163, "code been used")),
        ("blocked-", (40_226, "code blocked")),
        (
            "limited-",
            (
                45_011,
                "api minute-quota reach limit, please retry next minute",
            ),
        ),
        ("busy-", (-1, "system error")),
    ]
    .into_iter()
    .find_map(|(start, refusal)| code.starts_with(start).then_some(refusal))
}

#[derive(Deserialize)]
struct LoginIn {
    appid: String,
    secret: String,
    js_code: String,
    grant_type: String,
}

async fn login(query: web::Query<LoginIn>, sandbox: web::Data<Sandbox>) -> HttpResponse {
    std::future::ready(answered(logged_in(&query, &sandbox))).await
}

fn logged_in(query: &LoginIn, sandbox: &Sandbox) -> Result<Value, Refusal> {
    if query.appid != APPID {
        return Err((40_013, "invalid appid"));
    }
    if query.secret != sandbox.inner.secrets.app_secret {
        return Err((40_125, "invalid appsecret"));
    }
    if query.grant_type != "authorization_code" {
        return Err((40_002, "invalid grant_type"));
    }
    if let Some(refusal) = magic(&query.js_code) {
        return Err(refusal);
    }
    let name = query
        .js_code
        .strip_prefix("sandbox-")
        .filter(|name| !name.is_empty())
        .ok_or((40_029, "invalid code"))?;
    let mut key = [0_u8; 16];
    rand::fill(&mut key).map_err(|_| (-1, "system error"))?;
    // Like WeChat's, a success has no errcode (spec 1).
    Ok(json!({ "openid": openid_of(name), "session_key": STANDARD.encode(key) }))
}

/// How the openids of people begin who were not active of late; their names begin with `idle`.
pub(super) const IDLE: &str = "oIdle";

/// The same 28 characters for the same name, in every sandbox.
fn openid_of(name: &str) -> String {
    let hash = digest::digest(
        &digest::SHA256,
        format!("linjian sandbox person {name}").as_bytes(),
    );
    let letter = |byte: &u8| {
        BASE62
            .get(usize::from(*byte) % BASE62.len())
            .copied()
            .map_or('0', char::from)
    };
    let start = if name.starts_with("idle") { IDLE } else { "o" };
    let letters = hash.as_ref().iter().map(letter);
    start.chars().chain(letters).take(28).collect()
}

#[derive(Deserialize)]
struct TokenIn {
    grant_type: String,
    appid: String,
    secret: String,
    #[serde(default)]
    force_refresh: bool,
}

async fn token(body: web::Bytes, sandbox: web::Data<Sandbox>) -> HttpResponse {
    std::future::ready(answered(give_token(&body, &sandbox))).await
}

fn give_token(body: &[u8], sandbox: &Sandbox) -> Result<Value, Refusal> {
    sandbox
        .inner
        .token_calls
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let input: TokenIn = read(body)?;
    if input.appid != APPID || input.grant_type != "client_credential" {
        return Err((40_013, "invalid appid"));
    }
    if input.secret != sandbox.inner.secrets.app_secret {
        return Err((40_125, "invalid appsecret"));
    }
    let now = sandbox.inner.env.now();
    let mut held = sandbox
        .inner
        .token
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let kept = held
        .take()
        .filter(|token| now < token.until && !input.force_refresh);
    let token = match kept {
        Some(token) => token,
        None => Token {
            value: format!("sandbox_{}", digits(60).map_err(|_| (-1, "system error"))?),
            until: now + Duration::seconds(TOKEN_SECONDS),
        },
    };
    let answer =
        json!({ "access_token": token.value, "expires_in": (token.until - now).num_seconds() });
    *held = Some(token);
    Ok(answer)
}

#[derive(Deserialize)]
pub(super) struct TokenQuery {
    access_token: Option<String>,
}

impl TokenQuery {
    pub(super) fn check(&self, sandbox: &Sandbox) -> Result<(), Refusal> {
        let sent = self
            .access_token
            .as_deref()
            .filter(|sent| !sent.is_empty())
            .ok_or((41_001, "access_token missing"))?;
        let held = sandbox
            .inner
            .token
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match held.as_ref().filter(|token| token.value == sent) {
            None => Err((
                40_001,
                "invalid credential, access_token is invalid or not latest",
            )),
            Some(token) if sandbox.inner.env.now() >= token.until => {
                Err((42_001, "access_token expired"))
            }
            Some(_) => Ok(()),
        }
    }
}

pub(super) fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_| (47_001, "data format error"))
}

#[derive(Deserialize)]
struct PhoneIn {
    code: String,
}

async fn phone(
    query: web::Query<TokenQuery>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    std::future::ready(answered(phone_of(&query, &body, &sandbox))).await
}

fn phone_of(query: &TokenQuery, body: &[u8], sandbox: &Sandbox) -> Result<Value, Refusal> {
    query.check(sandbox)?;
    let code = read::<PhoneIn>(body)?.code;
    if let Some(refusal) = magic(&code) {
        return Err(refusal);
    }
    let number = code
        .strip_prefix("phone-")
        .filter(|number| number.len() == 11)
        .and_then(normalise_phone);
    let number = number.ok_or((40_029, "invalid code"))?;
    Ok(json!({ "errcode": 0, "errmsg": "ok", "phone_info": {
        "phoneNumber": number, "purePhoneNumber": number, "countryCode": 86,
        "watermark": { "timestamp": sandbox.inner.env.now().timestamp(), "appid": APPID },
    }}))
}

#[derive(Deserialize)]
struct SendIn {
    touser: String,
    template_id: String,
    page: Option<String>,
    data: BTreeMap<String, ValueIn>,
}

#[derive(Deserialize)]
struct ValueIn {
    value: String,
}

async fn send(
    query: web::Query<TokenQuery>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let outcome = async {
        query.check(&sandbox)?;
        let input: SendIn = read(&body)?;
        let (msgid, at) = (
            digits(19).map_err(|_| (-1, "system error"))?,
            sandbox.inner.env.now(),
        );
        let told = json!({
            "FromUserName": input.touser, "Event": "subscribe_msg_sent_event",
            "List": [{ "TemplateId": input.template_id, "MsgID": msgid, "ErrorCode": "0", "ErrorStatus": "success" }],
        });
        let sent = sandbox
            .change(move |book| Ok::<_, AppError>(post(book, input, &msgid, at)))
            .await;
        let answer = sent.map_err(|error| system(&error))?;
        if answer.is_ok() {
            sandbox.push(told, Duration::seconds(1));
        }
        answer
    };
    answered(outcome.await)
}

type Posted = (Result<Value, Refusal>, Option<Entry>);

/// A message goes out only on a tick, and only when each value keeps its limit.
fn post(book: &Book, input: SendIn, msgid: &str, at: DateTime<Utc>) -> Posted {
    let refused = |refusal| (Err(refusal), None);
    let word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    if !word(&input.touser) {
        return refused((40_003, "invalid openid"));
    }
    if !word(&input.template_id) {
        return refused((40_037, "invalid template_id"));
    }
    if input
        .page
        .as_deref()
        .is_some_and(|page| page.starts_with('/'))
    {
        return refused((41_030, "invalid page"));
    }
    if input.data.is_empty()
        || !input
            .data
            .iter()
            .all(|(key, field)| limit::fits(key, &field.value))
    {
        return refused((47_003, "argument invalid"));
    }
    if book.ticks(&input.touser, &input.template_id) == 0 {
        return refused((43_101, "user refuse to accept the msg"));
    }
    let message = SandboxMessage {
        msgid: msgid.to_owned(),
        at,
        openid: input.touser,
        template_id: input.template_id,
        page: input.page,
        data: input
            .data
            .into_iter()
            .map(|(key, field)| (key, field.value))
            .collect(),
    };
    (
        Ok(json!({ "errcode": 0, "errmsg": "ok", "msgid": msgid })),
        Some(Entry::Sent { message }),
    )
}
