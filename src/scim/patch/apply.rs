//! One operation, carried out on a resource.

use serde_json::Value;

use super::values::{self, Part};
use super::{Operation, Patched, Verb, members};
use crate::scim::filter::Compiled;
use crate::scim::path::Path;
use crate::scim::schema::{Attribute, Form, Kind, Resolved, ResourceType, Schema};
use crate::scim::{Object, ScimError, accept};

pub fn one(
    patched: &mut Patched,
    operation: &Operation,
    kind: &ResourceType,
) -> Result<(), ScimError> {
    let Operation { verb, path, value } = operation;
    match path {
        Some(path) => at_path(patched, *verb, path, value.as_ref(), kind),
        None => without_path(patched, *verb, value.as_ref(), kind),
    }
}

/// An operation whose value says what it is about: an object of attributes, whose keys may be
/// dotted or carry URNs (Entra), and name the resource's own id (Okta).
fn without_path(
    patched: &mut Patched,
    verb: Verb,
    value: Option<&Value>,
    kind: &ResourceType,
) -> Result<(), ScimError> {
    let Some(Value::Object(values)) = value else {
        return Err(ScimError::value(
            "without a path, the value is an object of attributes",
        ));
    };
    for (name, value) in values {
        let path = Path::parse(name)?;
        let found = kind.resolve(&path.name);
        // Not the client's to change: Okta repeats it, and means nothing by it.
        if found.is_some_and(|found| is_read_only(&found)) {
            continue;
        }
        at_path(patched, verb, &path, Some(value), kind)?;
    }
    Ok(())
}

fn is_read_only(found: &Resolved<'_>) -> bool {
    found.attribute.read_only() || found.sub.is_some_and(Attribute::read_only)
}

fn at_path(
    patched: &mut Patched,
    verb: Verb,
    path: &Path,
    value: Option<&Value>,
    kind: &ResourceType,
) -> Result<(), ScimError> {
    if let Some(extension) = kind.extension(&path.name)
        && path.filter.is_none()
    {
        return whole_extension(&mut patched.resource, verb, extension, value);
    }
    // What is not kept cannot be changed, and a client that hears so would try for ever.
    let Some(mut found) = kind.resolve(&path.name) else {
        return Ok(());
    };
    if let Some(sub) = &path.sub {
        match found.attribute.sub(sub) {
            Some(sub) => found.sub = Some(sub),
            None => return Ok(()),
        }
    }
    if is_read_only(&found) {
        return Err(ScimError::mutability(format!(
            "'{}' is read-only",
            path.name
        )));
    }
    if found.attribute.name == "schemas" {
        // They follow from what is used.
        return Ok(());
    }
    if kind.kind == Kind::Group && found.attribute.name == "members" {
        let change = members::change(verb, Some(path), value, found.attribute)?;
        patched.members.extend(change);
        return Ok(());
    }
    let filter = match &path.filter {
        Some(filter) if found.attribute.multi => {
            Some(Compiled::of_values(filter, found.attribute).map_err(as_path)?)
        }
        Some(_) => return Err(ScimError::path("only a list of values can be filtered")),
        None => None,
    };
    let resource = &mut patched.resource;
    let Some(extension) = found.extension else {
        return attribute(resource, verb, &found, filter.as_ref(), value);
    };
    let mut inside = match resource.remove(&extension.urn) {
        Some(Value::Object(inside)) => inside,
        _ => Object::new(),
    };
    attribute(&mut inside, verb, &found, filter.as_ref(), value)?;
    if !inside.is_empty() {
        resource.insert(extension.urn.clone(), Value::Object(inside));
    }
    Ok(())
}

/// A filter in a path that makes no sense is a path that makes no sense.
fn as_path(error: ScimError) -> ScimError {
    ScimError::path(error.detail)
}

fn whole_extension(
    resource: &mut Object,
    verb: Verb,
    extension: &Schema,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    let sent = match (verb, value) {
        (Verb::Remove, _) => {
            resource.remove(&extension.urn);
            return Ok(());
        }
        (_, Some(Value::Object(sent))) => sent,
        (_, Some(Value::Null)) => return Ok(()),
        (_, _) => {
            return Err(ScimError::value("an extension is an object of attributes"));
        }
    };
    let mut inside = match resource.remove(&extension.urn) {
        Some(Value::Object(inside)) => inside,
        _ => Object::new(),
    };
    for (name, value) in sent {
        let Some(known) = extension.attribute(name) else {
            continue;
        };
        let found = Resolved {
            extension: Some(extension),
            attribute: known,
            sub: None,
        };
        attribute(&mut inside, verb, &found, None, Some(value))?;
    }
    if !inside.is_empty() {
        resource.insert(extension.urn.clone(), Value::Object(inside));
    }
    Ok(())
}

/// An operation on one attribute of `object`, the resource or an extension of it.
fn attribute(
    object: &mut Object,
    verb: Verb,
    found: &Resolved<'_>,
    filter: Option<&Compiled>,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    let known = found.attribute;
    let before = object.remove(&known.name);
    let after = match (verb, known.multi) {
        (Verb::Remove, true) => {
            values::remove(list(before), known, found.sub, filter, value)?.map(Value::Array)
        }
        (_, true) => {
            let part = part(known, found.sub, value)?;
            values::put(list(before), known, verb, part, filter)?.map(Value::Array)
        }
        (Verb::Remove, false) => match (found.sub, before) {
            (Some(sub), Some(Value::Object(mut parts))) => {
                parts.remove(&sub.name);
                (!parts.is_empty()).then_some(Value::Object(parts))
            }
            _ => None,
        },
        (_, false) => single(before, known, found.sub, value)?,
    };
    if after.is_none() && known.required {
        return Err(ScimError::mutability(format!(
            "'{}' is required and cannot be removed",
            known.name
        )));
    }
    if let Some(after) = after {
        object.insert(known.name.clone(), after);
    }
    Ok(())
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// Adding to an attribute with one value replaces it; a complex one keeps the parts that are
/// not named (RFC 7644 §3.5.2.3).
fn single(
    before: Option<Value>,
    known: &Attribute,
    sub: Option<&Attribute>,
    value: Option<&Value>,
) -> Result<Option<Value>, ScimError> {
    let value = value.unwrap_or(&Value::Null);
    if let Some(sub) = sub {
        let mut parts = match before {
            Some(Value::Object(parts)) => parts,
            _ => Object::new(),
        };
        match accept::attribute_value(value, sub)? {
            Some(value) => drop(parts.insert(sub.name.clone(), value)),
            None => drop(parts.remove(&sub.name)),
        }
        return Ok((!parts.is_empty()).then_some(Value::Object(parts)));
    }
    let after = accept::attribute_value(value, known)?;
    Ok(match (before, after) {
        (Some(Value::Object(mut parts)), Some(Value::Object(new))) => {
            // Parts that were sent as nothing go.
            if let Value::Object(sent) = value {
                for (name, value) in sent {
                    if let Some(sub) = known.sub(name)
                        && (value.is_null() || value.as_str() == Some(""))
                    {
                        parts.remove(&sub.name);
                    }
                }
            }
            parts.extend(new);
            Some(Value::Object(parts))
        }
        (_, after) => after,
    })
}

/// What is put into a list: whole values, or a part of each.
fn part<'a>(
    known: &'a Attribute,
    sub: Option<&'a Attribute>,
    value: Option<&Value>,
) -> Result<Part<'a>, ScimError> {
    let value = value.unwrap_or(&Value::Null);
    match sub {
        Some(sub) => Ok(Part::Of {
            sub,
            value: accept::attribute_value(value, sub)?,
        }),
        None => {
            let items = accept::attribute_value(value, known)?;
            if items.is_none() && !is_nothing(value) && known.form == Form::Complex {
                return Err(ScimError::value(format!(
                    "'{}' has no such value",
                    known.name
                )));
            }
            Ok(Part::Whole(list(items)))
        }
    }
}

/// Whether a value stands for none.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(is_nothing),
        Value::String(text) => text.is_empty(),
        Value::Object(parts) => parts.values().all(is_nothing),
        Value::Bool(flag) => !flag,
        Value::Number(_) => false,
    }
}
