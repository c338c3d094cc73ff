//! Every kind of portal and every way to let go, side by side under the same changes.

use serde_json::{Value, json};

use crate::oracle::Oracle;
use crate::settings::{Fill, Portal, Settings, Source};
use crate::world::{World, text};

/// Portals of every kind with every `on_deactivate`, and one or two that match otherwise.
fn every_portal() -> Vec<Portal> {
    let mut portals = Vec::new();
    for (kind, ways) in [
        ("store", &["nothing", "remove"][..]),
        ("dashboard", &["nothing", "remove"]),
        (
            "mdm",
            &[
                "nothing",
                "unassign_devices",
                "change_policy",
                "remove_user",
                "remove_user_and_devices",
            ],
        ),
        ("directory", &["nothing", "disable", "remove"]),
    ] {
        portals.extend(ways.iter().map(|way| Portal::new(kind, way)));
    }
    let dashboard = Portal::new("dashboard", "remove");
    portals.push(Portal {
        default_role: Some("viewer"),
        continuous: true,
        ..dashboard.clone().named("following")
    });
    portals.push(Portal {
        match_on: "userName",
        push: vec!["Portal *", "applivery-a*"],
        attributes: vec![("displayName", Fill::Reversed)],
        ..Portal::new("directory", "disable").named("by-login")
    });
    portals.push(Portal {
        match_on: "externalId",
        push: Vec::new(),
        exclude_attributes: vec![("userType", "guest")],
        ..Portal::new("directory", "remove").named("by-id")
    });
    portals.push(Portal {
        include_groups: vec!["sales *"],
        ..dashboard.clone().named("sales").from(&["okta", "entra"])
    });
    portals.push(Portal {
        on_create: "nothing",
        ..dashboard.named("nobody")
    });
    portals
}

fn begin(sources: Vec<Source>) -> (World, Oracle) {
    let world = World::small(Settings::new(sources, every_portal()));
    let mut oracle = Oracle::default();
    world.sync(&[]);
    oracle.turn(&world.settings, &world.sim);
    (world, oracle)
}

fn assigned() -> Vec<Source> {
    vec![Source::entra(), Source::okta()]
}

fn everyone() -> Vec<Source> {
    vec![Source::entra().everyone(), Source::okta().everyone()]
}

fn entra(world: &World, method: &str, path: &str, body: Value) {
    world.control(method, &format!("graph/{path}"), body);
}

fn okta(world: &World, method: &str, path: &str, body: Value) {
    world.control(method, &format!("okta/{path}"), body);
}

#[test]
fn the_first_run_makes_what_the_design_says_for_the_assigned() {
    let (world, mut oracle) = begin(assigned());
    oracle.agrees(&world);
    world.settles(&mut oracle);
}

#[test]
fn the_first_run_makes_what_the_design_says_for_everyone() {
    let (world, mut oracle) = begin(everyone());
    oracle.agrees(&world);
    world.settles(&mut oracle);
}

#[test]
fn without_nested_groups_only_direct_members_count() {
    let (world, mut oracle) = begin(vec![Source::entra().flat(), Source::okta().flat()]);
    oracle.agrees(&world);
    world.settles(&mut oracle);
}

#[test]
fn who_is_new_gets_accounts() {
    let (world, mut oracle) = begin(assigned());
    let ada = world.sim.create_user(json!({
        "displayName": "Ada Lovelace", "userPrincipalName": "ada@contoso.com",
        "mail": "Ada.Lovelace@Contoso.com", "givenName": "Ada", "surname": "Lovelace",
        "accountEnabled": true, "department": "Engines",
    }));
    let ada = text(&ada.expect("a user is made")["id"]);
    world.settles(&mut oracle);
    let group = world.entra_group("applivery-editor");
    world.sim.add_member(&group, &ada).expect("a member");
    okta(
        &world,
        "POST",
        "users",
        json!({"profile": {"login": "grace@contoso.com"}}),
    );
    okta(&world, "POST", "assignments/grace@contoso.com", Value::Null);
    world.settles(&mut oracle);
}

#[test]
fn changed_attributes_are_carried_and_gone_ones_removed() {
    let (world, mut oracle) = begin(assigned());
    let user = world.entra_user(17);
    let (path, other) = (format!("users/{user}"), world.okta_user(17));
    for props in [
        json!({"jobTitle": "Captain", "department": "Bridge", "officeLocation": "1/1"}),
        json!({"jobTitle": null, "department": "", "officeLocation": null}),
        json!({"displayName": null, "givenName": "Uma", "surname": "Ünal"}),
        json!({"displayName": "Uma", "onPremisesExtensionAttributes": {"extensionAttribute1": "7"}}),
    ] {
        entra(&world, "PATCH", &path, props);
        world.settles(&mut oracle);
    }
    let path = format!("users/{other}");
    for profile in [
        json!({"title": "Captain", "department": "Bridge"}),
        json!({"title": null, "department": null, "displayName": null, "lastName": "Óss"}),
    ] {
        okta(&world, "PATCH", &path, json!({"profile": profile}));
        world.settles(&mut oracle);
    }
}

#[test]
fn who_is_disabled_departs_and_returns() {
    let (world, mut oracle) = begin(assigned());
    let (user, other) = (world.entra_user(5), world.okta_user(5));
    for enabled in [false, true, false, true] {
        entra(
            &world,
            "PATCH",
            &format!("users/{user}"),
            json!({"accountEnabled": enabled}),
        );
        let status = if enabled { "ACTIVE" } else { "SUSPENDED" };
        okta(
            &world,
            "PATCH",
            &format!("users/{other}"),
            json!({"status": status}),
        );
        world.settles(&mut oracle);
    }
    for status in [
        "LOCKED_OUT",
        "DEPROVISIONED",
        "PROVISIONED",
        "ACTIVE",
        "PASSWORD_EXPIRED",
        "STAGED",
        "RECOVERY",
    ] {
        okta(
            &world,
            "PATCH",
            &format!("users/{other}"),
            json!({"status": status}),
        );
        world.settles(&mut oracle);
    }
}

#[test]
fn who_changes_while_away_is_updated_on_return() {
    let (world, mut oracle) = begin(assigned());
    let path = format!("users/{}", world.entra_user(4));
    entra(&world, "PATCH", &path, json!({"accountEnabled": false}));
    world.settles(&mut oracle);
    entra(
        &world,
        "PATCH",
        &path,
        json!({"jobTitle": "Elsewhere", "mail": "moved@contoso.com"}),
    );
    world.settles(&mut oracle);
    entra(&world, "PATCH", &path, json!({"accountEnabled": true}));
    world.settles(&mut oracle);
}

#[test]
fn who_is_deleted_departs_and_restored_ones_return() {
    let (world, mut oracle) = begin(assigned());
    let user = world.entra_user(6);
    for (method, path) in [
        ("DELETE", format!("users/{user}")),
        ("POST", format!("users/{user}/restore")),
        ("DELETE", format!("users/{user}")),
        ("POST", format!("users/{user}/purge")),
    ] {
        entra(&world, method, &path, Value::Null);
        world.settles(&mut oracle);
    }
    okta(
        &world,
        "DELETE",
        &format!("users/{}", world.okta_user(5)),
        Value::Null,
    );
    world.settles(&mut oracle);
}

#[test]
fn who_is_unassigned_departs_and_assigned_again_returns() {
    let (world, mut oracle) = begin(assigned());
    let (direct, other) = (world.entra_user(18), world.okta_user(18));
    let (group, second) = (
        world.entra_group("Portal users"),
        world.okta_group("Portal users"),
    );
    for method in ["DELETE", "POST"] {
        entra(
            &world,
            method,
            &format!("assignments/{direct}"),
            Value::Null,
        );
        okta(&world, method, &format!("assignments/{other}"), Value::Null);
        world.settles(&mut oracle);
    }
    for method in ["DELETE", "POST"] {
        entra(&world, method, &format!("assignments/{group}"), Value::Null);
        okta(
            &world,
            method,
            &format!("assignments/{second}"),
            Value::Null,
        );
        world.settles(&mut oracle);
    }
}

#[test]
fn who_leaves_a_group_leaves_what_it_gave() {
    let (world, mut oracle) = begin(assigned());
    let (group, user) = (world.entra_group("applivery-viewer"), world.entra_user(9));
    let (second, other) = (world.okta_group("applivery-viewer"), world.okta_user(5));
    for method in ["DELETE", "POST"] {
        entra(
            &world,
            method,
            &format!("groups/{group}/members/{user}"),
            Value::Null,
        );
        okta(
            &world,
            method,
            &format!("groups/{second}/members/{other}"),
            Value::Null,
        );
        world.settles(&mut oracle);
    }
}

#[test]
fn a_role_is_decided_once_or_follows_the_groups() {
    let (world, mut oracle) = begin(assigned());
    let user = world.entra_user(8);
    for (method, group) in [
        ("POST", "applivery-admin"),
        ("DELETE", "applivery-viewer"),
        ("DELETE", "applivery-admin"),
    ] {
        let group = world.entra_group(group);
        entra(
            &world,
            method,
            &format!("groups/{group}/members/{user}"),
            Value::Null,
        );
        world.settles(&mut oracle);
    }
}

#[test]
fn a_changed_login_or_address_is_a_rename() {
    let (world, mut oracle) = begin(assigned());
    let (user, other) = (world.entra_user(17), world.okta_user(17));
    for props in [
        json!({"userPrincipalName": "new.login@contoso.com"}),
        json!({"mail": "New.Address@Contoso.com"}),
        json!({"mail": "new.address@contoso.COM"}),
        json!({"mail": null}),
        json!({"mail": "straße@contoso.com"}),
    ] {
        entra(&world, "PATCH", &format!("users/{user}"), props);
        let plan = world.settles(&mut oracle);
        for action in plan["actions"].as_array().expect("a list") {
            assert_eq!(action["op"], "update_account", "{action:#}");
        }
    }
    for profile in [
        json!({"login": "okta.login@contoso.com"}),
        json!({"email": "Okta.Address@contoso.com"}),
    ] {
        okta(
            &world,
            "PATCH",
            &format!("users/{other}"),
            json!({"profile": profile}),
        );
        world.settles(&mut oracle);
    }
}

#[test]
fn two_users_may_swap_their_addresses() {
    let (world, mut oracle) = begin(assigned());
    let (one, two) = (world.entra_user(17), world.entra_user(18));
    let truth = world.sim.graph_truth();
    let mail = |position: usize| truth["users"][position]["mail"].clone();
    entra(
        &world,
        "PATCH",
        &format!("users/{one}"),
        json!({"mail": mail(18)}),
    );
    entra(
        &world,
        "PATCH",
        &format!("users/{two}"),
        json!({"mail": mail(17)}),
    );
    world.settles(&mut oracle);
    let (one, two, three) = (
        world.okta_user(13),
        world.okta_user(14),
        world.okta_user(15),
    );
    let truth = world.sim.okta_truth();
    let mail = |position: usize| truth["users"][position]["profile"]["email"].clone();
    for (user, from) in [(one, 14), (two, 15), (three, 13)] {
        let body = json!({"profile": {"email": mail(from)}});
        okta(&world, "PATCH", &format!("users/{user}"), body);
    }
    world.settles(&mut oracle);
}

#[test]
fn groups_come_and_go_and_change_their_names() {
    let (world, mut oracle) = begin(everyone());
    let (user, other) = (world.entra_user(0), world.okta_user(0));
    let made = world
        .sim
        .create_group(json!({"displayName": "Night shift", "members": [user]}));
    let group = text(&made.expect("a group is made")["id"]);
    let body = json!({"profile": {"name": "Night shift"}, "members": [other]});
    let made = world.control("POST", "okta/groups", body);
    let second = text(&made["id"]);
    world.settles(&mut oracle);
    entra(
        &world,
        "PATCH",
        &format!("groups/{group}"),
        json!({"displayName": "Day shift"}),
    );
    okta(
        &world,
        "PATCH",
        &format!("groups/{second}"),
        json!({"profile": {"name": "Day shift"}}),
    );
    world.settles(&mut oracle);
    entra(&world, "DELETE", &format!("groups/{group}"), Value::Null);
    okta(&world, "DELETE", &format!("groups/{second}"), Value::Null);
    world.settles(&mut oracle);
    entra(
        &world,
        "POST",
        &format!("groups/{group}/restore"),
        Value::Null,
    );
    world.settles(&mut oracle);
}

#[test]
fn an_assigned_group_that_is_renamed_or_deleted_takes_its_role_along() {
    let (world, mut oracle) = begin(assigned());
    let (group, second) = (
        world.entra_group("applivery-editor"),
        world.okta_group("applivery-editor"),
    );
    for name in ["Former editors", "APPLIVERY-Editor"] {
        entra(
            &world,
            "PATCH",
            &format!("groups/{group}"),
            json!({"displayName": name}),
        );
        okta(
            &world,
            "PATCH",
            &format!("groups/{second}"),
            json!({"profile": {"name": name}}),
        );
        world.settles(&mut oracle);
    }
    entra(&world, "DELETE", &format!("groups/{group}"), Value::Null);
    okta(&world, "DELETE", &format!("groups/{second}"), Value::Null);
    world.settles(&mut oracle);
}

#[test]
fn nested_and_cyclic_groups_carry_their_members() {
    let (world, mut oracle) = begin(assigned());
    let (parent, ring) = (
        world.entra_group("Sales Europe"),
        world.entra_group("Ring A"),
    );
    let leaf = world.entra_group("Sales Iberia");
    // The ring comes into scope, under two parents that are in one another.
    entra(
        &world,
        "POST",
        &format!("groups/{parent}/members/{ring}"),
        Value::Null,
    );
    world.settles(&mut oracle);
    entra(
        &world,
        "POST",
        &format!("groups/{ring}/members/{parent}"),
        Value::Null,
    );
    world.settles(&mut oracle);
    let user = world.entra_user(19);
    entra(
        &world,
        "POST",
        &format!("groups/{leaf}/members/{user}"),
        Value::Null,
    );
    world.settles(&mut oracle);
    entra(
        &world,
        "DELETE",
        &format!("groups/{parent}/members/{leaf}"),
        Value::Null,
    );
    world.settles(&mut oracle);
    entra(
        &world,
        "DELETE",
        &format!("groups/{parent}/members/{ring}"),
        Value::Null,
    );
    world.settles(&mut oracle);
}

#[test]
fn a_second_user_with_the_key_waits_until_the_first_is_gone() {
    let (world, mut oracle) = begin(assigned());
    let body = json!({"userPrincipalName": "second@contoso.com", "mail": "shared@contoso.com",
        "displayName": "Second", "accountEnabled": true});
    let first = world.entra_user(17);
    entra(
        &world,
        "PATCH",
        &format!("users/{first}"),
        json!({"mail": "shared@contoso.com"}),
    );
    world.settles(&mut oracle);
    let second = text(&world.sim.create_user(body).expect("a user is made")["id"]);
    entra(
        &world,
        "POST",
        &format!("assignments/{second}"),
        Value::Null,
    );
    let plan = world.settles(&mut oracle);
    assert_ne!(plan["conflicts"], json!([]));
    entra(
        &world,
        "PATCH",
        &format!("users/{first}"),
        json!({"accountEnabled": false}),
    );
    world.settles(&mut oracle);
    entra(
        &world,
        "PATCH",
        &format!("users/{first}"),
        json!({"accountEnabled": true}),
    );
    world.settles(&mut oracle);
}

#[test]
fn across_sources_the_first_of_the_portal_owns_the_key() {
    let (world, mut oracle) = begin(assigned());
    let mail = world.sim.graph_truth()["users"][17]["mail"].clone();
    let body = json!({"profile": {"login": "twin@contoso.com", "email": mail}});
    okta(&world, "POST", "users", body);
    okta(&world, "POST", "assignments/twin@contoso.com", Value::Null);
    world.settles(&mut oracle);
    let first = world.entra_user(17);
    for enabled in [false, true] {
        entra(
            &world,
            "PATCH",
            &format!("users/{first}"),
            json!({"accountEnabled": enabled}),
        );
        world.settles(&mut oracle);
    }
    okta(
        &world,
        "PATCH",
        "users/twin@contoso.com",
        json!({"status": "DEPROVISIONED"}),
    );
    world.settles(&mut oracle);
}

#[test]
fn a_user_whose_new_key_is_taken_keeps_the_account_until_it_is_free() {
    let (world, mut oracle) = begin(assigned());
    let (one, two) = (world.entra_user(17), world.entra_user(18));
    let mail = world.sim.graph_truth()["users"][18]["mail"].clone();
    entra(
        &world,
        "PATCH",
        &format!("users/{one}"),
        json!({"mail": mail, "jobTitle": "Waiting"}),
    );
    let plan = world.settles(&mut oracle);
    assert_ne!(plan["conflicts"], json!([]));
    entra(
        &world,
        "PATCH",
        &format!("users/{two}"),
        json!({"mail": "freed@contoso.com"}),
    );
    world.settles(&mut oracle);
}
