//! Where files lie: a local folder, or any S3-compatible store (Tencent COS, Aliyun OSS, Huawei OBS, MinIO).
//!
//! Owns: bytes under keys. Promises: a `get` after a finished `put` sees all of the new bytes, never a part.
//! A key is made by us from ids and random text, never from a user's file name (SEC-19); the folder lies outside any
//! web root, and what is personal in a picture has been taken out before it comes here (`picture`, SEC-20).
//! Emits, listens, consents: nothing.

use crate::kernel::{AppError, Code, Result};
use bytes::Bytes;
use object_store::{
    Attribute, Attributes, ClientOptions, ObjectStore, ObjectStoreExt, PutOptions, RetryConfig,
    aws::AmazonS3Builder, local::LocalFileSystem, path::Path,
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// A key nobody writes to; asking for it shows whether the store answers.
const PROBE: &str = "probe/none";

/// Files by key.
#[async_trait::async_trait]
pub trait Blobs: Send + Sync {
    /// Stores the bytes, replacing what was there. `content_type` is kept where the store can (not in a folder).
    async fn put(&self, key: &str, bytes: Bytes, content_type: &'static str) -> Result<()>;

    /// The bytes, or 404.
    async fn get(&self, key: &str) -> Result<Bytes>;

    /// Removes the file; one that is not there is fine (PIPL-47: erasing may be repeated).
    async fn delete(&self, key: &str) -> Result<()>;

    /// Whether the store answers and lets us in.
    async fn ping(&self) -> Result<()>;
}

/// Which store to use.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BlobSettings {
    /// A folder of this machine; made when missing.
    Local {
        /// The folder.
        root: PathBuf,
    },
    /// An S3-compatible store.
    S3(S3Settings),
}

/// How to reach a bucket.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Settings {
    /// `https://host`, without the bucket. `http://` is taken too, for a store on the same machine.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// The region the signature names.
    pub region: String,
    /// The access key's id.
    pub key_id: String,
    /// The access key's secret.
    pub secret: String,
    /// `true`: `endpoint/bucket/key` (MinIO); `false`: `bucket.endpoint/key` (COS, OSS, OBS).
    #[serde(default)]
    pub path_style: bool,
}

impl std::fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .finish_non_exhaustive()
    }
}

impl S3Settings {
    fn open(&self) -> Result<Store> {
        let Some((scheme, host)) = self.endpoint.trim_end_matches('/').split_once("://") else {
            return Err(AppError::internal(
                "the blob endpoint must start with https:// or http://",
            ));
        };
        let endpoint = if self.path_style {
            format!("{scheme}://{host}")
        } else {
            format!("{scheme}://{}.{host}", self.bucket)
        };
        let patience = ClientOptions::new()
            .with_connect_timeout(Duration::from_secs(3))
            .with_timeout(Duration::from_secs(30))
            .with_allow_http(scheme == "http");
        let retry = RetryConfig {
            max_retries: 2,
            retry_timeout: Duration::from_secs(40),
            ..RetryConfig::default()
        };
        let store = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(!self.path_style)
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_access_key_id(&self.key_id)
            .with_secret_access_key(&self.secret)
            .with_client_options(patience)
            .with_retry(retry)
            .build()
            .map_err(AppError::internal)?;
        Ok(Store {
            inner: Arc::new(store),
            folder: None,
        })
    }
}

/// Opens the store. A folder is made when missing; a bucket is not looked at before the first call.
pub fn open(settings: &BlobSettings) -> Result<Arc<dyn Blobs>> {
    match settings {
        BlobSettings::Local { root } => {
            std::fs::create_dir_all(root).map_err(AppError::internal)?;
            let store = LocalFileSystem::new_with_prefix(root).map_err(AppError::internal)?;
            // Deleting must not remove a folder that another `put` is about to use, so empty ones stay.
            let store = store.with_automatic_cleanup(false).with_fsync(true);
            Ok(Arc::new(Store {
                inner: Arc::new(store),
                folder: Some(root.clone()),
            }))
        }
        BlobSettings::S3(settings) => Ok(Arc::new(settings.open()?)),
    }
}

struct Store {
    inner: Arc<dyn ObjectStore>,
    folder: Option<PathBuf>,
}

/// A key of ours: 1 to 8 segments of `a-z A-Z 0-9 - _ .` that do not start with a dot, 200 bytes at most.
fn path(key: &str) -> Result<Path> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let segment =
        |text: &str| !text.is_empty() && !text.starts_with('.') && text.bytes().all(plain);
    if key.len() > 200 || key.split('/').count() > 8 || !key.split('/').all(segment) {
        return Err(AppError::internal(
            "a blob key has a form that is not allowed",
        ));
    }
    Path::parse(key).map_err(AppError::internal)
}

fn refused(error: object_store::Error) -> AppError {
    match error {
        object_store::Error::NotFound { .. } => AppError::not_found(),
        other => AppError::new(Code::Unavailable, "文件存储暂时不可用")
            .retry_after(5)
            .because(other),
    }
}

#[async_trait::async_trait]
impl Blobs for Store {
    async fn put(&self, key: &str, bytes: Bytes, content_type: &'static str) -> Result<()> {
        let mut attributes = Attributes::new();
        if self.folder.is_none() {
            attributes.insert(Attribute::ContentType, content_type.into());
        }
        let options = PutOptions {
            attributes,
            ..PutOptions::default()
        };
        self.inner
            .put_opts(&path(key)?, bytes.into(), options)
            .await
            .map(drop)
            .map_err(refused)
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        let found = self.inner.get(&path(key)?).await.map_err(refused)?;
        found.bytes().await.map_err(refused)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        match self.inner.delete(&path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }

    async fn ping(&self) -> Result<()> {
        if let Some(folder) = &self.folder {
            let there = tokio::fs::metadata(folder)
                .await
                .is_ok_and(|facts| facts.is_dir());
            return if there {
                Ok(())
            } else {
                Err(AppError::new(Code::Unavailable, "文件存储暂时不可用"))
            };
        }
        match self.inner.head(&path(PROBE)?).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn conforms(blobs: &dyn Blobs) {
        blobs.ping().await.unwrap();
        let key = "photo/0190-ab_C/x.jpg";
        assert_eq!(blobs.get(key).await.unwrap_err().code, Code::NotFound);
        blobs
            .put(key, Bytes::from_static(b"first"), "image/jpeg")
            .await
            .unwrap();
        let large = Bytes::from(vec![7; 3_000_000]);
        blobs.put(key, large.clone(), "image/jpeg").await.unwrap();
        blobs
            .put("photo/0190-ab_C/y.jpg", Bytes::new(), "image/jpeg")
            .await
            .unwrap();
        assert_eq!(blobs.get(key).await.unwrap(), large);
        assert_eq!(
            blobs.get("photo/0190-ab_C/y.jpg").await.unwrap(),
            Bytes::new()
        );
        blobs.delete(key).await.unwrap();
        blobs.delete(key).await.unwrap();
        assert_eq!(blobs.get(key).await.unwrap_err().code, Code::NotFound);
        for bad in [
            "", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".hidden", "a\\b", "a b", "猫",
            "a\0", "a%2e",
        ] {
            assert_eq!(
                blobs.get(bad).await.unwrap_err().code,
                Code::Internal,
                "{bad:?}"
            );
            assert!(
                blobs.put(bad, Bytes::new(), "image/jpeg").await.is_err(),
                "{bad:?}"
            );
            assert!(blobs.delete(bad).await.is_err(), "{bad:?}");
        }
        assert!(blobs.get(&"a".repeat(201)).await.is_err());
    }

    #[tokio::test]
    async fn a_local_folder_conforms_and_keeps_files_inside_itself() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("made/when/missing");
        let blobs = open(&BlobSettings::Local { root: root.clone() }).unwrap();
        conforms(&*blobs).await;
        blobs
            .put("kept/z", Bytes::from_static(b"z"), "image/jpeg")
            .await
            .unwrap();
        assert_eq!(std::fs::read(root.join("kept/z")).unwrap(), b"z");
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(blobs.ping().await.unwrap_err().code, Code::Unavailable);
    }

    #[tokio::test]
    async fn a_store_in_memory_conforms() {
        let inner = Arc::new(object_store::memory::InMemory::new());
        conforms(&Store {
            inner: inner.clone(),
            folder: None,
        })
        .await;
        let store = Store {
            inner: inner.clone(),
            folder: None,
        };
        store
            .put("a/b", Bytes::from_static(b"x"), "image/jpeg")
            .await
            .unwrap();
        let found = inner.get(&Path::from("a/b")).await.unwrap();
        assert_eq!(
            found
                .attributes
                .get(&Attribute::ContentType)
                .map(AsRef::as_ref),
            Some("image/jpeg")
        );
    }

    #[tokio::test]
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by the environment where the store is"
    )]
    async fn an_s3_store_conforms() {
        let endpoint = std::env::var("LINJIAN_TEST_S3_ENDPOINT")
            .expect("LINJIAN_TEST_S3_ENDPOINT must name an S3-compatible store for tests");
        let settings = S3Settings {
            endpoint,
            ..s3(true)
        };
        conforms(&*open(&BlobSettings::S3(settings.clone())).unwrap()).await;
        let elsewhere = S3Settings {
            bucket: "not-there".into(),
            ..settings
        };
        assert!(
            open(&BlobSettings::S3(elsewhere))
                .unwrap()
                .get("a")
                .await
                .is_err()
        );
    }

    fn s3(path_style: bool) -> S3Settings {
        S3Settings {
            endpoint: "http://127.0.0.1:1".into(),
            bucket: "linjian-test".into(),
            region: "us-east-1".into(),
            key_id: "test".into(),
            secret: "test".into(),
            path_style,
        }
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_unavailable() {
        let blobs = open(&BlobSettings::S3(s3(true))).unwrap();
        assert_eq!(blobs.ping().await.unwrap_err().code, Code::Unavailable);
    }

    #[test]
    fn settings_do_not_show_keys_and_refuse_an_endpoint_without_scheme() {
        let settings = S3Settings {
            key_id: "AKID-x".into(),
            secret: "s3cr3t".into(),
            ..s3(false)
        };
        let shown = format!("{:?}", BlobSettings::S3(settings.clone()));
        assert!(
            shown.contains("linjian-test")
                && !shown.contains("s3cr3t")
                && !shown.contains("AKID-x")
        );
        assert!(open(&BlobSettings::S3(settings)).is_ok());
        assert!(
            open(&BlobSettings::S3(S3Settings {
                endpoint: "cos.example".into(),
                ..s3(false)
            }))
            .is_err()
        );
    }
}
