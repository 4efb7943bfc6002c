//! What growth gives and asks: invitations, codes, referrals, rewards, suppressions, tags.
//!
//! Owns `invitation`, `invitation_share`, `referral`, `reward`, `reward_event`, `suppression`, `cap_lock`,
//! `customer_tag`, `staff_task`. Promises: an effect happens once (unique ids of event, rule, version, recipient and
//! slot); caps and budgets hold under concurrency (locked rows, taken in one order: consents, counters, then the rest), and
//! a promise is made only when it can be paid (REF-08); only the newcomer and his direct inviter ever receive anything
//! (REF-01), never cash (REF-02), and only after the friend's order is paid, completed and past its refund window
//! (REF-05); a full refund takes it back, once. Emits `referral.redeemed|qualified|reversed.v1`,
//! `invitation.sent.v1`. Listens to `booking.completed`, `payment.refunded`, `complaint.opened`, `consent.withdrawn` and its own timers.
//! Consents: `referral_profiling` to ask (at decision and again at sending, CR-36), `referral_link` of the invitee,
//! `review_public` of an inviter whose own words stand on his poster.

mod admin;
mod apply;
mod asking;
mod bounds;
mod budget;
mod caps;
mod events;
mod http;
mod invitation;
mod invite;
mod link;
mod poster;
mod programme;
mod progress;
mod public;
mod qualify;
mod react;
mod redeem;
mod reversal;
mod reward;
mod schedule;
mod sending;
mod suppression;
mod task;
mod till;
mod view;
mod words;

pub use admin::routes as admin_routes;
pub use apply::{Applied, Cause, apply_all, counters};
pub use budget::money_since;
pub use caps::{FATIGUE, QUARTER, UNUSED_AFTER, add_counters, hold_counters};
pub use events::{InvitationSent, Qualified, Redeemed, Reversed};
pub use http::{root_routes, routes};
pub use progress::{FriendWhy, friend_why};
pub use react::consumers;
pub use redeem::generation_of;
pub use suppression::open_suppression;
pub use task::ask_staff;
