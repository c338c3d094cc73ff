//! Portals that live in service providers that others wrote: SCIMMY and SAML Jackson on Node.js,
//! scim2-server on Python, all got ready by `make test`.
//!
//! Each has a twin on the local target with the same rules. After a random history the provider's
//! own API shows what the twin holds, and another run writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::chance::{Chance, times};
use crate::history::Life;
use crate::settings::{Settings, Source};
use crate::world::{World, text};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const TOKEN: &str = "a-token-of-the-peer";

/// A provider that runs; it ends with this value.
struct Peer {
    process: Child,
    base: String,
    token: String,
    /// Where it tells what it keeps past SCIM, if its lists over SCIM are not whole.
    kept: Option<String>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Peer {
    /// A script of `tests/peers`, which says where it listens and maybe with which token.
    fn on_node(script: &str) -> Peer {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        assert!(
            place.join("node_modules").exists(),
            "tests/setup-peers.sh (or `make setup`) gets the providers ready"
        );
        let mut process = Command::new("node")
            .arg(place.join(script))
            .arg(TOKEN)
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let line = loop {
            let line = lines.next().expect("it says where it listens");
            let line = line.expect("its output is text");
            if let Some(rest) = line.strip_prefix("listening on ") {
                break rest.to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let (base, token) = line.split_once(" with ").unwrap_or((&line, TOKEN));
        let kept = base
            .find("/api/")
            .map(|end| format!("{}/kept", &base[..end]));
        Peer {
            process,
            token: token.to_owned(),
            kept,
            base: base.to_owned(),
        }
    }

    fn scim2_server() -> Peer {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/scim-venv/bin");
        let program: PathBuf = program.join("scim2-server");
        assert!(
            program.exists(),
            "tests/setup-scim.sh (or `make setup`) gets {} ready",
            program.display()
        );
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = port.local_addr().expect("an address");
        drop(port);
        let process = Command::new(program)
            .args(["--port", &address.port().to_string()])
            .args(["--bearer-token", TOKEN])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let peer = Peer {
            process,
            base: format!("http://{address}"),
            token: TOKEN.to_owned(),
            kept: None,
        };
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(began.elapsed().as_secs() < 60, "scim2-server listens");
            std::thread::yield_now();
        }
        peer
    }

    fn get(&self, url: &str) -> Value {
        let request = async {
            let answer = reqwest::Client::new().get(url).bearer_auth(&self.token);
            let answer = answer.send().await.expect("it answers");
            assert!(answer.status().is_success(), "{url}: {}", answer.status());
            answer.json::<Value>().await.expect("JSON")
        };
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        runtime.block_on(request)
    }

    /// Everything of a kind, page by page.
    fn all(&self, kind: &str) -> Vec<Value> {
        if let Some(kept) = &self.kept {
            let kept = self.get(kept);
            let rows = kept[kind.to_lowercase()]
                .as_array()
                .expect("a list")
                .clone();
            return rows
                .into_iter()
                .map(|mut row| {
                    let mut resource = row["raw"].take();
                    resource["id"] = row["id"].clone();
                    if kind == "Users" {
                        resource["active"] = row["active"].clone();
                    } else {
                        let members = row["members"].as_array().expect("members").iter();
                        resource["members"] = members.map(|id| json!({ "value": id })).collect();
                        resource["displayName"] = row["name"].clone();
                    }
                    resource
                })
                .collect();
        }
        let mut all: Vec<Value> = Vec::new();
        loop {
            let start = all.len() + 1;
            let page = self.get(&format!(
                "{}/{kind}?startIndex={start}&count=100",
                self.base
            ));
            let resources = page["Resources"].as_array().cloned().unwrap_or_default();
            all.extend(resources.iter().cloned());
            let total = page["totalResults"].as_u64().expect("a total");
            if resources.is_empty() || all.len() as u64 >= total {
                return all;
            }
        }
    }
}

/// What of the company goes to a provider.
#[derive(Clone, Copy)]
struct Share {
    profile: &'static str,
    sources: &'static str,
    push: &'static str,
    /// The provider has no two groups of one name.
    names_are_unique: bool,
    /// Further lines of the target.
    target: &'static str,
}

const EVERYTHING: Share = Share {
    profile: "generic",
    sources: "[\"entra\", \"okta\"]",
    push: "[\"*\"]",
    names_are_unique: false,
    target: "",
};

fn portal(name: &str, target: &str, share: Share) -> String {
    let Share { sources, push, .. } = share;
    format!(
        "[portals.{name}]\nkind = \"directory\"\ntarget = \"{target}\"\nsources = {sources}\n\
        groups = {{ push = {push} }}\non_deactivate = \"remove\"\n[portals.{name}.attributes]\n\
        \"title\" = {{ from = \"title\", default = \"Staff\" }}\n\"department\" = \"department\"\n\
        \"name.givenName\" = {{ from = \"name.givenName\", default = \"-\" }}\n\
        \"name.familyName\" = {{ from = \"name.familyName\", default = \"-\" }}\n"
    )
}

fn world(peer: &Peer, share: Share) -> World {
    let profile = share.profile;
    let sources = vec![Source::entra(), Source::okta()];
    let mut world = World::small(Settings::new(sources, Vec::new()));
    let token = world.home.path().join("peer.token");
    std::fs::write(&token, &peer.token).expect("the token can be written");
    world.settings.more = format!(
        "[targets.app]\nkind = \"scim\"\nprofile = \"{profile}\"\nbase_url = \"{}\"\n\
        token = {{ file = {token:?} }}\non_remove = \"delete\"\nrate.writes_per_minute = 90000\n\
        rate.user_writes_per_minute = 90000\nrate.group_writes_per_minute = 90000\n\
        rate.burst = 1000\n{}{}{}",
        peer.base,
        share.target,
        portal("app", "app", share),
        portal("twin", "local", share),
    );
    world.rewrite();
    world
}

/// What an account is to be, and what a user is, by the id at the source.
fn agrees(world: &World, peer: &Peer, by_email: bool) {
    let twin = world.accounts("twin");
    let twin = twin.as_array().expect("a list");
    let wanted: BTreeMap<String, Value> = twin
        .iter()
        .map(|account| {
            let name = if by_email { "email" } else { "userName" };
            let wanted = json!({
                "userName": account[name], "email": account["email"],
                "displayName": account["displayName"], "active": account["active"],
                "given": account["name"]["givenName"], "family": account["name"]["familyName"],
                "title": account["attributes"]["title"],
                "department": account["attributes"]["department"],
            });
            (text(&account["source_id"]), wanted)
        })
        .collect();
    let users = peer.all("Users");
    let held: BTreeMap<String, Value> = users
        .iter()
        .map(|user| {
            let held = json!({
                "userName": user["userName"], "email": user["emails"][0]["value"],
                "displayName": user["displayName"], "active": user["active"],
                "given": user["name"]["givenName"], "family": user["name"]["familyName"],
                "title": user["title"], "department": user[ENTERPRISE]["department"],
            });
            (text(&user["externalId"]), held)
        })
        .collect();
    for (id, wanted) in &wanted {
        assert_eq!(held.get(id), Some(wanted), "{id}");
    }
    assert_eq!(held.len(), wanted.len());

    let source_ids: BTreeMap<String, String> = users
        .iter()
        .map(|user| (text(&user["id"]), text(&user["externalId"])))
        .collect();
    let mut held: Vec<(String, BTreeSet<String>)> = peer
        .all("Groups")
        .iter()
        .map(|group| {
            let members = group["members"].as_array().into_iter().flatten();
            let members = members.map(|member| {
                let id = text(&member["value"]);
                let found = source_ids.get(&id);
                found.unwrap_or_else(|| panic!("{id} in {group:#}")).clone()
            });
            (text(&group["displayName"]), members.collect())
        })
        .collect();
    let keys: BTreeMap<String, String> = twin
        .iter()
        .map(|account| (text(&account["key"]), text(&account["source_id"])))
        .collect();
    let groups = world.groups("twin");
    let mut wanted: Vec<(String, BTreeSet<String>)> = groups
        .as_array()
        .expect("a list")
        .iter()
        .map(|group| {
            let members = group["members"].as_array().into_iter().flatten();
            let members = members.map(|key| keys[&text(key)].clone());
            (text(&group["displayName"]), members.collect())
        })
        .collect();
    held.sort();
    wanted.sort();
    assert_eq!(held, wanted);
}

/// Gives pushed groups that came to one name names of their own again.
fn tell_apart(world: &World) {
    let groups = world.groups("twin");
    let mut seen = BTreeSet::new();
    for group in groups.as_array().expect("a list") {
        if !seen.insert(text(&group["displayName"]).to_lowercase()) {
            let id = text(&group["externalId"]);
            let name = json!({ "displayName": format!("Team {id}") });
            world.control("PATCH", &format!("graph/groups/{id}"), name);
        }
    }
}

fn history(peer: &Peer, share: Share) {
    let world = world(peer, share);
    let by_email = share.profile == "polis";
    world.run(&["check"]).ends_with(0);
    world.sync(&[]);
    agrees(&world, peer, by_email);
    let mut life = Life::new(&world, Chance::new(times("ROSTERD_TEST_SEED", 3) as u64));
    let changes = times("ROSTERD_TEST_PEER_CHANGES", 300);
    for round in 0..changes / 10 {
        for _ in 0..10 {
            life.change();
        }
        if share.names_are_unique {
            // A name that is taken is refused, and owed until it is free.
            let said = world.run(&["sync"]);
            assert!([0, 3].contains(&said.code), "{said:?}");
            tell_apart(&world);
        }
        world.sync(&[]);
        if round % 5 == 4 {
            agrees(&world, peer, by_email);
        }
    }
    agrees(&world, peer, by_email);
    world.quiet();
}

#[test]
fn scimmy_comes_to_what_the_rules_ask_for() {
    history(&Peer::on_node("scimmy.mjs"), EVERYTHING);
}

#[test]
fn saml_jackson_comes_to_what_the_rules_ask_for() {
    let share = Share {
        profile: "polis",
        sources: "[\"entra\"]",
        push: "[\"Team *\", \"Engineers*\", \"Laptops*\"]",
        names_are_unique: true,
        // By PATCH it keeps an extension's attribute under another name than it came with.
        target: "user_update = \"put\"\n",
    };
    history(&Peer::on_node("jackson.mjs"), share);
}

#[test]
fn scim2_server_comes_to_what_the_rules_ask_for() {
    history(&Peer::scim2_server(), EVERYTHING);
}
