//! Each day beside WeChat's bill: what fits, what is made good, what is reported; money that came twice; fulfilment.

use crate::{
    booking::{id_of, told},
    payment::{cashier, incidents, ledger, orders, see, statuses},
    support::{Backend, Person, TestApp},
};
use chrono::{Duration, NaiveDate};
use entity::{
    ids::PaymentId,
    payment, refund, timer, transfer,
    values::{Fen, PaymentStatus, RefundStatus, StaffRole},
};
use linjian::{
    app::Half,
    kernel::{business_date, day_bounds},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::Expr,
};
use serde_json::{Value, json};

fn today(app: &TestApp) -> NaiveDate {
    business_date(app.ctx().env.now())
}

/// Moves the clock to a time of a day in Beijing.
async fn until(app: &TestApp, day: NaiveDate, minutes: i64) {
    let at = day_bounds(day).0 + Duration::minutes(minutes);
    let seconds = (at - app.ctx().env.now()).num_seconds() + 1;
    assert!(seconds > 0, "the clock does not go back");
    app.advance(&format!("PT{seconds}S")).await;
}

/// What the daily round of the next morning says about a day.
async fn compared(app: &TestApp, day: NaiveDate) -> Value {
    until(app, day.succ_opt().unwrap(), 10 * 60 + 31).await;
    report(app, day).await
}

async fn report(app: &TestApp, day: NaiveDate) -> Value {
    let manager = app.staff(&[StaffRole::Manager]).await;
    let path = format!("admin/reconciliations/{day}");
    manager.get(&path).await.expect(200)
}

/// Kind, status and trade of every difference.
fn kinds(report: &Value) -> Vec<String> {
    let mut all: Vec<String> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let word = |key: &str| one[key].as_str().unwrap().to_owned();
            format!("{} {} {}", word("trade"), word("kind"), word("status"))
        })
        .collect();
    all.sort();
    all
}

async fn change(app: &TestApp, row: payment::ActiveModel) {
    let tx = app.ctx().db.begin_write().await.unwrap();
    row.update(&tx).await.unwrap();
    app.ctx().commit(tx).await.unwrap();
}

fn payment_of(order: &Value) -> PaymentId {
    PaymentId(id_of(order).parse().unwrap())
}

/// Books and prepays half.
async fn paid(app: &TestApp, person: &Person) -> (Value, Value) {
    let booking = app.books(person).await;
    let order = app.pays(person, &booking, 8000).await;
    (booking, order)
}

/// Nobody tells us of this payment and nobody asks: what a crash at the wrong moment would leave.
async fn forgotten(app: &TestApp, person: &Person) -> (Value, Value) {
    let booking = app.books(person).await;
    let order = orders(person, &booking, 8000).await;
    cashier(person, &order, json!({ "trouble": "bad-signature" })).await;
    let row = payment::ActiveModel {
        id: Set(payment_of(&order)),
        status: Set(PaymentStatus::Closed),
        ..Default::default()
    };
    change(app, row).await;
    let tx = app.ctx().db.begin_write().await.unwrap();
    timer::Entity::update_many()
        .col_expr(
            timer::Column::CancelledAt,
            Expr::value(Some(app.ctx().env.now())),
        )
        .filter(timer::Column::Kind.eq("payment.query_due.v1"))
        .exec(&tx)
        .await
        .unwrap();
    app.ctx().commit(tx).await.unwrap();
    (booking, order)
}

on_both! {
    async fn a_day_that_fits_is_compared_by_itself_and_has_no_differences(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let day = today(app);
        let (booking, _) = paid(app, &mei).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let body = json!({ "booking_id": booking["id"], "amount_fen": 3000, "reason": "少做一间" });
        manager.post("admin/refunds", body).await.expect(201);
        app.settled_refund().await;
        let report = compared(app, day).await;
        assert_eq!((&report["status"], &report["date"]), (&json!("done"), &json!(day)));
        assert_eq!((&report["payments"], &report["refunds"]), (&json!(1), &json!(1)));
        assert_eq!((&report["paid_fen"], &report["refunded_fen"]), (&json!(8000), &json!(3000)));
        assert_eq!((&report["open"], &report["differences"]), (&json!(0), &json!([])));
        let list = manager.get("admin/reconciliations").await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
    }

    async fn a_payment_the_bill_knows_and_we_do_not_count_is_made_good(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let day = today(app);
        let (booking, _) = forgotten(app, &mei).await;
        let report = compared(app, day).await;
        assert_eq!(kinds(&report), ["payment missing_here healed"]);
        assert_eq!((&report["open"], &report["healed"]), (&json!(0), &json!(1)));
        assert_eq!(statuses(app, &booking).await, ["paid"]);
        // The hold had ended: the money goes back by itself.
        app.settled_refund().await;
        assert_eq!(see(&mei, &booking).await["status"], "expired");
        assert_eq!(ledger(app).await, json!({}));
        // Comparing again tells the same.
        let manager = app.staff(&[StaffRole::Manager]).await;
        for _ in 0..3 {
            manager.post("admin/reconciliations", json!({ "date": day })).await.expect(202);
            app.drain().await;
        }
        let again = self::report(app, day).await;
        assert_eq!(again["differences"].as_array().unwrap().len(), 1);
        assert_eq!(kinds(&again), ["payment missing_here healed"]);
    }

    async fn a_wrong_amount_stays_open_until_it_fits(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let day = today(app);
        let (_, order) = paid(app, &mei).await;
        let amount = |fen| payment::ActiveModel { id: Set(payment_of(&order)), amount_fen: Set(Fen(fen)), ..Default::default() };
        change(app, amount(7999)).await;
        let found = compared(app, day).await;
        assert_eq!(kinds(&found), ["payment amount open"]);
        let one = &found["differences"][0];
        assert_eq!((&one["here_fen"], &one["there_fen"]), (&json!(7999), &json!(8000)));
        change(app, amount(8000)).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        manager.post("admin/reconciliations", json!({ "date": day })).await.expect(202);
        app.drain().await;
        assert_eq!(kinds(&report(app, day).await), ["payment amount resolved"]);
    }

    async fn what_only_one_side_knows_is_reported_from_both(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let day = today(app);
        let (booking, order) = paid(app, &mei).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let body = json!({ "booking_id": booking["id"], "amount_fen": 3000, "reason": "少做一间" });
        manager.post("admin/refunds", body).await.expect(201);
        app.settled_refund().await;
        // Both are under numbers WeChat never saw.
        let row = payment::ActiveModel {
            id: Set(payment_of(&order)),
            out_trade_no: Set("0".repeat(32)),
            transaction_id: Set(Some("4200000000000000000000000000".into())),
            ..Default::default()
        };
        change(app, row).await;
        let tx = app.ctx().db.begin_write().await.unwrap();
        refund::Entity::update_many()
            .col_expr(refund::Column::OutRefundNo, Expr::value("rother"))
            .filter(refund::Column::Status.eq(RefundStatus::Succeeded))
            .exec(&tx)
            .await
            .unwrap();
        app.ctx().commit(tx).await.unwrap();
        let report = compared(app, day).await;
        assert_eq!(kinds(&report), [
            "payment missing_here open", "payment missing_there open",
            "refund missing_here open", "refund missing_there open",
        ]);
    }

    async fn a_payment_at_midnight_is_no_difference_on_either_day(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let day = today(app).succ_opt().unwrap();
        until(app, day, 23 * 60 + 58).await;
        let booking = app.books(&mei).await;
        app.advance("PT1M30S").await;
        let order = orders(&mei, &booking, 8000).await;
        cashier(&mei, &order, json!({ "trouble": "bad-signature" })).await;
        assert_eq!(today(app), day, "the machine was too slow for this test");
        // We learn of it on the next day.
        app.advance("PT31S").await;
        assert_ne!(today(app), day);
        assert_eq!(see(&mei, &booking).await["status"], "confirmed");
        let first = compared(app, day).await;
        assert_eq!((&first["payments"], kinds(&first)), (&json!(1), vec![]));
        let second = compared(app, day.succ_opt().unwrap()).await;
        assert_eq!((&second["payments"], kinds(&second)), (&json!(0), vec![]));
    }

    async fn a_payment_no_bill_lists_is_found_even_at_midnight(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let day = today(app);
        let (_, order) = paid(app, &mei).await;
        let late = day_bounds(day).1 - Duration::seconds(5);
        let row = payment::ActiveModel {
            id: Set(payment_of(&order)),
            success_at: Set(Some(late)),
            out_trade_no: Set("0".repeat(32)),
            transaction_id: Set(Some("4200000000000000000000000000".into())),
            ..Default::default()
        };
        change(app, row).await;
        assert_eq!(kinds(&compared(app, day).await), ["payment missing_here open"]);
        // It could have stood in the next day's bill; now it is clear that it does not.
        let next = day.succ_opt().unwrap();
        assert_eq!(kinds(&compared(app, next).await), ["payment missing_there open"]);
    }

    async fn days_nobody_was_there_are_caught_up_with(app) {
        let day = today(app);
        compared(app, day).await;
        // One jump over four rounds.
        until(app, day + Duration::days(5), 10 * 60 + 31).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        let list = manager.get("admin/reconciliations?limit=100").await.expect(200);
        let days: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|row| &row["date"]).collect();
        let want: Vec<Value> = (0..5).rev().map(|back| json!(day + Duration::days(back))).collect();
        assert_eq!(days, want.iter().collect::<Vec<_>>());
        assert!(list["items"].as_array().unwrap().iter().all(|row| row["status"] == "done"));
    }

    async fn a_comparison_is_for_managers_and_for_days_that_are_over(app) {
        let manager = app.staff(&[StaffRole::Manager]).await;
        let service = app.staff(&[StaffRole::Service]).await;
        let day = today(app);
        for date in [day, day + Duration::days(1), day - Duration::days(91)] {
            let fault = manager.post("admin/reconciliations", json!({ "date": date })).await.problem(422, "validation");
            assert_eq!(fault["errors"][0]["pointer"], "/date");
        }
        // Two days ago, whose bill is there at every hour of the day.
        let yesterday = day - Duration::days(2);
        service.post("admin/reconciliations", json!({ "date": yesterday })).await.problem(403, "forbidden");
        manager.get(&format!("admin/reconciliations/{yesterday}")).await.problem(404, "not_found");
        manager.get("admin/reconciliations/yesterday").await.problem(404, "not_found");
        let row = manager.post("admin/reconciliations", json!({ "date": yesterday })).await.expect(202);
        assert_eq!(row["status"], "pending");
        app.drain().await;
        assert_eq!(report(app, yesterday).await["status"], "done");
        // In the morning WeChat has not written the bill of the day before: "none yet" must not read as "no trade".
        until(app, day + Duration::days(1), 9 * 60).await;
        let manager = app.staff(&[StaffRole::Manager]).await;
        manager.post("admin/reconciliations", json!({ "date": day })).await.problem(422, "validation");
    }

    async fn money_that_came_twice_for_one_order_goes_back_by_itself_once(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let (booking, order) = paid(app, &mei).await;
        // The order was paid by another transaction: the one WeChat tells is the second.
        let row = payment::ActiveModel {
            id: Set(payment_of(&order)),
            transaction_id: Set(Some("4200000000000000000000000000".into())),
            ..Default::default()
        };
        change(app, row).await;
        let answers = cashier(&mei, &order, json!({ "times": 10 })).await;
        assert!(answers.iter().all(|status| *status < 300), "{answers:?}");
        assert_eq!(incidents(app).await, ["second_transaction"]);
        app.settled_refund().await;
        let rows = refund::Entity::find().all(app.ctx().db.read()).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].status, rows[0].amount_fen), (RefundStatus::Succeeded, Fen(8000)));
        // The order's own money is untouched and can still go back.
        let held = see(&mei, &booking).await;
        assert_eq!((&held["prepaid_fen"], &held["refunded_fen"]), (&json!(8000), &json!(0)));
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 8000, "prepayment": -8000 }));
        assert_eq!(told(app, "payment.succeeded.v1").await, 1);
        assert_eq!(told(app, "payment.refunded.v1").await, 0);
    }

    async fn a_second_payment_nobody_told_us_about_is_found_in_the_bill_and_sent_back(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let day = today(app);
        let (_, order) = paid(app, &mei).await;
        let row = payment::ActiveModel {
            id: Set(payment_of(&order)),
            transaction_id: Set(Some("4200000000000000000000000000".into())),
            ..Default::default()
        };
        change(app, row).await;
        let report = compared(app, day).await;
        assert_eq!(kinds(&report), ["payment missing_here healed", "payment missing_there open"]);
        app.settled_refund().await;
        assert_eq!(ledger(app).await, json!({ "wechat_pay": 8000, "prepayment": -8000 }));
    }

    async fn a_second_payment_whose_refund_failed_is_asked_back_again_when_its_day_is_compared_again(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let day = today(app);
        let (_, order) = paid(app, &mei).await;
        let row = payment::ActiveModel {
            id: Set(payment_of(&order)),
            transaction_id: Set(Some("4200000000000000000000000000".into())),
            ..Default::default()
        };
        change(app, row).await;
        compared(app, day).await;
        app.settled_refund().await;
        let tx = app.ctx().db.begin_write().await.unwrap();
        entity::refund::Entity::update_many()
            .col_expr(entity::refund::Column::Status, Expr::value(entity::values::RefundStatus::Failed))
            .filter(entity::refund::Column::TransactionId.is_not_null())
            .exec(&tx)
            .await
            .unwrap();
        app.ctx().commit(tx).await.unwrap();
        let manager = app.staff(&[StaffRole::Manager]).await;
        manager.post("admin/reconciliations", json!({ "date": day })).await.expect(202);
        app.drain().await;
        let asked = entity::refund::Entity::find()
            .filter(entity::refund::Column::TransactionId.is_not_null())
            .all(app.ctx().db.read())
            .await
            .unwrap();
        assert_eq!(asked.len(), 2, "the second under a number of its own");
        assert_ne!(asked[0].out_refund_no, asked[1].out_refund_no);
    }

    async fn another_payers_money_is_an_incident_and_not_the_orders(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let order = orders(&mei, &booking, 8000).await;
        let tx = app.ctx().db.begin_write().await.unwrap();
        entity::wechat_identity::Entity::update_many()
            .col_expr(entity::wechat_identity::Column::Openid, Expr::value("oSomebodyElse"))
            .filter(entity::wechat_identity::Column::AccountId.eq(entity::ids::AccountId(mei.id.parse().unwrap())))
            .exec(&tx)
            .await
            .unwrap();
        app.ctx().commit(tx).await.unwrap();
        assert_eq!(cashier(&mei, &order, json!({})).await, [409]);
        assert_eq!(incidents(app).await, ["payer"]);
        assert_eq!(see(&mei, &booking).await["prepaid_fen"], 0);
    }

    async fn a_payment_without_a_notification_is_found_within_seconds(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let order = orders(&mei, &booking, 8000).await;
        cashier(&mei, &order, json!({ "trouble": "bad-signature" })).await;
        app.advance("PT31S").await;
        assert_eq!(see(&mei, &booking).await["status"], "confirmed");
    }

    async fn nothing_is_reported_while_wechat_does_not_manage_trades_and_it_is_asked_once_a_day(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        app.visit(&mei, &crew).await;
        assert_eq!(mei.get("/sandbox/shipping").await.expect(200), json!({ "items": [], "asked": 1 }));
        let done = app.visit(&mei, &crew).await;
        app.pays(&mei, &done, 8000).await;
        let seen = mei.get("/sandbox/shipping").await.expect(200);
        assert_eq!(seen["items"], json!([]));
        assert!(seen["asked"].as_u64().unwrap() <= 2, "{seen}");
    }

    async fn each_payment_of_a_completed_visit_is_reported_once(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        mei.post("/sandbox/trade-managed", json!({ "managed": true })).await.expect(200);
        let (booking, order) = paid(app, &mei).await;
        app.advance("PT1H").await;
        assert_eq!(mei.get("/sandbox/shipping").await.expect(200)["items"], json!([]));
        let done = app.serves(&mei, &crew, &booking).await;
        let seen = mei.get("/sandbox/shipping").await.expect(200);
        let numbers = |seen: &Value| -> Vec<String> {
            seen["items"].as_array().unwrap().iter().map(|one| one["transaction_id"].as_str().unwrap().to_owned()).collect()
        };
        let row = payment::Entity::find_by_id(payment_of(&order)).one(app.ctx().db.read()).await.unwrap().unwrap();
        assert_eq!(numbers(&seen), [row.transaction_id.unwrap()]);
        // What is paid afterwards is reported as well, and nothing twice.
        app.pays(&mei, &done, 8000).await;
        app.advance("P1D").await;
        assert_eq!(numbers(&mei.get("/sandbox/shipping").await.expect(200)).len(), 2);
    }
}

/// A node that may make transfers, on both backends.
async fn with_transfers<F: AsyncFn(&TestApp)>(story: F) {
    for backend in [Backend::Embedded, Backend::Production] {
        let app = TestApp::with(
            backend,
            Half::ApiOnly,
            &[("wechat.transfer_enabled", "true")],
        )
        .await;
        story(&app).await;
        app.finish().await;
    }
}

async fn managers(app: &TestApp) -> (Person, Person) {
    (
        app.staff(&[StaffRole::Manager]).await,
        app.staff(&[StaffRole::Manager]).await,
    )
}

fn making_good(booking: &Value, fen: i64) -> Value {
    json!({ "booking_id": booking["id"], "kind": "compensation", "amount_fen": fen, "remark": "迟到赔付" })
}

/// Asked for by one and said yes to by the other.
async fn approved(app: &TestApp, booking: &Value) -> Value {
    let (one, other) = managers(app).await;
    let row = one
        .post("admin/transfers", making_good(booking, 500))
        .await
        .expect(201);
    let path = format!("admin/transfers/{}/approve", id_of(&row));
    other.post(&path, json!({})).await.expect(200);
    app.drain().await;
    row
}

async fn mine(person: &Person) -> Value {
    person.get("me/transfers").await.expect(200)["items"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_takes_two_people_of_staff_and_the_customers_yes() {
    with_transfers(async |app| {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let (booking, _) = paid(app, &mei).await;
        let (one, other) = managers(app).await;
        let row = one
            .post("admin/transfers", making_good(&booking, 500))
            .await
            .expect(201);
        assert_eq!(
            (&row["status"], row["out_bill_no"].as_str().unwrap().len()),
            (&json!("requested"), 32)
        );
        app.drain().await;
        assert_eq!(
            mei.get("me/transfers").await.expect(200)["items"],
            json!([]),
            "no promise yet"
        );
        let path = format!("admin/transfers/{}/approve", id_of(&row));
        one.post(&path, json!({})).await.problem(403, "forbidden");
        other.post(&path, json!({})).await.expect(200);
        other
            .post(&path, json!({}))
            .await
            .problem(409, "invalid_state");
        app.drain().await;
        let waiting = mine(&mei).await;
        assert_eq!(
            (&waiting["status"], &waiting["amount_fen"]),
            (&json!("awaiting_confirm"), &json!(500))
        );
        assert_eq!(waiting["confirm"]["package"], waiting["package_info"]);
        // While it may still be paid there is no second one.
        one.post("admin/transfers", making_good(&booking, 500))
            .await
            .problem(409, "invalid_state");
        let li = app.customer("li").await;
        assert_eq!(li.get("me/transfers").await.expect(200)["items"], json!([]));
        mei.post(
            "/sandbox/transfer-confirm",
            json!({ "package": waiting["package_info"] }),
        )
        .await
        .expect(200);
        app.drain().await;
        let done = mine(&mei).await;
        assert_eq!(
            (&done["status"], &done["package_info"]),
            (&json!("succeeded"), &Value::Null)
        );
        assert_eq!(
            ledger(app).await,
            json!({ "wechat_pay": 7500, "prepayment": -8000, "compensation": 500 })
        );
        one.post("admin/transfers", making_good(&booking, 500))
            .await
            .expect(201);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_nobody_confirms_fails_and_only_then_another_number_is_used() {
    with_transfers(async |app| {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let (booking, _) = paid(app, &mei).await;
        let row = approved(app, &booking).await;
        app.advance("PT23H").await;
        assert_eq!(mine(&mei).await["status"], "awaiting_confirm");
        app.advance("PT2H").await;
        assert_eq!(mine(&mei).await["status"], "failed");
        assert_eq!(incidents(app).await, ["transfer_failed"]);
        assert_eq!(
            ledger(app).await,
            json!({ "wechat_pay": 8000, "prepayment": -8000 })
        );
        let again = approved(app, &booking).await;
        assert_ne!(again["out_bill_no"], row["out_bill_no"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_can_be_called_off_before_it_is_confirmed() {
    with_transfers(async |app| {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let (booking, _) = paid(app, &mei).await;
        let (one, other) = managers(app).await;
        let early = one
            .post("admin/transfers", making_good(&booking, 500))
            .await
            .expect(201);
        let path = format!("admin/transfers/{}", id_of(&early));
        let off = one
            .post(&format!("{path}/cancel"), json!({}))
            .await
            .expect(200);
        assert_eq!(off["status"], "cancelled");
        other
            .post(&format!("{path}/approve"), json!({}))
            .await
            .problem(409, "invalid_state");
        let late = approved(app, &booking).await;
        let package = mine(&mei).await["package_info"].clone();
        one.post(
            &format!("admin/transfers/{}/cancel", id_of(&late)),
            json!({}),
        )
        .await
        .expect(200);
        app.drain().await;
        app.advance("PT1M1S").await;
        assert_eq!(mine(&mei).await["status"], "cancelled");
        mei.post("/sandbox/transfer-confirm", json!({ "package": package }))
            .await
            .problem(409, "invalid_state");
        assert_eq!(
            ledger(app).await,
            json!({ "wechat_pay": 8000, "prepayment": -8000 })
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_managers_at_once_make_one_transfer() {
    with_transfers(async |app| {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let (booking, _) = paid(app, &mei).await;
        let (one, other) = managers(app).await;
        let race = async |who: &Person, path: String, body: Value, good: u16| {
            let tasks = (0..8).map(|_| {
                let (who, path, body) = (who.clone(), path.clone(), body.clone());
                tokio::spawn(async move { who.post(&path, body).await.status })
            });
            let mut won = 0;
            for task in tasks.collect::<Vec<_>>() {
                match task.await.unwrap() {
                    status if status == good => won += 1,
                    other => assert_eq!(other, 409),
                }
            }
            won
        };
        assert_eq!(
            race(
                &one,
                "admin/transfers".into(),
                making_good(&booking, 500),
                201
            )
            .await,
            1
        );
        let rows = transfer::Entity::find()
            .all(app.ctx().db.read())
            .await
            .unwrap();
        let path = format!("admin/transfers/{}/approve", rows[0].id);
        assert_eq!(race(&other, path, json!({}), 200).await, 1);
        app.drain().await;
        assert_eq!(told(app, "transfer.approved.v1").await, 1);
        assert_eq!(mine(&mei).await["status"], "awaiting_confirm");
    })
    .await;
}

on_both! {
    async fn transfers_are_off_by_default_and_only_a_managers_business(app) {
        app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.books(&mei).await;
        let (one, _) = managers(app).await;
        let told = one.post("admin/transfers", making_good(&booking, 500)).await.problem(409, "invalid_state");
        assert!(told["detail"].as_str().unwrap().contains("wechat.transfer_enabled"), "{told}");
        let service = app.staff(&[StaffRole::Service, StaffRole::Marketing]).await;
        service.post("admin/transfers", making_good(&booking, 500)).await.problem(403, "forbidden");
        service.get("admin/transfers").await.problem(403, "forbidden");
        for (fen, remark) in [(9, "x".to_owned()), (200_000, "x".to_owned()), (500, "长".repeat(33)), (500, String::new())] {
            let body = json!({ "booking_id": booking["id"], "kind": "compensation", "amount_fen": fen, "remark": remark });
            one.post("admin/transfers", body).await.problem(422, "validation");
        }
        let mut reward = making_good(&booking, 500);
        reward["kind"] = json!("reward");
        one.post("admin/transfers", reward).await.problem(422, "validation");
        assert_eq!(transfer::Entity::find().count(app.ctx().db.read()).await.unwrap(), 0);
    }

    async fn no_reward_no_rule_and_no_event_of_a_visit_makes_a_transfer(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = app.visit(&mei, &crew).await;
        app.rates(&mei, &booking, [5, 5, 5, 5, 5]).await;
        app.advance("P10D").await;
        assert_eq!(transfer::Entity::find().count(app.ctx().db.read()).await.unwrap(), 0);
        let schema = serde_json::to_string(&linjian::app::openapi()).unwrap();
        assert!(schema.contains("TransferKind"), "the words below are looked for in the right document");
        let document = crate::rules::shipped();
        for kind in ["cash", "transfer", "red_packet", "balance"] {
            let mut set = document.clone();
            set["benefits"]["thanks"] = json!({ "kind": kind, "label": "谢谢", "fen": 500 });
            let marketing = app.staff(&[StaffRole::Marketing]).await;
            let draft = crate::rules::drafts(&marketing, &set).await;
            let refused = marketing
                .post(&format!("admin/rulesets/{draft}/publish"), json!({}))
                .await;
            assert_eq!(refused.status, 422, "{kind}");
        }
    }
}
