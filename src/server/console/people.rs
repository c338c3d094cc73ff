//! People: a search by the beginning of a key, and everything about one of them.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout;
use super::session::Visitor;
use crate::answers::AnswerError;
use crate::answers::explain::{ExplainedPortal, ExplainedUser, explain};
use crate::directory::fold::fold;
use crate::server::Shared;
use crate::server::input::{Path, Query};
use crate::server::stream::blocking;

/// How many accounts of a portal a search shows.
const FOUND: usize = 25;

#[derive(Deserialize)]
pub struct Search {
    q: Option<String>,
}

/// One account that was found.
struct Found {
    portal: String,
    key: String,
    name: Option<String>,
    role: Option<&'static str>,
    departed: bool,
}

pub async fn search(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Query(search): Query<Search>,
) -> Response {
    let asked = search.q.unwrap_or_default().trim().to_owned();
    let wanted = fold(&asked);
    let found = blocking(move || {
        let sync = shared.conductor.sync();
        let mut found = Vec::new();
        if wanted.is_empty() {
            return Ok(found);
        }
        for portal in &sync.portals {
            let links = sync.store.links_beginning(&portal.name, &wanted);
            for link in links.take(FOUND) {
                let link = link.map_err(AnswerError::from)?;
                found.push(Found {
                    portal: portal.name.clone(),
                    departed: link.is_departed(),
                    key: link.key,
                    name: link.account.display_name,
                    role: link.account.role.map(|role| role.as_str()),
                });
            }
        }
        Ok(found)
    });
    match found.await {
        Ok(found) => {
            let content = results(&asked, &found);
            layout::page(StatusCode::OK, "People", Some(&visitor), content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

fn results(asked: &str, found: &[Found]) -> Markup {
    html! {
        h1 { "People" }
        form.row role="search" action="/people" {
            label { "The beginning of a key (an address, a login)"
                input type="search" name="q" value=(asked) autofocus;
            }
            button { "Search" }
        }
        @if !asked.is_empty() {
            @if found.is_empty() {
                p.empty { "No account's key begins with “" (asked) "”." }
                p { a href={ "/people/" (in_path(asked)) } { "Look for it as the key or id of somebody without an account" } }
            } @else {
                div.scroll { table {
                    thead { tr {
                        th scope="col" { "Key" } th scope="col" { "Name" } th scope="col" { "Portal" }
                        th scope="col" { "Role" }
                    } }
                    tbody { @for account in found { tr {
                        th scope="row" { a href={ "/people/" (in_path(&account.key)) } { (account.key) } }
                        td { (account.name.as_deref().unwrap_or("–")) }
                        td { (account.portal) @if account.departed { " " span class="pill warn" { "departed" } } }
                        td { (account.role.unwrap_or("–")) }
                    } } }
                } }
                p.small { "At most " (FOUND) " of each portal are shown." }
            }
        }
    }
}

/// A key as a part of a path.
fn in_path(key: &str) -> String {
    url::form_urlencoded::byte_serialize(key.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

pub async fn one(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(key): Path<String>,
) -> Response {
    let explained = blocking(move || {
        let sync = shared.conductor.sync();
        let sources = sync.rules.clone();
        Ok(explain(
            &sync.store,
            &sync.history,
            sources,
            &sync.portals,
            &key,
        )?)
    });
    match explained.await {
        Ok(explained) => {
            let content = html! { @for user in &explained.users { (person(user)) } };
            layout::page(StatusCode::OK, &explained.key, Some(&visitor), content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

fn person(user: &ExplainedUser) -> Markup {
    let yes = |is_so: bool| if is_so { "yes" } else { "no" };
    html! {
        h1 { (user.display) }
        dl {
            dt { "Source" } dd { (user.source) ", " code { (user.id) } }
            dt { "Active" } dd { (yes(user.active)) }
            dt { "Deleted" } dd { (yes(user.deleted)) }
            dt { "Assigned in person" } dd { (yes(user.assigned)) }
        }
        section {
            h2 { "Portals" }
            div.cards { @for (name, answer) in &user.portals { (portal(name, answer)) } }
        }
        section {
            h2 { "Groups" }
            @if user.groups.is_empty() { p.empty { "In no group." } }
            ul { @for group in &user.groups { li {
                (group.display_name)
                @if !group.direct { " " span.small { "nested" } }
                @if group.assigned { " " span class="pill calm" { "assigned" } }
            } } }
        }
    }
}

fn portal(name: &str, answer: &ExplainedPortal) -> Markup {
    html! {
        article {
            h3 { (name) }
            p {
                @if answer.account { span class="pill good" { "has an account" } }
                @else { span class="pill calm" { "no account" } }
                @if answer.departed { " " span class="pill warn" { "departed" } }
                @if answer.leaving_since.is_some() { " " span class="pill warn" { "in grace" } }
            }
            dl {
                dt { "Why" } dd { @if answer.present { "in scope: " } @else { "not in scope: " } (answer.reason) }
                dt { "Key" } dd { (answer.key.as_deref().unwrap_or("–")) }
                @if let Some(role) = answer.role { dt { "Role" } dd { (role.as_str()) } }
                @if !answer.role_groups.is_empty() { dt { "Role groups" } dd { (answer.role_groups.join(", ")) } }
                @if let Some(owner) = &answer.key_belongs_to {
                    dt { "The key belongs to" } dd { (owner.source) ", " code { (owner.id) } }
                }
                @if let Some(last) = &answer.last_action {
                    dt { "Last action" }
                    dd { (last.op.as_str().replace('_', " ")) ", " (layout::time(last.at)) ": " (last.reason) " (" a href={ "/runs/" (last.run) } { "run" } ")" }
                }
            }
        }
    }
}
