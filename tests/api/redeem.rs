//! A friend comes: generations, benefits, thank-yous, and what a refund takes back.

use crate::support::{Crew, Person, TestApp};
use entity::values::StaffRole;
use serde_json::{Value, json};

async fn code_of(person: &Person) -> String {
    person.post("me/invitations", json!({})).await.expect(201)["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn comes_through(app: &TestApp, name: &str, code: &str) -> (Person, Value) {
    let friend = app.customer(name).await;
    friend.consents("referral_link", None).await;
    let link = friend
        .post("referrals", json!({ "code": code }))
        .await
        .expect(201);
    app.drain().await;
    (friend, link)
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
    let booking = app.books(friend).await;
    app.pays(friend, &booking, booking["total_fen"].as_i64().unwrap())
        .await;
    let booking = app.serves(friend, crew, &booking).await;
    app.advance("P7DT1S").await;
    booking
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
        app.advance("P30D").await;
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
}
