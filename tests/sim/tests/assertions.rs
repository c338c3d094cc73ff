//! Signed assertions instead of secrets, and hooks that are called back.
//!
//! The keys beside this file open nothing but the pretend tenants.

mod client;

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::World;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rosterd_sim::SimOptions;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const CERTIFICATE: &str = include_str!("keys/entra-cert.pem");
const ENTRA_KEY: &str = include_str!("keys/entra-key.pem");
const OKTA_PUBLIC: &str = include_str!("keys/okta-public.pem");
const OKTA_KEY: &str = include_str!("keys/okta-key.pem");
const JWT_BEARER: &str = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

async fn post(world: &World, url: &str, form: String) -> (u16, Value) {
    let got = world
        .http
        .post(url)
        .body(form)
        .send()
        .await
        .expect("an answer");
    (got.status().as_u16(), got.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_registered_certificate_opens_graph() {
    let world = World::start(SimOptions::default()).await;
    let url = world.sim.token_url();
    let thumbprint = pem::parse(CERTIFICATE).expect("a certificate");
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(thumbprint.contents()));
    let form = |algorithm, thumbprint: &str, aud: &str| {
        let mut header = Header::new(algorithm);
        header.x5t_s256 = Some(thumbprint.to_owned());
        let claims = json!({"aud": aud, "iss": "sim-client", "sub": "sim-client",
                            "jti": "one", "nbf": now() - 30, "exp": now() + 300});
        let key = EncodingKey::from_rsa_pem(ENTRA_KEY.as_bytes()).expect("a key");
        let assertion = jsonwebtoken::encode(&header, &claims, &key).expect("signed");
        format!(
            "grant_type=client_credentials&client_id=sim-client&scope=x%2F.default\
             &client_assertion_type={JWT_BEARER}&client_assertion={assertion}"
        )
    };
    let (_, body) = post(&world, &url, form(Algorithm::PS256, &thumbprint, &url)).await;
    assert_eq!(body["error_codes"][0], 700_027, "not registered yet");
    let registered = json!({"certificates": [{"pem": CERTIFICATE}]});
    world
        .sim
        .control("POST", "/sim/graph/credentials", registered)
        .expect("known");
    for algorithm in [Algorithm::PS256, Algorithm::RS256] {
        let (status, body) = post(&world, &url, form(algorithm, &thumbprint, &url)).await;
        assert_eq!(status, 200, "{body}");
    }
    let (_, body) = post(&world, &url, form(Algorithm::PS256, "another", &url)).await;
    assert_eq!(body["error_codes"][0], 700_027);
    let (_, body) = post(
        &world,
        &url,
        form(Algorithm::PS256, &thumbprint, "elsewhere"),
    )
    .await;
    assert_eq!(body["error"], "invalid_client");
}

#[tokio::test]
async fn a_registered_key_opens_okta_for_its_scopes() {
    let world = World::start(SimOptions::default()).await;
    let url = format!("{}/oauth2/v1/token", world.sim.base_url());
    let keys = json!({"keys": [{"pem": OKTA_PUBLIC, "kid": "k1"}]});
    world
        .sim
        .control("POST", "/sim/okta/credentials", keys)
        .expect("known");
    let form = |jti: &str, scope: &str| {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("k1".to_owned());
        let claims = json!({"aud": url, "iss": "0oasimservice", "sub": "0oasimservice",
                            "jti": jti, "exp": now() + 300});
        let key = EncodingKey::from_ec_pem(OKTA_KEY.as_bytes()).expect("a key");
        let assertion = jsonwebtoken::encode(&header, &claims, &key).expect("signed");
        format!(
            "grant_type=client_credentials&scope={scope}&client_assertion_type={JWT_BEARER}\
             &client_assertion={assertion}"
        )
    };
    let (status, body) = post(&world, &url, form("a", "okta.users.read")).await;
    assert_eq!(status, 200, "{body}");
    let token = body["access_token"].as_str().expect("a token");
    let ask = async |path: &str| {
        let url = format!("{}/api/v1{path}", world.sim.base_url());
        let got = world
            .http
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .expect("an answer");
        got.status().as_u16()
    };
    assert_eq!((ask("/users").await, ask("/groups").await), (200, 403));
    let (status, _) = post(&world, &url, form("a", "okta.users.read")).await;
    assert_eq!(status, 401, "an assertion is good once");
    let (_, body) = post(&world, &url, form("b", "okta.everything")).await;
    assert_eq!(body["error"], "invalid_scope");
}

/// A hook that repeats validation tokens and hands over the bodies it was sent.
fn hook() -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!(
        "http://{}/hook?key=1",
        listener.local_addr().expect("bound")
    );
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut text = String::new();
            let mut buffer = [0; 8192];
            loop {
                let read = stream.read(&mut buffer).unwrap_or(0);
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                let length = text
                    .split("Content-Length: ")
                    .nth(1)
                    .and_then(|rest| rest.split('\r').next()?.parse::<usize>().ok());
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
                if read == 0 || (body.is_some() && body >= length) {
                    break;
                }
            }
            let target = text.split(' ').nth(1).unwrap_or_default();
            let query = target.split_once('?').map_or("", |(_, query)| query);
            let token = url::form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == "validationToken")
                .map_or_else(String::new, |(_, value)| value.into_owned());
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
                token.len()
            );
            let _ = stream.write_all(format!("{head}{token}").as_bytes());
            if token.is_empty() {
                let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                let _ = sender.send(body.to_owned());
            }
        }
    });
    (url, receiver)
}

#[tokio::test]
async fn a_subscriber_hears_of_changes() {
    let world = World::start(SimOptions::default()).await;
    let (url, heard) = hook();
    let mut wish = json!({"changeType": "updated,deleted", "notificationUrl": url,
        "resource": "/users", "clientState": "mine", "expirationDateTime": "2999-01-01T00:00:00Z"});
    assert_eq!(
        world
            .graph_post("/subscriptions", wish.clone())
            .await
            .status,
        400,
        "too long"
    );
    wish["expirationDateTime"] = date((now() + 20 * 86_400) / 86_400).into();
    let made = world.graph_post("/subscriptions", wish.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = world.sim.graph_truth()["users"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    world
        .sim
        .patch_user(&id, json!({"city": "Bergen"}))
        .expect("known");
    let body = heard
        .recv_timeout(std::time::Duration::from_secs(5))
        .expect("word");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let item = &body["value"][0];
    assert_eq!(
        [
            &item["subscriptionId"],
            &item["clientState"],
            &item["changeType"],
            &item["resourceData"]["id"]
        ],
        [
            &made.body["id"],
            &json!("mine"),
            &json!("updated"),
            &json!(id)
        ]
    );
    wish["notificationUrl"] = "http://127.0.0.1:9/nobody".into();
    assert_eq!(
        world.graph_post("/subscriptions", wish).await.status,
        400,
        "no handshake"
    );
}

/// The date of a day counted from 1970.
fn date(mut days: u64) -> String {
    let mut year = 1970;
    loop {
        let length = if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) {
            366
        } else {
            365
        };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = [
        31,
        if leap { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    format!("{year:04}-{:02}-{:02}T00:00:00Z", month + 1, days + 1)
}
