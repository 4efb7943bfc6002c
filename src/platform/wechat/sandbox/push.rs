//! Message pushes of the sandbox's mini-program to our own callback (spec 1.8).

use super::{Sandbox, post::Parcel};
use chrono::Duration;
use serde_json::Value;

impl Sandbox {
    /// Pushes an event to the backend, `after` from now by the injected clock. Sealed as in WeChat's secure mode.
    pub(super) fn push(&self, event: Value, after: Duration) {
        self.post(Parcel::Push(event), after);
    }

    /// One try; whether the backend took it.
    pub(super) async fn deliver_push(&self, _event: &Value) -> bool {
        std::future::ready(true).await
    }
}
