//! Another stand-in for both of WeChat's hosts than the sandbox: made from the protocol alone, with the keys of the vectors.
//!
//! It knows only what these tests need, keeps count of what it was asked, and loses answers when told to.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::SystemRandom,
    signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// The running stand-in. Clones are the same one.
#[derive(Clone)]
pub struct Standin {
    state: Arc<Mutex<State>>,
    keys: Arc<Keys>,
    base: String,
}

struct Keys {
    config: Value,
    sign: RsaKeyPair,
    merchant: ParsedPublicKey,
    cipher: LessSafeKey,
}

/// What it was asked and what it holds.
#[derive(Default)]
pub struct State {
    /// Calls for a token.
    pub token_calls: u32,
    /// How often an order number was opened.
    pub prepays: BTreeMap<String, u32>,
    /// How often a refund number was asked for.
    pub refunds: BTreeMap<String, u32>,
    /// Whether our address is missing on the allow-list.
    pub barred: bool,
    /// The next call of exactly this path takes effect, and its answer is lost.
    pub lose: Option<&'static str>,
    orders: HashMap<String, Value>,
    given_back: HashMap<String, Value>,
    token: u32,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/wechat")
}

fn now() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the stand-in has a clock of its own"
    )]
    chrono::Utc::now().timestamp()
}

impl Standin {
    /// Starts one.
    pub fn start() -> Self {
        let read = |name: &str| fs::read(folder().join(name)).unwrap();
        let config: Value = serde_json::from_slice(&read("config.json")).unwrap();
        let file = |value: &Value| value.as_str().unwrap().to_owned();
        let sign = read(&file(&config["platform_pubkey"]["private_key_file"]));
        let merchant = pem::parse(read("keys/merchant_pubkey.pem")).unwrap();
        let cipher = config["apiv3_key"].as_str().unwrap().as_bytes();
        let keys = Keys {
            sign: RsaKeyPair::from_pkcs8(&sign).unwrap(),
            merchant: ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, merchant.contents())
                .unwrap(),
            cipher: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, cipher).unwrap()),
            config,
        };
        let mut standin = Self {
            state: Arc::default(),
            keys: Arc::new(keys),
            base: String::new(),
        };
        let shared = standin.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(shared.clone()))
                .default_service(web::to(answer))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        standin.base = format!("http://{}", server.addrs()[0]);
        tokio::spawn(server.run());
        standin
    }

    /// The settings of a live deployment that takes this for WeChat; key files go into `folder`.
    pub fn settings(&self, into: &Path) -> Vec<(&'static str, String)> {
        let config = &self.keys.config;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let der = fs::read(folder().join(text(&config["merchant_key_file"]))).unwrap();
        let key = into.join("apiclient_key.pem");
        fs::write(&key, pem::encode(&pem::Pem::new("PRIVATE KEY", der))).unwrap();
        let public = folder().join(text(&config["platform_pubkey"]["pub_file"]));
        vec![
            ("wechat.mode", "live".into()),
            ("wechat.appid", text(&config["appid"])),
            ("wechat.app_secret", text(&config["app_secret"])),
            ("wechat.api_base", self.base.clone()),
            ("wechat.pay_base", self.base.clone()),
            ("wechat.mchid", text(&config["mchid"])),
            ("wechat.merchant_serial", text(&config["merchant_serial"])),
            ("wechat.merchant_key_path", key.display().to_string()),
            ("wechat.apiv3_key", text(&config["apiv3_key"])),
            (
                "wechat.platform_key_id",
                text(&config["platform_pubkey"]["id"]),
            ),
            ("wechat.platform_key_path", public.display().to_string()),
            ("wechat.push_token", text(&config["message_push"]["token"])),
            (
                "wechat.push_aes_key",
                text(&config["message_push"]["encoding_aes_key"]),
            ),
        ]
    }

    /// Looks at, or changes, what it holds.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    /// WeChat ends the access token.
    pub fn end_token(&self) {
        self.with(|state| state.token += 1);
    }

    /// A signed notification that the order is paid: headers and body.
    pub fn paid(&self, out_trade_no: &str) -> (Vec<(&'static str, String)>, Vec<u8>) {
        let order = self.with(|state| state.orders[out_trade_no].clone());
        let config = &self.keys.config;
        let plain = json!({
            "mchid": config["mchid"], "appid": config["appid"], "out_trade_no": out_trade_no,
            "transaction_id": format!("42{out_trade_no}").chars().take(28).collect::<String>(),
            "trade_type": "JSAPI", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "OTHERS",
            "success_time": beijing(), "payer": order["payer"],
            "amount": { "total": order["amount"]["total"], "payer_total": order["amount"]["total"],
                "currency": "CNY", "payer_currency": "CNY" },
        });
        self.notice("TRANSACTION.SUCCESS", "transaction", &plain)
    }

    /// A signed notification that the refund has arrived.
    pub fn refunded(&self, out_refund_no: &str) -> (Vec<(&'static str, String)>, Vec<u8>) {
        let asked = self.with(|state| state.given_back[out_refund_no].clone());
        let amount = &asked["amount"];
        let plain = json!({
            "mchid": self.keys.config["mchid"], "out_trade_no": asked["out_trade_no"], "transaction_id": "42",
            "out_refund_no": out_refund_no, "refund_id": format!("50{out_refund_no}"), "refund_status": "SUCCESS",
            "success_time": beijing(), "user_received_account": "支付用户零钱",
            "amount": { "total": amount["total"], "refund": amount["refund"], "payer_total": amount["total"],
                "payer_refund": amount["refund"] },
        });
        self.notice("REFUND.SUCCESS", "refund", &plain)
    }

    fn notice(
        &self,
        event: &str,
        kind: &str,
        plain: &Value,
    ) -> (Vec<(&'static str, String)>, Vec<u8>) {
        let nonce = "0123456789ab";
        let mut sealed = plain.to_string().into_bytes();
        let once = Nonce::try_assume_unique_for_key(nonce.as_bytes()).unwrap();
        self.keys
            .cipher
            .seal_in_place_append_tag(once, Aad::from(kind.as_bytes()), &mut sealed)
            .unwrap();
        let body = json!({
            "id": "1", "create_time": beijing(), "resource_type": "encrypt-resource", "event_type": event,
            "summary": "", "resource": { "original_type": kind, "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": STANDARD.encode(sealed), "associated_data": kind, "nonce": nonce },
        });
        let body = body.to_string().into_bytes();
        (self.signature(&body), body)
    }

    fn signature(&self, body: &[u8]) -> Vec<(&'static str, String)> {
        let (time, nonce) = (now().to_string(), "another-standin".to_owned());
        let message = [format!("{time}\n{nonce}\n").as_bytes(), body, b"\n"].concat();
        let mut signature = vec![0; self.keys.sign.public_modulus_len()];
        self.keys
            .sign
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                &message,
                &mut signature,
            )
            .unwrap();
        vec![
            ("Wechatpay-Timestamp", time),
            ("Wechatpay-Nonce", nonce),
            (
                "Wechatpay-Serial",
                self.keys.config["platform_pubkey"]["id"]
                    .as_str()
                    .unwrap()
                    .into(),
            ),
            ("Wechatpay-Signature", STANDARD.encode(signature)),
        ]
    }

    fn signed(&self, status: u16, body: &Value) -> HttpResponse {
        let bytes = body.to_string().into_bytes();
        let mut answer = HttpResponse::build(StatusCode::from_u16(status).unwrap());
        for header in self.signature(&bytes) {
            answer.insert_header(header);
        }
        answer.content_type("application/json").body(bytes)
    }

    /// Whether the merchant signed just this.
    fn is_merchant(&self, req: &HttpRequest, body: &[u8]) -> bool {
        let text = req
            .headers()
            .get("Authorization")
            .unwrap()
            .to_str()
            .unwrap();
        let fields: HashMap<&str, &str> = text
            .strip_prefix("WECHATPAY2-SHA256-RSA2048 ")
            .unwrap()
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, value.trim_matches('"')))
            .collect();
        let (method, uri) = (req.method(), req.uri());
        let (time, nonce) = (fields["timestamp"], fields["nonce_str"]);
        let message = [
            format!("{method}\n{uri}\n{time}\n{nonce}\n").as_bytes(),
            body,
            b"\n",
        ]
        .concat();
        let signature = STANDARD.decode(fields["signature"]).unwrap();
        self.keys.merchant.verify_sig(&message, &signature).is_ok()
    }

    fn pay(&self, req: &HttpRequest, body: &[u8]) -> (u16, Value) {
        if !self.is_merchant(req, body) {
            return (401, json!({ "code": "SIGN_ERROR", "message": "" }));
        }
        let input: Value = serde_json::from_slice(body).unwrap_or_default();
        let config = &self.keys.config;
        let mut state = self.state.lock().unwrap();
        let parts: Vec<&str> = req.path().split('/').skip(2).collect();
        match parts[..] {
            ["security", "echo"] => (200, json!({ "echo_message": input["echo_message"] })),
            ["pay", "transactions", "jsapi"] => {
                let number = input["out_trade_no"].as_str().unwrap().to_owned();
                let tries = state.prepays.entry(number.clone()).or_default();
                *tries += 1;
                let id = format!("wx{number}{tries}");
                let known = state.orders.entry(number).or_insert_with(|| input.clone());
                if *known != input {
                    return (400, json!({ "code": "INVALID_REQUEST", "message": "" }));
                }
                (200, json!({ "prepay_id": id }))
            }
            ["pay", "transactions", "out-trade-no", number] => match state.orders.get(number) {
                Some(order) => (
                    200,
                    json!({ "appid": config["appid"], "mchid": config["mchid"],
                    "out_trade_no": number, "trade_state": "NOTPAY", "trade_state_desc": "",
                    "amount": order["amount"] }),
                ),
                None => (404, json!({ "code": "ORDER_NOT_EXIST", "message": "" })),
            },
            ["refund", "domestic", "refunds"] => {
                let number = input["out_refund_no"].as_str().unwrap().to_owned();
                *state.refunds.entry(number.clone()).or_default() += 1;
                state.given_back.insert(number.clone(), input.clone());
                (200, refund(&number, "PROCESSING"))
            }
            ["refund", "domestic", "refunds", number] => {
                if state.refunds.contains_key(number) {
                    (200, refund(number, "SUCCESS"))
                } else {
                    (404, json!({ "code": "RESOURCE_NOT_EXISTS", "message": "" }))
                }
            }
            _ => (404, json!({ "code": "NOT_FOUND", "message": "" })),
        }
    }

    fn mini(&self, req: &HttpRequest, body: &[u8]) -> Value {
        let query: HashMap<String, String> =
            serde_urlencoded::from_str(req.query_string()).unwrap();
        let input: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut state = self.state.lock().unwrap();
        match req.path() {
            "/sns/jscode2session" => {
                let person = hex::encode(&query["js_code"]);
                json!({ "openid": format!("o{person}"), "session_key": STANDARD.encode([7_u8; 16]) })
            }
            "/cgi-bin/stable_token" => {
                state.token_calls += 1;
                if state.barred {
                    return json!({ "errcode": 40164, "errmsg": "invalid ip 203.0.113.7, not in whitelist rid: 1-2-3" });
                }
                json!({ "access_token": format!("token-{}", state.token), "expires_in": 7200 })
            }
            "/" => json!({}),
            _ if query.get("access_token") != Some(&format!("token-{}", state.token)) => {
                json!({ "errcode": "40001", "errmsg": "invalid credential rid: 1-2-3" })
            }
            "/wxa/business/getuserphonenumber" => {
                let number = input["code"].as_str().unwrap().trim_start_matches("phone-");
                json!({ "errcode": 0, "errmsg": "ok", "phone_info": { "phoneNumber": number, "purePhoneNumber": number,
                    "countryCode": "86", "watermark": { "timestamp": now(), "appid": self.keys.config["appid"] } } })
            }
            "/wxaapi/newtmpl/gettemplate" => json!({ "errcode": 0, "errmsg": "ok", "data": [
                { "priTmplId": "good", "title": "服务完成通知", "type": 2, "example": "",
                    "content": "项目:{{thing1.DATA}}\n时间:{{time2.DATA}}\n提示:{{thing3.DATA}}\n" },
                { "priTmplId": "other", "title": "优惠券到账提醒", "type": 2, "example": "",
                    "content": "券:{{thing1.DATA}}\n金额:{{amount2.DATA}}\n" },
            ] }),
            "/wxa/sec/order/is_trade_managed" => {
                json!({ "errcode": 0, "errmsg": "ok", "is_trade_managed": true })
            }
            _ => json!({ "errcode": 0, "errmsg": "ok" }),
        }
    }
}

fn refund(number: &str, status: &str) -> Value {
    json!({ "refund_id": format!("50{number}"), "out_refund_no": number, "status": status })
}

fn beijing() -> String {
    let at = chrono::DateTime::from_timestamp(now(), 0).unwrap();
    at.with_timezone(&chrono::FixedOffset::east_opt(8 * 3600).unwrap())
        .to_rfc3339()
}

async fn answer(req: HttpRequest, body: web::Bytes, standin: web::Data<Standin>) -> HttpResponse {
    let pay = req.path().starts_with("/v3/");
    let told = if pay {
        let (status, told) = standin.pay(&req, &body);
        standin.signed(status, &told)
    } else {
        HttpResponse::Ok().json(standin.mini(&req, &body))
    };
    let lost = standin.with(|state| state.lose.take_if(|path| *path == req.path()));
    if lost.is_some() {
        let cut = futures_util::stream::once(async {
            Err::<web::Bytes, _>(std::io::Error::other("the line is cut"))
        });
        return HttpResponse::Ok().streaming(cut);
    }
    std::future::ready(told).await
}
