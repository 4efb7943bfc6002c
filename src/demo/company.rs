//! The sample company: eight workers, some forty customers, and a past.

use super::{
    act::{Stage, book, pay, rate, serve, service},
    client::Client,
};
use crate::kernel::{AppError, Result, business_date};
use figment::{
    Figment,
    providers::{Format, Toml},
};
use serde::Deserialize;
use serde_json::{Value, json};

const COMPANY: &str = include_str!("../../config/seed/company.toml");

/// Who works for the company and who buys from it.
#[derive(Deserialize)]
pub(crate) struct Company {
    pub(crate) workers: Vec<SampleWorker>,
    pub(crate) customers: Vec<SampleCustomer>,
    pub(crate) reviews: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct SampleWorker {
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) skills: Vec<String>,
    pub(crate) areas: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct SampleCustomer {
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) area: String,
}

impl Company {
    /// The device of the worker a booking was given to.
    pub(crate) async fn device(&self, stage: &Stage<'_>, booking: &Value) -> Result<Client> {
        let name = booking["worker"]["name"].as_str().unwrap_or_default();
        let worker = self.workers.iter().find(|worker| worker.name == name);
        let worker =
            worker.ok_or_else(|| AppError::internal("a booking names nobody of the company"))?;
        stage.worker(&worker.phone).await
    }
}

pub(crate) fn sample() -> Result<Company> {
    Figment::from(Toml::string(COMPANY))
        .extract()
        .map_err(AppError::internal)
}

/// Records the workers, unless an earlier run has.
pub(crate) async fn workers(staff: &Client, company: &Company) -> Result<usize> {
    let mut made = 0;
    for worker in &company.workers {
        let body = json!({
            "name": worker.name, "phone": worker.phone, "skills": worker.skills, "areas": worker.areas,
        });
        let answer = staff.try_post("admin/workers", body).await?;
        match (answer.status, answer.code()) {
            (201, _) => made += 1,
            (409, "conflict") => {}
            _ => {
                return Err(AppError::internal(format!(
                    "worker: {} {}",
                    answer.status,
                    answer.code()
                )));
            }
        }
    }
    Ok(made)
}

/// Gives the company a past: every customer has booked, paid, been served and rated once. Skipped when it has one.
pub(crate) async fn history(stage: &Stage<'_>, company: &Company) -> Result<usize> {
    let known = stage.staff.get("admin/bookings?limit=100").await?;
    if known["items"]
        .as_array()
        .is_some_and(|items| items.len() >= company.customers.len())
    {
        return Ok(0);
    }
    let daily = service(stage.anyone, "daily-cleaning").await?;
    let mut booked = Vec::new();
    for (index, customer) in company.customers.iter().enumerate() {
        let person = stage
            .customer(
                &format!("past-{}", customer.phone),
                &customer.name,
                &customer.phone,
            )
            .await?;
        let purpose = if index % 4 == 3 { "refused" } else { "granted" };
        person
            .decide("referral_profiling", purpose, "popup", Value::Null)
            .await?;
        if let Some(visit) = visit(stage, &person, &daily, customer).await? {
            booked.push((index, person, visit));
        }
    }
    booked.sort_by(|a, b| a.2["start_at"].as_str().cmp(&b.2["start_at"].as_str()));
    for (index, person, visit) in &booked {
        finish(stage, company, *index, person, visit).await?;
    }
    Ok(booked.len())
}

/// Books the first free hour of the coming week and prepays all or half of it.
async fn visit(
    stage: &Stage<'_>,
    person: &Client,
    service: &Value,
    customer: &SampleCustomer,
) -> Result<Option<Value>> {
    let now = stage.advance("PT1S").await?;
    let now = now["now"]
        .as_str()
        .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    let today = business_date(now.map(|now| now.to_utc()).unwrap_or_default());
    for day in today.iter_days().skip(1).take(7) {
        let Some(start) = super::act::slot(stage.anyone, service, &customer.area, day).await?
        else {
            continue;
        };
        let booking = book(person, service, &customer.area, &start, &customer.phone).await?;
        let total = booking["total_fen"].as_i64().unwrap_or_default();
        pay(person, &booking, total, 1).await?;
        return Ok(Some(booking));
    }
    Ok(None)
}

async fn finish(
    stage: &Stage<'_>,
    company: &Company,
    index: usize,
    person: &Client,
    booking: &Value,
) -> Result<()> {
    stage.advance_to(&booking["start_at"]).await?;
    let device = company.device(stage, booking).await?;
    serve(&device, booking).await?;
    let id = booking["id"].as_str().unwrap_or_default();
    person
        .post(
            &format!("bookings/{id}/acceptance"),
            json!({ "accepted": true }),
        )
        .await?;
    // Two in three are delighted, the others content: the engine should ask the first and leave the others alone.
    let stars = if index.is_multiple_of(3) {
        [4, 4, 5, 4, 4]
    } else {
        [5, 5, 5, 5, 5]
    };
    let review = company
        .reviews
        .get(index % company.reviews.len().max(1))
        .map_or("", String::as_str);
    rate(person, booking, stars, review).await?;
    Ok(())
}
