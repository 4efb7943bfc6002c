//! Idempotency keys (ADR 0008): the key row, the effect and the stored answer commit together.

use crate::{
    kernel::{AppError, Code, Result},
    platform::{
        Ctx,
        sealed::{Column, seal, unseal},
    },
};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, http::StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Duration;
use entity::{idempotency, ids::AccountId, values::Sealed};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QuerySelect, sea_query::OnConflict,
};
use serde::Serialize;
use serde_json::Value;
use std::future::{Ready, ready};

/// How long a key and its answer are kept.
const KEPT_FOR: Duration = Duration::days(3);

/// How long a two-step request may run before another with the same key takes over.
const TAKE_OVER_AFTER: Duration = Duration::seconds(30);

/// The `Idempotency-Key` header, if sent, and the route it was sent to.
pub struct Idem {
    key: Option<String>,
    route: String,
}

impl FromRequest for Idem {
    type Error = AppError;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = req
            .headers()
            .get("idempotency-key")
            .map(|value| value.to_str().unwrap_or_default().to_owned());
        let well_formed = |key: &String| {
            (1..=255).contains(&key.len()) && key.bytes().all(|b| (0x21..0x7f).contains(&b))
        };
        ready(match header {
            Some(key) if !well_formed(&key) => Err(AppError::field(
                "/headers/idempotency-key",
                "format",
                "Idempotency-Key 应为 1 到 255 个可见 ASCII 字符",
            )),
            key => Ok(Self {
                key,
                route: format!("{} {}", req.method(), req.path()),
            }),
        })
    }
}

impl Idem {
    /// Binds the key to its owner and body. Without a header nothing is remembered.
    pub fn of(self, owner: AccountId, body_hash: &str) -> Once {
        let request_hash = hex::encode(aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            format!("{}\n{body_hash}", self.route).as_bytes(),
        ));
        Once {
            owner,
            key: self.key,
            route: self.route,
            request_hash,
        }
    }

    /// As [`Idem::of`], for calls that must not run without a key.
    ///
    /// # Errors
    /// `idempotency_key_required`.
    pub fn required(self, owner: AccountId, body_hash: &str) -> Result<Once> {
        if self.key.is_none() {
            return Err(AppError::new(
                Code::IdempotencyKeyRequired,
                "请在请求头中带上 Idempotency-Key(每次操作一个新值)",
            ));
        }
        Ok(self.of(owner, body_hash))
    }
}

/// One request that shall have its effect once.
pub struct Once {
    owner: AccountId,
    key: Option<String>,
    route: String,
    request_hash: String,
}

enum Claim {
    Fresh,
    Replay(HttpResponse),
    /// The same request began before and left no answer: its owner crashed or is still in its outside call.
    TakenOver,
}

impl Once {
    /// Runs `effect` in one transaction with the key and stores its answer; a replay gets the first answer again.
    ///
    /// # Errors
    /// `idempotency_mismatch`, `idempotency_in_progress`, and whatever `effect` refuses: then nothing is written and
    /// the key is free again.
    pub async fn run<T: Serialize>(
        self,
        ctx: &Ctx,
        status: StatusCode,
        effect: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T>,
    ) -> Result<HttpResponse> {
        let tx = ctx.db.begin_write().await?;
        if let Claim::Replay(answer) = self.claim(ctx, &tx).await? {
            return Ok(answer);
        }
        let answer = serde_json::to_value(effect(&tx).await?)?;
        self.remember(ctx, &tx, status, &answer).await?;
        ctx.commit(tx).await?;
        Ok(HttpResponse::build(status).json(answer))
    }

    /// Begins a request that must call outside between two transactions; see [`TwoStep`].
    ///
    /// # Errors
    /// As [`Once::run`].
    pub async fn begin<T>(
        self,
        ctx: &Ctx,
        first: impl AsyncFnOnce(&DatabaseTransaction, Option<&str>) -> Result<T>,
    ) -> Result<TwoStep<T>> {
        let tx = ctx.db.begin_write().await?;
        match self.claim(ctx, &tx).await? {
            Claim::Replay(answer) => Ok(TwoStep::Replayed(answer)),
            Claim::Fresh | Claim::TakenOver => {
                // The key travels into the first step, which stores it so that a take-over finds the same object.
                let state = first(&tx, self.key.as_deref()).await?;
                ctx.commit(tx).await?;
                Ok(TwoStep::Go(self, state))
            }
        }
    }

    /// Ends a two-step request: writes `effect` and the answer together.
    ///
    /// # Errors
    /// A database fault, or what `effect` refuses.
    pub async fn finish<T: Serialize>(
        self,
        ctx: &Ctx,
        status: StatusCode,
        effect: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T>,
    ) -> Result<HttpResponse> {
        let tx = ctx.db.begin_write().await?;
        let answer = serde_json::to_value(effect(&tx).await?)?;
        self.remember(ctx, &tx, status, &answer).await?;
        ctx.commit(tx).await?;
        Ok(HttpResponse::build(status).json(answer))
    }

    /// Lets the key of a failed two-step request go, so that the caller may try again at once.
    pub async fn abandon(self, ctx: &Ctx) {
        use crate::kernel::OrLog;
        let Some(key) = self.key else { return };
        let done = async {
            let tx = ctx.db.begin_write().await?;
            idempotency::ActiveModel {
                account_id: Set(self.owner),
                key: Set(key),
                locked_until: Set(Some(ctx.env.now())),
                ..Default::default()
            }
            .update(&tx)
            .await?;
            ctx.commit(tx).await
        };
        done.await
            .or_log("an idempotency key stays locked for half a minute");
    }

    async fn claim(&self, ctx: &Ctx, tx: &DatabaseTransaction) -> Result<Claim> {
        let Some(key) = &self.key else {
            return Ok(Claim::Fresh);
        };
        let now = ctx.env.now();
        let row = idempotency::ActiveModel {
            account_id: Set(self.owner),
            key: Set(key.clone()),
            route: Set(self.route.clone()),
            request_hash: Set(self.request_hash.clone()),
            status: Set(None),
            response: Set(None),
            locked_until: Set(now.checked_add_signed(TAKE_OVER_AFTER)),
            created_at: Set(now),
        };
        // On PostgreSQL this waits for a twin's transaction; on SQLite writers queue anyway.
        let inserted = idempotency::Entity::insert(row)
            .on_conflict(
                OnConflict::columns([idempotency::Column::AccountId, idempotency::Column::Key])
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(tx)
            .await?;
        if inserted == 1 {
            return Ok(Claim::Fresh);
        }
        let first = idempotency::Entity::find_by_id((self.owner, key.clone()))
            .lock_exclusive()
            .all(tx)
            .await?
            .pop();
        let first = first.ok_or_else(|| {
            AppError::new(Code::IdempotencyInProgress, "相同的请求正在处理,请稍后再试")
        })?;
        self.judge(ctx, tx, first).await
    }

    async fn judge(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        first: idempotency::Model,
    ) -> Result<Claim> {
        if first.request_hash != self.request_hash {
            return Err(AppError::new(
                Code::IdempotencyMismatch,
                "这个 Idempotency-Key 已用于另一个请求",
            ));
        }
        if let (Some(status), Some(kept)) = (first.status, &first.response) {
            let body = open_answer(ctx, self.owner, kept)?;
            let status = u16::try_from(status)
                .ok()
                .and_then(|code| StatusCode::from_u16(code).ok());
            let mut answer = HttpResponse::build(status.unwrap_or(StatusCode::OK));
            return Ok(Claim::Replay(
                answer
                    .insert_header(("Idempotency-Replayed", "true"))
                    .json(body),
            ));
        }
        if first
            .locked_until
            .is_some_and(|until| until > ctx.env.now())
        {
            let busy = AppError::new(Code::IdempotencyInProgress, "相同的请求正在处理,请稍后再试");
            return Err(busy.retry_after(1));
        }
        idempotency::ActiveModel {
            account_id: Set(self.owner),
            key: Set(first.key),
            locked_until: Set(ctx.env.now().checked_add_signed(TAKE_OVER_AFTER)),
            ..Default::default()
        }
        .update(tx)
        .await?;
        Ok(Claim::TakenOver)
    }

    /// The answer is sealed: it may name a worker, and the key outlives the call (SEC-23).
    async fn remember(
        &self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        status: StatusCode,
        answer: &Value,
    ) -> Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        idempotency::ActiveModel {
            account_id: Set(self.owner),
            key: Set(key.clone()),
            status: Set(Some(i32::from(status.as_u16()))),
            response: Set(Some(seal_answer(ctx, self.owner, answer)?)),
            locked_until: Set(None),
            ..Default::default()
        }
        .update(tx)
        .await?;
        Ok(())
    }
}

fn seal_answer(ctx: &Ctx, owner: AccountId, answer: &Value) -> Result<Value> {
    let sealed = seal(
        &ctx.vault,
        Column::IdempotencyResponse,
        owner,
        &answer.to_string(),
    )?;
    Ok(Value::String(STANDARD.encode(sealed.envelope())))
}

fn open_answer(ctx: &Ctx, owner: AccountId, kept: &Value) -> Result<Value> {
    let envelope = kept.as_str().and_then(|text| STANDARD.decode(text).ok());
    let sealed = envelope.and_then(Sealed::from_envelope);
    let sealed = sealed.ok_or_else(|| AppError::internal("a kept answer is no envelope"))?;
    let text = unseal(&ctx.vault, Column::IdempotencyResponse, owner, &sealed)?;
    Ok(serde_json::from_str(&text)?)
}

/// Forgets keys and answers that are older than three days: a caller who retries does so within minutes.
///
/// # Errors
/// A database fault.
pub async fn forget_answers(ctx: &Ctx) -> Result<u64> {
    let before = ctx.env.now().checked_sub_signed(KEPT_FOR);
    let tx = ctx.db.begin_write().await?;
    let gone = idempotency::Entity::delete_many()
        .filter(idempotency::Column::CreatedAt.lt(before))
        .exec(&tx)
        .await?;
    ctx.commit(tx).await?;
    Ok(gone.rows_affected)
}

/// Where a request with an outside call stands after its first transaction.
pub enum TwoStep<T> {
    /// An earlier request with this key was answered; here is its answer.
    Replayed(HttpResponse),
    /// Make the outside call with this state, then [`Once::finish`] or [`Once::abandon`].
    Go(Once, T),
}
