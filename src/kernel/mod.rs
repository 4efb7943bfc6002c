//! Pure words every room uses: time, ids, errors, windows, pages, masks. No I/O.
//!
//! Owns nothing in the database. Time and ids come in through [`Env`] so that SLA clocks, quiet hours and refund
//! windows can be advanced by a test or by the sandbox clock instead of being waited for.

mod clock;
mod code;
mod error;
mod ids;
mod mask;
mod page;
mod window;

pub use clock::{Clock, ShiftClock, SystemClock};
pub use code::Code;
pub use error::{AppError, FieldError, OrLog, Result};
pub use ids::{Ids, V7};
pub use mask::{mask_name, mask_phone, normalise_phone};
pub use page::{Cursor, Page};
pub use window::{Span, business_date, business_minute, day_bounds, shanghai};

use std::sync::Arc;

/// The two sources of surprise, injected: what time it is and which id comes next.
#[derive(Clone)]
pub struct Env {
    /// Where every `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// Where every new id comes from.
    pub ids: Arc<dyn Ids>,
}

impl Env {
    /// The time of this deployment (UTC), including any sandbox offset.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// A new time-ordered id of any typed kind.
    pub fn id<T: From<uuid::Uuid>>(&self) -> T {
        T::from(self.ids.next())
    }
}
