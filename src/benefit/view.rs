//! What growth answers: shapes and how rows become them.

use super::{link, words};
use crate::{
    kernel::{Result, mask_name},
    platform::Ctx,
    rule::{NamedBenefit, benefit_words},
};
use chrono::{DateTime, Utc};
use entity::{
    ids::{AccountId, InvitationId, ReferralId, RewardId, StaffTaskId, SuppressionId},
    invitation, reward, staff_task, suppression,
    values::{InvitationSource, InvitationStatus, ReferralStatus, RewardCause, RewardStatus},
};
use serde::Serialize;
use serde_json::Value;

/// How an invitation is passed on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ShareOut {
    /// Title of the share card.
    title: String,
    /// Page of the mini-program, with the code as `scene`.
    path: String,
    /// Mini-program code, PNG.
    qr_url: String,
    /// A page that shows the poster and a link to print it.
    poster_url: String,
    /// The poster as a picture, A5 at 300 dpi.
    poster_png_url: String,
    /// The poster to print, A5.
    poster_pdf_url: String,
    /// Short enough to type; opens the mini-program from any browser.
    short_url: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct InvitationOut {
    id: InvitationId,
    status: InvitationStatus,
    source: InvitationSource,
    code: String,
    message: String,
    rule_id: Option<String>,
    scheduled_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    share: ShareOut,
}

pub(super) fn invitation(ctx: &Ctx, row: invitation::Model) -> InvitationOut {
    let base = format!("{}/api/v1/referrals/{}", ctx.public_url(), row.code);
    InvitationOut {
        id: row.id,
        status: row.status,
        source: row.source,
        share: ShareOut {
            title: words::share_title(&ctx.config.controller),
            path: format!("/pages/invite/index?scene={}", row.code),
            qr_url: format!("{base}/qr.png"),
            poster_url: format!("{base}/poster"),
            poster_png_url: format!("{base}/poster.png"),
            poster_pdf_url: format!("{base}/poster.pdf"),
            short_url: link::short_url(ctx, &row.code),
        },
        code: row.code,
        message: row.message,
        rule_id: row.rule_id,
        scheduled_at: row.scheduled_at,
        sent_at: row.sent_at,
        expires_at: row.expires_at,
    }
}

/// An invitation as marketing sees it: no code, which is a key of its owner's.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct AdminInvitationOut {
    id: InvitationId,
    customer_id: AccountId,
    status: InvitationStatus,
    source: InvitationSource,
    rule_id: Option<String>,
    ruleset_version: Option<i32>,
    scheduled_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    opened_at: Option<DateTime<Utc>>,
    redeemed_at: Option<DateTime<Utc>>,
}

pub(super) fn for_marketing(row: invitation::Model) -> AdminInvitationOut {
    AdminInvitationOut {
        id: row.id,
        customer_id: row.customer_id,
        status: row.status,
        source: row.source,
        rule_id: row.rule_id,
        ruleset_version: row.ruleset_version,
        scheduled_at: row.scheduled_at,
        sent_at: row.sent_at,
        opened_at: row.opened_at,
        redeemed_at: row.redeemed_at,
    }
}

/// A benefit in words and in numbers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct BenefitOut {
    name: String,
    text: String,
    #[schema(value_type = Object)]
    value: Value,
}

pub(super) fn benefit(named: &NamedBenefit) -> Result<BenefitOut> {
    Ok(BenefitOut {
        name: named.name.clone(),
        text: benefit_words(&named.benefit),
        value: serde_json::to_value(&named.benefit)?,
    })
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct RewardOut {
    id: RewardId,
    kind: String,
    cause: RewardCause,
    status: RewardStatus,
    benefit: String,
    #[schema(value_type = Object)]
    value: Value,
    reason: String,
    qualified_at: Option<DateTime<Utc>>,
    granted_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

pub(super) fn reward(row: reward::Model) -> RewardOut {
    RewardOut {
        id: row.id,
        kind: row.kind,
        cause: row.cause,
        status: row.status,
        benefit: row.benefit,
        value: row.value,
        reason: row.reason,
        qualified_at: row.qualified_at,
        granted_at: row.granted_at,
        expires_at: row.expires_at,
    }
}

/// Something for staff to do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct TaskOut {
    id: StaffTaskId,
    /// `rule`, `unlock`, `held_reward` or `undo`.
    kind: String,
    text: String,
    /// Whose it is; everybody's when null.
    role: Option<String>,
    /// The customer it is about; for `held_reward` the reward.
    subject_id: Option<uuid::Uuid>,
    done_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

pub(super) fn task(row: staff_task::Model) -> TaskOut {
    TaskOut {
        id: row.id,
        kind: row.kind,
        text: row.text,
        role: row.role,
        subject_id: row.subject_id,
        done_at: row.done_at,
        created_at: row.created_at,
    }
}

/// A time during which a customer is not asked.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct SuppressionOut {
    id: SuppressionId,
    customer_id: AccountId,
    reason: String,
    rule_id: Option<String>,
    /// Whether the customer may ask for a review.
    appeal: bool,
    until: DateTime<Utc>,
    lifted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

pub(super) fn suppression(row: suppression::Model) -> SuppressionOut {
    SuppressionOut {
        id: row.id,
        customer_id: row.customer_id,
        reason: row.reason,
        rule_id: row.rule_id,
        appeal: row.appeal,
        until: row.until,
        lifted_at: row.lifted_at,
        created_at: row.created_at,
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct LinkOut {
    pub(super) id: ReferralId,
    pub(super) generation: i32,
    pub(super) benefit: Option<BenefitOut>,
}

/// A friend as his inviter sees him: a masked name and how far he is, nothing else.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct FriendOut {
    pub(super) masked: String,
    pub(super) status: ReferralStatus,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct MyReferralOut {
    pub(super) generation: i32,
    pub(super) inviter_masked: Option<String>,
    pub(super) invited: Vec<FriendOut>,
    #[schema(value_type = Object)]
    pub(super) counts_by_status: Value,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct CodeOut {
    pub(super) valid: bool,
    pub(super) inviter_masked: Option<String>,
    pub(super) benefit: Option<BenefitOut>,
    pub(super) what_inviter_sees: String,
}

/// A person's name with all but its first character hidden.
pub(super) async fn masked(
    ctx: &Ctx,
    db: &impl sea_orm::ConnectionTrait,
    account: AccountId,
) -> Result<String> {
    let person = crate::identity::person(ctx, db, account).await?;
    Ok(mask_name(&person.name))
}
