//! The one place that knows every feature: builds the context, mounts routes, registers consumers and timers.

use crate::{
    benefit, booking, catalog, complaint,
    config::{Settings, WechatMode},
    consent, content, customer, http,
    identity::{self, TokenKey},
    intake,
    kernel::{AppError, Clock, Code, Env, Result, ShiftClock, SystemClock, V7},
    notify,
    outbox::{self, Registry, Workers},
    payment, photo,
    platform::{
        Bell, Ctx, Db, blob, limiter, queue, test_clock,
        wechat::{
            WechatClient,
            sandbox::{self, Sandbox, SandboxSettings},
        },
    },
    push, rating, referral, report, worker, workorder,
};
use actix_web::{App, HttpServer, dev::ServerHandle, middleware, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
    time::Duration,
};
use utoipa_actix_web::{AppExt, scope};

mod health;
mod housekeeping;
mod setup;
#[cfg(test)]
mod tests;

pub use housekeeping::Housekeeping;
pub use setup::{blob_settings, keys, notify_base};

/// A running node: the server, its workers and, in sandbox mode, WeChat's stand-in.
pub struct Node {
    /// Its capabilities, for tests and the demo.
    pub ctx: Ctx,
    /// Its consumers, for tests that drain by hand.
    pub registry: Registry,
    address: SocketAddr,
    server: ServerHandle,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
    workers: Option<Workers>,
    sandbox: Option<Sandbox>,
    housekeeping: Housekeeping,
    watch: Option<referral::Watch>,
}

/// Which halves of a node to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// API, consumers and timers.
    Both,
    /// The API; consumers and timers run in other processes.
    Api,
    /// The API; consumers and timers are drained by hand, and nothing happens by itself: for tests.
    ApiOnly,
}

impl Node {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base address, `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Delivers what the WeChat sandbox has due by the clock, and says how much; 0 in live mode.
    pub async fn deliver_due(&self) -> usize {
        match &self.sandbox {
            Some(sandbox) => sandbox.deliver_due().await,
            None => 0,
        }
    }

    /// Waits until the server ends by itself (it does not, unless stopped).
    pub async fn serve(&mut self) {
        (&mut self.serving).await.ok();
    }

    /// Stops taking requests, lets those in flight and their events finish, then ends.
    pub async fn stop(self) {
        let grace = self
            .ctx
            .config
            .http
            .shutdown_timeout
            .get()
            .to_std()
            .unwrap_or(Duration::from_secs(10));
        drop((self.housekeeping, self.watch));
        // The workers first: a pooled connection belongs to the runtime of the server thread that opened it, so an event
        // that is handled after the server's threads have ended would find its connection dead. What requests still
        // write meanwhile stays in the outbox for the next node.
        if let Some(workers) = self.workers {
            workers.stop(grace).await;
        }
        self.server.stop(true).await;
        if let Some(sandbox) = self.sandbox {
            sandbox.shutdown().await;
        }
    }
}

/// Builds everything and starts to serve.
///
/// # Errors
/// `unavailable` with a sentence about the dependency that is away, or a fault of the settings.
pub async fn start(settings: Settings, half: Half) -> Result<Node> {
    let listener = bind(&settings.http.listen)?;
    let address = listener.local_addr().map_err(AppError::internal)?;
    let (ctx, sandbox) = Box::pin(context(settings, address)).await?;
    setup::first_start(&ctx).await?;
    let ready = referral::Ready::default();
    let watch = if half == Half::ApiOnly {
        referral::look_once(&ctx, &ready).await;
        None
    } else {
        Some(referral::watch(&ctx, &ready).await)
    };
    let registry = registry();
    let workers = match half {
        Half::Both => Some(outbox::start(&ctx, &registry)),
        Half::Api => Some(outbox::start_knocking(&ctx)),
        Half::ApiOnly => None,
    };
    let tokens = setup::token_key(&ctx)?;
    let prometheus = prometheus()?;
    let housekeeping = housekeeping::start(&ctx, prometheus.clone(), half == Half::Api);
    let server = server(&ctx, (tokens, prometheus, ready), sandbox.clone(), listener)?;
    let handle = server.handle();
    Ok(Node {
        ctx,
        registry,
        address,
        server: handle,
        serving: tokio::spawn(server),
        workers,
        sandbox,
        housekeeping,
        watch,
    })
}

fn bind(listen: &str) -> Result<TcpListener> {
    let bound = TcpListener::bind(listen).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| AppError::new(Code::Unavailable, format!("无法监听 {listen}:{error}")))
}

/// Builds the capabilities; `address` is where WeChat's sandbox will reach us.
///
/// # Errors
/// As [`start`].
pub async fn context(
    mut settings: Settings,
    address: SocketAddr,
) -> Result<(Ctx, Option<Sandbox>)> {
    if settings.http.public_url.is_empty() {
        settings.http.public_url = format!("http://{address}");
    }
    let db = Db::open(
        &settings.database.url,
        &settings.data_dir,
        settings.database.max_connections,
    )
    .await?;
    db.migrate().await?;
    let (env, test_clock) = time(&settings, &db).await?;
    let queue = queue::open_with(
        Some(settings.queue.redis_url.as_str()).filter(|url| !url.is_empty()),
        &settings.queue.prefix,
        settings
            .queue
            .claim_after
            .get()
            .to_std()
            .unwrap_or(Duration::from_secs(30)),
    )?;
    let redis = Some(settings.queue.redis_url.as_str()).filter(|url| !url.is_empty());
    let bell = Arc::new(Bell::open(redis, &settings.queue.prefix, "rulesets")?);
    let door = Arc::new(Bell::open(redis, &settings.queue.prefix, "events")?);
    let blobs = blob::open(&setup::blob_settings(&settings))?;
    let vault = Arc::new(setup::vault(&settings)?);
    setup::mark(&db, &env, &settings).await?;
    let (client, sandbox) = wechat_with(&settings, &env).await?;
    let ctx = Ctx {
        db,
        wechat: client,
        env,
        queue,
        blobs,
        limits: Arc::new(limiter::Limits::new(setup::limits(&settings))),
        vault,
        config: Arc::new(settings),
        test_clock,
        wake: Arc::default(),
        bell,
        door,
    };
    Ok((ctx, sandbox))
}

async fn wechat_with(settings: &Settings, env: &Env) -> Result<(WechatClient, Option<Sandbox>)> {
    let notify = setup::notify_base(settings);
    let (about, sandbox) = match settings.wechat.mode {
        WechatMode::Live => (setup::live_wechat(settings, &notify)?, None),
        WechatMode::Sandbox => {
            let about = SandboxSettings {
                data_dir: settings.data_dir.clone(),
                env: env.clone(),
            };
            let sandbox = Sandbox::start(about).await?;
            (sandbox.settings(&notify), Some(sandbox))
        }
    };
    let shelf = setup::token_shelf(settings, &about.appid)?;
    Ok((WechatClient::sharing(about, env.clone(), shelf)?, sandbox))
}

/// WeChat alone, by the system's clock, for a look at its settings.
///
/// # Errors
/// A fault of the settings.
pub async fn wechat(settings: &Settings) -> Result<(WechatClient, Option<Sandbox>)> {
    let env = Env {
        clock: Arc::new(SystemClock),
        ids: Arc::new(V7),
    };
    wechat_with(settings, &env).await
}

/// The capabilities of a process that does not listen: workers and commands.
///
/// # Errors
/// As [`start`].
pub async fn context_without_listener(settings: Settings) -> Result<(Ctx, Option<Sandbox>)> {
    let address = settings
        .http
        .listen
        .parse()
        .unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 8080)));
    context(settings, address).await
}

async fn time(settings: &Settings, db: &Db) -> Result<(Env, Option<ShiftClock>)> {
    let system: Arc<dyn Clock> = Arc::new(SystemClock);
    if settings.wechat.mode == WechatMode::Live {
        return Ok((
            Env {
                clock: system,
                ids: Arc::new(V7),
            },
            None,
        ));
    }
    let clock = ShiftClock::over(system);
    test_clock::follow(db, &clock).await?;
    Ok((
        Env {
            clock: Arc::new(clock.clone()),
            ids: Arc::new(V7),
        },
        Some(clock),
    ))
}

/// Every consumer of the house.
pub fn registry() -> Registry {
    let operations =
        complaint::consumers(payment::consumers(booking::consumers(Registry::default())));
    let growth = referral::consumers(benefit::consumers(photo::consumers(operations)));
    intake::consumers(notify::consumers(consent::consumers(content::consumers(
        growth,
    ))))
}

/// Every call of the API under `/api/v1`.
fn api(cfg: &mut utoipa_actix_web::service_config::ServiceConfig) {
    identity::routes(cfg);
    worker::routes(cfg);
    customer::routes(cfg);
    report::routes(cfg);
    consent::routes(cfg);
    catalog::routes(cfg);
    booking::routes(cfg);
    payment::routes(cfg);
    push::routes(cfg);
    intake::routes(cfg);
    notify::routes(cfg);
    rating::routes(cfg);
    complaint::routes(cfg);
    workorder::routes(cfg);
    photo::routes(cfg);
    content::routes(cfg);
    benefit::routes(cfg);
    referral::routes(cfg);
    cfg.service(
        scope::scope("/admin")
            .wrap(middleware::from_fn(identity::audit_staff))
            .configure(admin),
    );
}

/// Staff calls, all audited.
fn admin(cfg: &mut utoipa_actix_web::service_config::ServiceConfig) {
    health::admin_routes(cfg);
    consent::admin_routes(cfg);
    catalog::admin_routes(cfg);
    worker::admin_routes(cfg);
    booking::admin_routes(cfg);
    payment::admin_routes(cfg);
    push::admin_routes(cfg);
    intake::admin_routes(cfg);
    complaint::admin_routes(cfg);
    content::admin_routes(cfg);
    benefit::admin_routes(cfg);
    referral::ruleset_admin_routes(cfg);
    referral::backtest_admin_routes(cfg);
    referral::policy_admin_routes(cfg);
    referral::decision_admin_routes(cfg);
    report::admin_routes(cfg);
}

/// The OpenAPI document of all calls.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let app = App::new().into_utoipa_app().openapi(http::document());
    let (_, api) = app
        .service(scope::scope("/api/v1").configure(api))
        .configure(health::routes)
        .configure(benefit::root_routes)
        .configure(referral::root_routes)
        .split_for_parts();
    api
}

fn server(
    ctx: &Ctx,
    (tokens, prometheus, ready): (TokenKey, PrometheusHandle, referral::Ready),
    sandbox: Option<Sandbox>,
    listener: TcpListener,
) -> Result<actix_web::dev::Server> {
    let config = ctx.config.clone();
    let ctx = web::Data::new(ctx.clone());
    let tokens = web::Data::new(tokens);
    let settings = web::Data::from(config.clone());
    let (prometheus, ready) = (web::Data::new(prometheus), web::Data::new(ready));
    let documents = openapi();
    let docs = config.http.docs;
    let factory = move || {
        let (sandbox, documents) = (sandbox.clone(), documents.clone());
        App::new()
            .app_data(ctx.clone())
            .app_data(tokens.clone())
            .app_data(settings.clone())
            .app_data(prometheus.clone())
            .app_data(ready.clone())
            .app_data(web::PathConfig::default().error_handler(|_, _| AppError::not_found().into()))
            // The last is the outermost: the shield sees every request first and every answer last.
            .wrap(middleware::Compress::default())
            .wrap(middleware::from_fn(http::measure))
            .wrap(middleware::from_fn(http::shield))
            .into_utoipa_app()
            .service(scope::scope("/api/v1").configure(api))
            .configure(health::routes)
            .configure(benefit::root_routes)
            .configure(referral::root_routes)
            .into_app()
            .configure(move |cfg| {
                if docs {
                    http::mount_docs(cfg, documents);
                }
                if let Some(sandbox) = sandbox {
                    cfg.app_data(web::Data::new(sandbox))
                        .configure(sandbox::routes)
                        .configure(sandbox::push_routes)
                        .configure(notify::sandbox_routes);
                }
            })
    };
    let workers = if config.http.workers == 0 {
        2.max(available_cores())
    } else {
        config.http.workers
    };
    let grace = config.http.shutdown_timeout.get().num_seconds();
    let server = HttpServer::new(factory)
        .workers(workers)
        .shutdown_timeout(u64::try_from(grace).unwrap_or(10))
        .disable_signals()
        .client_request_timeout(Duration::from_secs(15))
        .listen(listener)
        .map_err(AppError::internal)?;
    Ok(server.run())
}

fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// One recorder per process: several nodes in one test process share it.
fn prometheus() -> Result<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| PrometheusBuilder::new().install_recorder().ok())
        .clone()
        .ok_or_else(|| AppError::internal("another metrics recorder is installed"))
}
