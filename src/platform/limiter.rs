//! Rate limits per account, per address and per sensitive action (SEC-01).
//!
//! Owns: how often one key may do one thing within a minute, in this process. Each replica counts for itself, so with N
//! replicas a key gets up to N times the limit; an exact count over all of them is the gateway's business.
//! Time is the machine's monotonic clock, not business time: moving the sandbox clock neither lifts nor tightens a
//! limit. Nothing is locked out for longer than its own budget takes to refill.
//! Keys are kept as random-seeded hashes, so neither addresses nor account ids stay in memory, and every key that has
//! its whole budget back is dropped now and then. Emits, listens, consents: nothing.

use crate::kernel::{AppError, Code, Result};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

/// After how many checks of one kind the keys that are no longer needed are dropped.
const SWEEP_EVERY: u32 = 4096;

/// How many calls per minute and key; the whole minute's budget may be spent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Calls of one account.
    pub per_account_per_minute: NonZeroU32,
    /// Calls from one network address, whoever makes them.
    pub per_address_per_minute: NonZeroU32,
    /// Attempts to log in, by address.
    pub login_per_minute: NonZeroU32,
    /// Staff passwords tried, by username and address together.
    pub staff_login_per_minute: NonZeroU32,
    /// Invitation codes tried or made, by account or address.
    pub invitation_per_minute: NonZeroU32,
    /// Files sent by one account.
    pub upload_per_minute: NonZeroU32,
    /// Exports asked for by one account.
    pub export_per_minute: NonZeroU32,
    /// Events sent by one third party.
    pub event_per_minute: NonZeroU32,
}

/// What is being counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Any call of a known account; the key is its id.
    Account,
    /// Any call; the key is the network address.
    Address,
    /// An attempt to log in; the key is the network address.
    Login,
    /// A staff password; the key is username and address.
    StaffLogin,
    /// Trying or making an invitation code.
    Invitation,
    /// Sending a file.
    Upload,
    /// Asking for an export.
    Export,
    /// An event of a third party; the key is its id.
    Event,
}

type Keyed<C> =
    RateLimiter<u64, DefaultKeyedStateStore<u64>, C, NoOpMiddleware<<C as Clock>::Instant>>;

struct Budget<C: Clock> {
    keyed: Keyed<C>,
    checks: AtomicU32,
}

/// The counters of one process. Cheap to check, safe to share.
pub struct Limits<C: Clock = DefaultClock> {
    clock: C,
    hash: RandomState,
    account: Budget<C>,
    address: Budget<C>,
    login: Budget<C>,
    staff_login: Budget<C>,
    invitation: Budget<C>,
    upload: Budget<C>,
    export: Budget<C>,
    event: Budget<C>,
}

impl Limits {
    /// Counters that start with every budget full.
    pub fn new(settings: LimitSettings) -> Self {
        Self::with_clock(settings, DefaultClock::default())
    }
}

impl<C: Clock> Limits<C> {
    fn with_clock(settings: LimitSettings, clock: C) -> Self
    where
        C: Clone,
    {
        let budget = |per_minute| Budget {
            keyed: RateLimiter::new(
                Quota::per_minute(per_minute),
                DefaultKeyedStateStore::default(),
                clock.clone(),
            ),
            checks: AtomicU32::new(0),
        };
        Self {
            hash: RandomState::new(),
            account: budget(settings.per_account_per_minute),
            address: budget(settings.per_address_per_minute),
            login: budget(settings.login_per_minute),
            staff_login: budget(settings.staff_login_per_minute),
            invitation: budget(settings.invitation_per_minute),
            upload: budget(settings.upload_per_minute),
            export: budget(settings.export_per_minute),
            event: budget(settings.event_per_minute),
            clock,
        }
    }

    fn budget(&self, kind: Limit) -> &Budget<C> {
        match kind {
            Limit::Account => &self.account,
            Limit::Address => &self.address,
            Limit::Login => &self.login,
            Limit::StaffLogin => &self.staff_login,
            Limit::Invitation => &self.invitation,
            Limit::Upload => &self.upload,
            Limit::Export => &self.export,
            Limit::Event => &self.event,
        }
    }

    /// Counts one call. When the budget is spent: 429 with the whole seconds, rounded up, until the next one fits.
    pub fn check(&self, kind: Limit, key: &str) -> Result<()> {
        let budget = self.budget(kind);
        if budget.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            budget.keyed.retain_recent();
            budget.keyed.shrink_to_fit();
        }
        budget
            .keyed
            .check_key(&self.hash.hash_one(key))
            .map_err(|not_until| {
                let wait = not_until.wait_time_from(self.clock.now());
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                AppError::new(Code::RateLimited, "操作太频繁了,请稍后再试")
                    .retry_after(seconds.max(1))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use std::time::Duration;

    fn settings(per_minute: u32) -> LimitSettings {
        let n = NonZeroU32::new(per_minute).unwrap();
        LimitSettings {
            per_account_per_minute: n,
            per_address_per_minute: n,
            login_per_minute: n,
            staff_login_per_minute: n,
            invitation_per_minute: n,
            upload_per_minute: n,
            export_per_minute: n,
            event_per_minute: n,
        }
    }

    fn limits(per_minute: u32) -> (Limits<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (
            Limits::with_clock(settings(per_minute), clock.clone()),
            clock,
        )
    }

    #[test]
    fn the_budget_of_a_minute_may_be_spent_at_once_and_no_more() {
        let (limits, clock) = limits(3);
        for _ in 0..3 {
            limits.check(Limit::Login, "a").unwrap();
        }
        let error = limits.check(Limit::Login, "a").unwrap_err();
        assert_eq!(
            (error.code, error.retry_after),
            (Code::RateLimited, Some(20))
        );
        clock.advance(Duration::from_millis(19_500));
        // Half a second more to wait is told as a whole one.
        assert_eq!(
            limits.check(Limit::Login, "a").unwrap_err().retry_after,
            Some(1)
        );
        clock.advance(Duration::from_millis(500));
        limits.check(Limit::Login, "a").unwrap();
    }

    #[test]
    fn keys_and_kinds_do_not_share_a_budget() {
        let (limits, _) = limits(1);
        let kinds = [
            Limit::Account,
            Limit::Address,
            Limit::Login,
            Limit::Invitation,
            Limit::Upload,
            Limit::Export,
            Limit::Event,
        ];
        for kind in kinds {
            for key in ["a", "b"] {
                limits.check(kind, key).unwrap();
                assert!(limits.check(kind, key).is_err());
            }
        }
    }

    #[test]
    fn the_memory_of_many_keys_is_given_back() {
        let (limits, clock) = limits(2);
        for n in 0..SWEEP_EVERY - 1 {
            limits.check(Limit::Address, &n.to_string()).unwrap();
        }
        assert!(limits.address.keyed.len() > 4000);
        clock.advance(Duration::from_secs(61));
        limits.check(Limit::Address, "the one that sweeps").unwrap();
        assert_eq!(limits.address.keyed.len(), 1);
    }

    #[test]
    fn the_real_clock_limits_too() {
        let limits = Limits::new(settings(2));
        limits.check(Limit::Upload, "a").unwrap();
        limits.check(Limit::Upload, "a").unwrap();
        let wait = limits
            .check(Limit::Upload, "a")
            .unwrap_err()
            .retry_after
            .unwrap();
        assert!((1..=30).contains(&wait));
    }
}
