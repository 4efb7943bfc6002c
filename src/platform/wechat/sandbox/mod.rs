//! WeChat inside the binary: a second server on loopback that signs, encrypts and calls back as WeChat does (spec 6).
//!
//! Owns `data_dir/sandbox`: its keys (0600, made at the first start) and a journal of JSON lines (orders, refunds,
//! grants, messages) that is replayed at start and followed while running, so several processes on one data directory
//! agree. Promises: the sandbox binds 127.0.0.1 only, every answer has `X-Sandbox: 1`, every pay call is refused
//! unless the merchant's signature holds, every pay answer is signed. Emits: real notifications over HTTP.
//! Listens: [`routes`] puts the player's controls on the main listener. Consents: none; everybody in here is made up.

mod bill;
mod book;
mod chaos;
mod code;
mod control;
mod courier;
mod desk;
mod journal;
mod mini;
mod page;
mod post;
mod push;
mod safety;
mod seal;
mod secret;
mod shipping;
mod trade;
mod transfer;

pub use book::SandboxMessage;
pub use chaos::Chaos;
pub use control::{Delivered, Outcome, PayIn, PayOut, routes};
pub use courier::Trouble;
pub use desk::TEMPLATE;
pub use push::routes as push_routes;

use crate::kernel::{AppError, Env, Result};
use crate::platform::wechat::WechatSettings;
use actix_web::{
    App, HttpServer,
    dev::ServerHandle,
    middleware::{self, DefaultHeaders},
    web,
};
use journal::Journal;
use secret::Secrets;
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::task::JoinSet;

/// The sandbox's mini-program.
pub(super) const APPID: &str = "wx5a6e64626f780001";
/// The sandbox's merchant.
pub(super) const MCHID: &str = "1900000001";
/// Marks every answer of the sandbox.
const MARK: (&str, &str) = ("X-Sandbox", "1");

/// What the sandbox needs.
#[derive(Clone)]
pub struct SandboxSettings {
    /// Keys and journal go into `sandbox/` below this.
    pub data_dir: PathBuf,
    /// The same clock the client uses.
    pub env: Env,
}

/// A running sandbox. Clones are the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    env: Env,
    secrets: Secrets,
    journal: Journal,
    courier: reqwest::Client,
    token: Mutex<Option<mini::Token>>,
    post: post::Post,
    chaos: Mutex<Chaos>,
    token_calls: AtomicU64,
    /// How often somebody asked whether trades are managed.
    trade_asked: AtomicU64,
    /// What the next checks of pictures come to.
    media_verdict: Mutex<safety::MediaVerdict>,
    /// Our own public address, once the client's settings were asked for.
    backend: OnceLock<String>,
    address: SocketAddr,
    tasks: Mutex<JoinSet<()>>,
    server: Mutex<Option<ServerHandle>>,
}

impl Sandbox {
    /// Makes or reads keys and journal and starts the server.
    ///
    /// # Errors
    /// `internal` when the directory cannot be used, the journal is broken or no port is free.
    pub async fn start(settings: SandboxSettings) -> Result<Self> {
        let dir = settings.data_dir.join("sandbox");
        let opened = web::block(move || {
            Ok::<_, AppError>((
                Secrets::open(&dir)?,
                Journal::open(&dir.join("journal.jsonl"))?,
            ))
        });
        let (secrets, journal) = opened.await.map_err(AppError::internal)??;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(AppError::internal)?;
        let sandbox = Self {
            inner: Arc::new(Inner {
                env: settings.env,
                secrets,
                journal,
                courier: courier::http()?,
                token: Mutex::default(),
                post: post::Post::default(),
                chaos: Mutex::default(),
                token_calls: AtomicU64::new(0),
                trade_asked: AtomicU64::default(),
                media_verdict: Mutex::default(),
                backend: OnceLock::new(),
                address: listener.local_addr().map_err(AppError::internal)?,
                tasks: Mutex::default(),
                server: Mutex::default(),
            }),
        };
        let data = web::Data::new(sandbox.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .wrap(middleware::from_fn(chaos::answers))
                .wrap(DefaultHeaders::new().add(MARK))
                .configure(mini::routes)
                .configure(trade::routes)
                .configure(desk::routes)
                .configure(bill::routes)
                .configure(transfer::routes)
                .configure(shipping::routes)
        })
        .workers(1)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)
        .map_err(AppError::internal)?
        .run();
        *sandbox
            .inner
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(server.handle());
        sandbox.spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(error = %error, "the WeChat sandbox stopped");
            }
        });
        sandbox.spawn(sandbox.clone().rounds());
        Ok(sandbox)
    }

    /// What a client needs to take this sandbox for WeChat. `notify_base_url` is our own public address.
    pub fn settings(&self, notify_base_url: &str) -> WechatSettings {
        let base = format!("http://{}", self.inner.address);
        let backend = notify_base_url.trim_end_matches('/').to_owned();
        // The first asked stays: a process has one public address.
        let _kept = self.inner.backend.set(backend.clone());
        let secrets = &self.inner.secrets;
        WechatSettings {
            appid: APPID.into(),
            app_secret: secrets.app_secret.clone(),
            api_base: base.clone(),
            pay_base: base,
            mchid: MCHID.into(),
            merchant_serial: secrets.merchant_serial.clone(),
            merchant_key_pem: secrets.merchant_key_pem.clone(),
            apiv3_key: secrets.apiv3_key.clone(),
            platform_keys: vec![(
                secrets.platform_key_id.clone(),
                secrets.platform_public_pem.clone(),
            )],
            platform_certificates: false,
            notify_base_url: backend,
            push_token: secrets.push_token.clone(),
            push_aes_key: secrets.push_aes_key.clone(),
            env_version: "release".into(),
        }
    }

    /// A person ticks a one-time subscription: one more message of this template may be sent to him.
    ///
    /// # Errors
    /// `internal` when the journal cannot be written.
    pub async fn grant(&self, openid: &str, template: &str) -> Result<()> {
        let entry = book::Entry::Granted {
            openid: openid.into(),
            template: template.into(),
        };
        self.change(move |_| Ok(((), Some(entry)))).await
    }

    /// How often a token was asked for, since this process started.
    pub fn token_calls(&self) -> u64 {
        self.inner.token_calls.load(Ordering::Relaxed)
    }

    /// What a client in certificate mode needs: no public key, certificates fetched.
    pub fn certificate_settings(&self, notify_base_url: &str) -> WechatSettings {
        WechatSettings {
            platform_keys: Vec::new(),
            platform_certificates: true,
            ..self.settings(notify_base_url)
        }
    }

    /// Every message sent so far, oldest first.
    ///
    /// # Errors
    /// `internal` when the journal cannot be read.
    pub async fn messages(&self) -> Result<Vec<SandboxMessage>> {
        self.change(|book| Ok((book.messages.clone(), None))).await
    }

    /// Stops the server and what is still being delivered.
    pub async fn shutdown(&self) {
        let server = self
            .inner
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(server) = server {
            server.stop(true).await;
        }
        let mut tasks = std::mem::take(
            &mut *self
                .inner
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        tasks.shutdown().await;
    }

    /// Decides on the book and writes what was decided, as one step; the file work is off the async threads.
    async fn change<T, E, F>(&self, decide: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<AppError> + Send + 'static,
        F: FnOnce(&book::Book) -> Result<(T, Option<book::Entry>), E> + Send + 'static,
    {
        let sandbox = self.clone();
        let done = web::block(move || sandbox.inner.journal.change(decide)).await;
        done.map_err(|error| E::from(AppError::internal(error)))?
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self
            .inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}
