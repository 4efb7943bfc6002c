//! What identity tells the house.

use crate::outbox::Event;
use entity::ids::AccountId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A person logged in for the first time.
#[derive(Debug, Serialize, Deserialize)]
pub struct Registered {
    /// The new account.
    pub account_id: AccountId,
}

impl Event for Registered {
    const KIND: &'static str = "identity.registered.v1";

    fn subject(&self) -> Uuid {
        self.account_id.0
    }
}
