//! A life in fast motion: people come, change and go; pages fail; runs are killed at any
//! moment. Every so often all is quiet, one run goes through, and what rosterd then holds is
//! compared with a store that was filled from nothing at that moment.
//!
//! The first people and groups of a tenant, which are the awkward ones, are left alone: among
//! them are the administrators, and the last administrator of a portal stays whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::rosterd::Rosterd;
use crate::sim::{Simulator, Size};
use crate::{Soak, Vendor};

const SOURCES: &[Vendor] = &[Vendor::Graph, Vendor::Okta];

/// People, and groups, that nothing is done to.
const SPARED: usize = 24;

/// Disturbed rounds between two comparisons.
const ROUNDS: u64 = 6;

/// The exports that must be equal.
const EXPORTS: &[&[&str]] = &[
    &["users", "--source", "entra"],
    &["users", "--source", "okta"],
    &["groups", "--source", "entra"],
    &["groups", "--source", "okta"],
    &["accounts", "--portal", "store"],
    &["accounts", "--portal", "dashboard"],
    &["accounts", "--portal", "mdm"],
    &["groups", "--portal", "store"],
    &["groups", "--portal", "dashboard"],
    &["groups", "--portal", "mdm"],
];

pub async fn run(soak: Soak) -> anyhow::Result<()> {
    let bin = soak.place.bin()?;
    let (work, _temporary) = soak.place.work()?;
    let size = Size {
        users: 400,
        groups: 60,
        memberships: 3_000,
    };
    let sim = Simulator::start(&bin, Vendor::Graph, size)?;
    let with_state = |name: &str| Rosterd {
        bin: &bin,
        settings: &soak.place.settings,
        sources: SOURCES,
        also: "soak.toml",
        state: work.join(name),
    };
    let long = with_state("long");
    let fresh = with_state("fresh");
    let mut chance = Chance(soak.seed);
    let mut people = People::default();
    for _ in 0..200 {
        people.hire(&sim, Vendor::Okta).await?;
    }
    let began = Instant::now();
    let until = Duration::from_secs(soak.seconds);
    let mut count = Counts::default();
    // How long the last run took: kills are to fall into a run, not after it.
    let mut usual_ms = 500;
    loop {
        for _ in 0..ROUNDS {
            if began.elapsed() >= until {
                break;
            }
            for _ in 0..chance.below(20) {
                count.changes += people.change(&sim, &mut chance).await?;
            }
            let faulty = chance.below(3) == 0;
            if faulty {
                sim.call("POST", "/sim/faults", faults(&mut chance)).await?;
            }
            let full = chance.below(4) == 0;
            let arguments: &[&str] = if full { &["sync", "--full"] } else { &["sync"] };
            let killed_after = match chance.below(2) {
                0 => Some(Duration::from_millis(chance.below(usual_ms + 20))),
                _ => None,
            };
            let started = Instant::now();
            let code = disturbed(long.command(&sim, arguments), killed_after)?;
            if code == Some(0) {
                usual_ms = u64::try_from(started.elapsed().as_millis())?;
            }
            match code {
                None => count.killed += 1,
                // Faults may fail a source, or both.
                Some(1 | 3) if faulty => count.failed += 1,
                Some(0) => count.runs += 1,
                Some(code) => bail!("{arguments:?} ended with {code}"),
            }
            sim.call("DELETE", "/sim/faults", Value::Null).await?;
        }
        settled(&long, &sim)?;
        let _ = std::fs::remove_dir_all(&fresh.state);
        settled(&fresh, &sim)?;
        compare(&long, &fresh, &sim)?;
        count.compared += 1;
        eprintln!("{:>5} s  {count:?}", began.elapsed().as_secs());
        if began.elapsed() >= until {
            break;
        }
    }
    println!(
        "{} changes, {} runs, {} killed, {} with a failed source, {} comparisons: all equal",
        count.changes, count.runs, count.killed, count.failed, count.compared
    );
    Ok(())
}

#[derive(Debug, Default)]
struct Counts {
    changes: u64,
    runs: u64,
    killed: u64,
    failed: u64,
    compared: u64,
}

/// Starts a run; kills it after a while, if it is not over before. None when it was killed.
fn disturbed(mut command: Command, after: Option<Duration>) -> anyhow::Result<Option<i32>> {
    let mut child = command.stdout(Stdio::null()).spawn()?;
    if let Some(after) = after {
        let began = Instant::now();
        while began.elapsed() < after {
            if let Some(status) = child.try_wait()? {
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill()?;
    }
    Ok(child.wait()?.code())
}

/// One run that must go through, and a full plan that must find nothing left.
fn settled(rosterd: &Rosterd<'_>, sim: &Simulator) -> anyhow::Result<()> {
    for arguments in [
        &["sync"][..],
        &["plan", "--detailed-exitcode"],
        &["plan", "--full", "--detailed-exitcode"],
    ] {
        let ended = rosterd.command(sim, arguments).output()?;
        ensure!(
            ended.status.success(),
            "{arguments:?} into {} ended with {}:\n{}{}",
            rosterd.state.display(),
            ended.status,
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr),
        );
    }
    Ok(())
}

fn compare(long: &Rosterd<'_>, fresh: &Rosterd<'_>, sim: &Simulator) -> anyhow::Result<()> {
    let export = |of: &Rosterd<'_>, arguments: &[&str]| -> anyhow::Result<Value> {
        let mut command = of.command(sim, &["export"]);
        let ended = command.args(arguments).output()?;
        ensure!(ended.status.success(), "export {arguments:?} failed");
        Ok(serde_json::from_slice(&ended.stdout)?)
    };
    let mut people = BTreeSet::new();
    for arguments in EXPORTS {
        let (mut one, mut other) = (export(long, arguments)?, export(fresh, arguments)?);
        match arguments {
            ["users", ..] => people.extend(ids(&one)),
            ["groups", "--source", _] => {
                only_people(&mut one, &people);
                only_people(&mut other, &people);
            }
            _ => {}
        }
        if one != other {
            let differing = first_difference(&one, &other);
            keep(&long.state, arguments, &one, &other)?;
            bail!("export {arguments:?} differs from a fresh store: {differing}");
        }
        if arguments.contains(&"--portal") {
            let target = [*arguments, &["--from-target"]].concat();
            let there = export(long, &target)?;
            ensure!(
                one == there,
                "export {arguments:?} differs from the target: {}",
                first_difference(&one, &there)
            );
        }
    }
    Ok(())
}

fn ids(list: &Value) -> impl Iterator<Item = String> {
    let rows = list.as_array().map_or(&[][..], Vec::as_slice);
    rows.iter()
        .filter_map(|row| row["id"].as_str().map(str::to_owned))
}

/// Leaves out members that are no users now. A group still lists those in the recycle bin, and
/// a store that never saw them cannot know that this is where they are.
fn only_people(groups: &mut Value, people: &BTreeSet<String>) {
    for group in groups.as_array_mut().into_iter().flatten() {
        if let Some(members) = group["members"].as_array_mut() {
            members.retain(|member| {
                member["kind"] != "user"
                    || member["id"].as_str().is_some_and(|id| people.contains(id))
            });
        }
    }
}

fn first_difference(one: &Value, other: &Value) -> String {
    let rows = |list: &Value| -> Vec<Value> { list.as_array().cloned().unwrap_or_default() };
    let (one, other) = (rows(one), rows(other));
    let place = one.iter().zip(&other).position(|(a, b)| a != b);
    match place {
        Some(place) => format!("\n  {}\n  {}", one[place], other[place]),
        None => format!("{} rows, and {}", one.len(), other.len()),
    }
}

/// Leaves both sides beside the state, for whoever looks into it.
fn keep(state: &Path, what: &[&str], one: &Value, other: &Value) -> anyhow::Result<()> {
    let name = what.concat().replace("--", "-");
    for (side, export) in [("long", one), ("fresh", other)] {
        let place = state.with_file_name(format!("{name}.{side}.json"));
        std::fs::write(place, format!("{export:#}"))?;
    }
    Ok(())
}

/// What may go wrong in one run.
fn faults(chance: &mut Chance) -> Value {
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
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
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
struct People {
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
    async fn change(&mut self, sim: &Simulator, chance: &mut Chance) -> anyhow::Result<u64> {
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
