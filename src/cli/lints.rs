//! `linjian ruleset lints`: every lint of the shipped policy pack as a table (docs/lint.md).

use crate::rule::{PolicyPack, Severity};
use std::fmt::Write;

/// The table of lints, Markdown.
pub fn table() -> String {
    let pack = PolicyPack::shipped();
    let mut text = format!(
        "# 规则集的合规检查\n\n政策包 {}。由 `linjian ruleset lints` 生成。`阻止`:不能发布;`审批`:第二个人写明理由同意后才能发布;\
         `提示`:可以发布。🔒 是类型层面的底线,法务意见也不能放宽;其余的“阻止”只凭个人信息保护负责人记录的法务意见改为“审批”。\n\
         每一条的反例和正例在 `config/rulesets/examples/<编号>.json`。\n\n| 编号 | 查什么 | 程度 | 依据 |\n|---|---|---|---|\n",
        pack.version
    );
    for row in pack.lints() {
        let severity = match row.severity {
            Severity::Block => "阻止",
            Severity::Approve => "审批",
            Severity::Warn => "提示",
        };
        let lock = if row.locked { " 🔒" } else { "" };
        // Writing to a String cannot fail.
        let _never_fails = writeln!(
            text,
            "| {} | {} | {severity}{lock} | {} |",
            row.id, row.title, row.clause
        );
    }
    text
}
