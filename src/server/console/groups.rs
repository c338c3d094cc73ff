//! Groups: those of a source or of a portal, and one with its members.

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{self, Place, in_path, number, pill};
use super::session::Visitor;
use crate::answers;
use crate::answers::group::{self, GroupPage, MemberLine, MemberStanding};
use crate::answers::groups::{self, GroupLine, Of, Part};
use crate::server::Shared;
use crate::server::input::{Path, Query};
use crate::server::stream::blocking;

/// How many groups a page shows.
const GROUPS: usize = 50;

/// How many members.
const MEMBERS: usize = 100;

#[derive(Deserialize)]
pub struct Search {
    source: Option<String>,
    portal: Option<String>,
    q: Option<String>,
    page: Option<usize>,
}

/// Whose groups are shown: a word for what it is, and its name.
#[derive(Clone, PartialEq, Eq)]
struct Whose {
    kind: &'static str,
    name: String,
}

impl Whose {
    fn of(&self) -> Of<'_> {
        match self.kind {
            "portal" => Of::Portal(&self.name),
            _ => Of::Source(&self.name),
        }
    }

    fn query(&self) -> String {
        format!("/groups?{}={}", self.kind, in_path(&self.name))
    }
}

/// The list as it is shown.
struct Sight {
    all: Vec<Whose>,
    whose: Whose,
    asked: String,
    page: usize,
    found: Part<GroupLine>,
}

pub async fn list(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Query(search): Query<Search>,
) -> Response {
    let sight = blocking(move || {
        let sync = shared.conductor.sync();
        let named = |kind, name: &str| Whose {
            kind,
            name: name.to_owned(),
        };
        let sources = || sync.rules.iter().map(|rules| rules.name.as_str());
        let portals = || sync.portals.iter().map(|portal| portal.name.as_str());
        let mut all: Vec<Whose> = sources().map(|name| named("source", name)).collect();
        all.extend(portals().map(|name| named("portal", name)));
        let whose = match (&search.portal, &search.source) {
            (Some(portal), _) => {
                answers::known("portal", portals(), portal)?;
                named("portal", portal)
            }
            (None, Some(source)) => {
                answers::known("source", sources(), source)?;
                named("source", source)
            }
            (None, None) => match all.first() {
                Some(first) => first.clone(),
                None => return Ok(None),
            },
        };
        let asked = search.q.unwrap_or_default().trim().to_owned();
        let page = search.page.unwrap_or(0);
        let found = groups::groups(
            &sync.store,
            &sync.portals,
            whose.of(),
            &asked,
            page.saturating_mul(GROUPS),
            GROUPS,
        )?;
        Ok(Some(Sight {
            all,
            whose,
            asked,
            page,
            found,
        }))
    });
    match sight.await {
        Ok(Some(sight)) => layout::page(Place::Groups, "Groups", &visitor, results(&sight)),
        Ok(None) => {
            let content = html! {
                h1 { "Groups" }
                p.empty { "The settings name no source and no portal." }
            };
            layout::page(Place::Groups, "Groups", &visitor, content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

fn results(sight: &Sight) -> Markup {
    let Sight {
        all,
        whose,
        asked,
        page,
        found,
    } = sight;
    html! {
        h1 #groups { "Groups" }
        nav.tabs aria-label="Whose groups" {
            @for (kind, title) in [("source", "Sources"), ("portal", "Portals")] {
                @let some: Vec<&Whose> = all.iter().filter(|one| one.kind == kind).collect();
                @if !some.is_empty() {
                    span.small { (title) }
                    @for one in some {
                        a href=(one.query()) aria-current=[(one == whose).then_some("true")] { (one.name) }
                    }
                }
            }
        }
        form.row role="search" action="/groups" {
            input type="hidden" name=(whose.kind) value=(whose.name);
            label { "A part of the name"
                input type="search" name="q" value=(asked);
            }
            button { "Search" }
        }
        @if found.total == 0 {
            @if asked.is_empty() {
                p.empty { (whose.name) @if whose.kind == "portal" { " has no pushed group." } @else { " has shown no group yet." } }
            } @else {
                p.empty { "No group of " (whose.name) " has “" (asked) "” in its name." }
            }
        } @else {
            table.stack aria-labelledby="groups" {
                thead { tr {
                    th scope="col" { "Group" }
                    @if whose.kind == "portal" { th scope="col" { "Source" } }
                    th.number scope="col" { (counted(whose)) }
                    th scope="col" { "Pushed to" }
                } }
                tbody { @for group in &found.items { tr {
                    th scope="row" { a href={ "/groups/" (in_path(&group.source)) "/" (in_path(&group.id)) } { (group.name) } }
                    @if whose.kind == "portal" { td data-label="Source" { (group.source) } }
                    td.number data-label=(counted(whose)) { (number(group.members)) }
                    td data-label="Pushed to" { (pushed_to(&group.portals)) }
                } } }
            }
            (layout::turn(&format!("{}&q={}&page=", whose.query(), in_path(asked)), *page, GROUPS, found.total))
        }
    }
}

/// What the number beside a group counts.
fn counted(whose: &Whose) -> &'static str {
    match whose.kind {
        "portal" => "Accounts",
        _ => "Direct members",
    }
}

fn pushed_to(portals: &[String]) -> Markup {
    html! {
        @if portals.is_empty() { (layout::none()) }
        @else { span.pills { @for portal in portals { (pill("calm", portal)) } } }
    }
}

#[derive(Deserialize)]
pub struct Which {
    page: Option<usize>,
}

pub async fn one(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path((source, id)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Response {
    let page = which.page.unwrap_or(0);
    let found = blocking(move || {
        let sync = shared.conductor.sync();
        let skip = page.saturating_mul(MEMBERS);
        Ok(group::group(
            &sync.store,
            &sync.portals,
            &source,
            &id,
            skip,
            MEMBERS,
        )?)
    });
    match found.await {
        Ok(found) => {
            let content = whole(&found, page);
            layout::page(Place::Groups, &found.name, &visitor, content)
        }
        Err(problem) => layout::problem(&problem, Some(&visitor)),
    }
}

fn whole(group: &GroupPage, page: usize) -> Markup {
    let here = format!("/groups/{}/{}", in_path(&group.source), in_path(&group.id));
    html! {
        h1 { (group.name) }
        p.facts {
            @if group.gone { (pill("warn", "deleted")) }
            @if group.assigned { (pill("good", "assigned")) }
            span { "group of " a href={ "/groups?source=" (in_path(&group.source)) } { (group.source) } }
        }
        dl {
            dt { "Pushed to" } dd { (pushed_to(&group.portals)) }
            dt { "In groups" }
            dd {
                @if group.parents.is_empty() { (layout::none()) }
                @for (place, (id, name)) in group.parents.iter().enumerate() {
                    @if place > 0 { ", " }
                    a href={ "/groups/" (in_path(&group.source)) "/" (in_path(id)) } { (name) }
                }
            }
            dt { "Id" } dd { code { (group.id) } }
            @if group.external_id != group.id { dt { "External id" } dd { code { (group.external_id) } } }
        }
        section {
            h2 #members { "Direct members" }
            @if group.members.total == 0 { p.empty { "Nobody is in it." } }
            @else {
                table.stack.narrow aria-labelledby="members" {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "State" } } }
                    tbody { @for line in &group.members.items { (member(&group.source, line)) } }
                }
                (layout::turn(&format!("{here}?page="), page, MEMBERS, group.members.total))
            }
        }
    }
}

fn member(source: &str, line: &MemberLine) -> Markup {
    let path = match line.standing {
        MemberStanding::Group => format!("/groups/{}/{}", in_path(source), in_path(&line.id)),
        _ => format!("/people/{}", in_path(&line.id)),
    };
    let (tone, word) = match line.standing {
        MemberStanding::Active => ("good", "active"),
        MemberStanding::Inactive => ("warn", "not active"),
        MemberStanding::Gone => ("warn", "deleted"),
        MemberStanding::Unseen => ("calm", "not seen"),
        MemberStanding::Group => ("calm", "group"),
    };
    html! {
        tr {
            th scope="row" {
                @if line.standing == MemberStanding::Unseen { (line.name) }
                @else { a href=(path) { (line.name) } }
            }
            td data-label="State" { (pill(tone, word)) }
        }
    }
}
