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

#[cfg(test)]
mod tests {
    //! Whatever JSON comes in is refused or understood, and what is understood can be shown.

    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// JSON of the kind that clients send, and of every other kind.
    fn any_json() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            Just("schemas".to_owned()),
            Just("userName".to_owned()),
            Just("USERNAME".to_owned()),
            Just("emails".to_owned()),
            Just("value".to_owned()),
            Just("primary".to_owned()),
            Just("members".to_owned()),
            Just("Operations".to_owned()),
            Just("op".to_owned()),
            Just("path".to_owned()),
            Just("add".to_owned()),
            Just("emails[type eq \"work\"].value".to_owned()),
            Just("method".to_owned()),
            Just("bulkId".to_owned()),
            Just("filter".to_owned()),
            Just("name".to_owned()),
            Just(schema::urn::USER.to_owned()),
            Just(schema::urn::ENTERPRISE.to_owned()),
            "\\PC{0,8}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 48, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((word.clone(), inner), 0..6)
                    .prop_map(|parts| Value::Object(parts.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_refused_or_understood(mut sent in any_json()) {
            let types = Types::new(&BTreeMap::new());
            for kind in Kind::ALL {
                let of_kind = types.of(kind);
                if let Value::Object(sent) = &mut sent {
                    sent.insert("schemas".to_owned(), json!([of_kind.core.urn]));
                }
                let Ok(kept) = accept::resource(&sent, of_kind) else { continue };
                let again = accept::resource(&Value::Object(kept.clone()), of_kind);
                prop_assert_eq!(again.as_ref(), Ok(&kept));
                convert::user("1", &kept);
                if let Ok(operations) = patch::read(&sent) {
                    let _ = patch::apply(&kept, &operations, of_kind);
                }
            }
            let _ = patch::read(&sent);
            let _ = Query::from_json(&sent);
            if let Ok(request) = bulk::BulkRequest::read(&sent) {
                let order = bulk::order(&request.operations);
                prop_assert_eq!(order.len(), request.operations.len());
            }
        }
    }
}
