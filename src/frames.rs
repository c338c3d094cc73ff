//! Messages over a stream of bytes: a length in four bytes, then that many bytes of postcard.
//!
//! For two rosterds of one version that talk over a socket; nothing of it is kept anywhere.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message: 64 MiB, far above the largest row or transaction there is, and no harm
/// to memory if somebody sends one on purpose.
pub const LONGEST: usize = 64 * 1024 * 1024;

/// How much is read at a time: a length that was made up does not ask for memory.
const PART: usize = 1024 * 1024;

/// Writes one message.
pub fn write(out: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    bytes = postcard::to_extend(message, bytes).map_err(io::Error::other)?;
    let length = bytes.len() - 4;
    if length > LONGEST {
        return Err(too_long(length));
    }
    let prefix = u32::try_from(length).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&prefix.to_le_bytes());
    out.write_all(&bytes)
}

/// Reads one message; None where the other side has nothing more to say.
pub fn read<T: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<T>> {
    let mut prefix = [0; 4];
    let first = loop {
        match input.read(&mut prefix) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    input.read_exact(&mut prefix[first..])?;
    let length = u32::from_le_bytes(prefix) as usize;
    if length > LONGEST {
        return Err(too_long(length));
    }
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let begun = bytes.len();
        bytes.resize(length.min(begun + PART), 0);
        input.read_exact(&mut bytes[begun..])?;
    }
    postcard::from_bytes(&bytes)
        .map(Some)
        .map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, cause))
}

fn too_long(length: usize) -> io::Error {
    let text = format!("a message of {length} bytes is longer than the {LONGEST} allowed");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_and_then_an_end() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"one").unwrap();
        write(&mut bytes, &"two".repeat(1_000_000)).unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(read::<String>(&mut input).unwrap().unwrap(), "one");
        assert_eq!(
            read::<String>(&mut input).unwrap().unwrap().len(),
            3_000_000
        );
        assert_eq!(read::<String>(&mut input).unwrap(), None);
    }

    #[test]
    fn a_message_cut_short_or_too_long_is_an_error() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"one").unwrap();
        for cut in 1..bytes.len() {
            assert!(read::<String>(&mut &bytes[..cut]).is_err(), "{cut}");
        }
        let flood = [u32::MAX.to_le_bytes().to_vec(), vec![0; 100]].concat();
        assert!(read::<String>(&mut flood.as_slice()).is_err());
        let lie = [1_000_000_u32.to_le_bytes().to_vec(), vec![0; 100]].concat();
        assert!(read::<String>(&mut lie.as_slice()).is_err());
    }
}
