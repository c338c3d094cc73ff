//! What all pages have around them, and how times and numbers look.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::session::Visitor;
use crate::plan::Status;
use crate::server::problem::Problem;

/// A page. Who is not logged in sees no navigation.
pub fn page(
    status: StatusCode,
    title: &str,
    visitor: Option<&Visitor>,
    content: Markup,
) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · rosterd" }
                link rel="icon" href="/icon.svg";
                link rel="stylesheet" href="/console.css";
            }
            body {
                a.skip href="#content" { "To the content" }
                header {
                    a.brand href="/" { "rosterd" }
                    @if let Some(visitor) = visitor {
                        nav aria-label="Main" {
                            a href="/" { "Overview" }
                            a href="/runs" { "Runs" }
                            a href="/people" { "People" }
                            a href="/clients" { "Clients" }
                        }
                        form method="post" action="/logout" {
                            (token(visitor))
                            button.plain { "Log out" }
                        }
                    }
                }
                main #content { (content) }
            }
        }
    };
    (status, Html(page.into_string())).into_response()
}

/// The hidden field that makes a form this session's.
pub fn token(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name="token" value=(visitor.form_token); }
}

/// A page that says what went wrong.
pub fn problem(problem: &Problem, visitor: Option<&Visitor>) -> Response {
    let title = problem.status.canonical_reason().unwrap_or("Error");
    let content = html! {
        h1 { (title) }
        p.wrong role="alert" { (problem.detail) }
        p { a href="/" { "Back to the overview" } }
    };
    page(problem.status, title, visitor, content)
}

pub fn time(at: Timestamp) -> Markup {
    let text = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(at) { (text) } }
}

/// A time that may not have come.
pub fn maybe(at: Option<Timestamp>) -> Markup {
    match at {
        Some(at) => time(at),
        None => html! { span.none { "–" } },
    }
}

/// How long ago, in the largest unit that fits.
pub fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

pub fn status(status: Status) -> Markup {
    let (tone, text) = match status {
        Status::Planned => ("calm", "planned"),
        Status::Applied => ("good", "applied"),
        Status::PartlyApplied => ("warn", "partly applied"),
        Status::Held => ("bad", "held"),
        Status::Failed => ("bad", "failed"),
    };
    html! { span class={ "pill " (tone) } { (text) } }
}
