//! Secrets: where they are kept, and reading them when they are needed.
//!
//! A setting holds a *reference* (a file, an environment variable, a credential of the
//! service manager) and is read at the moment of use, so a rotated secret needs no
//! restart. Both types print as `***` in every format; only [`SecretText::expose`] gives
//! the text away, and its callers are easy to find.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

/// What stands in the place of a secret, everywhere.
pub const MASK: &str = "***";

/// A secret of the settings: which key it belongs to and where its text is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The settings key, dotted, for messages.
    pub key: String,
    keeper: Keeper,
}

/// Where the text of a secret is kept.
#[derive(Clone, PartialEq, Eq)]
enum Keeper {
    File(PathBuf),
    Env(String),
    Credential(String),
    Literal(String),
}

/// The text of a secret, read.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

/// Why a secret could not be read. The text names the key and what to do, never the
/// secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file of a secret could not be read.
    #[error(
        "could not read the secret of '{key}' from {}: {cause}; create the file, readable by the user rosterd runs as", path.display()
    )]
    File {
        key: String,
        path: PathBuf,
        cause: std::io::Error,
    },
    /// The environment variable of a secret is not set.
    #[error(
        "the secret of '{key}' should be in the environment variable {variable}, which is not set: set it where rosterd is started"
    )]
    Env { key: String, variable: String },
    /// The service manager handed over no credentials at all.
    #[error(
        "the secret of '{key}' should be the credential '{name}', but CREDENTIALS_DIRECTORY is not set: start rosterd as a service with LoadCredential={name}:PATH"
    )]
    NoCredentials { key: String, name: String },
    /// There is something, but it holds no text.
    #[error("the secret of '{key}' is empty in {place}: put the secret there")]
    Empty { key: String, place: String },
}

impl Secret {
    /// A secret kept in a file.
    pub fn in_file(key: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            key: key.into(),
            keeper: Keeper::File(path.into()),
        }
    }

    /// A secret kept in an environment variable.
    pub fn in_env(key: impl Into<String>, variable: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            keeper: Keeper::Env(variable.into()),
        }
    }

    /// A secret the service manager hands over under `name`.
    pub fn in_credential(key: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            keeper: Keeper::Credential(name.into()),
        }
    }

    /// A secret written out in the settings.
    pub fn literal(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            keeper: Keeper::Literal(text.into()),
        }
    }

    /// Where the text is kept, in words that give nothing away.
    pub fn kept_in(&self) -> String {
        match &self.keeper {
            Keeper::File(path) => format!("the file {}", path.display()),
            Keeper::Env(variable) => format!("the environment variable {variable}"),
            Keeper::Credential(name) => format!("the credential {name}"),
            Keeper::Literal(_) => "the settings".to_owned(),
        }
    }

    /// This reads the text, without one newline at its end.
    ///
    /// It is read anew at every call. Nothing is kept.
    pub fn read(&self) -> Result<SecretText, SecretError> {
        let key = || self.key.clone();
        let text = match &self.keeper {
            Keeper::File(path) => self.read_file(path)?,
            Keeper::Env(variable) => std::env::var(variable).map_err(|_| SecretError::Env {
                key: key(),
                variable: variable.clone(),
            })?,
            Keeper::Credential(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
                Some(directory) => self.read_file(&Path::new(&directory).join(name))?,
                None => {
                    return Err(SecretError::NoCredentials {
                        key: key(),
                        name: name.clone(),
                    });
                }
            },
            Keeper::Literal(text) => text.clone(),
        };
        let text = text.strip_suffix('\n').map(str::to_owned).unwrap_or(text);
        let text = text.strip_suffix('\r').map(str::to_owned).unwrap_or(text);
        if text.is_empty() {
            return Err(SecretError::Empty {
                key: key(),
                place: self.kept_in(),
            });
        }
        Ok(SecretText(text))
    }

    fn read_file(&self, path: &Path) -> Result<String, SecretError> {
        std::fs::read_to_string(path).map_err(|cause| SecretError::File {
            key: self.key.clone(),
            path: path.to_owned(),
            cause,
        })
    }
}

impl SecretText {
    /// The text itself. Never print, log or store what this returns.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

macro_rules! masked {
    ($type:ident) => {
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(MASK)
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(MASK)
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(MASK)
            }
        }
    };
}
masked!(Secret);
masked!(SecretText);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_stars_in_every_format() {
        let secret = Secret::literal("server.admin_token", "hunter2");
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "*** *** ***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        let text = secret.read().unwrap();
        assert_eq!(format!("{text} {text:?}"), "*** ***");
        assert_eq!(serde_json::to_string(&text).unwrap(), "\"***\"");
        assert_eq!(text.expose(), "hunter2");
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_the_secret() {
        let directory = tempfile::tempdir().unwrap();
        for (kept, meant) in [
            ("s3\n", "s3"),
            ("s3\r\n", "s3"),
            ("s3", "s3"),
            ("s3\n\n", "s3\n"),
        ] {
            let path = directory.path().join("token");
            std::fs::write(&path, kept).unwrap();
            assert_eq!(Secret::in_file("k", &path).read().unwrap().expose(), meant);
        }
    }

    #[test]
    fn a_missing_file_is_one_line_with_key_path_and_remedy() {
        let error = Secret::in_file("sources.okta.api_token", "/nowhere/token")
            .read()
            .unwrap_err();
        let text = error.to_string();
        assert!(!text.contains('\n'));
        assert!(text.starts_with(
            "could not read the secret of 'sources.okta.api_token' from /nowhere/token: No such file"
        ));
        assert!(text.ends_with("readable by the user rosterd runs as"));
    }

    #[test]
    fn an_unset_variable_and_an_empty_secret_are_told_apart() {
        let unset = Secret::in_env("k", "ROSTERD_TEST_SURELY_UNSET")
            .read()
            .unwrap_err();
        assert!(matches!(unset, SecretError::Env { .. }));
        let empty = Secret::literal("k", "\n").read().unwrap_err();
        assert!(matches!(empty, SecretError::Empty { .. }));
    }
}
