//! What bookings tell the house.

use crate::outbox::Event;
use entity::{
    ids::{AccountId, BookingId, WorkerId},
    values::Fen,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! booking_events {
    ($($(#[$doc:meta])* $name:ident = $kind:literal { $($(#[$fdoc:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Serialize, Deserialize)]
        pub struct $name {
            /// Which booking.
            pub booking_id: BookingId,
            /// Whose; the event's subject.
            pub customer_id: AccountId,
            $($(#[$fdoc])* pub $field: $type),*
        }

        impl Event for $name {
            const KIND: &'static str = $kind;

            fn subject(&self) -> Uuid {
                self.customer_id.0
            }
        }
    )+};
}

booking_events! {
    /// Enough is prepaid.
    BookingConfirmed = "booking.confirmed.v1" {
        /// Who comes.
        worker_id: Option<WorkerId>,
    }
    /// The hold ran out unpaid.
    BookingExpired = "booking.expired.v1" {}
    /// Called off by its customer.
    BookingCancelled = "booking.cancelled.v1" {
        /// What goes back by the published policy.
        refund_fen: Fen,
    }
    /// Accepted by its customer, or by his silence.
    BookingCompleted = "booking.completed.v1" {
        /// Who came.
        worker_id: Option<WorkerId>,
        /// The whole price.
        total_fen: Fen,
        /// What was prepaid.
        prepaid_fen: Fen,
    }
}
