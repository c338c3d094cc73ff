//! Is this plan plausible at all? What a plan would take away, against what there is.

use std::collections::BTreeMap;

use super::action::Op;
use super::head::{Guard, Limit};
use super::spool::{Plan, PlanError};
use crate::config;

/// What the guard compares with.
#[derive(Clone, Debug)]
pub struct Limits {
    pub max_deactivations: config::Limit,
    pub max_group_deletes: config::Limit,
    pub max_membership_removals: config::Limit,
}

/// What a portal had before the run, counted only when a plan takes something away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Population {
    /// Accounts linked and not departed.
    pub accounts: u64,
    pub groups: u64,
    pub memberships: u64,
}

/// What speaks against a plan beside its numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Doubts {
    /// Sources whose full run found no users where there were this many.
    pub empty_sources: BTreeMap<String, u64>,
    /// Portals whose scope, rules, filters or mappings changed since the last applied run.
    pub changed_rules: Vec<String>,
}

/// Judges a plan. `deactivations` counts accounts, not actions, by portal.
pub fn review<E: From<PlanError>>(
    plan: &Plan,
    limits: &Limits,
    deactivations: &BTreeMap<String, u64>,
    doubts: &Doubts,
    mut population: impl FnMut(&str) -> Result<Population, E>,
) -> Result<Guard, E> {
    let mut tripped = Vec::new();
    for (source, before) in &doubts.empty_sources {
        tripped.push(Limit {
            limit: "empty_source".to_owned(),
            scope: source.clone(),
            count: 0,
            population: *before,
            allowed: 0,
            text: format!("{source} returned no users where there were {before}"),
        });
    }
    let removed = removed_memberships(plan)?;
    let portals: std::collections::BTreeSet<&String> = deactivations
        .keys()
        .chain(plan.head.summary.keys())
        .collect();
    for portal in portals {
        let deactivated = deactivations.get(portal).copied().unwrap_or(0);
        let ops = plan.head.summary.get(portal);
        let deleted = ops
            .and_then(|ops| ops.get(&Op::DeleteGroup))
            .copied()
            .unwrap_or(0);
        let dropped = removed.get(portal).copied().unwrap_or(0);
        if deactivated > 0 && doubts.changed_rules.contains(portal) {
            tripped.push(Limit {
                limit: "settings_changed".to_owned(),
                scope: portal.clone(),
                count: deactivated,
                population: 0,
                allowed: 0,
                text: format!(
                    "{portal} would deactivate {deactivated} right after its scope, rules, filters or mappings changed"
                ),
            });
        }
        // What is there is asked for only where it could matter: it may have to be counted.
        let harmless = limits.max_deactivations.allows(deactivated, 0)
            && limits.max_group_deletes.allows(deleted, 0)
            && limits.max_membership_removals.allows(dropped, 0);
        if harmless {
            continue;
        }
        let before = population(portal)?;
        let checks = [
            (
                "max_deactivations",
                "deactivate",
                "accounts",
                limits.max_deactivations,
                deactivated,
                before.accounts,
            ),
            (
                "max_group_deletes",
                "delete",
                "groups",
                limits.max_group_deletes,
                deleted,
                before.groups,
            ),
            (
                "max_membership_removals",
                "drop",
                "memberships",
                limits.max_membership_removals,
                dropped,
                before.memberships,
            ),
        ];
        for (name, verb, things, limit, count, population) in checks {
            if limit.allows(count, population) {
                continue;
            }
            tripped.push(Limit {
                limit: name.to_owned(),
                scope: portal.clone(),
                count,
                population,
                allowed: most_allowed(limit, population, count),
                text: format!(
                    "{portal} would {verb} {count} of {population} {things}; {name} is {limit}"
                ),
            });
        }
    }
    Ok(Guard {
        held: !tripped.is_empty(),
        limits: tripped,
    })
}

fn most_allowed(limit: config::Limit, population: u64, tripped: u64) -> u64 {
    // Found by bisection, so that there is one definition of what a limit allows.
    let (mut yes, mut no) = (0, tripped);
    while no - yes > 1 {
        let middle = yes + (no - yes) / 2;
        if limit.allows(middle, population) {
            yes = middle
        } else {
            no = middle
        }
    }
    yes
}

fn removed_memberships(plan: &Plan) -> Result<BTreeMap<String, u64>, PlanError> {
    let mut removed = BTreeMap::new();
    let any = plan
        .head
        .summary
        .values()
        .any(|ops| ops.contains_key(&Op::RemoveMembers));
    if any {
        for action in plan.actions() {
            let action = action?;
            if action.op == Op::RemoveMembers {
                *removed.entry(action.portal).or_default() += action.members.len() as u64;
            }
        }
    }
    Ok(removed)
}
