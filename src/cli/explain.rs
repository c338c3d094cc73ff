//! `rosterd explain`: why a user has or has not an account and a role.

use serde_json::Value;

use crate::answers;
use crate::app;
use crate::config::Loaded;

use super::sync::known_portal;
use super::{Exit, Output};

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
    let settings = &loaded.settings;
    let store = app::open_store(loaded)?.store;
    let history = app::history_of(settings);
    let sources = settings.sources.values().map(app::rules::source_rules);
    let mut portals = app::rules::portals(settings)?;
    portals.retain(|portal| args.portal.as_ref().is_none_or(|name| *name == portal.name));
    let explained =
        answers::explain::explain(&store, &history, sources.collect(), &portals, &args.key)?;
    let document = serde_json::to_value(&explained)?;
    match args.format {
        Output::Json => println!("{document:#}"),
        Output::Text => document["users"]
            .as_array()
            .into_iter()
            .flatten()
            .for_each(print),
    }
    Ok(Exit::Done)
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
