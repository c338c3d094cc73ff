//! What all pages have around them, and how times, numbers and states look.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::session::Visitor;
use crate::plan::report::words;
use crate::plan::{Mode, Status};
use crate::server::problem::Problem;

/// The parts of the console, as the navigation has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Overview,
    Runs,
    People,
    Groups,
    Clients,
}

impl Place {
    const ALL: [Place; 5] = [
        Place::Overview,
        Place::Runs,
        Place::People,
        Place::Groups,
        Place::Clients,
    ];

    fn name(self) -> &'static str {
        match self {
            Place::Overview => "Overview",
            Place::Runs => "Runs",
            Place::People => "People",
            Place::Groups => "Groups",
            Place::Clients => "Clients",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Place::Overview => "/",
            Place::Runs => "/runs",
            Place::People => "/people",
            Place::Groups => "/groups",
            Place::Clients => "/clients",
        }
    }
}

/// A page for somebody who is logged in.
pub fn page(place: Place, title: &str, visitor: &Visitor, content: Markup) -> Response {
    whole(StatusCode::OK, title, Some((visitor, Some(place))), content)
}

/// A page for somebody who is not.
pub fn outside(status: StatusCode, title: &str, content: Markup) -> Response {
    whole(status, title, None, content)
}

/// A page that says what went wrong.
pub fn problem(problem: &Problem, visitor: Option<&Visitor>) -> Response {
    let title = problem.status.canonical_reason().unwrap_or("Error");
    let content = html! {
        h1 { (title) }
        p.banner.bad role="alert" { (problem.detail) }
        p { a href="/" { "Back to the overview" } }
    };
    let visitor = visitor.map(|visitor| (visitor, None));
    whole(problem.status, title, visitor, content)
}

fn whole(
    status: StatusCode,
    title: &str,
    visitor: Option<(&Visitor, Option<Place>)>,
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
                @if let Some((visitor, here)) = visitor {
                    header { div.inside {
                        a.brand href="/" { img src="/icon.svg" alt="" width="22" height="22"; "rosterd" }
                        nav aria-label="Main" {
                            @for place in Place::ALL {
                                a href=(place.path()) aria-current=[(here == Some(place)).then_some("page")] { (place.name()) }
                            }
                        }
                        form method="post" action="/logout" {
                            (token(visitor))
                            button.plain { "Log out" }
                        }
                    } }
                }
                main #content tabindex="-1" { (content) }
            }
        }
    };
    (status, Html(page.into_string())).into_response()
}

/// The hidden field that makes a form this session's.
pub fn token(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name="token" value=(visitor.form_token); }
}

/// A time to the minute, the seconds on demand.
pub fn time(at: Timestamp) -> Markup {
    let whole = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(at) title=(whole) { (words::time(at)) } }
}

/// How long ago, or how soon; the time itself on demand.
pub fn away(now: Timestamp, at: Timestamp) -> Markup {
    let seconds = now.duration_since(at).as_secs();
    let whole = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! {
        time datetime=(at) title=(whole) {
            @if seconds >= 0 { (age(seconds)) " ago" } @else { "in " (age(-seconds)) }
        }
    }
}

/// A length of time in the largest unit that fits.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// What is not there.
pub fn none() -> Markup {
    html! { span.none { "–" } }
}

pub fn number(count: usize) -> String {
    words::number(count as u64)
}

pub fn status(status: Status) -> Markup {
    let tone = match status {
        Status::Planned | Status::Discarded => "calm",
        Status::Applied => "good",
        Status::PartlyApplied => "warn",
        Status::Held | Status::Failed => "bad",
    };
    pill(tone, words::status(status))
}

pub fn pill(tone: &str, text: &str) -> Markup {
    html! { span class={ "pill " (tone) } { (text) } }
}

pub fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Full => "full",
        Mode::Incremental => "incremental",
        Mode::OnDemand => "on demand",
        Mode::Push => "push",
        Mode::Drift => "drift",
    }
}

/// A key or an id as a part of a path or a query.
pub fn in_path(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// Ways to the part of a list before this one and to the one after it. `path` ends where the
/// number of the page goes.
pub fn turn(path: &str, page: usize, size: usize, total: usize) -> Markup {
    let last = total.saturating_sub(1) / size;
    html! {
        @if last > 0 {
            nav.turn aria-label="Pages" {
                @if page > 0 { a rel="prev" href={ (path) (page - 1) } { "← Before" } }
                span { (number((page * size + 1).min(total))) " to " (number(((page + 1) * size).min(total))) " of " (number(total)) }
                @if page < last { a rel="next" href={ (path) (page + 1) } { "After →" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_one_page_has_nowhere_to_turn() {
        assert_eq!(turn("/x?page=", 0, 50, 50).into_string(), "");
        let last = turn("/x?page=", 1, 50, 51).into_string();
        assert!(last.contains("href=\"/x?page=0\"") && !last.contains("After"));
        assert!(last.contains("51 to 51 of 51"), "{last}");
    }

    #[test]
    fn what_is_put_into_a_path_stays_one_part_of_it() {
        assert_eq!(in_path("a b/c?d&e=ü"), "a%20b%2Fc%3Fd%26e%3D%C3%BC");
    }
}
