//! Signatures over a body, so that a receiver knows who sent it and that it is whole.
//!
//! Both kinds are HMAC-SHA256. Polis takes the secret's bytes as they are given, Standard
//! Webhooks those that `whsec_` and base64 stand for. While a secret is exchanged both the new
//! and the old one sign.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA256, Key, sign};

use crate::config::EventFormat;

/// What a Standard Webhooks secret begins with.
const PREFIX: &str = "whsec_";

/// How many bytes such a secret may have.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The keys that sign, the current one first.
pub struct Signer {
    polis: Vec<Key>,
    standard: Vec<Key>,
}

impl Signer {
    /// Takes secrets as texts, the current one first. Err says what is wrong with a secret,
    /// and never the secret.
    pub fn new(format: EventFormat, secrets: &[&str]) -> Result<Signer, String> {
        let mut signer = Signer {
            polis: Vec::new(),
            standard: Vec::new(),
        };
        for secret in secrets {
            if format != EventFormat::Standard {
                signer.polis.push(Key::new(HMAC_SHA256, secret.as_bytes()));
            }
            if format != EventFormat::Polis {
                signer
                    .standard
                    .push(Key::new(HMAC_SHA256, &decoded(secret)?));
            }
        }
        Ok(signer)
    }

    /// The value of the Polis headers: `t=<ms>,s=<hex>`, and a further `s` of the old secret.
    pub fn polis(&self, unix_ms: i64, body: &str) -> Option<String> {
        if self.polis.is_empty() {
            return None;
        }
        let text = format!("{unix_ms}.{body}");
        let mut header = format!("t={unix_ms}");
        for key in &self.polis {
            header.push_str(",s=");
            for byte in sign(key, text.as_bytes()).as_ref() {
                header.push_str(&format!("{byte:02x}"));
            }
        }
        Some(header)
    }

    /// The value of `webhook-signature`.
    pub fn standard(&self, id: &str, unix_s: i64, body: &str) -> Option<String> {
        if self.standard.is_empty() {
            return None;
        }
        let text = format!("{id}.{unix_s}.{body}");
        let signatures: Vec<String> = self
            .standard
            .iter()
            .map(|key| format!("v1,{}", STANDARD.encode(sign(key, text.as_bytes()))))
            .collect();
        Some(signatures.join(" "))
    }
}

fn decoded(secret: &str) -> Result<Vec<u8>, String> {
    let bytes = secret
        .strip_prefix(PREFIX)
        .and_then(|base64| STANDARD.decode(base64).ok())
        .filter(|bytes| LENGTHS.contains(&bytes.len()));
    bytes.ok_or_else(|| {
        format!(
            "must be '{PREFIX}' and the base64 of {} to {} random bytes for Standard Webhooks; 'openssl rand -base64 32' makes such bytes",
            LENGTHS.start(),
            LENGTHS.end()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn polis_signs_as_published() {
        let body = r#"{"directory_id":"d-1","event":"group.deleted","tenant":"acme","product":"portal","data":{"id":"g-1","name":"devs","raw":{}}}"#;
        let signer = Signer::new(EventFormat::Polis, &["hook-secret"]).unwrap();
        assert_eq!(
            signer.polis(1_767_323_045_123, body).unwrap(),
            "t=1767323045123,s=6d16a1d7843491ce9142977afe0b7fedd73d1070550443591c3af124111575e4"
        );
        assert_eq!(signer.standard("evt_1", 1, body), None);
    }

    #[test]
    fn standard_webhooks_signs_as_published() {
        let body =
            r#"{"type":"user.created","timestamp":"2026-01-02T03:04:05Z","data":{"id":"u-1"}}"#;
        let signer = Signer::new(EventFormat::Standard, &[SECRET]).unwrap();
        assert_eq!(
            signer.standard("evt_0001", 1_767_323_045, body).unwrap(),
            "v1,dTQvIsuHvgjz+jTJ0zyG1JVBUOWbVhr9Vykn6HQNCag="
        );
        assert_eq!(signer.polis(1, body), None);
    }

    #[test]
    fn while_a_secret_is_exchanged_both_sign() {
        let other = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
        let sign = |secrets: &[&str]| {
            let signer = Signer::new(EventFormat::Both, secrets).unwrap();
            let polis = signer.polis(5, "{}").unwrap();
            (polis, signer.standard("e", 5, "{}").unwrap())
        };
        let (new, old, both) = (sign(&[other]), sign(&[SECRET]), sign(&[other, SECRET]));
        assert_eq!(both.1, format!("{} {}", new.1, old.1));
        let old = old.0.strip_prefix("t=5,").unwrap();
        assert_eq!(both.0, format!("{},{old}", new.0));
    }

    #[test]
    fn a_secret_of_the_wrong_form_is_refused_without_being_repeated() {
        for bad in ["hunter2hunter2", "whsec_AAEC", "whsec_hunter2!"] {
            let said = Signer::new(EventFormat::Standard, &[bad]).err().unwrap();
            assert!(
                said.contains("whsec_") && !said.contains("hunter2"),
                "{said}"
            );
            assert!(Signer::new(EventFormat::Polis, &[bad]).is_ok());
        }
    }
}
