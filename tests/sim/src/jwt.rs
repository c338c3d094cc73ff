//! Checking the assertions clients sign instead of sending a secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A public key or certificate in PEM, as registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublicKey {
    pub pem: String,
    /// The key id, where the vendor uses one.
    #[serde(default)]
    pub kid: Option<String>,
}

/// The claims both vendors ask for.
#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    pub aud: String,
    pub iss: String,
    pub sub: String,
    pub exp: u64,
    #[serde(default)]
    pub jti: Option<String>,
    #[serde(default)]
    pub nbf: Option<u64>,
}

impl PublicKey {
    fn decoding(&self, algorithm: Algorithm) -> Option<DecodingKey> {
        let pem = self.pem.as_bytes();
        match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_pem(pem).ok(),
            _ => DecodingKey::from_rsa_pem(pem).ok(),
        }
    }

    /// The SHA-256 thumbprint, if this is a certificate.
    pub fn thumbprint(&self) -> Option<String> {
        let parsed = pem::parse(&self.pem).ok()?;
        (parsed.tag() == "CERTIFICATE")
            .then(|| URL_SAFE_NO_PAD.encode(Sha256::digest(parsed.contents())))
    }
}

/// Which signature algorithms are taken.
pub const ENTRA: &[Algorithm] = &[Algorithm::PS256, Algorithm::RS256];
/// The same for Okta.
pub const OKTA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::ES256,
    Algorithm::ES384,
];

/// The claims of an assertion signed by one of the keys; nothing if none fits.
///
/// A thumbprint or key id in the header must belong to the key that verifies. Times are left to
/// the caller, who has the server's clock.
pub fn verify(assertion: &str, keys: &[PublicKey], allowed: &[Algorithm]) -> Option<Claims> {
    let header = jsonwebtoken::decode_header(assertion).ok()?;
    if !allowed.contains(&header.alg) {
        return None;
    }
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    keys.iter()
        .filter(|key| match (&header.x5t_s256, key.thumbprint()) {
            (Some(theirs), Some(ours)) => theirs.trim_end_matches('=') == ours,
            _ => true,
        })
        .filter(|key| match (&header.kid, &key.kid) {
            (Some(theirs), Some(ours)) => theirs == ours,
            _ => true,
        })
        .find_map(|key| {
            let decoding = key.decoding(header.alg)?;
            jsonwebtoken::decode::<Claims>(assertion, &decoding, &validation)
                .ok()
                .map(|data| data.claims)
        })
}
