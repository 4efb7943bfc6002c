//! What is kept of decisions, what is made again from it, and what trying a draft on it says.

use crate::rules::{decisions, drafts, publishes, shipped, with_rules};
use crate::support::{Backend, Person, TestApp};
use entity::{decision, evaluation, values::StaffRole};
use linjian::app::Half;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

/// A customer who agreed to be asked.
async fn asked(app: &TestApp, name: &str) -> Person {
    let person = app.customer(name).await;
    person.consents("referral_profiling", None).await;
    person
}

async fn verified(staff: &Person) -> Value {
    staff
        .get("admin/decisions/verify?limit=100")
        .await
        .expect(200)
}

/// A few people with good and bad visits, with and without consent, one asked twice.
async fn some_days(app: &TestApp) {
    let crew = app.crew("13800001000").await;
    let (mei, li) = (asked(app, "mei").await, asked(app, "li").await);
    let no = app.customer("no").await;
    for (person, stars) in [
        (&mei, [5, 5, 5, 5, 5]),
        (&mei, [5, 5, 5, 5, 4]),
        (&li, [4, 4, 4, 4, 3]),
        (&no, [5, 5, 5, 5, 5]),
    ] {
        let booking = app.visit(person, &crew).await;
        app.rates(person, &booking, stars).await;
    }
    let booking = app.visit(&li, &crew).await;
    let path = format!("bookings/{}/complaints", booking["id"].as_str().unwrap());
    li.post(
        &path,
        json!({ "kind": "quality", "text": "地板没有拖干净" }),
    )
    .await
    .expect(201);
    app.drain().await;
}

on_both! {
    async fn what_was_decided_is_decided_again_bit_for_bit(app) {
        some_days(app).await;
        let staff = app.staff(&[StaffRole::Marketing]).await;
        let out = verified(&staff).await;
        assert_eq!((&out["ok"], &out["differing"]), (&json!(true), &json!([])), "{out}");
        assert!(out["events"].as_u64().unwrap() > 6 && out["decisions"].as_u64().unwrap() >= 3, "{out}");
        let rows = decision::Entity::find().all(app.ctx().db.read()).await.unwrap();
        let fired = rows.into_iter().find(|row| row.conditions != json!([])).unwrap();
        let mut conditions = fired.conditions.clone();
        conditions[0]["got"] = json!("0.99");
        let change = decision::ActiveModel { id: Set(fired.id), conditions: Set(conditions), ..Default::default() };
        change.update(app.ctx().db.read()).await.unwrap();
        let out = verified(&staff).await;
        assert_eq!((&out["ok"], &out["differing"][0]["what"]), (&json!(false), &json!("conditions")), "{out}");
    }

    async fn a_rule_that_did_not_fire_is_not_stored_and_still_tells_why(app) {
        let crew = app.crew("13800001000").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let li = asked(app, "li").await;
        let booking = app.visit(&li, &crew).await;
        app.rates(&li, &booking, [4, 4, 4, 4, 4]).await;
        let found = decisions(&marketing, &li).await;
        let rated: Vec<_> = found.iter().filter(|one| one["event"] == "rating.submitted").collect();
        assert_eq!((rated.len(), &rated[0]["outcome"], &rated[0]["id"]), (1, &json!("not"), &Value::Null));
        let stored = decision::Entity::find().all(app.ctx().db.read()).await.unwrap();
        assert!(stored.iter().all(|row| row.event_id.to_string() != rated[0]["event_id"]));
        let why = li.get("me/referral/why").await.expect(200);
        let one = why["items"].as_array().unwrap().iter().find(|one| one["rule_id"] == "quality-baseline").unwrap();
        assert_eq!(one["smallest_change"], "评分达到 4.80 分(这次 4.00 分)", "{why}");
    }

    async fn a_pile_of_events_is_judged_together_as_one_by_one(app) {
        let mut document = shipped();
        document["rules"][0]["caps"]["per_rule"] = json!([{"times": 3, "per": "P30D"}]);
        let marketing = publishes(app, &document).await;
        let crew = app.crew("13800001000").await;
        let mut people = Vec::new();
        for number in 0..5 {
            let person = asked(app, &format!("p{number}")).await;
            let booking = app.visit(&person, &crew).await;
            people.push((person, booking));
        }
        let stars = json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5 });
        for (person, booking) in &people {
            let path = format!("bookings/{}/rating", booking["id"].as_str().unwrap());
            person.post(&path, stars.clone()).await.expect(201);
        }
        app.drain().await;
        let mut outcomes = Vec::new();
        for (person, _) in &people {
            let found = decisions(&marketing, person).await;
            let rated = found.iter().find(|one| one["event"] == "rating.submitted").unwrap().clone();
            let list = person.get("me/invitations").await.expect(200);
            let invited = list["items"].as_array().unwrap().len();
            assert_eq!(invited, usize::from(rated["outcome"] == "fired"), "{rated}");
            outcomes.push((rated["outcome"].clone(), rated["blocked_by"].clone()));
        }
        assert_eq!(outcomes[..3], vec![(json!("fired"), Value::Null); 3], "the first three in the order they rated");
        assert_eq!(outcomes[3..], vec![(json!("held"), json!("cap")); 2]);
    }

    async fn a_pile_that_spans_a_publish_and_its_rollback_is_judged_by_the_versions_of_its_moments(app) {
        let crew = app.crew("13800001000").await;
        let mut people = Vec::new();
        for name in ["mei", "li", "wang"] {
            let person = asked(app, name).await;
            let booking = app.visit(&person, &crew).await;
            people.push((person, format!("bookings/{}/rating", booking["id"].as_str().unwrap())));
        }
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let id = drafts(&marketing, &shipped()).await;
        let steps = [format!("admin/rulesets/{id}/publish"), "admin/rulesets/rollback".to_owned()];
        let mut steps = steps.iter();
        let stars = json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5 });
        for (person, path) in &people {
            person.post(path, stars.clone()).await.expect(201);
            if let Some(step) = steps.next() {
                marketing.post(step, json!({})).await.expect(200);
            }
        }
        app.drain().await;
        for ((person, _), version) in people.iter().zip([1, 2, 1]) {
            let found = decisions(&marketing, person).await;
            let rated = found.iter().find(|one| one["event"] == "rating.submitted").unwrap();
            assert_eq!(rated["ruleset_version"], version, "{rated}");
        }
    }

    async fn a_friend_is_told_why_his_order_does_not_count_yet(app) {
        let (mei, crew) = (app.customer("mei").await, app.crew("13800001000").await);
        let staff = app.staff(&[StaffRole::Service]).await;
        let code = mei.post("me/invitations", json!({})).await.expect(201)["code"].clone();
        assert_eq!(mei.get("me/referral/why").await.expect(200)["friend"], Value::Null, "she came by herself");
        let li = app.customer("li").await;
        li.consents("referral_link", None).await;
        li.post("referrals", json!({ "code": code.clone() })).await.expect(201);
        let why = async || li.get("me/referral/why").await.expect(200)["friend"].clone();
        assert_eq!(why().await["smallest_change"], "预约、付款并完成一次服务");
        let booking = app.books(&li).await;
        app.pays(&li, &booking, booking["total_fen"].as_i64().unwrap()).await;
        assert_eq!(why().await["smallest_change"], "完成已预约的服务");
        app.serves(&li, &crew, &booking).await;
        let told = why().await;
        assert!(told["smallest_change"].as_str().unwrap().starts_with("等到 "), "{told}");
        let wang = app.customer("wang").await;
        wang.consents("referral_link", None).await;
        wang.post("referrals", json!({ "code": code })).await.expect(201);
        wang.delete("me/consents/referral_link").await.expect(200);
        let withdrawn = wang.get("me/referral/why").await.expect(200)["friend"].clone();
        assert_eq!(withdrawn["smallest_change"], Value::Null, "{withdrawn}");
        assert!(withdrawn["sentences"][0].as_str().unwrap().contains("已撤回"), "{withdrawn}");
        app.advance("P7DT1S").await;
        let told = why().await;
        assert_eq!((&told["status"], &told["smallest_change"]), (&json!("qualified"), &Value::Null));
        let path = format!("admin/customers/{}/why", li.id);
        assert_eq!(staff.get(&path).await.expect(200)["friend"], told);
        li.get(&path).await.problem(403, "forbidden");
    }

    async fn facts_are_forgotten_in_time_and_decisions_later(app) {
        some_days(app).await;
        let db = app.ctx().db.read();
        let known = async || {
            let rows = evaluation::Entity::find().all(db).await.unwrap();
            let line = app.ctx().env.now() - chrono::Duration::days(181);
            let (old, young): (Vec<_>, Vec<_>) = rows.iter().filter(|row| row.facts.is_some()).partition(|row| row.occurred_at < line);
            (old.len(), young.len())
        };
        let begun = known().await.1;
        assert!(begun > 1);
        let decided = decision::Entity::find().count(db).await.unwrap();
        app.advance("P160D").await;
        assert!(known().await.1 >= begun);
        app.advance("P30D").await;
        let (old, young) = known().await;
        assert!(old == 0 && young < begun, "{old} old ones, {young} young ones of {begun}");
        assert!(decision::Entity::find().count(db).await.unwrap() >= decided, "the decisions stay");
        app.advance("P910D").await;
        app.advance("P2D").await;
        let left = evaluation::Entity::find().all(db).await.unwrap();
        let oldest = left.iter().map(|row| row.occurred_at).min();
        let line = app.ctx().env.now() - chrono::Duration::days(1097);
        assert!(oldest.is_none_or(|oldest| oldest > line), "{oldest:?}");
    }

    async fn what_rests_on_a_friends_consent_goes_with_it(app) {
        let generation = json!([{"id": "second", "title": "第二代", "on": ["referral.redeemed"],
            "when": {"fact": "referral.generation", "op": "gte", "value": 1}, "then": [{"effect": "notify_staff", "text": "来了一位朋友"}]}]);
        publishes(app, &with_rules(&generation)).await;
        let mei = asked(app, "mei").await;
        let code = mei.post("me/invitations", json!({})).await.expect(201)["code"].clone();
        let mut friends = Vec::new();
        for name in ["li", "wang"] {
            let friend = app.customer(name).await;
            friend.consents("referral_link", None).await;
            friend.post("referrals", json!({ "code": code.clone() })).await.expect(201);
            friends.push(friend);
        }
        app.drain().await;
        let known = async || {
            let rows = evaluation::Entity::find().all(app.ctx().db.read()).await.unwrap();
            let of_friends = rows.into_iter().filter(|row| row.friend_id.is_some());
            of_friends.map(|row| (row.friend_id.unwrap().to_string(), row.facts.is_some())).collect::<std::collections::BTreeMap<_, _>>()
        };
        let both: Vec<bool> = known().await.into_values().collect();
        assert_eq!(both, [true, true]);
        friends[0].delete("me/consents/referral_link").await.expect(200);
        app.drain().await;
        let left = known().await;
        assert_eq!((left[&friends[0].id], left[&friends[1].id]), (false, true));
    }

    async fn a_backtest_shows_nobody_who_has_withdrawn_since(app) {
        some_days(app).await;
        let mei = app.customer("mei").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut strict = shipped();
        strict["parameters"]["score_line"] = json!("5.00");
        let id = drafts(&marketing, &strict).await;
        let ever = json!({ "from": "2020-01-01", "to": "2099-12-31", "against": "live" });
        let begun = marketing.post_async(&format!("admin/rulesets/{id}/backtest"), ever).await.expect(202);
        let path = format!("admin/backtests/{}", begun["id"].as_str().unwrap());
        let sample = loop {
            let run = marketing.get(&path).await.expect(200);
            if run["state"] != "running" {
                break run["result"]["sample"].clone();
            }
            tokio::task::yield_now().await;
        };
        assert_eq!((sample.as_array().unwrap().len(), sample[0]["customer_id"].as_str()), (1, Some(mei.id.as_str())));
        mei.delete("me/consents/referral_profiling").await.expect(200);
        app.drain().await;
        let run = marketing.get(&path).await.expect(200);
        assert_eq!((&run["result"]["sample"], &run["result"]["lost"]), (&json!([]), &json!(1)), "the counts stay");
    }

    async fn a_draft_of_next_year_says_that_the_past_lies_outside_its_period(app) {
        some_days(app).await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut later = shipped();
        later["period"] = json!({"from": "2035-01-01", "to": "2035-12-31"});
        let id = drafts(&marketing, &later).await;
        let ever = json!({ "from": "2020-01-01", "to": "2099-12-31", "against": "live" });
        let out = marketing.post(&format!("admin/rulesets/{id}/backtest"), ever).await.expect(200);
        assert_eq!((&out["outside_period"], &out["outside_period_before"], &out["fired"]), (&out["events"], &json!(0), &json!(0)), "{out}");
    }

    async fn what_this_program_cannot_judge_any_more_is_told_from_what_was_stored(app) {
        some_days(app).await;
        let staff = app.staff(&[StaffRole::Marketing]).await;
        let before = staff.get("admin/decisions?event=rating.submitted").await.expect(200);
        let change = sea_orm::sea_query::Expr::value(99);
        let all = evaluation::Entity::update_many().col_expr(evaluation::Column::RulesetVersion, change);
        all.exec(app.ctx().db.read()).await.unwrap();
        let after = staff.get("admin/decisions?event=rating.submitted").await.expect(200);
        let stored = |page: &Value| page["items"].as_array().unwrap().iter().filter(|one| !one["id"].is_null()).count();
        assert!(stored(&before) > 0);
        assert_eq!((stored(&after), after["items"].as_array().unwrap().len()), (stored(&before), stored(&before)));
        let out = verified(&staff).await;
        assert_eq!((&out["ok"], &out["unreadable"]), (&json!(true), &out["events"]), "{out}");
    }

    async fn a_long_backtest_tells_how_far_it_is_and_can_be_stopped(app) {
        some_days(app).await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut strict = shipped();
        strict["parameters"]["score_line"] = json!("5.00");
        let id = drafts(&marketing, &strict).await;
        let ever = json!({ "from": "2020-01-01", "to": "2099-12-31", "against": "live" });
        let begun = marketing.post_async(&format!("admin/rulesets/{id}/backtest"), ever).await.expect(202);
        let path = format!("admin/backtests/{}", begun["id"].as_str().unwrap());
        let run = loop {
            let run = marketing.get(&path).await.expect(200);
            if run["state"] != "running" {
                break run;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!((&run["state"], &run["replayed"]), (&json!("done"), &run["total"]), "{run}");
        let out = &run["result"];
        assert_eq!((&out["gained"], &out["lost"]), (&json!(0), &json!(1)), "{out}");
        assert_eq!((&out["people_losing"], &out["sample"][0]["change"]), (&json!(1), &json!("lost")));
        assert_eq!(out["sample"][0]["reasons"], json!(["评分达到 5.00 分(这次 4.80 分)"]), "{out}");
        let rule = out["rules"].as_array().unwrap().iter().find(|one| one["rule_id"] == "quality-baseline").unwrap();
        assert_eq!((&rule["fired"], &rule["fired_before"]), (&json!(1), &json!(2)), "{rule}");
        let stopped = marketing.post(&format!("{path}/cancel"), json!({})).await.expect(200);
        assert_eq!(stopped["state"], "done", "what is through stays as it is");
        let nobody = "admin/backtests/019abcde-0000-7000-8000-000000000000";
        marketing.get(nobody).await.problem(404, "not_found");
    }

    async fn a_hand_made_case_is_seen_from_both_sides(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let id = drafts(&marketing, &shipped()).await;
        let path = format!("admin/rulesets/{id}/simulate");
        let case = |score: Value| json!({
            "events": ["rating.submitted", "referral.redeemed", "referral.qualified"], "generation": 1,
            "inviter": {"consents": true, "facts": {"booking.prepaid_ratio": 0.5, "rating.score": score, "customer.open_complaints": 0,
                "booking.sla_breached": false, "inviter.consecutive_qualified": 2}},
            "invitee": {"consents": true}});
        let out = marketing.post(&path, case(json!(4.9))).await.expect(200);
        assert_eq!((&out["inviter"]["invitations"], &out["inviter"]["cost_fen"]), (&json!(1), &json!(2000)), "{out}");
        let names = |side: &str| -> Vec<String> {
            let list = out[side]["benefits"].as_array().unwrap();
            list.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names("inviter"), ["priority_scheduling", "thanks"]);
        assert_eq!(names("invitee"), ["welcome_1"]);
        let out = marketing.post(&path, case(json!("4.50"))).await.expect(200);
        let rule = &out["steps"][0]["rules"][0];
        assert_eq!((&out["inviter"]["invitations"], &rule["smallest_change"]), (&json!(0), &json!("评分达到 4.80 分(这次 4.50 分)")), "{out}");
        let wrong = json!({"events": ["rating.submitted"], "generation": 1, "invitee": {"consents": false},
            "inviter": {"consents": true, "facts": {"rating.score": 9, "rating.colour": 1}}});
        let refused = marketing.post(&path, wrong).await;
        refused.problem(422, "validation");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sampled_events_all_decisions_are_kept_and_verify() {
    for backend in [Backend::Embedded, Backend::Production] {
        let app = TestApp::with(
            backend,
            Half::ApiOnly,
            &[("referral.sample_not_fired", "1")],
        )
        .await;
        let never = json!([{"id": "never", "title": "少见", "on": ["rating.submitted"],
            "when": {"fact": "booking.total_fen", "op": "gte", "value": 100_000_000}, "then": [{"effect": "tag", "tag": "rich"}]}]);
        let staff = publishes(&app, &with_rules(&never)).await;
        some_days(&app).await;
        let rows = decision::Entity::find()
            .all(app.ctx().db.read())
            .await
            .unwrap();
        assert!(
            rows.iter()
                .any(|row| row.outcome == entity::values::DecisionOutcome::Not),
            "{}",
            rows.len()
        );
        let out = verified(&staff).await;
        assert_eq!(
            (&out["ok"], &out["differing"]),
            (&json!(true), &json!([])),
            "{out}"
        );
        app.finish().await;
    }
}
