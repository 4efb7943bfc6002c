//! The main job, steps 1 to 8.

use super::{
    StaffLogin,
    act::{Stage, answers, service},
    client::Client,
    company, friends, marketing,
    narrator::Narrator,
    visit,
};
use crate::{kernel::Result, platform::vault};
use serde_json::{Value, json};

/// Everybody the story needs to remember.
pub(crate) struct Cast<'a> {
    pub(crate) stage: Stage<'a>,
    pub(crate) company: company::Company,
    pub(crate) mei: Client,
    pub(crate) mei_phone: String,
    pub(crate) service: Value,
    pub(crate) run: String,
    pub(crate) say: &'a Narrator,
}

/// Plays it; whether every step held.
pub(crate) async fn play(anyone: &Client, login: &StaffLogin, say: &Narrator) -> bool {
    if let Err(error) = Box::pin(steps(anyone, login, say)).await {
        let cause = error
            .source
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        say.broke(&format!("{} {cause}", error.detail));
    }
    say.all_held()
}

async fn steps(anyone: &Client, login: &StaffLogin, say: &Narrator) -> Result<()> {
    let body = json!({ "username": login.username, "password": login.password });
    let staff = anyone.login("auth/staff", body).await?;
    say.learn(&staff.get("admin/facts").await?);
    let stage = Stage {
        anyone,
        staff: &staff,
    };
    let company = company::sample()?;
    let workers = company::workers(&staff, &company).await?;
    let past = Box::pin(company::history(&stage, &company)).await?;
    say.tell(
        &format!(
            "公司就绪:{} 位家政员(新增 {workers} 位),新增 {past} 次历史服务。",
            company.workers.len()
        ),
        &format!(
            "The company stands: {} workers ({workers} new), {past} past visits added.",
            company.workers.len()
        ),
    );
    let cast = first(stage, company, say).await?;
    let booking = Box::pin(visit::book_and_pay(&cast)).await?;
    Box::pin(visit::deliver(&cast, &booking)).await?;
    Box::pin(visit::rate_and_decide(&cast, &booking)).await?;
    let code = Box::pin(visit::invitation(&cast)).await?;
    Box::pin(friends::bring(&cast, &code)).await?;
    Box::pin(marketing::console(&cast)).await?;
    withdraw(&cast).await
}

/// A phone number nobody of an earlier run has.
pub(crate) fn fresh_phone() -> String {
    let digits: String = vault::random_token(24)
        .bytes()
        .map(|byte| char::from(b'0' + byte % 10))
        .take(8)
        .collect();
    format!("137{digits}")
}

async fn first<'a>(
    stage: Stage<'a>,
    company: company::Company,
    say: &'a Narrator,
) -> Result<Cast<'a>> {
    say.step(
        1,
        "梅女士用微信登录,阅读告知书,逐项决定",
        "Mei logs in by WeChat, reads the notices, decides one by one",
    );
    let run = vault::random_code(6).to_lowercase();
    let mei_phone = fresh_phone();
    let mei = stage
        .customer(&format!("mei-{run}"), "梅女士", &mei_phone)
        .await?;
    let service = service(stage.anyone, "deep-cleaning").await?;
    let offer = |person: Client| {
        let service = service.clone();
        async move {
            let id = service["id"].as_str().unwrap_or_default().to_owned();
            let body = json!({ "answers": answers(&service), "area": "浦东" });
            person.post(&format!("services/{id}/quote"), body).await
        }
    };
    let before = offer(mei.clone()).await?;
    mei.decide("mkt_sms", "refused", "popup", Value::Null)
        .await?;
    mei.decide("referral_profiling", "refused", "popup", Value::Null)
        .await?;
    let after = offer(mei.clone()).await?;
    say.holds(
        before == after,
        "拒绝之后,报价一分不变(PIPL 16)",
        "After refusing, the quote is the same to the fen (PIPL 16)",
    );
    let granted = mei
        .decide("referral_profiling", "granted", "settings", Value::Null)
        .await?;
    mei.decide("mkt_wechat", "granted", "popup", Value::Null)
        .await?;
    let one = mei
        .decide("graph_analysis", "granted", "popup", Value::Null)
        .await?;
    let two = mei
        .decide("graph_analysis", "granted", "agreement", Value::Null)
        .await?;
    say.holds(
        one["state"] == "requested" && two["state"] == "granted",
        "关系图谱分析需要两次动作:弹屏与协议条款,缺一不开",
        "Graph analysis opens only after two acts: the pop-up and the clause",
    );
    let receipt = mei
        .get(granted["receipt_url"].as_str().unwrap_or_default())
        .await?;
    say.holds(
        receipt.is_object(),
        "每个决定都有一份签名回执",
        "Every decision has a signed receipt",
    );
    Ok(Cast {
        stage,
        company,
        mei,
        mei_phone,
        service,
        run,
        say,
    })
}

async fn withdraw(cast: &Cast<'_>) -> Result<()> {
    let say = cast.say;
    say.step(8, "梅女士撤回同意", "Mei withdraws");
    let rewards = cast.mei.get("me/rewards").await?;
    let record = cast.mei.delete("me/consents/referral_profiling").await?;
    cast.mei.delete("me/consents/graph_analysis").await?;
    say.holds(
        record["state"] == "withdrawn",
        "撤回不问理由,立即生效",
        "Withdrawal asks no reason and acts at once",
    );
    let waiting = |list: &Value| {
        list["items"]
            .as_array()
            .is_some_and(|items| items.iter().all(|one| one["status"] != "scheduled"))
    };
    let invitations = cast.mei.until("me/invitations", waiting).await?;
    say.holds(
        waiting(&invitations),
        "排队中的邀约已取消",
        "Queued invitations are cancelled",
    );
    let graph = cast
        .stage
        .staff
        .get("admin/referral-graph?limit=500")
        .await?;
    let gone = graph["nodes"]
        .as_array()
        .is_some_and(|nodes| nodes.iter().all(|node| node["id"] != cast.mei.id.as_str()));
    say.holds(gone, "她已不在关系图谱里", "She is no longer in the graph");
    let kept = cast.mei.get("me/rewards").await?;
    let bookings = cast.mei.get("bookings").await?;
    say.holds(
        kept["items"].as_array().map(Vec::len) == rewards["items"].as_array().map(Vec::len)
            && bookings["items"]
                .as_array()
                .is_some_and(|items| !items.is_empty()),
        "权益与预约都还在",
        "Her benefits and bookings stay",
    );
    let chain = cast.stage.staff.get("admin/consents/verify").await?;
    say.holds(
        chain["ok"] == true,
        "同意台账的哈希链完整",
        "The consent ledger's hash chain is whole",
    );
    Ok(())
}
