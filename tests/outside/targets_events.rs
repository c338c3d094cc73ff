//! Events from outside: subscribers that take, fail, hang and come back; signatures as others
//! check them; the feed; replays and what was given up.

#[path = "events/subscriber.rs"]
mod subscriber;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use crate::served::Served;
use crate::settings::{Portal, Settings, Source};
use crate::world::{Said, World, deeds, text};
use subscriber::{Answer, Delivery, Picture, Subscriber};

const SECRET: &str = "whsec_c2lnbmVkLXdpdGgtdGhpcnR5LXR3by1ieXRlcyE=";
const OLD_SECRET: &str = "whsec_dGhlLW9uZS1iZWZvcmUtdGhhdC1vbmUtb2Ytb2xk";

/// Quick, so that a test need not wait for what fails; for a minute, so that nothing is given up.
fn patient() -> String {
    let mut waits = ["0s", "20ms", "40ms", "80ms", "160ms"].to_vec();
    waits.extend(["500ms"; 120]);
    format!("retry = {waits:?}")
}

/// Twenty people who are all told of to a subscriber.
fn world(subscriber: &Subscriber, lines: &str) -> World {
    let source = Source::entra().everyone().with("schedule = \"24h\"");
    let portal = Portal::new("directory", "remove")
        .named("people")
        .from(&["entra"]);
    let world = World::small(Settings::new(vec![source], vec![portal]));
    tell(&world, subscriber, lines);
    world
}

/// Settings under which the portal's target is a subscriber.
fn tell(world: &World, subscriber: &Subscriber, lines: &str) {
    let text = world
        .settings
        .toml(&world.state(), &world.sim.base_url())
        .replace("target = \"local\"", "target = \"hooks\"");
    let secret = world.home.path().join("hook.secret");
    std::fs::write(&secret, SECRET).expect("it can be written");
    let url = world.home.path().join("hook.url");
    std::fs::write(&url, subscriber.url()).expect("it can be written");
    let hooks = format!(
        "[targets.hooks]\nkind = \"events\"\nurl = {{ file = {url:?} }}\nsecret = {{ file = {secret:?} }}\n{lines}\n"
    );
    std::fs::write(world.config(), format!("{text}\n{hooks}")).expect("it can be written");
}

fn events(world: &World, arguments: &[&str]) -> Said {
    world.run(&[&["events"], arguments].concat())
}

fn listed(world: &World, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["list", "--format", "json", "--limit", "10000"], arguments].concat();
    let list = events(world, &arguments).ends_with(0).json();
    list.as_array().expect("a list").clone()
}

/// What the portal holds, as the picture of a subscriber should have it.
fn linked(world: &World) -> Vec<(String, bool, Vec<String>)> {
    let accounts = world.accounts("people");
    let accounts = accounts.as_array().expect("a list").iter();
    accounts
        .map(|account| {
            let groups = account["groups"].as_array().expect("a list").iter();
            let active = account["active"] == true;
            (text(&account["key"]), active, groups.map(text).collect())
        })
        .collect()
}

/// Joins, moves, leaves and renames, one after the other.
fn a_life(world: &World, mut after_each: impl FnMut(usize)) {
    let group = world.entra_group("applivery-viewer");
    // Two who have an account.
    let accounts = world.accounts("people");
    let (first, second) = (
        text(&accounts[3]["source_id"]),
        text(&accounts[4]["source_id"]),
    );
    let steps: [(&str, String, Value); 8] = [
        (
            "PATCH",
            format!("users/{first}"),
            json!({ "jobTitle": "Chief" }),
        ),
        (
            "POST",
            format!("groups/{group}/members/{first}"),
            Value::Null,
        ),
        (
            "PATCH",
            format!("groups/{group}"),
            json!({ "displayName": "Viewers" }),
        ),
        (
            "PATCH",
            format!("users/{second}"),
            json!({ "accountEnabled": false }),
        ),
        (
            "DELETE",
            format!("groups/{group}/members/{first}"),
            Value::Null,
        ),
        (
            "PATCH",
            format!("users/{second}"),
            json!({ "accountEnabled": true }),
        ),
        ("DELETE", format!("groups/{group}"), Value::Null),
        ("DELETE", format!("users/{first}"), Value::Null),
    ];
    for (number, (method, path, body)) in steps.into_iter().enumerate() {
        world.control(method, &format!("graph/{path}"), body);
        after_each(number);
    }
}

/// Holds one delivery to both signatures, as a receiver would.
#[track_caller]
fn is_signed(delivery: &Delivery, secret: &str) {
    let Delivery { headers, text, .. } = delivery;
    let decoded = STANDARD
        .decode(secret.strip_prefix("whsec_").expect("a prefix"))
        .expect("base64");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &decoded);
    let signed = format!(
        "{}.{}.{text}",
        headers["webhook-id"], headers["webhook-timestamp"]
    );
    let good = headers["webhook-signature"].split(' ').any(|signature| {
        let signature = signature.strip_prefix("v1,").expect("a version");
        let signature = STANDARD.decode(signature).expect("base64");
        hmac::verify(&key, signed.as_bytes(), &signature).is_ok()
    });
    assert!(good, "webhook-signature of {text}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let (time, signatures) = headers["boxyhq-signature"].split_once(',').expect("parts");
    let time = time.strip_prefix("t=").expect("a time");
    let good = signatures.split(',').any(|signature| {
        let hex = signature.strip_prefix("s=").expect("a signature");
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|place| u8::from_str_radix(&hex[place..place + 2], 16).expect("hex"))
            .collect();
        hmac::verify(&key, format!("{time}.{text}").as_bytes(), &bytes).is_ok()
    });
    assert!(good, "BoxyHQ-Signature of {text}");
}

#[test]
fn every_event_arrives_in_order_though_the_subscriber_fails_hangs_and_restarts() {
    let mut subscriber = Subscriber::open(|number, _| match number % 7 {
        2 | 5 => Answer::Says("500 No"),
        4 => Answer::Says("404 No"),
        _ if number == 10 => Answer::Hangs,
        _ => Answer::Takes,
    });
    let world = world(&subscriber, &format!("format = \"both\"\n{}", patient()));
    let served = Served::start(&world);
    let plan = served.sync(json!({ "full": true }));
    assert_eq!(plan["status"], "applied", "{plan:#}");
    a_life(&world, |number| {
        match number {
            2 => subscriber.goes_away(),
            5 => subscriber.comes_back(),
            _ => {}
        }
        assert_eq!(served.sync(json!({}))["status"], "applied");
    });
    let all = listed(&world, &[]).len();
    served.wait_for("every event", |_| {
        let ids: BTreeSet<String> = subscriber
            .taken()
            .iter()
            .map(|delivery| text(&delivery.body["id"]))
            .collect();
        (ids.len() == all).then_some(())
    });
    let picture = Picture::of(&subscriber.taken());
    assert_eq!(picture.accounts(), linked(&world));
    assert!(!picture.groups.values().any(|name| name == "Viewers"));

    let came = subscriber.came();
    assert!(came.len() > all, "some came more than once");
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for delivery in &came {
        is_signed(delivery, SECRET);
        // The same bytes each time, and the id in the header too.
        let id = text(&delivery.body["id"]);
        assert_eq!(delivery.headers["webhook-id"], id);
        let body = bodies.entry(id).or_insert_with(|| delivery.text.clone());
        assert_eq!(*body, delivery.text);
        assert!(
            delivery.body["data"]["raw"]["groups"]
                .as_array()
                .is_none_or(Vec::is_empty)
        );
    }
    let metrics = served.send(served.request("GET", "/metrics")).is(200).text;
    for line in [
        "rosterd_events_queued{target=\"hooks\"} 0".to_owned(),
        format!("rosterd_events_delivered_total{{target=\"hooks\"}} {all}"),
        "rosterd_events_dead_total{target=\"hooks\"} 0".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    let log = served.service.log();
    assert!(
        !log.contains(SECRET) && !log.contains(&subscriber.url()),
        "{log}"
    );
    // A quiet run tells nothing.
    assert_eq!(served.sync(json!({}))["actions"], json!([]));
    assert_eq!(listed(&world, &[]).len(), all);
    assert_eq!(served.stop(), 0);
}

#[test]
fn public_libraries_take_the_signatures() {
    let subscriber = Subscriber::takes_all();
    let old = format!("old_secret = {OLD_SECRET:?}");
    let world = world(&subscriber, &format!("format = \"both\"\n{old}"));
    let odd = json!({
        "displayName": "Zoë \"Z\" O’Neil \u{2028}/\\ 日本 😀", "userPrincipalName": "zoe@contoso.com",
        "mail": "zoe@contoso.com", "givenName": "Zoë", "accountEnabled": true,
        "officeLocation": "12", "department": "R&D",
    });
    world.sim.create_user(odd).expect("a user is made");
    world.sync(&[]);
    let deliveries = subscriber.taken();
    assert!(deliveries.len() > 20);
    let lines: Vec<String> = deliveries
        .iter()
        .map(|delivery| json!({ "headers": delivery.headers, "body": delivery.text }).to_string())
        .collect();
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/events");
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/scim-venv/bin/python");
    let good = deliveries.len().to_string();
    // While the secret is exchanged a receiver may have either.
    for secret in [SECRET, OLD_SECRET] {
        let script = format!("{here}/verify.py");
        assert_eq!(judged(python, &script, secret, &lines), good);
        for delivery in &deliveries {
            is_signed(delivery, secret);
        }
    }
    let script = format!("{here}/verify.js");
    assert_eq!(judged("node", &script, SECRET, &lines), good);
}

/// What a program says of deliveries.
#[track_caller]
fn judged(program: &str, script: &str, secret: &str, lines: &[String]) -> String {
    let mut child = Command::new(program)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; 'make setup' installs it"));
    let mut input = child.stdin.take().expect("it is piped");
    writeln!(input, "{secret}\n{}", lines.join("\n")).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{script} refuses");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

#[test]
fn without_a_daemon_a_run_delivers_and_leaves_the_rest_for_the_next() {
    let mut subscriber = Subscriber::takes_all();
    let world = world(
        &subscriber,
        "format = \"polis\"\ntenant = \"acme\"\nproduct = \"portal\"",
    );
    subscriber.goes_away();
    // The subscriber being away fails no action, and costs few tries.
    world.sync(&[]);
    let waiting = listed(&world, &["--state", "waiting"]);
    assert!(waiting.len() > 20);
    let tried = waiting
        .iter()
        .filter(|event| event["delivery"]["attempts"] != 0);
    assert!((1..=13).contains(&tried.count()));
    world.quiet();
    subscriber.comes_back();
    // What was tried is not due yet; a replay has it tried at once.
    let said = events(&world, &["replay", "--from", "1", "--format", "json"]).ends_with(0);
    assert_eq!(said.json()["replayed"], waiting.len());
    assert_eq!(listed(&world, &["--state", "waiting"]), Vec::<Value>::new());
    assert_eq!(Picture::of(&subscriber.taken()).accounts(), linked(&world));
    let taken = subscriber.taken();
    let mut groups = taken
        .iter()
        .filter(|one| one.body["event"] == "group.created");
    let group = groups.next().expect("a group was made");
    let body = &group.text;
    assert!(body.starts_with("{\"directory_id\":\"people\",\"event\":\"group.created\",\"tenant\":\"acme\",\"product\":\"portal\",\"data\":{\"id\":"), "{body}");
    assert!(!group.headers.contains_key("webhook-id"));
    // And once more from a time on: the same ids.
    let before: BTreeSet<String> = ids(&subscriber);
    let since = text(&waiting[0]["created_at"]);
    events(&world, &["replay", "--since", &since]).ends_with(0);
    assert_eq!(subscriber.taken().len(), 2 * waiting.len());
    assert_eq!(ids(&subscriber), before);
}

fn ids(subscriber: &Subscriber) -> BTreeSet<String> {
    let taken = subscriber.taken();
    taken.iter().map(|one| text(&one.body["id"])).collect()
}

#[test]
fn what_is_given_up_is_listed_and_can_be_sent_again() {
    let fails = |_, body: &Value| match body["type"] == "user.created" {
        true => Answer::Says("422 No"),
        false => Answer::Takes,
    };
    let subscriber = Subscriber::open(fails);
    let world = world(&subscriber, "retry = [\"0s\"]");
    world.sync(&[]);
    let dead = listed(&world, &["--state", "dead"]);
    assert!(!dead.is_empty());
    assert_eq!(dead[0]["delivery"]["attempts"], 1);
    assert!(text(&dead[0]["delivery"]["error"]).contains("422"));
    let text_list = events(&world, &["list", "--state", "dead"])
        .ends_with(0)
        .out;
    assert!(
        text_list.contains("422") && !text_list.contains('@'),
        "{text_list}"
    );

    let well = Subscriber::takes_all();
    tell(&world, &well, "retry = [\"0s\"]");
    // Those after it that were never tried go along.
    let replayed = events(&world, &["replay", "--dead", "--format", "json"]).ends_with(0);
    assert_eq!(replayed.json()["replayed"], dead.len());
    let came = ids(&well);
    for event in &dead {
        assert!(came.contains(&text(&event["id"])), "{event}");
    }
    assert_eq!(listed(&world, &["--state", "dead"]), Vec::<Value>::new());
}

#[test]
fn the_feed_has_every_event_once_and_goes_on_after_any() {
    let subscriber = Subscriber::takes_all();
    let world = world(&subscriber, "events = [\"group.*\"]");
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    a_life(&world, |_| {
        served.sync(json!({}));
    });
    let all = served.get("/api/v1/events?limit=1000").is(200).json();
    let all = all["items"].as_array().expect("a list").clone();
    for (event, sequence) in all.iter().zip(1..) {
        assert_eq!(event["sequence"], sequence);
        let update = text(&event["event"]).ends_with(".updated");
        assert_eq!(event["previous_attributes"].is_object(), update, "{event}");
    }
    for limit in [1, 7] {
        assert_eq!(served.pages("/api/v1/events", limit, "after"), all);
    }
    let lists = listed(&world, &[]);
    assert_eq!(lists.len(), all.len());
    let change = all.iter().find(|event| event["event"] == "user.updated");
    let change = change.expect("somebody was promoted");
    assert_eq!(change["data"]["raw"]["title"], "Chief");
    assert!(change["previous_attributes"].get("title").is_some());
    // A subscriber goes on after the last one it has, by its id or its number.
    let mut last = all.last().expect("there are events").clone();
    for name in ["id", "sequence"] {
        let place = last[name].to_string().replace('"', "");
        let path = format!("/api/v1/events?target=hooks&after={place}");
        assert_eq!(served.get(&path).is(200).json()["items"], json!([]));
        let user = format!("graph/users/{}", world.entra_user(8));
        world.control("PATCH", &user, json!({ "jobTitle": place }));
        served.sync(json!({}));
        last = served.get(&path).is(200).json()["items"][0].clone();
        assert_eq!(last["data"]["raw"]["title"], place);
    }
    for wrong in [
        "after=evt_0000000000000001ffffffff",
        "after=999999",
        "after=x",
        "target=no",
    ] {
        let answer = served.get(&format!("/api/v1/events?{wrong}"));
        assert!(
            [404, 422].contains(&answer.status),
            "{wrong}: {}",
            answer.text
        );
    }
    // Only what is wanted is posted.
    served.wait_for("the groups", |_| {
        listed(&world, &["--state", "waiting"])
            .is_empty()
            .then_some(())
    });
    let posted = subscriber
        .taken()
        .into_iter()
        .map(|one| text(&one.body["type"]));
    let posted: Vec<String> = posted.collect();
    assert!(
        posted.iter().all(|kind| kind.starts_with("group.")),
        "{posted:?}"
    );
    let wanted = all.iter().map(|event| text(&event["event"]));
    assert_eq!(
        posted.len(),
        wanted.filter(|kind| kind.starts_with("group.")).count()
    );
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_daemon_that_is_killed_loses_no_event() {
    let mut subscriber = Subscriber::takes_all();
    let world = world(&subscriber, &format!("format = \"both\"\n{}", patient()));
    subscriber.goes_away();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    served.service.kill();
    let mut hangs = Subscriber::open(|_, _| Answer::Hangs);
    tell(&world, &hangs, &format!("format = \"both\"\n{}", patient()));
    let served = Served::start(&world);
    served.wait_for("a delivery", |_| (!hangs.came().is_empty()).then_some(()));
    served.service.kill();
    let cut = hangs.came();
    hangs.goes_away();
    subscriber.comes_back();
    tell(
        &world,
        &subscriber,
        &format!("format = \"both\"\n{}", patient()),
    );
    let served = Served::start(&world);
    served.wait_for("every event", |_| {
        listed(&world, &["--state", "waiting"])
            .is_empty()
            .then_some(())
    });
    assert_eq!(Picture::of(&subscriber.taken()).accounts(), linked(&world));
    for delivery in cut {
        assert!(ids(&subscriber).contains(&text(&delivery.body["id"])));
    }
    assert_eq!(served.stop(), 0);
}

#[test]
fn a_subscriber_can_be_tried_out_and_one_that_wants_nothing_is_left_alone() {
    let subscriber = Subscriber::takes_all();
    let world = world(&subscriber, "format = \"both\"");
    let said = events(&world, &["test", "--format", "json"])
        .ends_with(0)
        .json();
    let tried = subscriber.taken().remove(0);
    assert_eq!(tried.body["id"], said["id"]);
    assert_eq!(tried.body["type"], "rosterd.test");
    is_signed(&tried, SECRET);
    let checked = world.run(&["check"]).ends_with(0);
    assert!(checked.out.contains("events wait"), "{}", checked.out);

    let gone = Subscriber::open(|_, _| Answer::Says("410 Gone"));
    tell(&world, &gone, "format = \"both\"");
    let said = events(&world, &["test"]).ends_with(1);
    assert!(
        said.err.contains("410") && !said.err.contains("/hook"),
        "{}",
        said.err
    );
    world.sync(&[]);
    let asked = gone.came().len();
    world.sync(&["--full"]);
    assert_eq!(gone.came().len(), asked, "it is asked no more");
    let checked = world.run(&["check"]);
    assert!(
        checked.out.contains("wants no more events"),
        "{}",
        checked.out
    );
    // Another address is another subscriber.
    tell(&world, &subscriber, "format = \"both\"\nretry = [\"0s\"]");
    world.sync(&[]);
    assert_eq!(
        Picture::of(&subscriber.taken()[1..]).accounts(),
        linked(&world)
    );
}

#[test]
fn settings_that_cannot_be_carried_out_are_refused_in_a_line() {
    let subscriber = Subscriber::takes_all();
    let world = world(&subscriber, "");
    let refused = |lines: &str, url: &str, secret: &str| {
        tell(&world, &subscriber, lines);
        std::fs::write(world.home.path().join("hook.url"), url).expect("it can be written");
        std::fs::write(world.home.path().join("hook.secret"), secret).expect("it can be written");
        let said = events(&world, &["test"]).ends_with(2).err;
        assert!(!said.contains("hunter2"), "{said}");
        said
    };
    let url = subscriber.url();
    let said = refused("", "https://10.1.2.3/hunter2", SECRET);
    assert!(
        said.contains("'targets.hooks.url' names a private address"),
        "{said}"
    );
    let said = refused("", "http://app.example.com/hunter2", SECRET);
    assert!(
        said.contains("'targets.hooks.url' must begin with https://"),
        "{said}"
    );
    let said = refused("", &url, "hunter2");
    assert!(
        said.contains("'targets.hooks.secret' must be 'whsec_'"),
        "{said}"
    );
    let said = refused("retry = []", &url, SECRET);
    assert!(said.contains("'targets.hooks.retry' must hold"), "{said}");
    let said = refused("retry = [\"soon\"]", &url, SECRET);
    assert!(
        said.contains("'targets.hooks.retry' must be a length of time"),
        "{said}"
    );
}

#[test]
fn rules_about_devices_are_refused_before_a_run() {
    let subscriber = Subscriber::takes_all();
    let source = Source::entra().everyone();
    let portal = Portal::new("mdm", "unassign_devices").from(&["entra"]);
    let world = World::small(Settings::new(vec![source], vec![portal]));
    tell(&world, &subscriber, "");
    let checked = world.run(&["check"]);
    assert_eq!(checked.code, 1, "{}", checked.out);
    assert!(
        checked.out.contains("cannot be 'unassign_devices'"),
        "{}",
        checked.out
    );
    let said = world.run(&["sync"]).ends_with(1);
    assert!(said.err.contains("knows no devices"), "{}", said.err);
    assert!(subscriber.came().is_empty());
}

#[test]
fn a_dry_run_tells_nobody() {
    let subscriber = Subscriber::takes_all();
    let world = world(&subscriber, "");
    let plan = world.json(&["plan", "--format", "json"]);
    assert!(!deeds(&plan).is_empty());
    assert!(subscriber.came().is_empty());
    assert_eq!(listed(&world, &[]), Vec::<Value>::new());
}
