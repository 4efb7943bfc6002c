//! The own page, the funnel, the graph, the audit log.

use crate::support::{Person, TestApp};
use entity::values::StaffRole;
use serde_json::{Value, json};

async fn code_of(person: &Person) -> String {
    let own = person.post("me/invitations", json!({})).await.expect(201);
    own["code"].as_str().unwrap().to_owned()
}

async fn comes_through(app: &TestApp, name: &str, code: &str) -> Person {
    app.comes(name, &json!(code)).await.0
}

fn row<'a>(funnel: &'a Value, key: &str) -> &'a Value {
    let items = funnel["items"].as_array().unwrap();
    items
        .iter()
        .find(|one| one["key"] == key)
        .unwrap_or_else(|| panic!("no row {key} in {funnel:#}"))
}

on_both! {
    async fn my_page_shows_my_name_masked_phone_generation_and_tier(app) {
        let mei = app.customer("mei").await;
        mei.patch("me", json!({ "name": "梅女士" })).await.expect(200);
        mei.post("auth/phone", json!({ "code": "phone-13912345678" })).await.expect(200);
        let me = mei.get("me").await.expect(200);
        assert_eq!(me["name"], "梅女士");
        assert_eq!(me["phone_masked"], "139****5678");
        assert_eq!((me["kind"].as_str(), me["generation"].as_i64()), (Some("customer"), Some(0)));
        assert_eq!(me["tier"], "basic");
        let li = comes_through(app, "li", &code_of(&mei).await).await;
        assert_eq!(li.get("me").await.expect(200)["generation"], 1);
        let staff = app.staff(&[StaffRole::Pipo]).await.get("me").await.expect(200);
        assert_eq!((&staff["tier"], &staff["roles"]), (&Value::Null, &json!(["pipo"])));
        mei.patch("me", json!({ "name": "" })).await.problem(422, "validation");
        mei.patch("me", json!({ "name": "a\u{0}b" })).await.problem(422, "validation");
    }

    async fn completed_visits_of_the_last_year_make_a_tier(app) {
        let mei = app.customer("mei").await;
        let crew = app.crew("13800001000").await;
        for _ in 0..3 {
            app.visit(&mei, &crew).await;
        }
        assert_eq!(mei.get("me").await.expect(200)["tier"], "silver");
    }

    async fn the_funnel_counts_every_step_of_an_invitation_and_names_nobody(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        let invitation = mei.get("me/invitations").await.expect(200)["items"][0].clone();
        let funnel = marketing.get("admin/reports/referral-funnel").await.expect(200);
        let asked = row(&funnel, "quality-baseline");
        assert_eq!((asked["asked"].as_i64(), asked["sent"].as_i64()), (Some(1), Some(0)));
        assert_eq!(asked["median_seconds_to_convert"], Value::Null);

        app.advance_to(&invitation["scheduled_at"]).await;
        let code = invitation["code"].as_str().unwrap();
        app.stranger().get(&format!("referrals/{code}")).await.expect(200);
        app.advance("PT1H").await;
        let li = comes_through(app, "li", code).await;
        let order = app.books(&li).await;
        app.pays(&li, &order, order["total_fen"].as_i64().unwrap()).await;
        app.serves(&li, &crew, &order).await;
        app.advance("P8D").await;

        for by in ["rule", "generation", "service"] {
            let path = format!("admin/reports/referral-funnel?by={by}");
            let funnel = marketing.get(&path).await.expect(200);
            let key = match by {
                "rule" => "quality-baseline",
                "generation" => "1",
                _ => "daily-cleaning",
            };
            let all = row(&funnel, key);
            for step in ["asked", "sent", "opened", "redeemed", "friends", "first_paid", "rewarded"] {
                assert_eq!(all[step], 1, "{by} {step}: {all}");
            }
            assert_eq!(all["k_factor"].to_string(), "1.0");
            let wait = all["median_seconds_to_convert"].as_i64().unwrap();
            assert!((3600..4000).contains(&wait), "{wait}");
            assert!(!funnel.to_string().contains(&mei.id), "a person is named");
        }
        let later = marketing.get("admin/reports/referral-funnel?from=2099-01-01").await.expect(200);
        assert_eq!(later["items"], json!([]));
        let wrong = marketing.get("admin/reports/referral-funnel?from=soon").await;
        assert_eq!(wrong.problem(422, "validation")["errors"][0]["pointer"], "/query/from");
    }

    async fn the_graph_holds_people_who_agreed_twice_and_forgets_who_withdraws(app) {
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        let mei = app.customer("mei").await;
        mei.patch("me", json!({ "name": "梅女士" })).await.expect(200);
        let li = comes_through(app, "li", &code_of(&mei).await).await;
        let wang = comes_through(app, "wang", &code_of(&li).await).await;
        let path = "admin/referral-graph?limit=500";
        assert_eq!(marketing.get(path).await.expect(200)["nodes"], json!([]));

        mei.decides("graph_analysis", "granted", "popup", None).await;
        assert_eq!(marketing.get(path).await.expect(200)["nodes"], json!([]), "one act is not two");
        for person in [&mei, &li] {
            person.consents("graph_analysis", None).await;
        }
        let graph = marketing.get(path).await.expect(200);
        assert_eq!(graph["nodes"].as_array().unwrap().len(), 2);
        assert_eq!(graph["edges"].as_array().unwrap().len(), 1, "Wang has not agreed: {graph}");
        assert!(!graph.to_string().contains("梅女士"), "names are masked");

        wang.consents("graph_analysis", None).await;
        let near = marketing.get(&format!("admin/referral-graph?root={}", mei.id)).await.expect(200);
        assert_eq!(near["nodes"].as_array().unwrap().len(), 2, "one step by default");
        let far = marketing.get(&format!("admin/referral-graph?root={}&depth=2", mei.id)).await.expect(200);
        assert_eq!(far["nodes"].as_array().unwrap().len(), 3);
        let cut = marketing.get(&format!("admin/referral-graph?root={}&depth=2&limit=2", mei.id)).await.expect(200);
        assert_eq!((cut["nodes"].as_array().unwrap().len(), &cut["truncated"]), (2, &json!(true)));
        marketing.get("admin/referral-graph?depth=4").await.problem(422, "validation");
        marketing.get("admin/referral-graph?limit=501").await.problem(422, "validation");

        li.delete("me/consents/graph_analysis").await.expect(200);
        let after = marketing.get(path).await.expect(200);
        assert_eq!((after["nodes"].as_array().unwrap().len(), &after["edges"]), (2, &json!([])));
        let gone = marketing.get(&format!("admin/referral-graph?root={}", li.id)).await;
        gone.problem(404, "not_found");
    }

    async fn the_officer_reads_who_called_what_and_the_log_is_a_chain(app) {
        let pipo = app.staff(&[StaffRole::Pipo]).await;
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        marketing.get("admin/rulesets").await.expect(200);
        marketing.get("admin/audit").await.problem(403, "forbidden");
        let log = pipo.get("admin/audit?limit=100").await.expect(200);
        let items = log["items"].as_array().unwrap();
        let by = |action: &str| {
            items
                .iter()
                .find(|one| one["actor_id"] == marketing.id && one["action"].as_str().unwrap().contains(action))
        };
        assert!(by("/admin/rulesets").is_some(), "{log:#}");
        assert!(by("/admin/audit").is_some(), "a refusal is recorded too");
        let chain = pipo.get("admin/audit/verify").await.expect(200);
        assert_eq!((&chain["ok"], &chain["first_bad"]), (&json!(true), &Value::Null));
        assert!(chain["checked"].as_i64().unwrap() >= 2);
    }
}
