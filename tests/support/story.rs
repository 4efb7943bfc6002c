//! The verbs of a visit, over the API: a slot, a booking, money, a worker, an end.

use super::{Person, TestApp};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

/// Where every test visit takes place.
pub const AREA: &str = "浦东";

/// A worker with his device.
pub struct Crew {
    /// His device.
    pub device: Person,
    /// His worker id.
    pub id: String,
}

impl TestApp {
    /// A worker who can do everything in [`AREA`].
    pub async fn crew(&self, phone: &str) -> Crew {
        let services = self.stranger().get("services").await.expect(200);
        let skills: Vec<&str> = services["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|service| service["skill"].as_str().unwrap())
            .collect();
        let (device, id) = self.worker("张师傅", phone, &skills, &[AREA]).await;
        Crew { device, id }
    }

    /// A published service.
    pub async fn service(&self, slug: &str) -> Value {
        let services = self.stranger().get("services").await.expect(200);
        services["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["slug"] == slug)
            .unwrap()
            .clone()
    }

    /// The first free start of a service, from tomorrow on.
    pub async fn slot(&self, service: &Value) -> Value {
        let id = service["id"].as_str().unwrap();
        let today = linjian::kernel::business_date(self.ctx().env.now());
        for day in today.iter_days().skip(1).take(30) {
            let path = format!(
                "services/{id}/slots?date={day}&area={AREA}&minutes={}",
                service["base_minutes"]
            );
            let slots = self.stranger().get(&path).await.expect(200);
            if let Some(slot) = slots["items"].get(0) {
                return slot["start_at"].clone();
            }
        }
        panic!("no free slot in a month");
    }

    /// What a booking of `service` at `start_at` posts.
    #[expect(clippy::unused_self, reason = "one of the verbs of the app")]
    pub fn booking_body(&self, service: &Value, start_at: &Value) -> Value {
        json!({
            "service_id": service["id"], "start_at": start_at, "area": AREA, "answers": answers(service),
            "address": { "line": "示例路 8 弄 3 号 602 室", "lat": 31.2222, "lng": 121.5444 },
            "contact_phone": "13912345678",
        })
    }

    /// Books the first free slot of the daily cleaning.
    pub async fn books(&self, person: &Person) -> Value {
        let service = self.service("daily-cleaning").await;
        let slot = self.slot(&service).await;
        person
            .post("bookings", self.booking_body(&service, &slot))
            .await
            .expect(201)
    }

    /// Prepays `amount_fen` through the sandbox's cashier and lets the events run.
    pub async fn pays(&self, person: &Person, booking: &Value, amount_fen: i64) -> Value {
        let id = booking["id"].as_str().unwrap();
        let payment = person
            .post(
                &format!("bookings/{id}/prepayments"),
                json!({ "amount_fen": amount_fen }),
            )
            .await
            .expect(201);
        let package = payment["wechat_pay"]["package"].as_str().unwrap();
        let prepay_id = package.strip_prefix("prepay_id=").unwrap();
        let body = json!({ "prepay_id": prepay_id, "outcome": "success" });
        let paid = person.post("/sandbox/pay", body).await.expect(200);
        assert!(
            paid["delivered"][0]["status"].as_u64().unwrap() < 300,
            "{paid}"
        );
        self.drain().await;
        payment
    }

    /// Moves the clock to a moment, if it lies ahead.
    pub async fn advance_to(&self, moment: &Value) {
        let at: chrono::DateTime<chrono::Utc> = moment.as_str().unwrap().parse().unwrap();
        let seconds = (at - self.ctx().env.now()).num_seconds() + 1;
        if seconds > 0 {
            self.advance(&format!("PT{seconds}S")).await;
        }
    }

    /// A whole visit: booked, half prepaid, served, accepted. Answers the completed booking.
    pub async fn visit(&self, person: &Person, crew: &Crew) -> Value {
        let booking = self.books(person).await;
        let total = booking["total_fen"].as_i64().unwrap();
        self.pays(person, &booking, (total + 1) / 2).await;
        self.serves(person, crew, &booking).await
    }

    /// Serves and accepts a confirmed booking.
    pub async fn serves(&self, person: &Person, crew: &Crew, booking: &Value) -> Value {
        let id = booking["id"].as_str().unwrap();
        self.advance_to(&booking["start_at"]).await;
        let at = json!({ "lat": 31.2222, "lng": 121.5444 });
        crew.device
            .post(&format!("worker/jobs/{id}/check-in"), at)
            .await
            .expect(200);
        let jobs = crew.device.get("worker/jobs").await.expect(200);
        let job = jobs["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|job| job["booking_id"] == id)
            .unwrap()
            .clone();
        for item in job["checklist"].as_array().unwrap() {
            let key = item["key"].as_str().unwrap();
            let path = format!("worker/jobs/{id}/checklist/{key}");
            crew.device
                .post(&path, json!({ "done": true }))
                .await
                .expect(200);
        }
        crew.device
            .post(&format!("worker/jobs/{id}/complete"), json!({}))
            .await
            .expect(200);
        person
            .post(
                &format!("bookings/{id}/acceptance"),
                json!({ "accepted": true }),
            )
            .await
            .expect(200);
        self.drain().await;
        person.get(&format!("bookings/{id}")).await.expect(200)
    }

    /// Lets a refund go to WeChat Pay and its notification come back.
    pub async fn settled_refund(&self) {
        self.drain().await;
        for _ in 0..200 {
            let waiting = entity::refund::Entity::find()
                .filter(entity::refund::Column::SettledAt.is_null())
                .count(self.ctx().db.read())
                .await
                .unwrap();
            if waiting == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        self.drain().await;
    }

    /// Lets the content check of what was just sent answer: the sandbox pushes its word two seconds later.
    pub async fn checked(&self) {
        self.drain().await;
        self.advance("PT3S").await;
    }

    /// A friend who agrees to the link and uses somebody's code; with the link.
    pub async fn comes(&self, name: &str, code: &Value) -> (Person, Value) {
        let friend = self.customer(name).await;
        friend.consents("referral_link", None).await;
        let link = friend
            .post("referrals", json!({ "code": code }))
            .await
            .expect(201);
        self.drain().await;
        (friend, link)
    }

    /// Rates a completed visit with the five numbers and lets the events run.
    pub async fn rates(&self, person: &Person, booking: &Value, stars: [u8; 5]) -> Value {
        let [quality, punctuality, attitude, communication, value] = stars;
        let id = booking["id"].as_str().unwrap();
        let body = json!({
            "quality": quality, "punctuality": punctuality, "attitude": attitude,
            "communication": communication, "value": value,
        });
        let rating = person
            .post(&format!("bookings/{id}/rating"), body)
            .await
            .expect(201);
        self.drain().await;
        rating
    }
}

/// The plainest answer to every question.
pub fn answers(service: &Value) -> Value {
    let questions = service["questionnaire"].as_array().unwrap();
    let answers = questions.iter().map(|question| {
        let key = question["key"].as_str().unwrap().to_owned();
        let answer = match question["kind"].as_str().unwrap() {
            "number" => json!(60),
            "bool" => json!(false),
            _ => question["options"][0]
                .get("value")
                .unwrap_or(&question["options"][0])
                .clone(),
        };
        (key, answer)
    });
    Value::Object(answers.collect())
}
