//! Access tokens: HS256 and nothing else, fifteen minutes at most, no personal data inside (SEC-11, SEC-12).

use crate::kernel::{AppError, Code, Result};
use chrono::{DateTime, Duration, Utc};
use entity::ids::{AccountId, SessionId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

const ISSUER: &str = "linjian";
const AUDIENCE: &str = "linjian-api";

/// The key that signs access tokens.
#[derive(Clone)]
pub struct TokenKey {
    sign: EncodingKey,
    verify: DecodingKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: AccountId,
    sid: SessionId,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

impl TokenKey {
    /// A key from the secret of the settings.
    pub fn new(secret: &[u8]) -> Self {
        Self {
            sign: EncodingKey::from_secret(secret),
            verify: DecodingKey::from_secret(secret),
        }
    }

    pub(super) fn issue(
        &self,
        account: AccountId,
        session: SessionId,
        now: DateTime<Utc>,
        ttl: Duration,
    ) -> Result<String> {
        let claims = Claims {
            sub: account,
            sid: session,
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            iat: now.timestamp(),
            exp: now.timestamp().saturating_add(ttl.num_seconds()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
            .map_err(AppError::internal)
    }

    pub(super) fn read(&self, token: &str, now: DateTime<Utc>) -> Result<(AccountId, SessionId)> {
        let refused = || AppError::new(Code::Unauthenticated, "登录已失效,请重新登录");
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library would ask the machine's clock; ours may be the sandbox's.
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verify, &rules)
            .map_err(|_| refused())?
            .claims;
        if claims.exp <= now.timestamp() {
            return Err(refused());
        }
        Ok((claims.sub, claims.sid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn token(key: &TokenKey) -> String {
        key.issue(
            AccountId(Uuid::nil()),
            SessionId(Uuid::nil()),
            at(1000),
            Duration::minutes(15),
        )
        .unwrap()
    }

    #[test]
    fn a_token_ends_with_its_time() {
        let key = TokenKey::new(&[7; 32]);
        let text = token(&key);
        assert!(key.read(&text, at(1899)).is_ok());
        assert!(key.read(&text, at(1900)).is_err());
    }

    #[test]
    fn a_foreign_or_unsigned_token_is_refused() {
        let key = TokenKey::new(&[7; 32]);
        assert!(
            key.read(&token(&TokenKey::new(&[8; 32])), at(1001))
                .is_err()
        );
        let body = token(&key).split('.').nth(1).unwrap().to_owned();
        // {"alg":"none","typ":"JWT"}
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.");
        assert!(key.read(&unsigned, at(1001)).is_err());
    }
}
