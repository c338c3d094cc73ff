//! A certificate as the credential: an assertion, signed anew for every token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::App;
use crate::http::HttpError;

/// Entra advises five to ten minutes.
const LIFE_SECONDS: i64 = 600;

/// Our clock may be a little ahead of Entra's.
const SKEW_SECONDS: i64 = 30;

pub struct Certificate {
    key: EncodingKey,
    /// SHA-256 of the certificate, by which Entra finds it among several.
    thumbprint: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

impl Certificate {
    pub fn read(cert_pem: &[u8], key_pem: &str) -> Result<Certificate, HttpError> {
        let blocks = pem::parse_many(cert_pem).unwrap_or_default();
        let certificate = blocks
            .iter()
            .find(|block| block.tag() == "CERTIFICATE")
            .ok_or_else(|| {
                HttpError::Setup("the certificate file holds no certificate in PEM form".into())
            })?;
        let key = EncodingKey::from_rsa_pem(key_pem.as_bytes()).map_err(|_| {
            HttpError::Setup(
                "the certificate's key is no RSA key in PEM form (without a password)".into(),
            )
        })?;
        Ok(Certificate {
            key,
            thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.contents())),
        })
    }

    pub fn assertion(&self, app: &App) -> Result<String, HttpError> {
        let now = Timestamp::now().as_second();
        let mut header = Header::new(Algorithm::PS256);
        header.x5t_s256 = Some(self.thumbprint.clone());
        let claims = Claims {
            aud: app.token_url.as_str(),
            iss: &app.client_id,
            sub: &app.client_id,
            jti: ulid::Ulid::new().to_string(),
            nbf: now - SKEW_SECONDS,
            iat: now,
            exp: now - SKEW_SECONDS + LIFE_SECONDS,
        };
        encode(&header, &claims, &self.key)
            .map_err(|_| HttpError::Setup("the certificate's key cannot sign".into()))
    }
}
