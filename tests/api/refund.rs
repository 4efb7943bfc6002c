//! Money that goes back: parts, races, outages, refusals, and where the ledger stands afterwards.

use crate::{
    booking::{books_at, id_of, moment, rfc, slots, told},
    payment::{cashier, incidents, ledger, orders, see, statuses},
    support::{Person, TestApp},
};
use chrono::Duration;
use entity::{
    outbox as outbox_table, refund,
    values::{RefundStatus, StaffRole},
};
use linjian::{
    outbox,
    platform::{
        Ctx, test_clock,
        wechat::{
            WechatClient,
            sandbox::{Sandbox, SandboxSettings},
        },
    },
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

/// The node with another WeChat at the far end: one that knows nobody, or, switched off, one that never answers.
async fn elsewhere(app: &TestApp, answers: bool) -> (Ctx, Sandbox, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let env = app.ctx().env.clone();
    let about = SandboxSettings {
        data_dir: folder.path().to_owned(),
        env: env.clone(),
    };
    let sandbox = Sandbox::start(about).await.unwrap();
    let wechat = WechatClient::new(sandbox.settings("http://127.0.0.1:9"), env).unwrap();
    if !answers {
        sandbox.shutdown().await;
    }
    (
        Ctx {
            wechat,
            ..app.ctx().clone()
        },
        sandbox,
        folder,
    )
}

/// Moves the clock without running anything.
async fn later(app: &TestApp, by: Duration) {
    let clock = app.ctx().test_clock.as_ref().unwrap();
    test_clock::advance(&app.ctx().db, clock, by).await.unwrap();
}

async fn drain(app: &TestApp, ctx: &Ctx) {
    outbox::drain(ctx, &app.node.registry).await.unwrap();
}

async fn refunds(app: &TestApp) -> Vec<refund::Model> {
    let rows = refund::Entity::find().order_by_asc(refund::Column::Id);
    rows.all(app.ctx().db.read()).await.unwrap()
}

/// Whether each refund told was the full one, in order.
async fn fulls(app: &TestApp) -> Vec<bool> {
    let rows = outbox_table::Entity::find()
        .filter(outbox_table::Column::Kind.eq("payment.refunded.v1"))
        .order_by_asc(outbox_table::Column::Id);
    let rows = rows.all(app.ctx().db.read()).await.unwrap();
    rows.iter()
        .map(|row| row.payload["full"].as_bool().unwrap())
        .collect()
}

async fn gives_back(staff: &Person, booking: &Value, fen: Option<i64>) -> Value {
    let mut body = json!({ "booking_id": booking["id"], "reason": "不满意" });
    if let Some(fen) = fen {
        body["amount_fen"] = json!(fen);
    }
    staff.post("admin/refunds", body).await.expect(201)
}

async fn cancels(person: &Person, booking: &Value) {
    let path = format!("bookings/{}/cancel", id_of(booking));
    person
        .post(&path, json!({ "reason": "临时有事" }))
        .await
        .expect(200);
}

on_both! {
    async fn parts_that_sum_to_everything_paid_are_a_full_refund(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        app.pays(&mei, &booking, 4000).await;
        for (fen, left) in [(8000, 4000), (1000, 3000), (3000, 0)] {
            gives_back(&manager, &booking, Some(fen)).await;
            app.settled_refund().await;
            assert_eq!(see(&mei, &booking).await["refunded_fen"], 12_000 - left);
        }
        assert_eq!(fulls(app).await, [false, false, true]);
        let rows = refunds(app).await;
        // The first gives back the whole of one payment, which is not all that was paid for the booking.
        assert_eq!(rows.iter().map(|row| row.full).collect::<Vec<_>>(), [false, false, true]);
        let body = json!({ "booking_id": booking["id"], "reason": "x" });
        manager.post("admin/refunds", body).await.problem(409, "invalid_state");
        assert_eq!(ledger(app).await, json!({}));
    }

    async fn a_refund_takes_from_the_payments_in_their_order_and_never_more_than_was_paid(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        app.pays(&mei, &booking, 4000).await;
        let much = json!({ "booking_id": booking["id"], "amount_fen": 12_001, "reason": "x" });
        let fault = manager.post("admin/refunds", much.clone()).await.problem(422, "validation");
        assert_eq!(fault["errors"][0]["pointer"], "/amount_fen");
        manager.post_without_key("admin/refunds", much).await.problem(422, "idempotency_key_required");
        let given = gives_back(&manager, &booking, Some(9000)).await;
        assert_eq!((&given["parts"][0]["amount_fen"], &given["parts"][1]["amount_fen"]), (&json!(8000), &json!(1000)));
        app.settled_refund().await;
        assert_eq!(see(&mei, &booking).await["refunded_fen"], 9000);
    }

    async fn cancelling_while_a_staff_refund_is_on_its_way_gives_back_what_is_left(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        for (asked, fen) in [(None, 0), (Some(3000), 5000)] {
            let service = app.service("daily-cleaning").await;
            let start = slots(app, &service, 4).await[0].clone();
            let booking = books_at(app, &mei, &start).await;
            app.pays(&mei, &booking, 8000).await;
            // Nothing runs between the two.
            gives_back(&manager, &booking, asked).await;
            cancels(&mei, &booking).await;
            app.settled_refund().await;
            let ended = see(&mei, &booking).await;
            assert_eq!((&ended["status"], &ended["refunded_fen"]), (&json!("cancelled"), &json!(8000)), "{fen}");
            assert_eq!(ledger(app).await, json!({}));
        }
    }

    async fn a_late_cancellation_never_keeps_what_is_on_its_way_back(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        app.advance_to(&rfc(moment(&booking["start_at"]) - Duration::hours(2))).await;
        gives_back(&manager, &booking, Some(7000)).await;
        cancels(&mei, &booking).await;
        app.settled_refund().await;
        // The fee would be 32 yuan; 10 are left of what was paid.
        assert_eq!(see(&mei, &booking).await["refunded_fen"], 7000);
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 1000, "revenue": -1000 }));
    }

    async fn a_kept_fee_is_revenue_and_giving_it_back_later_takes_it_from_there(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        app.advance_to(&rfc(moment(&booking["start_at"]) - Duration::hours(2))).await;
        cancels(&mei, &booking).await;
        app.settled_refund().await;
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 3200, "revenue": -3200 }));
        gives_back(&manager, &booking, None).await;
        app.settled_refund().await;
        assert_eq!(ledger(app).await, json!({}));
        assert_eq!(fulls(app).await, [false, true]);
    }

    async fn a_refund_before_completion_leaves_only_the_rest_to_be_earned(app) {
        let crew = app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        gives_back(&manager, &booking, Some(3000)).await;
        app.settled_refund().await;
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 5000, "prepayment": -5000 }));
        app.serves(&mei, &crew, &booking).await;
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 5000, "revenue": -5000 }));
        gives_back(&manager, &booking, Some(1000)).await;
        app.settled_refund().await;
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 4000, "revenue": -4000 }));
    }

    async fn everything_refunded_before_completion_and_a_balance_paid_after_it_add_up(app) {
        let crew = app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        gives_back(&manager, &booking, None).await;
        app.settled_refund().await;
        app.serves(&mei, &crew, &booking).await;
        assert_eq!(ledger(app).await, json!({}));
        app.pays(&mei, &booking, 8000).await;
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 8000, "revenue": -8000 }));
    }

    async fn a_payment_after_the_hold_goes_back_by_itself(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let order = orders(&mei, &booking, 8000).await;
        // WeChat is out of reach while the hold ends, so the order stays open there and is paid a moment too late.
        let (dead, _, _) = elsewhere(app, false).await;
        later(app, Duration::minutes(16)).await;
        drain(app, &dead).await;
        assert_eq!(see(&mei, &booking).await["status"], "expired");
        assert_eq!(statuses(app, &booking).await, ["pending"]);
        assert!(cashier(&mei, &order, json!({})).await[0] < 300);
        app.settled_refund().await;
        let ended = see(&mei, &booking).await;
        assert_eq!((&ended["status"], &ended["prepaid_fen"]), (&json!("expired"), &json!(0)));
        assert_eq!(refunds(app).await[0].status, RefundStatus::Succeeded);
        assert_eq!(ledger(app).await, json!({}));
        assert_eq!(told(app, "payment.succeeded.v1").await, 0);
    }

    async fn part_of_the_half_goes_back_when_the_hold_ends(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 3000).await;
        app.advance("PT15M1S").await;
        app.settled_refund().await;
        let ended = see(&mei, &booking).await;
        assert_eq!((&ended["status"], &ended["refunded_fen"]), (&json!("expired"), &json!(3000)));
        assert_eq!(ledger(app).await, json!({}));
    }

    async fn an_outage_of_wechat_makes_refunds_late_and_loses_none(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        gives_back(&manager, &booking, None).await;
        let (dead, _, _) = elsewhere(app, false).await;
        for _ in 0..12 {
            drain(app, &dead).await;
            later(app, Duration::minutes(2)).await;
        }
        assert_eq!(refunds(app).await[0].settled_at, None);
        assert!(outbox::dead_letters(app.ctx(), 10).await.unwrap().is_empty());
        app.advance("PT11M").await;
        app.settled_refund().await;
        assert_eq!(see(&mei, &booking).await["refunded_fen"], 8000);
        assert_eq!(refunds(app).await.len(), 1);
    }

    async fn an_outage_loses_no_payment_and_leaves_no_order_open(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let paid = orders(&mei, &booking, 8000).await;
        cashier(&mei, &paid, json!({ "trouble": "bad-signature" })).await;
        let other = app.customer("li").await;
        let unpaid = app.books(&other).await;
        orders(&other, &unpaid, 8000).await;
        let (dead, _, _) = elsewhere(app, false).await;
        for _ in 0..12 {
            later(app, Duration::minutes(3)).await;
            drain(app, &dead).await;
        }
        assert!(outbox::dead_letters(app.ctx(), 10).await.unwrap().is_empty());
        app.advance("PT11M").await;
        app.settled_refund().await;
        // The hold ended meanwhile: what was paid goes back, what was not is closed.
        assert_eq!(statuses(app, &booking).await, ["paid"]);
        assert_eq!(statuses(app, &unpaid).await, ["closed"]);
        assert_eq!(ledger(app).await, json!({}));
    }

    async fn a_refund_refused_for_good_is_an_incident_and_staff_can_issue_another(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        gives_back(&manager, &booking, None).await;
        let (strange, sandbox, _folder) = elsewhere(app, true).await;
        drain(app, &strange).await;
        sandbox.shutdown().await;
        assert_eq!(refunds(app).await[0].status, RefundStatus::Failed);
        assert_eq!(incidents(app).await, ["refund_failed"]);
        assert_eq!(see(&mei, &booking).await["refunded_fen"], 0);
        gives_back(&manager, &booking, None).await;
        app.settled_refund().await;
        assert_eq!(see(&mei, &booking).await["refunded_fen"], 8000);
        assert_eq!(ledger(app).await, json!({}));
    }

    async fn two_refunds_of_everything_at_once_give_it_back_once(app) {
        app.crew("13800001000").await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        app.pays(&mei, &booking, 8000).await;
        let body = json!({ "booking_id": booking["id"], "reason": "x" });
        let tasks = (0..8).map(|_| {
            let (manager, body) = (manager.clone(), body.clone());
            tokio::spawn(async move { manager.post("admin/refunds", body).await.status })
        });
        let mut given = 0;
        for task in tasks.collect::<Vec<_>>() {
            match task.await.unwrap() {
                201 => given += 1,
                other => assert_eq!(other, 409),
            }
        }
        assert_eq!(given, 1);
        app.settled_refund().await;
        assert_eq!(see(&mei, &booking).await["refunded_fen"], 8000);
    }
}
