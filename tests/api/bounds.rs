//! What a rule did so far, kept beside its counter: never too small, and counted anew where it leaves no room.

use crate::{
    rules::{drafts, publishes, shipped},
    support::{Crew, Person, TestApp},
};
use entity::values::StaffRole;
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use serde_json::{Value, json};

const RULE: &str = "quality-baseline";

/// A consenting customer with a visit he has not rated: he, and where he rates it.
async fn pleased(app: &TestApp, crew: &Crew, name: &str) -> (Person, String) {
    let person = app.customer(name).await;
    person.consents("referral_profiling", None).await;
    let booking = app.visit(&person, crew).await;
    let path = format!("bookings/{}/rating", booking["id"].as_str().unwrap());
    (person, path)
}

/// He rates it as well as can be, and nobody works on it yet.
async fn rates_unheard((person, path): &(Person, String)) {
    let stars =
        json!({"quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5});
    person.post(path, stars).await.expect(201);
}

/// Works off what is due as another process would: it shares nothing with other workers but the database and the queue.
pub(crate) async fn apart(app: &TestApp) {
    let registry = linjian::app::registry();
    linjian::outbox::drain(app.ctx(), &registry).await.unwrap();
}

/// A consenting customer with a visit he was delighted with; whether he was asked to recommend.
async fn delighted(app: &TestApp, crew: &Crew, name: &str) -> (Person, bool) {
    let person = app.customer(name).await;
    person.consents("referral_profiling", None).await;
    let booking = app.visit(&person, crew).await;
    app.rates(&person, &booking, [5, 5, 5, 5, 5]).await;
    let asked = !invitation(&person).await.is_null();
    (person, asked)
}

async fn invitation(person: &Person) -> Value {
    person.get("me/invitations").await.expect(200)["items"][0].clone()
}

/// A friend who comes through somebody's invitation as soon as it is sent.
async fn comes_by(app: &TestApp, inviter: &Person, name: &str) -> Person {
    app.advance_to(&invitation(inviter).await["scheduled_at"])
        .await;
    app.comes(name, &invitation(inviter).await["code"]).await.0
}

/// What is kept beside the rule's counter: how many it asked in its first span, and what it promised, fen.
async fn kept(app: &TestApp) -> Option<(i64, i64)> {
    let row = entity::cap_lock::Entity::find_by_id(format!("rule:{RULE}"))
        .one(app.ctx().db.read())
        .await
        .unwrap()
        .unwrap();
    let bounds: Value = serde_json::from_str(&row.bounds?).unwrap();
    Some((
        bounds["asked"][0].as_i64().unwrap(),
        bounds["promised"][0].as_i64().unwrap(),
    ))
}

async fn number(app: &TestApp, sql: &str) -> i64 {
    let db = app.ctx().db.read();
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// The same, counted from the rows: welcomes of at most 30 yuan, thanks of 20. Time does not pass here beyond the cap's span.
async fn counted(app: &TestApp) -> (i64, i64) {
    let asked = number(app, "SELECT COUNT(*) FROM invitation WHERE rule_id = 'quality-baseline' AND status NOT IN ('recalled', 'suppressed')").await;
    let open = number(app, "SELECT COUNT(*) FROM invitation WHERE rule_id = 'quality-baseline' AND status IN ('scheduled', 'sent', 'opened')").await;
    let through = "SELECT r.id FROM referral r JOIN invitation i ON i.id = r.invitation_id WHERE i.rule_id = 'quality-baseline'";
    let awaited = number(
        app,
        &format!("SELECT COUNT(*) FROM ({through} AND r.status = 'registered') friends"),
    )
    .await;
    let given = number(
        app,
        &format!(
            "SELECT CAST(COALESCE(SUM(cost_fen), 0) AS BIGINT) FROM reward \
        WHERE status NOT IN ('revoked', 'held') AND referral_id IN ({through})"
        ),
    )
    .await;
    (asked, given + awaited * 2_000 + open * 5_000)
}

/// What is kept is nothing, or no less than what the rows say.
async fn never_too_small(app: &TestApp, when: &str) {
    let (asked, promised) = counted(app).await;
    if let Some((most_asked, most_promised)) = kept(app).await {
        assert!(
            most_asked >= asked,
            "{when}: {most_asked} kept, {asked} asked"
        );
        assert!(
            most_promised >= promised,
            "{when}: {most_promised} kept, {promised} promised"
        );
    }
}

fn limited(times: u32, budget: i64) -> Value {
    let mut document = shipped();
    document["rules"][0]["caps"]["per_rule"] = json!([{"times": times, "per": "P30D"}]);
    document["rules"][0]["caps"]["budget_fen"] = json!(budget);
    document
}

on_both! {
    async fn invitations_are_added_to_what_is_kept_without_counting(app) {
        publishes(app, &limited(10, 100_000)).await;
        let crew = app.crew("13800001000").await;
        for (many, name) in [(1, "mei"), (2, "li"), (3, "wang")] {
            assert!(delighted(app, &crew, name).await.1, "{name}");
            assert_eq!(kept(app).await, Some((many, many * 5_000)), "{name}");
            assert_eq!(counted(app).await, (many, many * 5_000), "{name}");
        }
    }

    async fn a_place_that_was_given_back_is_found_when_the_kept_number_is_full(app) {
        let marketing = publishes(app, &limited(2, 100_000)).await;
        let crew = app.crew("13800001000").await;
        let (mei, _) = delighted(app, &crew, "mei").await;
        assert!(delighted(app, &crew, "li").await.1);
        assert!(!delighted(app, &crew, "wang").await.1, "two of two");
        let id = invitation(&mei).await["id"].as_str().unwrap().to_owned();
        marketing.post(&format!("admin/invitations/{id}/recall"), json!({})).await.expect(200);
        never_too_small(app, "recalled").await;
        assert!(delighted(app, &crew, "zhao").await.1, "the place of the invitation that was taken back");
        assert!(!delighted(app, &crew, "qian").await.1, "two of two again");
    }

    async fn what_is_kept_under_one_set_says_nothing_about_the_next(app) {
        publishes(app, &limited(10, 100_000)).await;
        let crew = app.crew("13800001000").await;
        for name in ["mei", "li"] {
            assert!(delighted(app, &crew, name).await.1, "{name}");
        }
        let mut dearer = limited(10, 100_000);
        dearer["benefits"]["thanks"]["fen"] = json!(2_500);
        publishes(app, &dearer).await;
        assert!(delighted(app, &crew, "wang").await.1);
        assert_eq!(kept(app).await, Some((3, 3 * 5_500)), "all three at the new price");
    }

    async fn a_rule_that_comes_back_in_the_next_period_has_its_budget_anew(app) {
        let mut document = limited(10, 5_000);
        publishes(app, &document).await;
        let crew = app.crew("13800001000").await;
        let (mei, _) = delighted(app, &crew, "mei").await;
        let li = comes_by(app, &mei, "li").await;
        let booking = app.books(&li).await;
        app.pays(&li, &booking, booking["total_fen"].as_i64().unwrap()).await;
        app.serves(&li, &crew, &booking).await;
        app.advance("P8D").await;
        assert_eq!(counted(app).await.1, 5_000, "a welcome and a thanks are given");
        assert!(!delighted(app, &crew, "wang").await.1, "5000 of 5000");
        let today = linjian::kernel::business_date(app.ctx().env.now());
        document["period"]["from"] = json!(today);
        publishes(app, &document).await;
        assert!(delighted(app, &crew, "zhao").await.1, "of the new period's 5000 nothing is spoken for");
        assert!(!delighted(app, &crew, "qian").await.1, "now they are");
        assert_eq!(kept(app).await, Some((2, 5_000)));
    }

    async fn a_friend_of_the_last_period_who_has_not_ordered_is_still_reserved_for(app) {
        let mut document = limited(10, 5_000);
        publishes(app, &document).await;
        let crew = app.crew("13800001000").await;
        let (mei, _) = delighted(app, &crew, "mei").await;
        comes_by(app, &mei, "li").await;
        app.advance("P2D").await;
        document["period"]["from"] = json!(linjian::kernel::business_date(app.ctx().env.now()));
        publishes(app, &document).await;
        assert!(!delighted(app, &crew, "wang").await.1, "2000 of 5000 may go to mei yet");
    }

    async fn what_is_released_in_a_period_is_its_money(app) {
        let mut document = limited(20, 100_000);
        document["caps"]["budget_fen"] = json!(5_000);
        publishes(app, &document).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let crew = app.crew("13800001000").await;
        let mut held = Value::Null;
        for (name, friend) in [("mei", "wang"), ("li", "zhao")] {
            let (person, _) = delighted(app, &crew, name).await;
            let friend = comes_by(app, &person, friend).await;
            held = friend.get("me/rewards").await.expect(200)["items"][0].clone();
        }
        assert_eq!(held["status"], "held", "{held}");
        app.advance("P2D").await;
        document["period"]["from"] = json!(linjian::kernel::business_date(app.ctx().env.now()));
        document["caps"]["budget_fen"] = json!(500_000);
        publishes(app, &document).await;
        let release = format!("admin/rewards/{}/release", held["id"].as_str().unwrap());
        manager.post(&release, json!({})).await.expect(200);
        assert!(delighted(app, &crew, "sun").await.1);
        let expected = 3_000 + 2 * 2_000 + 5_000;
        assert_eq!(kept(app).await, Some((3, expected)), "released, two friends awaited, one invitation open");
    }

    async fn friends_rewards_refunds_and_releases_never_make_the_kept_number_too_small(app) {
        // The programme can pay one welcome and one thanks; the next friend's is held until somebody releases it.
        let mut document = limited(20, 100_000);
        document["caps"]["budget_fen"] = json!(5_000);
        publishes(app, &document).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let crew = app.crew("13800001000").await;
        let mut codes = Vec::new();
        for name in ["mei", "li"] {
            let (person, _) = delighted(app, &crew, name).await;
            app.advance_to(&invitation(&person).await["scheduled_at"]).await;
            codes.push(invitation(&person).await["code"].as_str().unwrap().to_owned());
        }
        never_too_small(app, "asked").await;
        let mut held = Value::Null;
        for (name, code) in [("wang", &codes[0]), ("zhao", &codes[1])] {
            let friend = app.customer(name).await;
            friend.consents("referral_link", None).await;
            friend.post("referrals", json!({ "code": code })).await.expect(201);
            app.drain().await;
            never_too_small(app, name).await;
            held = friend.get("me/rewards").await.expect(200)["items"][0].clone();
        }
        assert_eq!(held["status"], "held", "{held}");
        assert!(delighted(app, &crew, "qian").await.1, "counted anew, without what is held");
        let (asked, promised) = counted(app).await;
        assert_eq!(kept(app).await, Some((asked, promised)));
        let release = format!("admin/rewards/{}/release", held["id"].as_str().unwrap());
        manager.post(&release, json!({})).await.expect(200);
        assert_eq!(kept(app).await, None, "what was released is money the kept number does not hold");
        assert!(delighted(app, &crew, "sun").await.1);
        assert_eq!(kept(app).await, Some((asked + 1, promised + 3_000 + 5_000)));
        let wang = app.customer("wang").await;
        let booking = app.books(&wang).await;
        app.pays(&wang, &booking, booking["total_fen"].as_i64().unwrap()).await;
        app.serves(&wang, &crew, &booking).await;
        app.advance("P7DT1S").await;
        never_too_small(app, "wang's order qualified").await;
    }

    async fn friends_who_come_while_people_are_asked_never_make_the_kept_number_too_small(app) {
        publishes(app, &limited(40, 1_000_000)).await;
        let crew = app.crew("13800001000").await;
        let (mei, _) = delighted(app, &crew, "mei").await;
        app.advance_to(&invitation(&mei).await["scheduled_at"]).await;
        let code = invitation(&mei).await["code"].clone();
        for round in 0..6 {
            let booking = pleased(app, &crew, &format!("host{round}")).await;
            let friend = app.customer(&format!("friend{round}")).await;
            friend.consents("referral_link", None).await;
            rates_unheard(&booking).await;
            let comes = friend.post("referrals", json!({ "code": code }));
            let (came, (), ()) = tokio::join!(comes, apart(app), apart(app));
            came.expect(201);
            never_too_small(app, &format!("round {round}, at once")).await;
            app.drain().await;
            never_too_small(app, &format!("round {round}, after it")).await;
        }
        assert!(delighted(app, &crew, "last").await.1);
        assert_eq!(counted(app).await.0, 8, "everybody was asked");
        assert_eq!(kept(app).await, Some(counted(app).await), "counted anew after the last friend");
    }

    async fn two_versions_that_ask_in_turn_do_not_count_on_each_others_numbers(app) {
        let marketing = publishes(app, &limited(4, 100_000)).await;
        let crew = app.crew("13800001000").await;
        let mut visits = Vec::new();
        for name in ["mei", "li", "wang", "zhao", "qian"] {
            visits.push(pleased(app, &crew, name).await);
        }
        let mut dearer = limited(4, 100_000);
        dearer["benefits"]["thanks"]["fen"] = json!(2_500);
        // Nobody works meanwhile, so each rating is judged by the set of its moment, all in one pile.
        rates_unheard(&visits[0]).await;
        publishes(app, &dearer).await;
        rates_unheard(&visits[1]).await;
        marketing.post("admin/rulesets/rollback", json!({})).await.expect(200);
        for visit in &visits[2..] {
            rates_unheard(visit).await;
        }
        app.drain().await;
        never_too_small(app, "after the pile").await;
        assert_eq!(counted(app).await, (4, 4 * 5_000), "four of four, whichever version asked");
    }

    async fn what_a_version_without_limits_asks_counts_when_the_limited_one_comes_back(app) {
        let officer = app.staff(&[StaffRole::Pipo]).await;
        let second = app.staff(&[StaffRole::Marketing]).await;
        let marketing = publishes(app, &limited(3, 100_000)).await;
        let crew = app.crew("13800001000").await;
        assert!(delighted(app, &crew, "mei").await.1);
        assert_eq!(kept(app).await, Some((1, 5_000)));
        let mut free = shipped();
        free["rules"][0]["caps"] = json!({});
        let until = app.ctx().env.now() + chrono::Duration::days(30);
        for lint in ["REF-L15", "REF-L31"] {
            officer.post("admin/legal-opinions", json!({"lint_id": lint, "document_ref": "法务〔2026〕31号", "valid_until": until,
                "opinion": "经法务审查,本次短期活动可以不设上限,由人工每日核对。"})).await.expect(201);
        }
        let id = drafts(&marketing, &free).await;
        second.post(&format!("admin/rulesets/{id}/approve"), json!({"reason": "已与法务核对,活动只有一天,人工核对"})).await.expect(200);
        marketing.post(&format!("admin/rulesets/{id}/publish"), json!({})).await.expect(200);
        for name in ["li", "wang"] {
            assert!(delighted(app, &crew, name).await.1, "{name}");
            assert_eq!(kept(app).await, None, "{name}");
        }
        marketing.post("admin/rulesets/rollback", json!({})).await.expect(200);
        assert!(!delighted(app, &crew, "zhao").await.1, "three of three, two of them asked without a limit");
    }
}
