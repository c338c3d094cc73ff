//! `rosterd explain`: why a user has or has not an account and a role.

use anyhow::bail;
use serde_json::{Value, json};

use crate::app;
use crate::config::Loaded;
use crate::directory::fold::fold;
use crate::plan::LinkState;
use crate::rules::lifecycle::subject_of;
use crate::rules::scope::{Presence, presence};
use crate::rules::{MATCH_KINDS, Portal, key_of};
use crate::store::Store;
use crate::sync::History;
use crate::sync::view::{PersonView, View, Who};

use super::sync::known_portal;
use super::{Exit, Output};

/// How many of the latest runs are searched for the last action.
const RUNS: usize = 20;

#[derive(clap::Args)]
pub struct Args {
    /// A match key (email, login, …) or an id of the source.
    key: String,
    /// Only this portal.
    #[arg(long)]
    portal: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

pub fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    if let Some(portal) = &args.portal {
        known_portal(loaded, portal)?;
    }
    let store = app::open_store(loaded)?.store;
    let rules = loaded
        .settings
        .sources
        .values()
        .map(app::rules::source_rules);
    let view = View::new(&store, rules.map(|rules| (rules, None)).collect())?;
    let mut portals = app::rules::portals(&loaded.settings)?;
    portals.retain(|portal| args.portal.as_ref().is_none_or(|name| *name == portal.name));
    let found = find(&view, &portals, &args.key)?;
    if found.is_empty() {
        bail!(
            "nobody in the directory has the key or id '{}'; 'rosterd export users' lists who is known",
            args.key
        );
    }
    let mut users = Vec::new();
    for who in found {
        if let Some(person) = view.person(who)? {
            let history = app::history_of(&loaded.settings);
            users.push(explain(&view, &store, &portals, who, &person, &history)?);
        }
    }
    match args.format {
        Output::Json => println!("{:#}", json!({ "key": fold(&args.key), "users": users })),
        Output::Text => users.iter().for_each(print),
    }
    Ok(Exit::Done)
}

fn find(view: &View<'_>, portals: &[Portal], key: &str) -> anyhow::Result<Vec<Who>> {
    let mut found = Vec::new();
    let folded = fold(key);
    for source in 0..view.sources.len() {
        if let Some(number) = view.number_of_user(source, key)? {
            found.push(Who { source, number });
        }
    }
    for kind in MATCH_KINDS {
        for who in view.holders(kind, &folded)? {
            let has = view
                .person(who)?
                .is_some_and(|person| key_of(kind, &person.user).as_deref() == Some(&folded));
            if has {
                found.push(who);
            }
        }
    }
    for portal in portals {
        if let Some(link) = view.store.link(&portal.name, &folded)?
            && let Some(source) = view.source_named(&link.source)
            && let Some(number) = view.number_of_user(source, &link.user)?
        {
            found.push(Who { source, number });
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn explain(
    view: &View<'_>,
    store: &Store,
    portals: &[Portal],
    who: Who,
    seen: &PersonView,
    history: &History,
) -> anyhow::Result<Value> {
    let source = &view.sources[who.source].rules;
    let person = seen.person(source);
    let groups: Vec<Value> = seen
        .memberships
        .iter()
        .map(|membership| {
            json!({
                "id": membership.group.id,
                "displayName": membership.group.display_name,
                "direct": membership.direct,
                "assigned": membership.assigned,
            })
        })
        .collect();
    let mut answers = serde_json::Map::new();
    for portal in portals {
        let key = key_of(portal.match_on, &seen.user);
        let own = view.own_link(&portal.name, portal.match_on, &source.name, seen)?;
        let holder = match (&key, &own) {
            (Some(key), None) => store.link(&portal.name, key)?,
            _ => None,
        };
        let (present, why) = match presence(&person, portal) {
            Presence::Present(reason) => (true, reason),
            Presence::Absent(cause) => (false, cause.to_string()),
        };
        let owner = holder.map(|link| json!({ "source": link.source, "id": link.user }));
        let role_groups: Vec<&str> = person
            .counted_groups()
            .filter(|membership| portal.roles.contains_key(&*membership.folded_name))
            .map(|membership| membership.group.display_name.as_str())
            .collect();
        let last = match &key {
            Some(key) => last_action(store, history, &portal.name, key)?,
            None => None,
        };
        let account = own.as_ref();
        let leaving_since = match account.map(|link| &link.state) {
            Some(LinkState::Leaving { since, .. }) => Some(*since),
            _ => None,
        };
        answers.insert(
            portal.name.clone(),
            json!({
                "present": present,
                "reason": why,
                "key": key,
                "account": account.is_some(),
                "role": account.and_then(|link| link.account.role),
                "role_groups": role_groups,
                "account_key": account.map(|link| link.key.clone()),
                "leaving_since": leaving_since,
                "departed": account.is_some_and(|link| link.is_departed()),
                "key_belongs_to": owner,
                "last_action": last,
            }),
        );
    }
    let subject = subject_of(&person);
    Ok(json!({
        "source": source.name,
        "id": subject.id,
        "display": subject.display,
        "active": seen.user.active,
        "deleted": seen.gone,
        "assigned": seen.assigned,
        "groups": groups,
        "portals": answers,
    }))
}

fn last_action(
    store: &Store,
    history: &History,
    portal: &str,
    key: &str,
) -> anyhow::Result<Option<Value>> {
    for record in store.runs()?.into_iter().take(RUNS) {
        if !record.head.summary.contains_key(portal) {
            continue;
        }
        let Some(plan) = history.read(&record.head.run)? else {
            continue;
        };
        for action in plan.actions() {
            let action = action?;
            if action.portal == portal && action.key == key {
                return Ok(Some(json!({
                    "run": record.head.run,
                    "at": record.head.created_at,
                    "op": action.op,
                    "reason": action.reason,
                })));
            }
        }
    }
    Ok(None)
}

fn print(user: &Value) {
    let text = |value: &Value| match value {
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    };
    println!(
        "{} ({} in {})",
        text(&user["display"]),
        text(&user["id"]),
        text(&user["source"])
    );
    println!(
        "  active: {}, deleted: {}, assigned in person: {}",
        user["active"], user["deleted"], user["assigned"]
    );
    for group in user["groups"].as_array().into_iter().flatten() {
        let how = if group["direct"] == true {
            "in"
        } else {
            "nested in"
        };
        let assigned = if group["assigned"] == true {
            ", assigned"
        } else {
            ""
        };
        println!("  {how} {}{assigned}", text(&group["displayName"]));
    }
    for (portal, answer) in user["portals"].as_object().into_iter().flatten() {
        let present = if answer["present"] == true {
            "present"
        } else {
            "absent"
        };
        println!("  {portal}: {present}, {}", text(&answer["reason"]));
        println!("    key {}", text(&answer["key"]));
        match (answer["account"] == true, &answer["key_belongs_to"]) {
            (true, _) => println!(
                "    has an account{}, role {}",
                if answer["departed"] == true {
                    " (departed)"
                } else {
                    ""
                },
                text(&answer["role"])
            ),
            (false, Value::Null) => println!("    has no account"),
            (false, owner) => println!(
                "    has no account: the key belongs to {} in {}",
                text(&owner["id"]),
                text(&owner["source"])
            ),
        }
        for group in answer["role_groups"].as_array().into_iter().flatten() {
            println!("    role group: {}", text(group));
        }
        if let Some(last) = answer["last_action"].as_object() {
            println!(
                "    last: {} in run {}: {}",
                text(&last["op"]),
                text(&last["run"]),
                text(&last["reason"])
            );
        }
    }
}
