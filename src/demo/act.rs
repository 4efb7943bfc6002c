//! The verbs of the story: book, pay, serve, rate.

use super::client::Client;
use crate::kernel::{AppError, Result};
use serde_json::{Value, json};

/// Customers, and the staff member who may move the sandbox's clock.
pub(crate) struct Stage<'a> {
    pub(crate) anyone: &'a Client,
    pub(crate) staff: &'a Client,
}

impl Stage<'_> {
    /// A customer of the mini-program with a name and a phone.
    pub(crate) async fn customer(&self, sandbox: &str, name: &str, phone: &str) -> Result<Client> {
        let person = self
            .anyone
            .login(
                "auth/wechat",
                json!({ "code": format!("sandbox-{sandbox}") }),
            )
            .await?;
        person.patch("me", json!({ "name": name })).await?;
        person
            .post("auth/phone", json!({ "code": format!("phone-{phone}") }))
            .await?;
        Ok(person)
    }

    /// The worker's own device.
    pub(crate) async fn worker(&self, phone: &str) -> Result<Client> {
        let person = self
            .anyone
            .login(
                "auth/wechat",
                json!({ "code": format!("sandbox-worker-{phone}") }),
            )
            .await?;
        person
            .post("auth/phone", json!({ "code": format!("phone-{phone}") }))
            .await?;
        Ok(person)
    }

    /// Time passes for the whole company.
    pub(crate) async fn advance(&self, span: &str) -> Result<Value> {
        self.staff
            .post("admin/test-clock", json!({ "advance": span }))
            .await
    }

    /// Waits (by the sandbox's clock) until a moment.
    pub(crate) async fn advance_to(&self, moment: &Value) -> Result<()> {
        let at = moment
            .as_str()
            .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
        let at = at.ok_or_else(|| AppError::internal("a moment is missing"))?;
        let now = self.advance("PT1S").await?;
        let now = now["now"]
            .as_str()
            .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
        let seconds = now.map_or(0, |now| (at - now).num_seconds());
        if seconds > 0 {
            self.advance(&format!("PT{}S", seconds + 1)).await?;
        }
        Ok(())
    }
}

/// The service of that slug.
pub(crate) async fn service(anyone: &Client, slug: &str) -> Result<Value> {
    let services = anyone.get("services").await?;
    let items = services["items"].as_array().cloned().unwrap_or_default();
    items
        .into_iter()
        .find(|service| service["slug"] == slug)
        .ok_or_else(|| AppError::internal("the sample company has no such service"))
}

/// A plausible answer to every question of a service.
pub(crate) fn answers(service: &Value) -> Value {
    let questions = service["questionnaire"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let answers = questions.iter().filter_map(|question| {
        let key = question["key"].as_str()?.to_owned();
        let answer = match question["kind"].as_str()? {
            "number" => json!(90),
            "bool" => json!(true),
            _ => {
                let options = question["options"].as_array()?;
                let option = options.get(1).or_else(|| options.first())?;
                option.get("value").unwrap_or(option).clone()
            }
        };
        Some((key, answer))
    });
    Value::Object(answers.collect())
}

/// The first free slot some days ahead.
pub(crate) async fn slot(
    anyone: &Client,
    service: &Value,
    area: &str,
    day: chrono::NaiveDate,
) -> Result<Option<Value>> {
    let id = service["id"].as_str().unwrap_or_default();
    let quote = anyone
        .post(
            &format!("services/{id}/quote"),
            json!({ "answers": answers(service), "area": area }),
        )
        .await?;
    let minutes = &quote["minutes"];
    let path = format!("services/{id}/slots?date={day}&area={area}&minutes={minutes}");
    let slots = anyone.get(&path).await?;
    Ok(slots["items"]
        .as_array()
        .and_then(|items| items.first())
        .map(|slot| slot["start_at"].clone()))
}

/// Books a slot.
pub(crate) async fn book(
    person: &Client,
    service: &Value,
    area: &str,
    start_at: &Value,
    phone: &str,
) -> Result<Value> {
    let body = json!({
        "service_id": service["id"], "start_at": start_at, "area": area, "answers": answers(service),
        "address": { "line": format!("{area}区示例路 8 弄 3 号 602 室"), "lat": 31.2222, "lng": 121.5444 },
        "contact_phone": phone,
    });
    person.post("bookings", body).await
}

/// Prepays through the sandbox's cashier; the signed notification arrives `times` times.
pub(crate) async fn pay(
    person: &Client,
    booking: &Value,
    amount_fen: i64,
    times: u32,
) -> Result<Value> {
    let id = booking["id"].as_str().unwrap_or_default();
    let payment = person
        .post(
            &format!("bookings/{id}/prepayments"),
            json!({ "amount_fen": amount_fen }),
        )
        .await?;
    let package = payment["wechat_pay"]["package"]
        .as_str()
        .unwrap_or_default();
    let prepay_id = package.strip_prefix("prepay_id=").unwrap_or_default();
    person
        .post(
            "/sandbox/pay",
            json!({ "prepay_id": prepay_id, "outcome": "success", "times": times }),
        )
        .await
}

/// Ticks the whole checklist; how many items that were.
pub(crate) async fn checklist(worker: &Client, booking_id: &str, day: &str) -> Result<usize> {
    let jobs = worker.get(&format!("worker/jobs?date={day}")).await?;
    let jobs = jobs["items"].as_array().cloned().unwrap_or_default();
    let job = jobs.into_iter().find(|job| job["booking_id"] == booking_id);
    let items = job
        .and_then(|job| job["checklist"].as_array().cloned())
        .unwrap_or_default();
    for item in &items {
        let key = item["key"].as_str().unwrap_or_default();
        worker
            .post(
                &format!("worker/jobs/{booking_id}/checklist/{key}"),
                json!({ "done": true }),
            )
            .await?;
    }
    Ok(items.len())
}

/// Checks in at the address, ticks everything, completes.
pub(crate) async fn serve(worker: &Client, booking: &Value) -> Result<()> {
    let id = booking["id"].as_str().unwrap_or_default();
    worker
        .post(
            &format!("worker/jobs/{id}/check-in"),
            json!({ "lat": 31.2222, "lng": 121.5444 }),
        )
        .await?;
    checklist(worker, id, &day_of(&booking["start_at"])).await?;
    worker
        .post(&format!("worker/jobs/{id}/complete"), json!({}))
        .await?;
    Ok(())
}

/// The business day of a moment, `YYYY-MM-DD`.
pub(crate) fn day_of(moment: &Value) -> String {
    let at = moment
        .as_str()
        .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    at.map(|at| crate::kernel::business_date(at.to_utc()).to_string())
        .unwrap_or_default()
}

/// Rates five dimensions.
pub(crate) async fn rate(
    person: &Client,
    booking: &Value,
    stars: [u8; 5],
    comment: &str,
) -> Result<Value> {
    let [quality, punctuality, attitude, communication, value] = stars;
    let id = booking["id"].as_str().unwrap_or_default();
    let body = json!({
        "quality": quality, "punctuality": punctuality, "attitude": attitude, "communication": communication,
        "value": value, "comment": comment,
    });
    person.post(&format!("bookings/{id}/rating"), body).await
}
