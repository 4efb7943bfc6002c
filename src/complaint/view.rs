//! A complaint as its customer and customer service see it.

use chrono::{DateTime, Utc};
use entity::{
    complaint,
    ids::{AccountId, BookingId, ComplaintId},
    values::{ComplaintKind, ComplaintStatus},
};
use serde::Serialize;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ComplaintOut {
    id: ComplaintId,
    booking_id: BookingId,
    customer_id: AccountId,
    kind: ComplaintKind,
    text: String,
    status: ComplaintStatus,
    first_response_due_at: DateTime<Utc>,
    resolution_due_at: DateTime<Utc>,
    responded_at: Option<DateTime<Utc>>,
    response: Option<String>,
    resolved_at: Option<DateTime<Utc>>,
    resolution: Option<String>,
    breached: bool,
    created_at: DateTime<Utc>,
}

pub(super) fn out(row: complaint::Model) -> ComplaintOut {
    ComplaintOut {
        id: row.id,
        booking_id: row.booking_id,
        customer_id: row.customer_id,
        kind: row.kind,
        text: row.text,
        status: row.status,
        first_response_due_at: row.first_response_due_at,
        resolution_due_at: row.resolution_due_at,
        responded_at: row.responded_at,
        response: row.response,
        resolved_at: row.resolved_at,
        resolution: row.resolution,
        breached: row.breached_at.is_some(),
        created_at: row.created_at,
    }
}
