//! What the client knows of message pushes and open data: its own token, keys, appid and clock (spec 1.8).

use super::{
    WechatClient,
    open_data::{self, OpenDataFault},
    push_message,
    push_seal::{PushKey, SealFault},
};
use crate::kernel::{AppError, Code};
use serde_json::Value;

/// Why a push is refused. Each is answered 4xx; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// No token or key is configured, so nobody can prove anything.
    #[error("the message push is not configured")]
    Unconfigured,
    /// Not in secure mode: anybody could have written it.
    #[error("not sealed: the console must be set to secure mode")]
    Plain,
    /// Not proved to be WeChat's; only the envelope around the ciphertext was read.
    #[error("the signature does not hold")]
    Signature,
    /// Proved, but it does not open.
    #[error("the message does not open")]
    Sealed,
    /// Proved and opened, but meant for another mini-program, or the envelope names another addressee.
    #[error("about another mini-program")]
    Foreign,
    /// Proved and opened, but neither JSON nor XML of the documented form.
    #[error("not a message")]
    Malformed,
}

impl PushError {
    /// Our code: `signature_invalid` (401) until the sender is proved, `validation` (422) after.
    pub fn code(&self) -> Code {
        match self {
            Self::Unconfigured | Self::Plain | Self::Signature => Code::SignatureInvalid,
            Self::Sealed | Self::Foreign | Self::Malformed => Code::Validation,
        }
    }
}

impl From<SealFault> for PushError {
    fn from(fault: SealFault) -> Self {
        match fault {
            SealFault::Signature => Self::Signature,
            SealFault::Sealed => Self::Sealed,
            SealFault::Foreign => Self::Foreign,
        }
    }
}

impl From<PushError> for AppError {
    fn from(error: PushError) -> Self {
        Self::new(error.code(), error.code().title()).because(error)
    }
}

/// The parameters of a push, as they stand in the query string. The first of each name counts.
#[derive(Default)]
struct PushQuery {
    signature: String,
    msg_signature: String,
    timestamp: String,
    nonce: String,
    encrypt_type: Option<String>,
    echostr: Option<String>,
}

impl PushQuery {
    fn read(query: &str) -> Self {
        let value = |wanted: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
        };
        Self {
            signature: value("signature").unwrap_or_default(),
            msg_signature: value("msg_signature").unwrap_or_default(),
            timestamp: value("timestamp").unwrap_or_default(),
            nonce: value("nonce").unwrap_or_default(),
            encrypt_type: value("encrypt_type"),
            echostr: value("echostr"),
        }
    }
}

impl WechatClient {
    fn push_key(&self) -> Result<PushKey, PushError> {
        let settings = &self.inner.settings;
        PushKey::new(
            &settings.push_token,
            &settings.push_aes_key,
            &settings.appid,
        )
        .ok_or(PushError::Unconfigured)
    }

    /// The query with which WeChat checks a push address for `echostr`: what the doctor asks our own address with.
    ///
    /// # Errors
    /// [`PushError::Unconfigured`].
    pub fn push_check(&self, echostr: &str) -> Result<String, PushError> {
        let (timestamp, nonce) = (self.inner.env.now().timestamp().to_string(), "doctor");
        let signature = self.push_key()?.sign_address(&timestamp, nonce);
        Ok(form_urlencoded::Serializer::new(String::new())
            .append_pair("signature", &signature)
            .append_pair("timestamp", &timestamp)
            .append_pair("nonce", nonce)
            .append_pair("echostr", echostr)
            .finish())
    }

    /// WeChat checks the push address: what to answer, if it is WeChat.
    ///
    /// # Errors
    /// [`PushError`] when the query is not signed with our token.
    pub fn push_address(&self, query: &str) -> Result<String, PushError> {
        let query = PushQuery::read(query);
        let proved =
            self.push_key()?
                .proves_address(&query.signature, &query.timestamp, &query.nonce);
        match query.echostr {
            Some(echo) if proved => Ok(echo),
            _ => Err(PushError::Signature),
        }
    }

    /// Proves, opens and reads one push. Of an unproved one only the envelope is read, to find the ciphertext; what
    /// stands beside it in the clear has no effect, and its addressee must be the sealed one's.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn pushed(&self, query: &str, body: &[u8]) -> Result<Value, PushError> {
        let query = PushQuery::read(query);
        let key = self.push_key()?;
        if query.encrypt_type.is_some_and(|kind| kind != "aes") {
            return Err(PushError::Plain);
        }
        let envelope = push_message::parse(body).ok_or(PushError::Signature)?;
        let sealed = envelope.get("Encrypt").and_then(Value::as_str);
        let plain = key.open(
            &query.msg_signature,
            (&query.timestamp, &query.nonce),
            sealed.ok_or(PushError::Plain)?,
        )?;
        let message = push_message::parse(&plain).ok_or(PushError::Malformed)?;
        if message.get("ToUserName") != envelope.get("ToUserName") {
            return Err(PushError::Foreign);
        }
        Ok(message)
    }

    /// Opens what an old client hands over; `session_key` is the one of the person's last login.
    ///
    /// # Errors
    /// [`OpenDataFault`].
    pub fn open_data(
        &self,
        session_key: &str,
        iv: &str,
        encrypted: &str,
    ) -> Result<Value, OpenDataFault> {
        open_data::open(
            (session_key, iv),
            encrypted,
            &self.inner.settings.appid,
            self.inner.env.now().timestamp(),
        )
    }

    /// Whether the plain half of a client's data is signed by WeChat.
    pub fn is_raw_data_signed(&self, raw_data: &str, session_key: &str, signature: &str) -> bool {
        open_data::is_signed(raw_data, session_key, signature)
    }
}
