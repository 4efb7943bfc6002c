//! What may come into force: legal opinions, a second person's yes, promises of a running campaign, the public rule page.

use crate::{
    rules::{drafts, publishes, shipped},
    support::{Answer, Person, TestApp},
};
use chrono::{Duration, NaiveDate};
use entity::values::StaffRole;
use linjian::kernel::business_date;
use serde_json::{Value, json};

const WHY: &str = "已与法务核对,金额在批准的范围内";

/// Points for prepaying: blocked by REF-L04, which an opinion may lower.
fn blocked() -> Value {
    let mut document = shipped();
    document["rules"][2]["when"] =
        json!({"fact": "payment.succeeded@within(P30D).count", "op": "gte", "value": 1});
    document
}

fn opinion(app: &TestApp, lint: &str, days: i64) -> Value {
    json!({"lint_id": lint, "opinion": "经法务审查,本活动不构成以交费为条件的资格,可在人工审批后发布。",
        "document_ref": "法务〔2026〕12号", "valid_until": app.ctx().env.now() + Duration::days(days)})
}

async fn records(app: &TestApp, officer: &Person, lint: &str, days: i64) -> Value {
    let body = opinion(app, lint, days);
    officer.post("admin/legal-opinions", body).await.expect(201)
}

async fn publish(person: &Person, id: &str) -> Answer {
    person
        .post(&format!("admin/rulesets/{id}/publish"), json!({}))
        .await
}

async fn approve(person: &Person, id: &str, body: Value) -> Answer {
    person
        .post(&format!("admin/rulesets/{id}/approve"), body)
        .await
}

fn ids(answer: &Value) -> Vec<String> {
    let found = answer["findings"].as_array().unwrap().iter();
    found
        .filter(|one| one["severity"] != "warn")
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap();
            format!("{} {}", text("id"), text("severity"))
        })
        .collect()
}

async fn checked(person: &Person, id: &str) -> Vec<String> {
    let path = format!("admin/rulesets/{id}/check");
    ids(&person.post(&path, json!({})).await.expect(200))
}

/// A campaign of so many days from today on.
fn campaign(from: NaiveDate, days: u64) -> Value {
    let mut document = shipped();
    let to = from.checked_add_days(chrono::Days::new(days)).unwrap();
    document["period"] = json!({ "from": from, "to": to });
    document
}

fn today(app: &TestApp) -> NaiveDate {
    business_date(app.ctx().env.now())
}

on_both! {
    async fn an_opinion_lowers_a_block_to_an_approval_until_it_is_taken_back(app) {
        let (author, second) = (app.staff(&[StaffRole::Marketing]).await, app.staff(&[StaffRole::Marketing]).await);
        let officer = app.staff(&[StaffRole::Pipo]).await;
        let id = drafts(&author, &blocked()).await;
        publish(&author, &id).await.problem(422, "rule_rejected");
        let recorded = records(app, &officer, "REF-L04", 30).await;
        assert_eq!((&recorded["standing"], &recorded["officer_id"]), (&json!(true), &json!(officer.id)));
        assert_eq!(checked(&author, &id).await, ["REF-L04 approve"]);
        publish(&author, &id).await.problem(422, "rule_rejected");
        let refused = approve(&second, &id, json!({})).await.problem(422, "validation");
        assert_eq!(refused["errors"][0]["pointer"], "/reason", "{refused}");
        approve(&second, &id, json!({ "reason": "   好    的   " })).await.problem(422, "validation");
        approve(&author, &id, json!({ "reason": WHY })).await.problem(403, "forbidden");
        approve(&second, &id, json!({ "reason": WHY })).await.expect(200);
        let yes = author.get(&format!("admin/rulesets/{id}/approvals")).await.expect(200);
        assert_eq!(yes["items"][0]["reason"], WHY);
        assert_eq!(yes["items"][0]["findings"], json!(["REF-L04 /rules/2/when"]));
        // Taken back after the approval and before publishing: it blocks again.
        let path = format!("admin/legal-opinions/{}/revoke", recorded["id"].as_str().unwrap());
        officer.post(&path, json!({})).await.expect(200);
        officer.post(&path, json!({})).await.problem(409, "invalid_state");
        assert_eq!(ids(&publish(&author, &id).await.problem(422, "rule_rejected")), ["REF-L04 block"]);
        records(app, &officer, "REF-L04", 30).await;
        assert_eq!(publish(&author, &id).await.expect(200)["status"], "live");
    }

    async fn an_opinion_that_has_run_out_blocks_publishing_and_rolling_back(app) {
        let (author, second) = (app.staff(&[StaffRole::Marketing]).await, app.staff(&[StaffRole::Marketing]).await);
        let officer = app.staff(&[StaffRole::Pipo]).await;
        records(app, &officer, "REF-L04", 5).await;
        let (first, waiting) = (drafts(&author, &blocked()).await, drafts(&author, &blocked()).await);
        for id in [&first, &waiting] {
            approve(&second, id, json!({ "reason": WHY })).await.expect(200);
        }
        publish(&author, &first).await.expect(200);
        author.post("admin/rulesets/rollback", json!({})).await.expect(200);
        app.advance("P6D").await;
        assert_eq!(ids(&publish(&author, &waiting).await.problem(422, "rule_rejected")), ["REF-L04 block"]);
        let back = author.post("admin/rulesets/rollback", json!({ "version": 2 })).await;
        assert_eq!(ids(&back.problem(422, "rule_rejected")), ["REF-L04 block"]);
    }

    async fn floors_are_not_lowered_and_an_opinion_says_something(app) {
        let officer = app.staff(&[StaffRole::Pipo]).await;
        for lint in ["REF-L01", "REF-L06", "REF-L13", "REF-L99"] {
            let refused = officer.post("admin/legal-opinions", opinion(app, lint, 30)).await.problem(422, "validation");
            assert_eq!(refused["errors"][0]["pointer"], "/lint_id", "{refused}");
        }
        officer.post("admin/legal-opinions", opinion(app, "REF-L04", -1)).await.problem(422, "validation");
        let mut short = opinion(app, "REF-L04", 1);
        short["opinion"] = json!("可以");
        officer.post("admin/legal-opinions", short).await.problem(422, "validation");
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        marketing.post("admin/legal-opinions", opinion(app, "REF-L04", 1)).await.problem(403, "forbidden");
        marketing.get("admin/legal-opinions").await.problem(403, "forbidden");
    }

    async fn marketing_reads_the_policy_with_what_opinions_lower(app) {
        let (officer, marketing) = (app.staff(&[StaffRole::Pipo]).await, app.staff(&[StaffRole::Marketing]).await);
        let severity = |policy: &Value, id: &str| {
            let lints = policy["lints"].as_array().unwrap();
            lints.iter().find(|one| one["id"] == id).unwrap()["severity"].clone()
        };
        let policy = marketing.get("admin/policy").await.expect(200);
        assert_eq!(policy["lints"].as_array().unwrap().len(), 42);
        assert_eq!(severity(&policy, "REF-L36"), "block");
        records(app, &officer, "REF-L36", 1).await;
        let policy = marketing.get("admin/policy").await.expect(200);
        assert_eq!(severity(&policy, "REF-L36"), "approve");
        assert_eq!(policy["opinions"][0]["lint_id"], "REF-L36");
        app.advance("P2D").await;
        let policy = marketing.get("admin/policy").await.expect(200);
        assert_eq!((severity(&policy, "REF-L36"), policy["opinions"].as_array().unwrap().len()), (json!("block"), 0));
        let kept = officer.get("admin/legal-opinions").await.expect(200);
        assert_eq!(kept["items"][0]["standing"], false);
        let trail = officer.get("admin/audit").await.expect(200);
        assert!(trail.to_string().contains("legal_opinion.recorded"), "{trail}");
    }

    async fn a_yes_covers_what_was_shown_and_no_more(app) {
        let (author, second) = (app.staff(&[StaffRole::Marketing]).await, app.staff(&[StaffRole::Marketing]).await);
        let officer = app.staff(&[StaffRole::Pipo]).await;
        let mut document = blocked();
        document["benefits"]["thanks"]["fen"] = json!(4000);
        let id = drafts(&author, &document).await;
        // REF-L16 is accepted while REF-L04 still blocks.
        approve(&second, &id, json!({ "reason": WHY })).await.expect(200);
        records(app, &officer, "REF-L04", 30).await;
        publish(&author, &id).await.problem(422, "rule_rejected");
        approve(&author, &id, json!({ "reason": WHY })).await.problem(403, "forbidden");
        approve(&second, &id, json!({ "reason": WHY })).await.expect(200);
        approve(&second, &id, json!({ "reason": WHY })).await.problem(409, "invalid_state");
        publish(&author, &id).await.expect(200);
    }

    async fn a_running_campaign_is_not_lowered_and_ends_before_another_begins(app) {
        let begins = today(app);
        let marketing = publishes(app, &campaign(begins, 10)).await;
        let mut lowered = campaign(begins, 10);
        lowered["benefits"]["thanks"]["fen"] = json!(1000);
        let id = drafts(&marketing, &lowered).await;
        assert_eq!(checked(&marketing, &id).await, ["REF-L33 block"]);
        let refused = publish(&marketing, &id).await.problem(422, "rule_rejected");
        let hit = refused["findings"].as_array().unwrap().iter().find(|one| one["id"] == "REF-L33").unwrap();
        assert_eq!(hit["pointer"], "/benefits/thanks/fen");
        // Better is fine at once.
        let mut better = campaign(begins, 12);
        better["benefits"]["thanks"]["fen"] = json!(2500);
        publishes(app, &better).await;
        // A campaign that begins when the running one is over may be prepared, but not put in its place today.
        let next = begins.checked_add_days(chrono::Days::new(13)).unwrap();
        let mut new = campaign(next, 30);
        new["name"] = json!("夏季转介绍");
        new["benefits"]["thanks"]["fen"] = json!(1000);
        let id = drafts(&marketing, &new).await;
        assert_eq!(checked(&marketing, &id).await, [""; 0]);
        let early = publish(&marketing, &id).await.problem(422, "rule_rejected");
        assert!(early["findings"].to_string().contains("/period/from"), "{early}");
        app.advance("P13D").await;
        publish(&marketing, &id).await.expect(200);
        // The brake works whatever was promised meanwhile.
        marketing.post("admin/rulesets/rollback", json!({})).await.expect(200);
    }

    async fn the_shipped_set_binds_once_somebody_holds_a_code(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut lowered = shipped();
        lowered["benefits"]["thanks"]["fen"] = json!(1000);
        let id = drafts(&marketing, &lowered).await;
        assert_eq!(checked(&marketing, &id).await, [""; 0]);
        let mei = app.customer("mei").await;
        mei.post("me/invitations", json!({})).await.expect(201);
        assert_eq!(checked(&marketing, &id).await, ["REF-L33 block"]);
    }

    async fn the_rule_page_tells_everybody_what_is_promised(app) {
        let stranger = app.stranger();
        let page = stranger.get("rules").await;
        let tag = page.headers["etag"].to_str().unwrap().to_owned();
        let page = page.expect(200);
        assert_eq!((&page["version"], &page["live"], &page["name"]), (&json!(1), &json!(true), &json!("老客户转介绍")));
        let text = page.to_string();
        for words in ["首单立减 ¥30,90 天内有效", "¥20 自用券", "评分达到 4.80 分", "未结投诉须为 0 件", "不能是“工单超时”", "¥120000", "2030-12-31"] {
            assert!(text.contains(words), "{words}: {page:#}");
        }
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut better = shipped();
        better["benefits"]["thanks"]["fen"] = json!(2500);
        better["rules"][0]["title"] = json!("<b>邀约</b>{name}");
        let id = drafts(&marketing, &better).await;
        stranger.get("rules/2").await.problem(404, "not_found");
        stranger.get("/rules/2").await.problem(404, "not_found");
        publish(&marketing, &id).await.expect(200);
        let now = stranger.get("rules").await;
        assert_ne!(now.headers["etag"].to_str().unwrap(), tag);
        let now = now.expect(200);
        assert_eq!((&now["version"], &now["history"][0]["version"]), (&json!(2), &json!(2)));
        assert!(now["history"][0]["favours"].to_string().contains("¥25"), "{now:#}");
        let old = stranger.get("rules/1").await.expect(200);
        assert_eq!((&old["live"], &old["version"]), (&json!(false), &json!(1)));
        let html = stranger.get("/rules").await;
        assert!(html.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        let html = String::from_utf8(html.bytes).unwrap();
        assert!(html.contains("&lt;b&gt;邀约&lt;/b&gt;{name}") && !html.contains("<b>邀约"), "{html}");
        assert!(html.contains("主办方:本家政公司") && html.contains("第 2 版"));
        stranger.get("rules/99").await.problem(404, "not_found");
        stranger.get("rules/x").await.problem(404, "not_found");
    }

    async fn a_page_that_is_known_is_not_sent_again(app) {
        let url = format!("{}/api/v1/rules", app.node.url());
        let first = reqwest::get(&url).await.unwrap();
        let tag = first.headers()["etag"].clone();
        let again = reqwest::Client::new().get(&url).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);
    }

    async fn a_set_asks_in_its_own_words(app) {
        let mut document = shipped();
        document["templates"]["baseline"]["text"] =
            json!("【{company}】{customer_name},朋友要做保洁就把码给他。(广告)电话 {contact},{opt_out}。");
        publishes(app, &document).await;
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        let mine = mei.get("me/invitations").await.expect(200);
        let message = mine["items"][0]["message"].as_str().unwrap();
        assert!(message.contains(",朋友要做保洁就把码给他。(广告)电话 021-55550100,不想再收到"), "{message}");
        assert!(!message.contains('{'), "{message}");
    }
}
