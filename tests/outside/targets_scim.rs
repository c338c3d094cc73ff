//! Portals that live in a SCIM service provider.
//!
//! Each has a twin on the local target, with the same rules: what the provider holds in the end
//! is what the twin holds, account by account and group by group.

use std::collections::{BTreeMap, BTreeSet};

use rosterd_sim::SimOptions;
use serde_json::{Value, json};

use crate::chance::{Chance, times};
use crate::history::Life;
use crate::settings::{Settings, Source};
use crate::world::{World, deeds, text};

/// A portal on a provider, and the provider's settings.
struct App {
    /// Of the provider in the simulator; the profile is what stands before a dot.
    provider: &'static str,
    profile: &'static str,
    on_deactivate: &'static str,
    kind: &'static str,
    push: &'static str,
    /// Further lines of the target.
    target: &'static str,
    /// Further lines of the portals' attributes.
    attributes: &'static str,
}

const FLOOR: &str = "urn:ietf:params:scim:schemas:extension:appspace:2.0:User:floor";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

impl App {
    fn new(profile: &'static str) -> App {
        App {
            provider: profile,
            profile,
            on_deactivate: "disable",
            kind: "directory",
            push: "[\"*\"]",
            target: "",
            attributes: "",
        }
    }

    fn portal(&self, name: &str, target: &str) -> String {
        format!(
            "[portals.{name}]\nkind = \"{}\"\ntarget = \"{target}\"\nsources = [\"entra\", \"okta\"]\n\
            on_deactivate = \"{}\"\ngroups = {{ push = {} }}\n[portals.{name}.attributes]\n\
            \"title\" = {{ from = \"title\", default = \"Staff\" }}\n\"department\" = \"department\"\n\
            \"name.givenName\" = {{ from = \"name.givenName\", default = \"-\" }}\n\
            \"name.familyName\" = {{ from = \"name.familyName\", default = \"-\" }}\n{}\n",
            self.kind, self.on_deactivate, self.push, self.attributes
        )
    }

    fn world(&self) -> World {
        self.world_of(SimOptions::default())
    }

    fn world_of(&self, options: SimOptions) -> World {
        let sources = vec![Source::entra(), Source::okta()];
        let mut world = World::new(options, Settings::new(sources, Vec::new()));
        let token = world.home.path().join("scim.token");
        std::fs::write(&token, rosterd_sim::SCIM_TOKEN).expect("the token can be written");
        world.settings.more = format!(
            "[targets.app]\nkind = \"scim\"\nprofile = \"{}\"\nbase_url = \"{}\"\n\
            token = {{ file = {:?} }}\nrate.writes_per_minute = 90000\n\
            rate.user_writes_per_minute = 90000\nrate.group_writes_per_minute = 90000\n\
            rate.burst = 1000\n{}\n{}{}",
            self.profile,
            world.sim.scim_url(self.provider),
            token,
            self.target,
            self.portal("app", "app"),
            self.portal("twin", "local"),
        );
        world.rewrite();
        world
    }

    fn truth(&self, world: &World) -> Value {
        world.sim.scim_truth(self.provider)
    }

    fn writes(&self, world: &World) -> u64 {
        self.truth(world)["writes"].as_u64().expect("a count")
    }

    fn requests(&self, world: &World) -> u64 {
        self.truth(world)["requests"].as_u64().expect("a count")
    }

    fn control(&self, world: &World, method: &str, path: &str, body: Value) -> Value {
        world.control(method, &format!("scim/{}/{path}", self.provider), body)
    }

    /// The provider holds what the twin holds, and nobody sent it anything odd.
    #[track_caller]
    fn agrees(&self, world: &World) {
        let truth = self.truth(world);
        assert_eq!(truth["odd"], json!([]), "{}", self.provider);
        let twin = world.accounts("twin");
        let twin: BTreeMap<String, Value> = list(&twin)
            .iter()
            .map(|account| (text(&account["source_id"]), self.wanted(account)))
            .collect();
        let there: BTreeMap<String, Value> = list(&truth["users"])
            .iter()
            // Who was removed stays there, inactive, under a name that may be free again.
            .filter(|user| self.on_deactivate != "remove" || user["active"] == true)
            .map(|user| (text(&user["externalId"]), self.held(user)))
            .collect();
        for (id, wanted) in &twin {
            assert_eq!(there.get(id), Some(wanted), "{}: {id}", self.provider);
        }
        assert_eq!(
            there.keys().collect::<BTreeSet<_>>(),
            twin.keys().collect::<BTreeSet<_>>()
        );
        if self.push == "[]" {
            return;
        }
        let ids: BTreeMap<String, String> = list(&world.accounts("twin"))
            .iter()
            .map(|account| (text(&account["key"]), text(&account["source_id"])))
            .collect();
        let groups = |list_of: &Value, member: &dyn Fn(&Value) -> String| {
            let mut groups: Vec<(String, String, BTreeSet<String>)> = list(list_of)
                .iter()
                .map(|group| {
                    let members = list(&group["members"]).iter().map(member).collect();
                    (
                        text(&group["displayName"]),
                        text(&group["externalId"]),
                        members,
                    )
                })
                .collect();
            groups.sort();
            groups
        };
        assert_eq!(
            groups(&truth["groups"], &text),
            groups(&world.groups("twin"), &|key| ids[&text(key)].clone()),
            "groups of {}",
            self.provider
        );
    }

    /// What an account of the twin is to be there.
    fn wanted(&self, account: &Value) -> Value {
        let name = match self.user_name_is_email() {
            true => &account["email"],
            false => &account["userName"],
        };
        json!({
            "userName": name, "email": account["email"], "displayName": account["displayName"],
            "name": account["name"], "active": account["active"],
            "title": account["attributes"]["title"],
            "department": account["attributes"]["department"],
            "floor": account["attributes"][FLOOR],
        })
    }

    /// The same of a user of the provider.
    fn held(&self, user: &Value) -> Value {
        let emails = list(&user["emails"]);
        assert_eq!(emails.len(), 1, "{user:#}");
        let (urn, floor) = FLOOR.rsplit_once(':').expect("a URN");
        json!({
            "userName": user["userName"], "email": emails[0]["value"],
            "displayName": user["displayName"], "name": user["name"], "active": user["active"],
            "title": user["title"], "department": user[ENTERPRISE]["department"],
            "floor": user[urn][floor],
        })
    }

    fn user_name_is_email(&self) -> bool {
        ["polis", "applivery", "appspace"].contains(&self.profile)
    }

    /// Two more runs, of which the provider is told nothing.
    #[track_caller]
    fn quiet(&self, world: &World) {
        let before = self.writes(world);
        world.quiet();
        assert_eq!(self.writes(world), before, "{}", self.provider);
    }

    /// The id at the provider of who has this id at the source.
    #[track_caller]
    fn id_of(&self, world: &World, external_id: &str) -> String {
        let truth = self.truth(world);
        let user = list(&truth["users"])
            .iter()
            .find(|user| user["externalId"] == external_id);
        text(&user.expect("a user of that externalId")["id"])
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A first run, a random history, and after each step what the rules ask for and no more.
fn history(app: &App) {
    let world = app.world();
    world.sync(&[]);
    app.agrees(&world);
    app.quiet(&world);
    let seed = times("ROSTERD_SEED", 5) as u64;
    let mut life = Life::new(&world, Chance::new(seed));
    for _ in 0..times("ROSTERD_ROUNDS", 8) {
        for _ in 0..4 {
            life.change();
        }
        world.sync(&[]);
        app.agrees(&world);
    }
    app.quiet(&world);
}

#[test]
fn a_provider_that_keeps_to_the_rfcs_comes_to_what_the_rules_ask_for() {
    history(&App {
        attributes: "\"urn:ietf:params:scim:schemas:extension:appspace:2.0:User:floor\" = \"source.officeLocation\"\n",
        ..App::new("generic")
    });
}

#[test]
fn so_does_one_from_which_accounts_are_removed() {
    history(&App {
        provider: "generic.removing",
        on_deactivate: "remove",
        target: "on_remove = \"delete\"\n",
        ..App::new("generic")
    });
}

#[test]
fn so_does_one_where_removing_means_deactivating() {
    history(&App {
        provider: "generic.deactivating",
        on_deactivate: "remove",
        ..App::new("generic")
    });
}

#[test]
fn so_does_aws_iam_identity_center() {
    history(&App::new("aws-iam-identity-center"));
}

#[test]
fn so_does_polis() {
    history(&App::new("polis"));
}

#[test]
fn so_does_applivery() {
    history(&App::new("applivery"));
}

#[test]
fn so_does_appspace_without_group_sync() {
    history(&App {
        push: "[]",
        ..App::new("appspace")
    });
}

#[test]
fn so_does_slack_within_its_limits() {
    history(&App::new("slack"));
}

#[test]
fn so_does_github() {
    history(&App::new("github-emu"));
}

#[test]
fn so_does_atlassian() {
    history(&App::new("atlassian"));
}

#[test]
fn a_provider_without_patch_is_learnt_to_be_one() {
    history(&App {
        provider: "putonly",
        ..App::new("generic")
    });
}

#[test]
fn a_provider_that_takes_few_members_at_a_time_gets_few() {
    history(&App {
        provider: "narrow",
        ..App::new("generic")
    });
}

#[test]
fn what_changes_of_so_many_costs_so_many_writes() {
    let app = App::new("generic");
    let world = app.world();
    world.sync(&[]);
    let assigned: Vec<String> = list(&world.accounts("app"))
        .iter()
        .filter(|account| account["source"] == "entra")
        .map(|account| text(&account["source_id"]))
        .take(5)
        .collect();
    let before = app.writes(&world);
    for id in &assigned {
        // Three attributes of one user are one write.
        let change = json!({"jobTitle": "Captain", "department": "Bridge", "surname": "Vane"});
        world.control("PATCH", &format!("graph/users/{id}"), change);
    }
    world.sync(&[]);
    assert_eq!(app.writes(&world) - before, assigned.len() as u64);
    app.agrees(&world);
    // A group of another name is one more, whoever is in it.
    let group = text(&list(&app.truth(&world)["groups"])[0]["externalId"]);
    let before = app.writes(&world);
    let renamed = world
        .sim
        .control(
            "PATCH",
            &format!("/sim/graph/groups/{group}"),
            json!({"displayName": "Renamed"}),
        )
        .or_else(|_| {
            let profile = json!({"profile": {"name": "Renamed"}});
            world
                .sim
                .control("PATCH", &format!("/sim/okta/groups/{group}"), profile)
        });
    renamed.expect("the group is renamed");
    world.sync(&[]);
    assert_eq!(app.writes(&world) - before, 1);
    app.agrees(&world);
}

#[test]
fn a_provider_that_answers_500_costs_little_and_is_made_up_for() {
    let app = App::new("generic");
    let world = app.world();
    let down = json!([{"path": "/scim/*", "kind": "status", "status": 500}]);
    world.sim.faults(down).expect("a rule");
    for _ in 0..2 {
        let before = world.sim.stats().classes;
        let said = world.run(&["sync", "--format", "json"]).ends_with(3);
        let plan = said.json();
        assert_eq!(plan["status"], "partly_applied");
        let asked = |classes: &BTreeMap<&'static str, rosterd_sim::Class>| -> u64 {
            let scim = classes
                .iter()
                .filter(|(class, _)| class.starts_with("scim."));
            scim.map(|(_, class)| class.requests).sum()
        };
        let asked = asked(&world.sim.stats().classes) - asked(&before);
        assert!(
            (1..=6).contains(&asked),
            "{asked} requests of a provider that is down"
        );
        // The other target went on.
        assert!(!list(&world.accounts("twin")).is_empty());
        assert_eq!(world.accounts("app"), json!([]));
        let status = world.json(&["status", "--format", "json"]);
        assert!(
            status["targets"]["app"]["away_since"].is_string(),
            "{status:#}"
        );
    }
    world.sim.clear_faults();
    world.sync(&[]);
    app.agrees(&world);
    app.quiet(&world);
}

#[test]
fn answers_that_are_lost_lead_to_no_second_account() {
    for fault in [
        json!({"kind": "belated", "status": 500, "every": 3}),
        json!({"kind": "belated", "status": 429, "retry_after": "0.1", "every": 3}),
        json!({"kind": "drop", "every": 3}),
        json!({"kind": "reset_conn", "every": 4}),
        json!({"kind": "status", "status": 503, "every": 3}),
    ] {
        let app = App::new("generic");
        let world = app.world();
        let mut rule = fault.clone();
        rule["path"] = json!("/scim/generic/*");
        rule["method"] = json!("POST");
        world.sim.faults(json!([rule])).expect("a rule");
        world.run(&["sync"]);
        world.sim.clear_faults();
        world.run(&["sync"]).ends_with(0);
        app.agrees(&world);
        app.quiet(&world);
    }
}

#[test]
fn accounts_that_were_made_unheard_go_with_those_who_have_left_by_then() {
    let app = App {
        provider: "generic.unheard",
        on_deactivate: "remove",
        push: "[]",
        target: "on_remove = \"delete\"\n",
        ..App::new("generic")
    };
    let world = app.world();
    // Users are made, and neither the answer nor a second look tells so.
    let unheard = json!([
        {"path": "/scim/*/Users", "method": "POST", "kind": "belated", "status": 500},
        {"target": "/scim/*externalId*", "kind": "status", "status": 500},
    ]);
    world.sim.faults(unheard).expect("rules");
    world.run(&["sync"]).ends_with(3);
    world.sim.clear_faults();
    let made = list(&app.truth(&world)["users"]).to_vec();
    assert!(!made.is_empty());
    for user in &made {
        let id = text(&user["externalId"]);
        let twins = world.accounts("twin");
        let twin = list(&twins).iter().find(|twin| twin["source_id"] == id);
        let (place, left) = match twin.expect("a twin")["source"] == "okta" {
            true => ("okta", json!({"status": "DEPROVISIONED"})),
            false => ("graph", json!({"accountEnabled": false})),
        };
        world.control("PATCH", &format!("{place}/users/{id}"), left);
    }
    world.sync(&[]);
    app.agrees(&world);
    app.quiet(&world);
}

#[test]
fn trouble_with_anything_is_made_up_for_by_the_next_runs() {
    let app = App {
        provider: "aws-iam-identity-center.troubled",
        ..App::new("aws-iam-identity-center")
    };
    let world = app.world();
    let mut life = Life::new(&world, Chance::new(11));
    for round in 0..4 {
        let trouble = json!([
            {"path": "/scim/*", "kind": "status", "status": 500, "probability": 0.05},
            {"path": "/scim/*", "kind": "belated", "status": 503, "probability": 0.05},
            {"path": "/scim/*", "kind": "drop", "probability": 0.05},
            {"path": "/scim/*", "kind": "html", "probability": 0.03},
            {"path": "/scim/*", "kind": "status", "status": 429, "retry_after": "0.2", "probability": 0.03},
        ]);
        world.sim.faults(trouble).expect("rules");
        let said = world.run(&["sync"]);
        assert!([0, 3].contains(&said.code), "round {round}: {said:?}");
        world.sim.clear_faults();
        for _ in 0..4 {
            life.change();
        }
    }
    world.sync(&[]);
    app.agrees(&world);
    app.quiet(&world);
}

#[test]
fn accounts_that_stand_there_are_adopted_and_told_only_what_differs() {
    let app = App::new("generic");
    let world = app.world();
    let planned = world.json(&["plan", "--format", "json"]);
    let wanted: Vec<Value> = list(&planned["actions"])
        .iter()
        .filter(|action| action["portal"] == "app" && action["op"] == "create_account")
        .take(3)
        .cloned()
        .collect();
    let value = |action: &Value, attribute: &str| {
        let changes = list(&action["changes"]).iter();
        let mut found = changes.filter(|change| change["attribute"] == attribute);
        found
            .next()
            .map_or(Value::Null, |change| change["after"].clone())
    };
    // One by the same email, one by it too and without anything else, one only by its login.
    let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    let users = [
        json!({"schemas": schemas, "userName": "old-name", "active": true, "nickName": "Kept",
            "emails": [{"value": value(&wanted[0], "email"), "type": "work"}]}),
        json!({"schemas": schemas, "userName": value(&wanted[1], "email"), "active": false}),
        json!({"schemas": schemas, "userName": value(&wanted[2], "userName"), "active": true,
            "emails": [{"value": "other@x.test", "type": "work"}]}),
    ];
    let ids: Vec<String> = users
        .into_iter()
        .map(|user| text(&app.control(&world, "POST", "users", user)["id"]))
        .collect();
    let group = app.control(
        &world,
        "POST",
        "groups",
        json!({"displayName": "applivery-admin"}),
    );
    world.run(&["sync"]);
    // Who was there under a login only is met by the first run and adopted by the next.
    world.run(&["sync"]).ends_with(0);
    app.agrees(&world);
    app.quiet(&world);
    for (id, action) in ids.iter().zip(&wanted) {
        assert_eq!(app.id_of(&world, &text(&action["subject"]["id"])), *id);
    }
    let truth = app.truth(&world);
    let kept = list(&truth["users"])
        .iter()
        .find(|user| user["id"] == ids[0].as_str());
    assert_eq!(kept.expect("the first of them")["nickName"], "Kept");
    let groups = list(&truth["groups"]).iter();
    let admins: Vec<&Value> = groups
        .filter(|group| group["displayName"] == "applivery-admin")
        .map(|group| &group["id"])
        .collect();
    assert!(admins.contains(&&group["id"]), "{admins:?}");
}

#[test]
fn two_who_swap_their_addresses_keep_their_accounts() {
    let app = App {
        provider: "aws-iam-identity-center.swap",
        ..App::new("aws-iam-identity-center")
    };
    let world = app.world();
    world.sync(&[]);
    let two: Vec<(String, Value)> = list(&world.sim.graph_truth()["users"])
        .iter()
        .filter(|user| user["mail"].is_string())
        .map(|user| (text(&user["id"]), user["mail"].clone()))
        .filter(|(id, _)| {
            let accounts = world.accounts("app");
            list(&accounts)
                .iter()
                .any(|account| account["source_id"] == id.as_str())
        })
        .take(2)
        .collect();
    let before: Vec<String> = two.iter().map(|(id, _)| app.id_of(&world, id)).collect();
    for (place, (id, _)) in two.iter().enumerate() {
        let mail = &two[1 - place].1;
        world.control("PATCH", &format!("graph/users/{id}"), json!({"mail": mail}));
    }
    world.sync(&[]);
    app.agrees(&world);
    let after: Vec<String> = two.iter().map(|(id, _)| app.id_of(&world, id)).collect();
    assert_eq!(before, after);
    app.quiet(&world);
}

#[test]
fn one_member_that_is_refused_keeps_nobody_else_out() {
    let app = App {
        provider: "generic.unwelcome",
        ..App::new("generic")
    };
    let world = app.world();
    world.sync(&[]);
    let truth = app.truth(&world);
    let group = list(&truth["groups"])
        .iter()
        .max_by_key(|group| list(&group["members"]).len())
        .expect("a group");
    let everybody = list(&group["members"]).len();
    assert!(everybody > 3, "{group:#}");
    let bad = app.id_of(&world, &text(&list(&group["members"])[1]));
    // The group goes, and with it who was in it; the next change of anybody in it finds out.
    app.control(&world, "POST", &format!("unwelcome/{bad}"), Value::Null);
    app.control(
        &world,
        "DELETE",
        &format!("groups/{}", text(&group["id"])),
        Value::Null,
    );
    let (vendor, body) = match group["externalId"].as_str() {
        Some(id) if id.starts_with("00g") => ("okta", json!({"profile": {"name": "Anew"}})),
        _ => ("graph", json!({"displayName": "Anew"})),
    };
    let path = format!("{vendor}/groups/{}", text(&group["externalId"]));
    world.control("PATCH", &path, body);
    world.run(&["sync"]).ends_with(3);
    let members = || {
        let truth = app.truth(&world);
        let groups = list(&truth["groups"]).iter();
        let mut anew = groups.filter(|group| group["displayName"] == "Anew");
        anew.next().map_or(0, |group| list(&group["members"]).len())
    };
    assert_eq!(members(), everybody - 1);
    app.control(&world, "DELETE", "unwelcome", Value::Null);
    world.run(&["sync"]).ends_with(0);
    assert_eq!(members(), everybody);
    app.agrees(&world);
}

#[test]
fn an_account_that_somebody_deleted_there_is_made_again_with_its_groups() {
    let app = App {
        provider: "generic.deleted",
        ..App::new("generic")
    };
    let world = app.world();
    world.sync(&[]);
    let accounts = world.accounts("app");
    let account = list(&accounts)
        .iter()
        .find(|account| account["source"] == "entra" && !list(&account["groups"]).is_empty())
        .expect("somebody in a group");
    let id = text(&account["source_id"]);
    let gone = app.id_of(&world, &id);
    app.control(&world, "DELETE", &format!("users/{gone}"), Value::Null);
    world.control(
        "PATCH",
        &format!("graph/users/{id}"),
        json!({"jobTitle": "Back"}),
    );
    world.sync(&[]);
    assert_ne!(app.id_of(&world, &id), gone);
    app.agrees(&world);
    app.quiet(&world);
}

#[test]
fn roles_are_carried_as_the_settings_have_it() {
    for (role_as, provider) in [
        ("roles", "generic.roles"),
        ("entitlements", "generic.entitlements"),
        ("groups", "generic.role-groups"),
    ] {
        let app = App {
            provider,
            kind: "dashboard",
            on_deactivate: "remove",
            push: "[]",
            target: match role_as {
                "roles" => "role_as = \"roles\"\n",
                "entitlements" => "role_as = \"entitlements\"\n",
                _ => "role_as = \"groups\"\n",
            },
            ..App::new("generic")
        };
        let world = app.world();
        world.sync(&[]);
        app.agrees(&world);
        let truth = app.truth(&world);
        let mut with = 0;
        for account in list(&world.accounts("twin")) {
            let id = text(&account["source_id"]);
            let held: Vec<String> = match role_as {
                "groups" => list(&truth["groups"])
                    .iter()
                    .filter(|group| {
                        list(&group["members"])
                            .iter()
                            .any(|member| *member == id.as_str())
                    })
                    .map(|group| text(&group["displayName"]).replace("role-", ""))
                    .collect(),
                list_name => {
                    let user = list(&truth["users"])
                        .iter()
                        .find(|user| user["externalId"] == id.as_str());
                    let roles = list(&user.expect("a user")[list_name]).iter();
                    roles.map(|role| text(&role["value"])).collect()
                }
            };
            let wanted: Vec<String> = account["role"]
                .as_str()
                .map(str::to_owned)
                .into_iter()
                .collect();
            with += wanted.len();
            assert_eq!(held, wanted, "{role_as}: {id}");
        }
        assert!(with > 0, "nobody has a role");
        app.quiet(&world);
    }
}

#[test]
fn check_tests_the_connection_and_says_what_cannot_be() {
    let app = App::new("generic");
    let world = app.world();
    let said = world.run(&["check"]).ends_with(0);
    assert!(
        said.out
            .contains("users can be looked up, as profile 'generic' has it"),
        "{said:?}"
    );
    assert_eq!(app.writes(&world), 0);
    // A token that is not taken is said once, and not shown.
    std::fs::write(world.home.path().join("scim.token"), "sim-scim-token-not").expect("written");
    let said = world.run(&["check"]);
    assert_ne!(said.code, 0);
    let all = format!("{}{}", said.out, said.err);
    assert!(
        all.contains("put a valid one where 'targets.app.token' says"),
        "{all}"
    );
    assert!(!all.contains("sim-scim-token-not"));
    // Rules that nobody could carry out.
    let app = App {
        kind: "dashboard",
        on_deactivate: "remove",
        attributes: "\"metadata.badge\" = \"title\"\n",
        ..App::new("aws-iam-identity-center")
    };
    let world = app.world();
    let said = world.run(&["check"]);
    assert_ne!(said.code, 0);
    let all = format!("{}{}", said.out, said.err);
    for line in [
        "accounts of a dashboard have a role, and profile 'aws-iam-identity-center' of target 'app' carries none",
        "attribute 'metadata.badge' cannot be carried: SCIM has no metadata",
    ] {
        assert!(all.contains(line), "{all}");
    }
    let before = app.requests(&world);
    assert_eq!(world.run(&["sync"]).code, 1);
    assert_eq!(app.requests(&world), before);
}

#[test]
fn a_plan_says_what_is_adopted_and_sends_nothing() {
    let app = App {
        provider: "generic.planned",
        ..App::new("generic")
    };
    let world = app.world();
    let plan = world.json(&["plan", "--format", "json"]);
    assert!(
        deeds(&plan)
            .iter()
            .any(|deed| deed.starts_with("app create_account "))
    );
    assert_eq!(app.writes(&world), 0);
    // Of many, the whole list is read instead of looking everybody up.
    let many = SimOptions {
        users: 300,
        memberships: 600,
        ..SimOptions::default()
    };
    let app = App::new("generic");
    let mut world = app.world_of(many);
    world.settings.sources[0] = Source::entra().everyone();
    world.rewrite();
    world.sync(&[]);
    let looked = world.sim.stats().classes["scim.users.read"].requests;
    assert!((50..120).contains(&looked), "{looked} look-ups");
    app.agrees(&world);
}

#[test]
fn what_a_provider_holds_can_be_exported() {
    let app = App::new("generic");
    let world = app.world();
    world.sync(&[]);
    for what in ["accounts", "groups"] {
        let linked = ["export", what, "--portal", "app"];
        let there = world.json(&[&linked[..], &["--from-target"]].concat());
        let linked = world.json(&linked);
        let shown = |rows: &Value| -> Vec<[Value; 5]> {
            let rows = list(rows).iter();
            let names = ["key", "displayName", "email", "groups", "members"];
            rows.map(|row| names.map(|name| row[name].clone()))
                .collect()
        };
        assert!(!list(&there).is_empty());
        assert_eq!(shown(&there), shown(&linked), "{what}");
    }
}
