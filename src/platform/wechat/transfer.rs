//! 商家转账: money to a person, which he confirms himself (spec 2.7). Never an effect of a rule (REF-02): staff make it.

use super::{
    WechatClient,
    fault::{Fault, PayFault},
    number,
    pay::PayCall,
    sensitive,
};
use crate::kernel::{AppError, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Least amount, fen.
pub const TRANSFER_LEAST_FEN: i64 = 10;
/// From this amount on the person's real name is required, fen.
pub const TRANSFER_NAMED_FEN: i64 = 200_000;
/// Longest remark and report, characters.
const WORDS: usize = 32;

/// What a transfer is for; each scene wants its own reports, and another's are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferScene {
    /// 1000 现金营销.
    Marketing {
        /// 活动名称.
        activity: String,
        /// 奖励说明.
        reward: String,
    },
    /// 1005 佣金报酬, for workers' pay.
    Commission {
        /// 岗位类型.
        position: String,
        /// 报酬说明.
        pay: String,
    },
    /// 1011 企业赔付.
    Compensation {
        /// 赔付原因.
        reason: String,
    },
}

impl TransferScene {
    /// WeChat's number of the scene.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Marketing { .. } => "1000",
            Self::Commission { .. } => "1005",
            Self::Compensation { .. } => "1011",
        }
    }

    /// The reports by their names.
    fn reports(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Marketing { activity, reward } => {
                vec![("活动名称", activity), ("奖励说明", reward)]
            }
            Self::Commission { position, pay } => vec![("岗位类型", position), ("报酬说明", pay)],
            Self::Compensation { reason } => vec![("赔付原因", reason)],
        }
    }

    /// How the person may be told he got it; one of the scene's own words.
    fn perceptions(&self) -> &'static [&'static str] {
        match self {
            Self::Marketing { .. } => &["现金奖励", "活动奖励"],
            Self::Commission { .. } => &["劳务报酬", "报销款", "企业补贴", "开工利是"],
            Self::Compensation { .. } => &["退款", "商家赔付"],
        }
    }
}

/// A transfer to one person. No Debug: it names him.
#[derive(Clone)]
pub struct Transfer {
    /// Our number, at most 32 digits and letters; it stays until WeChat says failed or cancelled.
    pub out_bill_no: String,
    /// What for.
    pub scene: TransferScene,
    /// To whom.
    pub openid: String,
    /// His real name, required from [`TRANSFER_NAMED_FEN`] on; it leaves sealed.
    pub user_name: Option<String>,
    /// Fen, at least [`TRANSFER_LEAST_FEN`].
    pub amount_fen: i64,
    /// What he reads, at most 32 characters.
    pub remark: String,
    /// One of the scene's words for it; WeChat picks when unsaid.
    pub perception: Option<String>,
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TransferState {
    /// Taken.
    Accepted,
    /// Being worked on.
    Processing,
    /// The person must confirm within 24 hours.
    WaitUserConfirm,
    /// He has, and the money is on its way.
    Transfering,
    /// He has the money.
    Success,
    /// It failed, or he did not confirm.
    Fail,
    /// Being cancelled.
    Canceling,
    /// Cancelled.
    Cancelled,
    /// A state newer than this program.
    #[serde(other)]
    Other,
}

impl TransferState {
    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Fail | Self::Cancelled)
    }
}

/// WeChat Pay's answer about a transfer. No Debug: what the person confirms with is his.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct TransferAnswer {
    /// Our number again.
    pub out_bill_no: String,
    /// WeChat's number.
    pub transfer_bill_no: Option<String>,
    /// Where it stands.
    pub state: TransferState,
    /// What `wx.requestMerchantTransfer` takes; only making it tells this.
    pub package_info: Option<String>,
    /// The amount, where a query tells it.
    pub transfer_amount: Option<i64>,
    /// Why it failed, in WeChat's words.
    pub fail_reason: Option<String>,
}

/// The end of a transfer as a notification tells it. No Debug: it names the person.
#[derive(Clone, PartialEq, Eq)]
pub struct TransferNotice {
    /// Our number.
    pub out_bill_no: String,
    /// WeChat's number.
    pub transfer_bill_no: String,
    /// How it ended.
    pub state: TransferState,
    /// Fen.
    pub amount_fen: i64,
    /// To whom.
    pub openid: String,
    /// Why it failed, in WeChat's words.
    pub fail_reason: Option<String>,
    /// When it was made.
    pub create_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub update_time: Option<DateTime<Utc>>,
}

/// The notification's resource.
#[derive(Deserialize)]
pub(super) struct TransferWire {
    pub(super) mch_id: String,
    out_bill_no: String,
    transfer_bill_no: String,
    state: TransferState,
    transfer_amount: i64,
    openid: String,
    fail_reason: Option<String>,
    create_time: Option<DateTime<Utc>>,
    update_time: Option<DateTime<Utc>>,
}

impl From<TransferWire> for TransferNotice {
    fn from(wire: TransferWire) -> Self {
        Self {
            out_bill_no: wire.out_bill_no,
            transfer_bill_no: wire.transfer_bill_no,
            state: wire.state,
            amount_fen: wire.transfer_amount,
            openid: wire.openid,
            fail_reason: wire.fail_reason.filter(|reason| !reason.is_empty()),
            create_time: wire.create_time,
            update_time: wire.update_time,
        }
    }
}

impl WechatClient {
    /// Makes a transfer, once. On an unknown outcome query first, then enter again with the same number and values:
    /// a new number could pay twice (spec 2.10).
    ///
    /// # Errors
    /// `validation` naming what WeChat would refuse, `conflict` for other values under the number, `unavailable` when
    /// funds lack or the outcome is unknown.
    pub async fn transfer(&self, transfer: &Transfer) -> Result<TransferAnswer> {
        check(transfer)?;
        let settings = &self.inner.settings;
        let infos: Vec<Value> = transfer
            .scene
            .reports()
            .into_iter()
            .map(|(kind, content)| json!({ "info_type": kind, "info_content": content }))
            .collect();
        let mut body = json!({
            "appid": settings.appid,
            "out_bill_no": transfer.out_bill_no,
            "transfer_scene_id": transfer.scene.id(),
            "openid": transfer.openid,
            "transfer_amount": transfer.amount_fen,
            "transfer_remark": transfer.remark,
            "notify_url": self.notify_url(),
            "transfer_scene_report_infos": infos,
        });
        if let Some(fields) = body.as_object_mut() {
            if let Some(name) = &transfer.user_name {
                fields.insert("user_name".into(), self.sealed(name)?.into());
            }
            if let Some(word) = &transfer.perception {
                fields.insert("user_recv_perception".into(), word.clone().into());
            }
        }
        let call = PayCall::post(&BILLS, &body);
        about(&transfer.out_bill_no, self.pay_once(&call).await?)
    }

    /// Asks where a transfer stands; WeChat knows it for 30 days.
    ///
    /// # Errors
    /// `not_found` when WeChat never saw the number, `unavailable` when there is no answer to trust.
    pub async fn query_transfer(&self, out_bill_no: &str) -> Result<TransferAnswer> {
        number::fits(number::is_out_bill_no(out_bill_no))?;
        let path = [&BILLS[..], &["out-bill-no", out_bill_no]].concat();
        let answer: TransferAnswer = self
            .pay_again(&PayCall::get(&path, Vec::new()))
            .await
            .map_err(unknown)?;
        about(out_bill_no, answer)
    }

    /// Cancels a transfer the person has not confirmed. Only a query tells that it is cancelled.
    ///
    /// # Errors
    /// `conflict` or `invalid_state` when it is too late, `unavailable` when the outcome is unknown.
    pub async fn cancel_transfer(&self, out_bill_no: &str) -> Result<TransferAnswer> {
        number::fits(number::is_out_bill_no(out_bill_no))?;
        let path = [&BILLS[..], &["out-bill-no", out_bill_no, "cancel"]].concat();
        let answer: TransferAnswer = self
            .pay_again(&PayCall::empty_post(&path))
            .await
            .map_err(unknown)?;
        about(out_bill_no, answer)
    }

    /// Seals a sensitive field under the key this client names in `Wechatpay-Serial`.
    fn sealed(&self, plain: &str) -> Result<String> {
        let key = self
            .answer_key()
            .and_then(|id| self.inner.platform_keys.of(&id))
            .ok_or_else(|| AppError::internal("no platform key to seal under"))?;
        sensitive::seal(key.spki(), plain).map_err(AppError::internal)
    }
}

const BILLS: [&str; 4] = ["v3", "fund-app", "mch-transfer", "transfer-bills"];

/// An unknown number has a code of its own here.
fn unknown(fault: Fault) -> AppError {
    match fault {
        Fault::Refused(PayFault { status: 404, code }) if code == "NOT_FOUND" => {
            AppError::not_found().because(PayFault { status: 404, code })
        }
        other => other.into(),
    }
}

fn about(out_bill_no: &str, answer: TransferAnswer) -> Result<TransferAnswer> {
    if answer.out_bill_no == out_bill_no {
        Ok(answer)
    } else {
        Err(AppError::internal(
            "WeChat Pay answered about another transfer",
        ))
    }
}

/// What WeChat would refuse, found before it is sent.
fn check(transfer: &Transfer) -> Result<()> {
    number::fits(number::is_out_bill_no(&transfer.out_bill_no))?;
    let words = |text: &str| (1..=WORDS).contains(&text.chars().count());
    if transfer.amount_fen < TRANSFER_LEAST_FEN {
        return Err(AppError::field(
            "/amount_fen",
            "range",
            "转账金额至少 0.10 元",
        ));
    }
    if transfer.amount_fen >= TRANSFER_NAMED_FEN && transfer.user_name.is_none() {
        return Err(AppError::field(
            "/user_name",
            "required",
            "2000 元及以上的转账需要收款人实名",
        ));
    }
    if !words(&transfer.remark) {
        return Err(AppError::field(
            "/remark",
            "length",
            "备注应为 1 到 32 个字",
        ));
    }
    if transfer
        .scene
        .reports()
        .iter()
        .any(|(_, content)| !words(content))
    {
        return Err(AppError::field(
            "/scene",
            "length",
            "报备信息应为 1 到 32 个字",
        ));
    }
    let perceived = transfer.perception.as_deref();
    if perceived.is_some_and(|word| !transfer.scene.perceptions().contains(&word)) {
        return Err(AppError::field(
            "/perception",
            "enum",
            "该场景没有这种收款感知",
        ));
    }
    Ok(())
}
