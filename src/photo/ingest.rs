//! Reading the multipart form, and cleaning the picture off the async threads.

use crate::{
    kernel::{AppError, Code, Result},
    platform::{
        Ctx,
        picture::{Picture, PictureLimits, ingest},
    },
};
use actix_multipart::Multipart;
use aws_lc_rs::digest::{Context, SHA256};
use entity::values::PhotoKind;
use futures_util::StreamExt;
use std::sync::OnceLock;
use tokio::sync::Semaphore;

/// Pictures decoded at once: each may take tens of megabytes.
const AT_ONCE: usize = 2;
/// Longest text part, bytes.
const TEXT_LIMIT: usize = 256;

/// What came in.
pub(super) struct Form {
    pub(super) kind: PhotoKind,
    pub(super) checklist_key: Option<String>,
    pub(super) file: Vec<u8>,
}

impl Form {
    /// SHA-256 of what the form says, however it was put on the wire: each try draws another multipart boundary.
    pub(super) fn hash(&self) -> String {
        let mut context = Context::new(&SHA256);
        let kind: &[u8] = match self.kind {
            PhotoKind::Before => b"before\n",
            PhotoKind::After => b"after\n",
        };
        context.update(kind);
        // No key has a line break, so the file cannot be mistaken for a part of it.
        context.update(self.checklist_key.as_deref().unwrap_or_default().as_bytes());
        context.update(b"\n");
        context.update(&self.file);
        hex::encode(context.finish())
    }
}

/// Reads the parts `kind`, `checklist_key`, `file`; anything else, twice or too large is refused.
pub(super) async fn read(mut multipart: Multipart, max_bytes: usize) -> Result<Form> {
    let (mut kind, mut key, mut file) = (None, None, None);
    while let Some(part) = multipart.next().await {
        let mut part = part.map_err(|error| broken(&error))?;
        let name = part.name().unwrap_or_default().to_owned();
        let limit = if name == "file" {
            max_bytes
        } else {
            TEXT_LIMIT
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = part.next().await {
            let chunk = chunk.map_err(|error| broken(&error))?;
            if bytes.len().saturating_add(chunk.len()) > limit {
                return Err(AppError::new(
                    Code::PayloadTooLarge,
                    format!("{name} 不得超过 {limit} 字节"),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        let slot = match name.as_str() {
            "kind" => &mut kind,
            "checklist_key" => &mut key,
            "file" => &mut file,
            _ => {
                return Err(AppError::field(
                    format!("/{name}"),
                    "unknown",
                    "没有这个字段",
                ));
            }
        };
        if slot.replace(bytes).is_some() {
            return Err(AppError::field(
                format!("/{name}"),
                "duplicate",
                "这个字段出现了两次",
            ));
        }
    }
    let kind = text(kind, "kind")?
        .ok_or_else(|| AppError::field("/kind", "required", "请给出 before 或 after"))?;
    let kind = match kind.as_str() {
        "before" => PhotoKind::Before,
        "after" => PhotoKind::After,
        _ => return Err(AppError::field("/kind", "enum", "应为 before 或 after")),
    };
    let file = file.ok_or_else(|| AppError::field("/file", "required", "请选择一张照片"))?;
    Ok(Form {
        kind,
        checklist_key: text(key, "checklist_key")?.filter(|key| !key.is_empty()),
        file,
    })
}

fn text(bytes: Option<Vec<u8>>, name: &str) -> Result<Option<String>> {
    bytes
        .map(|bytes| {
            String::from_utf8(bytes)
                .ok()
                .filter(|text| !text.chars().any(char::is_control))
                .ok_or_else(|| {
                    AppError::field(format!("/{name}"), "text", "应为不含控制字符的 UTF-8 文字")
                })
        })
        .transpose()
}

fn broken(error: &actix_multipart::MultipartError) -> AppError {
    AppError::new(Code::Validation, "表单没有完整到达,或格式有误").because(error.to_string())
}

/// Re-encodes the picture: what comes out holds pixels and nothing else.
pub(super) async fn clean(ctx: &Ctx, file: Vec<u8>) -> Result<Picture> {
    let settings = &ctx.config.photo;
    let limits = PictureLimits {
        max_bytes: settings.max_bytes,
        max_pixels: settings.max_pixels,
        max_side: settings.max_side,
        thumb_side: settings.thumbnail_side,
    };
    within(file, limits).await
}

/// Decodes and encodes within limits, few pictures at a time, off the async threads.
pub(super) async fn within(file: Vec<u8>, limits: PictureLimits) -> Result<Picture> {
    static ROOM: OnceLock<Semaphore> = OnceLock::new();
    let room = ROOM.get_or_init(|| Semaphore::new(AT_ONCE)).acquire().await;
    let _room = room.map_err(AppError::internal)?;
    actix_web::web::block(move || ingest(&file, &limits))
        .await
        .map_err(AppError::internal)?
}
