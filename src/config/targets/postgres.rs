//! `[targets.NAME]` of kind `postgres`: tables in the application's database.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::duration;
use crate::config::secret::Secret;
use crate::config::section::Section;

/// The longest name that PostgreSQL does not cut off.
const LONGEST_NAME: usize = 63;

/// The settings only a postgres target has.
#[derive(Clone, Debug, PartialEq)]
pub struct Postgres {
    /// The connection string.
    pub url: Secret,
    /// Schema of the tables. Default: `rosterd`.
    pub schema: String,
    /// A role that is let read the tables. Default: none.
    pub reader_role: Option<String>,
    /// How long what is gone is kept. Default: for ever.
    pub purge_after: Option<Duration>,
    /// Authorities to trust in place of the public ones, PEM. Default: none.
    pub ca_file: Option<PathBuf>,
    /// How long connecting, or one transaction, may take. Default: 30 s.
    pub timeout: Duration,
}

impl Postgres {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let url = section.secret("url");
        let schema = name(section, "schema");
        let reader_role = name(section, "reader_role");
        let timeout = longer_than_nothing(section, "timeout");
        let purge_after = longer_than_nothing(section, "purge_after");
        Some(Self {
            url: url?,
            schema: schema?,
            reader_role,
            purge_after,
            ca_file: section.path("ca_file"),
            timeout: timeout?,
        })
    }
}

/// The name of a schema or a role, as the database keeps it.
fn name(section: &mut Section, key: &str) -> Option<String> {
    let name = section.text(key)?;
    // Names that begin so are the database's own.
    let reserved = name.starts_with("pg_") || name == "information_schema";
    if name.len() > LONGEST_NAME || name.contains('\0') || (key == "schema" && reserved) {
        let message = format!(
            "'{}' must be a name that PostgreSQL leaves to others, of at most {LONGEST_NAME} bytes",
            section.key(key)
        );
        section.refuse(key, message);
        return None;
    }
    Some(name)
}

fn longer_than_nothing(section: &mut Section, key: &str) -> Option<Duration> {
    let length = section.read(key, duration::parse)?;
    if length.is_zero() {
        let message = format!("'{}' must be longer than nothing", section.key(key));
        section.refuse(key, message);
        return None;
    }
    Some(length)
}
