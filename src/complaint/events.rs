//! What complaints tell the house.

use crate::outbox::Event;
use entity::ids::{AccountId, BookingId, ComplaintId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! complaint_events {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Serialize, Deserialize)]
        pub struct $name {
            /// Which complaint.
            pub complaint_id: ComplaintId,
            /// About which visit.
            pub booking_id: BookingId,
            /// Whose; the event's subject.
            pub customer_id: AccountId,
        }

        impl Event for $name {
            const KIND: &'static str = $kind;

            fn subject(&self) -> Uuid {
                self.customer_id.0
            }
        }
    )+};
}

complaint_events! {
    /// A customer complains.
    ComplaintOpened = "complaint.opened.v1";
    /// A clock ran out (种子文档: 工单解决时效低于约定标准).
    ComplaintSlaBreached = "complaint.sla_breached.v1";
    /// Settled.
    ComplaintResolved = "complaint.resolved.v1";
}
