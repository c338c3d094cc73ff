//! The order of a sorted list (RFC 7644 §3.4.2.3).

use serde_json::Value;

use super::schema::ResourceType;
use super::{Object, ScimError, accept};
use crate::directory::fold::fold;

/// By what a list is sorted.
pub struct Order {
    extension: Option<String>,
    attribute: String,
    sub: Option<String>,
    exact: bool,
    descending: bool,
}

/// What of a resource decides its place. A resource without a value comes last where the order
/// ascends, and first where it descends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rank {
    Boolean(bool),
    Text(String),
    None,
}

impl Order {
    pub fn new(name: &str, descending: bool, kind: &ResourceType) -> Result<Order, ScimError> {
        let found = kind
            .resolve(name)
            .ok_or_else(|| ScimError::path(format!("there is no attribute '{name}' to sort by")))?;
        let compared = found
            .compared()
            .ok_or_else(|| ScimError::path(format!("'{name}' has parts; sort by one of them")))?;
        let whole = found.sub.is_none() && !found.attribute.sub.is_empty();
        Ok(Order {
            extension: found.extension.map(|extension| extension.urn.clone()),
            attribute: found.attribute.name.clone(),
            sub: match whole {
                true => Some("value".to_owned()),
                false => found.sub.map(|sub| sub.name.clone()),
            },
            exact: compared.case_exact,
            descending,
        })
    }

    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// The attribute it looks at.
    pub fn attribute(&self) -> &str {
        &self.attribute
    }

    /// Of several values the primary counts, or else the first.
    pub fn rank(&self, resource: &Object) -> Rank {
        let object = match &self.extension {
            None => Some(resource),
            Some(urn) => resource.get(urn).and_then(Value::as_object),
        };
        let value = object.and_then(|object| object.get(&self.attribute));
        let one = match value {
            Some(Value::Array(items)) => {
                let primary = items.iter().find(|item| accept::is_primary(item));
                primary.or_else(|| items.first())
            }
            one => one,
        };
        let part = match (&self.sub, one) {
            (Some(sub), Some(Value::Object(parts))) => parts.get(sub),
            (_, one) => one,
        };
        match part {
            Some(Value::Bool(flag)) => Rank::Boolean(*flag),
            Some(Value::String(text)) if self.exact => Rank::Text(text.clone()),
            Some(Value::String(text)) => Rank::Text(fold(text)),
            _ => Rank::None,
        }
    }
}
