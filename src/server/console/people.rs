//! People: a search by the beginning of a key. `person` is everything about one of them.

use std::collections::BTreeMap;

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{self, Place, in_path, pill};
use super::session::Visitor;
use crate::answers::AnswerError;
use crate::directory::fold::fold;
use crate::server::Shared;
use crate::server::input::Query;
use crate::server::stream::blocking;

/// How many accounts of a portal a search shows.
const FOUND: usize = 25;

#[derive(Deserialize)]
pub struct Search {
    q: Option<String>,
}

/// The accounts that stand under one key.
#[derive(Default)]
struct Found {
    name: Option<String>,
    role: Option<&'static str>,
    /// Each with whether the account outlived its user.
    portals: Vec<(String, bool)>,
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
        let mut found: BTreeMap<String, Found> = BTreeMap::new();
        if wanted.is_empty() {
            return Ok(found);
        }
        for portal in &sync.portals {
            let links = sync.store.links_beginning(&portal.name, &wanted);
            for link in links.take(FOUND) {
                let link = link.map_err(AnswerError::from)?;
                let departed = link.is_departed();
                let account = found.entry(link.key).or_default();
                account.portals.push((portal.name.clone(), departed));
                account.name = account.name.take().or(link.account.display_name);
                let role = link.account.role.map(|role| role.as_str());
                account.role = account.role.or(role);
            }
        }
        Ok(found)
    });
    match found.await {
        Ok(found) => layout::page(Place::People, "People", &visitor, results(&asked, &found)),
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

fn results(asked: &str, found: &BTreeMap<String, Found>) -> Markup {
    html! {
        h1 #people { "People" }
        form.row role="search" action="/people" {
            label { "The beginning of a key (an address, a login)"
                input type="search" name="q" value=(asked) autofocus[asked.is_empty()];
            }
            button { "Search" }
        }
        @if asked.is_empty() {
            p.empty { "Somebody's page says whether they have an account in each portal, and why." }
        } @else if found.is_empty() {
            p.empty { "No account's key begins with “" (asked) "”." }
            p { a href={ "/people/" (in_path(asked)) } { "Look for it as the key or id of somebody without an account" } }
        } @else {
            table.stack aria-labelledby="people" {
                thead { tr {
                    th scope="col" { "Key" } th scope="col" { "Name" } th scope="col" { "Portals" }
                    th scope="col" { "Role" }
                } }
                tbody { @for (key, account) in found { tr {
                    th scope="row" { a href={ "/people/" (in_path(key)) } { (key) } }
                    td data-label="Name" { (account.name.as_deref().unwrap_or("–")) }
                    td data-label="Portals" { span.pills { @for (portal, departed) in &account.portals {
                        @if *departed { (pill("warn", &format!("{portal}, departed"))) }
                        @else { (pill("calm", portal)) }
                    } } }
                    td data-label="Role" { (account.role.unwrap_or("–")) }
                } } }
            }
            p.small { "At most the first " (FOUND) " of each portal are shown." }
        }
    }
}
