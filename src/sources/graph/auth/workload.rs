//! Workload identity: a token of another issuer, which the platform keeps fresh in a file.

use std::path::PathBuf;

use url::Url;

use super::App;
use crate::http::HttpError;

pub struct Workload {
    file: PathBuf,
}

/// What the platform's webhook puts into the environment.
pub struct Platform {
    client_id: Option<String>,
    tenant: Option<String>,
    authority: Option<Url>,
}

impl Workload {
    pub fn open(file: Option<PathBuf>) -> Result<(Workload, Platform), HttpError> {
        let file = file
            .or_else(|| variable("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from))
            .ok_or_else(|| {
                HttpError::Setup(
                    "workload identity needs AZURE_FEDERATED_TOKEN_FILE: is the pod labelled for it?"
                        .into(),
                )
            })?;
        let platform = Platform {
            client_id: variable("AZURE_CLIENT_ID"),
            tenant: variable("AZURE_TENANT_ID"),
            authority: variable("AZURE_AUTHORITY_HOST").and_then(|url| Url::parse(&url).ok()),
        };
        Ok((Workload { file }, platform))
    }

    /// Read anew every time: the platform replaces it.
    pub fn assertion(&self) -> Result<String, HttpError> {
        let text = std::fs::read_to_string(&self.file).map_err(|error| {
            HttpError::Setup(format!(
                "cannot read the workload token {}: {error}",
                self.file.display()
            ))
        })?;
        match text.trim() {
            "" => Err(HttpError::Setup(format!(
                "the workload token {} is empty",
                self.file.display()
            ))),
            token => Ok(token.to_owned()),
        }
    }
}

impl Platform {
    /// Fills in what the settings leave open; what they say goes first.
    pub fn complete(self, app: &mut App, authority: bool) {
        if app.client_id.is_empty() {
            app.client_id = self.client_id.unwrap_or_default();
        }
        if app.tenant.is_empty() {
            app.tenant = self.tenant.unwrap_or_default();
        }
        if let (true, Some(url)) = (authority, self.authority) {
            app.token_url = url;
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
