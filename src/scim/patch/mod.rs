//! Changes to a resource (RFC 7644 §3.5.2): read here, carried out in `apply`, on single values
//! in `values`. A patch works on a copy, so one that is refused leaves no trace.
//!
//! A group's members are not in the resource: what is to become of them comes out as
//! [`MemberChange`]s, so that one member more costs the same in a group of any size.

mod apply;
mod members;
mod values;

#[cfg(test)]
mod tests;

pub use members::ids as member_ids;

use serde_json::Value;

use super::path::Path;
use super::schema::{ResourceType, urn};
use super::{Object, ScimError, query};
use crate::scim::filter::Compiled;

/// The most operations of one patch. Entra sends several hundred members in one, but as one
/// operation or a few.
pub const MAX_OPERATIONS: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Add,
    Replace,
    Remove,
}

/// One operation, as it was sent.
#[derive(Clone, PartialEq, Debug)]
pub struct Operation {
    pub verb: Verb,
    pub path: Option<Path>,
    /// None where none was given; null is a value.
    pub value: Option<Value>,
}

/// What is to become of a group's members, in this order.
#[derive(Clone, Debug)]
pub enum MemberChange {
    /// By id.
    Add(Vec<String>),
    Remove(Vec<String>),
    RemoveWhere(Compiled),
    /// These, and nobody else.
    Set(Vec<String>),
}

/// A patch's outcome.
#[derive(Clone, Debug, Default)]
pub struct Patched {
    pub resource: Object,
    pub members: Vec<MemberChange>,
}

/// Reads the body of a PATCH. Okta sends some without `schemas`.
pub fn read(sent: &Value) -> Result<Vec<Operation>, ScimError> {
    let sent = sent
        .as_object()
        .ok_or_else(|| ScimError::syntax("a patch is a JSON object"))?;
    query::message(sent, urn::PATCH)?;
    let operations = match super::member(sent, "Operations") {
        Some(Value::Array(operations)) if !operations.is_empty() => operations,
        _ => return Err(ScimError::syntax("'Operations' is a list of operations")),
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(ScimError::too_many(format!(
            "a patch has at most {MAX_OPERATIONS} operations"
        )));
    }
    operations.iter().map(operation).collect()
}

fn operation(sent: &Value) -> Result<Operation, ScimError> {
    let sent = sent
        .as_object()
        .ok_or_else(|| ScimError::syntax("an operation is a JSON object"))?;
    let verb = super::member(sent, "op").and_then(Value::as_str);
    let verb = match verb.map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Verb::Add,
        Some("replace") => Verb::Replace,
        Some("remove") => Verb::Remove,
        _ => return Err(ScimError::syntax("'op' is add, replace or remove")),
    };
    let path = match super::member(sent, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.trim().is_empty() => None,
        Some(Value::String(path)) => Some(Path::parse(path)?),
        Some(_) => return Err(ScimError::path("the path is a text")),
    };
    let value = super::member(sent, "value").cloned();
    if verb == Verb::Remove && path.is_none() {
        return Err(ScimError::no_target("a removal needs a path"));
    }
    if verb != Verb::Remove && value.is_none() {
        return Err(ScimError::value("'value' is missing"));
    }
    Ok(Operation { verb, path, value })
}

/// Carries the operations out, one after the other, on a copy.
pub fn apply(
    resource: &Object,
    operations: &[Operation],
    kind: &ResourceType,
) -> Result<Patched, ScimError> {
    let mut patched = Patched {
        resource: resource.clone(),
        members: Vec::new(),
    };
    for operation in operations {
        apply::one(&mut patched, operation, kind)?;
    }
    super::accept::complete(&mut patched.resource, kind)?;
    Ok(patched)
}
