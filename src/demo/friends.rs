//! Step 6: Li, Wang and Zhao; who gets what, and what a refund takes back.

use super::{
    act::{book, pay, rate, serve},
    client::Client,
    narrator::said,
    story::{Cast, fresh_phone},
    visit::{first_slot, yuan},
};
use crate::kernel::Result;
use serde_json::{Value, json};

/// The chain of friends and its rewards.
pub(crate) async fn bring(cast: &Cast<'_>, code: &str) -> Result<()> {
    let say = cast.say;
    say.step(
        6,
        "李女士、王女士、赵先生依次而来",
        "Li comes, then Wang, then Zhao",
    );
    let (li, phone) = friend(cast, "li", "李女士").await?;
    let shown = li.get(&format!("referrals/{code}")).await?;
    say.tell(
        &format!(
            "李女士看到:邀请人 {},她将得到“{}”。{}",
            said(&shown["inviter_masked"]),
            said(&shown["benefit"]["text"]),
            said(&shown["what_inviter_sees"])
        ),
        &format!(
            "Li sees: invited by {}, her benefit: {}. {}",
            said(&shown["inviter_masked"]),
            said(&shown["benefit"]["text"]),
            said(&shown["what_inviter_sees"])
        ),
    );
    let early = li.try_post("referrals", json!({ "code": code })).await?;
    say.holds(
        early.code() == "consent_required",
        "没有她本人的同意,不能绑定",
        "Without her own consent nothing is linked",
    );
    let first = redeem(&li, code).await?;
    say.holds(
        first["generation"] == 1,
        "李女士:第 1 代,价格优惠",
        "Li: generation 1, a price benefit",
    );
    let order = order(cast, &li, &phone).await?;
    cast.stage.advance("P8D").await?;
    let thanked = |list: &Value| granted_thanks(list) == 1;
    let rewards = cast.mei.until("me/rewards", thanked).await?;
    say.holds(
        thanked(&rewards),
        "退款期过后,梅女士得到一份固定的感谢券",
        "After the refund window Mei gets one fixed thank-you",
    );
    let wang = chain(
        cast,
        &li,
        "wang",
        "王女士",
        2,
        ("清洁用品礼包", "a cleaning kit"),
    )
    .await?;
    chain(
        cast,
        &wang,
        "zhao",
        "赵先生",
        3,
        ("管家服务", "butler service"),
    )
    .await?;
    let after = cast.mei.get("me/rewards").await?;
    say.holds(
        granted_thanks(&after) == 1,
        "王女士和赵先生的到来没有给梅女士带来任何奖励:只奖励直接邀请人",
        "Nobody is paid for anybody but the friend he himself invited",
    );
    refund(cast, &order).await
}

async fn friend(cast: &Cast<'_>, who: &str, name: &str) -> Result<(Client, String)> {
    let phone = fresh_phone();
    Ok((
        cast.stage
            .customer(&format!("{who}-{}", cast.run), name, &phone)
            .await?,
        phone,
    ))
}

async fn redeem(friend: &Client, code: &str) -> Result<Value> {
    friend
        .decide("referral_link", "granted", "popup", Value::Null)
        .await?;
    friend.post("referrals", json!({ "code": code })).await
}

async fn chain(
    cast: &Cast<'_>,
    inviter: &Client,
    who: &str,
    name: &str,
    generation: u8,
    gift: (&str, &str),
) -> Result<Client> {
    let own = inviter.post("me/invitations", json!({})).await?;
    let (person, _) = friend(cast, who, name).await?;
    let link = redeem(&person, own["code"].as_str().unwrap_or_default()).await?;
    cast.say.holds(
        link["generation"] == generation,
        &format!("{name}:第 {generation} 代,{}", gift.0),
        &format!("{who}: generation {generation}, {}", gift.1),
    );
    Ok(person)
}

fn granted_thanks(rewards: &Value) -> usize {
    let items = rewards["items"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .filter(|one| one["cause"] == "thanks" && one["status"] == "granted")
        .count()
}

/// A first order, from slot to rating.
async fn order(cast: &Cast<'_>, person: &Client, phone: &str) -> Result<Value> {
    let start = first_slot(cast, "浦东").await?;
    let booking = book(person, &cast.service, "浦东", &start, phone).await?;
    let total = booking["total_fen"].as_i64().unwrap_or_default();
    pay(person, &booking, total, 1).await?;
    cast.stage.advance_to(&start).await?;
    let worker = cast.company.device(&cast.stage, &booking).await?;
    serve(&worker, &booking).await?;
    let id = booking["id"].as_str().unwrap_or_default();
    person
        .post(
            &format!("bookings/{id}/acceptance"),
            json!({ "accepted": true }),
        )
        .await?;
    rate(person, &booking, [5, 5, 5, 5, 5], "").await?;
    cast.say.tell(
        &format!("李女士首单 {} 已支付、完成", yuan(total)),
        &format!("Li's first order of {} is paid and done", yuan(total)),
    );
    Ok(booking)
}

async fn refund(cast: &Cast<'_>, order: &Value) -> Result<()> {
    let say = cast.say;
    cast.stage
        .staff
        .post(
            "admin/refunds",
            json!({ "booking_id": order["id"], "reason": "演示:全额退款" }),
        )
        .await?;
    let taken = |list: &Value| granted_thanks(list) == 0;
    let rewards = cast.mei.until("me/rewards", taken).await?;
    say.holds(
        taken(&rewards),
        "李女士的订单全额退款,感谢券随之收回",
        "Li's order is refunded in full; the thank-you is taken back",
    );
    Ok(())
}
