//! Words of invitations that a set brings along: sender, contact, opt-out and mark (REF-21), nobody else's data (REF-L27).

use super::{PolicyPack, words};
use crate::rule::declared::{Channel, Template};
use crate::rule::document::RuleSet;
use crate::rule::finding::{Finding, at, short};
use crate::rule::words::placeholders;

/// Whose data a placeholder is about, and which data. Joined by `_` in either order.
const PEOPLE: [&str; 16] = [
    "friend",
    "invitee",
    "inviter",
    "worker",
    "crew",
    "cleaner",
    "aunt",
    "ayi",
    "neighbour",
    "neighbor",
    "family",
    "child",
    "elder",
    "contact_person",
    "referrer",
    "third",
];
/// What nobody puts into an advertisement, not even the customer's own.
const DATA: [&str; 8] = [
    "phone", "mobile", "tel", "address", "idcard", "openid", "wechat", "birthday",
];

/// REF-L26, L27, L37 and the word lists over every template.
pub(super) fn check(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    for template in set.declared.templates.values() {
        let place = at(&template.pointer, "text");
        words::text(findings, &place, &template.text, pack);
        people(findings, template, pack);
        match template.channel {
            Channel::Subscribe => subscribe(findings, template, pack),
            Channel::InApp | Channel::Sms => marked(findings, template, pack),
        }
    }
}

/// An invitation to recommend is advertising: who sends it, how to reach him, how to refuse, and that it is one.
fn marked(findings: &mut Vec<Finding>, template: &Template, pack: &PolicyPack) {
    let text = &template.text;
    let names = placeholders(text);
    let opts_out = names.contains(&"opt_out")
        || pack
            .opt_out_words
            .iter()
            .any(|word| text.contains(word.as_str()));
    let parts = [
        (names.contains(&"company"), "署名(“{company}”)"),
        (names.contains(&"contact"), "联系方式(“{contact}”)"),
        (opts_out, "退订办法(“{opt_out}”)"),
        (text.contains("广告"), "“广告”二字"),
    ];
    let missing: Vec<&str> = parts
        .into_iter()
        .filter(|(there, _)| !there)
        .map(|(_, what)| what)
        .collect();
    if !missing.is_empty() {
        findings.push(pack.finding(
            "REF-L26",
            &at(&template.pointer, "text"),
            format!("邀约文案缺少{}", missing.join("、")),
            "补上这几样,占位符由系统填写",
        ));
    }
}

/// Names, telephones and addresses of other people; a masked name of a friend who agreed is the one thing allowed.
fn people(findings: &mut Vec<Finding>, template: &Template, pack: &PolicyPack) {
    for name in placeholders(&template.text) {
        let lower = name.to_lowercase();
        let padded = format!("_{}_", lower.replace(['-', '.', ' '], "_"));
        let about = |word: &str| padded.contains(&format!("_{word}_"));
        let exposes = DATA.into_iter().any(about)
            || (PEOPLE.into_iter().any(about) && !lower.ends_with("_masked"));
        if exposes {
            findings.push(pack.finding(
                "REF-L27",
                &at(&template.pointer, "text"),
                format!("“{}”会把他人的姓名、电话或地址告诉收信人", short(name)),
                "删掉它;需要提到好友时用“{friend_masked}”(只显示遮盖后的称呼)",
            ));
        }
    }
}

/// A subscription message that invites, offers or says it is an advertisement is not a service notice.
fn subscribe(findings: &mut Vec<Finding>, template: &Template, pack: &PolicyPack) {
    let selling = pack
        .marketing_words
        .iter()
        .filter(|word| !word.is_ascii())
        .map(String::as_str)
        .chain(["广告", "推荐", "邀请"])
        .find(|word| template.text.contains(word));
    if let Some(word) = selling {
        findings.push(pack.finding(
            "REF-L37",
            &at(&template.pointer, "channel"),
            format!("这份文案含“{word}”,不能用订阅消息发:订阅消息只能是服务通知"),
            "把“channel”改成“in_app”,用小程序内的卡片送出",
        ));
    }
}
