//! A friend comes: generations, benefits, thank-yous, and what a refund takes back.

use crate::{
    bounds::apart,
    rules::{decisions, publishes, shipped, with_rules},
    support::{Crew, Person, TestApp},
};
use entity::{
    referral,
    values::{ReferralStatus, StaffRole},
};
use linjian::{benefit::Qualified, outbox};
use sea_orm::{EntityTrait, sea_query::Expr};
use serde_json::{Value, json};

async fn code_of(person: &Person) -> String {
    person.post("me/invitations", json!({})).await.expect(201)["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn comes_through(app: &TestApp, name: &str, code: &str) -> (Person, Value) {
    app.comes(name, &json!(code)).await
}

async fn rewards(person: &Person, cause: &str) -> Vec<Value> {
    let list = person.get("me/rewards").await.expect(200);
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["cause"] == cause)
        .cloned()
        .collect()
}

/// Li's first order, paid in full, done, and the refund window over.
async fn first_order(app: &TestApp, friend: &Person, crew: &Crew) -> Value {
    let booking = order(app, friend, crew).await;
    app.advance("P7DT1S").await;
    booking
}

/// The same, with the refund window still to pass.
async fn order(app: &TestApp, friend: &Person, crew: &Crew) -> Value {
    let booking = app.books(friend).await;
    app.pays(friend, &booking, booking["total_fen"].as_i64().unwrap())
        .await;
    app.serves(friend, crew, &booking).await
}

/// The news that a friend has qualified, by itself.
async fn qualifies(app: &TestApp, inviter: &Person, friend: &Person, link: &Value) {
    let account = |person: &Person| person.id.parse::<uuid::Uuid>().unwrap().into();
    let news = Qualified {
        referral_id: link.as_str().unwrap().parse::<uuid::Uuid>().unwrap().into(),
        inviter_id: account(inviter),
        invitee_id: account(friend),
        booking_id: None,
    };
    let tx = app.ctx().db.begin_write().await.unwrap();
    outbox::append(&tx, &app.ctx().env, &news).await.unwrap();
    app.ctx().commit(tx).await.unwrap();
}

on_both! {
    async fn nothing_is_linked_without_the_friends_own_consent(app) {
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        let li = app.customer("li").await;
        let refused = li.post("referrals", json!({ "code": code })).await.problem(403, "consent_required");
        assert_eq!(refused["purpose"], "referral_link");
        assert!(rewards(&li, "welcome").await.is_empty());
        let look = app.stranger().get(&format!("referrals/{code}")).await.expect(200);
        assert_eq!(look["valid"], true);
        assert!(look["inviter_masked"].as_str().unwrap().contains('*'));
    }

    async fn each_generation_has_its_own_welcome_and_the_third_is_the_last(app) {
        let mei = app.customer("mei").await;
        let mut code = code_of(&mei).await;
        for (name, generation, kind) in
            [("li", 1, "price_off"), ("wang", 2, "goods"), ("zhao", 3, "privilege"), ("qian", 3, "privilege")]
        {
            let (friend, link) = comes_through(app, name, &code).await;
            assert_eq!(link["generation"], generation, "{name}");
            let welcome = rewards(&friend, "welcome").await;
            assert_eq!(welcome.len(), 1);
            assert_eq!(welcome[0]["kind"], kind, "{name}");
            assert_eq!(friend.get("me/referral").await.expect(200)["generation"], generation);
            code = code_of(&friend).await;
        }
        assert_eq!(mei.get("me/referral").await.expect(200)["generation"], 0);
    }

    async fn the_inviter_is_thanked_only_after_the_refund_window_and_only_for_his_own_friend(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let (li, _) = comes_through(app, "li", &code_of(&mei).await).await;
        let booking = app.books(&li).await;
        app.pays(&li, &booking, booking["total_fen"].as_i64().unwrap()).await;
        app.serves(&li, &crew, &booking).await;
        app.advance("P6DT23H").await;
        assert!(rewards(&mei, "thanks").await.is_empty(), "REF-05: not before the window is over");
        app.advance("PT2H").await;
        let thanks = rewards(&mei, "thanks").await;
        assert_eq!(thanks.len(), 1);
        assert_eq!(thanks[0]["status"], "granted");
        assert_eq!(thanks[0]["kind"], "coupon");
        let (wang, _) = comes_through(app, "wang", &code_of(&li).await).await;
        first_order(app, &wang, &crew).await;
        assert_eq!(rewards(&li, "thanks").await.len(), 1);
        assert_eq!(rewards(&mei, "thanks").await.len(), 1, "REF-14: friends of friends change nothing");
    }

    async fn an_inviter_keeps_the_thanks_that_was_promised_when_his_friend_came(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        let mut more = shipped();
        more["benefits"]["thanks"]["fen"] = json!(2500);
        let marketing = publishes(app, &more).await;
        let (li, _) = comes_through(app, "li", &code).await;
        // Less can only be had by going back: an edit that lowers what is promised is refused (REF-L33).
        marketing.post("admin/rulesets/rollback", json!({})).await.expect(200);
        let (wang, _) = comes_through(app, "wang", &code).await;
        first_order(app, &li, &crew).await;
        let worth = |given: Vec<Value>| given.iter().map(|one| one["value"]["fen"].as_i64().unwrap()).collect::<Vec<_>>();
        assert_eq!(worth(rewards(&mei, "thanks").await), [2500]);
        first_order(app, &wang, &crew).await;
        assert_eq!(worth(rewards(&mei, "thanks").await), [2000, 2500]);
    }

    async fn a_full_refund_takes_the_thank_you_back_once(app) {
        let crew = app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let (li, _) = comes_through(app, "li", &code_of(&mei).await).await;
        let booking = first_order(app, &li, &crew).await;
        assert_eq!(rewards(&mei, "thanks").await[0]["status"], "granted");
        let body = json!({ "booking_id": booking["id"], "reason": "不满意" });
        manager.post("admin/refunds", body).await.expect(201);
        app.settled_refund().await;
        assert_eq!(rewards(&mei, "thanks").await[0]["status"], "revoked");
        let mine = mei.get("me/referral").await.expect(200);
        assert_eq!(mine["invited"][0]["status"], "reversed");
        app.advance("P29D").await;
        assert_eq!(rewards(&mei, "thanks").await.len(), 1);
    }

    async fn a_refund_within_the_window_means_no_thank_you_at_all(app) {
        let crew = app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let (li, _) = comes_through(app, "li", &code_of(&mei).await).await;
        let booking = app.books(&li).await;
        app.pays(&li, &booking, booking["total_fen"].as_i64().unwrap()).await;
        let booking = app.serves(&li, &crew, &booking).await;
        manager.post("admin/refunds", json!({ "booking_id": booking["id"], "reason": "不满意" })).await.expect(201);
        app.settled_refund().await;
        app.advance("P8D").await;
        assert!(rewards(&mei, "thanks").await.is_empty());
    }

    async fn oneself_a_second_inviter_and_an_old_customer_each_get_their_own_answer(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        mei.consents("referral_link", None).await;
        mei.post("referrals", json!({ "code": code })).await.problem(409, "self_invite");
        let (li, _) = comes_through(app, "li", &code).await;
        let other = code_of(&app.customer("wang").await).await;
        li.post("referrals", json!({ "code": other })).await.problem(409, "already_invited");
        mei.post("referrals", json!({ "code": code_of(&li).await })).await.problem(409, "self_invite");
        let old = app.customer("old").await;
        old.consents("referral_link", None).await;
        app.visit(&old, &crew).await;
        old.post("referrals", json!({ "code": code })).await.problem(409, "existing_customer");
        old.post("referrals", json!({ "code": "0000000000" })).await.problem(404, "not_found");
        old.post_without_key("referrals", json!({ "code": code })).await.problem(422, "idempotency_key_required");
    }

    async fn twenty_redemptions_at_once_make_one_link(app) {
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        let li = app.customer("li").await;
        li.consents("referral_link", None).await;
        let tries = (0..20).map(|_| {
            let (li, code) = (li.clone(), code.clone());
            tokio::spawn(async move { li.post("referrals", json!({ "code": code })).await.status })
        });
        let mut statuses = Vec::new();
        for task in tries.collect::<Vec<_>>() {
            statuses.push(task.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
        app.drain().await;
        assert_eq!(rewards(&li, "welcome").await.len(), 1);
    }

    async fn a_friend_who_withdraws_disappears_from_his_inviters_list(app) {
        let mei = app.customer("mei").await;
        let (li, _) = comes_through(app, "li", &code_of(&mei).await).await;
        assert_eq!(mei.get("me/referral").await.expect(200)["invited"].as_array().unwrap().len(), 1);
        li.delete("me/consents/referral_link").await.expect(200);
        app.drain().await;
        assert!(mei.get("me/referral").await.expect(200)["invited"].as_array().unwrap().is_empty());
        assert_eq!(rewards(&li, "welcome").await.len(), 1, "CR-34: what was earned stays");
    }

    async fn two_qualified_friends_in_a_row_earn_priority_scheduling_once(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        for name in ["li", "wang", "zhao"] {
            let (friend, _) = comes_through(app, name, &code).await;
            first_order(app, &friend, &crew).await;
        }
        assert_eq!(rewards(&mei, "thanks").await.len(), 3);
        let perks = rewards(&mei, "rule").await;
        assert_eq!(perks.len(), 1, "{perks:#?}");
        assert_eq!(perks[0]["benefit"], "priority_scheduling");
    }

    async fn the_friends_visit_is_no_fact_of_his_inviter(app) {
        // PIPL-13: on referral.* the decision is about the inviter, and the order is another person's.
        let rules = json!([{"id": "near", "title": "同区", "on": ["referral.qualified"],
            "when": {"fact": "customer.area", "op": "eq", "value": "浦东"}, "then": [{"effect": "notify_staff", "text": "看一下"}]}]);
        let marketing = publishes(app, &with_rules(&rules)).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let (li, _) = comes_through(app, "li", &code_of(&mei).await).await;
        first_order(app, &li, &crew).await;
        let found = decisions(&marketing, &mei).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["outcome"], "unknown", "{found:#?}");
        assert_eq!((&found[0]["conditions"][0]["got"], &found[0]["booking_id"]), (&Value::Null, &Value::Null));
    }

    async fn after_its_period_a_set_promises_nothing_and_keeps_what_it_promised(app) {
        let today = linjian::kernel::business_date(app.ctx().env.now());
        let mut document = shipped();
        document["period"] = json!({ "from": "2026-01-01", "to": today.succ_opt().unwrap() });
        publishes(app, &document).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        let (li, link) = comes_through(app, "li", &code).await;
        assert_eq!(link["benefit"]["name"], "welcome_1");
        app.advance("P3D").await;
        let look = app.stranger().get(&format!("referrals/{code}")).await.expect(200);
        assert_eq!((&look["valid"], &look["benefit"]), (&json!(true), &Value::Null));
        let (wang, link) = comes_through(app, "wang", &code).await;
        assert_eq!(link["benefit"], Value::Null);
        assert!(rewards(&wang, "welcome").await.is_empty());
        first_order(app, &li, &crew).await;
        assert_eq!(rewards(&mei, "thanks").await.len(), 1, "li came in time");
        first_order(app, &wang, &crew).await;
        assert_eq!(rewards(&mei, "thanks").await.len(), 1, "wang did not");
    }

    async fn the_programmes_budget_holds_and_what_it_cannot_pay_waits_for_a_manager(app) {
        let mut document = shipped();
        document["caps"]["budget_fen"] = json!(5000);
        let marketing = publishes(app, &document).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        let look = format!("referrals/{code}");
        assert_eq!(app.stranger().get(&look).await.expect(200)["benefit"]["name"], "welcome_1");
        let (li, link) = comes_through(app, "li", &code).await;
        assert_eq!(link["benefit"]["name"], "welcome_1");
        assert_eq!(app.stranger().get(&look).await.expect(200)["benefit"], Value::Null, "3000 given, 2000 promised to mei");
        let (wang, link) = comes_through(app, "wang", &code).await;
        assert_eq!(link["benefit"], Value::Null);
        let held = rewards(&wang, "welcome").await.remove(0);
        assert_eq!((&held["status"], &held["expires_at"]), (&json!("held"), &Value::Null));
        first_order(app, &li, &crew).await;
        assert_eq!(rewards(&mei, "thanks").await[0]["status"], "granted", "what was promised first is paid first");
        let tasks = manager.get("admin/tasks?done=false").await.expect(200);
        assert_eq!((&tasks["items"][0]["kind"], &tasks["items"][0]["subject_id"]), (&json!("held_reward"), &held["id"]));
        let release = format!("admin/rewards/{}/release", held["id"].as_str().unwrap());
        marketing.post(&release, json!({})).await.problem(403, "forbidden");
        let given = manager.post(&release, json!({})).await.expect(200);
        assert_eq!(given["status"], "granted");
        let expires: chrono::DateTime<chrono::Utc> = given["expires_at"].as_str().unwrap().parse().unwrap();
        assert_eq!((expires - app.ctx().env.now()).num_days(), 89, "its 90 days begin at the release");
        manager.post(&release, json!({})).await.problem(409, "invalid_state");
        assert!(manager.get("admin/tasks?done=false").await.expect(200)["items"].as_array().unwrap().is_empty());
    }

    async fn a_held_thank_you_does_not_run_out_while_it_waits(app) {
        let mut document = shipped();
        document["caps"]["per_inviter"] = json!([{"times": 1, "per": "P365D"}]);
        publishes(app, &document).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        for name in ["li", "wang"] {
            let (friend, _) = comes_through(app, name, &code).await;
            first_order(app, &friend, &crew).await;
        }
        app.advance("P100D").await;
        let mei = app.customer("mei").await;
        let thanks = rewards(&mei, "thanks").await;
        assert_eq!(thanks.len(), 2);
        let statuses: Vec<&str> = thanks.iter().map(|one| one["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["held", "expired"], "{thanks:#?}");
        let manager = app.staff(&[StaffRole::Manager]).await;
        let release = format!("admin/rewards/{}/release", thanks[0]["id"].as_str().unwrap());
        manager.post(&release, json!({})).await.expect(200);
        app.advance("P91D").await;
        assert_eq!(rewards(&app.customer("mei").await, "thanks").await[0]["status"], "expired");
    }

    async fn what_ran_out_unused_still_counts_against_the_cap(app) {
        let rules = json!([{"id": "perk", "title": "礼遇", "on": ["referral.qualified"],
            "then": [{"effect": "grant", "to": "inviter", "benefit": "priority_scheduling", "expires_after": "P1D"}],
            "caps": {"per_customer": [{"times": 1, "per": "P365D"}]}}]);
        publishes(app, &with_rules(&rules)).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        for name in ["li", "wang"] {
            let (friend, _) = comes_through(app, name, &code).await;
            first_order(app, &friend, &crew).await;
            app.advance("P2D").await;
        }
        let perks = rewards(&mei, "rule").await;
        assert_eq!(perks.len(), 1, "{perks:#?}");
        assert_eq!(perks[0]["status"], "expired");
    }

    async fn what_is_given_once_is_given_once_wherever_it_stands_and_again_after_it_was_taken_back(app) {
        let gift = json!({"effect": "grant", "to": "inviter", "benefit": "thanks", "once": true});
        let perk = |then: Value| json!([{"id": "perk", "title": "礼遇", "on": ["referral.qualified"], "then": then,
            "caps": {"per_customer": [{"times": 5, "per": "P365D"}], "budget_fen": 100_000}}]);
        publishes(app, &with_rules(&perk(json!([gift])))).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        let (li, _) = comes_through(app, "li", &code).await;
        let booking = first_order(app, &li, &crew).await;
        assert_eq!(rewards(&mei, "rule").await.len(), 1);
        publishes(app, &with_rules(&perk(json!([{"effect": "notify_staff", "text": "又来一位"}, gift])))).await;
        let (wang, _) = comes_through(app, "wang", &code).await;
        first_order(app, &wang, &crew).await;
        assert_eq!(rewards(&mei, "rule").await.len(), 1, "in another place it is the same gift");
        let manager = app.staff(&[StaffRole::Manager]).await;
        manager.post("admin/refunds", json!({ "booking_id": booking["id"], "reason": "不满意" })).await.expect(201);
        app.settled_refund().await;
        let mei = app.customer("mei").await;
        assert_eq!(rewards(&mei, "rule").await[0]["status"], "revoked");
        let (zhao, _) = comes_through(app, "zhao", &code).await;
        first_order(app, &zhao, &crew).await;
        let found = rewards(&app.customer("mei").await, "rule").await;
        let mut statuses: Vec<&str> = found.iter().map(|one| one["status"].as_str().unwrap()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, ["granted", "revoked"], "what was taken back he did not have");
    }

    async fn a_rules_budget_is_never_overspent(app) {
        let rules = json!([{"id": "perk", "title": "礼遇", "on": ["referral.qualified"],
            "then": [{"effect": "grant", "to": "inviter", "benefit": "thanks"}],
            "caps": {"per_customer": [{"times": 5, "per": "P365D"}], "budget_fen": 3000}}]);
        let marketing = publishes(app, &with_rules(&rules)).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        for name in ["li", "wang"] {
            let (friend, _) = comes_through(app, name, &code).await;
            first_order(app, &friend, &crew).await;
        }
        assert_eq!(rewards(&mei, "rule").await.len(), 1, "2000 of 3000 are gone; another 2000 do not fit");
        assert_eq!(decisions(&marketing, &mei).await[0]["blocked_by"], "cap");
        let mut next = with_rules(&rules);
        let today = linjian::kernel::business_date(app.ctx().env.now());
        next["period"]["from"] = json!(today);
        publishes(app, &next).await;
        for name in ["zhao", "qian"] {
            let (friend, _) = comes_through(app, name, &code).await;
            first_order(app, &friend, &crew).await;
        }
        assert_eq!(rewards(&mei, "rule").await.len(), 2, "the next period has 3000 of its own, and no more");
    }

    async fn the_programme_reserves_for_friends_who_came_in_the_quarter_before_its_period(app) {
        let mut document = shipped();
        document["caps"]["budget_fen"] = json!(5_000);
        publishes(app, &document).await;
        let code = code_of(&app.customer("mei").await).await;
        let path = format!("referrals/{code}");
        let promised = async || app.stranger().get(&path).await.expect(200)["benefit"]["name"].clone();
        assert_eq!(promised().await, "welcome_1");
        comes_through(app, "li", &code).await;
        for span in ["P2D", "P80D"] {
            app.advance(span).await;
            document["period"]["from"] = json!(linjian::kernel::business_date(app.ctx().env.now()));
            publishes(app, &document).await;
            assert_eq!(promised().await, Value::Null, "2000 of 5000 may go to mei yet");
        }
        app.advance("P10D").await;
        assert_eq!(promised().await, "welcome_1", "li came more than a quarter ago");
    }

    async fn between_two_periods_the_one_that_promised_pays(app) {
        let today = linjian::kernel::business_date(app.ctx().env.now());
        let mut document = shipped();
        document["period"] = json!({ "from": "2026-01-01", "to": today });
        // One welcome and one thanks: wang's welcome waits for the staff, and so will mei's thanks for him.
        document["caps"]["budget_fen"] = json!(5_000);
        publishes(app, &document).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        let mut friends = Vec::new();
        for name in ["li", "wang"] {
            friends.push(comes_through(app, name, &code).await.0);
        }
        app.advance("P2D").await;
        document["period"] = json!({ "from": today + chrono::Days::new(300), "to": today + chrono::Days::new(330) });
        publishes(app, &document).await;
        for friend in &friends {
            first_order(app, friend, &crew).await;
        }
        let mut statuses: Vec<String> = rewards(&mei, "thanks").await.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, ["granted", "held"], "a period to come has no money yet");
    }

    async fn a_released_thanks_counts_for_its_inviter_from_its_release(app) {
        let mut document = shipped();
        document["caps"]["per_inviter"] = json!([{"times": 1, "per": "P10D"}]);
        publishes(app, &document).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let code = code_of(&mei).await;
        let held = async || {
            let all = rewards(&mei, "thanks").await;
            all.into_iter().filter(|one| one["status"] == "held").collect::<Vec<_>>()
        };
        for name in ["li", "wang"] {
            let (friend, _) = comes_through(app, name, &code).await;
            order(app, &friend, &crew).await;
        }
        app.advance("P7DT1S").await;
        let waits = held().await.remove(0);
        app.advance("P4D").await;
        let (zhao, _) = comes_through(app, "zhao", &code).await;
        order(app, &zhao, &crew).await;
        app.advance("P6D").await;
        manager.post(&format!("admin/rewards/{}/release", waits["id"].as_str().unwrap()), json!({})).await.expect(200);
        assert!(held().await.is_empty());
        app.advance("P1DT1S").await;
        assert_eq!(held().await.len(), 1, "one in ten days: what was held eleven days ago was received yesterday");
    }

    async fn what_is_given_once_is_given_once_when_two_friends_bring_it_at_the_same_time(app) {
        let rules = json!([{"id": "perk", "title": "礼遇", "on": ["referral.qualified"],
            "then": [{"effect": "grant", "to": "inviter", "benefit": "thanks", "once": true}],
            "caps": {"per_customer": [{"times": 5, "per": "P365D"}], "budget_fen": 1_000_000}}]);
        publishes(app, &with_rules(&rules)).await;
        for round in 0..5 {
            let inviter = app.customer(&format!("inviter{round}")).await;
            let code = code_of(&inviter).await;
            let mut links = Vec::new();
            for friend in ["first", "second"] {
                let (friend, link) = comes_through(app, &format!("{friend}{round}"), &code).await;
                links.push((friend, link["id"].clone()));
            }
            // Both orders have counted; the news of it comes to two nodes at once.
            let counted = Expr::value(ReferralStatus::Qualified);
            let change = referral::Entity::update_many().col_expr(referral::Column::Status, counted);
            change.exec(app.ctx().db.read()).await.unwrap();
            let at_once = links.iter().map(|(friend, link)| async {
                qualifies(app, &inviter, friend, link).await;
                apart(app).await;
            });
            futures_util::future::join_all(at_once).await;
            app.drain().await;
            assert_eq!(rewards(&inviter, "rule").await.len(), 1, "round {round}");
        }
    }

    async fn nothing_is_given_for_a_referral_that_was_reversed_first(app) {
        let rules = json!([{"id": "perk", "title": "礼遇", "on": ["referral.qualified"],
            "then": [{"effect": "tag", "tag": "推荐达人"}, {"effect": "unlock", "feature": "albums"},
                {"effect": "grant", "to": "inviter", "benefit": "priority_scheduling"}],
            "caps": {"per_customer": [{"times": 5, "per": "P365D"}]}}]);
        let marketing = publishes(app, &with_rules(&rules)).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        let (li, link) = comes_through(app, "li", &code_of(&mei).await).await;
        let booking = first_order(app, &li, &crew).await;
        assert_eq!(rewards(&mei, "rule").await[0]["status"], "granted");
        assert_eq!(mei.get("me/tags").await.expect(200)["items"].as_array().unwrap().len(), 1);
        let tasks = manager.get("admin/tasks").await.expect(200);
        let done = format!("admin/tasks/{}/done", tasks["items"][0]["id"].as_str().unwrap());
        manager.post(&done, json!({})).await.expect(200);
        let body = json!({ "booking_id": booking["id"], "reason": "不满意" });
        manager.post("admin/refunds", body).await.expect(201);
        app.settled_refund().await;
        assert_eq!(rewards(&mei, "rule").await[0]["status"], "revoked");
        assert!(mei.get("me/tags").await.expect(200)["items"].as_array().unwrap().is_empty());
        let tasks = manager.get("admin/tasks?done=false").await.expect(200);
        assert_eq!(tasks["items"][0]["kind"], "undo", "what was opened must be closed: {tasks}");
        // The same news once more, after the refund: as if its first delivery had come late.
        qualifies(app, &mei, &li, &link["id"]).await;
        app.drain().await;
        assert_eq!(rewards(&mei, "rule").await.len(), 1);
        assert!(mei.get("me/tags").await.expect(200)["items"].as_array().unwrap().is_empty());
        assert_eq!(decisions(&marketing, &mei).await[0]["outcome"], "not");
    }

    async fn two_who_use_each_others_codes_at_once_do_not_close_a_circle(app) {
        let (mei, li) = (app.customer("mei").await, app.customer("li").await);
        let (of_mei, of_li) = (code_of(&mei).await, code_of(&li).await);
        mei.consents("referral_link", None).await;
        li.consents("referral_link", None).await;
        let one = tokio::spawn(async move { mei.post("referrals", json!({ "code": of_li })).await.status });
        let two = tokio::spawn(async move { li.post("referrals", json!({ "code": of_mei })).await.status });
        let mut statuses = [one.await.unwrap(), two.await.unwrap()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
        app.drain().await;
    }

    async fn a_friends_missing_consent_is_told_to_his_inviter_in_words_about_no_one(app) {
        let mei = app.customer("mei").await;
        let crew = app.crew("13800001000").await;
        let mut document = shipped();
        document["rules"][2]["when"] = json!({"fact": "referral.generation", "op": "eq", "value": 1});
        publishes(app, &document).await;
        let (li, _) = comes_through(app, "li", &code_of(&mei).await).await;
        let booking = app.books(&li).await;
        app.pays(&li, &booking, booking["total_fen"].as_i64().unwrap()).await;
        app.serves(&li, &crew, &booking).await;
        li.delete("me/consents/referral_link").await.expect(200);
        app.advance("P7DT1S").await;
        assert!(rewards(&mei, "thanks").await.is_empty());
        let why = mei.get("me/referral/why").await.expect(200).to_string();
        assert!(!why.contains("您没有同意"), "{why}");
    }
}
