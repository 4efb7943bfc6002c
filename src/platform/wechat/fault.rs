//! WeChat's faults, and what they mean to us.

use super::verify::SignatureFault;
use crate::kernel::{AppError, Code};
use serde_json::Value;

/// An `errcode` of the mini-program API with the request id WeChat support asks for. Never the `errmsg`: it may quote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("errcode {code}, rid {}", rid.as_deref().unwrap_or("-"))]
pub(super) struct ApiFault {
    pub(super) code: i64,
    pub(super) rid: Option<String>,
}

impl ApiFault {
    /// The fault an answer carries; a missing or zero `errcode` is none. WeChat also sends numbers as strings (spec 1).
    pub(super) fn of(answer: &Value) -> Option<Self> {
        let code = match answer.get("errcode") {
            None => return None,
            Some(Value::String(text)) => text.parse().unwrap_or(-1),
            Some(number) => number.as_i64().unwrap_or(-1),
        };
        let rid = || {
            let message = answer.get("errmsg")?.as_str()?;
            let rid: String = message
                .split_once("rid: ")?
                .1
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
                .take(64)
                .collect();
            Some(rid)
        };
        (code != 0).then(|| Self { code, rid: rid() })
    }
}

/// What an `errcode` asks of us (spec 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The token is unknown, expired or malformed: fetch another once, call once more.
    Token,
    /// Busy: call again in a moment, three times at most.
    Busy,
    /// A quota is used up: the job waits, the next minute at the earliest.
    Quota,
    /// A code of the person is wrong or used: he gets another.
    Person,
    /// WeChat blocks the person.
    Blocked,
    /// Secret, permission, allow-list, state of the account: a person of ours must act, calling again is no use.
    Operator,
    /// Anything else: this call as it stands will never succeed.
    Final,
}

impl ApiFault {
    /// The class of the fault.
    pub(super) fn class(&self) -> Class {
        match self.code {
            40_001 | 40_014 | 42_001 => Class::Token,
            -1 => Class::Busy,
            // 44990 and 85400 are the link quotas, by old pages (spec 1.6).
            45_009 | 45_011 | 44_990 | 85_400 => Class::Quota,
            40_029 | 40_163 => Class::Person,
            40_226 => Class::Blocked,
            40_013
            | 40_125
            | 40_164
            | 41_001
            | 41_002
            | 41_004
            | 48_001
            | 48_004
            | 50_001
            | 50_002
            | 61_000..=61_009
            | 61_011..=61_999 => Class::Operator,
            _ => Class::Final,
        }
    }
}

impl From<ApiFault> for AppError {
    fn from(fault: ApiFault) -> Self {
        match fault.class() {
            Class::Person => {
                Self::new(Code::WechatCodeInvalid, "微信凭证无效或已使用,请重新获取").because(fault)
            }
            Class::Blocked => {
                Self::new(Code::Forbidden, "微信判定该账号存在风险,暂时不能登录").because(fault)
            }
            Class::Busy => busy(1).because(fault),
            Class::Quota => busy(60).because(fault),
            // Refused twice in a row: WeChat's nodes disagree for a moment, or the secret was changed elsewhere.
            Class::Token => busy(5).because(fault),
            Class::Operator => {
                alert(&fault);
                Self::internal(fault)
            }
            Class::Final => Self::internal(fault),
        }
    }
}

/// An `errcode` this error came from, if WeChat answered with one.
pub fn errcode(error: &AppError) -> Option<i64> {
    cause::<ApiFault>(error).map(|fault| fault.code)
}

/// Whether a request may have been taken although no answer came: then only WeChat knows.
pub fn answer_lost(error: &AppError) -> bool {
    cause::<reqwest::Error>(error).is_some_and(|fault| !fault.is_connect())
}

/// What an error came from, if it is of this kind.
fn cause<T: std::error::Error + 'static>(error: &AppError) -> Option<&T> {
    let source: &(dyn std::error::Error + 'static) = error.source.as_deref()?;
    source.downcast_ref()
}

/// Calls for a person: `linjian doctor` names the cure.
fn alert(fault: &ApiFault) {
    tracing::error!(
        errcode = fault.code,
        rid = fault.rid.as_deref().unwrap_or("-"),
        "WeChat refuses the shop's own settings; linjian doctor names the cure"
    );
    metrics::counter!("linjian_wechat_alerts_total", "errcode" => fault.code.to_string())
        .increment(1);
}

/// An error answer of WeChat Pay: the HTTP status and the code, never the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("WeChat Pay answered {status} {code}")]
pub struct PayFault {
    /// HTTP status.
    pub status: u16,
    /// `ORDER_NOT_EXIST`, `NOT_ENOUGH` …; empty when the answer was not WeChat's JSON.
    pub code: String,
}

/// The code WeChat Pay gave for this error, if it answered at all (spec 2.3, 2.6).
pub fn pay_code(error: &AppError) -> Option<&str> {
    cause::<PayFault>(error).map(|fault| fault.code.as_str())
}

/// What can go wrong on the way to WeChat Pay and back.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("could not connect")]
    Connect(#[source] reqwest::Error),
    #[error("the answer was lost")]
    Lost(#[source] reqwest::Error),
    #[error("the answer is not WeChat's")]
    Unverified(#[from] SignatureFault),
    #[error("the answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
    #[error(transparent)]
    Refused(PayFault),
    #[error("signing failed")]
    Signing,
}

impl Fault {
    /// Whether the outcome is unknown, so that only the same request again or a query can tell (spec 2.10).
    pub(super) fn is_unknown(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Unverified(_) | Self::Unreadable(_) => true,
            Self::Refused(fault) => fault.status >= 500 && fault.code != "OPENID_MISMATCH",
            Self::Connect(_) | Self::Signing => false,
        }
    }
}

impl From<Fault> for AppError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(fault) => refused(fault),
            Fault::Signing => Self::internal(fault),
            Fault::Connect(_) | Fault::Lost(_) | Fault::Unverified(_) | Fault::Unreadable(_) => {
                busy(2).because(fault)
            }
        }
    }
}

fn refused(fault: PayFault) -> AppError {
    match fault.code.as_str() {
        "ORDER_NOT_EXIST" | "RESOURCE_NOT_EXISTS" => {
            AppError::new(Code::NotFound, "微信支付没有这笔单据").because(fault)
        }
        "ORDER_CLOSED"
        | "TRADE_ERROR"
        | "USER_ACCOUNT_ABNORMAL"
        | "OPENID_MISMATCH"
        | "USERPAYING" => AppError::invalid_state("微信支付拒绝了这一步").because(fault),
        "INVALID_REQUEST" | "OUT_TRADE_NO_USED" | "ORDER_PAID" | "ORDERPAID" => {
            AppError::new(Code::Conflict, "这笔单号已有不同的内容或结果").because(fault)
        }
        "NOT_ENOUGH" => AppError::new(Code::Unavailable, "商户账户余额不足")
            .retry_after(600)
            .because(fault),
        "FREQUENCY_LIMITED" | "FREQUENCY_LIMIT_EXCEED" => busy(30).because(fault),
        "SIGN_ERROR"
        | "NO_AUTH"
        | "RULE_LIMIT"
        | "ACCOUNT_ERROR"
        | "MCH_NOT_EXISTS"
        | "APPID_MCHID_NOT_MATCH" => {
            tracing::error!(
                code = %fault.code,
                "WeChat Pay refuses the merchant's own settings; linjian doctor names the cure"
            );
            metrics::counter!("linjian_wechat_alerts_total", "errcode" => fault.code.clone())
                .increment(1);
            AppError::internal(fault)
        }
        "PARAM_ERROR" => AppError::internal(fault),
        // An unknown code is an unknown outcome: enter again or query (spec 2.3).
        _ => busy(2).because(fault),
    }
}

/// 503 with the time to come back.
pub(super) fn busy(seconds: u64) -> AppError {
    AppError::new(Code::Unavailable, "微信暂时没有给出结果,请稍后再试").retry_after(seconds)
}
