//! `rosterd run` from outside: when it runs, what signals do, how it ends.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use rosterd_sim::SimOptions;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::oracle::Oracle;
use crate::service::{Service, eventually, runs, wait_for_runs};
use crate::settings::{Portal, Settings, Source};
use crate::world::{World, text};

/// Two companies that are read once at the start, and not again by themselves.
fn settings() -> Settings {
    let rarely = |source: Source| source.with("schedule = \"1h\"\njitter = \"0s\"");
    Settings::new(
        vec![rarely(Source::entra()), rarely(Source::okta())],
        vec![Portal::new("store", "remove")],
    )
}

/// A daemon that has done its first run.
fn settled(world: &World) -> Service {
    let service = Service::start(world);
    let runs = wait_for_runs(world, 1);
    // A short schedule may have brought a second one meanwhile.
    let applied = runs.iter().all(|run| run["status"] == "applied");
    assert!(applied, "{runs:#?}");
    service
}

fn retitle(world: &World, position: usize, title: &str) {
    let body = json!({"jobTitle": title});
    let user = world.entra_user(position);
    world.sim.patch_user(&user, body).expect("a change");
}

#[test]
fn it_syncs_at_the_start_and_says_when_it_will_again() {
    let world = World::small(settings());
    let mut oracle = Oracle::default();
    oracle.turn(&world.settings, &world.sim);
    let service = settled(&world);
    oracle.agrees(&world);
    let status = world.json(&["status", "--format", "json"]);
    for source in ["entra", "okta"] {
        let source = &status["sources"][source];
        // Times in one format and zone sort as text.
        assert!(
            text(&source["next_run"]) > text(&source["last_run"]),
            "{source:#}"
        );
        assert_eq!(source["quarantined"], Value::Null);
    }
    service.says("applied:");
    service.stop();
    let status = world.json(&["status", "--format", "json"]);
    assert_eq!(status["sources"]["entra"]["next_run"], Value::Null);
    world.quiet();
}

#[test]
fn a_short_schedule_brings_changes_by_itself() {
    let mut settings = settings();
    settings.sources[0].more = "schedule = \"500ms\"\njitter = \"0s\"\n".to_owned();
    let world = World::small(settings);
    let service = settled(&world);
    retitle(&world, 17, "Changed");
    eventually(
        || {
            world
                .accounts("store-remove")
                .to_string()
                .contains("Changed")
        },
        || service.log(),
    );
    service.stop();
}

#[test]
fn signals_ask_for_runs_of_every_source() {
    let world = World::small(settings());
    let service = settled(&world);
    for (number, (signal, mode)) in [("USR1", "incremental"), ("USR2", "full")]
        .into_iter()
        .enumerate()
    {
        retitle(&world, 17, signal);
        service.signal(signal);
        let runs = wait_for_runs(&world, number + 2);
        assert_eq!(runs[0]["mode"], mode, "{runs:#?}");
        assert_eq!(runs[0]["sources"].as_object().map(|all| all.len()), Some(2));
        let accounts = world.accounts("store-remove").to_string();
        assert!(accounts.contains(signal), "{accounts}");
    }
    service.stop();
}

#[test]
fn broken_settings_are_refused_whole_and_good_ones_taken() {
    let mut world = World::small(settings());
    let service = settled(&world);
    let good = std::fs::read_to_string(world.config()).expect("the settings");
    let broken = good.replace("kind = \"store\"", "kind = \"shop\"");
    for broken in [broken, format!("{good}\nnonsense\n"), String::new()] {
        std::fs::write(world.config(), broken).expect("they can be written");
        let before = service.log().matches("stay as they were").count();
        service.signal("HUP");
        eventually(
            || service.log().matches("stay as they were").count() > before,
            || service.log(),
        );
        // The old ones are in force: the command needs readable ones of its own.
        std::fs::write(world.config(), &good).expect("they can be written");
        let plan = world.sync(&[]);
        assert_eq!(plan["actions"], json!([]));
    }
    world
        .settings
        .portals
        .push(Portal::new("directory", "disable"));
    world.rewrite();
    let said = world.run(&["sync", "--format", "json"]).ends_with(0);
    assert!(said.err.contains("other settings"), "{}", said.err);
    assert_eq!(said.json()["actions"], json!([]));
    service.signal("HUP");
    service.says("are in force");
    let plan = world.sync(&[]);
    let made = plan["summary"]["directory-disable"]["create_account"].as_u64();
    assert!(made.is_some_and(|made| made > 0), "{plan:#}");
    service.stop();
    world.quiet();
}

#[test]
fn a_slow_fetch_does_not_keep_it_from_ending() {
    let world = World::small(settings());
    let service = settled(&world);
    let rule = json!([{"path": "*", "kind": "stall", "ms": 60_000}]);
    world.sim.faults(rule).expect("a rule");
    world.sim.reset_stats();
    service.signal("USR2");
    eventually(
        || world.sim.stats().in_flight > 0,
        || format!("a request; {}", service.log()),
    );
    service.signal("TERM");
    let (code, took) = service.ended();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
    world.sim.clear_faults();
    assert_eq!(runs(&world).len(), 1);
    world.quiet();
}

#[test]
fn told_to_end_at_any_instant_it_ends_in_peace_and_loses_nothing() {
    let options = SimOptions {
        users: 2_500,
        groups: 60,
        memberships: 8_000,
        ..SimOptions::default()
    };
    let mut settings = settings();
    settings.sources[0].assigned = false;
    let world = World::new(options, settings);
    let mut oracle = Oracle::default();
    oracle.turn(&world.settings, &world.sim);
    let mut chance = Chance::new(29);
    let mut unfinished = 0;
    for round in 0..8 {
        let service = Service::start(&world);
        // The instant is what is being tried, not something that is waited for: very early at
        // first, however quick the machine is.
        std::thread::sleep(Duration::from_millis(
            chance.below(40 << round.min(4)) as u64
        ));
        service.signal("TERM");
        let (code, took) = service.ended();
        assert_eq!(code, 0);
        assert!(took < Duration::from_secs(10), "{took:?}");
        let runs = runs(&world);
        unfinished += usize::from(runs.iter().all(|run| run["status"] != "applied"));
    }
    assert!(unfinished > 0, "every one of them was too late");
    world.sync(&[]);
    oracle.agrees(&world);
    world.quiet();
}

#[test]
fn it_starts_again_beside_what_a_crash_left() {
    let world = World::small(settings());
    let service = settled(&world);
    service.kill();
    assert!(world.state().join("control.sock").exists());
    assert!(world.state().join("daemon").exists());
    // Nobody listens there, and nobody is asked.
    retitle(&world, 17, "Alone");
    let plan = world.sync(&[]);
    assert_eq!(plan["actions"].as_array().map(Vec::len), Some(1));
    retitle(&world, 17, "Together");
    let service = Service::start(&world);
    wait_for_runs(&world, 3);
    assert_eq!(world.sync(&[])["actions"], json!([]));
    service.stop();
    assert!(!world.state().join("control.sock").exists());
    assert!(!world.state().join("daemon").exists());
}

#[test]
fn a_source_that_fails_is_tried_again_and_the_other_goes_on() {
    let mut settings = settings();
    for source in &mut settings.sources {
        source.more = "schedule = \"100ms\"\njitter = \"0s\"\n".to_owned();
    }
    let world = World::small(settings);
    let service = settled(&world);
    let rule = json!([{"path": "/v1.0/*", "kind": "status", "status": 403}]);
    world.sim.faults(rule).expect("a rule");
    let entra = || world.json(&["status", "--format", "json"])["sources"]["entra"].clone();
    eventually(|| entra()["quarantined"] != Value::Null, || service.log());
    service.says("is quarantined");
    let path = format!("okta/users/{}", world.okta_user(17));
    let body = json!({"profile": {"title": "Onwards"}});
    world.control("PATCH", &path, body);
    eventually(
        || {
            world
                .accounts("store-remove")
                .to_string()
                .contains("Onwards")
        },
        || service.log(),
    );
    world.sim.clear_faults();
    eventually(|| entra()["quarantined"] == Value::Null, || service.log());
    service.says("no longer quarantined");
    service.stop();
}

#[test]
fn a_grace_period_ends_by_itself() {
    let mut settings = settings();
    settings.portals[0].grace = Some("2s");
    let world = World::small(settings);
    let service = settled(&world);
    let leaver = world.entra_user(17);
    let key = text(&world.sim.graph_truth()["users"][17]["mail"]).to_lowercase();
    assert!(world.account("store-remove", &key).is_some());
    let body = json!({"accountEnabled": false});
    world.sim.patch_user(&leaver, body).expect("a change");
    let plan = world.sync(&[]);
    assert_eq!(plan["pending"][0]["key"], key, "{plan:#}");
    eventually(
        || world.account("store-remove", &key).is_none(),
        || service.log(),
    );
    service.stop();
}

#[test]
fn the_service_manager_hears_how_it_is() {
    let world = World::small(settings());
    let path = world.home.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    let second = Duration::from_secs(30);
    manager.set_read_timeout(Some(second)).expect("a timeout");
    let hears = |what: &str| {
        let began = Instant::now();
        let mut buffer = [0; 4096];
        loop {
            let length = manager.recv(&mut buffer).expect("a message");
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if message.lines().any(|line| line == what) {
                return message;
            }
            assert!(began.elapsed() < second, "waited for {what}");
        }
    };
    let service = Service::start_with(&world, |command| {
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "200000");
    });
    hears("READY=1");
    hears("WATCHDOG=1");
    hears("WATCHDOG=1");
    wait_for_runs(&world, 1);
    service.signal("HUP");
    let reloading = hears("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    hears("READY=1");
    service.signal("TERM");
    hears("STOPPING=1");
    assert_eq!(service.ended().0, 0);
}
