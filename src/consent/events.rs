//! What consent tells the house.

use crate::outbox::Event;
use entity::ids::{AccountId, ConsentRecordId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! consent_events {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Serialize, Deserialize)]
        pub struct $name {
            /// Who decided.
            pub account_id: AccountId,
            /// On which purpose.
            pub purpose: String,
            /// The record.
            pub record_id: ConsentRecordId,
        }

        impl Event for $name {
            const KIND: &'static str = $kind;

            fn subject(&self) -> Uuid {
                self.account_id.0
            }
        }
    )+};
}

consent_events! {
    /// A purpose is open now (for two-act purposes: both acts are done).
    ConsentGranted = "consent.granted.v1";
    /// A purpose was open and is closed: withdrawn, refused afterwards (CR-33), or its notice changed materially.
    ConsentWithdrawn = "consent.withdrawn.v1";
}
