//! The vectors' notifications through a whole node: its webhook, its payment room, its books. The node has the vectors'
//! keys and clock, and the order they are about.

use super::{context, prometheus, server, setup};
use crate::{
    config,
    kernel::{Clock, Env, V7},
    platform::{
        Ctx,
        sealed::{Column, seal},
        wechat::{WechatClient, WechatSettings},
    },
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    account, booking,
    ids::{AccountId, BookingId, PaymentId, RefundId, TransferId, WechatIdentityId},
    ledger_entry, outbox, payment, refund, service, transfer,
    values::{
        AccountKind, BookingStatus, Fen, PaymentStatus, RefundStatus, TransferKind, TransferStatus,
    },
    wechat_identity,
};
use futures_util::future::join_all;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait,
    PaginatorTrait, QueryFilter,
};
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

fn folder() -> PathBuf {
    std::env::var_os("WECHAT_VECTORS").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/wechat").into(),
        PathBuf::from,
    )
}

fn vectors(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {value}"))
}

/// A clock that shows what the case says, forwards and backwards.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.load(Ordering::SeqCst), 0).unwrap()
    }
}

fn wechat_settings(config: &Value) -> WechatSettings {
    let pem = |path: &str| fs::read_to_string(folder().join(path)).unwrap();
    let key = fs::read(folder().join(text(config, "merchant_key_file"))).unwrap();
    let platform = |kind: &str, id: &str, file: &str| {
        let one = &config[kind];
        (text(one, id).to_owned(), pem(text(one, file)))
    };
    WechatSettings {
        appid: text(config, "appid").into(),
        app_secret: text(config, "app_secret").into(),
        api_base: "http://127.0.0.1:1".into(),
        pay_base: "http://127.0.0.1:1".into(),
        mchid: text(config, "mchid").into(),
        merchant_serial: text(config, "merchant_serial").into(),
        merchant_key_pem: pem::encode(&pem::Pem::new("PRIVATE KEY", key)),
        apiv3_key: text(config, "apiv3_key").into(),
        platform_keys: vec![
            platform("platform_pubkey", "id", "pub_file"),
            platform("platform_cert", "serial", "cert_file"),
            platform("platform_expired_cert", "serial", "cert_file"),
        ],
        platform_certificates: false,
        notify_base_url: "https://api.example.com".into(),
        push_token: text(&config["message_push"], "token").into(),
        push_aes_key: text(&config["message_push"], "encoding_aes_key").into(),
        env_version: "release".into(),
    }
}

/// A node with the vectors' order: prepaid by nobody yet, for a visit that is worth twice as much.
struct Stage {
    ctx: Ctx,
    clock: Arc<Hand>,
    http: reqwest::Client,
    url: String,
    cases: Vec<Value>,
    booking: BookingId,
    payment: PaymentId,
    refund: RefundId,
    handle: actix_web::dev::ServerHandle,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn open() -> Self {
        let (folder, config) = (tempfile::tempdir().unwrap(), vectors("config.json"));
        let data = folder.path().display().to_string();
        let settings = config::with_overrides(&[
            ("data_dir", data.as_str()),
            ("http.listen", "127.0.0.1:0"),
            ("http.workers", "2"),
        ]);
        let settings = settings.unwrap_or_else(|faults| panic!("{faults}"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (ctx, sandbox) = Box::pin(context(settings, address)).await.unwrap();
        setup::first_start(&ctx).await.unwrap();
        sandbox.unwrap().shutdown().await;
        let clock = Arc::new(Hand(AtomicI64::new(config["t0"].as_i64().unwrap())));
        let env = Env {
            clock: clock.clone(),
            ids: Arc::new(V7),
        };
        let wechat = WechatClient::new(wechat_settings(&config), env.clone()).unwrap();
        let ctx = Ctx { env, wechat, ..ctx };
        let tokens = setup::token_key(&ctx).unwrap();
        let running = server(
            &ctx,
            (
                tokens,
                prometheus().unwrap(),
                crate::referral::Ready::default(),
            ),
            None,
            listener,
        )
        .unwrap();
        let handle = running.handle();
        tokio::spawn(running);
        let notify = vectors("pay_notify.json");
        let (booking, payment, refund) = order(&ctx, &notify["order"]).await;
        Self {
            ctx,
            clock,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            url: format!("http://{address}/api/v1/webhooks/wechat-pay"),
            cases: notify["cases"].as_array().unwrap().clone(),
            booking,
            payment,
            refund,
            handle,
            _folder: folder,
        }
    }

    /// Delivers a case as WeChat would, at its time.
    async fn deliver(&self, case: &Value) -> u16 {
        self.clock
            .0
            .store(case["now"].as_i64().unwrap(), Ordering::SeqCst);
        let mut request = self.http.post(&self.url);
        for (name, value) in case["request"]["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        let body = text(&case["request"], "body").to_owned();
        request.body(body).send().await.unwrap().status().as_u16()
    }

    fn case(&self, id: &str) -> &Value {
        let found = self.cases.iter().find(|case| case["id"] == id);
        found.unwrap_or_else(|| panic!("no case {id}"))
    }

    async fn payment(&self) -> payment::Model {
        let found = payment::Entity::find_by_id(self.payment).one(self.ctx.db.read());
        found.await.unwrap().unwrap()
    }

    async fn visit(&self) -> booking::Model {
        let found = booking::Entity::find_by_id(self.booking).one(self.ctx.db.read());
        found.await.unwrap().unwrap()
    }

    async fn refund(&self) -> refund::Model {
        let found = refund::Entity::find_by_id(self.refund).one(self.ctx.db.read());
        found.await.unwrap().unwrap()
    }

    async fn events(&self, kind: &str) -> u64 {
        let found = outbox::Entity::find().filter(outbox::Column::Kind.eq(kind));
        found.count(self.ctx.db.read()).await.unwrap()
    }

    async fn entries(&self) -> u64 {
        let found = ledger_entry::Entity::find();
        found.count(self.ctx.db.read()).await.unwrap()
    }

    /// One payment, one posting, one event, however often it was told.
    async fn assert_paid_once(&self, id: &str) {
        let (row, visit) = (self.payment().await, self.visit().await);
        assert_eq!(row.status, PaymentStatus::Paid, "{id}");
        assert_eq!(visit.prepaid_fen, row.amount_fen, "{id}");
        assert_eq!(visit.status, BookingStatus::Confirmed, "{id}");
        assert_eq!(self.events("payment.succeeded.v1").await, 1, "{id}");
        let cause = format!("payment:{}", row.id);
        let posted = ledger_entry::Entity::find().filter(ledger_entry::Column::Cause.eq(cause));
        assert_eq!(posted.count(self.ctx.db.read()).await.unwrap(), 2, "{id}");
    }

    async fn close(self) {
        self.handle.stop(false).await;
    }
}

/// The order, its visit and its refund, under the vectors' numbers.
async fn order(ctx: &Ctx, order: &Value) -> (BookingId, PaymentId, RefundId) {
    let fen = |key: &str| Fen(order[key].as_i64().unwrap());
    let tx = ctx.db.begin_write().await.unwrap();
    let customer = person(ctx, &tx, text(order, "openid")).await;
    let visit = visit(ctx, &tx, customer, fen("total")).await;
    let (paid, back) = money(ctx, &tx, (customer, visit), order).await;
    ctx.commit(tx).await.unwrap();
    (visit, paid, back)
}

async fn person(ctx: &Ctx, tx: &DatabaseTransaction, openid: &str) -> AccountId {
    let (customer, now): (AccountId, _) = (ctx.env.id(), ctx.env.now());
    let sealed = |column, id, plain: &str| seal(&ctx.vault, column, id, plain).unwrap();
    account::ActiveModel {
        id: Set(customer),
        kind: Set(AccountKind::Customer),
        name: Set(sealed(Column::AccountName, customer.0, "小梅")),
        phone: Set(None),
        phone_index: Set(None),
        disabled_at: Set(None),
        created_at: Set(now),
    }
    .insert(tx)
    .await
    .unwrap();
    let identity: WechatIdentityId = ctx.env.id();
    wechat_identity::ActiveModel {
        id: Set(identity),
        appid: Set(ctx.wechat.appid().into()),
        openid: Set(openid.into()),
        account_id: Set(customer),
        session_key: Set(sealed(Column::SessionKey, identity.0, "x")),
        seen_at: Set(now),
        created_at: Set(now),
    }
    .insert(tx)
    .await
    .unwrap();
    customer
}

async fn visit(ctx: &Ctx, tx: &DatabaseTransaction, customer: AccountId, total: Fen) -> BookingId {
    let (visit, now): (BookingId, _) = (ctx.env.id(), ctx.env.now());
    let sealed = |column, id, plain: &str| seal(&ctx.vault, column, id, plain).unwrap();
    let service = service::Entity::find().one(tx).await.unwrap().unwrap();
    booking::ActiveModel {
        id: Set(visit),
        customer_id: Set(customer),
        service_id: Set(service.id),
        worker_id: Set(None),
        status: Set(BookingStatus::PendingPayment),
        start_at: Set(now + Duration::days(2)),
        end_at: Set(now + Duration::days(2) + Duration::hours(2)),
        area: Set("浦东".into()),
        address: Set(sealed(Column::BookingAddress, visit.0, "{}")),
        contact_phone: Set(sealed(Column::BookingPhone, visit.0, "13912345678")),
        answers: Set(json!({})),
        quote: Set(json!([])),
        total_fen: Set(total.plus(total)),
        prepaid_fen: Set(Fen::ZERO),
        refunded_fen: Set(Fen::ZERO),
        hold_expires_at: Set(Some(now + Duration::minutes(15))),
        rework_of: Set(None),
        confirmed_at: Set(None),
        completed_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    }
    .insert(tx)
    .await
    .unwrap();
    visit
}

/// Payment, refund and transfer under their numbers.
async fn money(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (customer, visit): (AccountId, BookingId),
    order: &Value,
) -> (PaymentId, RefundId) {
    let (now, fen) = (ctx.env.now(), |key: &str| Fen(order[key].as_i64().unwrap()));
    let (paid, back): (PaymentId, RefundId) = (ctx.env.id(), ctx.env.id());
    payment::ActiveModel {
        id: Set(paid),
        booking_id: Set(visit),
        customer_id: Set(customer),
        amount_fen: Set(fen("total")),
        status: Set(PaymentStatus::Pending),
        out_trade_no: Set(text(order, "trade").into()),
        transaction_id: Set(None),
        prepay_id: Set(None),
        request_key: Set(None),
        expires_at: Set(None),
        paid_at: Set(None),
        created_at: Set(now),
        success_at: Set(None),
        billed_on: Set(None),
    }
    .insert(tx)
    .await
    .unwrap();
    refund::ActiveModel {
        id: Set(back),
        payment_id: Set(paid),
        booking_id: Set(visit),
        amount_fen: Set(fen("refund_amount")),
        reason: Set("少做一间".into()),
        status: Set(RefundStatus::Requested),
        out_refund_no: Set(text(order, "refund").into()),
        refund_id: Set(None),
        requested_by: Set(None),
        full: Set(false),
        settled_at: Set(None),
        created_at: Set(now),
        transaction_id: Set(None),
        success_at: Set(None),
        billed_on: Set(None),
    }
    .insert(tx)
    .await
    .unwrap();
    transfer::ActiveModel {
        id: Set(ctx.env.id::<TransferId>()),
        booking_id: Set(visit),
        customer_id: Set(customer),
        kind: Set(TransferKind::Compensation),
        amount_fen: Set(fen("transfer_amount")),
        remark: Set("迟到赔付".into()),
        status: Set(TransferStatus::AwaitingConfirm),
        out_bill_no: Set(text(order, "bill").into()),
        transfer_bill_no: Set(None),
        package_info: Set(None),
        fail_reason: Set(None),
        cancel_requested: Set(false),
        requested_by: Set(customer),
        approved_by: Set(Some(customer)),
        approved_at: Set(Some(now)),
        settled_at: Set(None),
        created_at: Set(now),
    }
    .insert(tx)
    .await
    .unwrap();
    (paid, back)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_vectors_notifications_through_the_webhook() {
    let stage = Stage::open().await;
    let (good, bad): (Vec<_>, Vec<_>) = stage
        .cases
        .iter()
        .partition(|case| case["expect"]["result"] == "accept");
    for case in bad {
        let status = stage.deliver(case).await;
        assert!((400..600).contains(&status), "{}: {status}", case["id"]);
    }
    assert_eq!(stage.payment().await.status, PaymentStatus::Pending);
    assert_eq!(
        (stage.entries().await, stage.visit().await.prepaid_fen),
        (0, Fen::ZERO)
    );
    // Payments first: a refund before its payment is another test.
    let (paid, rest): (Vec<_>, Vec<_>) = good
        .into_iter()
        .partition(|case| case["expect"]["resource"]["trade_state"].is_string());
    assert!(!paid.is_empty() && !rest.is_empty());
    for case in paid.into_iter().chain(rest) {
        let status = stage.deliver(case).await;
        assert!((200..300).contains(&status), "{}: {status}", case["id"]);
    }
    stage.assert_paid_once("all of them").await;
    let back = stage.refund().await;
    assert_eq!(back.status, RefundStatus::Succeeded);
    assert_eq!(stage.visit().await.refunded_fen, back.amount_fen);
    // A transfer's end is believed when WeChat Pay, asked, says so: nothing is booked yet.
    let row = transfer::Entity::find()
        .one(stage.ctx.db.read())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.status, TransferStatus::AwaitingConfirm);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_vectors_sequences_have_one_effect_each() {
    for sequence in vectors("pay_notify.json")["sequences"].as_array().unwrap() {
        let (id, stage) = (text(sequence, "id"), Stage::open().await);
        for step in sequence["deliver"].as_array().unwrap() {
            delivered(&stage, id, step.as_str().unwrap()).await;
        }
        match id {
            "pay-after-close" => {
                let (row, visit) = (stage.payment().await, stage.visit().await);
                assert_eq!(
                    visit.status,
                    BookingStatus::Expired,
                    "{id}: no booking revived"
                );
                assert_eq!(visit.prepaid_fen, Fen::ZERO, "{id}");
                let back = refund::Entity::find()
                    .filter(refund::Column::Id.ne(stage.refund))
                    .one(stage.ctx.db.read());
                let back = back.await.unwrap().expect("an automatic refund");
                assert_eq!(
                    (back.payment_id, back.amount_fen),
                    (row.id, row.amount_fen),
                    "{id}"
                );
                assert_eq!(stage.events("refund.requested.v1").await, 1, "{id}");
                assert_eq!(stage.events("payment.succeeded.v1").await, 0, "{id}");
            }
            "refund-before-pay" => {
                stage.assert_paid_once(id).await;
                assert_eq!(
                    stage.refund().await.status,
                    RefundStatus::Requested,
                    "{id}: held"
                );
                // WeChat tells the refund again, as its ladder says.
                let first = sequence["deliver"][0].as_str().unwrap();
                assert_eq!(stage.deliver(stage.case(first)).await, 204, "{id}");
                assert_eq!(stage.refund().await.status, RefundStatus::Succeeded, "{id}");
                assert_eq!(stage.events("payment.refunded.v1").await, 1, "{id}");
            }
            _ => stage.assert_paid_once(id).await,
        }
        stage.close().await;
    }
}

/// One step of a sequence: a case, many copies of it at once, or the order's end.
async fn delivered(stage: &Stage, id: &str, step: &str) {
    if step.starts_with('(') {
        let tx = stage.ctx.db.begin_write().await.unwrap();
        let row = payment::ActiveModel {
            id: Set(stage.payment),
            status: Set(PaymentStatus::Closed),
            ..Default::default()
        };
        row.update(&tx).await.unwrap();
        let visit = booking::ActiveModel {
            id: Set(stage.booking),
            status: Set(BookingStatus::Expired),
            ..Default::default()
        };
        visit.update(&tx).await.unwrap();
        stage.ctx.commit(tx).await.unwrap();
        return;
    }
    let (name, copies) = match step.split_once(" x") {
        Some((name, rest)) => {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            (name, digits.parse().unwrap())
        }
        None => (step, 1),
    };
    let case = stage.case(name);
    let answers = join_all((0..copies).map(|_| stage.deliver(case))).await;
    let early = case["expect"]["resource"]["out_refund_no"].is_string()
        && stage.payment().await.status != PaymentStatus::Paid;
    let good = case["expect"]["result"] == "accept" && !early;
    for status in answers {
        assert_eq!((200..300).contains(&status), good, "{id}, {step}: {status}");
        assert!(
            !early || status >= 500,
            "{id}: a refund that came first is told again"
        );
    }
}
