//! Trouble of every kind, at every kind of request, in the middle of runs: nobody loses anything
//! the company did not ask for, and the next clean run makes up for all of it.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chance::{Chance, times};
use crate::oracle::{Oracle, holdings_in};
use crate::settings::{Portal, Settings, Source};
use crate::world::{World, text};

const KINDS: [&str; 12] = [
    "status",
    "drop",
    "truncate",
    "html",
    "drip",
    "stall",
    "expire_token",
    "gone",
    "endless",
    "short",
    "empty",
    "reset_conn",
];

/// What takes something away from somebody.
const TAKING: [&str; 7] = [
    "remove_account",
    "disable_account",
    "unassign_devices",
    "change_device_policy",
    "remove_devices",
    "delete_group",
    "remove_members",
];

fn settings(sources: Vec<Source>) -> Settings {
    let sources = sources
        .into_iter()
        .map(|source| source.with("timeout = \"2s\""))
        .collect();
    // Of a list that is short without showing it, a role decided once would keep the trace.
    let dashboard = Portal {
        continuous: true,
        ..Portal::new("dashboard", "remove")
    };
    Settings::new(
        sources,
        vec![dashboard, Portal::new("directory", "disable")],
    )
}

/// Every account with its groups, to tell what was taken from whom.
fn holdings(world: &World) -> BTreeSet<String> {
    let portals = world.settings.portals.iter();
    portals
        .flat_map(|portal| holdings_in(&portal.name, &world.accounts(&portal.name)))
        .collect()
}

struct Trial {
    world: World,
    oracle: Oracle,
    chance: Chance,
    round: usize,
    okta: bool,
    /// A Graph user, or an Okta user, who comes and goes because the company says so.
    leaver: String,
    leaver_key: String,
    /// What everybody has.
    held: BTreeSet<String>,
}

impl Trial {
    fn begin(okta: bool, assigned: bool, seed: u64) -> Trial {
        let mut source = if okta {
            Source::okta()
        } else {
            Source::entra()
        };
        source.assigned = assigned;
        let mut settings = settings(vec![source.clone()]);
        for portal in &mut settings.portals {
            portal.sources = vec![source.name];
        }
        let world = World::small(settings);
        let mut oracle = Oracle::default();
        world.settles(&mut oracle);
        let truth = [world.sim.graph_truth(), world.sim.okta_truth()];
        let leaver = &truth[usize::from(okta)]["users"][17];
        let mail = if okta {
            &leaver["profile"]["email"]
        } else {
            &leaver["mail"]
        };
        let (leaver, leaver_key) = (text(&leaver["id"]), text(mail).to_lowercase());
        let held = holdings(&world);
        Trial {
            world,
            oracle,
            chance: Chance::new(seed),
            round: 0,
            okta,
            leaver,
            leaver_key,
            held,
        }
    }

    /// Something for an incremental run to see, and the leaver there or away.
    fn live(&mut self) {
        self.round += 1;
        let (round, leaver) = (self.round, &self.leaver);
        let send = |method: &str, path: &str, body| self.world.control(method, path, body);
        if self.okta {
            let status = if round % 2 == 0 {
                "ACTIVE"
            } else {
                "SUSPENDED"
            };
            send(
                "PATCH",
                &format!("okta/users/{leaver}"),
                json!({"status": status}),
            );
            let user = self.world.okta_user(5);
            let body = json!({"profile": {"title": format!("Title {round}")}});
            send("PATCH", &format!("okta/users/{user}"), body);
            let login = format!("new{round}@contoso.com");
            send("POST", "okta/users", json!({"profile": {"login": login}}));
            let group = self.world.okta_group("applivery-viewer");
            send(
                "POST",
                &format!("okta/groups/{group}/members/{login}"),
                Value::Null,
            );
        } else {
            let body = json!({"accountEnabled": round % 2 == 0});
            send("PATCH", &format!("graph/users/{leaver}"), body);
            let user = self.world.entra_user(5);
            let body = json!({"jobTitle": format!("Title {round}")});
            send("PATCH", &format!("graph/users/{user}"), body);
            let login = format!("new{round}@contoso.com");
            let body = json!({"displayName": login, "userPrincipalName": login, "mail": login,
                "accountEnabled": true});
            let user = text(&send("POST", "graph/users", body)["id"]);
            let group = self.world.entra_group("applivery-viewer");
            send(
                "POST",
                &format!("graph/groups/{group}/members/{user}"),
                Value::Null,
            );
        }
    }

    /// One run in trouble, and clean ones after it.
    fn meet(&mut self, rule: Value, full: bool) {
        self.live();
        let before = std::mem::take(&mut self.held);
        self.world
            .sim
            .faults(json!([rule]))
            .expect("the simulator knows the rule");
        let arguments: &[&str] = match full {
            true => &["sync", "--format", "json", "--full"],
            false => &["sync", "--format", "json"],
        };
        let said = self.world.run(arguments);
        self.world.sim.clear_faults();
        let told = format!("{rule} (full: {full}): {}\n{}", said.out, said.err);
        assert!([0, 1, 3, 4].contains(&said.code), "{told}");
        if !said.out.is_empty() && said.code != 4 {
            for action in said.json()["actions"].as_array().expect("a list") {
                let op = action["op"].as_str().expect("an op");
                let asked = action["subject"]["id"] == *self.leaver
                    || action["members"] == json!([self.leaver_key]);
                assert!(asked || !TAKING.contains(&op), "{action:#}\n{told}");
            }
        }
        let after = holdings(&self.world);
        let lost: Vec<_> = before
            .difference(&after)
            .filter(|what| !what.contains(&self.leaver))
            .collect();
        assert!(lost.is_empty(), "{lost:?} lost with {told}");
        self.world.sync(&[]);
        self.world.sync(&["--full"]);
        self.oracle.turn(&self.world.settings, &self.world.sim);
        self.oracle.agrees(&self.world);
        self.held = self.oracle.holdings();
    }

    /// Which requests a run makes, and how many of each class.
    fn classes(&mut self, full: bool) -> Vec<(&'static str, u64)> {
        self.live();
        self.world.sim.reset_stats();
        self.world.sync(if full { &["--full"] } else { &[] });
        self.oracle.turn(&self.world.settings, &self.world.sim);
        self.held = self.oracle.holdings();
        let classes = self.world.sim.stats().classes.into_iter();
        classes
            .map(|(name, class)| (name, class.requests))
            .collect()
    }
}

/// Every kind of trouble at every class of request: at one of its requests, or at several when
/// the environment asks for more.
fn everything_goes_wrong_once(okta: bool, full: bool) {
    let many = times("ROSTERD_TEST_FAULTS", 1) as u64;
    for assigned in [true, false] {
        let mut trial = Trial::begin(okta, assigned, 5);
        for (class, requests) in trial.classes(full) {
            for kind in KINDS {
                // One of the two scopes meets each, unless all is asked for.
                if many == 1 && (trial.chance.below(2) == 0) == assigned {
                    continue;
                }
                for _ in 0..many.min(requests) {
                    let nth = 1 + trial.chance.below(requests.min(6) as usize);
                    let ms = if kind == "stall" { 300 } else { 5 };
                    let rule = json!({"class": class, "nth": nth, "kind": kind, "ms": ms});
                    trial.meet(rule, full);
                }
            }
        }
    }
}

#[test]
fn full_graph_runs_survive_every_trouble() {
    everything_goes_wrong_once(false, true);
}

#[test]
fn incremental_graph_runs_survive_every_trouble() {
    everything_goes_wrong_once(false, false);
}

#[test]
fn full_okta_runs_survive_every_trouble() {
    everything_goes_wrong_once(true, true);
}

#[test]
fn incremental_okta_runs_survive_every_trouble() {
    everything_goes_wrong_once(true, false);
}

#[test]
fn a_permission_lost_midway_takes_nobody_away() {
    for okta in [false, true] {
        let mut trial = Trial::begin(okta, true, 6);
        for full in [true, false] {
            for (class, _) in trial.classes(full) {
                if class.ends_with("token") {
                    continue;
                }
                let rule = json!({"class": class, "kind": "status", "status": 403});
                trial.meet(rule, full);
            }
        }
    }
}

#[test]
fn assignments_that_cannot_be_found_are_not_taken_for_absence() {
    // Every answer of a class says 404, as a proxy or a broken path would.
    for okta in [false, true] {
        let mut trial = Trial::begin(okta, true, 7);
        let class = if okta {
            "okta.apps.*"
        } else {
            "graph.appRoleAssignedTo"
        };
        for full in [true, false] {
            trial.meet(
                json!({"class": class, "kind": "status", "status": 404}),
                full,
            );
        }
    }
}

#[test]
fn assignments_that_stay_empty_are_held_under_the_usual_limits() {
    for okta in [false, true] {
        let mut trial = Trial::begin(okta, true, 7);
        trial.world.settings.safety = String::new();
        trial.world.rewrite();
        let class = if okta {
            "okta.apps.*"
        } else {
            "graph.appRoleAssignedTo"
        };
        trial.meet(json!({"class": class, "kind": "empty"}), true);
    }
}

#[test]
fn a_source_that_is_suddenly_empty_is_held_or_refused() {
    for okta in [false, true] {
        let mut trial = Trial::begin(okta, false, 8);
        let path = if okta {
            "/api/v1/users*"
        } else {
            "/v1.0/users*"
        };
        trial.meet(json!({"path": path, "kind": "empty"}), true);
    }
}

#[test]
fn expired_delta_tokens_lead_to_a_whole_look_and_nothing_else() {
    for expiry in ["gone", "gone_bare", "sync_state_not_found"] {
        let mut trial = Trial::begin(false, true, 9);
        trial
            .world
            .sim
            .settings(json!({"delta_expiry": expiry}))
            .expect("a setting");
        trial.live();
        trial
            .world
            .control("POST", "graph/expire_delta_tokens", Value::Null);
        trial.world.settles(&mut trial.oracle);
    }
}

#[test]
fn one_source_in_trouble_does_not_keep_the_other_back() {
    let world = World::small(settings(vec![Source::entra(), Source::okta()]));
    let mut oracle = Oracle::default();
    world.settles(&mut oracle);
    let path = format!("okta/users/{}", world.okta_user(17));
    world.control("PATCH", &path, json!({"profile": {"title": "New"}}));
    let rule = json!([{"path": "/v1.0/*", "kind": "status", "status": 403}]);
    world.sim.faults(rule).expect("a rule");
    let plan = world.run(&["sync", "--format", "json"]).ends_with(3).json();
    assert_eq!(plan["sources"]["entra"]["status"], "failed", "{plan:#}");
    assert_eq!(plan["sources"]["okta"]["status"], "ok", "{plan:#}");
    oracle.turn(&world.settings, &world.sim);
    oracle.agrees(&world);
    world.sim.clear_faults();
    world.quiet();
}

#[test]
fn killed_at_any_instant_the_next_run_makes_up_for_it() {
    let rounds = times("ROSTERD_TEST_KILLS", 30);
    let world = World::small(settings(vec![Source::entra(), Source::okta()]));
    let mut oracle = Oracle::default();
    let mut chance = Chance::new(13);
    let began = Instant::now();
    world.sync(&[]);
    let mut usual = began.elapsed();
    oracle.turn(&world.settings, &world.sim);
    for round in 0..rounds {
        if round % 10 == 9 {
            // A first run is killed too.
            std::fs::remove_dir_all(world.state()).expect("the state goes");
            oracle = Oracle::default();
        }
        for person in 0..4 {
            let login = format!("new{round}-{person}@contoso.com");
            let body = json!({"displayName": login, "userPrincipalName": login,
                "accountEnabled": true});
            let user = world.sim.create_user(body).expect("a user is made");
            world.sim.assign(&text(&user["id"])).expect("an assignment");
        }
        let user = world.entra_user(12 + round % 8);
        let enabled = chance.below(2) == 0;
        let body = json!({"accountEnabled": enabled, "mail": format!("m{round}@contoso.com")});
        world.sim.patch_user(&user, body).expect("a change");
        let path = format!("okta/users/{}", world.okta_user(13 + round % 7));
        let email = format!("o{round}@contoso.com");
        world.control("PATCH", &path, json!({"profile": {"email": email}}));

        let full = if chance.below(4) == 0 {
            &["sync", "--full"][..]
        } else {
            &["sync"]
        };
        let mut running = world.command(full);
        let mut running = running
            .stdout(Stdio::null())
            .spawn()
            .expect("rosterd starts");
        let instant = usual.as_micros() as usize * 12 / 10;
        std::thread::sleep(Duration::from_micros(chance.below(instant) as u64));
        running.kill().expect("it can be killed");
        running.wait().expect("it ends");

        let began = Instant::now();
        world.sync(&[]);
        usual = (usual + began.elapsed()) / 2;
        oracle.turn(&world.settings, &world.sim);
        oracle.agrees(&world);
        let plan = world.sync(&[]);
        assert_eq!(plan["actions"], json!([]));
    }
    world.quiet();
}
