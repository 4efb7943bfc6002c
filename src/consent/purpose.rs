//! Purposes as types, for [`super::require`].

/// A purpose of the register (law.md section 2).
pub trait Purpose: 'static {
    /// Its key in the API and in the ledger.
    const KEY: &'static str;
}

macro_rules! purposes {
    ($($(#[$doc:meta])* $name:ident = $key:literal;)+) => {$(
        $(#[$doc])*
        pub struct $name;
        impl Purpose for $name {
            const KEY: &'static str = $key;
        }
    )+};
}

purposes! {
    /// Scoring, timing and tagging in order to ask for recommendations (PIPL 24).
    ReferralProfiling = "referral_profiling";
    /// The relationship graph; needs two acts.
    GraphAnalysis = "graph_analysis";
    /// What third parties tell about a person, taken in for referral marketing (PIPL 13, 23).
    PartnerEvents = "partner_events";
    /// Linking a friend to his inviter.
    ReferralLink = "referral_link";
    /// Commercial messages in WeChat.
    MktWechat = "mkt_wechat";
    /// Commercial messages by SMS.
    MktSms = "mkt_sms";
    /// Photos in somebody's home, per order (民法典 1033).
    PhotoCapture = "photo_capture";
    /// Photos shown in public (PIPL 25).
    PhotoShowcase = "photo_showcase";
    /// One review of one's own shown to others, per review (PIPL 25).
    ReviewPublic = "review_public";
    /// A worker's live location, per shift (PIPL 29).
    WorkerLocation = "worker_location";
}
