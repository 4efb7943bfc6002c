//! Content safety: the client against the sandbox, and the answers of the vectors.

use super::stage::Stage;
use crate::kernel::Code;
use crate::platform::wechat::{MediaAnswer, MediaCheck, Suggest, TextCheck};
use serde_json::{Value, json};

async fn openid(stage: &Stage, name: &str) -> String {
    let code = format!("sandbox-{name}");
    stage.client.code2session(&code).await.unwrap().openid
}

#[actix_web::test]
async fn words_decide_about_a_text_and_nobody_judges_for_an_idle_author() {
    let stage = Stage::open().await;
    let mei = openid(&stage, "mei").await;
    for (content, expected, expected_label) in [
        ("厨房像新的一样", Suggest::Pass, 100),
        ("这里待审", Suggest::Review, 21_000),
        ("违规的话", Suggest::Risky, 20_006),
    ] {
        let check = stage.client.msg_sec_check(&mei, content).await.unwrap();
        let TextCheck::Judged {
            suggest,
            label,
            trace_id,
        } = check
        else {
            panic!("{content} was not judged");
        };
        assert_eq!((suggest, label), (expected, Some(expected_label)));
        assert_eq!(trace_id.unwrap().len(), 26);
    }
    let idle = openid(&stage, "idle-li").await;
    assert_eq!(idle.len(), mei.len());
    let check = stage.client.msg_sec_check(&idle, "很好").await.unwrap();
    assert_eq!(check, TextCheck::Inactive);
    let check = stage
        .client
        .media_check_async(&idle, &stage.base)
        .await
        .unwrap();
    assert_eq!(check, MediaCheck::Inactive);
    let long = "长".repeat(2_501);
    let refused = stage.client.msg_sec_check(&mei, &long).await.unwrap_err();
    assert_eq!(refused.code, Code::Internal);
    stage.close().await;
}

#[actix_web::test]
async fn the_player_says_when_the_checks_are_away() {
    let stage = Stage::open().await;
    let mei = openid(&stage, "mei").await;
    let say = async |verdict: &str| {
        stage
            .post("/sandbox/media-verdict", json!({ "verdict": verdict }))
            .await
            .0
    };
    assert_eq!(say("away").await, 200);
    let lost = stage.client.msg_sec_check(&mei, "很好").await.unwrap_err();
    assert_eq!(lost.code, Code::Unavailable);
    let lost = stage
        .client
        .media_check_async(&mei, &stage.base)
        .await
        .unwrap_err();
    assert_eq!(lost.code, Code::Unavailable);
    assert_eq!(say("whatever").await, 422);
    assert_eq!(say("pass").await, 200);
    let asked = stage
        .client
        .media_check_async(&mei, &stage.base)
        .await
        .unwrap();
    assert!(matches!(asked, MediaCheck::Asked { trace_id } if trace_id.len() == 26));
    stage.close().await;
}

#[test]
fn wechat_vectors_push_media_answers_are_read() {
    let file = super::vectors::json("msg_push.json");
    let mut read = 0;
    for case in file["cases"].as_array().unwrap() {
        let plain = case["expect"]["plain"].as_str().unwrap_or_default();
        let Ok(message) = serde_json::from_str::<Value>(plain) else {
            continue;
        };
        let event = message["Event"].as_str().unwrap_or_default();
        if event != "wxa_media_check" {
            assert_eq!(MediaAnswer::read(event, &message), None, "{}", case["id"]);
            continue;
        }
        let answer = MediaAnswer::read(event, &message).unwrap();
        assert_eq!(Some(answer.trace_id.as_str()), message["trace_id"].as_str());
        let word = answer.verdict.map(|(suggest, _)| match suggest {
            Suggest::Pass => "pass",
            Suggest::Review => "review",
            Suggest::Risky => "risky",
        });
        assert_eq!(
            word,
            message["result"]["suggest"].as_str(),
            "{}",
            case["id"]
        );
        read += 1;
    }
    assert!(read > 0, "the set has no media check");
}
