//! Clients: what those that push over SCIM sent lately, and what they were answered.

use axum::extract::{Extension, State};
use axum::response::Response;
use maud::{Markup, html};

use super::layout::{self, Place};
use super::session::Visitor;
use crate::scim::inspect::Shown;
use crate::server::Shared;

/// How many requests of each client are shown.
const SHOWN: usize = 50;

pub async fn page(
    State(shared): State<Shared>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let sync = shared.conductor.sync();
    let inspector = &shared.scim.inspector;
    let clients: Vec<(&str, &str, Vec<Shown>)> = sync
        .inboxes
        .values()
        .map(|inbox| {
            let mut latest = inspector.show(&inbox.source, SHOWN, inbox.log.bodies);
            latest.reverse();
            (&*inbox.source, &*inbox.base, latest)
        })
        .collect();
    layout::page(Place::Clients, "Clients", &visitor, content(&clients))
}

fn content(clients: &[(&str, &str, Vec<Shown>)]) -> Markup {
    html! {
        h1 { "Clients" }
        @if clients.is_empty() {
            p.empty { "No source of kind scim is in the settings: everybody is pulled." }
        }
        @for (source, base, latest) in clients {
            h2 { (source) }
            p.small { "Base URL: " code { (base) } }
            @if latest.is_empty() {
                p.empty { "No client has come since the daemon started." }
            } @else {
                div.scroll { table {
                    thead { tr {
                        th scope="col" { "When" } th scope="col" { "Request" } th scope="col" { "Status" }
                        th scope="col" { "Took" } th scope="col" { "Sent and answered" }
                    } }
                    tbody { @for shown in latest { (row(shown)) } }
                } }
            }
        }
    }
}

fn row(shown: &Shown) -> Markup {
    let tone = match shown.status {
        ..400 => "good",
        400..500 => "warn",
        _ => "bad",
    };
    html! {
        tr {
            td { (layout::time(shown.at)) }
            td { code { (shown.method) " " (shown.target) } }
            td { span class={ "pill " (tone) } { (shown.status) } }
            td { (shown.took_ms) " ms" }
            td { details {
                summary { (shown.agent) }
                pre { (shown.request) }
                pre { (shown.answer) }
            } }
        }
    }
}
