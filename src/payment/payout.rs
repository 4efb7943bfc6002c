//! Merchant transfers at WeChat Pay: asked about first, made under one number for ever, believed when a query says so.

use super::{
    events::TransferApproved,
    incident,
    ledger::{self, Posting},
    transfer::{OPEN, QUERY_DUE, lock, pause},
};
use crate::{
    booking, identity,
    kernel::{AppError, Code, Result},
    outbox::{Consumer, Delivered, Event, timer},
    platform::{
        Ctx, OneByKey,
        wechat::{Transfer, TransferAnswer, TransferScene, TransferState, pay_code},
    },
};
use chrono::Duration;
use entity::{ids::TransferId, transfer, values::TransferStatus};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What came of asking WeChat Pay.
#[derive(Clone, Serialize, Deserialize)]
enum Said {
    /// It stands so.
    Stands {
        state: TransferState,
        transfer_bill_no: Option<String>,
        package: Option<String>,
        reason: Option<String>,
    },
    /// It was refused for good and, asked again, WeChat Pay does not know the number.
    Refused(String),
    /// It was called off before anything was sent.
    CalledOff,
    /// Nobody knows, or there was nothing to ask.
    Unknown,
}

impl From<TransferAnswer> for Said {
    fn from(answer: TransferAnswer) -> Self {
        Self::Stands {
            state: answer.state,
            transfer_bill_no: answer.transfer_bill_no,
            package: answer.package_info,
            reason: answer.fail_reason,
        }
    }
}

/// After this no call of ours can still be on its way.
const IN_FLIGHT: Duration = Duration::minutes(2);

/// Asks first and makes it only when WeChat Pay never saw the number: an unknown outcome is never made twice.
async fn ask(ctx: &Ctx, id: TransferId) -> Result<Said> {
    let db = ctx.db.read();
    let row = transfer::Entity::find_by_id(id).one_by_key(db).await?;
    let Some(row) = row.filter(|row| OPEN.contains(&row.status) && row.approved_by.is_some())
    else {
        return Ok(Said::Unknown);
    };
    match ctx.wechat.query_transfer(&row.out_bill_no).await {
        Ok(answer)
            if answer
                .transfer_amount
                .is_some_and(|fen| fen != row.amount_fen.0) =>
        {
            Err(AppError::internal(
                "WeChat Pay knows another amount under a transfer's number",
            ))
        }
        Ok(answer) => stands(ctx, &row, answer).await,
        // Called off while nobody knew whether it had been sent: what WeChat Pay does not know long after is not sent now.
        Err(error)
            if error.code == Code::NotFound
                && row.cancel_requested
                && row.status != TransferStatus::Approved =>
        {
            let sent_at = row.approved_at.unwrap_or(row.created_at);
            Ok(if ctx.env.now() - sent_at > IN_FLIGHT {
                Said::CalledOff
            } else {
                Said::Unknown
            })
        }
        Err(error) if error.code == Code::NotFound => {
            if claim(ctx, id).await? {
                make(ctx, &row).await
            } else {
                Ok(Said::CalledOff)
            }
        }
        Err(error) => {
            tracing::warn!(transfer.id = %id, error = ?error, "nobody knows yet how a transfer stands");
            Ok(Said::Unknown)
        }
    }
}

/// From here on the number may be at WeChat Pay. What was called off before stays here.
async fn claim(ctx: &Ctx, id: TransferId) -> Result<bool> {
    let tx = ctx.db.begin_write().await?;
    let row = lock(&tx, id).await?;
    let sent = row.status != TransferStatus::Approved;
    if !OPEN.contains(&row.status) || (row.cancel_requested && !sent) {
        return Ok(false);
    }
    if !sent {
        let change = transfer::ActiveModel {
            id: Set(id),
            status: Set(TransferStatus::Processing),
            ..Default::default()
        };
        change.update(&tx).await?;
    }
    ctx.commit(tx).await?;
    Ok(true)
}

async fn stands(ctx: &Ctx, row: &transfer::Model, answer: TransferAnswer) -> Result<Said> {
    let waits = answer.state == TransferState::WaitUserConfirm;
    if row.cancel_requested && !answer.state.is_final() && answer.state != TransferState::Canceling
    {
        if let Err(error) = ctx.wechat.cancel_transfer(&row.out_bill_no).await {
            tracing::info!(transfer.id = %row.id, error = ?error, "a transfer could not be cancelled");
        }
        // Only the next query tells whether it is.
        return Ok(answer.into());
    }
    // Only making it tells what the customer confirms with; the same number and values again make nothing new.
    if waits && row.package_info.is_none() {
        // Whatever hinders that, the number stands as WeChat Pay says.
        return Ok(match make(ctx, row).await? {
            Said::Refused(_) => answer.into(),
            said => said,
        });
    }
    Ok(answer.into())
}

async fn make(ctx: &Ctx, row: &transfer::Model) -> Result<Said> {
    let openid = identity::openid_of(ctx, ctx.db.read(), row.customer_id).await?;
    let Some(openid) = openid else {
        return Ok(Said::Refused("NO_OPENID".into()));
    };
    let wanted = Transfer {
        out_bill_no: row.out_bill_no.clone(),
        scene: TransferScene::Compensation {
            reason: row.remark.clone(),
        },
        openid,
        user_name: None,
        amount_fen: row.amount_fen.0,
        remark: row.remark.clone(),
        perception: None,
    };
    let error = match ctx.wechat.transfer(&wanted).await {
        Ok(answer) => return Ok(answer.into()),
        Err(error) => error,
    };
    tracing::warn!(transfer.id = %row.id, error = ?error, "WeChat Pay has not taken a transfer");
    let code = pay_code(&error).unwrap_or_default().to_owned();
    let refused = match error.code {
        Code::Conflict | Code::InvalidState | Code::Validation => true,
        _ => matches!(code.as_str(), "PARAM_ERROR" | "RULE_LIMIT" | "NO_AUTH"),
    };
    if !refused {
        return Ok(Said::Unknown);
    }
    // A refusal alone is no proof: only a query says that nothing happened (spec 2.7).
    match ctx.wechat.query_transfer(&row.out_bill_no).await {
        Ok(answer) => Ok(answer.into()),
        Err(error) if error.code == Code::NotFound => Ok(Said::Refused(code)),
        Err(_) => Ok(Said::Unknown),
    }
}

/// Writes what WeChat Pay said. Saying it again changes nothing.
async fn told(ctx: &Ctx, tx: &DatabaseTransaction, id: TransferId, said: Said) -> Result<()> {
    let row = lock(tx, id).await?;
    if !OPEN.contains(&row.status) || row.approved_by.is_none() {
        return Ok(());
    }
    let now = ctx.env.now();
    let mut change = transfer::ActiveModel {
        id: Set(id),
        ..Default::default()
    };
    let to = match said {
        Said::CalledOff
            if matches!(
                row.status,
                TransferStatus::Approved | TransferStatus::Processing
            ) =>
        {
            TransferStatus::Cancelled
        }
        Said::CalledOff | Said::Unknown => row.status,
        Said::Refused(reason) => {
            change.fail_reason = Set(Some(reason));
            TransferStatus::Failed
        }
        Said::Stands {
            state,
            transfer_bill_no,
            package,
            reason,
        } => {
            change.transfer_bill_no =
                Set(transfer_bill_no.or_else(|| row.transfer_bill_no.clone()));
            change.fail_reason = Set(reason);
            change.package_info = Set(package.or_else(|| row.package_info.clone()));
            status_of(state)
        }
    };
    let over = !OPEN.contains(&to);
    if to != TransferStatus::AwaitingConfirm {
        change.package_info = Set(None);
    }
    change.status = Set(to);
    change.settled_at = Set(over.then_some(now));
    let change = change.update(tx).await?;
    if over {
        timer::cancel(tx, &ctx.env, QUERY_DUE, id).await?;
    } else {
        let since = row.approved_at.unwrap_or(row.created_at);
        // Cancelling is over in a moment, and only a query tells.
        let age = if row.cancel_requested {
            Duration::zero()
        } else {
            now - since
        };
        timer::schedule(tx, &ctx.env, QUERY_DUE, id, now + pause(age)).await?;
    }
    if to == row.status {
        return Ok(());
    }
    changed(ctx, tx, &change).await
}

fn status_of(state: TransferState) -> TransferStatus {
    match state {
        TransferState::WaitUserConfirm => TransferStatus::AwaitingConfirm,
        TransferState::Success => TransferStatus::Succeeded,
        TransferState::Fail => TransferStatus::Failed,
        TransferState::Cancelled => TransferStatus::Cancelled,
        TransferState::Accepted
        | TransferState::Processing
        | TransferState::Transfering
        | TransferState::Canceling
        | TransferState::Other => TransferStatus::Processing,
    }
}

/// What a new state means to the customer, the ledger and staff.
async fn changed(ctx: &Ctx, tx: &DatabaseTransaction, row: &transfer::Model) -> Result<()> {
    let amount = row.amount_fen.yuan();
    let words = match row.status {
        TransferStatus::AwaitingConfirm => {
            format!("赔付 {amount} 待您在微信确认收款,24 小时内有效")
        }
        TransferStatus::Succeeded => format!("赔付 {amount} 已到账"),
        TransferStatus::Failed => format!("赔付 {amount} 未成功,客服会跟进"),
        TransferStatus::Cancelled => format!("赔付 {amount} 已撤销"),
        TransferStatus::Requested | TransferStatus::Approved | TransferStatus::Processing => {
            return Ok(());
        }
    };
    booking::note(ctx, tx, row.booking_id, &words).await?;
    match row.status {
        TransferStatus::Succeeded => {
            let posting = Posting::simple(
                format!("transfer:{}", row.id),
                row.booking_id,
                ledger::COMPENSATION,
                ledger::WECHAT_PAY,
                row.amount_fen,
            );
            ledger::post(ctx, tx, &posting).await
        }
        TransferStatus::Failed => {
            let detail = json!({ "transfer_id": row.id, "transfer_fen": row.amount_fen, "answer": row.fail_reason });
            incident::write(ctx, tx, None, "transfer_failed", detail).await
        }
        _ => Ok(()),
    }
}

/// Transfers to be made, and those not over.
pub(super) struct Transfers;

#[async_trait::async_trait]
impl Consumer for Transfers {
    fn name(&self) -> &'static str {
        "payment.transfers"
    }

    // Staff's yes and the own clock, nothing else: a test holds this list (REF-02).
    fn kinds(&self) -> &'static [&'static str] {
        &[TransferApproved::KIND, QUERY_DUE]
    }

    async fn before(&self, ctx: &Ctx, event: &Delivered) -> Result<Value> {
        Ok(json!(ask(ctx, id_of(event)?).await?))
    }

    async fn handle(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        event: &Delivered,
        said: Value,
    ) -> Result<()> {
        told(ctx, tx, id_of(event)?, serde_json::from_value(said)?).await
    }
}

fn id_of(event: &Delivered) -> Result<TransferId> {
    if event.kind == TransferApproved::KIND {
        return Ok(event.read::<TransferApproved>()?.transfer_id);
    }
    event.subject::<TransferId>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_staffs_yes_and_the_clock_moves_a_transfer() {
        assert_eq!(
            Transfers.kinds(),
            ["transfer.approved.v1", "payment.transfer_query_due.v1"]
        );
    }
}
