//! Any history, told bit by bit, ends where one full run from nothing begins.

use serde_json::{Value, json};

use crate::chance::{Chance, times};
use crate::settings::{Portal, Settings, Source};
use crate::world::{World, text};

/// A portal of each kind in which no past shows: who left is gone, and roles follow the groups.
/// `once` decides roles once, so its roles are left out of the comparison.
fn portals() -> Vec<Portal> {
    let mut portals = vec![
        Portal::new("store", "remove"),
        Portal::new("mdm", "remove_user"),
        Portal::new("dashboard", "remove").named("once"),
        Portal {
            continuous: true,
            default_role: Some("unassigned"),
            ..Portal::new("dashboard", "remove").named("following")
        },
        Portal {
            match_on: "userName",
            include_groups: vec!["team *", "sales *", "portal *"],
            ..Portal::new("directory", "remove").named("by-login")
        },
    ];
    // With one source after the other, and the other way round.
    portals[1].sources = vec!["okta", "entra"];
    portals[4].sources = vec!["entra"];
    portals.push(Portal {
        match_on: "externalId",
        push: vec!["Team *"],
        ..Portal::new("directory", "remove")
            .named("by-id")
            .from(&["okta"])
    });
    portals
}

/// What a history ends with, but for roles that were decided on the way.
fn ending(world: &World) -> Value {
    let mut exports = world.exports();
    for account in exports["once accounts"].as_array_mut().expect("a list") {
        account["role"] = Value::Null;
    }
    exports
}

/// Changes the companies at random. What would make the outcome hang on the order of things by
/// design (two users of one source with one key) does not happen.
pub struct Life<'a> {
    world: &'a World,
    chance: Chance,
    made: usize,
    /// An admin and the group that makes them one: without them the last admin would be spared,
    /// which one who begins anew does not know of.
    untouched: [String; 2],
}

impl<'a> Life<'a> {
    /// The life of companies of which nothing must stay as it is.
    pub fn new(world: &'a World, chance: Chance) -> Life<'a> {
        Life {
            world,
            chance,
            made: 0,
            untouched: Default::default(),
        }
    }

    /// One change of one company; those the vendor refuses are not counted.
    pub fn change(&mut self) {
        loop {
            let done = match self.chance.below(2) {
                0 => self.entra(),
                _ => self.okta(),
            };
            if done.is_some() {
                return;
            }
        }
    }

    fn send(&self, method: &str, path: &str, body: Value) -> Option<Value> {
        self.world
            .sim
            .control(method, &format!("/sim/{path}"), body)
            .ok()
    }

    fn any(&mut self, list: &Value) -> Option<Value> {
        self.chance.pick(list.as_array()?).cloned()
    }

    fn name(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}{}", self.made)
    }

    fn entra(&mut self) -> Option<Value> {
        let truth = self.world.sim.graph_truth();
        let user = self.any(&truth["users"])?;
        let group = self.any(&truth["groups"])?;
        let (id, gid) = (text(&user["id"]), text(&group["id"]));
        let path = format!("graph/users/{id}");
        if self.untouched.contains(&id) || self.untouched.contains(&gid) {
            return None;
        }
        match self.chance.below(17) {
            0 => {
                let login = format!("{}@contoso.com", self.name("new"));
                let mail = match self.chance.below(3) {
                    0 => Value::Null,
                    _ => json!(format!("Mail.{login}")),
                };
                let body = json!({"displayName": login, "userPrincipalName": login, "mail": mail,
                    "accountEnabled": self.chance.below(5) > 0});
                self.send("POST", "graph/users", body)
            }
            1 => self.send("DELETE", &path, Value::Null),
            2 => {
                let gone = self.any(&truth["deletedUsers"])?;
                let gone = text(&gone["id"]);
                self.send("POST", &format!("graph/users/{gone}/restore"), Value::Null)
            }
            3 => {
                let enabled = self.chance.below(2) == 0;
                self.send("PATCH", &path, json!({"accountEnabled": enabled}))
            }
            4 => {
                let title = self.name("Title ");
                self.send(
                    "PATCH",
                    &path,
                    json!({"jobTitle": title, "department": "Any"}),
                )
            }
            5 => self.send(
                "PATCH",
                &path,
                json!({"jobTitle": null, "officeLocation": null}),
            ),
            6 => {
                let login = format!("{}@contoso.com", self.name("login"));
                self.send("PATCH", &path, json!({"userPrincipalName": login}))
            }
            7 => {
                let mail = format!("{}@Contoso.com", self.name("Mail"));
                self.send("PATCH", &path, json!({"mail": mail}))
            }
            8 => {
                // Two swap what they have.
                let other = self.any(&truth["users"])?;
                let (one, two) = (user["mail"].clone(), other["mail"].clone());
                let other = format!("graph/users/{}", text(&other["id"]));
                if one.is_null() || two.is_null() {
                    return None;
                }
                self.send("PATCH", &path, json!({"mail": two}))?;
                self.send("PATCH", &other, json!({"mail": one}))
            }
            9 => {
                let name = self.name("Team ");
                self.send(
                    "POST",
                    "graph/groups",
                    json!({"displayName": name, "members": [id]}),
                )
            }
            10 => {
                let other = self.any(&truth["groups"])?;
                let name = match self.chance.below(4) {
                    0 => other["displayName"].clone(),
                    _ => json!(self.name("Team ")),
                };
                self.send(
                    "PATCH",
                    &format!("graph/groups/{gid}"),
                    json!({"displayName": name}),
                )
            }
            11 if self.chance.below(3) == 0 => {
                self.send("DELETE", &format!("graph/groups/{gid}"), Value::Null)
            }
            11 | 12 => self.send(
                "POST",
                &format!("graph/groups/{gid}/members/{id}"),
                Value::Null,
            ),
            13 => {
                let inner = self.any(&truth["groups"])?;
                let inner = text(&inner["id"]);
                self.send(
                    "POST",
                    &format!("graph/groups/{gid}/members/{inner}"),
                    Value::Null,
                )
            }
            14 => {
                let member = self.any(&group["members"])?;
                let member = text(&member["id"]);
                self.send(
                    "DELETE",
                    &format!("graph/groups/{gid}/members/{member}"),
                    Value::Null,
                )
            }
            15 => {
                let principal = if self.chance.below(2) == 0 { id } else { gid };
                self.send(
                    "POST",
                    &format!("graph/assignments/{principal}"),
                    Value::Null,
                )
            }
            _ => {
                let one = self.any(&truth["assignments"])?;
                let principal = text(&one["principalId"]);
                if self.untouched.contains(&principal) {
                    return None;
                }
                self.send(
                    "DELETE",
                    &format!("graph/assignments/{principal}"),
                    Value::Null,
                )
            }
        }
    }

    fn okta(&mut self) -> Option<Value> {
        let truth = self.world.sim.okta_truth();
        let user = self.any(&truth["users"])?;
        let group = self.any(&truth["groups"])?;
        let (id, gid) = (text(&user["id"]), text(&group["id"]));
        let path = format!("okta/users/{id}");
        if group["type"] == "BUILT_IN" {
            return None;
        }
        match self.chance.below(13) {
            0 => {
                let login = format!("{}@okta.example", self.name("new"));
                self.send("POST", "okta/users", json!({"profile": {"login": login}}))
            }
            1 => self.send("DELETE", &path, Value::Null),
            2 | 3 => {
                let status = *self.chance.pick(&[
                    "ACTIVE",
                    "SUSPENDED",
                    "DEPROVISIONED",
                    "LOCKED_OUT",
                    "PROVISIONED",
                    "ACTIVE",
                ])?;
                // From there Okta knows one way only, and logs it by its name.
                if user["status"] == "DEPROVISIONED" && !["ACTIVE", "PROVISIONED"].contains(&status)
                {
                    return None;
                }
                self.send("PATCH", &path, json!({"status": status}))
            }
            4 => {
                let title = self.name("Title ");
                self.send("PATCH", &path, json!({"profile": {"title": title}}))
            }
            5 => {
                let login = format!("{}@okta.example", self.name("login"));
                self.send("PATCH", &path, json!({"profile": {"login": login}}))
            }
            6 => {
                let mail = format!("{}@Okta.example", self.name("Mail"));
                self.send("PATCH", &path, json!({"profile": {"email": mail}}))
            }
            7 => {
                let name = self.name("Team ");
                let body = json!({"profile": {"name": name}, "members": [id]});
                self.send("POST", "okta/groups", body)
            }
            8 => {
                let body = json!({"profile": {"name": self.name("Team ")}});
                self.send("PATCH", &format!("okta/groups/{gid}"), body)
            }
            9 if self.chance.below(3) == 0 => {
                self.send("DELETE", &format!("okta/groups/{gid}"), Value::Null)
            }
            9 | 10 => self.send(
                "POST",
                &format!("okta/groups/{gid}/members/{id}"),
                Value::Null,
            ),
            11 => {
                let member = self.any(&group["members"])?;
                let member = text(&member["id"]);
                self.send(
                    "DELETE",
                    &format!("okta/groups/{gid}/members/{member}"),
                    Value::Null,
                )
            }
            _ => {
                let principal = if self.chance.below(2) == 0 { id } else { gid };
                let method = if self.chance.below(2) == 0 {
                    "POST"
                } else {
                    "DELETE"
                };
                self.send(
                    method,
                    &format!("okta/assignments/{principal}"),
                    Value::Null,
                )
            }
        }
    }
}

fn a_history(sources: Vec<Source>, seed: usize, changes: usize) {
    let mut world = World::small(Settings::new(sources, portals()));
    let login = "constant@contoso.com";
    let body = json!({"displayName": login, "userPrincipalName": login, "accountEnabled": true});
    let admin = text(&world.sim.create_user(body).expect("a user is made")["id"]);
    let body = json!({"displayName": "applivery-admin", "members": [admin]});
    let group = text(&world.sim.create_group(body).expect("a group is made")["id"]);
    world.sim.assign(&admin).expect("a user can be assigned");
    world.sync(&[]);
    let mut life = Life {
        world: &world,
        chance: Chance::new(times("ROSTERD_TEST_SEED", seed) as u64),
        made: 0,
        untouched: [admin, group],
    };
    let mut left = changes;
    while left > 0 {
        let some = (1 + life.chance.below(9)).min(left);
        (0..some).for_each(|_| life.change());
        left -= some;
        world.sync(&[]);
        if life.chance.below(8) == 0 {
            world.quiet();
        }
    }
    let told = ending(&world);
    world.quiet();
    assert_eq!(told, ending(&world), "a quiet run changes nothing");
    // The same company, seen for the first time.
    world.home = tempfile::tempdir().expect("a temporary directory");
    world.rewrite();
    world.sync(&["--full"]);
    same(&told, &ending(&world));
}

/// Fails with the rows that differ, and only those.
#[track_caller]
fn same(told: &Value, anew: &Value) {
    for (what, rows) in told.as_object().expect("exports") {
        let rows = rows.as_array().expect("a list");
        let others = anew[what].as_array().expect("a list");
        let only = |these: &[Value], those: &[Value]| -> Vec<String> {
            let mine = these.iter().filter(|row| !those.contains(row));
            mine.map(|row| row.to_string().chars().take(600).collect())
                .take(3)
                .collect()
        };
        let (bit_by_bit, at_once) = (only(rows, others), only(others, rows));
        assert!(
            bit_by_bit.is_empty() && at_once.is_empty(),
            "{what}:\nbit by bit {bit_by_bit:#?}\nat once {at_once:#?}"
        );
    }
}

#[test]
fn a_history_of_the_assigned_ends_where_a_full_run_begins() {
    let changes = times("ROSTERD_TEST_CHANGES", 150);
    a_history(vec![Source::entra(), Source::okta()], 11, changes);
}

#[test]
fn a_history_of_everyone_ends_where_a_full_run_begins() {
    let changes = times("ROSTERD_TEST_CHANGES", 150);
    a_history(
        vec![Source::entra().everyone(), Source::okta().everyone()],
        12,
        changes,
    );
}
