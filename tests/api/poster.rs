//! Invitations on paper: what a poster shows, whom it never names, and when it is gone.

use crate::{
    rules::{publishes, shipped},
    support::{Person, TestApp},
};
use entity::values::StaffRole;
use serde_json::{Value, json};

/// A picture's and a print's calls.
const FILES: [&str; 2] = ["poster.png", "poster.pdf"];

async fn own_code(person: &Person) -> String {
    let own = person.post("me/invitations", json!({})).await.expect(201);
    own["code"].as_str().unwrap().to_owned()
}

/// The text of the PDF, without any white space.
async fn text(app: &TestApp, code: &str) -> String {
    let answer = app
        .stranger()
        .get(&format!("referrals/{code}/poster.pdf"))
        .await;
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.bytes)
    );
    let document = lopdf::Document::load_mem(&answer.bytes).unwrap();
    document
        .extract_text(&[1])
        .unwrap()
        .split_whitespace()
        .collect()
}

/// A delighted visit with words to it; answers the booking.
async fn reviewed(app: &TestApp, person: &Person, phone: &str, comment: &str) -> Value {
    let crew = app.crew(phone).await;
    let service = app.service("daily-cleaning").await;
    let mut body = app.booking_body(&service, &app.slot(&service).await);
    body["worker_id"] = json!(crew.id);
    let booking = person.post("bookings", body).await.expect(201);
    app.pays(person, &booking, booking["total_fen"].as_i64().unwrap())
        .await;
    let booking = app.serves(person, &crew, &booking).await;
    let path = format!("bookings/{}/rating", booking["id"].as_str().unwrap());
    let stars = json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": 5, "comment": comment });
    person.post(&path, stars).await.expect(201);
    app.drain().await;
    booking
}

/// Answers without following where they lead.
async fn answered(app: &TestApp, path: &str) -> (u16, String) {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = client
        .get(format!("{}{path}", app.node.url()))
        .send()
        .await
        .unwrap();
    let location = answer
        .headers()
        .get("location")
        .map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location.unwrap_or_default())
}

const SENTENCE: &str = "厨房擦得很干净\u{ff0c}孩子的房间也收拾好了\u{3002}";

on_both! {
    async fn a_picture_and_a_print_carry_a_code_that_opens_the_invitation(app) {
        let li = app.customer("li").await;
        let code = own_code(&li).await;
        let png = app.stranger().get(&format!("referrals/{code}/poster.png")).await;
        assert_eq!(png.status, 200);
        let header = |name: &str| png.headers[name].to_str().unwrap();
        assert_eq!(header("content-type"), "image/png");
        assert_eq!(header("content-disposition"), "inline; filename=\"invitation-poster.png\"");
        assert_eq!((header("x-content-type-options"), header("cache-control")), ("nosniff", "private, no-cache"));
        let picture = image::load_from_memory(&png.bytes).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), (1748, 2480));
        let pixel = |x: usize, y: usize| picture.as_raw()[y * 1748 + x];
        let mut seen = rqrr::PreparedImage::prepare_from_greyscale(1748, 2480, pixel);
        let grids = seen.detect_grids();
        let (_, link) = grids[0].decode().unwrap();
        assert!(link.ends_with(&format!("scene={code}")), "{link}");

        let pdf = app.stranger().get(&format!("referrals/{code}/poster.pdf")).await;
        assert_eq!(pdf.headers["content-type"], "application/pdf");
        let document = lopdf::Document::load_mem(&pdf.bytes).unwrap();
        let page = document.get_pages()[&1];
        let page = document.get_dictionary(page).unwrap();
        let sides: Vec<f32> = page.get(b"MediaBox").unwrap().as_array().unwrap().iter().map(|side| side.as_float().unwrap()).collect();
        assert!((sides[2] - 420.0).abs() < 1.0 && (sides[3] - 595.0).abs() < 1.0, "{sides:?}");
        let fonts: Vec<&lopdf::Dictionary> = document.objects.values().filter_map(|object| object.as_dict().ok())
            .filter(|object| object.get(b"Type").and_then(lopdf::Object::as_name).is_ok_and(|name| name == b"FontDescriptor")).collect();
        assert_eq!(fonts.len(), 2);
        assert!(fonts.iter().all(|font| font.has(b"FontFile3")), "a font is not embedded");
        let text = text(app, &code).await;
        for part in [code.as_str(), "邻荐示例家政服务有限公司", "021-55550100", "广告", "由您自己决定", "首单立减¥30", "限首次下单的新客"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let short = li.get("me/invitations").await.expect(200)["items"][0]["share"]["short_url"].clone();
        let short = short.as_str().unwrap();
        assert!(text.contains(short), "{short}: {text}");
        assert!(short.len() <= app.node.url().len() + "/r/".len() + 12, "{short} is too long to type");
    }

    async fn the_page_shows_the_picture_and_leads_to_the_print(app) {
        let code = own_code(&app.customer("li").await).await;
        let page = app.stranger().get(&format!("referrals/{code}/poster")).await;
        let html = String::from_utf8(page.bytes).unwrap();
        assert!(html.contains("src=\"poster.png\"") && html.contains("href=\"poster.pdf\"") && html.contains("广告"), "{html}");
        assert!(!html.contains('{') || html.contains("{ margin"), "{html}");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'"), "{policy}");
    }

    async fn nobody_is_named_on_it(app) {
        let li = app.customer("li").await;
        li.post("auth/phone", json!({ "code": "phone-13987654321" })).await.expect(200);
        li.patch("me", json!({ "name": "欧阳明月" })).await.expect(200);
        let code = own_code(&li).await;
        let text = text(app, &code).await;
        for part in ["欧阳", "欧*", "明月", "13987654321", "139****4321"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }

    async fn a_sentence_of_his_own_review_stands_on_it_as_long_as_its_author_lets_it(app) {
        let mei = app.customer("mei").await;
        let booking = reviewed(app, &mei, "13800001000", &format!("{SENTENCE}下次还约。")).await;
        let code = own_code(&mei).await;
        let flat: String = SENTENCE.split_whitespace().collect();
        assert!(!text(app, &code).await.contains(&flat), "quoted without consent");
        let scope = json!({ "booking_id": booking["id"] });
        mei.consents("review_public", Some(scope)).await;
        let with = app.stranger().get(&format!("referrals/{code}/poster.pdf")).await;
        let tag = with.headers["etag"].to_str().unwrap().to_owned();
        let quoted = text(app, &code).await;
        assert!(quoted.contains(&flat) && quoted.contains("客户评价节选") && !quoted.contains("下次还约"), "{quoted}");
        // What rests on the consent is kept nowhere.
        let print = tag.trim_matches('"').trim_end_matches("-pdf");
        assert!(app.ctx().blobs.get(&format!("poster/{code}-{print}.pdf")).await.is_err());

        let path = format!("me/consents/review_public?booking_id={}", booking["id"].as_str().unwrap());
        mei.delete(&path).await.expect(200);
        let client = reqwest::Client::new();
        let url = format!("{}/api/v1/referrals/{code}/poster.pdf", app.node.url());
        let again = client.get(url).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!(again.status(), 200, "a browser's copy was said to hold still");
        let gone = text(app, &code).await;
        assert!(!gone.contains("厨房") && !gone.contains("评价节选"), "{gone}");
    }

    async fn only_the_review_that_was_made_public_is_quoted_and_never_a_name(app) {
        let mei = app.customer("mei").await;
        let first = reviewed(app, &mei, "13800001000", "地板擦得很亮很舒服。").await;
        let second = reviewed(app, &mei, "13800001001", "张师傅做得又快又好。").await;
        let code = own_code(&mei).await;
        // The newer review names somebody; the older one is private.
        mei.consents("review_public", Some(json!({ "booking_id": second["id"] }))).await;
        let neither = text(app, &code).await;
        assert!(!neither.contains("师傅") && !neither.contains("地板"), "{neither}");
        mei.consents("review_public", Some(json!({ "booking_id": first["id"] }))).await;
        let older = text(app, &code).await;
        assert!(!older.contains("师傅") && older.contains("地板擦得很亮很舒服"), "{older}");
        // Somebody else's poster does not quote her.
        let li = app.customer("li").await;
        assert!(!text(app, &own_code(&li).await).await.contains("地板"));
    }

    async fn a_code_that_does_not_work_has_no_poster(app) {
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        reviewed(app, &mei, "13800001000", "很好很满意。").await;
        let list = mei.get("me/invitations").await.expect(200);
        let (code, at) = (list["items"][0]["code"].as_str().unwrap().to_owned(), list["items"][0]["scheduled_at"].clone());
        let short = format!("/r/{}", code[..12].to_ascii_lowercase());
        let gone = async |when: &str| {
            for file in FILES {
                let answer = app.stranger().get(&format!("referrals/{code}/{file}")).await;
                assert_eq!(answer.status, 404, "{file} {when}");
            }
            app.stranger().get(&format!("referrals/{code}/poster")).await.problem(404, "not_found");
            assert_eq!(answered(app, &short).await.0, 404, "{when}");
        };
        gone("before it is sent").await;
        app.advance_to(&at).await;
        let text = text(app, &code).await;
        assert!(text.contains("有效至2026年") || text.contains("有效至2027年"), "{text}");
        assert_eq!(answered(app, &short).await.0, 302);
        app.advance("P15D").await;
        gone("after its end").await;
    }

    async fn a_recalled_invitation_has_no_poster(app) {
        let mei = app.customer("mei").await;
        mei.consents("referral_profiling", None).await;
        reviewed(app, &mei, "13800001000", "很好很满意。").await;
        let list = mei.get("me/invitations").await.expect(200);
        let id = list["items"][0]["id"].as_str().unwrap();
        let marketing = app.staff(&[StaffRole::Marketing]).await;
        marketing.post(&format!("admin/invitations/{id}/recall"), json!({})).await.expect(200);
        app.advance("P2D").await;
        for file in FILES {
            let path = format!("referrals/{}/{file}", list["items"][0]["code"].as_str().unwrap());
            app.stranger().get(&path).await.problem(404, "not_found");
        }
    }

    async fn a_poster_is_drawn_once_until_something_on_it_changes(app) {
        let code = own_code(&app.customer("li").await).await;
        let path = format!("referrals/{code}/poster.pdf");
        let first = app.stranger().get(&path).await;
        // Without the code's picture a new drawing would have to ask WeChat again, and would keep the answer.
        let qr = format!("qr/{code}.png");
        app.ctx().blobs.delete(&qr).await.unwrap();
        let second = app.stranger().get(&path).await;
        assert!(second.status == 200 && first.bytes == second.bytes);
        assert!(app.ctx().blobs.get(&qr).await.is_err(), "WeChat was asked twice");
        assert_eq!(first.headers["etag"], second.headers["etag"]);
        let url = format!("{}/api/v1/{path}", app.node.url());
        let tag = first.headers["etag"].to_str().unwrap();
        let known = reqwest::Client::new().get(url).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(known.status(), 304);

        let mut document = shipped();
        document["benefits"]["welcome_1"]["fen"] = json!(3100);
        publishes(app, &document).await;
        let third = app.stranger().get(&path).await;
        assert_ne!(third.headers["etag"], second.headers["etag"]);
        let text = text(app, &code).await;
        assert!(text.contains("¥31") && !text.contains("¥30"), "{text}");
    }

    async fn the_short_address_leads_to_wechats_link_and_outlives_it(app) {
        let code = own_code(&app.customer("li").await).await;
        let short = format!("/r/{}", code[..12].to_ascii_lowercase());
        let kept = async || {
            let bytes = app.ctx().blobs.get(&format!("link/{code}.json")).await.unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()["until"].clone()
        };
        let (status, location) = answered(app, &short).await;
        assert_eq!(status, 302);
        assert!(location.contains(&format!("scene={code}")), "{location}");
        let first = kept().await;
        assert_eq!(answered(app, &short.to_ascii_uppercase().replace("/R/", "/r/")).await, (302, location));
        app.advance("P28D").await;
        answered(app, &short).await;
        assert_eq!(kept().await, first, "asked WeChat although the link lives");
        app.advance("P2D").await;
        assert_eq!(answered(app, &short).await.0, 302);
        assert_ne!(kept().await, first, "led to a link that has ended");
        for nobodys in ["/r/000000000000", "/r/x", "/r/%25", &format!("/r/{code}"), &format!("/r/{}", &code[..11])] {
            assert_eq!(answered(app, nobodys).await.0, 404, "{nobodys}");
        }
    }

    async fn while_wechat_is_busy_the_short_address_leads_to_the_posters_page(app) {
        let code = own_code(&app.customer("li").await).await;
        // A link nobody can follow stands for an answer that did not come.
        let kept = json!({ "url": "weixin\n", "until": "2999-01-01T00:00:00Z" }).to_string();
        app.ctx().blobs.put(&format!("link/{code}.json"), kept.into(), "application/json").await.unwrap();
        let (status, location) = answered(app, &format!("/r/{}", &code[..12])).await;
        assert_eq!(status, 302);
        assert_eq!(location, format!("{}/api/v1/referrals/{code}/poster", app.node.url()));
    }

    async fn a_code_is_taken_as_the_poster_prints_it(app) {
        let code = own_code(&app.customer("li").await).await;
        let mei = app.customer("mei").await;
        mei.consents("referral_link", None).await;
        let grouped = format!("{} {}-{}", &code[..5], code[5..10].to_ascii_lowercase(), &code[10..]);
        mei.post("referrals", json!({ "code": grouped })).await.expect(201);
    }
}
