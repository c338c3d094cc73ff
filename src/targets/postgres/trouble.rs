//! What can go wrong with a database, and whose fault it is.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;
use crate::targets::TargetError;

pub enum Trouble {
    /// Something in what was written: without it the rest can be.
    Row(String),
    /// Nothing can be asked now, or told.
    Away(String),
    Store(StoreError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        let text = describe(&error);
        match error.code() {
            Some(code) if is_of_a_row(code) => Trouble::Row(text),
            _ => Trouble::Away(text),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

impl From<Trouble> for TargetError {
    fn from(trouble: Trouble) -> TargetError {
        match trouble {
            Trouble::Row(text) => TargetError::Refused(text),
            Trouble::Away(text) => TargetError::Away(text),
            Trouble::Store(error) => TargetError::Store(error),
        }
    }
}

/// Whether other values would have been taken: a value that does not fit (22), a constraint
/// (23), what a trigger says (P0, 09, 38), a view's check (44), a row too large (54).
fn is_of_a_row(code: &SqlState) -> bool {
    let class = &code.code()[..2];
    matches!(class, "22" | "23" | "P0" | "09" | "38" | "44" | "54")
}

/// The error in one line. What the server adds as its detail is left out: it repeats values,
/// and those are people's.
pub fn describe(error: &Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            let constraint = db.constraint();
            let constraint = constraint.map(|name| format!(" (constraint {name})"));
            let constraint = constraint.filter(|_| !db.message().contains("constraint"));
            let text = format!("{}{}", db.message(), constraint.unwrap_or_default());
            text.replace('\n', " ")
        }
        None => {
            // The driver's own text says only what it was doing.
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            text.replace('\n', " ")
        }
    }
}
