//! `rosterd drift`: what the targets hold against what was last applied.

use serde_json::json;

use crate::app;
use crate::config::Loaded;
use crate::directory::Value;
use crate::sync::drift::{AccountDrift, GroupDrift, PortalDrift, Repair, Report, Then, Unread};

use super::sync::known_portal;
use super::table::clean;
use super::{Exit, Output};

#[derive(clap::Args)]
pub struct Args {
    /// Only this portal; may be given several times.
    #[arg(long = "portal", value_name = "P")]
    portals: Vec<String>,
    /// Make what differs as it was applied. Nobody is removed, and what is not ours is left.
    #[arg(long)]
    repair: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Output,
}

pub async fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    for portal in &args.portals {
        known_portal(loaded, portal)?;
    }
    let then = if args.repair {
        Then::Repair
    } else {
        Then::Show
    };
    let named = !args.portals.is_empty();
    let app = app::open(loaded)?;
    let report = app.drift(args.portals, then).await?;
    match args.format {
        Output::Text => print(&report),
        Output::Json => println!("{:#}", document(&report)),
    }
    Ok(exit_of(&report, named))
}

/// A portal whose kind of target tells nothing is a failure where it was asked for by name.
fn exit_of(report: &Report, named: bool) -> Exit {
    let failed = |portal: &PortalDrift| match &portal.unread {
        Some(Unread::Away(_)) => true,
        Some(Unread::Never(_)) => named,
        None => false,
    };
    let portals = &report.portals;
    let (all, some) = (
        !portals.is_empty() && portals.values().all(failed),
        portals.values().any(failed),
    );
    let repair = report.repair.as_ref().map(|repair| repair.status.as_str());
    match repair {
        _ if all => Exit::Error,
        Some("held") => Exit::Held,
        Some("partly_applied") => Exit::Partly,
        _ if some => Exit::Partly,
        Some(_) => Exit::Done,
        None if report.has_drift() => Exit::Changes,
        None => Exit::Done,
    }
}

fn document(report: &Report) -> serde_json::Value {
    let value = |value: &Option<Value>| value.as_ref().map(Value::to_json);
    let portals: serde_json::Map<String, serde_json::Value> = report
        .portals
        .iter()
        .map(|(name, portal)| {
            let accounts: Vec<_> = portal
                .accounts
                .iter()
                .map(|account| {
                    let differs: Vec<_> = account
                        .differs
                        .iter()
                        .map(|one| {
                            json!({ "attribute": one.attribute, "applied": value(&one.applied),
                                    "held": value(&one.held) })
                        })
                        .collect();
                    json!({ "key": account.key, "source": account.source,
                            "source_id": account.source_id, "missing": account.missing,
                            "differs": differs })
                })
                .collect();
            let error = portal.unread.as_ref().map(why);
            let document = json!({
                "error": error,
                "accounts": accounts,
                "groups": portal.groups,
                "not_ours": { "accounts": portal.not_ours, "count": portal.not_ours_count,
                              "groups": portal.not_our_groups },
            });
            (name.clone(), document)
        })
        .collect();
    json!({ "drift": report.has_drift(), "portals": portals, "repair": report.repair })
}

fn why(unread: &Unread) -> &str {
    match unread {
        Unread::Away(text) | Unread::Never(text) => text,
    }
}

fn print(report: &Report) {
    for (name, portal) in &report.portals {
        match &portal.unread {
            Some(unread) => println!("{name}: not read: {}", clean(why(unread))),
            None if portal.is_none() => println!("{name}: as it was applied"),
            None => println!("{name}:"),
        }
        portal.accounts.iter().for_each(print_account);
        portal.groups.iter().for_each(print_group);
        if portal.not_ours_count > 0 {
            let (first, more) = (portal.not_ours.iter().take(5), portal.not_ours_count);
            let first: Vec<String> = first.map(|key| clean(key)).collect();
            let rest = if more > 5 { ", …" } else { "" };
            println!("  not ours: {more} accounts ({}{rest})", first.join(", "));
        }
        for group in &portal.not_our_groups {
            println!("  not ours: group {}", clean(group));
        }
    }
    if let Some(repair) = &report.repair {
        print_repair(repair);
    }
}

fn print_account(account: &AccountDrift) {
    let key = clean(&account.key);
    if account.missing {
        println!("  {key}: missing");
    }
    for one in &account.differs {
        let shown = |value: &Option<Value>| match value {
            Some(value) => clean(&value.plain()),
            None => "nothing".to_owned(),
        };
        println!(
            "  {key}: {} is {}, was applied as {}",
            clean(&one.attribute),
            shown(&one.held),
            shown(&one.applied)
        );
    }
}

fn print_group(group: &GroupDrift) {
    let name = clean(&group.display_name);
    if group.missing {
        println!("  group {name}: missing");
    }
    if let Some(held) = &group.held_name {
        println!("  group {name}: is named {}", clean(held));
    }
    for (members, what) in [
        (&group.members_missing, "members missing"),
        (&group.members_too_many, "members too many"),
    ] {
        if !members.is_empty() {
            let members: Vec<String> = members.iter().map(|key| clean(key)).collect();
            println!("  group {name}: {what}: {}", members.join(", "));
        }
    }
}

fn print_repair(repair: &Repair) {
    match repair.status.as_str() {
        "held" => {
            println!("nothing was repaired: the guard holds it");
            for limit in &repair.limits {
                println!("  {}", clean(limit));
            }
        }
        status => {
            let status = status.replace('_', " ");
            println!(
                "repair {}: {status}, {} actions",
                repair.run, repair.actions
            );
            for line in &repair.failed {
                println!("  failed: {}", clean(line));
            }
        }
    }
}
