//! What growth tells the house.

use crate::outbox::Event;
use entity::ids::{AccountId, BookingId, InvitationId, ReferralId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An invitation was shown to its inviter.
#[derive(Debug, Serialize, Deserialize)]
pub struct InvitationSent {
    /// Which.
    pub invitation_id: InvitationId,
    /// Whose.
    pub customer_id: AccountId,
}

impl Event for InvitationSent {
    const KIND: &'static str = "invitation.sent.v1";

    fn subject(&self) -> Uuid {
        self.customer_id.0
    }
}

macro_rules! referral_events {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Serialize, Deserialize)]
        pub struct $name {
            /// The link between the two.
            pub referral_id: ReferralId,
            /// Who invited; the event's subject.
            pub inviter_id: AccountId,
            /// Who came.
            pub invitee_id: AccountId,
            /// The friend's order, once there is one.
            pub booking_id: Option<BookingId>,
        }

        impl Event for $name {
            const KIND: &'static str = $kind;

            fn subject(&self) -> Uuid {
                self.inviter_id.0
            }
        }
    )+};
}

referral_events! {
    /// A friend has redeemed a code.
    Redeemed = "referral.redeemed.v1";
    /// The friend's order is paid, completed and past its refund window (REF-05).
    Qualified = "referral.qualified.v1";
    /// The qualifying order was refunded in full.
    Reversed = "referral.reversed.v1";
}
