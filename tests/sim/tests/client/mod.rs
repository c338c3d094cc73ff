//! A small client for the tests here.

#![allow(dead_code, reason = "each test file uses its own part")]

use reqwest::header::HeaderMap;
use rosterd_sim::{OKTA_TOKEN, Sim, SimHandle, SimOptions};
use serde_json::Value;

/// A server and a client with a token of each vendor.
pub struct World {
    pub sim: SimHandle,
    pub http: reqwest::Client,
    pub token: String,
}

/// An answer taken apart.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl World {
    pub async fn start(options: SimOptions) -> Self {
        let sim = Sim::start(options).expect("the server starts");
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let form = "grant_type=client_credentials&client_id=sim-client&client_secret=sim-secret\
                    &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default";
        let body: Value = http
            .post(sim.token_url())
            .body(form)
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        let token = body["access_token"].as_str().expect("a token").to_owned();
        Self { sim, http, token }
    }

    /// A Graph request by path below the version, or by a whole link.
    pub async fn graph(&self, path: &str) -> Got {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.sim.graph_url())
        };
        let request = self.http.get(url).bearer_auth(&self.token);
        take(request.header("ConsistencyLevel", "eventual")).await
    }

    pub async fn graph_post(&self, path: &str, body: Value) -> Got {
        let url = format!("{}{path}", self.sim.graph_url());
        take(self.http.post(url).bearer_auth(&self.token).json(&body)).await
    }

    /// An Okta request by path below the version, or by a whole link.
    pub async fn okta(&self, path: &str) -> Got {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/api/v1{path}", self.sim.base_url())
        };
        take(
            self.http
                .get(url)
                .header("Authorization", format!("SSWS {OKTA_TOKEN}")),
        )
        .await
    }

    /// All items of a Graph listing or round, and the delta link, if there is one.
    pub async fn walk(&self, path: &str) -> (Vec<Value>, Option<String>) {
        let mut items = Vec::new();
        let mut next = path.to_owned();
        for _ in 0..10_000 {
            let got = self.graph(&next).await;
            assert_eq!(got.status, 200, "{next}: {}", got.body);
            items.extend(
                got.body["value"]
                    .as_array()
                    .expect("a collection")
                    .iter()
                    .cloned(),
            );
            match got.body["@odata.nextLink"].as_str() {
                Some(link) => next = link.to_owned(),
                None => {
                    let delta = got.body["@odata.deltaLink"].as_str().map(str::to_owned);
                    return (items, delta);
                }
            }
        }
        panic!("the listing never ends");
    }

    /// All items of an Okta listing.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let got = self.okta(&path).await;
            assert_eq!(got.status, 200, "{path}: {}", got.body);
            items.extend(got.body.as_array().expect("an array").iter().cloned());
            next = link(&got, "next");
        }
        items
    }
}

/// The link of a relation among several `Link` header lines.
pub fn link(got: &Got, relation: &str) -> Option<String> {
    got.headers.get_all("link").iter().find_map(|line| {
        let (target, rest) = line.to_str().ok()?.split_once('>')?;
        rest.contains(&format!("rel=\"{relation}\""))
            .then(|| target.trim_start_matches('<').to_owned())
    })
}

async fn take(request: reqwest::RequestBuilder) -> Got {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = response.text().await.expect("a body");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Got {
        status,
        headers,
        body,
    }
}

/// The ids of a list of objects, sorted.
pub fn ids(items: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = items
        .iter()
        .filter_map(|item| item["id"].as_str().map(str::to_owned))
        .collect();
    ids.sort_unstable();
    ids
}
