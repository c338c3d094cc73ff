//! The simulator as a process of its own, and its control.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use serde_json::{Value, json};

use crate::Vendor;

/// What a tenant holds.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub users: u64,
    pub groups: u64,
    pub memberships: u64,
}

/// A running simulator; it ends with this value.
pub struct Simulator {
    process: Child,
    http: reqwest::Client,
    addresses: Value,
}

impl Simulator {
    pub fn start(bin: &Path, vendor: Vendor, size: Size) -> anyhow::Result<Simulator> {
        let Size {
            users,
            groups,
            memberships,
        } = size;
        let program = bin.join("rosterd-sim");
        let mut command = Command::new(&program);
        let mut flag = |name: &str, number: u64| {
            command.arg(name).arg(number.to_string());
        };
        // The other vendor's tenant is as small as it can be.
        match vendor {
            Vendor::Graph => {
                flag("--users", users);
                flag("--groups", groups);
                flag("--memberships", memberships);
                flag("--okta-users", 20);
            }
            Vendor::Okta => {
                flag("--users", 20);
                flag("--okta-users", users);
                flag("--okta-groups", groups);
                flag("--okta-memberships", memberships);
            }
        }
        // Pages are made once and kept, so that its own work is not what is measured.
        flag("--cache-mb", 1_024);
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let mut line = String::new();
        let out = process.stdout.take().context("the simulator's output")?;
        BufReader::new(out).read_line(&mut line)?;
        let addresses = serde_json::from_str(&line).context("the simulator's addresses")?;
        Ok(Simulator {
            process,
            http: reqwest::Client::new(),
            addresses,
        })
    }

    /// One of the addresses and names that the simulator prints.
    pub fn address(&self, name: &str) -> &str {
        self.addresses[name].as_str().unwrap_or_default()
    }

    /// Calls the control, or with `path` elsewhere the API itself.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.address("base"));
        let mut request = self.http.request(method.parse()?, url);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        anyhow::ensure!(
            status.is_success(),
            "the simulator answers {status} to {method} {path}: {}",
            String::from_utf8_lossy(&bytes)
        );
        match bytes.is_empty() {
            true => Ok(Value::Null),
            false => Ok(serde_json::from_slice(&bytes)?),
        }
    }

    pub async fn latency(&self, ms: u64) -> anyhow::Result<()> {
        let settings = json!({ "latency_ms": ms });
        self.call("POST", "/sim/settings", settings).await.map(drop)
    }

    /// What a list of the API gives on its first page.
    pub async fn list(&self, vendor: Vendor, path: &str) -> anyhow::Result<Vec<Value>> {
        let (url, authorization) = match vendor {
            Vendor::Graph => {
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_id", self.address("client_id")),
                    ("client_secret", self.address("client_secret")),
                    ("scope", "https://graph.microsoft.com/.default"),
                ];
                let answer = self.http.post(self.address("token")).form(&form).send();
                let token: Value = answer.await?.json().await?;
                let token = token["access_token"].as_str().unwrap_or_default();
                (
                    format!("{}{path}", self.address("graph")),
                    format!("Bearer {token}"),
                )
            }
            Vendor::Okta => (
                format!("{}{path}", self.address("okta_api")),
                format!("SSWS {}", self.address("okta_token")),
            ),
        };
        let request = self.http.get(url).header("authorization", authorization);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        let list = answer.get("value").unwrap_or(&answer);
        Ok(list.as_array().cloned().unwrap_or_default())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
