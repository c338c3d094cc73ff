//! The postgres target, with a real PostgreSQL: what stands in its tables, what is told about
//! it, and what is left when either side is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::chance::Chance;
use crate::cluster::{Cluster, PASSWORD, belongs_to_server};
use crate::oracle::Oracle;
use crate::service::eventually;
use crate::settings::{Portal, Settings, Source};
use crate::world::{Said, World, deeds, text};

/// A pretend company, a database, and rosterd between them.
struct Place {
    world: World,
    cluster: Cluster,
    client: Client,
}

fn portals() -> Vec<Portal> {
    vec![
        Portal {
            default_role: Some("viewer"),
            continuous: true,
            ..Portal::new("dashboard", "remove")
        },
        Portal {
            push: vec!["Portal *", "applivery-a*"],
            ..Portal::new("directory", "disable")
        },
    ]
}

impl Place {
    fn new() -> Place {
        Place::with(portals(), "")
    }

    /// With further lines of the target's section.
    fn with(portals: Vec<Portal>, lines: &str) -> Place {
        let cluster = Cluster::start();
        let sources = vec![Source::entra(), Source::okta()];
        let world = World::small(Settings::new(sources, portals));
        let client = cluster.client("postgres");
        let place = Place {
            world,
            cluster,
            client,
        };
        place.settings(&place.cluster.url(), lines);
        place
    }

    /// Writes the settings, with every portal in the database.
    fn settings(&self, url: &str, lines: &str) {
        let world = &self.world;
        let text = world.settings.toml(&world.state(), &world.sim.base_url());
        let text = text.replace("target = \"local\"", "target = \"db\"");
        let target =
            format!("\n[targets.db]\nkind = \"postgres\"\nurl = {{ file = \"url\" }}\n{lines}\n");
        let file = world.home.path().join("url");
        std::fs::write(&file, url).expect("the url can be written");
        let target = target.replace("\"url\"", &format!("{:?}", file.to_string_lossy()));
        std::fs::write(world.config(), text + &target).expect("the settings can be written");
    }

    fn texts(&self, sql: &str) -> Vec<String> {
        self.cluster.texts(&self.client, sql)
    }

    fn number(&self, sql: &str) -> i64 {
        self.cluster.number(&self.client, sql)
    }

    fn run(&self, sql: &str) {
        self.cluster.run(&self.client, sql);
    }

    /// Some who have an account in both portals and whom nothing spares: their ids at Entra.
    fn people(&self, count: usize) -> Vec<String> {
        let rows = self.texts(
            "select u.idp_id from directory_users u join portal_accounts a on a.user_id = u.id
             where u.directory = 'entra' and a.state = 'active'
             group by u.idp_id having count(*) = 2 and coalesce(max(a.role), '') <> 'admin'
             order by u.idp_id",
        );
        let people = rows.iter().map(|row| text(&parsed(row)["idp_id"]));
        let people: Vec<String> = people.take(count).collect();
        assert_eq!(people.len(), count, "there are people enough");
        people
    }

    /// Gives a user at Entra other properties.
    fn patch(&self, user: &str, props: Value) {
        let path = format!("graph/users/{user}");
        self.world.control("PATCH", &path, props);
    }

    fn counter(&self) -> i64 {
        self.number("select seq from rosterd_counter")
    }

    /// Everything in the tables, with what tells whether a row was written again.
    fn everything(&self) -> BTreeMap<&'static str, Vec<String>> {
        let tables = [
            "directory_users",
            "directory_groups",
            "directory_memberships",
            "portal_accounts",
            "directory_events",
            "rosterd_counter",
            "rosterd_schema",
        ];
        let rows = tables.map(|table| {
            let mut rows = self.texts(&format!("select xmin::text, t.* from {table} t"));
            rows.sort();
            (table, rows)
        });
        rows.into()
    }

    /// Compares the tables with what rosterd says it has applied, portal by portal.
    #[track_caller]
    fn agrees(&self) {
        for portal in &self.world.settings.portals {
            self.agrees_in(&portal.name);
        }
        self.adds_up();
    }

    #[track_caller]
    fn agrees_in(&self, portal: &str) {
        let sql = format!(
            "select a.key, a.state, a.role, a.user_name, a.email, a.display_name, a.given_name,
               a.family_name, a.attributes, a.metadata, u.directory, u.idp_id,
               array(select g.name from directory_memberships m
                 join directory_groups g on g.id = m.group_id
                 where m.user_id = a.user_id and '{portal}' = any(m.portals)
                 order by g.name collate \"C\") as groups
             from portal_accounts a join directory_users u on u.id = a.user_id
             where a.portal = '{portal}' and a.state <> 'removed' order by a.key collate \"C\""
        );
        let there: Vec<Value> = self.texts(&sql).iter().map(|row| parsed(row)).collect();
        let exported = self.world.accounts(portal);
        let exported: Vec<Value> = exported
            .as_array()
            .expect("a list")
            .iter()
            .map(as_row)
            .collect();
        assert_eq!(json!(there), json!(exported), "accounts of {portal}");

        let sql = format!(
            "select g.name, g.external_id, array(select a.key from directory_memberships m
               join portal_accounts a on a.user_id = m.user_id and a.portal = '{portal}'
                 and a.state <> 'removed'
               where m.group_id = g.id and '{portal}' = any(m.portals)
               order by a.key collate \"C\") as members
             from directory_groups g where '{portal}' = any(g.portals) and g.deleted_at is null
             order by g.name collate \"C\", g.external_id collate \"C\""
        );
        let there: Vec<Value> = self.texts(&sql).iter().map(|row| parsed(row)).collect();
        let exported = self.world.groups(portal);
        let exported: Vec<Value> = exported
            .as_array()
            .expect("a list")
            .iter()
            .map(|group| {
                json!({
                    "name": group["displayName"], "external_id": group["externalId"],
                    "members": group["members"],
                })
            })
            .collect();
        assert_eq!(json!(there), json!(exported), "groups of {portal}");
    }

    /// What must hold of the tables whatever happened: every row's number is that of the event
    /// that told of it, there is no gap, and who followed the events has what the tables have.
    #[track_caller]
    fn adds_up(&self) {
        let events = self.number("select count(*) from directory_events");
        assert_eq!(events, self.counter(), "there is an event for every number");
        for (table, kind) in [
            ("directory_users", "user.%"),
            ("directory_groups", "group.%"),
            ("portal_accounts", "account.%"),
            ("directory_memberships", "group.user%"),
        ] {
            let loose = format!(
                "select count(*) from {table} t where not exists (select from directory_events e
                 where e.seq = t.seq and e.type like '{kind}')"
            );
            assert_eq!(
                self.number(&loose),
                0,
                "rows of {table} without their event"
            );
        }
        let mut followed = Followed::default();
        followed.read(self.texts("select seq, type, payload from directory_events order by seq"));
        let there = |sql: &str| self.texts(sql).into_iter().collect::<BTreeSet<String>>();
        assert_eq!(
            followed.accounts,
            there(
                "select portal, user_id, key, state from portal_accounts where state <> 'removed'"
            )
        );
        assert_eq!(
            followed.memberships,
            there("select group_id, user_id from directory_memberships")
        );
    }

    /// Runs that must find nothing to do, and write nothing.
    #[track_caller]
    fn quiet(&self) {
        let before = self.everything();
        self.world.quiet();
        assert_eq!(before, self.everything(), "a quiet run writes nothing");
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("the server writes JSON")
}

/// An account as it is exported, in the words of the tables.
fn as_row(account: &Value) -> Value {
    json!({
        "key": account["key"],
        "state": if account["active"] == true { "active" } else { "disabled" },
        "role": account["role"], "user_name": account["userName"], "email": account["email"],
        "display_name": account["displayName"], "given_name": account["name"]["givenName"],
        "family_name": account["name"]["familyName"], "attributes": account["attributes"],
        "metadata": account["metadata"], "directory": account["source"],
        "idp_id": account["source_id"], "groups": account["groups"],
    })
}

/// What somebody knows who only ever read the events.
#[derive(Default)]
struct Followed {
    last: i64,
    accounts: BTreeSet<String>,
    memberships: BTreeSet<String>,
    states: BTreeMap<String, String>,
}

impl Followed {
    fn read(&mut self, events: Vec<String>) {
        for event in events {
            let event = parsed(&event);
            let seq = event["seq"].as_i64().expect("a number");
            assert_eq!(seq, self.last + 1, "no number is left out");
            self.last = seq;
            let (kind, said) = (text(&event["type"]), &event["payload"]);
            match kind.as_str() {
                "account.created" | "account.updated" | "account.removed" => {
                    let place = format!("{} {}", said["portal"], said["user_id"]);
                    if let Some(before) = self.states.remove(&place) {
                        self.accounts.remove(&before);
                    }
                    if kind != "account.removed" {
                        let row = format!(
                            "{{\"portal\":{},\"user_id\":{},\"key\":{},\"state\":{}}}",
                            said["portal"], said["user_id"], said["key"], said["state"]
                        );
                        self.states.insert(place, row.clone());
                        self.accounts.insert(row);
                    }
                }
                "group.user_added" | "group.user_removed" => {
                    let row = membership(&said["group_id"], &said["user_id"]);
                    match kind.as_str() {
                        "group.user_added" => assert!(self.memberships.insert(row)),
                        _ => assert!(self.memberships.remove(&row)),
                    }
                }
                // Goes with all its members, and says so once.
                "group.deleted" => {
                    let group = format!("{{\"group_id\":{},", said["id"]);
                    self.memberships.retain(|row| !row.starts_with(&group));
                }
                _ => {}
            }
        }
    }
}

fn membership(group: &Value, user: &Value) -> String {
    format!("{{\"group_id\":{group},\"user_id\":{user}}}")
}

#[test]
fn the_tables_hold_what_the_rules_ask_for_and_a_second_run_writes_nothing() {
    let place = Place::new();
    let mut oracle = Oracle::default();
    place.world.sync(&[]);
    oracle.turn(&place.world.settings, &place.world.sim);
    oracle.agrees(&place.world);
    place.agrees();
    place.quiet();
    let view = place.number("select count(*) from active_accounts");
    let active = place.number("select count(*) from portal_accounts where state = 'active'");
    assert!(active > 10);
    assert_eq!(view, active);
}

#[test]
fn who_is_renamed_disabled_removed_and_returns_keeps_a_row() {
    let place = Place::new();
    let mut oracle = Oracle::default();
    let step = |oracle: &mut Oracle| {
        let plan = place.world.sync(&[]);
        oracle.turn(&place.world.settings, &place.world.sim);
        oracle.agrees(&place.world);
        place.agrees();
        place.quiet();
        plan
    };
    step(&mut oracle);
    let people = place.people(1);
    let user = &people[0];
    let row = |columns: &str| {
        let sql = format!("select {columns} from directory_users where idp_id = '{user}'");
        let rows = place.texts(&sql);
        assert_eq!(rows.len(), 1, "{rows:?}");
        parsed(&rows[0])
    };
    let id = row("id");
    let path = format!("graph/users/{user}");
    let patch = |props: Value| place.patch(user, props);

    patch(json!({ "mail": "Renamed@Contoso.com", "userPrincipalName": "renamed@contoso.com" }));
    step(&mut oracle);
    assert_eq!(row("id"), id, "a new name is no new user");
    assert_eq!(
        row("email, email_lower")["email_lower"],
        "renamed@contoso.com"
    );

    patch(json!({ "accountEnabled": false }));
    step(&mut oracle);
    let now = row("active, deleted_at");
    assert_eq!(now, json!({ "active": false, "deleted_at": null }));
    let states = format!(
        "select portal, state from portal_accounts a join directory_users u on u.id = a.user_id
         where u.idp_id = '{user}' order by portal"
    );
    let states: Vec<Value> = place.texts(&states).iter().map(|row| parsed(row)).collect();
    assert_eq!(
        json!(states),
        json!([
            { "portal": "dashboard-remove", "state": "removed" },
            { "portal": "directory-disable", "state": "disabled" },
        ])
    );

    patch(json!({ "accountEnabled": true }));
    step(&mut oracle);
    assert_eq!(
        row("active, deleted_at"),
        json!({ "active": true, "deleted_at": null })
    );

    place.world.control("DELETE", &path, Value::Null);
    step(&mut oracle);
    let gone = row("id, active, deleted_at is not null as deleted");
    assert_eq!(gone["id"], id["id"], "a deleted user's row is kept");
    assert_eq!(gone["deleted"], true);
}

#[test]
fn two_who_swap_their_addresses_swap_their_keys() {
    let place = Place::new();
    place.world.sync(&[]);
    let people = place.people(2);
    let (one, other) = (&people[0], &people[1]);
    let key = |user: &str| {
        let sql = format!(
            "select key from portal_accounts a join directory_users u on u.id = a.user_id
             where u.idp_id = '{user}' and portal = 'directory-disable'"
        );
        text(&parsed(&place.texts(&sql)[0])["key"])
    };
    let before = (key(one), key(other));
    for (user, mail) in [(one, &before.1), (other, &before.0)] {
        place.patch(user, json!({ "mail": mail }));
    }
    place.world.sync(&[]);
    assert_eq!((key(one), key(other)), (before.1, before.0));
    place.agrees();
    place.quiet();
}

#[test]
fn a_change_of_k_people_touches_their_rows_and_no_others() {
    let place = Place::new();
    place.world.sync(&[]);
    let (before, seq) = (place.everything(), place.counter());
    for user in &place.people(3) {
        place.patch(user, json!({ "jobTitle": "Captain" }));
    }
    let plan = place.world.sync(&[]);
    let actions = deeds(&plan).len() as i64;
    assert_eq!(actions, 6, "both portals carry the title");
    // An action is a row of an account; beside it each user's own.
    assert_eq!(place.counter() - seq, actions + 3);
    let after = place.everything();
    let rewritten = |table: &str| {
        let before: BTreeSet<&String> = before[table].iter().collect();
        after[table]
            .iter()
            .filter(|row| !before.contains(row))
            .count() as i64
    };
    assert_eq!(rewritten("directory_users"), 3);
    assert_eq!(rewritten("portal_accounts"), actions);
    assert_eq!(rewritten("directory_memberships"), 0);
    assert_eq!(rewritten("directory_groups"), 0);
    place.agrees();
}

#[test]
fn a_random_history_ends_in_the_tables_as_the_rules_ask() {
    let place = Place::new();
    let mut oracle = Oracle::default();
    let mut chance = Chance::new(crate::chance::times("ROSTERD_SEED", 7) as u64);
    let world = &place.world;
    for _ in 0..crate::chance::times("ROSTERD_POSTGRES_ROUNDS", 6) {
        for _ in 0..10 {
            change(world, &mut chance);
        }
        world.sync(&[]);
        oracle.turn(&world.settings, &world.sim);
        oracle.agrees(world);
        place.agrees();
    }
    place.quiet();
}

/// One change of a company.
fn change(world: &World, chance: &mut Chance) {
    let truth = world.sim.graph_truth();
    let users = truth["users"].as_array().expect("a list");
    let groups = truth["groups"].as_array().expect("a list");
    let user = text(&chance.pick(users).expect("there is one")["id"]);
    let group = text(&chance.pick(groups).expect("there is one")["id"]);
    let number = chance.below(1000);
    let path = format!("graph/users/{user}");
    match chance.below(8) {
        0 => drop(world.control(
            "PATCH",
            &path,
            json!({ "department": format!("D{number}") }),
        )),
        1 => drop(world.control(
            "PATCH",
            &path,
            json!({ "mail": format!("m{number}@contoso.com") }),
        )),
        2 | 3 => {
            let enabled = chance.below(2) == 0;
            drop(world.control("PATCH", &path, json!({ "accountEnabled": enabled })));
        }
        4 => {
            let name = format!("Portal {number}");
            drop(world.control(
                "PATCH",
                &format!("graph/groups/{group}"),
                json!({ "displayName": name }),
            ));
        }
        // Whether they were in it or not.
        5 => drop(world.sim.add_member(&group, &user)),
        6 => {
            let path = format!("/sim/graph/groups/{group}/members/{user}");
            drop(world.sim.control("DELETE", &path, Value::Null));
        }
        _ => {
            let login = format!("n{number}@contoso.com");
            let made = world.sim.create_user(json!({
                "displayName": login, "userPrincipalName": login, "mail": login,
                "accountEnabled": true,
            }));
            if let Ok(made) = made {
                drop(world.sim.add_member(&group, &text(&made["id"])));
            }
        }
    }
}

#[test]
fn a_listener_is_told_the_newest_number_and_loses_nothing_by_reading_up_to_it() {
    let place = Place::new();
    let (listener, mut notices) = place.cluster.listen("app_reader", "rosterd");
    place.world.sync(&[]);
    place.run("grant usage on schema rosterd to app_reader; grant select on all tables in schema rosterd to app_reader");
    let mut followed = Followed::default();
    let catch_up = |followed: &mut Followed| {
        let sql = format!(
            "select seq, type, payload from rosterd.directory_events where seq > {} order by seq",
            followed.last
        );
        followed.read(place.cluster.texts(&listener, &sql));
    };
    for _ in 0..3 {
        let told: i64 = place.cluster.newest(&mut notices);
        assert_eq!(told, place.counter(), "the newest number and nothing else");
        catch_up(&mut followed);
        assert_eq!(followed.last, told);
        let title = format!("Title {told}");
        place.patch(&place.people(1)[0], json!({ "jobTitle": title }));
        place.world.sync(&[]);
    }
}

#[test]
fn readers_beside_the_writer_see_every_number_once_and_in_order() {
    let place = Place::new();
    let reader = place.cluster.client("postgres");
    std::thread::scope(|scope| {
        let following = scope.spawn(|| {
            let mut followed = Followed::default();
            loop {
                // Asked before the events are read: a number seen here is readable there.
                let done = place.cluster.number(
                    &reader,
                    "select count(*) from pg_class where relname = 'the_end'",
                );
                let there = "select to_regclass('rosterd.directory_events') is not null";
                if place
                    .cluster
                    .number(&reader, &format!("select ({there})::int"))
                    == 1
                {
                    let sql = format!(
                        "select seq, type, payload from rosterd.directory_events \
                         where seq > {} order by seq",
                        followed.last
                    );
                    followed.read(place.cluster.texts(&reader, &sql));
                }
                if done == 1 {
                    return followed.last;
                }
            }
        });
        place.world.sync(&[]);
        let mut chance = Chance::new(11);
        for _ in 0..3 {
            for _ in 0..8 {
                change(&place.world, &mut chance);
            }
            place.world.sync(&[]);
        }
        place.run("create table public.the_end ()");
        assert_eq!(following.join().expect("no panic"), place.counter());
    });
}

/// Has every transaction that writes an account stop there until the test lets it go on.
const STOPS: &str = "
    create function public.stops() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock_shared(42); return new; end $$;
    create trigger stops before insert or update on portal_accounts
      for each row execute function public.stops();
    select pg_advisory_lock(42)";

/// Waits until rosterd's transaction has come to a stop.
fn waits_for_stop(place: &Place, looker: &Client) {
    eventually(
        || {
            let waiting =
                "select count(*) from pg_locks where locktype = 'advisory' and not granted";
            place.cluster.number(looker, waiting) > 0
        },
        || "rosterd's transaction to stop at the trigger".to_owned(),
    );
}

fn begin_sync(place: &Place) -> Child {
    let mut command = place.world.command(&["sync", "--format", "json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("rosterd starts")
}

fn somebody_changes(place: &Place) {
    for user in place.people(5) {
        place.patch(&user, json!({ "department": "Moved" }));
    }
}

#[test]
fn a_server_killed_in_mid_apply_is_owed_the_rest_and_catches_up() {
    let mut place = Place::new();
    place.world.sync(&[]);
    let (before, looker) = (place.everything(), place.cluster.client("postgres"));
    place.run(STOPS);
    somebody_changes(&place);
    let run = begin_sync(&place);
    waits_for_stop(&place, &looker);
    place.cluster.crash();
    let said = Said::from(run.wait_with_output().expect("it ends"));
    let plan = said.ends_with(3).json();
    assert_eq!(plan["status"], "partly_applied");
    let error = text(&plan["actions"][0]["outcome"]["error"]);
    assert!(error.starts_with("PostgreSQL at "), "{error}");
    assert!(!error.contains(PASSWORD));
    // Away as a whole: nothing is asked of it before the next run.
    place.world.run(&["sync", "--format", "json"]).ends_with(3);

    place.cluster.restart();
    place.client = place.cluster.client("postgres");
    assert_eq!(before, place.everything(), "nothing is half there");
    place.run("drop trigger stops on portal_accounts");
    place.world.sync(&[]);
    place.agrees();
    place.quiet();
}

#[test]
fn rosterd_killed_in_mid_transaction_leaves_nothing_behind_and_goes_on() {
    let place = Place::new();
    place.world.sync(&[]);
    let (before, looker) = (place.everything(), place.cluster.client("postgres"));
    place.run(STOPS);
    somebody_changes(&place);
    let mut run = begin_sync(&place);
    waits_for_stop(&place, &looker);
    run.kill().expect("it can be killed");
    run.wait().expect("it ends");
    place.run("select pg_advisory_unlock(42)");
    // The server still carries the last statement out, and only then finds nobody there.
    let others = "select count(*) from pg_stat_activity where application_name = 'rosterd'";
    eventually(
        || place.number(others) == 0,
        || "its session to end".to_owned(),
    );
    assert_eq!(before, place.everything(), "nothing is half there");
    place.run("drop trigger stops on portal_accounts");
    place.world.sync(&[]);
    place.agrees();
    place.quiet();
}

#[test]
fn a_run_that_could_not_note_what_it_did_does_it_again_without_a_trace() {
    let place = Place::new();
    let (state, kept) = (place.world.state(), place.world.home.path().join("kept"));
    place.world.run(&["check"]);
    copy(&state, &kept);
    place.world.sync(&[]);
    let after = place.everything();
    // The store is as it was before: rosterd was killed behind the commit.
    std::fs::remove_dir_all(&state).expect("it can be removed");
    copy(&kept, &state);
    let plan = place.world.sync(&[]);
    assert!(
        deeds(&plan)
            .iter()
            .any(|deed| deed.contains("adopt_account"))
    );
    assert_eq!(
        after,
        place.everything(),
        "no second row, and no second event"
    );
    place.agrees();
    place.quiet();
}

fn copy(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(copied.expect("cp runs").success());
}

#[test]
fn one_row_that_the_database_refuses_holds_no_other_back() {
    let place = Place::new();
    place.world.sync(&[]);
    let people = place.people(4);
    let victim = &people[2];
    // A rule of the application's own.
    place.run("alter table portal_accounts add constraint no_captains check (attributes->>'title' <> 'Captain')");
    for (user, title) in people.iter().zip(["Mate", "Cook", "Captain", "Mate"]) {
        place.patch(user, json!({ "jobTitle": title }));
    }
    let said = place.world.run(&["sync", "--format", "json"]).ends_with(3);
    let plan = said.json();
    let failed = plan["actions"].as_array().expect("a list").iter();
    let failed: Vec<&Value> = failed
        .filter(|action| action["outcome"]["status"] != "done")
        .collect();
    assert!(!failed.is_empty());
    for action in failed {
        assert_eq!(action["subject"]["id"], victim.as_str());
        let error = text(&action["outcome"]["error"]);
        assert!(error.contains("no_captains"), "{error}");
    }
    place.patch(victim, json!({ "jobTitle": "Passenger" }));
    place.world.sync(&[]);
    place.agrees();
    place.quiet();
}

#[test]
fn a_second_writer_is_refused_in_one_line() {
    let place = Place::new();
    place.world.sync(&[]);
    let daemon = crate::service::Service::start(&place.world);
    place.patch(&place.people(1)[0], json!({ "jobTitle": "First" }));
    // Over the daemon, which from then on holds the tables.
    place.world.sync(&[]);
    let other = Place {
        world: World::small(place.world.settings.clone()),
        cluster: Cluster::start(),
        client: place.cluster.client("postgres"),
    };
    other.settings(&place.cluster.url(), "");
    let said = other.world.run(&["sync"]);
    assert!(said.code != 0, "{said:?}");
    let words = "another rosterd writes to schema 'rosterd' of this database: only one may";
    assert!(
        said.out.contains(words) || said.err.contains(words),
        "{said:?}"
    );
    let said = other.world.run(&["check"]).ends_with(1);
    assert!(said.out.contains(words), "{}", said.out);
    place.world.run(&["check"]).ends_with(0);
    daemon.stop();
}

#[test]
fn the_reader_role_reads_everything_and_writes_nothing() {
    let place = Place::with(portals(), "reader_role = \"app_reader\"");
    place.world.run(&["check"]).ends_with(0);
    place.world.sync(&[]);
    let reader = place.cluster.client("app_reader");
    assert!(
        place
            .cluster
            .number(&reader, "select count(*) from active_accounts")
            > 0
    );
    assert_eq!(
        place
            .cluster
            .number(&reader, "select max(seq) from directory_events"),
        place.counter()
    );
    for sql in [
        "update portal_accounts set role = 'admin'",
        "delete from directory_events",
        "insert into rosterd_schema values (7)",
        "create table rosterd.mine ()",
    ] {
        let refused = place.cluster.block_on(reader.batch_execute(sql));
        let code = refused
            .expect_err(sql)
            .code()
            .expect("of the server")
            .code()
            .to_owned();
        assert_eq!(code, "42501", "{sql}");
    }
    place.quiet();
    place.settings(&place.cluster.url(), "reader_role = \"nobody_there\"");
    let said = place.world.run(&["check"]).ends_with(1);
    assert!(
        said.out.contains("the database has no role 'nobody_there'"),
        "{}",
        said.out
    );
}

#[test]
fn check_says_what_is_wrong_and_how_to_mend_it_without_the_password() {
    let place = Place::new();
    let check = |url: &str| {
        place.settings(url, "");
        let said = place.world.run(&["check"]);
        assert!(!said.out.contains(PASSWORD) && !said.err.contains(PASSWORD));
        assert!(place.number("select count(*) from pg_namespace where nspname = 'rosterd'") == 0);
        said
    };
    let url = place.cluster.url();
    let said = check(&url).ends_with(0);
    assert!(
        said.out
            .contains("the tables of schema 'rosterd' will be made by the first run")
    );
    let said = check(&url.replace("/app", "/nothing")).ends_with(1);
    assert!(
        said.out.contains("database \"nothing\" does not exist"),
        "{}",
        said.out
    );
    let said = check(
        &place
            .cluster
            .tcp_url("db.example.com")
            .replace("/app", "/app?sslmode=disable"),
    )
    .ends_with(1);
    assert!(said.err.contains("sslmode=verify-full"), "{}", said.err);

    let reader = url.replace("//rosterd:", "//app_reader:");
    let said = check(&reader).ends_with(1);
    assert!(
        said.out
            .contains("create schema \"rosterd\" authorization \"app_reader\""),
        "{}",
        said.out
    );
    let said = place.world.run(&["sync"]);
    assert!(said.code != 0);
    assert!(
        said.out.contains("permission denied") || said.err.contains("permission denied"),
        "{said:?}"
    );
}

#[test]
fn a_schema_of_a_newer_rosterd_is_left_alone() {
    let place = Place::new();
    place.world.sync(&[]);
    place.run("insert into rosterd_schema (version) values (99)");
    somebody_changes(&place);
    let before = place.everything();
    let said = place.world.run(&["sync", "--format", "json"]).ends_with(3);
    let error = text(&said.json()["actions"][0]["outcome"]["error"]);
    assert!(
        error.contains("are of version 99, and this rosterd knows 1"),
        "{error}"
    );
    place.world.run(&["check"]).ends_with(1);
    assert_eq!(before, place.everything());
}

#[test]
fn what_is_gone_is_purged_when_its_time_has_come() {
    let place = Place::with(portals(), "purge_after = \"30d\"");
    place.world.sync(&[]);
    let gone = place.people(2);
    for user in &gone {
        place
            .world
            .control("DELETE", &format!("graph/users/{user}"), Value::Null);
    }
    place.world.sync(&[]);
    let rows = |user: &str| {
        place.number(&format!(
            "select count(*) from directory_users where idp_id = '{user}'"
        ))
    };
    assert_eq!(
        (rows(&gone[0]), rows(&gone[1])),
        (1, 1),
        "it is not time yet"
    );
    // A month goes by for one of them, and for the events of the first run.
    place.run(&format!(
        "delete from portal_accounts where portal = 'directory-disable' and user_id in
           (select id from directory_users where idp_id in ('{0}', '{1}'));
         update portal_accounts set updated_at = updated_at - interval '31 days' where user_id =
           (select id from directory_users where idp_id = '{0}');
         update directory_users set updated_at = updated_at - interval '31 days'
           where idp_id = '{0}';
         update directory_events set at = at - interval '31 days' where seq <= 10",
        gone[0], gone[1]
    ));
    somebody_changes(&place);
    place.world.sync(&[]);
    assert_eq!((rows(&gone[0]), rows(&gone[1])), (0, 1));
    assert_eq!(place.number("select min(seq) from directory_events"), 11);
}

#[test]
fn what_needs_devices_is_an_error_of_check() {
    let mdm = |way: &'static str| Portal::new("mdm", way);
    let place = Place::with(vec![mdm("remove_user"), mdm("unassign_devices")], "");
    let said = place.world.run(&["check"]).ends_with(1);
    let words = "portal mdm-unassign_devices: on_deactivate = \"unassign_devices\" needs devices";
    assert!(said.out.contains(words), "{}", said.out);
    assert!(!said.out.contains("mdm-remove_user"), "{}", said.out);
    let place = Place::with(vec![mdm("remove_user")], "");
    place.world.sync(&[]);
    place.agrees();
}

#[test]
fn tls_is_used_and_the_certificate_is_looked_at_as_sslmode_says() {
    let issued = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]);
        let made = made.expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    };
    let (certificate, key) = issued("localhost");
    let home = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        use std::os::unix::fs::PermissionsExt;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).expect("it is ours");
        belongs_to_server(&path);
        path.to_string_lossy().into_owned()
    };
    let (certificate, key) = (file("server.pem", &certificate), file("server.key", &key));
    belongs_to_server(home.path());
    let cluster = Cluster::start_with(&format!(
        "ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'"
    ));
    let world = World::small(Settings::new(vec![Source::entra()], Vec::new()));
    let client = cluster.client("postgres");
    let place = Place {
        world,
        cluster,
        client,
    };
    let check = |host: &str, mode: &str, ca: &str| {
        let url = format!("{}?sslmode={mode}", place.cluster.tcp_url(host));
        place.settings(&url, ca);
        let said = place.world.run(&["check"]);
        let line = said.out.lines().find(|line| line.contains("target db"));
        line.unwrap_or_else(|| panic!("{said:?}")).to_owned()
    };
    let ours = format!("ca_file = {certificate:?}");
    let other = file("other.pem", &issued("localhost").0);
    let others = format!("ca_file = {other:?}");
    for (host, mode, ca, tls) in [
        ("localhost", "disable", "", "without TLS"),
        ("localhost", "prefer", "", "with TLS"),
        ("localhost", "require", "", "with TLS"),
        ("localhost", "verify-full", &ours, "with TLS"),
        ("127.0.0.1", "verify-ca", &ours, "with TLS"),
    ] {
        let line = check(host, mode, ca);
        assert!(
            line.starts_with("ok") && line.ends_with(tls),
            "{mode}: {line}"
        );
    }
    for (host, mode, ca) in [
        ("localhost", "verify-full", &others),
        ("localhost", "require", &others),
        ("localhost", "verify-full", &String::new()),
        ("127.0.0.1", "verify-full", &ours),
    ] {
        let line = check(host, mode, ca);
        assert!(
            line.starts_with("FAIL") && line.contains("certificate"),
            "{mode}: {line}"
        );
    }
}
