//! The words of invitations: neutral, with sender and opt-out (REF-21, REF-24), never about a third person.

use crate::config::Controller;

/// What an inviter reads. Unknown template keys get the baseline's words.
pub(super) fn invitation(controller: &Controller, template: &str) -> String {
    let opening = match template {
        "thanks" => "感谢您一直以来的信任。",
        _ => "感谢您对这次服务的评价。",
    };
    format!(
        "【{}】{opening}如果身边的朋友也需要家政服务,欢迎把小程序码分享给他。是否推荐完全由您决定,不影响您的服务和价格。\
         (推荐邀请·广告)不想再收到:小程序“我的—隐私设置”一键关闭。",
        controller.name
    )
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
