//! Portals of every kind at Applivery, against a pretend organization with its real refusals.

use rosterd_sim::SimOptions;
use serde_json::{Value, json};

use crate::settings::{Settings, Source};
use crate::world::{World, deeds, text};

/// A company that begins empty, and these portals at Applivery.
pub fn begin(target: &str, portals: &str) -> World {
    let mut settings = Settings::new(vec![Source::entra().everyone()], Vec::new());
    settings.more = more(target, portals);
    World::new(SimOptions::empty(), settings)
}

fn more(target: &str, portals: &str) -> String {
    format!(
        "[targets.applivery]\nkind = \"applivery\"\nbase_url = \"{{base}}/v1\"\n\
         organization = \"acme\"\ntoken = {{ env = \"SIM_APPLIVERY_TOKEN\" }}\n{target}\n{portals}"
    )
}

pub fn portal(name: &str, kind: &str, lines: &str) -> String {
    format!(
        "[portals.{name}]\nkind = \"{kind}\"\ntarget = \"applivery\"\nsources = [\"entra\"]\n{lines}\n"
    )
}

/// An mdm portal that fills two keys of the metadata.
pub fn mdm(lines: &str) -> String {
    let attributes = "[portals.mdm.attributes]\n\"metadata.department\" = \"department\"\n\
                      \"metadata.plan\" = { constant = \"gold\" }\n";
    portal("mdm", "mdm", lines) + attributes
}

/// Somebody new; the id at the source.
pub fn hire(world: &World, name: &str) -> String {
    let made = world.sim.create_user(json!({
        "displayName": format!("{name} Ruiz"), "userPrincipalName": format!("{name}@acme.test"),
        "mail": format!("{name}@acme.test"), "givenName": name, "surname": "Ruiz",
        "accountEnabled": true, "department": "Sales",
    }));
    text(&made.expect("a user is made")["id"])
}

pub fn group(world: &World, name: &str, members: &[&String]) -> String {
    let made = world
        .sim
        .create_group(json!({"displayName": name, "members": members}));
    text(&made.expect("a group is made")["id"])
}

pub fn change(world: &World, user: &str, props: Value) {
    world.sim.patch_user(user, props).expect("a user changes");
}

fn leave(world: &World, user: &str) {
    change(world, user, json!({"accountEnabled": false}));
}

/// What somebody else does in the organization.
pub fn elsewhere(world: &World, method: &str, path: &str, body: Value) -> Value {
    world.control(method, &format!("applivery/{path}"), body)
}

/// The people of one kind there, by address.
pub fn there(world: &World, kind: &str) -> Vec<Value> {
    let truth = world.sim.applivery_truth();
    let mut all = truth[kind].as_array().expect("a list").clone();
    // Several are made at once, in any order.
    if kind != "devices" {
        all.sort_by_key(address);
    }
    all
}

pub fn user(world: &World, name: &str) -> Option<Value> {
    let email = format!("{name}@acme.test");
    let mut users = there(world, "users").into_iter();
    users.find(|user| user["email"] == email)
}

fn address(one: &Value) -> String {
    let inside = [
        &one["email"],
        &one["user"]["email"],
        &one["employee"]["email"],
    ];
    let found = inside.into_iter().find(|email| email.is_string());
    text(found.expect("an address"))
}

fn addresses(people: &[Value]) -> Vec<String> {
    people.iter().map(address).collect()
}

fn counted(world: &World, end: &str) -> u64 {
    let stats = world.sim.stats();
    let classes = stats.classes.iter();
    classes
        .filter(|(class, _)| class.starts_with("applivery.") && class.ends_with(end))
        .map(|(_, class)| class.requests)
        .sum()
}

/// Requests that write, since they were last counted anew.
pub fn writes(world: &World) -> u64 {
    counted(world, ".write")
}

/// Nothing is left to do, and nothing is written.
#[track_caller]
pub fn quiet(world: &World) {
    world.sim.reset_stats();
    world.quiet();
    assert_eq!(writes(world), 0);
}

/// A run of which something fails: the errors, in the order of the actions.
#[track_caller]
fn fails(world: &World) -> Vec<String> {
    let plan = world.run(&["sync", "--format", "json"]).ends_with(3).json();
    assert_eq!(plan["status"], "partly_applied", "{plan:#}");
    let actions = plan["actions"].as_array().expect("a list").iter();
    actions
        .filter_map(|action| action["outcome"]["error"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn people_of_all_three_kinds_are_made_and_a_second_run_writes_nothing() {
    let portals = [
        portal("store", "store", "on_deactivate = \"remove\""),
        portal(
            "board",
            "dashboard",
            "on_deactivate = \"remove\"\ndefault_role = \"viewer\"",
        ),
        mdm("on_deactivate = \"remove_user\""),
    ];
    let world = begin("undocumented_calls = true", &portals.concat());
    let (ana, bo) = (hire(&world, "ana"), hire(&world, "bo"));
    group(&world, "applivery-admin", &[&ana]);
    let devs = group(&world, "Devs", &[&ana, &bo]);
    world.sync(&[]);
    let users = there(&world, "users");
    assert_eq!(addresses(&users), ["ana@acme.test", "bo@acme.test"]);
    let made = user(&world, "ana").expect("she is there");
    assert_eq!(made["name"], "ana Ruiz");
    assert_eq!(made["tags"], json!(["Devs", "applivery-admin"]));
    assert_eq!(
        made["metadata"],
        json!({"department": "Sales", "plan": "gold"})
    );
    let board = there(&world, "collaborators");
    let roles: Vec<&Value> = board.iter().map(|one| &one["role"]).collect();
    assert_eq!(roles, ["admin", "viewer"]);
    assert_eq!(board[1]["user"]["firstName"], "bo");
    assert_eq!(
        there(&world, "employees")[0]["tags"],
        json!(["Devs", "applivery-admin"])
    );
    // One request an account, and one more for a role that is not the usual one.
    assert_eq!(writes(&world), 2 + 2 + 2 + 1);
    quiet(&world);

    world.sim.remove_member(&devs, &bo).expect("he leaves it");
    world.sync(&[]);
    assert_eq!(writes(&world), 3);
    assert_eq!(user(&world, "bo").expect("he is there")["tags"], json!([]));
    leave(&world, &bo);
    world.sync(&[]);
    for kind in ["users", "collaborators", "employees"] {
        assert_eq!(addresses(&there(&world, kind)), ["ana@acme.test"], "{kind}");
    }
    quiet(&world);
}

#[test]
fn a_change_of_one_is_one_request_and_a_groups_name_is_its_members_tags() {
    let world = begin("", &mdm(""));
    let (ana, bo) = (hire(&world, "ana"), hire(&world, "bo"));
    let devs = group(&world, "Devs", &[&ana, &bo]);
    world.sync(&[]);
    // What others keep there stays.
    let theirs = json!({"metadata": {"department": "Sales", "plan": "gold", "seat": "7"}});
    elsewhere(&world, "PATCH", "users/ana@acme.test", theirs);
    world.sim.reset_stats();
    change(
        &world,
        &ana,
        json!({"department": "Lab", "displayName": "Ana R."}),
    );
    world.sync(&[]);
    assert_eq!(writes(&world), 1);
    let now = user(&world, "ana").expect("she is there");
    assert_eq!(now["name"], "Ana R.");
    assert_eq!(
        now["metadata"],
        json!({"department": "Lab", "plan": "gold", "seat": "7"})
    );
    change(&world, &ana, json!({"department": null}));
    world.sync(&[]);
    let now = user(&world, "ana").expect("she is there");
    assert_eq!(now["metadata"], json!({"plan": "gold", "seat": "7"}));
    world.sim.reset_stats();
    world.control(
        "PATCH",
        &format!("graph/groups/{devs}"),
        json!({"displayName": "Makers"}),
    );
    world.sync(&[]);
    assert_eq!(writes(&world), 2);
    for name in ["ana", "bo"] {
        assert_eq!(
            user(&world, name).expect("there")["tags"],
            json!(["Makers"])
        );
    }
    // A tag of the same name on somebody else is somebody else's.
    let foreign = json!({"email": "cy@acme.test", "tags": ["Makers"]});
    elsewhere(&world, "POST", "users", foreign);
    world.control("DELETE", &format!("graph/groups/{devs}"), Value::Null);
    world.sync(&[]);
    for (name, tags) in [
        ("ana", json!([])),
        ("bo", json!([])),
        ("cy", json!(["Makers"])),
    ] {
        assert_eq!(user(&world, name).expect("there")["tags"], tags, "{name}");
    }
    quiet(&world);
}

const PLATFORMS: [&str; 3] = ["apple", "windows", "android"];

/// Ana with a device of each platform, and whatever the portal does when she goes.
fn with_devices(target: &str, way: &str) -> (World, String) {
    let world = begin(target, &mdm(way));
    let ana = hire(&world, "ana");
    hire(&world, "bo");
    world.sync(&[]);
    for platform in PLATFORMS {
        for policy in ["usual", "locked"] {
            let body = json!({"id": format!("{platform}-{policy}"), "name": policy});
            elsewhere(&world, "POST", &format!("policies/{platform}"), body);
        }
        for who in ["ana", "bo"] {
            let user = format!("{who}@acme.test");
            let body = json!({"user": user, "policy": format!("{platform}-usual")});
            elsewhere(&world, "POST", &format!("devices/{platform}"), body);
        }
    }
    (world, ana)
}

/// Whose the devices are and under which policy, in the order in which they were made.
fn devices(world: &World) -> Vec<(String, Option<String>, String)> {
    let shown = |device: Value| {
        (
            text(&device["platform"]),
            device["user"].as_str().map(str::to_owned),
            text(&device["policy"]),
        )
    };
    there(world, "devices").into_iter().map(shown).collect()
}

const POLICIES: &str = "policies = { apple = \"apple-locked\", windows = \"windows-locked\", android = \"android-locked\" }";

#[test]
fn every_way_to_let_a_user_go_does_what_it_says() {
    let allowed = "remove_devices_allowed = true";
    for (target, way) in [
        ("", "on_deactivate = \"nothing\""),
        ("", "on_deactivate = \"unassign_devices\""),
        (
            POLICIES,
            "on_deactivate = \"change_policy\"\npolicy = \"Quarantine\"",
        ),
        ("", "on_deactivate = \"remove_user\""),
        (allowed, "on_deactivate = \"remove_user_and_devices\""),
    ] {
        let (world, ana) = with_devices(target, way);
        leave(&world, &ana);
        world.sync(&[]);
        let stays = !way.contains("remove_user");
        assert_eq!(user(&world, "ana").is_some(), stays, "{way}");
        let all = devices(&world);
        for platform in PLATFORMS {
            let of = |number: usize| all.iter().filter(|d| d.0 == platform).nth(number);
            if way.contains("and_devices") {
                assert_eq!(of(0).expect("bo's").1.as_deref(), Some("bo@acme.test"));
                assert_eq!(of(1), None, "{way}");
                continue;
            }
            let (hers, his) = (of(0).expect("hers"), of(1).expect("his"));
            let keeps = way.contains("nothing") || way.contains("change_policy");
            assert_eq!(hers.1.is_some(), keeps, "{way}: {all:?}");
            let policy = if way.contains("change_policy") {
                "locked"
            } else {
                "usual"
            };
            assert_eq!(hers.2, format!("{platform}-{policy}"), "{way}");
            assert_eq!(his.1.as_deref(), Some("bo@acme.test"), "{way}");
            assert_eq!(his.2, format!("{platform}-usual"), "{way}");
        }
        quiet(&world);
    }
}

#[test]
fn a_platform_without_a_policy_is_reported_and_the_others_change() {
    let target = "policies = { apple = \"apple-locked\", windows = \"windows-locked\" }";
    let way = "on_deactivate = \"change_policy\"\npolicy = \"Quarantine\"";
    let (mut world, ana) = with_devices(target, way);
    leave(&world, &ana);
    let errors = fails(&world);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("targets.applivery.policies.android"),
        "{errors:?}"
    );
    let locked = |world: &World| {
        devices(world)
            .iter()
            .filter(|d| d.2.ends_with("locked"))
            .count()
    };
    assert_eq!(locked(&world), 2);
    // Still owed: once there is one, it changes.
    world.settings.more = more(POLICIES, &mdm(way));
    world.rewrite();
    world.sync(&[]);
    assert_eq!(locked(&world), 3);
    quiet(&world);
}

#[test]
fn a_user_goes_when_what_is_in_the_way_is_gone() {
    let (world, ana) = with_devices("", "on_deactivate = \"remove_user\"");
    // A device that no list shows, and a pending token: the API refuses to let her go.
    elsewhere(&world, "POST", "rules", json!({"without": ["android"]}));
    elsewhere(
        &world,
        "POST",
        "tokens/ana@acme.test",
        json!({"pending": 1}),
    );
    leave(&world, &ana);
    let errors = fails(&world);
    assert!(
        errors.len() == 1 && errors[0].contains("5054"),
        "{errors:?}"
    );
    elsewhere(&world, "POST", "rules", json!({}));
    let errors = fails(&world);
    assert!(
        errors.len() == 1 && errors[0].contains("5055"),
        "{errors:?}"
    );
    elsewhere(
        &world,
        "POST",
        "tokens/ana@acme.test",
        json!({"pending": 0}),
    );
    world.sync(&[]);
    assert_eq!(user(&world, "ana"), None);
    quiet(&world);
}

#[test]
fn a_device_that_keeps_its_user_is_not_taken_for_unassigned() {
    let way = "on_deactivate = \"unassign_devices\"";
    let (mut world, ana) = with_devices("", way);
    elsewhere(&world, "POST", "rules", json!({"unassign": "empty"}));
    leave(&world, &ana);
    let errors = fails(&world);
    assert_eq!(errors.len(), 3);
    assert!(
        errors[0].contains("targets.applivery.unassign_value"),
        "{errors:?}"
    );
    world.settings.more = more("unassign_value = \"empty\"", &mdm(way));
    world.rewrite();
    world.sync(&[]);
    let hers = devices(&world);
    assert!(
        hers.iter()
            .all(|device| device.1.as_deref() != Some("ana@acme.test"))
    );
    quiet(&world);
}

#[test]
fn who_stands_there_is_adopted_and_keeps_what_others_gave() {
    let world = begin("", &mdm(""));
    let seat = json!({"email": "Ana@acme.test", "name": "A.", "tags": ["vip"],
                      "language": "es", "metadata": {"seat": "7"}});
    elsewhere(&world, "POST", "users", seat);
    let ana = hire(&world, "ana");
    let devs = group(&world, "Devs", &[&ana]);
    let plan = world.sync(&[]);
    assert!(deeds(&plan).contains(&"mdm adopt_account ana@acme.test".to_owned()));
    let users = there(&world, "users");
    assert_eq!(users.len(), 1);
    assert_eq!(users[0]["name"], "ana Ruiz");
    assert_eq!(users[0]["language"], "es");
    assert_eq!(users[0]["tags"], json!(["Devs", "vip"]));
    assert_eq!(
        users[0]["metadata"],
        json!({"department": "Sales", "plan": "gold", "seat": "7"})
    );
    quiet(&world);
    world.control("DELETE", &format!("graph/groups/{devs}"), Value::Null);
    world.sync(&[]);
    assert_eq!(there(&world, "users")[0]["tags"], json!(["vip"]));
}

#[test]
fn an_answer_that_got_lost_makes_no_second_account() {
    let world = begin("", &mdm(""));
    hire(&world, "ana");
    elsewhere(&world, "POST", "rules", json!({"lose_next_answer": true}));
    world.sync(&[]);
    assert_eq!(addresses(&there(&world, "users")), ["ana@acme.test"]);
    quiet(&world);
}

#[test]
fn the_owner_is_left_alone() {
    let lines =
        "role_updates = \"continuous\"\ndefault_role = \"viewer\"\non_deactivate = \"remove\"";
    let world = begin(
        "undocumented_calls = true",
        &portal("board", "dashboard", lines),
    );
    let owner = json!({"email": "ana@acme.test", "role": "owner"});
    elsewhere(&world, "POST", "collaborators", owner);
    let (ana, bo) = (hire(&world, "ana"), hire(&world, "bo"));
    group(&world, "applivery-editor", &[&ana, &bo]);
    world.sync(&[]);
    let board = there(&world, "collaborators");
    assert_eq!(
        (&board[0]["role"], &board[0]["tags"]),
        (&json!("owner"), &json!([]))
    );
    assert_eq!(board[1]["role"], "editor");
    quiet(&world);
    leave(&world, &ana);
    let errors = fails(&world);
    assert!(
        errors.len() == 1 && errors[0].contains("owner of the organization"),
        "{errors:?}"
    );
    assert_eq!(there(&world, "collaborators").len(), 2);
}

#[test]
fn roles_follow_the_groups_where_they_are_to() {
    let lines = "role_updates = \"continuous\"";
    let world = begin("", &portal("board", "dashboard", lines));
    let ana = hire(&world, "ana");
    let editors = group(&world, "applivery-editor", &[&ana]);
    world.sync(&[]);
    let role = || text(&there(&world, "collaborators")[0]["role"]);
    assert_eq!(role(), "editor");
    world
        .sim
        .remove_member(&editors, &ana)
        .expect("she leaves it");
    world.sync(&[]);
    // Nobody is left with what a new one is given.
    assert_eq!(role(), "unassigned");
    quiet(&world);
}

#[test]
fn a_changed_address_is_a_conflict_until_the_account_may_be_made_anew() {
    let way = "on_deactivate = \"remove_user\"";
    let (mut world, ana) = with_devices("", way);
    group(&world, "Devs", &[&ana]);
    world.sync(&[]);
    change(
        &world,
        &ana,
        json!({"mail": "ana.ruiz@acme.test", "department": "Lab"}),
    );
    let errors = fails(&world);
    assert!(
        errors.len() == 1 && errors[0].contains("conflict"),
        "{errors:?}"
    );
    assert!(errors[0].contains("email_change"), "{errors:?}");
    assert!(user(&world, "ana").is_some());
    world.settings.more = more("email_change = \"recreate\"", &mdm(way));
    world.rewrite();
    world.sync(&[]);
    let users = there(&world, "users");
    assert_eq!(addresses(&users), ["ana.ruiz@acme.test", "bo@acme.test"]);
    let anew = user(&world, "ana.ruiz").expect("she is there");
    assert_eq!(anew["tags"], json!(["Devs"]));
    assert_eq!(anew["metadata"]["department"], "Lab");
    let hers = devices(&world)
        .into_iter()
        .filter(|d| d.1.as_deref() == Some("ana.ruiz@acme.test"));
    assert_eq!(hers.count(), 3);
    quiet(&world);
    leave(&world, &ana);
    world.sync(&[]);
    assert_eq!(addresses(&there(&world, "users")), ["bo@acme.test"]);
}

#[test]
fn many_are_read_page_by_page_and_pauses_are_kept() {
    let world = begin("", &mdm(""));
    for number in 0..150 {
        let body = json!({"email": format!("other{number}@acme.test")});
        elsewhere(&world, "POST", "users", body);
    }
    for number in 0..12 {
        hire(&world, &format!("p{number}"));
    }
    // The last page holds one who is to be adopted.
    elsewhere(&world, "POST", "users", json!({"email": "p0@acme.test"}));
    let rate = json!({"rate": {"per_second": 20.0, "burst": 4.0}});
    elsewhere(&world, "POST", "rules", rate);
    let plan = world.sync(&[]);
    assert_eq!(
        plan["summary"]["mdm"],
        json!({"adopt_account": 1, "create_account": 11})
    );
    assert_eq!(there(&world, "users").len(), 162);
    assert!(world.sim.stats().throttled > 0);
    assert_eq!(
        counted(&world, "users.write"),
        12 + throttled_writes(&world)
    );
    // Five are asked for one by one, then the list is read, two pages of it.
    assert!(counted(&world, "users.read") <= 5 + 2 + world.sim.stats().throttled);
    elsewhere(&world, "POST", "rules", json!({}));
    quiet(&world);
}

fn throttled_writes(world: &World) -> u64 {
    let stats = world.sim.stats();
    let class = stats.classes.get("applivery.users.write");
    class
        .and_then(|class| class.statuses.get(&429))
        .copied()
        .unwrap_or(0)
}

#[test]
fn a_target_that_answers_500_costs_few_requests_and_is_caught_up_with() {
    let local = "[portals.here]\nkind = \"store\"\ntarget = \"local\"\nsources = [\"entra\"]\n";
    let world = begin("", &(mdm("") + local));
    for number in 0..8 {
        hire(&world, &format!("p{number}"));
    }
    let rule = json!([{"path": "/v1/organizations/*", "kind": "status", "status": 500}]);
    world.sim.faults(rule).expect("a rule");
    world.sim.reset_stats();
    let errors = fails(&world);
    assert_eq!(errors.len(), 8);
    // What else there is to do is done.
    assert_eq!(world.accounts("here").as_array().expect("a list").len(), 8);
    assert!(counted(&world, "") <= 6, "{}", counted(&world, ""));
    world.sim.clear_faults();
    world.sync(&[]);
    assert_eq!(there(&world, "users").len(), 8);
    quiet(&world);
}

#[test]
fn a_plan_that_is_full_is_said_so() {
    let lines = "on_deactivate = \"nothing\"\ngroups = { push = [] }";
    let world = begin("", &portal("store", "store", lines));
    for name in ["ana", "bo", "cy"] {
        hire(&world, name);
    }
    elsewhere(&world, "POST", "rules", json!({"employee_limit": 2}));
    let errors = fails(&world);
    assert!(
        errors.len() == 1 && errors[0].contains("5017"),
        "{errors:?}"
    );
    assert_eq!(there(&world, "employees").len(), 2);
    elsewhere(&world, "POST", "rules", json!({}));
    world.sync(&[]);
    quiet(&world);
}

#[test]
fn what_applivery_cannot_do_is_said_by_check_and_stops_a_run() {
    let portals = [
        portal("store", "store", "on_deactivate = \"remove\""),
        portal(
            "board",
            "dashboard",
            "on_deactivate = \"remove\"\nmatch_on = \"userName\"",
        ),
        portal("people", "directory", ""),
        mdm("on_deactivate = \"remove_user_and_devices\""),
    ];
    let world = begin("", &portals.concat());
    let said = world.run(&["check"]).ends_with(1);
    for line in [
        "FAIL  portal store: on_deactivate = \"remove\": Applivery documents no call",
        "FAIL  portal store: groups are tags",
        "FAIL  portal board: match_on = \"userName\"",
        "FAIL  portal people: Applivery has employees",
        "FAIL  portal mdm: on_deactivate = \"remove_user_and_devices\"",
        "targets.applivery.remove_devices_allowed = true",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    let said = world.run(&["sync"]).ends_with(1);
    assert!(said.err.contains("portal 'people'"), "{}", said.err);
    assert_eq!(writes(&world), 0);
}

#[test]
fn check_reads_every_list_and_finds_what_is_missing() {
    let way = "on_deactivate = \"change_policy\"\npolicy = \"Quarantine\"";
    let portals = mdm(way) + "title = \"title\"\n";
    let target = "policies = { apple = \"apple-locked\", windows = \"apple-locked\" }";
    let mut world = begin(target, &portals);
    for platform in PLATFORMS {
        let body = json!({"id": format!("{platform}-locked")});
        elsewhere(&world, "POST", &format!("policies/{platform}"), body);
    }
    let said = world.run(&["check"]).ends_with(1);
    for line in [
        "ok    target applivery: the list of MDM users of organization 'acme' can be read",
        "ok    target applivery: the list of android devices",
        "ok    target applivery: the policy of apple devices is there",
        "FAIL  target applivery: there is no windows policy 'apple-locked'",
        "targets.applivery.policies.android is not set",
        "portal 'mdm' can be served, without title",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    let wrong = |from: &str, to: &str, world: &mut World| {
        world.settings.more = world.settings.more.replace(from, to);
        world.rewrite();
        world.run(&["check"]).ends_with(1)
    };
    let said = wrong("\"acme\"", "\"nobody\"", &mut world);
    assert!(
        said.out.contains("there is an organization 'nobody'"),
        "{}",
        said.out
    );
    let said = wrong("SIM_APPLIVERY_TOKEN", "SIM_SECRET", &mut world);
    assert!(
        said.out.contains("'targets.applivery.token' is valid"),
        "{}",
        said.out
    );
}
