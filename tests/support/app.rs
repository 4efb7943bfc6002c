//! A node per test.

use super::{Backend, Person};
use entity::values::StaffRole;
use linjian::{
    app::{self, Half, Node},
    config,
    identity::{NewStaff, add_staff},
    kernel::Span,
    outbox,
    platform::{Ctx, test_clock},
};
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};

static STAFF: AtomicU32 = AtomicU32::new(0);

/// A running node with its own database, queue and folder.
pub struct TestApp {
    /// The node.
    pub node: Node,
    /// Its backend.
    pub backend: Backend,
    client: reqwest::Client,
    folder: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
    half: Half,
}

impl TestApp {
    /// A node whose consumers and timers run only when the test drains them: every step is repeatable.
    pub async fn start(backend: Backend) -> Self {
        Self::with(backend, Half::ApiOnly, &[]).await
    }

    /// A node with background workers, for races.
    pub async fn working(backend: Backend) -> Self {
        Self::with(backend, Half::Both, &[]).await
    }

    /// A node with some settings of its own.
    pub async fn with(backend: Backend, half: Half, extra: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = backend.prepare(folder.path()).await;
        settings.push(("data_dir", folder.path().display().to_string()));
        settings.push(("http.listen", "127.0.0.1:0".into()));
        settings.push(("http.workers", "2".into()));
        settings.push(("database.max_connections", "10".into()));
        settings.extend(extra.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let node = boot(&settings, half).await;
        // A client per person would share nothing; one pool is what a load balancer looks like.
        let client = reqwest::Client::builder().build().unwrap();
        Self {
            node,
            backend,
            client,
            folder,
            settings,
            half,
        }
    }

    /// Stops the node and starts another on the same database, queue and folder.
    pub async fn restart(self) -> Self {
        let Self {
            node,
            backend,
            client,
            folder,
            settings,
            half,
        } = self;
        node.stop().await;
        let node = boot(&settings, half).await;
        Self {
            node,
            backend,
            client,
            folder,
            settings,
            half,
        }
    }

    /// Another node on the same database, with some settings of its own.
    pub async fn twin(&self, half: Half, extra: &[(&'static str, &str)]) -> Node {
        let mut settings = self.settings.clone();
        settings.extend(extra.iter().map(|(key, value)| (*key, (*value).to_owned())));
        boot(&settings, half).await
    }

    /// Somebody who has not logged in, at another node.
    pub fn stranger_at(&self, node: &Node) -> Person {
        Person::stranger(self.client.clone(), node.url())
    }

    /// The settings this deployment runs with, beyond the defaults.
    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }

    /// The node's capabilities.
    pub fn ctx(&self) -> &Ctx {
        &self.node.ctx
    }

    /// Somebody who has not logged in.
    pub fn stranger(&self) -> Person {
        Person::stranger(self.client.clone(), self.node.url())
    }

    /// A customer, logged in through the WeChat sandbox.
    pub async fn customer(&self, name: &str) -> Person {
        self.stranger()
            .login("auth/wechat", json!({ "code": format!("sandbox-{name}") }))
            .await
    }

    /// A member of staff with these roles, made as the command line makes them.
    pub async fn staff(&self, roles: &[StaffRole]) -> Person {
        let username = format!("staff{}", STAFF.fetch_add(1, Ordering::Relaxed));
        let new = NewStaff {
            username: username.clone(),
            roles: roles.to_vec(),
            password: None,
        };
        let (_, password) = add_staff(self.ctx(), new).await.unwrap();
        self.stranger()
            .login(
                "auth/staff",
                json!({ "username": username, "password": password.unwrap() }),
            )
            .await
    }

    /// A worker recorded by staff and bound by his phone.
    pub async fn worker(
        &self,
        name: &str,
        phone: &str,
        skills: &[&str],
        areas: &[&str],
    ) -> (Person, String) {
        let manager = self.staff(&[StaffRole::Manager]).await;
        let body = json!({ "name": name, "phone": phone, "skills": skills, "areas": areas });
        let worker = manager.post("admin/workers", body).await.expect(201);
        let person = self.customer(&format!("worker-{phone}")).await;
        person
            .post("auth/phone", json!({ "code": format!("phone-{phone}") }))
            .await
            .expect(200);
        (person, worker["id"].as_str().unwrap().to_owned())
    }

    /// Runs everything that is due, until nothing is.
    pub async fn drain(&self) {
        loop {
            outbox::drain(self.ctx(), &self.node.registry)
                .await
                .unwrap();
            if self.node.deliver_due().await == 0 {
                return;
            }
        }
    }

    /// Moves the deployment's clock and runs what has become due. ISO 8601, days to seconds.
    pub async fn advance(&self, span: &str) {
        let by = span.parse::<Span>().unwrap().get();
        let clock = self
            .ctx()
            .test_clock
            .as_ref()
            .expect("tests run in sandbox mode");
        test_clock::advance(&self.ctx().db, clock, by)
            .await
            .unwrap();
        self.drain().await;
    }

    /// Stops the node; fails when an event was buried on the way.
    pub async fn finish(self) {
        self.drain().await;
        let dead = outbox::dead_letters(self.ctx(), 10).await.unwrap();
        assert!(dead.is_empty(), "buried events: {dead:#?}");
        self.node.stop().await;
    }
}

async fn boot(settings: &[(&'static str, String)], half: Half) -> Node {
    let overrides: Vec<(&str, &str)> = settings
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    let settings = config::with_overrides(&overrides).unwrap_or_else(|faults| panic!("{faults}"));
    app::start(settings, half)
        .await
        .unwrap_or_else(|error| panic!("{error:?}"))
}
