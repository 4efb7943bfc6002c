//! Logging in, staying in, getting out.

use entity::values::StaffRole;
use serde_json::json;

on_both! {
    async fn a_person_is_the_same_account_at_every_login(app) {
        let first = app.customer("mei").await;
        let again = app.stranger().post("auth/wechat", json!({"code": "sandbox-mei"})).await.expect(200);
        assert_eq!(again["account"]["id"], first.id.as_str());
        assert_eq!(again["account"]["kind"], "customer");
        assert_eq!(again["is_new"], false);
        assert!(again["expires_in"].as_i64().unwrap() <= 900);
        assert_ne!(app.customer("li").await.id, first.id);
    }

    async fn a_spent_wechat_code_is_refused(app) {
        app.stranger().post("auth/wechat", json!({"code": "used-mei"})).await.problem(401, "wechat_code_invalid");
    }

    async fn a_refresh_token_works_once_and_its_reuse_ends_the_session(app) {
        let mei = app.customer("mei").await;
        let body = json!({"refresh_token": mei.refresh_token});
        let fresh = app.stranger().post("auth/refresh", body.clone()).await.expect(200);
        app.stranger().post("auth/refresh", body).await.problem(401, "unauthenticated");
        // The thief's and the owner's tokens are both void now.
        let next = json!({"refresh_token": fresh["refresh_token"]});
        app.stranger().post("auth/refresh", next).await.problem(401, "unauthenticated");
        mei.post("auth/logout", json!({})).await.problem(401, "unauthenticated");
    }

    async fn logout_takes_effect_at_once(app) {
        let mei = app.customer("mei").await;
        mei.post("auth/logout", json!({"refresh_token": mei.refresh_token})).await.expect(204);
        mei.post("auth/logout", json!({})).await.problem(401, "unauthenticated");
    }

    async fn an_access_token_ends_after_fifteen_minutes(app) {
        let manager = app.staff(&[StaffRole::Manager]).await.forgetful();
        app.advance("PT15M").await;
        manager.post("admin/test-clock", json!({"advance": "PT1S"})).await.problem(401, "unauthenticated");
    }

    async fn a_wrong_password_and_a_wrong_name_get_the_same_answer(app) {
        let wrong = |name: &str| json!({"username": name, "password": "not the password"});
        let manager = app.staff(&[StaffRole::Manager]).await;
        assert!(!manager.token.is_empty());
        let one = app.stranger().post("auth/staff", wrong("staff0")).await.problem(401, "unauthenticated");
        let two = app.stranger().post("auth/staff", wrong("nobody")).await.problem(401, "unauthenticated");
        assert_eq!(one["detail"], two["detail"]);
    }

    async fn the_wrong_role_is_forbidden_and_no_role_is_unauthenticated(app) {
        let body = json!({"advance": "PT1S"});
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        marketing.post("admin/test-clock", body.clone()).await.problem(403, "forbidden");
        app.customer("mei").await.post("admin/test-clock", body.clone()).await.problem(403, "forbidden");
        app.stranger().post("admin/test-clock", body).await.problem(401, "unauthenticated");
    }
}
