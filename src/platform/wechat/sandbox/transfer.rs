//! Merchant transfers (spec 2.7): made, confirmed by the person within 24 hours by the clock, cancelled, told.

use super::{
    APPID, MARK, MCHID, Sandbox,
    book::{Book, Entry, Sent},
    control::strict,
    page,
    post::Parcel,
    seal::Refusal,
    trade::digits,
};
use crate::kernel::{AppError, Result};
use crate::platform::wechat::{number::is_out_bill_no, order::beijing, sensitive};
use actix_web::{HttpRequest, HttpResponse, middleware::DefaultHeaders, web};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long the person may confirm.
const OPEN_FOR: Duration = Duration::hours(24);
const PARAM: Refusal = Refusal::new(400, "PARAM_ERROR", "参数错误");
const NO_BILL: Refusal = Refusal::new(404, "NOT_FOUND", "记录不存在");

/// The reports each scene wants, and no others.
const SCENES: [(&str, &[&str]); 3] = [
    ("1000", &["活动名称", "奖励说明"]),
    ("1005", &["岗位类型", "报酬说明"]),
    ("1011", &["赔付原因"]),
];

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    const BILLS: &str = "/v3/fund-app/mch-transfer/transfer-bills";
    cfg.route(BILLS, web::post().to(make))
        .route(
            &format!("{BILLS}/out-bill-no/{{number}}"),
            web::get().to(query),
        )
        .route(
            &format!("{BILLS}/out-bill-no/{{number}}/cancel"),
            web::post().to(cancel),
        );
}

/// The person's page and button on the main listener.
pub(super) fn controls(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::resource("/sandbox/transfer-confirm")
            .wrap(DefaultHeaders::new().add(MARK))
            .route(web::get().to(confirm_page))
            .route(web::post().to(confirm)),
    );
}

#[derive(Deserialize)]
struct TransferIn {
    appid: String,
    out_bill_no: String,
    transfer_scene_id: String,
    openid: String,
    user_name: Option<String>,
    transfer_amount: i64,
    transfer_remark: String,
    notify_url: Option<String>,
    transfer_scene_report_infos: Vec<InfoIn>,
}

#[derive(Deserialize)]
struct InfoIn {
    info_type: String,
    info_content: String,
}

impl Sent {
    /// The state of the wire at a moment: what nobody confirmed in time has failed.
    pub(super) fn state(&self, now: DateTime<Utc>) -> &'static str {
        if self.confirmed.is_some() {
            "SUCCESS"
        } else if self.cancelled.is_some() {
            "CANCELLED"
        } else if now >= self.at + OPEN_FOR {
            "FAIL"
        } else {
            "WAIT_USER_CONFIRM"
        }
    }

    fn same(&self, other: &Self) -> bool {
        let terms = |one: &Self| {
            (
                one.openid.clone(),
                one.user_name.clone(),
                one.scene.clone(),
                one.amount,
                one.remark.clone(),
                one.notify_url.clone(),
            )
        };
        terms(self) == terms(other)
    }

    /// The object of queries and notifications.
    fn object(&self, now: DateTime<Utc>) -> Value {
        let state = self.state(now);
        let ended = self.confirmed.or(self.cancelled);
        let mut object = json!({
            "mch_id": MCHID,
            "out_bill_no": self.out_bill_no,
            "transfer_bill_no": self.transfer_bill_no,
            "state": state,
            "transfer_amount": self.amount,
            "openid": self.openid,
            "create_time": beijing(self.at),
            "update_time": beijing(ended.unwrap_or(now)),
        });
        if let Some(fields) = object.as_object_mut().filter(|_| state == "FAIL") {
            fields.insert("fail_reason".into(), "OVERDUE_CLOSE".into());
        }
        object
    }
}

async fn make(req: HttpRequest, body: web::Bytes, sandbox: web::Data<Sandbox>) -> HttpResponse {
    let outcome = async {
        sandbox.check_merchant(&req, &body)?;
        let input: TransferIn = serde_json::from_slice(&body).map_err(|_| PARAM)?;
        let sent = sandbox.read_transfer(input)?;
        let (now, number) = (sandbox.inner.env.now(), sent.out_bill_no.clone());
        let (answer, fresh) = sandbox.change(move |book| enter(book, sent, now)).await?;
        if fresh {
            sandbox.post(Parcel::TransferEnd(number), OPEN_FOR);
        }
        Ok(answer)
    };
    sandbox.signed_for(&req, outcome.await)
}

type Made = ((Value, bool), Option<Entry>);

/// The same number makes one transfer; with other values it is refused.
fn enter(book: &Book, sent: Sent, now: DateTime<Utc>) -> Result<Made, Refusal> {
    let (sent, fresh) = match book.transfers.get(&sent.out_bill_no) {
        Some(known) if !known.same(&sent) => {
            return Err(Refusal::new(
                400,
                "INVALID_REQUEST",
                "商户单号已存在,且参数不一致",
            ));
        }
        Some(known) => (known.clone(), false),
        None => (sent, true),
    };
    let state = sent.state(now);
    let mut answer = json!({
        "out_bill_no": sent.out_bill_no,
        "transfer_bill_no": sent.transfer_bill_no,
        "create_time": beijing(sent.at),
        "state": state,
    });
    if let Some(fields) = answer
        .as_object_mut()
        .filter(|_| state == "WAIT_USER_CONFIRM")
    {
        fields.insert("package_info".into(), sent.package.clone().into());
    }
    Ok((
        (answer, fresh),
        fresh.then_some(Entry::Transferred { transfer: sent }),
    ))
}

impl Sandbox {
    fn read_transfer(&self, input: TransferIn) -> Result<Sent, Refusal> {
        if input.appid != APPID {
            return Err(Refusal::new(
                400,
                "APPID_MCHID_NOT_MATCH",
                "appid 和 mchid 不匹配",
            ));
        }
        let words = |text: &str| (1..=32).contains(&text.chars().count());
        let kinds: Vec<&str> = input
            .transfer_scene_report_infos
            .iter()
            .map(|info| info.info_type.as_str())
            .collect();
        let reported = SCENES
            .iter()
            .any(|(id, wanted)| *id == input.transfer_scene_id && kinds == *wanted)
            && input
                .transfer_scene_report_infos
                .iter()
                .all(|info| words(&info.info_content));
        let private = &self.inner.secrets.platform_private_der;
        let name = input
            .user_name
            .map(|sealed| sensitive::open(private, &sealed).map_err(|_| PARAM))
            .transpose()?;
        let named = name.is_some() || input.transfer_amount < 200_000;
        let good = is_out_bill_no(&input.out_bill_no)
            && reported
            && named
            && input.transfer_amount >= 10
            && words(&input.transfer_remark)
            && !input.openid.is_empty();
        if !good {
            return Err(PARAM);
        }
        Ok(Sent {
            out_bill_no: input.out_bill_no,
            transfer_bill_no: format!("1330{}", digits(36)?),
            package: format!("SANDBOX{}", digits(32)?),
            openid: input.openid,
            user_name: name,
            scene: input.transfer_scene_id,
            amount: input.transfer_amount,
            remark: input.transfer_remark,
            notify_url: input.notify_url,
            at: self.inner.env.now(),
            confirmed: None,
            cancelled: None,
        })
    }

    /// A transfer's time is over: when nobody confirmed or cancelled it, its failure is told.
    pub(super) async fn end_transfer(&self, number: String) {
        let now = self.inner.env.now();
        let found = self
            .change(move |book| Ok::<_, AppError>((book.transfers.get(&number).cloned(), None)))
            .await;
        if let Ok(Some(sent)) = found
            && sent.state(now) == "FAIL"
        {
            self.announce_transfer(&sent);
        }
    }

    fn announce_transfer(&self, sent: &Sent) {
        let Some(url) = sent.notify_url.clone() else {
            return;
        };
        let notice = Parcel::Notice {
            url,
            event: "MCHTRANSFER.BILL.FINISHED",
            summary: "商家转账单据终态通知",
            kind: "mch_payment",
            plain: sent.object(self.inner.env.now()),
        };
        self.post(notice, Duration::zero());
    }
}

async fn query(
    req: HttpRequest,
    number: web::Path<String>,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let outcome = async {
        sandbox.check_merchant(&req, b"")?;
        let (number, now) = (number.into_inner(), sandbox.inner.env.now());
        let read = move |book: &Book| {
            let sent = book.transfers.get(&number).ok_or(NO_BILL)?;
            Ok((sent.object(now), None))
        };
        sandbox.change(read).await
    };
    sandbox.signed_for(&req, outcome.await)
}

async fn cancel(
    req: HttpRequest,
    number: web::Path<String>,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let outcome = async {
        sandbox.check_merchant(&req, b"")?;
        let (number, now) = (number.into_inner(), sandbox.inner.env.now());
        let decide = move |book: &Book| {
            let mut sent = book.transfers.get(&number).ok_or(NO_BILL)?.clone();
            let entry = match sent.state(now) {
                "WAIT_USER_CONFIRM" => Some(Entry::TransferCancelled {
                    out_bill_no: number,
                    at: now,
                }),
                "CANCELLED" => None,
                _ => return Err(Refusal::new(400, "INVALID_REQUEST", "单据状态不支持撤销")),
            };
            sent.cancelled = sent.cancelled.or(Some(now));
            Ok(((sent, entry.is_some()), entry))
        };
        let (sent, fresh) = sandbox.change(decide).await?;
        if fresh {
            sandbox.announce_transfer(&sent);
        }
        let now = sandbox.inner.env.now();
        // As with WeChat, the call only begins it; a query tells that it is done.
        Ok(json!({
            "out_bill_no": sent.out_bill_no,
            "transfer_bill_no": sent.transfer_bill_no,
            "state": "CANCELING",
            "update_time": beijing(now),
        }))
    };
    sandbox.signed_for(&req, outcome.await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmIn {
    package: String,
}

/// The person confirms; again changes nothing.
async fn confirm(body: web::Bytes, sandbox: web::Data<Sandbox>) -> Result<web::Json<Value>> {
    let ConfirmIn { package } = strict(&body)?;
    let now = sandbox.inner.env.now();
    let decide = move |book: &Book| {
        let mut sent = book
            .transfer_of(&package)
            .ok_or_else(AppError::not_found)?
            .clone();
        let entry = match sent.state(now) {
            "WAIT_USER_CONFIRM" => Some(Entry::TransferConfirmed {
                out_bill_no: sent.out_bill_no.clone(),
                at: now,
            }),
            "SUCCESS" => None,
            _ => return Err(AppError::invalid_state("这笔转账已失效,不能再确认收款")),
        };
        sent.confirmed = sent.confirmed.or(Some(now));
        Ok(((sent, entry.is_some()), entry))
    };
    let (sent, fresh) = sandbox.change(decide).await?;
    if fresh {
        sandbox.announce_transfer(&sent);
    }
    Ok(web::Json(
        json!({ "out_bill_no": sent.out_bill_no, "state": sent.state(now) }),
    ))
}

async fn confirm_page(
    query: web::Query<ConfirmIn>,
    sandbox: web::Data<Sandbox>,
) -> Result<HttpResponse> {
    let package = query.into_inner().package;
    let find = move |book: &Book| {
        let sent = book.transfer_of(&package).ok_or_else(AppError::not_found)?;
        Ok::<_, AppError>((sent.clone(), None))
    };
    let sent = sandbox.change(find).await?;
    page::transfer(&sent, sent.state(sandbox.inner.env.now()))
}
