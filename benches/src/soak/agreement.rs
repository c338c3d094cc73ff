//! Whether a store that has lived through much equals one that was just filled.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{bail, ensure};
use serde_json::Value;

use crate::rosterd::Rosterd;
use crate::sim::Simulator;

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

/// One run that must go through, and a full plan that must find nothing left.
pub fn settled(rosterd: &Rosterd<'_>, sim: &Simulator) -> anyhow::Result<()> {
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

pub fn compare(long: &Rosterd<'_>, fresh: &Rosterd<'_>, sim: &Simulator) -> anyhow::Result<()> {
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
