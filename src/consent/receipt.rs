//! What a person takes home: the record's fields in the order of CR-01 … CR-26, signed (ISO/IEC TS 27560).

use super::receipt_key::ReceiptKey;
use chrono::{DateTime, Utc};
use entity::consent_record;
use serde::Serialize;
use serde_json::Value;

/// A signed receipt. `signature` is Ed25519 over the canonical JSON (sorted keys, no blanks) of `receipt`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ReceiptOut {
    /// When this copy was made.
    created_at: DateTime<Utc>,
    /// The fields.
    receipt: Receipt,
    /// `Ed25519`.
    algorithm: &'static str,
    /// Base64.
    public_key: String,
    /// Base64.
    signature: String,
}

macro_rules! receipt {
    ($($field:ident),+ $(,)?) => {
        /// CR-01 … CR-25 as recorded, then the chain (CR-26).
        #[derive(Debug, Serialize, utoipa::ToSchema)]
        pub(super) struct Receipt {
            $(#[schema(value_type = Object)] $field: Value,)+
            prev_hash: String,
            hash: String,
            key_id: String,
        }

        impl Receipt {
            fn of(row: &consent_record::Model) -> Self {
                Self {
                    $($field: row.body.get(stringify!($field)).cloned().unwrap_or_default(),)+
                    prev_hash: row.prev_hash.clone(),
                    hash: row.hash.clone(),
                    key_id: row.key_id.clone(),
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
pub(super) fn of(
    key: &ReceiptKey,
    row: &consent_record::Model,
    now: DateTime<Utc>,
) -> crate::kernel::Result<ReceiptOut> {
    let receipt = Receipt::of(row);
    let canonical = serde_json::to_value(&receipt)?.to_string();
    Ok(ReceiptOut {
        created_at: now,
        signature: key.sign(canonical.as_bytes()),
        receipt,
        algorithm: "Ed25519",
        public_key: key.public(),
    })
}
