//! Lost and busy answers, notifications out of order: what the client does about them.

use super::stage::Stage;
use crate::kernel::Code;
use crate::platform::wechat::{Refund, RefundOf, RefundStatus, WechatHost, sandbox::Chaos};
use serde_json::json;

fn lost(answers: u32) -> Chaos {
    Chaos {
        drop_answers: answers,
        ..Chaos::default()
    }
}

fn busy(calls: u32) -> Chaos {
    Chaos {
        busy: calls,
        ..Chaos::default()
    }
}

#[actix_web::test]
async fn a_lost_answer_of_prepay_is_entered_again_and_both_prepay_ids_are_one_order() {
    let stage = Stage::open().await;
    let order = stage.order("LJ20261126X1", 19_900);
    let old = stage.client.prepay_jsapi(&order).await.unwrap();
    stage.sandbox.set_chaos(lost(1)).unwrap();
    let new = stage.client.prepay_jsapi(&order).await.unwrap();
    assert_ne!(old, new);
    // The older answer, still in the customer's hand, pays the same order; the newer then pays nothing more.
    assert_eq!(stage.pay(&old, json!({})).await, [204]);
    assert_eq!(stage.pay(&new, json!({})).await, [204]);
    let words = stage.seen();
    assert_eq!(words, vec!["paid LJ20261126X1 19900"; 2]);
    stage.close().await;
}

#[actix_web::test]
async fn a_lost_answer_of_refund_is_never_a_second_refund() {
    let stage = Stage::open().await;
    let id = stage.prepaid("LJ20261126X2", 19_900).await;
    stage.pay(&id, json!({})).await;
    let refund = Refund {
        of: RefundOf::Order("LJ20261126X2".into()),
        out_refund_no: "LJ20261126X2R".into(),
        refund_fen: 9_900,
        total_fen: 19_900,
        reason: None,
    };
    stage.sandbox.set_chaos(lost(1)).unwrap();
    let unknown = stage.client.refund(&refund).await.unwrap_err();
    assert_eq!(unknown.code, Code::Unavailable);
    let known = stage.client.query_refund("LJ20261126X2R").await.unwrap();
    assert_eq!(known.status, RefundStatus::Success);
    let again = stage.client.refund(&refund).await.unwrap();
    assert_eq!(again.refund_id, known.refund_id);
    stage.close().await;
}

#[actix_web::test]
async fn a_busy_wechat_is_asked_three_times_more_and_no_oftener() {
    let stage = Stage::open().await;
    stage.sandbox.set_chaos(busy(3)).unwrap();
    stage
        .client
        .url_link("pages/index/index", "", 1)
        .await
        .unwrap();
    stage.sandbox.set_chaos(busy(9)).unwrap();
    let away = stage.client.url_link("pages/index/index", "", 1).await;
    assert_eq!(away.unwrap_err().code, Code::Unavailable);
    assert_eq!(stage.sandbox.chaos().busy, 5);
    stage.close().await;
}

#[actix_web::test]
async fn probes_stale_copies_and_duplicates_come_with_the_true_notification() {
    let stage = Stage::open().await;
    let id = stage.prepaid("LJ20261126X3", 100).await;
    stage.pay(&id, json!({})).await;
    stage.seen();
    let chaos = json!({ "probe": true, "stale": true, "duplicate": 2 });
    let (status, _) = stage.post("/sandbox/chaos", chaos).await;
    assert_eq!(status, 200);
    let refund = Refund {
        of: RefundOf::Order("LJ20261126X3".into()),
        out_refund_no: "LJ20261126X3R".into(),
        refund_fen: 100,
        total_fen: 100,
        reason: None,
    };
    stage.client.refund(&refund).await.unwrap();
    stage.sandbox.deliver_due().await;
    let words = stage.seen();
    let refused = |word: &&String| word.starts_with("Signature");
    assert_eq!(words.len(), 5, "{words:?}");
    assert!(words[..2].iter().all(|word| refused(&word)), "{words:?}");
    assert!(
        words[2..]
            .iter()
            .all(|word| word.starts_with("refund LJ20261126X3R"))
    );
    stage.close().await;
}

#[actix_web::test]
async fn a_switch_that_does_not_exist_is_refused() {
    let stage = Stage::open().await;
    for body in [json!({ "explode": true }), json!({ "duplicate": 21 })] {
        assert_eq!(stage.post("/sandbox/chaos", body).await.0, 422);
    }
    let (status, _, page) = stage.get("/sandbox/admin", "text/html").await;
    assert!(status == 200 && page.contains("故障开关") && !page.contains("{{"));
    stage.close().await;
}

#[actix_web::test]
async fn the_checkup_finds_clock_templates_and_signature_well() {
    let stage = Stage::open().await;
    stage.client.has_token().await.unwrap();
    let templates = stage.client.templates().await.unwrap();
    assert_eq!(
        templates["visit_followup"].fields,
        ["thing1", "time2", "thing3"]
    );
    stage.client.security_echo(false).await.unwrap();
    stage.client.security_echo(true).await.unwrap();
    assert_eq!(stage.next_seen().await, "SECURITY_ECHO.SUCCESS");
    assert!(stage.client.clock_skew(WechatHost::Pay).await.is_ok());
    let scheme = stage
        .client
        .scheme("pages/index/index", "r=AbC", 30)
        .await
        .unwrap();
    assert!(scheme.starts_with("weixin://") && scheme.contains("r=AbC"));
    stage.close().await;
}
