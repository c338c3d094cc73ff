//! A certificate as the credential: an assertion, signed anew for every token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
        let now = crate::clock::now().as_second();
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

#[cfg(test)]
mod tests {
    use super::*;

    const CERT: &[u8] = include_bytes!("../../../../tests/graph_source/graph-test.pem");
    const KEY: &str = include_str!("../../../../tests/graph_source/graph-test.key");

    fn part(assertion: &str, n: usize) -> serde_json::Value {
        let text = assertion.split('.').nth(n).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_is_signed_for_one_use_and_ten_minutes() {
        let app = App {
            tenant: "contoso".into(),
            client_id: "app-1".into(),
            scope: String::new(),
            token_url: "https://login.test/contoso/oauth2/v2.0/token"
                .parse()
                .unwrap(),
        };
        let certificate = Certificate::read(CERT, KEY).unwrap();
        let first = certificate.assertion(&app).unwrap();
        let header = part(&first, 0);
        assert_eq!(header["alg"], "PS256");
        assert_eq!(header["x5t#S256"].as_str().unwrap().len(), 43);
        let claims = part(&first, 1);
        assert_eq!(claims["aud"], app.token_url.as_str());
        assert_eq!(claims["iss"], claims["sub"]);
        let life = claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap();
        assert_eq!(life, LIFE_SECONDS);
        let second = certificate.assertion(&app).unwrap();
        assert_ne!(claims["jti"], part(&second, 1)["jti"]);
    }

    #[test]
    fn a_file_that_is_something_else_is_refused_without_showing_it() {
        let error = |cert: &[u8], key| Certificate::read(cert, key).err().unwrap().to_string();
        assert!(error(KEY.as_bytes(), KEY).contains("no certificate"));
        assert!(error(CERT, "hunter2").contains("no RSA key"));
        assert!(!error(CERT, "hunter2").contains("hunter2"));
    }
}
