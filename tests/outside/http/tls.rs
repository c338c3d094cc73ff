//! HTTPS, and what a reload exchanges.

use std::path::Path;

use reqwest::tls::TlsInfo;

use super::world;
use crate::served::{Served, TOKEN, client};

/// Writes a certificate of its own, and its key.
fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("one");
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("it can be written");
    let key = made.signing_key.serialize_pem();
    std::fs::write(folder.join("key.pem"), key).expect("it can be written");
}

/// The certificate that a new connection is shown.
fn shown(served: &Served) -> Vec<u8> {
    served.block_on(async {
        // Its own: a connection that is open already shows the old one.
        let client = client();
        let asked = client.get(format!("{}/healthz", served.base)).send().await;
        let answer = asked.expect("an answer");
        assert_eq!(answer.status(), 200);
        let info = answer.extensions().get::<TlsInfo>().expect("it is TLS");
        info.peer_certificate().expect("it shows one").to_vec()
    })
}

#[test]
fn a_reload_exchanges_certificate_and_token_and_keeps_them_where_the_new_are_no_good() {
    let world = world();
    let folder = world.home.path();
    certificate(folder);
    let token = folder.join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).expect("it can be written");
    let place = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let served = Served::with(
        &world,
        &format!(
            "admin_token = {{ file = \"{}\" }}\ntls = {{ cert = \"{}\", key = \"{}\" }}",
            place("token"),
            place("cert.pem"),
            place("key.pem"),
        ),
    );
    assert!(served.base.starts_with("https://"));
    let first = shown(&served);
    served.get("/api/v1/status").is(200);

    certificate(folder);
    std::fs::write(&token, "another-token").expect("it can be written");
    served.service.signal("HUP");
    let second = served.wait_for("the other certificate", |served| {
        let found = shown(served);
        (found != first).then_some(found)
    });
    let ask = |token| served.send(served.request("GET", "/api/v1/status").bearer_auth(token));
    ask(TOKEN).problem(401);
    ask("another-token").is(200);

    std::fs::write(folder.join("cert.pem"), "no certificate").expect("it can be written");
    std::fs::write(&token, TOKEN).expect("it can be written");
    served.service.signal("HUP");
    served.wait_for("the complaint", |served| {
        served.service.log().contains("it holds none").then_some(())
    });
    assert_eq!(shown(&served), second, "the old one stays");
    ask("another-token").is(200);
    ask(TOKEN).problem(401);
}
