//! Rule sets: draft, check, approve, publish, roll back, back-test.

use crate::support::{Person, TestApp};
use entity::values::StaffRole;
use serde_json::{Value, json};

/// The shipped rules, to be changed by a test.
pub(crate) fn shipped() -> Value {
    serde_json::from_str(linjian::rule::DEFAULT_RULESET).unwrap()
}

/// The shipped set with these rules instead of its own.
pub(crate) fn with_rules(rules: &Value) -> Value {
    let mut document = shipped();
    document["rules"] = rules.clone();
    document
}

pub(crate) async fn drafts(marketing: &Person, document: &Value) -> String {
    let body = json!({ "name": "春季转介绍", "document": document });
    let draft = marketing.post("admin/rulesets", body).await.expect(201);
    assert_eq!(draft["status"], "draft");
    draft["id"].as_str().unwrap().to_owned()
}

/// Puts a set in force and answers whoever did it.
pub(crate) async fn publishes(app: &TestApp, document: &Value) -> Person {
    let marketing = app.staff(&[StaffRole::Marketing]).await;
    let id = drafts(&marketing, document).await;
    let path = format!("admin/rulesets/{id}/publish");
    marketing.post(&path, json!({})).await.expect(200);
    marketing
}

async fn list(marketing: &Person) -> Vec<Value> {
    let page = marketing.get("admin/rulesets").await.expect(200);
    page["items"].as_array().unwrap().clone()
}

async fn live(marketing: &Person) -> Vec<i64> {
    let sets = list(marketing).await;
    let live = sets.iter().filter(|set| set["status"] == "live");
    live.map(|set| set["version"].as_i64().unwrap()).collect()
}

pub(crate) async fn decisions(marketing: &Person, customer: &Person) -> Vec<Value> {
    let path = format!("admin/decisions?customer_id={}", customer.id);
    let page = marketing.get(&path).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

fn telling(on: &str, when: &Value) -> Value {
    json!({"id": "tell", "title": "提醒", "on": [on], "when": when,
        "then": [{"effect": "notify_staff", "text": "请看一下", "role": "service"}]})
}

/// Thanks worth more than the welcome: a second person must say yes (REF-L16).
fn generous() -> Value {
    let mut document = shipped();
    document["benefits"]["thanks"]["fen"] = json!(4000);
    document
}

on_both! {
    async fn a_draft_is_checked_and_published_and_rolling_back_goes_further_back_each_time(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let id = drafts(&marketing, &shipped()).await;
        let check = marketing.post(&format!("admin/rulesets/{id}/check"), json!({})).await.expect(200);
        assert!(check["findings"].as_array().unwrap().iter().all(|one| one["severity"] == "warn"), "{check}");
        let first = marketing.post(&format!("admin/rulesets/{id}/publish"), json!({})).await.expect(200);
        assert_eq!((&first["status"], &first["version"]), (&json!("live"), &json!(2)));
        marketing.post(&format!("admin/rulesets/{id}/publish"), json!({})).await.problem(409, "invalid_state");
        publishes(app, &shipped()).await;
        assert_eq!(live(&marketing).await, [3]);
        assert!(list(&marketing).await.iter().all(|set| set.get("document").is_none()));
        for version in [2, 1] {
            let back = marketing.post("admin/rulesets/rollback", json!({})).await.expect(200);
            assert_eq!(back["version"], version);
            assert_eq!(live(&marketing).await, [version]);
        }
        marketing.post("admin/rulesets/rollback", json!({})).await.problem(404, "not_found");
        let named = marketing.post("admin/rulesets/rollback", json!({ "version": 3 })).await.expect(200);
        assert_eq!(named["version"], 3);
    }

    async fn only_the_last_change_is_taken_back_without_looking_at_what_it_promised(app) {
        // Versions 2 to 4 promise 20, 25 and 30 yuan of thanks; the shipped one, version 1, is nobody's promise.
        let mut author = None;
        for fen in [2_000, 2_500, 3_000] {
            let mut document = shipped();
            document["benefits"]["thanks"]["fen"] = json!(fen);
            author = Some(publishes(app, &document).await);
        }
        let author = author.unwrap();
        let far = author.post("admin/rulesets/rollback", json!({ "version": 2 })).await.problem(422, "rule_rejected");
        assert!(far.to_string().contains("REF-L33"), "{far}");
        assert_eq!(live(&author).await, [4]);
        author.post("admin/rulesets/rollback", json!({ "version": 3 })).await.expect(200);
        author.post("admin/rulesets/rollback", json!({})).await.expect(200);
        assert_eq!(live(&author).await, [2], "step by step");
    }

    async fn a_version_that_was_taken_back_is_not_where_the_next_rollback_goes(app) {
        let marketing = publishes(app, &shipped()).await;
        let back = marketing.post("admin/rulesets/rollback", json!({})).await.expect(200);
        assert_eq!(back["version"], 1);
        publishes(app, &shipped()).await;
        assert_eq!(live(&marketing).await, [3]);
        let back = marketing.post("admin/rulesets/rollback", json!({})).await.expect(200);
        assert_eq!(back["version"], 1, "version 2 had been taken back");
    }

    async fn what_blocks_is_not_published_and_says_why(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let document = with_rules(&json!([{"id": "paid", "title": "付款有礼", "on": ["payment.succeeded"],
            "then": [{"effect": "grant", "to": "inviter", "benefit": "thanks"}],
            "caps": {"per_customer": [{"times": 1, "per": "P30D"}], "budget_fen": 1000}}]));
        let id = drafts(&marketing, &document).await;
        let refused = marketing.post(&format!("admin/rulesets/{id}/publish"), json!({})).await;
        let refused = refused.problem(422, "rule_rejected");
        let found = refused["findings"].as_array().unwrap();
        let hit = found.iter().find(|one| one["id"] == "REF-L04").unwrap_or_else(|| panic!("{refused}"));
        assert_eq!((&hit["severity"], &hit["pointer"]), (&json!("block"), &json!("/rules/0/on/0")));
        assert!(hit["clause"].is_string() && hit["fix"].is_string());
        assert_eq!(live(&marketing).await, [1]);
    }

    async fn a_friends_order_is_no_condition_about_his_inviter(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let when = json!({"fact": "booking.total_fen", "op": "gte", "value": 1});
        let id = drafts(&marketing, &with_rules(&json!([telling("referral.qualified", &when)]))).await;
        let refused = marketing.post(&format!("admin/rulesets/{id}/publish"), json!({})).await.problem(422, "rule_rejected");
        assert!(refused["findings"].to_string().contains("RULE-FACT"), "{refused}");
    }

    async fn a_second_person_approves_and_whoever_wrote_last_is_not_one(app) {
        let (author, other, third) = (
            app.staff(&[StaffRole::Marketing]).await,
            app.staff(&[StaffRole::Marketing]).await,
            app.staff(&[StaffRole::Marketing]).await,
        );
        let id = drafts(&author, &generous()).await;
        let (approve, publish) = (format!("admin/rulesets/{id}/approve"), format!("admin/rulesets/{id}/publish"));
        author.post(&publish, json!({})).await.problem(422, "rule_rejected");
        author.post(&approve, json!({})).await.problem(403, "forbidden");
        let mut worse = generous();
        worse["benefits"]["thanks"]["fen"] = json!(9000);
        let body = json!({ "name": "改过的", "document": worse });
        let rewritten = other.put(&format!("admin/rulesets/{id}"), body).await.expect(200);
        assert_eq!(rewritten["updated_by"], json!(other.id));
        other.post(&approve, json!({})).await.problem(403, "forbidden");
        author.post(&approve, json!({})).await.problem(403, "forbidden");
        assert_eq!(third.post(&approve, json!({ "reason": "金额已与财务核对,可以发布" })).await.expect(200)["approved_by"], json!(third.id));
        assert_eq!(author.post(&publish, json!({})).await.expect(200)["status"], "live");
        // Back and forth: an approval that was given stays good.
        author.post("admin/rulesets/rollback", json!({})).await.expect(200);
        author.post("admin/rulesets/rollback", json!({ "version": 2 })).await.expect(200);
    }

    async fn publishes_that_race_leave_one_live_set(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(drafts(&marketing, &shipped()).await);
        }
        let tasks: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let marketing = marketing.clone();
                tokio::spawn(async move { marketing.post(&format!("admin/rulesets/{id}/publish"), json!({})).await.status })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 200);
        }
        assert_eq!(live(&marketing).await.len(), 1, "{:#?}", list(&marketing).await);
    }

    async fn drafts_that_race_get_versions_of_their_own(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let marketing = marketing.clone();
                tokio::spawn(async move { drafts(&marketing, &shipped()).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut versions: Vec<i64> = list(&marketing).await.iter().map(|set| set["version"].as_i64().unwrap()).collect();
        versions.sort_unstable();
        assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7]);
    }

    async fn a_nul_character_is_a_fault_of_its_field(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut document = shipped();
        document["parameters"]["note"] = json!("a\u{0}b");
        let body = json!({ "name": "试", "document": document });
        let refused = marketing.post("admin/rulesets", body).await.problem(422, "validation");
        assert_eq!(refused["errors"][0]["pointer"], "/document/parameters/note", "{refused}");
        let body = json!({ "name": "a\u{0}b", "document": shipped() });
        marketing.post("admin/rulesets", body).await.problem(422, "validation");
    }

    async fn the_catalogue_offers_what_is_supplied_and_the_grammar_takes_a_city(app) {
        let mut document = shipped();
        document["rules"][0]["audience"] = json!({ "city": ["上海", "北京"] });
        document["rules"][0]["schedule"] = json!({ "hours": "09:00-20:30" });
        let marketing = publishes(app, &document).await;
        let facts = marketing.get("admin/facts").await.expect(200);
        let names: Vec<&str> = facts["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"customer.city") && names.contains(&"complaint.kind"));
        assert!(!names.contains(&"customer.is_minor"), "an age is not kept");
    }

    async fn decisions_show_every_condition_with_what_was_wanted_and_found(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 4, 5, 4, 4]).await;
        let found = decisions(&marketing, &mei).await;
        let rated = found.iter().find(|one| one["event"] == "rating.submitted").unwrap();
        assert_eq!((&rated["outcome"], &rated["rule_id"]), (&json!("not"), &json!("quality-baseline")));
        let score = rated["conditions"].as_array().unwrap().iter().find(|one| one["fact"] == "rating.score").unwrap();
        for (key, value) in [("op", json!("gte")), ("want", json!("4.80")), ("got", json!("4.40")), ("outcome", json!("false"))] {
            let (got, want) = (score[key].to_string(), value.to_string());
            assert_eq!(got.trim_matches('"').trim_end_matches('0'), want.trim_matches('"').trim_end_matches('0'), "{key}: {score}");
        }
        assert_eq!(rated["booking_id"], booking["id"]);
    }

    async fn a_backtest_of_the_live_rules_against_themselves_has_no_difference(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 4]).await;
        let now = app.ctx().env.now();
        let day = chrono::Duration::days(1);
        let span = |against: &str| json!({ "from": now - day * 30, "to": now + day, "against": against });
        let same = drafts(&marketing, &shipped()).await;
        let out = marketing.post(&format!("admin/rulesets/{same}/backtest"), span("live")).await.expect(200);
        assert_eq!((&out["gained"], &out["lost"], &out["unreadable"]), (&json!(0), &json!(0), &json!(0)), "{out}");
        assert!(out["events"].as_u64().unwrap() >= 2 && out["would_invite"] == 1, "{out}");
        let mut strict = shipped();
        strict["parameters"]["score_line"] = json!("5.00");
        let strict = drafts(&marketing, &strict).await;
        let out = marketing.post(&format!("admin/rulesets/{strict}/backtest"), span("live")).await.expect(200);
        assert_eq!((&out["gained"], &out["lost"]), (&json!(0), &json!(1)), "{out}");
        let path = format!("admin/rulesets/{same}/backtest");
        let ever = json!({ "from": "2020-01-01", "to": "2099-12-31", "against": "live" });
        assert_eq!(marketing.post(&path, ever).await.expect(200)["lost"], 0, "the whole history");
        let backwards = json!({ "from": "2026-01-02", "to": "2026-01-01", "against": "live" });
        marketing.post(&path, backwards).await.problem(422, "validation");
    }

    async fn a_cap_holds_when_two_ratings_are_decided_at_once(app) {
        let mut document = shipped();
        document["rules"][0]["caps"]["per_rule"] = json!([{"times": 1, "per": "P30D"}]);
        let marketing = publishes(app, &document).await;
        let crew = app.crew("13800001000").await;
        let mut people = Vec::new();
        for name in ["mei", "li", "wang", "zhao"] {
            let person = app.customer(name).await;
            person.consents("referral_profiling", None).await;
            let booking = app.visit(&person, &crew).await;
            people.push((person, booking["id"].as_str().unwrap().to_owned()));
        }
        let stars = json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5 });
        for (person, booking) in &people {
            person.post(&format!("bookings/{booking}/rating"), stars.clone()).await.expect(201);
        }
        tokio::join!(app.drain(), app.drain(), app.drain(), app.drain());
        app.drain().await;
        let page = marketing.get("admin/invitations").await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    }

    async fn a_rule_sends_in_its_own_hours_and_never_at_night(app) {
        let mut document = shipped();
        document["rules"][0]["schedule"] = json!({ "hours": "10:00-11:30" });
        let marketing = publishes(app, &document).await;
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        let page = marketing.get("admin/invitations").await.expect(200);
        let at: chrono::DateTime<chrono::Utc> = page["items"][0]["scheduled_at"].as_str().unwrap().parse().unwrap();
        let minute = linjian::kernel::business_minute(at);
        assert!((600..690).contains(&minute), "scheduled at minute {minute}: {page}");
        // The worker that sends comes too late: it waits for the next opening.
        let clock = app.ctx().test_clock.as_ref().unwrap();
        let late = at + chrono::Duration::hours(3) - app.ctx().env.now();
        linjian::platform::test_clock::advance(&app.ctx().db, clock, late).await.unwrap();
        app.drain().await;
        let page = marketing.get("admin/invitations").await.expect(200);
        assert_eq!(page["items"][0]["status"], "scheduled", "{page}");
        app.advance_to(&page["items"][0]["scheduled_at"]).await;
        let page = marketing.get("admin/invitations").await.expect(200);
        assert_eq!(page["items"][0]["status"], "sent", "{page}");
    }

    async fn a_yes_to_being_asked_tags_and_complaint_kinds_set_rules_off(app) {
        let rules = json!([
            {"id": "yes", "title": "同意", "on": ["consent.granted"], "then": [{"effect": "tag", "tag": "愿意"}]},
            telling("complaint.opened", &json!({"all": [{"fact": "complaint.kind", "op": "eq", "value": "lateness"},
                {"fact": "customer.tags", "op": "contains", "value": "愿意"}]})),
        ]);
        let marketing = publishes(app, &with_rules(&rules)).await;
        let (service, manager) = (app.staff(&[StaffRole::Service]).await, app.staff(&[StaffRole::Manager]).await);
        let mei = app.customer("mei").await;
        mei.consents("mkt_wechat", None).await;
        app.drain().await;
        assert!(decisions(&marketing, &mei).await.is_empty(), "another yes is not about being asked");
        mei.consents("referral_profiling", None).await;
        app.drain().await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        let path = format!("bookings/{}/complaints", booking["id"].as_str().unwrap());
        mei.post(&path, json!({ "kind": "lateness", "text": "晚了一个小时" })).await.expect(201);
        app.drain().await;
        let found = decisions(&marketing, &mei).await;
        assert!(found.iter().all(|one| one["outcome"] == "fired"), "{found:#?}");
        assert_eq!(found.len(), 2);
        // The task is customer service's alone.
        assert!(marketing.get("admin/tasks").await.expect(200)["items"].as_array().unwrap().is_empty());
        let tasks = service.get("admin/tasks?done=false").await.expect(200);
        assert_eq!((&tasks["items"][0]["role"], &tasks["items"][0]["kind"]), (&json!("service"), &json!("rule")));
        let done = format!("admin/tasks/{}/done", tasks["items"][0]["id"].as_str().unwrap());
        marketing.post(&done, json!({})).await.problem(404, "not_found");
        assert!(service.post(&done, json!({})).await.expect(200)["done_at"].is_string());
        manager.post(&done, json!({})).await.problem(409, "invalid_state");
        app.staff(&[StaffRole::Pipo]).await.get("admin/tasks").await.expect(200);
    }

    async fn a_rule_whose_consent_is_missing_does_not_take_its_groups_turn(app) {
        let mut tell = telling("rating.submitted", &json!({"fact": "customer.open_complaints", "op": "eq", "value": 0}));
        tell["exclusive_group"] = json!("invite");
        let mut document = shipped();
        document["rules"].as_array_mut().unwrap().push(tell);
        let marketing = publishes(app, &document).await;
        let mei = app.customer("mei").await;
        let crew = app.crew("13800001000").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        let found = decisions(&marketing, &mei).await;
        let of = |rule: &str| found.iter().find(|one| one["event"] == "rating.submitted" && one["rule_id"] == rule).unwrap().clone();
        assert_eq!(of("tell")["outcome"], "fired");
        assert_eq!(of("quality-baseline")["blocked_by"], "consent");
        assert!(!of("tell")["conditions"].to_string().contains("rating."), "no fact that needs the consent is read");
    }
}
