//! `linjian ruleset backtest`: a file on the past of the configured database.

use super::ruleset::parsed;
use crate::{
    kernel::{AppError, Code, Result, day_bounds},
    platform::Ctx,
    referral,
    rule::{CompiledRuleSet, compile},
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde_json::Value;
use std::{io::Write, process::ExitCode};

/// How far back when nothing is said.
const BACK: Duration = Duration::days(90);

/// A set by the name it was given, and its text.
type Named<'a> = (&'a str, &'a str);

/// Replays, telling how far it is on standard error.
pub(super) async fn run(
    ctx: &Ctx,
    (draft, base): (Named<'_>, Named<'_>),
    (from, to): (Option<String>, Option<String>),
    json: bool,
) -> Result<ExitCode> {
    let now = ctx.env.now();
    let span = (
        moment(from.as_deref(), now - BACK)?,
        moment(to.as_deref(), now)?,
    );
    let sides = (ready(draft)?, ready(base)?);
    let began = std::time::Instant::now();
    let mut shown = 0;
    let mut tell_progress = |done: i64, total: i64| {
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        if percent > shown {
            shown = percent;
            eprint!("\r已回放 {done}/{total}({percent}%)");
            std::io::stderr().flush().ok();
        }
    };
    let out = referral::backtest_sets(ctx, sides, span, &mut tell_progress).await?;
    eprintln!();
    if json {
        println!("{}", serde_json::to_string_pretty(&out)?);
    } else {
        tell(&out, began.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}

fn ready((name, text): Named<'_>) -> Result<CompiledRuleSet> {
    compile(&parsed(name, text)?).map_err(|faults| {
        let first = faults.first().map_or_else(String::new, |fault| {
            format!(":{} {}", fault.pointer, fault.message)
        });
        AppError::new(Code::Validation, format!("{name} 还不能运行{first}"))
    })
}

fn moment(written: Option<&str>, otherwise: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let Some(text) = written else {
        return Ok(otherwise);
    };
    let at = text.parse::<DateTime<Utc>>();
    let day = || text.parse::<NaiveDate>().map(|day| day_bounds(day).0);
    at.or_else(|_| day()).map_err(|_| {
        let what = format!("“{text}”不是时刻(如 2026-03-01 或 2026-03-01T08:00:00Z)");
        AppError::new(Code::Validation, what)
    })
}

fn tell(out: &Value, seconds: f64) {
    let number = |key: &str| out.get(key).and_then(Value::as_i64).unwrap_or_default();
    let yuan = |key: &str| yuan(number(key));
    let rate = i32::try_from(number("events")).map_or(0.0, f64::from) / seconds.max(0.001);
    println!(
        "回放 {} 个事件,用时 {seconds:.1} s({rate:.0} 个/秒);资料已忘记 {},读不懂 {}",
        number("events"),
        number("forgotten"),
        number("unreadable")
    );
    if number("outside_period") > 0 {
        println!(
            "注意:{} 个事件不在这个规则集的有效期内,一律不触发;要在历史上试,请先改 period",
            number("outside_period")
        );
    }
    println!(
        "触发 {} 次:多 {} 次,少 {} 次;得到更多的人 {},得到更少的人 {}",
        number("fired"),
        number("gained"),
        number("lost"),
        number("people_gaining"),
        number("people_losing")
    );
    println!(
        "邀约 {} 次(不计上限);费用最多 {}(对照 {})",
        number("would_invite"),
        yuan("cost_fen"),
        yuan("cost_before_fen")
    );
    programme(out);
    within_limits(out);
    let list = |key: &str| {
        out.get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    for note in list("notes") {
        println!("注意:{}", note.as_str().unwrap_or_default());
    }
    for rule in list("rules") {
        let text = |key: &str| rule.get(key).map(Value::to_string).unwrap_or_default();
        println!(
            "  {} {}:看了 {} 个事件(对照 {}),其中因没有记录而不知道 {}(对照 {});触发 {} 次(对照 {}),多 {},少 {},缺同意 {}",
            text("rule_id").trim_matches('"'),
            text("title").trim_matches('"'),
            text("events"),
            text("events_before"),
            text("unknown"),
            text("unknown_before"),
            text("fired"),
            text("fired_before"),
            text("gained"),
            text("lost"),
            text("lacked_consent")
        );
    }
}

/// What the limits leave, and which of them held the rest.
fn within_limits(out: &Value) {
    let number = |key: &str| {
        let found = out.get("within_limits").and_then(|part| part.get(key));
        found.and_then(Value::as_i64).unwrap_or_default()
    };
    println!(
        "计入上限后:邀约 {} 次(对照 {}),规则发放 {} 份,{}(对照 {} 份,{});被上限挡住 {} 次(对照 {})",
        number("invitations"),
        number("invitations_before"),
        number("grants"),
        yuan(number("grants_fen")),
        number("grants_before"),
        yuan(number("grants_before_fen")),
        number("held"),
        number("held_before")
    );
    let by = |side: &str, limit: &str| {
        let pointer = format!("/within_limits/{side}/{limit}");
        out.pointer(&pointer)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    for (limit, label) in HELD_BY {
        let (draft, base) = (by("held_by", limit), by("held_by_before", limit));
        if draft + base > 0 {
            println!("  被{label}挡住 {draft} 次(对照 {base})");
        }
    }
}

/// Limits as the answer names them, and in words.
const HELD_BY: [(&str, &str); 7] = [
    ("suppression", "规则的暂停邀约"),
    ("fatigue", "两次邀约的间隔"),
    ("per_quarter", "每季度上限"),
    ("per_customer", "规则的每人上限"),
    ("per_rule", "整条规则的上限"),
    ("budget", "规则的预算"),
    ("once", "“只给一次”"),
];

fn yuan(fen: i64) -> String {
    format!("¥{}.{:02}", fen / 100, fen % 100)
}

/// Welcomes and thanks, which no rule gives.
fn programme(out: &Value) {
    let number = |key: &str| {
        let found = out.get("programme").and_then(|part| part.get(key));
        found.and_then(Value::as_i64).unwrap_or_default()
    };
    println!(
        "其中首单礼 {} 份,{}(对照 {});对邀请人的感谢 {} 份,{}(对照 {})",
        number("welcomes"),
        yuan(number("welcome_fen")),
        yuan(number("welcome_before_fen")),
        number("thanks"),
        yuan(number("thanks_fen")),
        yuan(number("thanks_before_fen"))
    );
    let within = |key: &str| {
        let pointer = format!("/programme/within_limits/{key}");
        out.pointer(&pointer)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    println!(
        "  计入上限后:首单礼 {} 份(对照 {}),感谢 {} 份(对照 {}),共 {}(对照 {});被活动预算挡住 {}(对照 {}),被每位邀请人的上限挡住 {}(对照 {})",
        within("welcomes"),
        within("welcomes_before"),
        within("thanks"),
        within("thanks_before"),
        yuan(within("cost_fen")),
        yuan(within("cost_before_fen")),
        within("held_by_budget"),
        within("held_by_budget_before"),
        within("held_by_inviter"),
        within("held_by_inviter_before")
    );
    println!(
        "  未计入:好友已撤回关联同意 {} 份,已被撤销 {} 份",
        number("forgotten"),
        number("reversed")
    );
}
