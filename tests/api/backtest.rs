//! What a back-test says: what it could not see, who gains and loses, what it costs, and what it leaves out.

use crate::rules::{drafts, publishes, shipped, with_rules};
use crate::support::{Crew, Person, TestApp};
use entity::values::StaffRole;
use serde_json::{Value, json};

/// The whole history through a draft and what is live.
async fn tried(marketing: &Person, document: &Value) -> Value {
    let id = drafts(marketing, document).await;
    let ever = json!({ "from": "2020-01-01", "to": "2099-12-31", "against": "live" });
    let path = format!("admin/rulesets/{id}/backtest");
    marketing.post(&path, ever).await.expect(200)
}

/// The whole history through a draft and another draft.
async fn against(marketing: &Person, other: &Value, document: &Value) -> Value {
    let other = drafts(marketing, other).await;
    let id = drafts(marketing, document).await;
    let ever = json!({ "from": "2020-01-01", "to": "2099-12-31", "against": other });
    let path = format!("admin/rulesets/{id}/backtest");
    marketing.post(&path, ever).await.expect(200)
}

/// A set that notices who comes, so that it is recorded.
fn coming() -> Value {
    with_rules(
        &json!([{"id": "came", "title": "好友来了", "on": ["referral.redeemed"],
        "when": {"fact": "referral.generation", "op": "gte", "value": 1}, "then": [{"effect": "notify_staff", "text": "来了一位朋友"}]}]),
    )
}

/// A customer who agreed to be asked, and his code.
async fn inviting(app: &TestApp, name: &str) -> (Person, Value) {
    let inviter = app.customer(name).await;
    inviter.consents("referral_profiling", None).await;
    let made = inviter.post("me/invitations", json!({})).await.expect(201);
    (inviter, made["code"].clone())
}

fn rule<'a>(out: &'a Value, id: &str) -> &'a Value {
    let rules = out["rules"].as_array().unwrap();
    let found = rules.iter().find(|one| one["rule_id"] == id);
    found.unwrap_or_else(|| panic!("no rule {id}: {out}"))
}

/// A customer who agreed to be asked, and his visit with the best rating.
async fn rated(app: &TestApp, crew: &Crew, name: &str) -> Person {
    let person = app.customer(name).await;
    person.consents("referral_profiling", None).await;
    let booking = app.visit(&person, crew).await;
    app.rates(&person, &booking, [5, 5, 5, 5, 5]).await;
    person
}

on_both! {
    async fn a_draft_is_told_which_events_and_facts_history_does_not_hold(app) {
        let crew = app.crew("13800001000").await;
        rated(app, &crew, "mei").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut further = shipped();
        further["rules"][0]["when"]["all"].as_array_mut().unwrap()
            .push(json!({"fact": "booking.weekday", "op": "gte", "value": 1}));
        let visited = json!({"id": "visited", "title": "服务完成", "on": ["booking.completed"],
            "then": [{"effect": "notify_staff", "text": "服务完成了"}]});
        further["rules"].as_array_mut().unwrap().push(visited);
        let out = tried(&marketing, &further).await;
        let missing: Vec<&str> = out["not_recorded"]["events"].as_array().unwrap().iter()
            .map(|one| one["event"].as_str().unwrap()).collect();
        assert!(missing.contains(&"booking.completed") && !missing.contains(&"rating.submitted"), "{out}");
        let facts: Vec<_> = out["not_recorded"]["facts"].as_array().unwrap().iter()
            .map(|one| (one["fact"].clone(), one["event"].clone(), one["recorded"].clone(), one["other_reads_it"].clone())).collect();
        let never = |event: &str| (json!("booking.weekday"), json!(event), json!(0), json!(false));
        assert_eq!(facts, [never("rating.submitted"), never("payment.succeeded")], "{out}");
        let notes = out["notes"].as_array().unwrap();
        assert!(notes.iter().any(|note| note.as_str().unwrap().contains("“服务完成”")), "{out}");
        assert!(notes.iter().any(|note| note.as_str().unwrap().contains("“服务星期”")), "{out}");
        let asks = rule(&out, "quality-baseline");
        assert_eq!((&asks["events"], &asks["events_before"]), (&json!(2), &json!(2)), "a payment and a rating: {asks}");
        assert_eq!((&asks["fired"], &asks["fired_before"]), (&json!(0), &json!(1)), "{asks}");
        assert_eq!((&asks["unknown"], &asks["unknown_before"]), (&json!(2), &json!(1)), "nobody had rated when he paid: {asks}");
        let silent = rule(&out, "visited");
        assert_eq!((&silent["events"], &silent["events_before"], &silent["fired"]), (&json!(0), &json!(0), &json!(0)), "{silent}");
        assert_eq!(rule(&out, "sla-breach")["title"], "投诉处理超时,暂停邀约");
    }

    async fn a_draft_that_looks_at_what_was_read_all_along_misses_nothing(app) {
        let crew = app.crew("13800001000").await;
        rated(app, &crew, "mei").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let rated = json!([{"id": "good", "title": "好评", "on": ["rating.submitted"],
            "when": {"fact": "rating.score", "op": "gte", "value": 4}, "then": [{"effect": "tag", "tag": "满意"}]}]);
        let out = tried(&marketing, &with_rules(&rated)).await;
        assert_eq!(out["not_recorded"], json!({"events": [], "facts": []}), "{out}");
        let good = rule(&out, "good");
        assert_eq!((&good["events"], &good["unknown"], &good["fired"]), (&json!(1), &json!(0), &json!(1)), "{good}");
    }

    async fn a_fact_read_since_a_later_version_is_known_of_part_of_history(app) {
        let crew = app.crew("13800001000").await;
        rated(app, &crew, "mei").await;
        let mut further = shipped();
        further["rules"][0]["when"]["all"].as_array_mut().unwrap()
            .push(json!({"fact": "booking.weekday", "op": "gte", "value": 1}));
        let marketing = publishes(app, &further).await;
        rated(app, &crew, "li").await;
        let out = tried(&marketing, &further).await;
        let facts = out["not_recorded"]["facts"].as_array().unwrap();
        let rating = facts.iter().find(|one| one["event"] == "rating.submitted").unwrap();
        assert_eq!((&rating["records"], &rating["recorded"], &rating["other_reads_it"]), (&json!(2), &json!(1), &json!(true)), "{out}");
    }

    async fn what_people_get_is_compared_and_not_what_rules_are_called(app) {
        let crew = app.crew("13800001000").await;
        let mei = rated(app, &crew, "mei").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut renamed = shipped();
        renamed["rules"][0]["id"] = json!("good-experience");
        let out = tried(&marketing, &renamed).await;
        assert_eq!((&out["gained"], &out["lost"], &out["sample"]), (&json!(0), &json!(0), &json!([])), "{out}");
        assert_eq!((&out["people_gaining"], &out["people_losing"]), (&json!(0), &json!(0)), "{out}");
        assert_eq!((&rule(&out, "good-experience")["fired"], &rule(&out, "quality-baseline")["fired_before"]), (&json!(1), &json!(1)));
        let mut quiet = shipped();
        quiet["rules"][0]["then"] = json!([{"effect": "tag", "tag": "满意"}, {"effect": "suppress_invitations", "for": "P30D", "appeal": true}]);
        let out = tried(&marketing, &quiet).await;
        assert_eq!((&out["gained"], &out["lost"], &out["other_changes"]), (&json!(0), &json!(2), &json!(1)), "no more asked, and paused: {out}");
        let what: Vec<&str> = out["sample"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
        assert_eq!(what, ["一次转介绍邀约", "暂停邀约 30 天"], "{out}");
        assert_eq!((&out["people_losing"], &out["sample"][0]["customer_id"]), (&json!(1), &json!(mei.id)), "{out}");
        assert_eq!(out["sample"][0]["reasons"], json!(["这条规则在那边也触发,但不给这个"]), "{out}");
    }

    async fn half_the_coupon_is_a_loss_and_the_friend_is_one_of_those_who_lose(app) {
        let coupons = |fen: i64| {
            let give = |to: &str| json!({"effect": "grant", "to": to, "benefit": "gift"});
            let mut document = with_rules(&json!([{"id": "came", "title": "好友来了", "on": ["referral.redeemed"],
                "then": [give("inviter"), give("invitee")]}]));
            document["benefits"]["gift"] = json!({"kind": "coupon", "fen": fen, "expires_after": "P30D"});
            document
        };
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        publishes(app, &coming()).await;
        let (_, code) = inviting(app, "mei").await;
        app.comes("li", &code).await;
        let full = against(&marketing, &coupons(2000), &coupons(1000)).await;
        assert_eq!((&full["gained"], &full["lost"], &full["people_losing"]), (&json!(0), &json!(2), &json!(2)), "{full}");
        let case = &full["sample"][1];
        assert_eq!((&case["receiver"], &case["what"], &case["instead_of"]),
            (&json!("friend"), &json!("¥10 自用券,30 天内有效"), &json!("¥20 自用券,30 天内有效")), "{full}");
        assert_eq!(case["reasons"], json!(["由“¥20 自用券,30 天内有效”变为“¥10 自用券,30 天内有效”"]), "{full}");
        let more = against(&marketing, &coupons(1000), &coupons(2000)).await;
        assert_eq!((&more["gained"], &more["lost"], &more["people_gaining"]), (&json!(2), &json!(0), &json!(2)), "{more}");
    }

    async fn a_dearer_welcome_and_thanks_are_seen_though_no_rule_gives_them(app) {
        let crew = app.crew("13800001000").await;
        let (_, code) = inviting(app, "mei").await;
        let li = app.comes("li", &code).await.0;
        app.visit(&li, &crew).await;
        app.advance("P8D").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut dearer = shipped();
        dearer["benefits"]["welcome_1"]["fen"] = json!(5000);
        dearer["benefits"]["thanks"]["fen"] = json!(2500);
        let out = tried(&marketing, &dearer).await;
        assert_eq!((&out["gained"], &out["lost"], &out["people_gaining"]), (&json!(2), &json!(0), &json!(2)), "{out}");
        assert_eq!((&out["cost_fen"], &out["cost_before_fen"]), (&json!(7500), &json!(5000)), "{out}");
        let programme = &out["programme"];
        assert_eq!((&programme["welcomes"], &programme["thanks"]), (&json!(1), &json!(1)), "{out}");
        assert_eq!((&programme["welcome_fen"], &programme["welcome_before_fen"]), (&json!(5000), &json!(3000)), "{out}");
        assert_eq!((&programme["thanks_fen"], &programme["thanks_before_fen"]), (&json!(2500), &json!(2000)), "{out}");
        let mut goods = shipped();
        goods["benefits"]["welcome_1"] = json!({"kind": "goods", "sku": "towel"});
        let out = tried(&marketing, &goods).await;
        assert_eq!((&out["gained"], &out["lost"], &out["unpriced"]), (&json!(1), &json!(1), &json!(1)), "another thing is given: {out}");
        assert!(out["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains("value_fen")), "{out}");
        let mut ended = shipped();
        ended["period"] = json!({"from": "2035-01-01", "to": "2035-12-31"});
        let out = tried(&marketing, &ended).await;
        assert_eq!((&out["lost"], &out["cost_fen"]), (&json!(2), &json!(0)), "nothing is promised outside the period: {out}");
        li.delete("me/consents/referral_link").await.expect(200);
        app.drain().await;
        let out = tried(&marketing, &dearer).await;
        let programme = &out["programme"];
        assert_eq!((&programme["forgotten"], &programme["welcomes"], &out["cost_fen"]), (&json!(1), &json!(0), &json!(0)), "{out}");
    }

    async fn rules_are_held_for_want_of_a_consent_by_what_stood_then_and_not_by_what_was_decided(app) {
        let crew = app.crew("13800001000").await;
        let no = app.customer("no").await;
        let booking = app.visit(&no, &crew).await;
        app.rates(&no, &booking, [5, 5, 5, 5, 5]).await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut more = shipped();
        let second = json!({"id": "good", "title": "好评", "on": ["rating.submitted"],
            "when": {"fact": "rating.score", "op": "gte", "value": 4}, "then": [{"effect": "tag", "tag": "满意"}]});
        more["rules"].as_array_mut().unwrap().push(second);
        let out = tried(&marketing, &more).await;
        assert_eq!((&out["blocked_by_consent"], &out["blocked_by_consent_before"]), (&json!(3), &json!(2)), "a payment and a rating: {out}");
        let held = |id: &str, key: &str| rule(&out, id)[key].clone();
        assert_eq!((held("good", "lacked_consent"), held("good", "lacked_consent_before")), (json!(1), json!(0)));
        assert_eq!((held("quality-baseline", "lacked_consent"), held("quality-baseline", "lacked_consent_before")), (json!(2), json!(2)));
        assert_eq!(held("quality-baseline", "unknown"), json!(0), "what nobody may look at is not unknown");
    }

    async fn the_limits_of_each_person_are_kept_in_the_order_of_his_events(app) {
        let crew = app.crew("13800001000").await;
        let mei = rated(app, &crew, "mei").await;
        app.advance("P8D").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mut open = shipped();
        open["rules"][0].as_object_mut().unwrap().remove("caps");
        let out = tried(&marketing, &open).await;
        assert_eq!((&out["would_invite"], &out["gained"], &out["lost"]), (&json!(2), &json!(0), &json!(0)), "before limits: {out}");
        let within = &out["within_limits"];
        assert_eq!((&within["invitations"], &within["held"]), (&json!(2), &json!(0)), "{out}");
        assert_eq!((&within["invitations_before"], &within["held_before"]), (&json!(1), &json!(1)), "once in 30 days: {out}");
        assert!(out["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains("没有计入上限")), "{out}");
    }

    async fn what_comes_once_is_counted_once_for_a_person(app) {
        let thanks = |once: bool| {
            let mut document = with_rules(&json!([{"id": "came", "title": "好友来了", "on": ["referral.redeemed"],
                "then": [{"effect": "grant", "to": "inviter", "benefit": "gift", "once": once}]}]));
            document["benefits"]["gift"] = json!({"kind": "coupon", "fen": 1000, "expires_after": "P30D"});
            document
        };
        let marketing = publishes(app, &coming()).await;
        let (_, code) = inviting(app, "mei").await;
        app.comes("li", &code).await;
        app.comes("wang", &code).await;
        let out = against(&marketing, &thanks(false), &thanks(true)).await;
        let within = &out["within_limits"];
        assert_eq!((&within["grants"], &within["grants_fen"], &within["held"]), (&json!(1), &json!(1000), &json!(1)), "{out}");
        assert_eq!((&within["grants_before"], &within["grants_before_fen"], &within["held_before"]), (&json!(2), &json!(2000), &json!(0)), "{out}");
    }

    async fn the_limits_of_a_whole_rule_are_kept_over_everybody_and_say_which_held(app) {
        let crew = app.crew("13800001000").await;
        for name in ["mei", "li", "wang"] {
            rated(app, &crew, name).await;
        }
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let capped = |caps: Value| {
            let mut document = shipped();
            document["rules"][0]["caps"] = caps;
            document
        };
        let two = capped(json!({"per_rule": [{"times": 2, "per": "P30D"}]}));
        let dear = capped(json!({"budget_fen": 7_000}));
        let out = against(&marketing, &dear, &two).await;
        let within = &out["within_limits"];
        assert_eq!((&within["invitations"], &within["held"], &within["held_by"]["per_rule"]), (&json!(2), &json!(1), &json!(1)), "{out}");
        let before = (&within["invitations_before"], &within["held_before"], &within["held_by_before"]["budget"]);
        assert_eq!(before, (&json!(1), &json!(2), &json!(2)), "a friend is 50 yuan: {out}");
        // Two weeks later nobody has come of the first invitation, so its money is free again.
        app.advance("P15D").await;
        rated(app, &crew, "zhao").await;
        let out = against(&marketing, &dear, &two).await;
        let within = &out["within_limits"];
        assert_eq!((&within["invitations"], &within["held_by"]["per_rule"]), (&json!(2), &json!(2)), "{out}");
        assert_eq!((&within["invitations_before"], &within["held_by_before"]["budget"]), (&json!(2), &json!(2)), "{out}");
    }

    async fn a_budget_is_spent_by_what_a_rule_gives_and_a_pause_of_a_draft_holds_its_invitations(app) {
        let gives = |budget: u64| {
            let mut document = with_rules(&json!([{"id": "came", "title": "好友来了", "on": ["referral.redeemed"],
                "then": [{"effect": "grant", "to": "inviter", "benefit": "gift"}], "caps": {"budget_fen": budget}}]));
            document["benefits"]["gift"] = json!({"kind": "coupon", "fen": 1000, "expires_after": "P30D"});
            document
        };
        let marketing = publishes(app, &coming()).await;
        for inviter in ["mei", "li"] {
            let (_, code) = inviting(app, inviter).await;
            app.comes(&format!("friend of {inviter}"), &code).await;
        }
        let out = against(&marketing, &gives(2_000), &gives(1_999)).await;
        let within = &out["within_limits"];
        assert_eq!((&within["grants"], &within["grants_fen"], &within["held_by"]["budget"]), (&json!(1), &json!(1000), &json!(1)), "{out}");
        assert_eq!((&within["grants_before"], &within["held_before"]), (&json!(2), &json!(0)), "{out}");

        publishes(app, &shipped()).await;
        let crew = app.crew("13800001000").await;
        let wang = app.customer("wang").await;
        wang.consents("referral_profiling", None).await;
        for stars in [[2, 2, 2, 2, 2], [5, 5, 5, 5, 5]] {
            let booking = app.visit(&wang, &crew).await;
            app.rates(&wang, &booking, stars).await;
            app.advance("P9D").await;
        }
        let mut careful = shipped();
        careful["rules"].as_array_mut().unwrap().push(json!({"id": "rest", "title": "差评后先不打扰", "on": ["rating.submitted"],
            "when": {"fact": "rating.score", "op": "lt", "value": 3}, "then": [{"effect": "suppress_invitations", "for": "P60D", "appeal": true}]}));
        let out = tried(&marketing, &careful).await;
        let within = &out["within_limits"];
        assert_eq!((&within["invitations"], &within["held_by"]["suppression"]), (&json!(0), &json!(1)), "{out}");
        assert_eq!((&within["invitations_before"], &within["held_before"]), (&json!(1), &json!(0)), "{out}");
    }

    async fn welcomes_and_thanks_are_kept_within_the_programmes_budget_and_each_inviters_limits(app) {
        let crew = app.crew("13800001000").await;
        let (_, code) = inviting(app, "mei").await;
        let mut friends = Vec::new();
        for name in ["li", "wang"] {
            friends.push(app.comes(name, &code).await.0);
        }
        for friend in &friends {
            app.visit(friend, &crew).await;
        }
        app.advance("P8D").await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        // Wang's welcome would need 3000 beside the 3000 given and the 4000 both thanks may cost.
        let mut poor = shipped();
        poor["caps"]["budget_fen"] = json!(9_999);
        let mut strict = shipped();
        strict["caps"]["per_inviter"] = json!([{"times": 1, "per": "P30D"}]);
        let out = against(&marketing, &strict, &poor).await;
        let within = &out["programme"]["within_limits"];
        let draft = ["welcomes", "thanks", "cost_fen", "held_by_budget", "held_by_inviter"].map(|key| within[key].as_i64().unwrap());
        assert_eq!(draft, [1, 2, 7_000, 1, 0], "{out}");
        let other = ["welcomes_before", "thanks_before", "cost_before_fen", "held_by_budget_before", "held_by_inviter_before"];
        assert_eq!(other.map(|key| within[key].as_i64().unwrap()), [2, 1, 8_000, 0, 1], "{out}");
        assert_eq!((&out["programme"]["welcomes"], &out["cost_fen"]), (&json!(2), &json!(10_000)), "before limits: {out}");
    }
}
