//! Content safety: comments and photos before others see them, and what staff say where WeChat cannot.

use crate::{
    booking::id_of,
    photo::{agrees, picture, under_way, uploads},
    support::{Backend, Crew, Person, TestApp},
};
use aws_lc_rs::hmac;
use bytes::Bytes;
use entity::{
    content_check,
    ids::{AccountId, PhotoId, RatingId},
    photo, rating,
    values::{CommentStatus, ContentState, ContentSuggest, PhotoStatus, StaffRole},
};
use image::{ImageFormat, RgbImage, codecs::jpeg::JpegEncoder};
use linjian::{app::Half, outbox};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use std::time::Duration;

/// What the sandbox says of the next pictures; `away`: it says nothing of anything.
async fn says(app: &TestApp, verdict: &str) {
    let body = json!({ "verdict": verdict });
    app.stranger()
        .post("/sandbox/media-verdict", body)
        .await
        .expect(200);
}

/// Rates a visit with five fives but one, and a comment.
async fn writes(person: &Person, visit: &Value, last: u8, comment: Option<&str>) -> Value {
    let mut body =
        json!({ "quality": 5, "punctuality": 5, "attitude": 5, "communication": 5, "value": last });
    if let Some(comment) = comment {
        body["comment"] = comment.into();
    }
    let path = format!("bookings/{}/rating", id_of(visit));
    person.post(&path, body).await.expect(201)
}

async fn comment_status(app: &TestApp, rating: &Value) -> CommentStatus {
    let id = RatingId(id_of(rating).parse().unwrap());
    let row = rating::Entity::find_by_id(id)
        .all(app.ctx().db.read())
        .await
        .unwrap()
        .pop();
    row.unwrap().comment_status
}

async fn publishable(app: &TestApp, person: &Person) -> Option<String> {
    let id = AccountId(person.id.parse().unwrap());
    let found = linjian::rating::publishable_comments(app.ctx().db.read(), id).await;
    found.unwrap().into_iter().next().map(|one| one.text)
}

/// A visit under way whose customer agreed to photos, and one photo of it.
struct Scene {
    crew: Crew,
    mei: Person,
    booking: Value,
    photo: Value,
}

impl Scene {
    async fn open(app: &TestApp, verdict: &str) -> Self {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        says(app, verdict).await;
        let file = picture(60, 40, ImageFormat::Jpeg);
        let photo = uploads(&crew, &booking, "before", None, &file)
            .await
            .expect(201);
        app.drain().await;
        Self {
            crew,
            mei,
            booking,
            photo,
        }
    }

    fn photo_id(&self) -> PhotoId {
        PhotoId(id_of(&self.photo).parse().unwrap())
    }

    async fn status(&self, app: &TestApp) -> PhotoStatus {
        let rows = photo::Entity::find_by_id(self.photo_id()).all(app.ctx().db.read());
        rows.await.unwrap().pop().unwrap().status
    }

    async fn check(&self, app: &TestApp) -> content_check::Model {
        let rows = content_check::Entity::find()
            .filter(content_check::Column::SubjectId.eq(self.photo_id().0))
            .all(app.ctx().db.read());
        rows.await.unwrap().pop().unwrap()
    }

    async fn trace(&self, app: &TestApp) -> String {
        self.check(app).await.trace_id.unwrap()
    }

    /// Who sees the photo now: customer, worker, customer service.
    async fn seen(&self, app: &TestApp) -> [u16; 3] {
        let service = app.staff(&[StaffRole::Service]).await;
        let path = format!("photos/{}", id_of(&self.photo));
        let mut seen = [0; 3];
        for (at, person) in [&self.mei, &self.crew.device, &service].iter().enumerate() {
            seen[at] = person.get(&path).await.status;
        }
        seen
    }

    /// The customer's own list of her visit's photos.
    async fn listed(&self) -> usize {
        let path = format!("bookings/{}", id_of(&self.booking));
        let booking = self.mei.get(&path).await.expect(200);
        booking["photos"].as_array().unwrap().len()
    }
}

/// The staff queue.
async fn queue(app: &TestApp) -> Vec<Value> {
    let service = app.staff(&[StaffRole::Service]).await;
    let page = service
        .get("admin/content-reviews?state=open")
        .await
        .expect(200);
    page["items"].as_array().unwrap().clone()
}

/// An answer about a picture as WeChat pushes it; numbers may be texts and the detail anything.
fn answer(trace: &str, suggest: Option<&str>) -> Value {
    let mut message =
        json!({ "Event": "wxa_media_check", "trace_id": trace, "version": 2, "detail": {} });
    match suggest {
        Some(suggest) => message["result"] = json!({ "suggest": suggest, "label": "100" }),
        None => message["errcode"] = json!("-1008"),
    }
    message
}

/// WeChat pushes an answer, a second after whatever it pushed before: another message, not the same again.
async fn pushed(app: &TestApp, trace: &str, suggest: Option<&str>) {
    app.advance("PT1S").await;
    delivered(app, answer(trace, suggest), 1).await;
    app.drain().await;
}

/// Pushes so many copies at once; each is taken.
async fn delivered(app: &TestApp, mut message: Value, times: usize) {
    message["times"] = times.into();
    let told = app
        .stranger()
        .post("/sandbox/push", message)
        .await
        .expect(200);
    let all = told["delivered"].as_array().unwrap();
    assert_eq!(all.len(), times);
    assert!(all.iter().all(|one| one["body"] == "success"), "{told}");
}

on_both! {
    async fn a_comment_is_judged_when_it_is_written_and_the_rating_counts_in_any_case(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let cases = [
            (None, 5, "none", CommentStatus::None),
            (Some("  "), 5, "none", CommentStatus::None),
            (Some("准时、细致"), 4, "pending", CommentStatus::Pass),
            (Some("还行"), 1, "pending", CommentStatus::Pass),
            (Some("这里有违规内容"), 5, "pending", CommentStatus::Hidden),
            (Some("这一句待审"), 5, "pending", CommentStatus::Review),
        ];
        for (comment, last, first, then) in cases {
            let visit = app.visit(&mei, &crew).await;
            let rating = writes(&mei, &visit, last, comment).await;
            assert_eq!(rating["comment_status"], first, "{comment:?}");
            app.drain().await;
            assert_eq!(comment_status(app, &rating).await, then, "{comment:?}");
        }
        // The newest that passed and recommends: neither the lukewarm one after it nor those that did not pass.
        assert_eq!(publishable(app, &mei).await.as_deref(), Some("准时、细致"));
        assert_eq!(publishable(app, &app.customer("li").await).await, None);
        let open = queue(app).await;
        assert_eq!(open.len(), 1);
        assert_eq!((&open[0]["kind"], &open[0]["cause"], &open[0]["text"]), (&json!("comment"), &json!("review"), &json!("这一句待审")));
        assert_eq!((&open[0]["suggest"], &open[0]["label"]), (&json!("review"), &json!(21_000)));
    }

    async fn a_comment_of_somebody_who_was_not_active_is_read_by_a_person_and_never_passes_by_itself(app) {
        let crew = app.crew("13800001000").await;
        let li = app.customer("idle-li").await;
        let visit = app.visit(&li, &crew).await;
        let rating = writes(&li, &visit, 5, Some("很满意")).await;
        app.drain().await;
        assert_eq!(comment_status(app, &rating).await, CommentStatus::Review);
        assert_eq!(publishable(app, &li).await, None);
        let open = queue(app).await;
        assert_eq!((open.len(), &open[0]["cause"], &open[0]["suggest"]), (1, &json!("inactive"), &Value::Null));
        let path = format!("admin/content-reviews/{}/decision", id_of(&open[0]));
        let body = json!({ "verdict": "pass", "reason": "没有问题" });
        app.staff(&[StaffRole::Marketing]).await.post(&path, body.clone()).await.problem(403, "forbidden");
        li.post(&path, body.clone()).await.problem(403, "forbidden");
        let manager = app.staff(&[StaffRole::Manager]).await;
        let decided = manager.post(&path, body).await.expect(200);
        assert_eq!((&decided["state"], &decided["verdict"], &decided["decided_by"]), (&json!("settled"), &json!("pass"), &json!(manager.id)));
        assert_eq!(publishable(app, &li).await.as_deref(), Some("很满意"));
        let body = json!({ "verdict": "hidden", "reason": "改主意了" });
        manager.post(&path, body).await.problem(409, "invalid_state");
        assert!(queue(app).await.is_empty());
        let pipo = app.staff(&[StaffRole::Pipo]).await;
        let log = pipo.get(&format!("admin/audit?subject_id={}&limit=100", li.id)).await.expect(200);
        let of_him = |one: &Value| one["action"].as_str().unwrap().ends_with("/decision") && one["actor_id"] == manager.id.as_str();
        assert!(log["items"].as_array().unwrap().iter().any(of_him), "{log}");
    }

    async fn while_wechat_is_away_a_comment_waits_and_is_judged_when_it_is_back(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let visit = app.visit(&mei, &crew).await;
        says(app, "away").await;
        let rating = writes(&mei, &visit, 5, Some("准时、细致")).await;
        app.drain().await;
        app.advance("PT30M").await;
        assert_eq!(comment_status(app, &rating).await, CommentStatus::Pending);
        assert_eq!(publishable(app, &mei).await, None, "nothing passes because it was not checked");
        says(app, "pass").await;
        app.advance("PT10M").await;
        assert_eq!(comment_status(app, &rating).await, CommentStatus::Pass);
    }

    async fn when_wechat_is_away_too_long_a_person_reads(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let visit = app.visit(&mei, &crew).await;
        says(app, "away").await;
        let rating = writes(&mei, &visit, 5, Some("准时、细致")).await;
        app.drain().await;
        app.advance("PT1H").await;
        assert!(queue(app).await.is_empty());
        app.advance("PT1H10M").await;
        assert_eq!(comment_status(app, &rating).await, CommentStatus::Review);
        let open = queue(app).await;
        assert_eq!((open.len(), &open[0]["cause"]), (1, &json!("away")));
    }
}

on_both! {
    async fn a_photo_is_the_workers_and_operations_until_it_has_passed(app) {
        let scene = Scene::open(app, "pass").await;
        assert_eq!(scene.photo["status"], "pending");
        assert_eq!(scene.seen(app).await, [404, 200, 200]);
        assert_eq!(scene.listed().await, 0);
        let thumbnail = format!("photos/{}/thumbnail", id_of(&scene.photo));
        scene.mei.get(&thumbnail).await.problem(404, "not_found");
        let list = app.staff(&[StaffRole::Service]).await.get("admin/bookings").await.expect(200);
        assert_eq!(list["items"][0]["photos"][0]["status"], "pending");
        assert!(scene.check(app).await.fetched_at.is_some(), "the sandbox has really fetched it");
        app.advance("PT3S").await;
        assert_eq!(scene.status(app).await, PhotoStatus::Stored);
        assert_eq!(scene.seen(app).await, [200, 200, 200]);
        assert_eq!(scene.listed().await, 1);
        assert!(queue(app).await.is_empty());
    }

    async fn a_risky_photo_is_shown_to_nobody_and_kept(app) {
        let scene = Scene::open(app, "risky").await;
        app.advance("PT3S").await;
        assert_eq!(scene.seen(app).await, [404, 404, 404]);
        assert_eq!(scene.status(app).await, PhotoStatus::Hidden);
        let check = scene.check(app).await;
        assert_eq!((check.state, check.verdict, check.label), (ContentState::Settled, Some(ContentSuggest::Risky), Some(20_002)));
    }

    async fn what_wechat_leaves_open_staff_decide_and_a_late_push_changes_nothing(app) {
        let scene = Scene::open(app, "review").await;
        let trace = scene.trace(app).await;
        app.advance("PT3S").await;
        assert_eq!(scene.seen(app).await, [404, 200, 200]);
        let open = queue(app).await;
        assert_eq!((open.len(), &open[0]["kind"], &open[0]["subject_id"]), (1, &json!("photo"), &scene.photo["id"]));
        assert!(open[0]["photo_url"].as_str().unwrap().ends_with(&format!("/photos/{}", id_of(&scene.photo))));
        pushed(app, &trace, Some("pass")).await;
        assert_eq!(scene.status(app).await, PhotoStatus::Review, "WeChat has one word");
        let path = format!("admin/content-reviews/{}/decision", id_of(&open[0]));
        let service = app.staff(&[StaffRole::Service]).await;
        service.post(&path, json!({ "verdict": "risky", "reason": "x" })).await.problem(422, "validation");
        service.post(&path, json!({ "verdict": "hidden", "reason": "" })).await.problem(422, "validation");
        let body = json!({ "verdict": "pass", "reason": "只是一间厨房" });
        let first = service.post_with_key(&path, "one", body.clone()).await.expect(200);
        assert_eq!(service.post_with_key(&path, "one", body).await.expect(200), first);
        assert_eq!(scene.seen(app).await, [200, 200, 200]);
        for suggest in [Some("risky"), Some("review"), None] {
            pushed(app, &trace, suggest).await;
        }
        app.drain().await;
        assert_eq!(scene.status(app).await, PhotoStatus::Stored);
        assert!(queue(app).await.is_empty());
    }

    async fn after_forty_silent_minutes_wechat_is_asked_once_more_and_then_staff(app) {
        let scene = Scene::open(app, "silence").await;
        app.advance("PT39M").await;
        assert_eq!(scene.check(app).await.attempt, 1);
        let first = scene.trace(app).await;
        app.advance("PT2M").await;
        let again = scene.check(app).await;
        assert_eq!((again.attempt, again.earlier_trace_id.as_deref()), (2, Some(first.as_str())));
        assert!(queue(app).await.is_empty());
        app.advance("PT41M").await;
        let open = queue(app).await;
        assert_eq!((open.len(), &open[0]["cause"]), (1, &json!("silent")));
        assert_eq!(scene.seen(app).await, [404, 200, 200]);
        app.advance("P1D").await;
        assert_eq!(scene.check(app).await.attempt, 2, "twice and no more");
        // Nobody has decided yet: a word that comes very late is as good as one in time, even to the first asking.
        pushed(app, &first, Some("pass")).await;
        assert_eq!(scene.seen(app).await, [200, 200, 200]);
        assert!(queue(app).await.is_empty());
    }

    async fn the_second_asking_may_be_answered(app) {
        let scene = Scene::open(app, "silence").await;
        says(app, "pass").await;
        app.advance("PT41M").await;
        assert_eq!(scene.check(app).await.attempt, 2);
        app.advance("PT3S").await;
        assert_eq!(scene.seen(app).await, [200, 200, 200]);
        app.advance("PT2H").await;
        assert!(queue(app).await.is_empty());
    }

    async fn a_picture_wechat_cannot_fetch_is_tried_again_and_then_goes_to_staff(app) {
        let scene = Scene::open(app, "unreachable").await;
        let trace = scene.trace(app).await;
        app.advance("PT3S").await;
        assert_eq!(scene.check(app).await.attempt, 1);
        app.advance("PT1M").await;
        assert_eq!(scene.check(app).await.attempt, 2);
        // Retries of the first push come in between; they are about an asking that is over.
        pushed(app, &trace, None).await;
        assert!(queue(app).await.is_empty());
        app.advance("PT3S").await;
        let open = queue(app).await;
        assert_eq!((open.len(), &open[0]["cause"]), (1, &json!("unreachable")));
        assert_eq!(scene.seen(app).await, [404, 200, 200]);
    }

    async fn a_picture_that_can_be_fetched_at_the_second_try_is_judged(app) {
        let scene = Scene::open(app, "unreachable").await;
        says(app, "pass").await;
        app.advance("PT3S").await;
        app.advance("PT1M").await;
        app.advance("PT3S").await;
        assert_eq!(scene.seen(app).await, [200, 200, 200]);
    }

    async fn a_pass_about_a_picture_nobody_could_have_seen_is_not_believed(app) {
        let scene = Scene::open(app, "silence").await;
        let rows = photo::Entity::find_by_id(scene.photo_id()).all(app.ctx().db.read());
        let key = rows.await.unwrap().pop().unwrap().blob_key;
        app.ctx().blobs.delete(&key).await.unwrap();
        pushed(app, &scene.trace(app).await, Some("pass")).await;
        assert_eq!(scene.status(app).await, PhotoStatus::Pending);
        app.advance("PT1M").await;
        pushed(app, &scene.trace(app).await, Some("pass")).await;
        assert_eq!(scene.status(app).await, PhotoStatus::Review);
        assert_eq!(queue(app).await[0]["cause"], "unreachable");
    }

    async fn a_photo_of_a_worker_who_was_not_active_goes_to_staff(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        let idle = app.customer("idle-worker").await;
        let openid = |person: &Person| AccountId(person.id.parse().unwrap());
        let (his, other) = (openid(&crew.device), openid(&idle));
        let tx = app.ctx().db.begin_write().await.unwrap();
        swap_openids(&tx, his, other).await;
        app.ctx().commit(tx).await.unwrap();
        let file = picture(60, 40, ImageFormat::Jpeg);
        uploads(&crew, &booking, "before", None, &file).await.expect(201);
        app.drain().await;
        let open = queue(app).await;
        assert_eq!((open.len(), &open[0]["cause"]), (1, &json!("inactive")));
    }
}

/// The worker's account becomes that of an idle person in WeChat's eyes.
async fn swap_openids(tx: &sea_orm::DatabaseTransaction, worker: AccountId, idle: AccountId) {
    use entity::wechat_identity::{ActiveModel, Column, Entity};
    use sea_orm::{ActiveModelTrait, ActiveValue::Set};
    let of = async |account: AccountId| {
        let rows = Entity::find().filter(Column::AccountId.eq(account)).all(tx);
        rows.await.unwrap().pop().unwrap()
    };
    let (his, other) = (of(worker).await, of(idle).await);
    let parked = ActiveModel {
        id: Set(other.id),
        openid: Set("oParked".into()),
        ..Default::default()
    };
    parked.update(tx).await.unwrap();
    let moved = ActiveModel {
        id: Set(his.id),
        openid: Set(other.openid),
        ..Default::default()
    };
    moved.update(tx).await.unwrap();
}

on_both! {
    async fn the_same_push_many_times_has_one_effect_and_an_unknown_trace_none(app) {
        let scene = Scene::open(app, "silence").await;
        let trace = scene.trace(app).await;
        pushed(app, "689aa529-4540935f-00000000", Some("risky")).await;
        assert_eq!(scene.status(app).await, PhotoStatus::Pending);
        app.advance("PT1S").await;
        // The same message eight times at once, as WeChat's retries are; and the same word in another message.
        delivered(app, answer(&trace, Some("review")), 8).await;
        app.advance("PT1S").await;
        delivered(app, answer(&trace, Some("review")), 8).await;
        app.drain().await;
        assert_eq!(queue(app).await.len(), 1);
        let open = queue(app).await;
        let path = format!("admin/content-reviews/{}/decision", id_of(&open[0]));
        let manager = app.staff(&[StaffRole::Manager]).await;
        let mut decisions = Vec::new();
        for verdict in ["pass", "hidden", "pass", "hidden"] {
            let (manager, path) = (manager.clone(), path.clone());
            decisions.push(tokio::spawn(async move {
                manager.post(&path, json!({ "verdict": verdict, "reason": "看过了" })).await.status
            }));
        }
        let mut statuses = Vec::new();
        for decision in decisions {
            statuses.push(decision.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409, 409], "one word of staff counts");
    }

    async fn a_withdrawn_consent_ends_the_check_and_no_word_brings_the_photo_back(app) {
        let scene = Scene::open(app, "silence").await;
        let trace = scene.trace(app).await;
        let path = format!("me/consents/photo_capture?booking_id={}", id_of(&scene.booking));
        scene.mei.delete(&path).await.expect(200);
        app.drain().await;
        pushed(app, &trace, Some("pass")).await;
        assert_eq!(scene.seen(app).await, [404, 404, 404]);
        app.advance("PT2H").await;
        let check = scene.check(app).await;
        assert_eq!((check.attempt, check.state), (1, ContentState::Settled), "the picture is sent out no more");
        assert!(queue(app).await.is_empty());
        assert_eq!(scene.seen(app).await, [404, 404, 404]);
    }

    async fn wechats_link_opens_one_photo_for_a_while_and_only_as_signed(app) {
        let scene = Scene::open(app, "silence").await;
        let (id, now) = (id_of(&scene.photo).to_owned(), app.ctx().env.now().timestamp());
        let good = link(app, &id, now + 3_600);
        let answer = app.stranger().get(&good).await;
        assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, "image/jpeg"));
        image::load_from_memory_with_format(&answer.bytes, ImageFormat::Jpeg).unwrap();
        let (path, query) = good.split_once('?').unwrap();
        let flipped = if good.ends_with('0') { "1" } else { "0" };
        let another = "01930000-0000-7000-8000-000000000000";
        for wrong in [
            path.to_owned(),
            format!("{path}?expires={}", now + 3_600),
            format!("{path}?expires=soon&signature=x"),
            format!("{path}?expires={}&signature=zz", now + 3_600),
            format!("{}{flipped}", &good[..good.len() - 1]),
            format!("{good}&more=1"),
            good.replace(&(now + 3_600).to_string(), &(now + 3_601).to_string()),
            format!("photos/{another}/check?{query}"),
            // Rightly signed, but for longer than such a link may live, and for a photo that is not there.
            link(app, &id, now + 7_200),
            link(app, &id, now - 1),
            link(app, another, now + 3_600),
        ] {
            app.stranger().get(&wrong).await.problem(404, "not_found");
        }
        app.advance("PT1H1S").await;
        app.stranger().get(&good).await.problem(404, "not_found");
        let fresh = link(app, &id, app.ctx().env.now().timestamp() + 60);
        app.stranger().get(&fresh).await.expect(200);
        pushed(app, &scene.trace(app).await, Some("pass")).await;
        app.stranger().get(&fresh).await.problem(404, "not_found");
    }
}

/// The link as the house signs it.
fn link(app: &TestApp, photo: &str, expires: i64) -> String {
    let secret = app.ctx().vault.derive("content check links").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let signature = hex::encode(hmac::sign(&key, format!("{photo}\n{expires}").as_bytes()));
    format!("photos/{photo}/check?expires={expires}&signature={signature}")
}

/// WX-14: the operator may do without, at his own risk.
async fn without_checks_everything_passes_at_once(backend: Backend) {
    let app = TestApp::with(backend, Half::ApiOnly, &[("wechat.content_check", "false")]).await;
    let crew = app.crew("13800001000").await;
    let mei = app.customer("mei").await;
    let booking = under_way(&app, &mei, &crew).await;
    agrees(&mei, &booking).await;
    let file = picture(60, 40, ImageFormat::Jpeg);
    let photo = uploads(&crew, &booking, "before", None, &file)
        .await
        .expect(201);
    assert_eq!(photo["status"], "stored");
    mei.get(&format!("photos/{}", id_of(&photo)))
        .await
        .expect(200);
    let visit = app.visit(&mei, &crew).await;
    let rating = writes(&mei, &visit, 5, Some("违规")).await;
    assert_eq!(rating["comment_status"], "pass");
    app.drain().await;
    let checks = content_check::Entity::find().all(app.ctx().db.read());
    assert!(checks.await.unwrap().is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_checks_everything_passes_at_once_on_sqlite_and_memory() {
    without_checks_everything_passes_at_once(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_checks_everything_passes_at_once_on_postgres_and_redis() {
    without_checks_everything_passes_at_once(Backend::Production).await;
}

/// Words that contradict each other arrive at once at a node that works: the first that is heard counts, whole.
async fn the_first_word_heard_counts(backend: Backend) {
    let app = TestApp::working(backend).await;
    let scene = Scene::open(&app, "silence").await;
    while scene.check(&app).await.trace_id.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let trace = scene.trace(&app).await;
    let now = app.ctx().env.now().timestamp();
    let pushes = (0..8).map(|number| {
        let suggest = if number % 2 == 0 { "pass" } else { "risky" };
        let mut message = answer(&trace, Some(suggest));
        message["CreateTime"] = (now + number).into();
        delivered(&app, message, 2)
    });
    futures_util::future::join_all(pushes).await;
    assert!(
        outbox::settle(app.ctx(), Duration::from_secs(20))
            .await
            .unwrap()
    );
    let check = scene.check(&app).await;
    assert_eq!(check.state, ContentState::Settled);
    let shown = scene.status(&app).await == PhotoStatus::Stored;
    assert_eq!(shown, check.verdict == Some(ContentSuggest::Pass));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_word_heard_counts_on_sqlite_and_memory() {
    the_first_word_heard_counts(Backend::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_word_heard_counts_on_postgres_and_redis() {
    the_first_word_heard_counts(Backend::Production).await;
}

/// A picture of noise, which no encoder makes small.
fn noise(width: u32, height: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let pixels = (0..width * height * 3).map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    });
    let room = RgbImage::from_raw(width, height, pixels.collect()).unwrap();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 100)
        .encode_image(&room)
        .unwrap();
    jpeg
}

#[tokio::test(flavor = "multi_thread")]
async fn wechat_is_shown_a_smaller_picture_where_the_kept_one_is_too_large() {
    let app = TestApp::start(Backend::Embedded).await;
    let scene = Scene::open(&app, "silence").await;
    let rows = photo::Entity::find_by_id(scene.photo_id()).all(app.ctx().db.read());
    let key = rows.await.unwrap().pop().unwrap().blob_key;
    let large = noise(3_000, 2_500);
    assert!(large.len() > 10_000_000, "the test would prove nothing");
    app.ctx()
        .blobs
        .put(&key, Bytes::from(large), "image/jpeg")
        .await
        .unwrap();
    let expires = app.ctx().env.now().timestamp() + 60;
    let answer = app
        .stranger()
        .get(&link(&app, id_of(&scene.photo), expires))
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.bytes.len() <= 10_000_000, "{}", answer.bytes.len());
    let seen = image::load_from_memory_with_format(&answer.bytes, ImageFormat::Jpeg).unwrap();
    assert_eq!((seen.width(), seen.height()), (2_560, 2_133));
    app.finish().await;
}
