//! One person: who they are, and for each portal whether they are in it, by which rule, what
//! stands there and what was done.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};

use super::layout::{self, Place, in_path, pill};
use super::session::Visitor;
use crate::answers::explain::{Explained, ExplainedPortal, ExplainedUser, explain};
use crate::answers::person::{Deeds, Standing, deeds, standing};
use crate::config::PortalKind;
use crate::plan::OutcomeStatus;
use crate::plan::report::words;
use crate::rules::{OnCreate, OnDeactivate, Portal, RoleUpdates};
use crate::server::Shared;
use crate::server::input::Path;
use crate::server::problem::Problem;
use crate::server::stream::blocking;

/// How many of the latest deeds are shown.
const DEEDS: usize = 30;

/// One of those whom the key may mean.
struct Sight {
    user: ExplainedUser,
    /// By portal: how it decides, and what stands there.
    portals: BTreeMap<String, (Vec<Rule>, Option<Standing>)>,
    deeds: Deeds,
}

/// A rule of a portal: when it applies, and what it does.
type Rule = (&'static str, String);

pub async fn page(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(key): Path<String>,
) -> Response {
    match blocking(move || look(&shared, &key)).await {
        Ok((key, sights)) => {
            let content = html! { @for sight in &sights { (person(sight)) } };
            layout::page(Place::People, &key, &visitor, content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

fn look(shared: &Shared, key: &str) -> Result<(String, Vec<Sight>), Problem> {
    let sync = shared.conductor.sync();
    let rules = sync.rules.clone();
    let Explained { key, users } = explain(&sync.store, &sync.history, rules, &sync.portals, key)?;
    let mut sights = Vec::new();
    for user in users {
        let mut accounts = BTreeSet::new();
        let mut portals = BTreeMap::new();
        for portal in &sync.portals {
            let Some(answer) = user.portals.get(&portal.name) else {
                continue;
            };
            // Another's account under this user's key is not this user's affair.
            let keys = answer
                .key
                .iter()
                .filter(|_| answer.key_belongs_to.is_none());
            for key in keys.chain(&answer.account_key) {
                accounts.insert((portal.name.clone(), key.clone()));
            }
            let stands = match &answer.account_key {
                Some(key) => standing(&sync.store, portal, key)?,
                None => None,
            };
            portals.insert(portal.name.clone(), (rules_of(portal), stands));
        }
        let deeds = deeds(&sync.store, &sync.history, &accounts, DEEDS)?;
        sights.push(Sight {
            user,
            portals,
            deeds,
        });
    }
    Ok((key, sights))
}

fn rules_of(portal: &Portal) -> Vec<Rule> {
    let mut rules = vec![
        (
            "On coming",
            match portal.on_create {
                OnCreate::Create => "an account is made",
                OnCreate::Nothing => "no account is made; one that is there is adopted",
            }
            .to_owned(),
        ),
        ("On leaving", on_leaving(portal)),
    ];
    if portal.kind == PortalKind::Dashboard {
        let when = match portal.role_updates {
            RoleUpdates::Initial => "by groups, when the account is made",
            RoleUpdates::Continuous => "by groups, always",
        };
        let otherwise = match portal.default_role {
            Some(role) => format!("else {}", role.as_str()),
            None => "else none".to_owned(),
        };
        rules.push(("Role is given", format!("{when}; {otherwise}")));
    }
    rules
}

fn on_leaving(portal: &Portal) -> String {
    let what = match &portal.on_deactivate {
        OnDeactivate::Nothing => return "the account stays as it is".to_owned(),
        OnDeactivate::Remove => "the account is removed".to_owned(),
        OnDeactivate::Disable => "the account is disabled".to_owned(),
        OnDeactivate::UnassignDevices => "devices are unassigned".to_owned(),
        OnDeactivate::ChangePolicy(policy) => format!("devices go under policy “{policy}”"),
        OnDeactivate::RemoveUser => "the account is removed, devices stay".to_owned(),
        OnDeactivate::RemoveUserAndDevices => "devices and the account are removed".to_owned(),
    };
    match portal.grace.is_zero() {
        true => what,
        false => format!("{what}, after {:#}", portal.grace),
    }
}

fn person(sight: &Sight) -> Markup {
    let user = &sight.user;
    html! {
        h1 { @if user.display.is_empty() { (user.id) } @else { (user.display) } }
        p.facts {
            @if user.deleted { (pill("warn", "deleted")) }
            @else if user.active { (pill("good", "active")) }
            @else { (pill("warn", "not active")) }
            @if user.assigned { (pill("calm", "assigned in person")) }
            span { "user of " (user.source) ", " code { (user.id) } }
        }
        section {
            h2 { "Portals" }
            @if user.portals.is_empty() { p.empty { "The settings name no portal." } }
            div.cards.wide {
                @for (name, answer) in &user.portals {
                    @let (rules, stands) = match sight.portals.get(name) {
                        Some((rules, stands)) => (rules.as_slice(), stands.as_ref()),
                        None => (&[][..], None),
                    };
                    (portal(name, answer, rules, stands))
                }
            }
        }
        section {
            h2 { "Groups at the source" }
            @if user.groups.is_empty() { p.empty { "In no group." } }
            ul.plain { @for group in &user.groups { li {
                a href={ "/groups/" (in_path(&user.source)) "/" (in_path(&group.id)) } { (group.display_name) }
                @if !group.direct { " " (pill("calm", "nested")) }
                @if group.assigned { " " (pill("good", "assigned")) }
            } } }
        }
        section {
            h2 #history { "History" }
            (history(&sight.deeds))
        }
    }
}

fn portal(
    name: &str,
    answer: &ExplainedPortal,
    rules: &[Rule],
    stands: Option<&Standing>,
) -> Markup {
    html! {
        article {
            h3 { (name) }
            p.pills {
                @if answer.account { (pill("good", "has an account")) } @else { (pill("calm", "no account")) }
                @if answer.departed { (pill("warn", "departed")) }
                @if answer.leaving_since.is_some() { (pill("warn", "in grace")) }
            }
            dl {
                dt { "Scope" } dd { @if answer.present { "in: " } @else { "not in: " } (answer.reason) }
                dt { "Key" } dd { (answer.key.as_deref().unwrap_or("–")) }
                @if answer.account_key.is_some() && answer.account_key != answer.key {
                    dt { "Stands under" } dd { (answer.account_key.as_deref().unwrap_or("–")) }
                }
                @if let Some(owner) = &answer.key_belongs_to {
                    dt { "Key belongs to" } dd { a href={ "/people/" (in_path(&owner.id)) } { (owner.source) ", " code { (owner.id) } } }
                }
                @if let Some(role) = answer.role { dt { "Role" } dd { (role.as_str()) } }
                @if !answer.role_groups.is_empty() { dt { "Role groups" } dd { (answer.role_groups.join(", ")) } }
                @if let Some(since) = answer.leaving_since { dt { "Leaving since" } dd { (layout::time(since)) } }
                @for (when, what) in rules { dt { (when) } dd { (what) } }
            }
            @if let Some(stands) = stands { (account(stands)) }
        }
    }
}

fn account(stands: &Standing) -> Markup {
    html! {
        @if !stands.groups.is_empty() {
            h4 { "Groups there" }
            p { @for (place, group) in stands.groups.iter().enumerate() {
                @if place > 0 { ", " }
                a href={ "/groups/" (in_path(&group.source)) "/" (in_path(&group.id)) } { (group.name) }
            } }
        }
        @if !stands.devices.is_empty() {
            h4 { "Devices" }
            ul.plain { @for device in &stands.devices { li {
                (device.name) @if device.name != device.id { " " code { (device.id) } }
                @if let Some(policy) = &device.policy { " " (pill("calm", policy)) }
            } } }
        }
        details {
            summary { "The account as last applied" }
            dl { @for (name, value) in &stands.attributes {
                dt { (name) } dd { (value.plain()) }
            } }
        }
    }
}

fn history(found: &Deeds) -> Markup {
    if found.deeds.is_empty() {
        return html! {
            p.empty { @if found.cut { "Nothing in the latest runs." } @else { "Nothing was done in any run that is kept." } }
        };
    }
    html! {
        table.stack aria-labelledby="history" {
            thead { tr {
                th scope="col" { "At" } th scope="col" { "Portal" } th scope="col" { "Action" }
                th scope="col" { "Because" } th scope="col" { "Came of it" }
            } }
            tbody { @for deed in &found.deeds { tr {
                th scope="row" { a href={ "/runs/" (deed.run) } title={ "Run " (deed.run) } { (layout::time(deed.at)) } }
                td data-label="Portal" { (deed.portal) }
                td data-label="Action" { span { (words::label(deed.op)) @if let Some(group) = &deed.group { ": " (group) } } }
                td data-label="Because" { (deed.reason) }
                td data-label="Came of it" { (came_of_it(deed.outcome)) }
            } } }
        }
        @if found.cut { p.small { "The latest only; older runs were not searched." } }
    }
}

fn came_of_it(outcome: Option<OutcomeStatus>) -> Markup {
    match outcome {
        Some(OutcomeStatus::Done) => pill("good", "done"),
        Some(OutcomeStatus::Failed) => pill("bad", "failed"),
        Some(OutcomeStatus::Skipped) => pill("warn", "skipped"),
        None => pill("calm", "not carried out"),
    }
}
