//! Every way to sign in, from the settings file to a complete sync.

use serde_json::json;

use crate::settings::{Portal, Settings, Source};
use crate::world::World;

fn world(source: Source) -> World {
    let mut portal = Portal::new("store", "remove").named("store");
    portal.sources = vec![source.name];
    World::small(Settings::new(vec![source], vec![portal]))
}

/// A file beside the settings.
fn put(world: &World, name: &str, text: &str) -> String {
    let file = world.home.path().join(name);
    std::fs::write(&file, text).expect("a file");
    file.to_str().expect("a path in UTF-8").to_owned()
}

/// The check passes, a sync brings people, and nothing more is to be done.
fn works(world: &World, environment: &[(&str, &str)]) {
    for arguments in [&["check"][..], &["sync"], &["plan", "--detailed-exitcode"]] {
        let mut command = world.command(arguments);
        command.envs(environment.iter().copied());
        let said = command.output().expect("rosterd starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            said.status.code(),
            Some(0),
            "{}{}",
            text(&said.stdout),
            text(&said.stderr)
        );
        for secret in ["PRIVATE KEY", "cluster.token", "identity-key"] {
            assert!(!text(&said.stderr).contains(secret) && !text(&said.stdout).contains(secret));
        }
    }
    assert_ne!(world.accounts("store"), json!([]));
}

/// The certificate was made for these tests and opens nothing else.
#[test]
fn graph_with_a_certificate() {
    let mut world = world(Source::entra());
    let pem = include_str!("../graph_source/graph-test.pem");
    let cert = put(&world, "app.pem", pem);
    let key = put(
        &world,
        "app.key",
        include_str!("../graph_source/graph-test.key"),
    );
    let lines = format!("certificate = {{ file = {cert:?}, key = {key:?} }}");
    world.settings.sources[0].sign_in = Some(lines);
    world.rewrite();
    world.control(
        "POST",
        "graph/credentials",
        json!({"certificates": [{"pem": pem}]}),
    );
    works(&world, &[]);
}

#[test]
fn graph_with_a_managed_identity() {
    let world = world(Source::entra().signs_in("identity = \"managed\""));
    let endpoint = format!("{}/metadata/identity/oauth2/token", world.sim.base_url());
    let service = [
        ("IDENTITY_ENDPOINT", endpoint.as_str()),
        ("IDENTITY_HEADER", "identity-key"),
    ];
    works(&world, &service);
}

#[test]
fn graph_with_a_workload_identity() {
    let world = world(Source::entra().signs_in("identity = \"workload\""));
    let token = put(&world, "token", "cluster.token\n");
    world.control(
        "POST",
        "graph/credentials",
        json!({"federated_tokens": ["cluster.token"]}),
    );
    works(&world, &[("AZURE_FEDERATED_TOKEN_FILE", &token)]);
}

#[test]
fn okta_with_a_service_app() {
    let mut world = world(Source::okta());
    let key = put(
        &world,
        "okta.key",
        include_str!("../../src/sources/okta/testdata/rsa.pem"),
    );
    let lines = format!(
        "client_id = \"0oasimservice\"\nprivate_key = {{ file = {key:?} }}\nkey_id = \"k1\""
    );
    world.settings.sources[0].sign_in = Some(lines);
    world.rewrite();
    let public = include_str!("../../src/sources/okta/testdata/rsa.pub.pem");
    world.control(
        "POST",
        "okta/credentials",
        json!({"keys": [{"kid": "k1", "pem": public}]}),
    );
    works(&world, &[]);
}
