//! The console: what an operator looks at and may do, as pages that need no script.
//!
//! Pages are written here and nowhere else loaded from; their policy lets them do no more
//! than show themselves and send their own forms. Every change carries the session's token.

mod clients;
mod groups;
mod held;
mod layout;
mod overview;
mod people;
mod person;
mod runs;
mod session;
mod sparkline;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::{Shared, access};

pub use session::Sessions;

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const CSS: &str = include_str!("console.css");

const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">\
                    <rect width=\"16\" height=\"16\" rx=\"4\" fill=\"#2450c4\"/>\
                    <path d=\"M4 5h8M4 8h8M4 11h5\" stroke=\"#fff\" stroke-width=\"1.6\"/></svg>";

/// The console's routes.
pub fn routes(shared: Shared) -> Router<Shared> {
    let quick = Router::new()
        .route("/", get(overview::page))
        .route("/sync", post(overview::sync))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::one))
        .route("/runs/{id}/report", get(runs::report))
        .route("/people", get(people::search))
        .route("/people/{key}", get(person::page))
        .route("/groups", get(groups::list))
        .route("/groups/{source}/{id}", get(groups::one))
        .route("/clients", get(clients::page))
        .route("/logout", post(session::logout))
        .layer(from_fn(access::in_time));
    Router::new()
        .route(
            "/runs/{id}/approve",
            get(held::ask_approval).post(held::approve),
        )
        .route(
            "/runs/{id}/discard",
            get(held::ask_discarding).post(held::discard),
        )
        .merge(quick)
        .layer(from_fn_with_state(shared, session::visitors))
        .route("/login", get(session::login_page).post(session::login))
        .route("/console.css", get(css))
        .route("/icon.svg", get(icon))
        .layer(from_fn(careful))
}

/// The headers of every page. A report has a policy of its own.
async fn careful(request: axum::extract::Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        let name = HeaderName::from_static(name);
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

async fn css() -> impl IntoResponse {
    still("text/css; charset=utf-8", CSS)
}

async fn icon() -> impl IntoResponse {
    still("image/svg+xml", ICON)
}

/// What changes with the program only.
fn still(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, text)
}
