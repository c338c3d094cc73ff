//! What sled and the system say went wrong, in our words.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::EngineError;

/// An error while opening: the one moment at which sled tells that the store is taken.
pub(super) fn open_error(place: &str, cause: ::sled::Error) -> EngineError {
    match cause {
        // sled has no kind for this, only a text; the test for a second opener watches it.
        ::sled::Error::Io(cause) if cause.to_string().contains("could not acquire lock") => {
            EngineError::InUse {
                place: place.to_owned(),
            }
        }
        cause => engine_error("open", place, cause),
    }
}

pub(super) fn engine_error(doing: &'static str, place: &str, cause: ::sled::Error) -> EngineError {
    let damaged = |why: String| EngineError::Damaged {
        place: place.to_owned(),
        why,
    };
    match cause {
        ::sled::Error::Io(cause) => io_error(doing, place, cause),
        ::sled::Error::Corruption { at: Some(at), .. } => {
            damaged(format!("a checksum does not match at {at:?}"))
        }
        ::sled::Error::Corruption { at: None, .. } => damaged("a checksum does not match".into()),
        ::sled::Error::Unsupported(why) | ::sled::Error::ReportableBug(why) => {
            damaged(one_line(&why))
        }
        ::sled::Error::CollectionNotFound(_) => damaged("a tree is missing".into()),
    }
}

pub(super) fn io_error(doing: &'static str, place: &str, cause: io::Error) -> EngineError {
    let place = place.to_owned();
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            EngineError::DiskFull { place, cause }
        }
        _ => EngineError::Io {
            doing,
            place,
            cause,
        },
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("opening it panicked");
    one_line(text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Nothing is shared with what is done: what it leaves behind when it panics is dropped.
pub(super) fn panic_is_damage<T>(
    place: &str,
    open: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|panic| {
        Err(EngineError::Damaged {
            place: place.to_owned(),
            why: message_of(panic.as_ref()),
        })
    })
}
