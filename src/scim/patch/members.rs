//! What an operation means for a group's members.

use serde_json::Value;

use super::{MemberChange, Verb};
use crate::scim::path::Path;
use crate::scim::schema::Attribute;
use crate::scim::{Object, ScimError, filter::Compiled};

/// The change that an operation on `members` asks for, if any.
pub fn change(
    verb: Verb,
    path: Option<&Path>,
    value: Option<&Value>,
    attribute: &Attribute,
) -> Result<Option<MemberChange>, ScimError> {
    if let Some(path) = path {
        if let Some(filter) = &path.filter {
            return filtered(verb, path, filter, attribute).map(Some);
        }
        if path.name.contains('.') && path.name.to_ascii_lowercase().contains("members.") {
            return Err(ScimError::mutability(
                "a member cannot be changed; remove it and add another",
            ));
        }
    }
    Ok(Some(match (verb, value) {
        (Verb::Add, Some(value)) => MemberChange::Add(ids(value)?),
        (Verb::Replace, Some(value)) => MemberChange::Set(ids(value)?),
        // Everybody goes only where that is what was said.
        (Verb::Remove, None) => MemberChange::Set(Vec::new()),
        (Verb::Remove, Some(Value::Null)) => {
            return Err(ScimError::value(
                "whom to remove is null; name members, or leave the value out to remove all",
            ));
        }
        (Verb::Remove, Some(value)) => MemberChange::Remove(ids(value)?),
        (Verb::Add | Verb::Replace, None) => return Ok(None),
    }))
}

fn filtered(
    verb: Verb,
    path: &Path,
    filter: &crate::scim::Filter,
    attribute: &Attribute,
) -> Result<MemberChange, ScimError> {
    let wanted = Compiled::of_values(filter, attribute)?;
    if verb != Verb::Remove {
        return Err(ScimError::mutability(
            "a member cannot be changed; remove it and add another",
        ));
    }
    if path.sub.is_some() {
        return Err(ScimError::mutability(
            "a part of a member cannot be removed",
        ));
    }
    // `members[value eq "id"]`, the one that clients send, needs no look at the others.
    let one = wanted.equalities().and_then(|equal| match &equal[..] {
        [(name, Value::String(id))] if *name == "value" => Some(id.clone()),
        _ => None,
    });
    Ok(match one {
        Some(id) => MemberChange::Remove(vec![id]),
        None => MemberChange::RemoveWhere(wanted),
    })
}

/// The ids that a list of members names: objects with a `value`, or bare ids.
pub fn ids(value: &Value) -> Result<Vec<String>, ScimError> {
    let items = match value {
        Value::Null => &[],
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    items.iter().map(id).collect()
}

fn id(item: &Value) -> Result<String, ScimError> {
    let value = match item {
        Value::Object(member) => value_of(member),
        bare => Some(bare),
    };
    match value {
        Some(Value::String(id)) if !id.is_empty() => Ok(id.clone()),
        _ => Err(ScimError::value(
            "a member has a 'value', the id of a user or group",
        )),
    }
}

fn value_of(member: &Object) -> Option<&Value> {
    crate::scim::member(member, "value")
}
