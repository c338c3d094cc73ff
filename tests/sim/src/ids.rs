//! Identifiers and opaque tokens.
//!
//! Ids are spread from a seed and a running number, so one seed always names the same people and
//! nothing about an id tells its position. Tokens carry their own state: the server keeps no
//! memory of who pages through what. They are scrambled and checked, so a client that builds or
//! edits one is found out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Spreads a number over 64 bits (the finalizer of SplitMix64; one-to-one).
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number that is steady for a seed, a purpose and a position.
pub fn draw(seed: u64, purpose: u64, position: u64) -> u64 {
    mix(mix(seed ^ purpose.rotate_left(32)) ^ position)
}

/// A GUID, kept as a number and written in the usual form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid(pub u128);

impl Guid {
    /// The GUID of the `position`-th object of a purpose, marked as version 4.
    pub fn seeded(seed: u64, purpose: u64, position: u64) -> Self {
        let high = draw(seed, purpose, position);
        let low = draw(seed, purpose ^ 0x5bd1, position);
        let raw = (u128::from(high) << 64) | u128::from(low);
        let version = (raw & !(0xf << 76)) | (0x4 << 76);
        Self((version & !(0x3 << 62)) | (0x2 << 62))
    }

    /// Reads the hyphened form, any case.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|&at| bytes[at] != b'-') {
            return None;
        }
        let mut value = 0u128;
        for (at, &byte) in bytes.iter().enumerate() {
            if [8, 13, 18, 23].contains(&at) {
                continue;
            }
            value = (value << 4) | u128::from((byte as char).to_digit(16)?);
        }
        Some(Self(value))
    }

    /// Appends the hyphened lower-case form.
    pub fn write(self, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for nibble in 0..32 {
            if matches!(nibble, 8 | 12 | 16 | 20) {
                out.push(b'-');
            }
            out.push(DIGITS[((self.0 >> (124 - 4 * nibble)) & 0xf) as usize]);
        }
    }
}

impl std::fmt::Display for Guid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = Vec::with_capacity(36);
        self.write(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

const BASE62: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// An Okta id: a three-letter kind, then letters and digits, twenty characters in all.
pub fn okta_id(kind: &str, number: u64) -> String {
    let mut tail = [b'0'; 17];
    let mut rest = number;
    for place in tail[2..13].iter_mut().rev() {
        *place = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    tail[13..].copy_from_slice(b"S697");
    tail[..2].copy_from_slice(b"sm");
    format!("{kind}{}", String::from_utf8_lossy(&tail))
}

/// The number inside an Okta id of that kind, or nothing if this server cannot have made it.
pub fn okta_number(kind: &str, text: &str) -> Option<u64> {
    let body = text
        .strip_prefix(kind)?
        .strip_prefix("sm")?
        .strip_suffix("S697")?;
    if body.len() != 11 {
        return None;
    }
    body.bytes().try_fold(0u64, |sum, byte| {
        let digit = BASE62.iter().position(|&known| known == byte)? as u64;
        sum.checked_mul(62)?.checked_add(digit)
    })
}

fn scramble(bytes: &mut [u8]) {
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte ^= mix(0x726f_7374 ^ at as u64) as u8;
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let sum = bytes
        .iter()
        .fold(0x1234_5678u64, |sum, &byte| mix(sum ^ u64::from(byte)));
    (sum as u32).to_be_bytes()
}

/// Hides a value in a token that only `open` can read.
pub fn seal<T: serde::Serialize>(value: &T) -> String {
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    scramble(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a token made by `seal`; anything else gives nothing.
pub fn open<T: serde::de::DeserializeOwned>(token: &str) -> Option<T> {
    let mut bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    scramble(&mut bytes);
    let body = bytes.len().checked_sub(4)?;
    if checksum(&bytes[..body]) != bytes[body..] {
        return None;
    }
    serde_json::from_slice(&bytes[..body]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_read_back_what_they_write() {
        let guid = Guid::seeded(7, 1, 42);
        assert_eq!(Guid::parse(&guid.to_string()), Some(guid));
        assert_eq!(&guid.to_string()[14..15], "4");
        assert_eq!(Guid::parse("not-a-guid"), None);
    }

    #[test]
    fn okta_ids_have_twenty_characters_and_read_back() {
        for number in [0, 61, 62, u64::MAX] {
            let id = okta_id("00u", number);
            assert_eq!(id.len(), 20);
            assert_eq!(okta_number("00u", &id), Some(number));
        }
        assert_eq!(okta_number("00g", "00usm0000000000000"), None);
    }

    #[test]
    fn an_edited_token_is_refused() {
        let token = seal(&(1, "two"));
        assert_eq!(open::<(i32, String)>(&token), Some((1, "two".to_owned())));
        assert_eq!(open::<(i32, String)>(&token[1..]), None);
        assert_eq!(open::<(i32, String)>("AAAA"), None);
    }
}
