//! Step 7: the console's calls. A draft that breaks the law is stopped, mended, tried on history, published, rolled back.

use super::{client::Client, narrator::said, story::Cast};
use crate::kernel::{AppError, Result};
use serde_json::{Value, json};

/// What marketing does in an afternoon.
pub(crate) async fn console(cast: &Cast<'_>) -> Result<()> {
    let say = cast.say;
    say.step(7, "市场人员打开控制台", "Marketing opens the console");
    let staff = cast.stage.staff;
    let funnel = staff.get("admin/reports/referral-funnel?by=rule").await?;
    for row in funnel["items"].as_array().into_iter().flatten() {
        let steps = [
            "asked",
            "sent",
            "opened",
            "redeemed",
            "first_paid",
            "rewarded",
        ];
        let steps = steps.map(|step| row[step].to_string()).join(" → ");
        let line = format!("· {}: {steps}", said(&row["key"]));
        say.tell(&line, &line);
    }
    let reported = funnel["items"]
        .as_array()
        .is_some_and(|rows| !rows.is_empty());
    say.holds(
        reported,
        "漏斗:邀约 → 送达 → 打开 → 绑定 → 首单 → 感谢",
        "The funnel: asked → sent → opened → redeemed → first paid → rewarded",
    );
    why_not(cast, staff).await?;
    let graph = staff.get("admin/referral-graph?limit=500").await?;
    let nodes = graph["nodes"].as_array().map_or(0, Vec::len);
    say.tell(
        &format!("关系图谱:{nodes} 位同意者,姓名已遮盖"),
        &format!("The graph: {nodes} people who agreed, names masked"),
    );
    draft(cast, staff).await
}

async fn why_not(cast: &Cast<'_>, staff: &Client) -> Result<()> {
    let decisions = staff
        .get("admin/decisions?event=rating.submitted&limit=100")
        .await?;
    let items = decisions["items"].as_array().cloned().unwrap_or_default();
    let missed = items.iter().find(|one| one["outcome"] == "not");
    let unmet = missed.and_then(|one| {
        one["conditions"]
            .as_array()?
            .iter()
            .find(|condition| condition["outcome"] != "true" && condition["outcome"] != true)
    });
    if let Some(unmet) = unmet {
        cast.say.condition(unmet);
    }
    cast.say.holds(
        missed.is_some(),
        "为什么没有邀请其他人:逐条说明",
        "Why not the others: told condition by condition",
    );
    Ok(())
}

async fn draft(cast: &Cast<'_>, staff: &Client) -> Result<()> {
    let say = cast.say;
    let sets = staff.get("admin/rulesets?limit=100").await?;
    let live = sets["items"]
        .as_array()
        .and_then(|items| items.iter().find(|set| set["status"] == "live").cloned());
    let live = live.ok_or_else(|| AppError::internal("no rule set is live"))?;
    let full = staff
        .get(&format!(
            "admin/rulesets/{}",
            live["id"].as_str().unwrap_or_default()
        ))
        .await?;
    let good = full["document"].clone();
    let mut bad = good.clone();
    if let Some(rules) = bad["rules"].as_array_mut() {
        rules.push(json!({
            "id": "share-to-unlock", "title": "转发率达 70% 解锁折扣", "on": ["rating.submitted"],
            "when": { "fact": "referral.share_count", "op": "gte", "value": 7 },
            "then": [ { "effect": "grant", "to": "inviter", "benefit": "thanks" } ],
        }));
    }
    let made = staff
        .post(
            "admin/rulesets",
            json!({ "name": "夏季转介绍(演示草稿)", "document": bad }),
        )
        .await?;
    let id = made["id"].as_str().unwrap_or_default().to_owned();
    let findings = staff
        .post(&format!("admin/rulesets/{id}/check"), json!({}))
        .await?;
    for one in findings["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["severity"] == "block")
    {
        let clause = one["clause"].as_str();
        let clause = clause.map_or_else(String::new, |clause| format!("({clause})"));
        let told = format!(
            "· {} {}{clause} → {}",
            said(&one["id"]),
            said(&one["message"]),
            said(&one["fix"])
        );
        say.tell(&told, &told);
    }
    let refused = staff
        .try_post(&format!("admin/rulesets/{id}/publish"), json!({}))
        .await?;
    say.holds(
        refused.code() == "rule_rejected",
        "违规草稿被拦下,并引用条款",
        "The unlawful draft is stopped, with the clause",
    );
    staff
        .put(
            &format!("admin/rulesets/{id}"),
            json!({ "name": "夏季转介绍(演示草稿)", "document": good }),
        )
        .await?;
    publish(cast, staff, &id, &live).await
}

async fn publish(cast: &Cast<'_>, staff: &Client, id: &str, live: &Value) -> Result<()> {
    let say = cast.say;
    let window =
        json!({ "from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "against": "live" });
    let tried = staff
        .post(&format!("admin/rulesets/{id}/backtest"), window)
        .await?;
    say.holds(
        tried["lost"] == 0 && tried["gained"] == 0,
        &format!(
            "在全部历史上回测:触发 {} 次,与现行版本无差异",
            tried["fired"]
        ),
        &format!(
            "Back-tested on the whole history: fired {} times, no difference to live",
            tried["fired"]
        ),
    );
    let now_live = staff
        .post(&format!("admin/rulesets/{id}/publish"), json!({}))
        .await?;
    say.holds(
        now_live["status"] == "live",
        "修改后发布成功",
        "Mended and published",
    );
    let back = staff.post("admin/rulesets/rollback", json!({})).await?;
    say.holds(
        back["version"] == live["version"],
        "一次调用回滚到上一版本",
        "Rolled back in one call",
    );
    Ok(())
}
