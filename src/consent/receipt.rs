//! What a person takes home: the record's fields in the order of CR-01 … CR-26, signed (ISO/IEC TS 27560).

use super::receipt_key::ReceiptKey;
use crate::{kernel::Result, platform::Ctx};
use chrono::{DateTime, Utc};
use entity::consent_record;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A signed receipt. `signature` is Ed25519 over the canonical JSON (sorted keys, no blanks) of `receipt`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ReceiptOut {
    /// This copy; also inside `receipt`, under the signature.
    receipt_id: Uuid,
    /// When this copy was made; also inside `receipt`.
    created_at: DateTime<Utc>,
    /// The fields.
    receipt: Receipt,
    /// `Ed25519`.
    algorithm: &'static str,
    /// The key that signed this copy. It is derived from the deployment's master key, so every node has the same one.
    key_id: String,
    /// Base64.
    public_key: String,
    /// Base64.
    signature: String,
}

macro_rules! receipt {
    ($($field:ident),+ $(,)?) => {
        /// CR-01 … CR-25 as recorded, then the chain (CR-26), then what makes this copy.
        #[derive(Debug, Serialize, utoipa::ToSchema)]
        #[expect(clippy::struct_field_names, reason = "receipt_id is the standard's word")]
        pub(super) struct Receipt {
            $(#[schema(value_type = Object)] $field: Value,)+
            prev_hash: String,
            hash: String,
            key_id: String,
            receipt_id: Uuid,
            created_at: DateTime<Utc>,
        }

        impl Receipt {
            fn of(row: &consent_record::Model, receipt_id: Uuid, created_at: DateTime<Utc>) -> Self {
                Self {
                    $($field: row.body.get(stringify!($field)).cloned().unwrap_or_default(),)+
                    prev_hash: row.prev_hash.clone(),
                    hash: row.hash.clone(),
                    key_id: row.key_id.clone(),
                    receipt_id,
                    created_at,
                }
            }
        }
    };
}

receipt!(
    schema_version,
    record_id,
    subject_id,
    acting_party,
    controller,
    notice_id,
    notice_version,
    notice_sha256,
    language,
    purpose,
    purpose_text,
    consent_type,
    legal_basis,
    article,
    data_categories,
    sensitive,
    necessity,
    effect_on_rights,
    processing_method,
    automated,
    retention_rule,
    storage_location,
    recipients,
    withdrawal_method,
    rights_link,
    jurisdiction,
    state,
    decided_at,
    expires_at,
    expression_method,
    evidence,
    pia_id,
    scope,
    supersedes,
);

/// Signs a copy of the record.
pub(super) fn of(ctx: &Ctx, row: &consent_record::Model) -> Result<ReceiptOut> {
    let key = ReceiptKey::of(&ctx.vault)?;
    let (receipt_id, created_at) = (ctx.env.ids.next(), ctx.env.now());
    let receipt = Receipt::of(row, receipt_id, created_at);
    let canonical = serde_json::to_value(&receipt)?.to_string();
    Ok(ReceiptOut {
        receipt_id,
        created_at,
        signature: key.sign(canonical.as_bytes()),
        receipt,
        algorithm: "Ed25519",
        key_id: key.id().to_owned(),
        public_key: key.public(),
    })
}
