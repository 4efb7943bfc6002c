//! Steps 2 to 5: one visit, from the slot to the invitation.

use super::{
    act::{self, book, pay, slot},
    narrator::said,
    story::Cast,
};
use crate::kernel::{AppError, Result, business_date};
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use std::io::Cursor;

/// Step 2.
pub(crate) async fn book_and_pay(cast: &Cast<'_>) -> Result<Value> {
    let say = cast.say;
    say.step(
        2,
        "预约深度保洁,回答上门前问卷,预存一半",
        "Books a deep cleaning, answers the questionnaire, prepays half",
    );
    let start = first_slot(cast, "浦东").await?;
    let booking = book(&cast.mei, &cast.service, "浦东", &start, &cast.mei_phone).await?;
    let total = booking["total_fen"].as_i64().unwrap_or_default();
    say.tell(
        &format!(
            "{} 上门,家政员 {},共 {}",
            say.moment(&start),
            said(&booking["worker"]["name"]),
            yuan(total)
        ),
        &format!(
            "{}, worker {}, {} in all",
            say.moment(&start),
            said(&booking["worker"]["name"]),
            yuan(total)
        ),
    );
    let half = (total + 1) / 2;
    let paid = pay(&cast.mei, &booking, half, 2).await?;
    let delivered = paid["delivered"].as_array().cloned().unwrap_or_default();
    say.holds(
        delivered.len() == 2
            && delivered
                .iter()
                .all(|one| one["status"].as_u64().is_some_and(|status| status < 300)),
        "微信支付的签名通知到达两次",
        "WeChat Pay's signed notification arrived twice",
    );
    let booking = cast
        .mei
        .get(&format!(
            "bookings/{}",
            booking["id"].as_str().unwrap_or_default()
        ))
        .await?;
    say.holds(
        booking["status"] == "confirmed" && booking["prepaid_fen"].as_i64() == Some(half),
        &format!("只入账一次:{},预约已确认", yuan(half)),
        &format!("Counted once: {}; the booking is confirmed", yuan(half)),
    );
    Ok(booking)
}

/// A free start in the next days, by the sandbox's clock.
pub(crate) async fn first_slot(cast: &Cast<'_>, area: &str) -> Result<Value> {
    let now = cast.stage.advance("PT1S").await?;
    let now = now["now"]
        .as_str()
        .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    let today = business_date(now.map(|now| now.to_utc()).unwrap_or_default());
    for day in today.iter_days().skip(1).take(14) {
        if let Some(start) = slot(cast.stage.anyone, &cast.service, area, day).await? {
            return Ok(start);
        }
    }
    Err(AppError::internal("no free slot in a fortnight"))
}

pub(crate) fn yuan(fen: i64) -> String {
    entity::values::Fen(fen).yuan()
}

/// Step 3.
pub(crate) async fn deliver(cast: &Cast<'_>, booking: &Value) -> Result<()> {
    let say = cast.say;
    say.step(
        3,
        "家政员准时到达,按清单完成,拍前后对比照片",
        "The worker arrives, follows the checklist, takes before and after photos",
    );
    let id = booking["id"].as_str().unwrap_or_default();
    cast.mei
        .decide(
            "photo_capture",
            "granted",
            "popup",
            json!({ "booking_id": id }),
        )
        .await?;
    cast.stage.advance_to(&booking["start_at"]).await?;
    let worker = cast.company.device(&cast.stage, booking).await?;
    let arrival = worker
        .post(
            &format!("worker/jobs/{id}/check-in"),
            json!({ "lat": 31.2223, "lng": 121.5445 }),
        )
        .await?;
    say.holds(
        arrival["late_minutes"] == 0 && arrival["within_geofence"] == true,
        "准时签到,在地址围栏之内",
        "Checked in on time, inside the geofence",
    );
    let before = worker
        .upload(&format!("worker/jobs/{id}/photos"), "before", photo(90))
        .await?;
    worker
        .upload(&format!("worker/jobs/{id}/photos"), "after", photo(230))
        .await?;
    say.holds(
        before["width"] == 640,
        "前后照片已上传,位置信息已去除",
        "Photos uploaded, location data removed",
    );
    let items = act::checklist(&worker, id, &act::day_of(&booking["start_at"])).await?;
    let photos = 2 + upload_required(cast, &worker, id).await?;
    worker
        .post(&format!("worker/jobs/{id}/complete"), json!({}))
        .await?;
    say.tell(
        &format!("清单 {items} 项全部完成"),
        &format!("All {items} checklist items done"),
    );
    photos_are_checked(cast, id, photos).await?;
    cast.mei
        .post(
            &format!("bookings/{id}/acceptance"),
            json!({ "accepted": true }),
        )
        .await?;
    let done = cast.mei.get(&format!("bookings/{id}")).await?;
    say.holds(
        done["status"] == "completed",
        "梅女士对比照片后验收",
        "Mei compares the photos and accepts",
    );
    Ok(())
}

/// WeChat looks at the photos before Mei does.
async fn photos_are_checked(cast: &Cast<'_>, id: &str, photos: usize) -> Result<()> {
    let shown = |visit: &Value| {
        visit["photos"]
            .as_array()
            .is_some_and(|all| all.len() == photos)
    };
    let seen = cast.mei.until(&format!("bookings/{id}"), shown).await?;
    cast.say.holds(
        shown(&seen),
        "照片通过微信内容安全检查后,梅女士才看得到",
        "Mei sees the photos once WeChat's content check has passed them",
    );
    Ok(())
}

/// An after photo for each item that asks for one; says how many.
async fn upload_required(
    cast: &Cast<'_>,
    worker: &super::client::Client,
    id: &str,
) -> Result<usize> {
    let items = cast.service["checklist"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut count = 0;
    for item in items.iter().filter(|item| item["photo_required"] == true) {
        let key = item["key"].as_str().unwrap_or_default();
        worker
            .upload_for(
                &format!("worker/jobs/{id}/photos"),
                "after",
                key,
                photo(200),
            )
            .await?;
        count += 1;
    }
    Ok(count)
}

/// A small picture that a phone might take.
fn photo(brightness: u8) -> Vec<u8> {
    let picture = RgbImage::from_fn(640, 480, |x, y| {
        let shade = brightness.saturating_sub(u8::try_from((x + y) % 64).unwrap_or_default());
        Rgb([shade, shade, brightness])
    });
    let mut jpeg = Cursor::new(Vec::new());
    // Encoding into memory cannot fail for an RGB picture; an empty file would be refused by the server and told.
    picture.write_to(&mut jpeg, ImageFormat::Jpeg).ok();
    jpeg.into_inner()
}

/// Step 4.
pub(crate) async fn rate_and_decide(cast: &Cast<'_>, booking: &Value) -> Result<()> {
    let say = cast.say;
    say.step(
        4,
        "五个维度评分 5、5、5、5、4,规则引擎作出判定",
        "Rates 5,5,5,5,4; the rule engine decides",
    );
    let rating = act::rate(
        &cast.mei,
        booking,
        [5, 5, 5, 5, 4],
        "准时、细致,厨房像新的一样。",
    )
    .await?;
    say.holds(said(&rating["score"]) == "4.8", "得分 4.80", "Score 4.80");
    let id = booking["id"].as_str().unwrap_or_default();
    let fired = |list: &Value| {
        list["items"]
            .as_array()
            .is_some_and(|items| items.iter().any(|one| one["outcome"] == "fired"))
    };
    let decisions = cast
        .stage
        .staff
        .until(&format!("admin/decisions?booking_id={id}"), fired)
        .await?;
    say.holds(
        fired(&decisions),
        "规则“优质体验基线”触发,判定连同每个条件已记录",
        "The baseline rule fired; the decision is recorded with every condition",
    );
    let items = decisions["items"].as_array().cloned().unwrap_or_default();
    for one in items.iter().filter(|one| one["outcome"] == "fired") {
        for condition in one["conditions"].as_array().into_iter().flatten() {
            say.condition(condition);
        }
    }
    Ok(())
}

/// Step 5; answers the code.
pub(crate) async fn invitation(cast: &Cast<'_>) -> Result<String> {
    let say = cast.say;
    say.step(
        5,
        "邀约在合适的时刻出现",
        "The invitation appears at a good hour",
    );
    let before = messages(&cast.stage.anyone.get("/sandbox/inbox").await?);
    let account = json!({ "account": cast.mei.id, "template": "visit_followup" });
    cast.stage
        .anyone
        .post("/sandbox/subscribe", account)
        .await?;
    let some = |list: &Value| {
        list["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty())
    };
    let list = cast.mei.until("me/invitations", some).await?;
    let first = list["items"].get(0).cloned().unwrap_or_default();
    say.tell(
        &format!("计划发送时间 {}", say.moment(&first["scheduled_at"])),
        &format!("Scheduled for {}", say.moment(&first["scheduled_at"])),
    );
    cast.stage.advance_to(&first["scheduled_at"]).await?;
    let sent = |list: &Value| {
        list["items"]
            .get(0)
            .is_some_and(|one| one["status"] == "sent")
    };
    let list = cast.mei.until("me/invitations", sent).await?;
    let first = list["items"].get(0).cloned().unwrap_or_default();
    say.holds(
        sent(&list),
        "邀约已送达,不在 21:00–09:00 静默时段",
        "Delivered, outside the quiet hours 21:00–09:00",
    );
    say.tell(&said(&first["message"]), &said(&first["message"]));
    let path = said(&first["share"]["path"]);
    say.tell(&format!("分享卡 {path}"), &format!("Share card {path}"));
    let one_more = |list: &Value| messages(list) == before + 1;
    let inbox = cast.stage.anyone.until("/sandbox/inbox", one_more).await?;
    say.holds(
        one_more(&inbox),
        "她勾选过一次订阅消息,微信里也收到一条,只有一条",
        "She had ticked one message: WeChat shows one, and only one",
    );
    let code = said(&first["code"]);
    let printed = cast
        .stage
        .anyone
        .page(&format!("referrals/{code}/poster"))
        .await?;
    let drawn = cast
        .stage
        .anyone
        .page(&format!("referrals/{code}/qr.png"))
        .await?;
    say.holds(
        printed > 0 && drawn > 0,
        "带有专属小程序码与可打印的 A5 海报",
        "With a mini-program code and an A5 poster to print",
    );
    Ok(code)
}

fn messages(inbox: &Value) -> usize {
    inbox["items"].as_array().map_or(0, Vec::len)
}
