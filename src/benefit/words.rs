//! The words of invitations: neutral, with sender and opt-out (REF-21, REF-24), never about a third person.

use crate::{config::Controller, rule};

/// How to say no, for `{opt_out}`.
const OPT_OUT: &str = "不想再收到:小程序“我的—隐私设置”一键关闭";

/// What an inviter reads: the set's own words for this template, else the shipped ones (ADR 0020).
pub(super) fn invitation(
    controller: &Controller,
    template: &str,
    own: Option<&str>,
    customer: Option<&str>,
) -> String {
    let text = own.unwrap_or_else(|| rule::shipped_words(template));
    rule::fill(text, |name| match name {
        "company" => Some(controller.name.clone()),
        "contact" => Some(controller.phone.clone()),
        "opt_out" => Some(OPT_OUT.to_owned()),
        "customer_name" => Some(customer.unwrap_or("您").to_owned()),
        // Who came is told by progress alone; an advertisement names nobody (REF-L27).
        "friend_masked" => Some("一位朋友".to_owned()),
        _ => None,
    })
}

/// Whether words address the customer by name, so that it has to be read.
pub(super) fn names_customer(own: Option<&str>) -> bool {
    own.is_some_and(|text| text.contains("{customer_name}"))
}

/// The words of a code somebody asked for himself.
pub(super) fn own_code(controller: &Controller) -> String {
    format!(
        "【{}】这是您的专属邀请码,可以分享给需要家政服务的朋友。",
        controller.name
    )
}

/// What an invitee is told his inviter will see (law.md section 2, `referral_link`).
pub(super) const WHAT_INVITER_SEES: &str = "邀请人只会看到遮盖后的称呼,以及“已注册”“完成 1 单”这样的进度;看不到您的电话、地址、订单内容和金额。";

/// The share card's title.
pub(super) fn share_title(controller: &Controller) -> String {
    format!("{}:我在用的家政服务", controller.name)
}

/// What a WeChat notice is about, 20 characters at most. A service notice: no benefit, no praise (WX-11).
pub(super) const NOTICE_TITLE: &str = "您的服务回访已送达";

/// Its second line: what to do, and that nothing has to be done.
pub(super) const NOTICE_NOTE: &str = "点击查看,可在隐私设置中关闭";
