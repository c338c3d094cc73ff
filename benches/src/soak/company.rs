//! What happens to a pretend company: who comes, changes and goes, and what fails meanwhile.
//!
//! The first people and groups of a tenant, which are the awkward ones, are left alone: among
//! them are the administrators, and the last administrator of a portal stays whatever happens.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::{Value, json};

use crate::Vendor;
use crate::sim::{Simulator, Size};

/// People, and groups, that nothing is done to.
const SPARED: usize = 24;

/// A tenant at Entra ID and one at Okta, with people in both.
pub async fn company(bin: &std::path::Path) -> anyhow::Result<(Simulator, People)> {
    let size = Size {
        users: 400,
        groups: 60,
        memberships: 3_000,
    };
    let sim = Simulator::start(bin, Vendor::Graph, size)?;
    let mut people = People::default();
    for _ in 0..200 {
        people.hire(&sim, Vendor::Okta).await?;
    }
    Ok((sim, people))
}

/// What may go wrong in one run.
pub fn faults(chance: &mut Chance) -> Value {
    let mut rules = Vec::new();
    for _ in 0..=chance.below(3) {
        let nth = 1 + chance.below(12);
        rules.push(match chance.below(6) {
            0 => json!({ "nth": nth, "kind": "status", "status": 503 }),
            1 => json!({ "nth": nth, "kind": "status", "status": 429, "retry_after": "1" }),
            2 => json!({ "nth": nth, "kind": "truncate" }),
            3 => json!({ "nth": nth, "kind": "drop" }),
            4 => json!({ "nth": nth, "kind": "expire_token" }),
            _ => json!({ "after": nth, "kind": "status", "status": 403 }),
        });
    }
    Value::Array(rules)
}

/// Numbers that look random and come again with the same seed (splitmix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let end = u64::try_from(from.len()).ok().filter(|end| *end > 0)?;
        from.get(usize::try_from(self.below(end)).ok()?)
    }
}

/// Who was hired, so that nobody is hired twice; the recycle bin.
#[derive(Default)]
pub struct People {
    hired: u64,
    deleted: BTreeMap<String, ()>,
}

impl People {
    async fn hire(&mut self, sim: &Simulator, vendor: Vendor) -> anyhow::Result<()> {
        self.hired += 1;
        let mail = format!("soak.{}@contoso.com", self.hired);
        let (path, body) = match vendor {
            Vendor::Graph => (
                "/sim/graph/users",
                json!({
                    "userPrincipalName": mail, "mail": mail, "accountEnabled": true,
                    "displayName": "Soak", "givenName": "So", "surname": "Ak",
                }),
            ),
            Vendor::Okta => (
                "/sim/okta/users",
                json!({ "profile": {
                    "login": mail, "email": mail, "firstName": "So", "lastName": "Ak",
                } }),
            ),
        };
        sim.call("POST", path, body).await.map(drop)
    }

    /// One change somewhere. Returns how many there were: none if chance asked for something
    /// that cannot be.
    pub async fn change(&mut self, sim: &Simulator, chance: &mut Chance) -> anyhow::Result<u64> {
        let (vendor, at) = match chance.below(2) {
            0 => (Vendor::Graph, "/sim/graph"),
            _ => (Vendor::Okta, "/sim/okta"),
        };
        let truth = sim.call("GET", &format!("{at}/truth"), Value::Null).await?;
        let ids = |list: &str, spared: usize| -> Vec<String> {
            let items = truth[list].as_array().map_or(&[][..], Vec::as_slice);
            let own = |item: &&Value| item["type"].as_str() != Some("BUILT_IN");
            let ids = items.iter().filter(own).skip(spared);
            let id = |item: &Value| item["id"].as_str().map(str::to_owned);
            ids.filter_map(id).collect()
        };
        let (users, groups) = (ids("users", SPARED), ids("groups", SPARED));
        let (Some(user), Some(group)) = (chance.pick(&users), chance.pick(&groups)) else {
            self.hire(sim, vendor).await?;
            return Ok(1);
        };
        let number = chance.below(1_000_000);
        let graph = vendor == Vendor::Graph;
        let of_user = format!("{at}/users/{user}");
        let of_group = format!("{at}/groups/{group}");
        let (method, path, body) = match chance.below(12) {
            0 | 1 => {
                self.hire(sim, vendor).await?;
                return Ok(1);
            }
            2 if graph => ("PATCH", of_user, json!({ "surname": format!("N{number}") })),
            2 => (
                "PATCH",
                of_user,
                json!({ "profile": { "lastName": format!("N{number}") } }),
            ),
            3 => {
                // A new address: the key under which the account stands.
                let mail = format!("moved.{}.{number}@contoso.com", self.hired);
                let body = match graph {
                    true => json!({ "mail": mail, "userPrincipalName": mail }),
                    false => json!({ "profile": { "email": mail, "login": mail } }),
                };
                ("PATCH", of_user, body)
            }
            4 if graph => ("PATCH", of_user, json!({ "accountEnabled": false })),
            4 => ("PATCH", of_user, json!({ "status": "SUSPENDED" })),
            5 if graph => ("PATCH", of_user, json!({ "accountEnabled": true })),
            5 => ("PATCH", of_user, json!({ "status": "ACTIVE" })),
            6 => {
                if graph {
                    self.deleted.insert(user.clone(), ());
                }
                ("DELETE", of_user, Value::Null)
            }
            7 if graph => {
                let deleted: Vec<String> = self.deleted.keys().cloned().collect();
                let Some(back) = chance.pick(&deleted) else {
                    return Ok(0);
                };
                self.deleted.remove(back);
                ("POST", format!("{at}/users/{back}/restore"), Value::Null)
            }
            7 | 8 => ("POST", format!("{of_group}/members/{user}"), Value::Null),
            9 => {
                let listed = truth["groups"].as_array().context("groups")?;
                let members = listed
                    .iter()
                    .find(|one| one["id"].as_str() == Some(group))
                    .and_then(|one| one["members"].as_array());
                let ids: Vec<String> = members
                    .map_or(&[][..], Vec::as_slice)
                    .iter()
                    .filter_map(|member| member["id"].as_str().map(str::to_owned))
                    .collect();
                let Some(member) = chance.pick(&ids) else {
                    return Ok(0);
                };
                (
                    "DELETE",
                    format!("{of_group}/members/{member}"),
                    Value::Null,
                )
            }
            10 if graph => (
                "POST",
                format!("{at}/groups"),
                json!({ "displayName": format!("Soak {number}"), "members": [user] }),
            ),
            10 => (
                "POST",
                format!("{at}/groups"),
                json!({ "profile": { "name": format!("Soak {number}") }, "members": [user] }),
            ),
            _ if chance.below(3) == 0 => ("DELETE", of_group, Value::Null),
            _ if graph => (
                "PATCH",
                of_group,
                json!({ "displayName": format!("Renamed {number}") }),
            ),
            _ => (
                "PATCH",
                of_group,
                json!({ "profile": { "name": format!("Renamed {number}") } }),
            ),
        };
        // What cannot be done to somebody who was changed before is no change.
        Ok(u64::from(sim.call(method, &path, body).await.is_ok()))
    }
}
