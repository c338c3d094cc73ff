//! The bearer tokens of a SCIM source: made, exchanged, taken back, listed. A token is shown
//! once, when it is made; what is kept is its hash.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::AnswerError;
use crate::store::Store;
use crate::store::tokens::{TokenRow, delete_token, put_token};

/// What a token begins with, so that one that lies about is known for what it is.
const PREFIX: &str = "rosterd_scim_";

/// A token that was just made.
#[derive(Serialize)]
pub struct NewToken {
    pub source: String,
    /// What the client is given as the tenant or base URL.
    pub base_url: String,
    pub token: String,
    pub expires_at: Option<Timestamp>,
    /// Its name, which is no secret.
    pub id: String,
}

/// A token as it is listed.
#[derive(Serialize)]
pub struct TokenOut {
    pub id: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub expired: bool,
}

/// The tokens of one source.
pub struct Tokens<'a> {
    pub store: &'a Store,
    pub source: &'a str,
    pub base_url: String,
    pub now: Timestamp,
}

impl Tokens<'_> {
    /// Makes a token, for a while or for good.
    pub fn create(&self, lasts: Option<Duration>) -> Result<NewToken, AnswerError> {
        let secret: [u8; 32] = rand::random();
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let millis = u64::try_from(self.now.as_millisecond()).unwrap_or(0);
        let id = ulid::Ulid::from_parts(millis, rand::random()).to_string();
        let row = TokenRow {
            id: id.clone(),
            hash: Sha256::digest(token.as_bytes()).into(),
            created: self.now,
            expires: lasts.map(|lasts| self.after(lasts)),
        };
        let expires_at = row.expires;
        self.store.transact(vec![put_token(self.source, &row)])?;
        self.store.flush()?;
        Ok(NewToken {
            source: self.source.to_owned(),
            base_url: self.base_url.clone(),
            token,
            expires_at,
            id,
        })
    }

    /// Makes a token in place of all others, which go on for `overlap`.
    pub fn rotate(
        &self,
        overlap: Duration,
        lasts: Option<Duration>,
    ) -> Result<NewToken, AnswerError> {
        let old = self.store.tokens(self.source)?;
        let new = self.create(lasts)?;
        let until = self.after(overlap);
        let mut ops = Vec::new();
        for mut row in old {
            if overlap.is_zero() {
                ops.push(delete_token(self.source, &row.id));
            } else if row.expires.is_none_or(|at| at > until) {
                row.expires = Some(until);
                ops.push(put_token(self.source, &row));
            }
        }
        self.store.write(ops)?;
        self.store.flush()?;
        Ok(new)
    }

    /// Takes a token back, or all of them. How many went.
    pub fn revoke(&self, id: Option<&str>) -> Result<usize, AnswerError> {
        let all = self.store.tokens(self.source)?;
        let gone: Vec<&TokenRow> = all
            .iter()
            .filter(|row| id.is_none_or(|id| row.id == id))
            .collect();
        if let (Some(id), []) = (id, &gone[..]) {
            return Err(AnswerError::NotThere(format!(
                "source '{0}' has no token '{id}'; 'rosterd token list --source {0}' lists them",
                self.source
            )));
        }
        let ops = gone.iter().map(|row| delete_token(self.source, &row.id));
        self.store.write(ops.collect())?;
        self.store.flush()?;
        Ok(gone.len())
    }

    pub fn list(&self) -> Result<Vec<TokenOut>, AnswerError> {
        let rows = self.store.tokens(self.source)?;
        rows.into_iter()
            .map(|row| {
                let last_used_at = self.store.token_last_used(self.source, &row.id)?;
                Ok(TokenOut {
                    expired: row.is_expired(self.now),
                    id: row.id,
                    created_at: row.created,
                    expires_at: row.expires,
                    last_used_at,
                })
            })
            .collect()
    }

    fn after(&self, lasts: Duration) -> Timestamp {
        let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
        self.now.saturating_add(lasts).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::MemoryEngine;

    #[test]
    fn a_rotated_token_goes_on_for_the_overlap_and_a_revoked_one_does_not() {
        let store = Store::new(Arc::new(MemoryEngine::new()));
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let mut tokens = Tokens {
            store: &store,
            source: "push",
            base_url: "https://x".to_owned(),
            now,
        };
        let first = tokens.create(None).unwrap();
        let second = tokens.rotate(Duration::from_secs(3600), None).unwrap();
        assert_ne!(first.token, second.token);
        let expired = |tokens: &Tokens<'_>| -> Vec<(String, bool)> {
            let list = tokens.list().unwrap().into_iter();
            list.map(|token| (token.id, token.expired)).collect()
        };
        let named = |token: &NewToken, expired| (token.id.clone(), expired);
        let mut both = vec![named(&first, false), named(&second, false)];
        both.sort();
        let mut listed = expired(&tokens);
        listed.sort();
        assert_eq!(listed, both);
        tokens.now = now.saturating_add(SignedDuration::from_hours(1)).unwrap();
        assert!(expired(&tokens).contains(&named(&first, true)));
        assert_eq!(tokens.revoke(Some(&first.id)).unwrap(), 1);
        assert!(tokens.revoke(Some(&first.id)).is_err());
        let third = tokens.rotate(Duration::ZERO, None).unwrap();
        assert_eq!(expired(&tokens), [named(&third, false)]);
        // Only hashes are kept.
        let row = store.tokens("push").unwrap().remove(0);
        assert_eq!(row.hash[..], Sha256::digest(third.token.as_bytes())[..]);
    }
}
