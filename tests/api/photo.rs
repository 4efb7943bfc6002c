//! Before and after photos: with consent alone, pixels alone, for few eyes.

use crate::{
    booking::{id_of, moment},
    support::{Answer, Crew, Person, TestApp},
    visit::ticks,
};
use bytes::Bytes;
use entity::{
    ids::PhotoId,
    photo,
    values::{PhotoStatus, StaffRole},
};
use image::{ImageFormat, Rgb, RgbImage};
use img_parts::ImageEXIF;
use reqwest::multipart::{Form, Part};
use sea_orm::ConnectionTrait;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::{Value, json};
use std::io::Cursor;

/// A room of these pixels.
pub fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let room = RgbImage::from_fn(width, height, |x, y| {
        Rgb([
            u8::try_from(x % 256).unwrap(),
            u8::try_from(y % 256).unwrap(),
            90,
        ])
    });
    let mut bytes = Cursor::new(Vec::new());
    room.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// An EXIF block that says where the flat is.
fn gps() -> Bytes {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0".to_vec();
    tiff.extend([0x25, 0x88, 4, 0, 1, 0, 0, 0, 26, 0, 0, 0]);
    tiff.extend([0; 4]);
    tiff.extend(b"\x01\0");
    tiff.extend([1, 0, 2, 0, 2, 0, 0, 0, b'N', 0, 0, 0]);
    tiff.extend([0; 4]);
    tiff.extend(b"GPS 31.2222N 121.5444E");
    tiff.into()
}

fn with_gps(bytes: Vec<u8>, format: ImageFormat) -> Vec<u8> {
    let mut written = Vec::new();
    match format {
        ImageFormat::Jpeg => {
            let mut file = img_parts::jpeg::Jpeg::from_bytes(bytes.into()).unwrap();
            file.set_exif(Some(gps()));
            file.encoder().write_to(&mut written).unwrap();
        }
        ImageFormat::Png => {
            let mut file = img_parts::png::Png::from_bytes(bytes.into()).unwrap();
            file.set_exif(Some(gps()));
            file.encoder().write_to(&mut written).unwrap();
        }
        _ => {
            let mut file = img_parts::webp::WebP::from_bytes(bytes.into()).unwrap();
            file.set_exif(Some(gps()));
            file.encoder().write_to(&mut written).unwrap();
        }
    }
    written
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn form(kind: &'static str, key: Option<&str>, file: &[u8]) -> Form {
    let part = Part::bytes(file.to_vec())
        .file_name("whatever.txt")
        .mime_str("text/plain")
        .unwrap();
    let form = Form::new().text("kind", kind).part("file", part);
    match key {
        Some(key) => form.text("checklist_key", key.to_owned()),
        None => form,
    }
}

pub async fn uploads(
    crew: &Crew,
    booking: &Value,
    kind: &'static str,
    key: Option<&str>,
    file: &[u8],
) -> Answer {
    let path = format!("worker/jobs/{}/photos", id_of(booking));
    crew.device.post_form(&path, || form(kind, key, file)).await
}

/// A deep cleaning under way; its kitchen and bathroom want photos.
pub async fn under_way(app: &TestApp, mei: &Person, crew: &Crew) -> Value {
    let service = app.service("deep-cleaning").await;
    let start = app.slot(&service).await;
    let booking = mei
        .post("bookings", app.booking_body(&service, &start))
        .await
        .expect(201);
    app.pays(mei, &booking, 18_000).await;
    app.advance_to(&booking["start_at"]).await;
    let path = format!("worker/jobs/{}/check-in", id_of(&booking));
    crew.device
        .post(&path, json!({ "lat": 31.2222, "lng": 121.5444 }))
        .await
        .expect(200);
    booking
}

pub async fn agrees(mei: &Person, booking: &Value) {
    mei.consents(
        "photo_capture",
        Some(json!({ "booking_id": booking["id"] })),
    )
    .await;
}

on_both! {
    async fn no_photo_without_the_customers_consent_for_this_visit(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        let file = picture(60, 40, ImageFormat::Jpeg);
        let refused = uploads(&crew, &booking, "before", None, &file).await.problem(403, "consent_required");
        assert_eq!(refused["purpose"], "photo_capture");
        // Without photos the checklist alone suffices.
        ticks(&crew, &booking).await;
        let path = format!("worker/jobs/{}/complete", id_of(&booking));
        crew.device.post(&path, json!({})).await.expect(200);
    }

    async fn what_is_kept_is_pixels_and_nothing_else(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let sent = with_gps(picture(900, 600, format), format);
            assert!(contains(&sent, b"121.5444E"), "the test would prove nothing");
            // Neither name nor declared type counts: both lie.
            let photo = uploads(&crew, &booking, "before", None, &sent).await.expect(201);
            assert_eq!((&photo["width"], &photo["height"], &photo["status"]), (&json!(900), &json!(600), &json!("pending")));
            app.checked().await;
            for (path, longest) in [("", 900), ("/thumbnail", 480)] {
                let answer = mei.get(&format!("photos/{}{path}", id_of(&photo))).await;
                assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, "image/jpeg"));
                for trace in [&b"121.5444E"[..], b"Exif", b"II*\0"] {
                    assert!(!contains(&answer.bytes, trace), "{format:?}{path}");
                }
                let seen = image::load_from_memory_with_format(&answer.bytes, ImageFormat::Jpeg).unwrap();
                assert_eq!(seen.width(), longest);
            }
        }
        let seen = mei.get(&format!("bookings/{}", id_of(&booking))).await.expect(200);
        assert_eq!(seen["photos"].as_array().unwrap().len(), 3);
        assert!(moment(&seen["photos"][0]["created_at"]) <= app.ctx().env.now());
    }

    async fn a_file_that_is_no_picture_is_too_large_or_broken_is_named_as_such(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        uploads(&crew, &booking, "before", None, b"MZ this is a program").await.problem(415, "unsupported_media");
        uploads(&crew, &booking, "before", None, b"<svg xmlns='http://www.w3.org/2000/svg'/>").await.problem(415, "unsupported_media");
        let mut large = picture(60, 40, ImageFormat::Jpeg);
        large.resize(10 * 1024 * 1024 + 1, 0);
        uploads(&crew, &booking, "before", None, &large).await.problem(413, "payload_too_large");
        let whole = picture(60, 40, ImageFormat::Png);
        uploads(&crew, &booking, "before", None, &whole[..whole.len() / 2]).await.problem(422, "validation");
        let seen = mei.get(&format!("bookings/{}", id_of(&booking))).await.expect(200);
        assert!(seen["photos"].as_array().unwrap().is_empty());
    }

    async fn the_forms_words_are_checked(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        let file = picture(60, 40, ImageFormat::Jpeg);
        for (kind, key, pointer) in [
            ("during", None, "/kind"),
            ("after", Some("nothing"), "/checklist_key"),
            ("after", Some("kit\0chen"), "/checklist_key"),
            ("after", Some("kit\u{7}chen"), "/checklist_key"),
            ("aft\0er", None, "/kind"),
        ] {
            let fault = uploads(&crew, &booking, kind, key, &file).await.problem(422, "validation");
            assert_eq!(fault["errors"][0]["pointer"], pointer, "{fault}");
        }
        uploads(&crew, &booking, "after", Some("kitchen"), &file).await.expect(201);
        let path = format!("worker/jobs/{}/photos", id_of(&booking));
        let twice = crew.device.post_form(&path, || form("after", None, &file).text("kind", "after")).await;
        twice.problem(422, "validation");
        let more = crew.device.post_form(&path, || form("after", None, &file).text("colour", "red")).await;
        more.problem(422, "validation");
    }

    async fn the_same_key_stores_a_photo_once(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        let (one, two) = (picture(60, 40, ImageFormat::Jpeg), picture(61, 40, ImageFormat::Jpeg));
        let path = format!("worker/jobs/{}/photos", id_of(&booking));
        let send = async |file: &[u8], key: Option<&str>| {
            crew.device.post_form_with_key(&path, "k", || form("after", key, file)).await
        };
        // A refused try leaves the key free.
        send(&one, Some("nothing")).await.problem(422, "validation");
        let first = send(&one, Some("kitchen")).await.expect(201);
        let again = send(&one, Some("kitchen")).await;
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.expect(201), first);
        send(&two, Some("kitchen")).await.problem(422, "idempotency_mismatch");
        send(&one, Some("bathroom")).await.problem(422, "idempotency_mismatch");
        app.checked().await;
        let seen = mei.get(&format!("bookings/{}", id_of(&booking))).await.expect(200);
        assert_eq!(seen["photos"].as_array().unwrap().len(), 1);
    }

    async fn only_the_customer_the_worker_and_operations_see_a_photo(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        let file = picture(60, 40, ImageFormat::Jpeg);
        let photo = uploads(&crew, &booking, "before", None, &file).await.expect(201);
        app.checked().await;
        let other_crew = app.crew("13800001001").await;
        let path = format!("worker/jobs/{}/photos", id_of(&booking));
        other_crew.device.post_form(&path, || form("before", None, &file)).await.problem(404, "not_found");
        mei.post_form(&path, || form("before", None, &file)).await.problem(403, "forbidden");
        for path in [format!("photos/{}", id_of(&photo)), format!("photos/{}/thumbnail", id_of(&photo))] {
            for person in [&mei, &crew.device, &app.staff(&[StaffRole::Service]).await, &app.staff(&[StaffRole::Manager]).await] {
                person.get(&path).await.expect(200);
            }
            for person in [&app.customer("li").await, &other_crew.device, &app.staff(&[StaffRole::Marketing]).await] {
                person.get(&path).await.problem(404, "not_found");
            }
            app.stranger().get(&path).await.problem(401, "unauthenticated");
        }
    }

    async fn where_photos_are_agreed_to_a_job_needs_them_and_a_hidden_one_proves_nothing(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        ticks(&crew, &booking).await;
        let complete = format!("worker/jobs/{}/complete", id_of(&booking));
        let open = crew.device.post(&complete, json!({})).await.problem(409, "invalid_state");
        assert_eq!(open["open_items"].as_array().unwrap().len(), 2);
        let file = picture(60, 40, ImageFormat::Jpeg);
        uploads(&crew, &booking, "before", Some("bathroom"), &file).await.expect(201);
        let kitchen = uploads(&crew, &booking, "after", Some("kitchen"), &file).await.expect(201);
        uploads(&crew, &booking, "after", Some("bathroom"), &file).await.expect(201);
        let id = PhotoId(id_of(&kitchen).parse().unwrap());
        let tx = app.ctx().db.begin_write().await.unwrap();
        photo::ActiveModel { id: Set(id), status: Set(PhotoStatus::Hidden), ..Default::default() }.update(&tx).await.unwrap();
        app.ctx().commit(tx).await.unwrap();
        mei.get(&format!("photos/{}", id_of(&kitchen))).await.problem(404, "not_found");
        let open = crew.device.post(&complete, json!({})).await.problem(409, "invalid_state");
        assert_eq!(open["open_items"].as_array().unwrap().len(), 1, "{open}");
        uploads(&crew, &booking, "after", Some("kitchen"), &file).await.expect(201);
        crew.device.post(&complete, json!({})).await.expect(200);
    }

    async fn photos_and_the_end_of_a_job_never_wait_for_each_other_in_a_ring(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        ticks(&crew, &booking).await;
        let file = picture(60, 40, ImageFormat::Jpeg);
        for key in ["kitchen", "bathroom"] {
            uploads(&crew, &booking, "after", Some(key), &file).await.expect(201);
        }
        let mut tasks = Vec::new();
        for number in 0..8 {
            let (device, file) = (crew.device.clone(), file.clone());
            let job = format!("worker/jobs/{}", id_of(&booking));
            tasks.push(tokio::spawn(async move {
                match number % 2 {
                    0 => device.post_form(&format!("{job}/photos"), || form("after", None, &file)).await.status,
                    _ => device.post(&format!("{job}/complete"), json!({})).await.status,
                }
            }));
        }
        for task in tasks {
            let status = task.await.unwrap();
            assert!([200, 201, 409].contains(&status), "{status}");
        }
    }
}

on_both! {
    async fn who_withdraws_hides_the_photos_of_that_visit_and_of_no_other(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let file = picture(60, 40, ImageFormat::Jpeg);
        let mut taken = Vec::new();
        for _ in 0..2 {
            let booking = under_way(app, &mei, &crew).await;
            agrees(&mei, &booking).await;
            let photo = uploads(&crew, &booking, "before", None, &file).await.expect(201);
            taken.push((booking, photo));
        }
        app.checked().await;
        let [(first, hidden), (_, kept)] = &taken[..] else { panic!("two visits") };
        let path = format!("me/consents/photo_capture?booking_id={}", id_of(first));
        assert_eq!(mei.delete(&path).await.expect(200)["state"], "withdrawn");
        app.drain().await;
        for person in [&mei, &crew.device, &app.staff(&[StaffRole::Manager]).await] {
            person.get(&format!("photos/{}", id_of(hidden))).await.problem(404, "not_found");
            person.get(&format!("photos/{}/thumbnail", id_of(hidden))).await.problem(404, "not_found");
            person.get(&format!("photos/{}", id_of(kept))).await.expect(200);
        }
    }

    async fn a_text_that_changes_hides_no_photo_taken_under_the_old_one(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        let file = picture(60, 40, ImageFormat::Jpeg);
        let photo = uploads(&crew, &booking, "before", None, &file).await.expect(201);
        app.checked().await;
        let path = format!("photos/{}", id_of(&photo));
        let tx = app.ctx().db.begin_write().await.unwrap();
        tx.execute_unprepared("INSERT INTO notice (sha256, purpose, version, language, title, body, created_at) \
            SELECT 'old', purpose, '0.9-000000', language, title, body, created_at FROM notice \
            WHERE purpose = 'photo_capture'").await.unwrap();
        tx.execute_unprepared("UPDATE consent_state SET notice_sha256 = 'old' WHERE purpose = 'photo_capture'")
            .await.unwrap();
        tx.commit().await.unwrap();
        linjian::consent::install_notices(app.ctx()).await.unwrap();
        app.drain().await;
        mei.get(&path).await.expect(200);
        // The next photo needs the new text's consent; a no to it closes the old ones too.
        uploads(&crew, &booking, "after", None, &file).await.problem(403, "consent_required");
        let scope = Some(json!({ "booking_id": booking["id"] }));
        mei.decides("photo_capture", "refused", "popup", scope).await;
        app.drain().await;
        mei.get(&path).await.problem(404, "not_found");
    }

    async fn a_look_of_staff_into_a_home_is_in_the_audit_log_with_whose_it_is(app) {
        let crew = app.crew("13800001000").await;
        let mei = app.customer("mei").await;
        let booking = under_way(app, &mei, &crew).await;
        agrees(&mei, &booking).await;
        let file = picture(60, 40, ImageFormat::Jpeg);
        let photo = uploads(&crew, &booking, "before", None, &file).await.expect(201);
        app.checked().await;
        let service = app.staff(&[StaffRole::Service]).await;
        let pipo = app.staff(&[StaffRole::Pipo]).await;
        let looked = |log: &Value| {
            let items = log["items"].as_array().unwrap();
            items.iter().filter(|one| one["action"] == "photo.read").count()
        };
        let about = format!("admin/audit?subject_id={}&limit=100", mei.id);
        mei.get(&format!("photos/{}", id_of(&photo))).await.expect(200);
        assert_eq!(looked(&pipo.get(&about).await.expect(200)), 0, "her own look is her own");
        service.get(&format!("photos/{}", id_of(&photo))).await.expect(200);
        let log = pipo.get(&about).await.expect(200);
        assert_eq!(looked(&log), 1);
        assert!(log["items"].as_array().unwrap().iter().any(|one| one["actor_id"] == service.id.as_str()));
    }
}
