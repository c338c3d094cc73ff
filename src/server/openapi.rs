//! The API's description, put together from those of its routes.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::api;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "rosterd",
        description = "Asks for runs, shows what they did, and lets an application read its portals.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        api::sync::sync,
        api::runs::list,
        api::runs::one,
        api::runs::report,
        api::runs::approve,
        api::runs::discard,
        api::status::status,
        api::status::explain,
        api::events::list,
        api::portals::accounts,
        api::portals::account,
        api::portals::groups,
        api::devices::list,
        api::devices::set,
        api::devices::remove,
        api::devices::policies,
        api::devices::set_policy,
        api::devices::remove_policy,
    ),
    security(("admin_token" = [])),
    modifiers(&AdminToken),
)]
struct Described;

struct AdminToken;

impl Modify for AdminToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("admin_token", scheme);
    }
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let described = Described::openapi();
    described.to_pretty_json().expect("it is plain data")
});

/// The document itself.
pub async fn document() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        DOCUMENT.as_str(),
    )
}
