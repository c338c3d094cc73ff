//! How rows and keys are spelled in bytes.
//!
//! A row is one byte of version and a postcard body. The version belongs to the kind of row,
//! not to the store: it lets a reader say "this was written by a newer rosterd" instead of
//! reading nonsense. Postcard does not describe itself, so a body is only ever read as the
//! very type its version names.
//!
//! A key is a sequence of components whose bytes sort as the components do, so that the
//! common reads are ranges: all rows of a source are one prefix, and no source's prefix is the
//! beginning of another's.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a row: its version, then its body.
pub fn encode<T: Serialize + ?Sized>(version: u8, row: &T) -> Vec<u8> {
    postcard::to_extend(row, vec![version])
        .expect("a row is plain data: its sequences know their length and memory does not fail")
}

/// Reads a row of the newest version. `what` names the kind of row in errors: "user".
///
/// A kind of row that has had more than one version takes it apart with [`open`] instead.
pub fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
    newest_known: u8,
) -> Result<T, CodecError> {
    match open(bytes, what, newest_known)? {
        (version, body) if version == newest_known => decode_body(body, what),
        (found, _) => Err(CodecError::Older { what, found }),
    }
}

/// Takes a row apart into its version and its body, refusing a version that is too new.
pub fn open<'a>(
    bytes: &'a [u8],
    what: &'static str,
    newest_known: u8,
) -> Result<(u8, &'a [u8]), CodecError> {
    match bytes.split_first() {
        None => Err(CodecError::Damaged { what }),
        Some((found, _)) if *found > newest_known => Err(CodecError::Newer {
            what,
            found: *found,
            known: newest_known,
        }),
        Some((version, body)) => Ok((*version, body)),
    }
}

/// Reads a body, all of it, as exactly this type.
pub fn decode_body<T: DeserializeOwned>(body: &[u8], what: &'static str) -> Result<T, CodecError> {
    match postcard::take_from_bytes(body) {
        Ok((row, [])) => Ok(row),
        Ok(_) | Err(_) => Err(CodecError::Damaged { what }),
    }
}

/// Why a row or a key could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error(
        "a {what} row was written by a newer rosterd (version {found}, this one knows {known}); install that version again"
    )]
    Newer {
        what: &'static str,
        found: u8,
        known: u8,
    },
    #[error("a {what} row has version {found}, which this rosterd no longer reads")]
    Older { what: &'static str, found: u8 },
    #[error("a {what} row is damaged; restore a backup, or run a full sync")]
    Damaged { what: &'static str },
    #[error("a {what} key is damaged; restore a backup, or run a full sync")]
    DamagedKey { what: &'static str },
}

/// Ends a text. Below every byte a text is spelled with, so a text sorts before its longer
/// kin whatever component follows.
const END: u8 = 0;
/// Announces one of the two bytes that a text must not hold as they are. One byte to end a
/// text, at the price of two for these two, which no id of a real directory contains.
const ESCAPE: u8 = 1;

/// Spells a key, component by component.
///
/// Keys sort by their first component, then their second. Texts sort by their bytes, numbers
/// by size. What was written must be read back with the same kinds in the same order.
#[derive(Clone, Debug, Default)]
pub struct KeyWriter(Vec<u8>);

impl KeyWriter {
    pub fn new() -> KeyWriter {
        KeyWriter::default()
    }

    /// A whole text.
    #[must_use]
    pub fn text(self, text: &str) -> KeyWriter {
        let mut key = self.text_beginning(text);
        key.0.push(END);
        key
    }

    /// The beginning of a text: for a range over all that begin so. Comes last.
    #[must_use]
    pub fn text_beginning(mut self, text: &str) -> KeyWriter {
        self.0.reserve(text.len() + 1);
        for byte in text.bytes() {
            if byte <= ESCAPE {
                // 0 becomes 1 1, 1 becomes 1 2: in their old order, and above END.
                self.0.extend([ESCAPE, byte + 1]);
            } else {
                self.0.push(byte);
            }
        }
        self
    }

    #[must_use]
    pub fn byte(mut self, number: u8) -> KeyWriter {
        self.0.push(number);
        self
    }

    #[must_use]
    pub fn u32(mut self, number: u32) -> KeyWriter {
        self.0.extend(number.to_be_bytes());
        self
    }

    #[must_use]
    pub fn u64(mut self, number: u64) -> KeyWriter {
        self.0.extend(number.to_be_bytes());
        self
    }

    /// Bytes of a length that the reader knows: a digest.
    #[must_use]
    pub fn fixed<const N: usize>(mut self, bytes: &[u8; N]) -> KeyWriter {
        self.0.extend(bytes);
        self
    }

    /// The key, or the prefix, as far as it was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

impl From<KeyWriter> for Vec<u8> {
    fn from(key: KeyWriter) -> Vec<u8> {
        key.finish()
    }
}

/// Reads a key back, component by component.
#[derive(Clone, Debug)]
pub struct KeyReader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> KeyReader<'a> {
    /// `what` names the kind of key in errors: "user".
    pub fn new(key: &'a [u8], what: &'static str) -> KeyReader<'a> {
        KeyReader { rest: key, what }
    }

    pub fn text(&mut self) -> Result<String, CodecError> {
        let end = self.rest.iter().position(|byte| *byte == END);
        let end = end.ok_or_else(|| self.damaged())?;
        let mut spelled = self.rest[..end].iter();
        let mut bytes = Vec::with_capacity(end);
        while let Some(byte) = spelled.next() {
            bytes.push(match *byte {
                ESCAPE => match spelled.next() {
                    Some(escaped @ 1..=2) => escaped - 1,
                    _ => return Err(self.damaged()),
                },
                plain => plain,
            });
        }
        self.rest = &self.rest[end + 1..];
        String::from_utf8(bytes).map_err(|_| self.damaged())
    }

    pub fn byte(&mut self) -> Result<u8, CodecError> {
        self.fixed().map(|[byte]| byte)
    }

    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.fixed().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.fixed().map(u64::from_be_bytes)
    }

    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Says that the key ends here.
    pub fn end(self) -> Result<(), CodecError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.damaged())
        }
    }

    fn damaged(&self) -> CodecError {
        CodecError::DamagedKey { what: self.what }
    }
}

#[cfg(test)]
mod tests {
    use super::super::KeyRange;
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        tags: Vec<Option<u32>>,
    }

    fn row() -> Row {
        Row {
            name: "ada".into(),
            tags: vec![None, Some(7)],
        }
    }

    #[test]
    fn a_row_reads_back_as_it_was_written() {
        let bytes = encode(3, &row());
        assert_eq!(bytes[0], 3);
        assert_eq!(decode::<Row>(&bytes, "user", 3), Ok(row()));
    }

    #[test]
    fn a_newer_row_is_refused_by_name() {
        let error = decode::<Row>(&encode(4, &row()), "user", 3).unwrap_err();
        insta::assert_snapshot!(error, @"a user row was written by a newer rosterd (version 4, this one knows 3); install that version again");
    }

    #[test]
    fn an_older_row_is_never_read_as_the_new_type() {
        let bytes = encode(2, &row());
        let older = CodecError::Older {
            what: "user",
            found: 2,
        };
        assert_eq!(decode::<Row>(&bytes, "user", 3), Err(older));
        let (version, body) = open(&bytes, "user", 3).unwrap();
        assert_eq!((version, decode_body(body, "user")), (2, Ok(row())));
    }

    #[test]
    fn a_cut_or_padded_row_is_damaged() {
        let bytes = encode(1, &row());
        for length in 0..bytes.len() {
            let cut = decode::<Row>(&bytes[..length], "user", 1);
            assert_eq!(cut, Err(CodecError::Damaged { what: "user" }));
        }
        let padded = [bytes.as_slice(), &[0]].concat();
        let padded = decode::<Row>(&padded, "user", 1);
        assert_eq!(padded, Err(CodecError::Damaged { what: "user" }));
    }

    #[test]
    fn one_source_is_never_the_prefix_of_another() {
        let short = KeyRange::prefix(KeyWriter::new().text("okta"));
        let long = KeyWriter::new().text("okta2").text("ada").finish();
        assert!(!short.contains(&long));
        assert!(KeyRange::prefix(KeyWriter::new().text_beginning("okta")).contains(&long));
    }

    #[test]
    fn a_key_with_something_left_or_missing_is_damaged() {
        let damaged = Err(CodecError::DamagedKey { what: "user" });
        let key = KeyWriter::new().text("ada").u32(1).finish();
        let mut reader = KeyReader::new(&key[..key.len() - 1], "user");
        assert_eq!(reader.text().as_deref(), Ok("ada"));
        assert_eq!(reader.u32().map(drop), damaged);
        assert_eq!(reader.end(), damaged);
        for wrong in [b"ada".as_slice(), b"\x01\0", b"\x01\x07\0", b"\xff\0"] {
            assert_eq!(KeyReader::new(wrong, "user").text().map(drop), damaged);
        }
    }

    fn tricky_text() -> impl Strategy<Value = String> {
        prop_oneof!["[\\x00-\\x02a\\u{ff}]{0,4}", ".{0,8}"]
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_components_do_and_read_back(
            a in (tricky_text(), any::<u32>(), tricky_text(), any::<u64>()),
            b in (tricky_text(), any::<u32>(), tricky_text(), any::<u64>()),
        ) {
            let spell = |(first, number, second, big): &(String, u32, String, u64)| {
                KeyWriter::new().text(first).u32(*number).text(second).u64(*big).finish()
            };
            prop_assert_eq!(spell(&a).cmp(&spell(&b)), a.cmp(&b));
            let key = spell(&a);
            let mut reader = KeyReader::new(&key, "any");
            let read = (reader.text()?, reader.u32()?, reader.text()?, reader.u64()?);
            reader.end()?;
            prop_assert_eq!(read, a);
        }
    }
}
