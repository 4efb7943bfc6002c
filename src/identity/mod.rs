//! Who is calling: WeChat and staff logins, sessions, roles.
//!
//! Owns `account`, `wechat_identity`, `session`, `refresh_token`, `staff`. Promises: access tokens live at most 15
//! minutes and hold no personal data (SEC-08, SEC-12); a used refresh token that comes back ends its session; logout
//! and disabling act at once, because every request reads the session (SEC-09). Login paths: WeChat code, staff
//! password; there is no other (SEC-02). Staff logins and staff calls are audited (SEC-35). Emits `identity.registered.v1`. Needs no consent (contract, PIPL 13(1)(2)).

mod account;
mod actor;
mod events;
mod http;
mod password;
mod session;
mod staff;
mod staff_audit;
mod token;
mod wechat_login;

pub use account::{Person, become_worker, bind_phone, find_by_phone, person, rename};
pub use actor::{
    Actor, Anyone, Customer, Manager, Marketing, Operations, Pipo, PipoOrMarketing, PipoOrService,
    Role, Service, Staff, Worker,
};
pub use events::Registered;
pub use http::{Tokens, routes};
pub use staff::{NewStaff, add_staff, staff_named};
pub use staff_audit::{AuditSubject, audit_staff};
pub use token::TokenKey;
pub use wechat_login::{account_of_openid, openid_of};
