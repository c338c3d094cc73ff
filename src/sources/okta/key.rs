//! The private key of a service app, in any of the forms in which people have it.
//!
//! Okta's console shows a generated key as a JWK or as PEM. The signing library reads PEM
//! and DER, so a JWK is put into DER here: PKCS#1 for RSA (RFC 8017 A.1.2), PKCS#8 for P-256
//! (RFC 5958 around RFC 5915).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde::Deserialize;

/// A key ready to sign with.
pub struct SigningKey {
    pub algorithm: Algorithm,
    pub key: EncodingKey,
    /// The `kid` that came with a JWK.
    pub id: Option<String>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
    dp: Option<String>,
    dq: Option<String>,
    qi: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl SigningKey {
    /// Reads PEM or a JWK. The reason of a refusal never quotes the key.
    pub fn read(text: &str) -> Result<SigningKey, String> {
        let text = text.trim();
        let key = match text.starts_with('{') {
            true => from_jwk(text)?,
            false => from_pem(text)?,
        };
        key.try_out()?;
        Ok(key)
    }

    /// Signs something, so that a key that cannot is found when the settings are read.
    fn try_out(&self) -> Result<(), String> {
        jsonwebtoken::crypto::sign(b"", &self.key, self.algorithm)
            .map(|_| ())
            .map_err(|_| {
                "the private key cannot sign; RSA needs 2048 bits or more, EC the curve P-256"
                    .to_owned()
            })
    }
}

fn from_pem(text: &str) -> Result<SigningKey, String> {
    if text.contains("ENCRYPTED") {
        return Err("the private key is protected by a passphrase; give it without one".into());
    }
    if text.contains("BEGIN EC PRIVATE KEY") {
        return Err(
            "the private key is in the SEC1 form; convert it with `openssl pkcs8 -topk8 -nocrypt`"
                .into(),
        );
    }
    if text.contains("BEGIN PUBLIC KEY") || text.contains("BEGIN CERTIFICATE") {
        return Err("this is the public half; the private key is needed".into());
    }
    let rsa = EncodingKey::from_rsa_pem(text.as_bytes()).map(|key| (Algorithm::RS256, key));
    let (algorithm, key) = rsa
        .or_else(|_| EncodingKey::from_ec_pem(text.as_bytes()).map(|key| (Algorithm::ES256, key)))
        .map_err(|_| "the private key is neither PEM nor a JWK of an RSA or P-256 key")?;
    Ok(SigningKey {
        algorithm,
        key,
        id: None,
    })
}

fn from_jwk(text: &str) -> Result<SigningKey, String> {
    let jwk: Jwk = serde_json::from_str(text)
        .map_err(|_| "the private key begins like a JWK but is not a whole one")?;
    let part = |name: &str, value: &Option<String>| -> Result<Vec<u8>, String> {
        let value = value.as_deref().ok_or(format!(
            "the JWK has no `{name}`; the private key is needed, with all its parts"
        ))?;
        URL_SAFE_NO_PAD
            .decode(value.trim_end_matches('='))
            .map_err(|_| format!("`{name}` of the JWK is not base64url"))
    };
    let (algorithm, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => {
            let numbers = [
                vec![0],
                part("n", &jwk.n)?,
                part("e", &jwk.e)?,
                part("d", &jwk.d)?,
                part("p", &jwk.p)?,
                part("q", &jwk.q)?,
                part("dp", &jwk.dp)?,
                part("dq", &jwk.dq)?,
                part("qi", &jwk.qi)?,
            ];
            let body = numbers.iter().flat_map(|it| integer(it)).collect();
            let key = EncodingKey::from_rsa_der(&tagged(SEQUENCE, body));
            (Algorithm::RS256, key)
        }
        ("EC", Some("P-256")) => {
            let (d, x, y) = (part("d", &jwk.d)?, part("x", &jwk.x)?, part("y", &jwk.y)?);
            let key = EncodingKey::from_ec_der(&p256(&d, &x, &y));
            (Algorithm::ES256, key)
        }
        _ => return Err("the JWK is neither of an RSA nor of a P-256 key".into()),
    };
    Ok(SigningKey {
        algorithm,
        key,
        id: jwk.kid,
    })
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
/// The context tag of the public key in RFC 5915.
const PUBLIC_KEY: u8 = 0xa1;

/// The algorithm `id-ecPublicKey` with the curve `prime256v1`, encoded.
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];

fn p256(d: &[u8], x: &[u8], y: &[u8]) -> Vec<u8> {
    let point = [&[0, 4], &padded(x)[..], &padded(y)].concat();
    let key = [
        integer(&[1]),
        tagged(OCTET_STRING, padded(d)),
        tagged(PUBLIC_KEY, tagged(BIT_STRING, point)),
    ]
    .concat();
    let body = [
        integer(&[0]),
        P256.to_vec(),
        tagged(OCTET_STRING, tagged(SEQUENCE, key)),
    ];
    tagged(SEQUENCE, body.concat())
}

/// A coordinate on P-256 has 32 bytes; some writers leave leading zeros out.
fn padded(number: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 32usize.saturating_sub(number.len())];
    bytes.extend_from_slice(number);
    bytes
}

/// An unsigned number: shortest form, with a zero in front where the first bit is set.
fn integer(number: &[u8]) -> Vec<u8> {
    let start = number.iter().take_while(|&&byte| byte == 0).count();
    let mut bytes = number[start..].to_vec();
    if bytes.first().is_none_or(|first| first & 0x80 != 0) {
        bytes.insert(0, 0);
    }
    tagged(INTEGER, bytes)
}

fn tagged(tag: u8, body: Vec<u8>) -> Vec<u8> {
    let mut bytes = vec![tag];
    match body.len() {
        short @ ..0x80 => bytes.push(short as u8),
        long => {
            let length = long.to_be_bytes();
            let zeros = length.iter().take_while(|&&byte| byte == 0).count();
            bytes.push(0x80 | (length.len() - zeros) as u8);
            bytes.extend_from_slice(&length[zeros..]);
        }
    }
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made for these tests; it opens nothing.
    const EC_PEM: &str = include_str!("testdata/ec.pem");
    const EC_JWK: &str = include_str!("testdata/ec.jwk");
    const RSA_PEM: &str = include_str!("testdata/rsa.pem");
    const RSA_JWK: &str = include_str!("testdata/rsa.jwk");

    #[test]
    fn a_key_in_pem_and_as_a_jwk_signs_the_same() {
        let (pem, jwk) = (
            SigningKey::read(RSA_PEM).unwrap(),
            SigningKey::read(RSA_JWK).unwrap(),
        );
        let sign =
            |it: &SigningKey| jsonwebtoken::crypto::sign(b"x", &it.key, it.algorithm).unwrap();
        assert_eq!(sign(&pem), sign(&jwk));
        assert_eq!(jwk.id.as_deref(), Some("test-rsa"));
    }

    #[test]
    fn a_p256_key_signs_in_both_forms() {
        for text in [EC_PEM, EC_JWK] {
            assert_eq!(SigningKey::read(text).unwrap().algorithm, Algorithm::ES256);
        }
    }

    #[test]
    fn a_refusal_says_what_to_do_and_shows_no_key() {
        let public = r#"{"kty":"RSA","n":"c2VjcmV0","e":"AQAB"}"#;
        for (text, wanted) in [
            (public, "private key is needed"),
            ("-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0", "openssl pkcs8"),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0",
                "passphrase",
            ),
            ("c2VjcmV0", "neither PEM nor a JWK"),
            (r#"{"kty":"oct","d":"c2VjcmV0"}"#, "neither"),
        ] {
            let told = SigningKey::read(text).err().unwrap();
            assert!(
                told.contains(wanted) && !told.contains("c2VjcmV0"),
                "{told}"
            );
        }
    }
}
