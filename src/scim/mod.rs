//! The words of SCIM 2.0 (RFC 7643, RFC 7644): what a resource is, what a filter, a path and a
//! patch say, and what is answered when they say it wrong.
//!
//! All of it is pure: no store, no network, no clock. `schema` declares every attribute once,
//! and serves the discovery documents, validation, comparison and projection alike. The
//! HTTP side is in `server::scim`, the rows in `store::pushed`.
//!
//! Two dialects are spoken to, Entra's and Okta's, and a client that follows the RFC. Where
//! they differ from it the code says so, and is lenient only where nothing can be lost by it.

pub mod accept;
pub mod bulk;
pub mod convert;
pub mod error;
pub mod filter;
pub mod inspect;
pub mod list;
pub mod patch;
pub mod path;
pub mod project;
pub mod query;
pub mod schema;
pub mod sort;

pub use error::{ScimError, ScimType};
pub use filter::Filter;
pub use list::ListResponse;
pub use project::Selection;
pub use query::Query;
pub use schema::{Kind, ResourceType, Types};

/// A JSON object, the shape of every resource.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// Compares names as SCIM does: without regard to ASCII case (RFC 7643 §2.1).
pub fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// A member of an object by its name in any case.
pub fn member<'o>(object: &'o Object, name: &str) -> Option<&'o serde_json::Value> {
    object.get(name).or_else(|| {
        let found = object.iter().find(|(key, _)| same(key, name));
        found.map(|(_, value)| value)
    })
}
