//! Takes what a client sent for a resource or a part of one, and puts it into the form in which
//! it is kept: every name as declared, every value of its declared type, nothing that is
//! unknown, empty, or not the client's to write.
//!
//! Unknown attributes are dropped, since Entra and Okta send some and would try for ever.

use serde_json::Value;

use super::schema::{Attribute, Form, ResourceType, Schema};
use super::{Object, ScimError, same};

/// A whole resource, as it is to be. Read-only attributes are dropped (RFC 7644 §3.3).
pub fn resource(sent: &Value, kind: &ResourceType) -> Result<Object, ScimError> {
    let sent = sent
        .as_object()
        .ok_or_else(|| ScimError::syntax("a resource is a JSON object"))?;
    schemas(sent, kind)?;
    let mut resource = Object::new();
    for (name, value) in sent {
        if let Some(extension) = kind.extension(name) {
            let inside = extension_values(value, extension)?;
            if !inside.is_empty() {
                once(&mut resource, &extension.urn, Value::Object(inside))?;
            }
        } else if let Some(attribute) = kind.core_attribute(name)
            && !attribute.read_only()
            && attribute.name != "schemas"
            && let Some(value) = attribute_value(value, attribute)?
        {
            once(&mut resource, &attribute.name, value)?;
        }
    }
    complete(&mut resource, kind)?;
    Ok(resource)
}

/// The schemas must be there and name the type (RFC 7643 §3). Unknown ones are let pass: Entra
/// names some of its own, one of them misspelled.
fn schemas(sent: &Object, kind: &ResourceType) -> Result<(), ScimError> {
    let named = match super::member(sent, "schemas") {
        Some(Value::Array(named)) => named,
        Some(_) => return Err(ScimError::value("'schemas' is a list of URNs")),
        None => return Err(ScimError::value("'schemas' is missing")),
    };
    let is_core = |urn: &Value| urn.as_str().is_some_and(|urn| same(urn, &kind.core.urn));
    if !named.iter().all(Value::is_string) {
        return Err(ScimError::value("'schemas' is a list of URNs"));
    }
    match named.iter().any(is_core) {
        true => Ok(()),
        false => Err(ScimError::value(format!(
            "'schemas' does not name {}",
            kind.core.urn
        ))),
    }
}

/// Brings a changed resource into order: the required attributes are there, at most one value
/// is primary, and `schemas` names what is used.
pub fn complete(resource: &mut Object, kind: &ResourceType) -> Result<(), ScimError> {
    for attribute in &kind.core.attributes {
        if attribute.required && !resource.contains_key(&attribute.name) {
            return Err(ScimError::value(format!("'{}' is missing", attribute.name)));
        }
    }
    for value in resource.values() {
        if primaries(value) > 1 {
            return Err(ScimError::value("at most one value can be primary"));
        }
    }
    let used = kind.extensions.iter().map(|extension| &extension.urn);
    let used = used.filter(|urn| resource.contains_key(*urn)).cloned();
    let named: Vec<Value> = std::iter::once(kind.core.urn.clone())
        .chain(used)
        .map(Value::String)
        .collect();
    resource.insert("schemas".to_owned(), Value::Array(named));
    Ok(())
}

fn primaries(value: &Value) -> usize {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    items.iter().filter(|item| is_primary(item)).count()
}

pub fn is_primary(value: &Value) -> bool {
    value.get("primary").and_then(Value::as_bool) == Some(true)
}

/// The same attribute twice, in two spellings, has no meaning.
fn once(object: &mut Object, name: &str, value: Value) -> Result<(), ScimError> {
    match object.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(ScimError::syntax(format!("'{name}' is given twice"))),
    }
}

/// The attributes of an extension.
pub fn extension_values(sent: &Value, extension: &Schema) -> Result<Object, ScimError> {
    let mut values = Object::new();
    let sent = match sent {
        Value::Null => return Ok(values),
        Value::Object(sent) => sent,
        _ => {
            return Err(ScimError::value(format!(
                "'{}' is an object of attributes",
                extension.urn
            )));
        }
    };
    for (name, value) in sent {
        if let Some(attribute) = extension.attribute(name)
            && let Some(value) = attribute_value(value, attribute)?
        {
            once(&mut values, &attribute.name, value)?;
        }
    }
    Ok(values)
}

/// The value of an attribute; none where it stands for none (RFC 7643 §2.5).
pub fn attribute_value(sent: &Value, attribute: &Attribute) -> Result<Option<Value>, ScimError> {
    if !attribute.multi {
        // Entra sends a manager as a list of one.
        return match sent {
            Value::Array(items) if attribute.form == Form::Complex => match &items[..] {
                [] => Ok(None),
                [one] => single(one, attribute),
                _ => Err(wrong(attribute)),
            },
            one => single(one, attribute),
        };
    }
    let items = match sent {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        // A single value stands for a list of one.
        one => std::slice::from_ref(one),
    };
    let mut values: Vec<Value> = Vec::new();
    for item in items {
        if let Some(value) = single(item, attribute)? {
            values.push(value);
        }
    }
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

/// One value of an attribute.
pub fn single(sent: &Value, attribute: &Attribute) -> Result<Option<Value>, ScimError> {
    Ok(Some(match (attribute.form, sent) {
        (_, Value::Null) => return Ok(None),
        (Form::Complex, Value::Object(parts)) => {
            let mut values = Object::new();
            for (name, value) in parts {
                if let Some(sub) = attribute.sub(name)
                    && (!sub.read_only() || attribute.read_only())
                    && let Some(value) = attribute_value(value, sub)?
                {
                    once(&mut values, &sub.name, value)?;
                }
            }
            // Saying that nothing is primary says nothing.
            let says = values
                .iter()
                .any(|(name, value)| name != "primary" || value.as_bool() == Some(true));
            if !says {
                return Ok(None);
            }
            Value::Object(values)
        }
        // A bare value where an object with one belongs.
        (Form::Complex, bare @ (Value::String(_) | Value::Number(_))) => {
            let Some(sub) = attribute.sub("value") else {
                return Err(wrong(attribute));
            };
            match single(bare, sub)? {
                Some(value) => Value::Object(Object::from_iter([("value".to_owned(), value)])),
                None => return Ok(None),
            }
        }
        (Form::Boolean, Value::Bool(flag)) => Value::Bool(*flag),
        (Form::Boolean, Value::String(text)) if same(text, "true") => Value::Bool(true),
        (Form::Boolean, Value::String(text)) if same(text, "false") => Value::Bool(false),
        (Form::Boolean, Value::String(text)) if text.is_empty() => return Ok(None),
        (Form::Text | Form::Reference | Form::Binary | Form::DateTime, Value::String(text)) => {
            if text.is_empty() {
                return Ok(None);
            }
            if attribute.form == Form::DateTime && text.parse::<jiff::Timestamp>().is_err() {
                return Err(wrong(attribute));
            }
            Value::String(text.clone())
        }
        // What a directory keeps as a number may be meant as a text: an employee's number.
        (Form::Text, Value::Number(number)) => Value::String(number.to_string()),
        _ => return Err(wrong(attribute)),
    }))
}

fn wrong(attribute: &Attribute) -> ScimError {
    let what = match attribute.form {
        Form::Complex => "an object",
        Form::Boolean => "true or false",
        Form::DateTime => "a date and time",
        Form::Text | Form::Reference | Form::Binary => "a text",
    };
    ScimError::value(format!("'{}' is not {what}", attribute.name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::scim::schema::{Kind, Types, urn};

    fn accepted(sent: Value) -> Result<Value, ScimError> {
        let types = Types::new(&BTreeMap::new());
        resource(&sent, types.of(Kind::User)).map(Value::Object)
    }

    #[test]
    fn a_resource_is_kept_as_declared() {
        let kept = accepted(json!({
            "SCHEMAS": [urn::USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],
            "id": "mine", "meta": { "resourceType": "User" }, "groups": [{ "value": "g" }],
            "USERNAME": "jane", "active": "True", "title": null, "nickName": "",
            "password": "secret", "favourite": "tea", "roles": [],
            "Name": { "GIVENNAME": "Jane", "unknown": 1 },
            "emails": { "value": "j@x.org", "primary": "true" },
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user": {
                "Manager": [{ "$ref": null, "value": "9", "displayName": "Nine" }],
                "employeeNumber": 12
            }
        }));
        let expected = json!({
            "schemas": [urn::USER, urn::ENTERPRISE],
            "userName": "jane", "active": true,
            "name": { "givenName": "Jane" },
            "emails": [{ "value": "j@x.org", "primary": true }],
            (urn::ENTERPRISE): { "manager": { "value": "9" }, "employeeNumber": "12" }
        });
        assert_eq!(kept, Ok(expected));
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for (sent, scim_type) in [
            (json!([]), "invalidSyntax"),
            (json!({ "userName": "a" }), "invalidValue"),
            (
                json!({ "schemas": ["urn:other"], "userName": "a" }),
                "invalidValue",
            ),
            (
                json!({ "schemas": urn::USER, "userName": "a" }),
                "invalidValue",
            ),
            (json!({ "schemas": [urn::USER] }), "invalidValue"),
            (
                json!({ "schemas": [urn::USER], "userName": "" }),
                "invalidValue",
            ),
            (
                json!({ "schemas": [urn::USER], "userName": ["a"] }),
                "invalidValue",
            ),
            (
                json!({ "schemas": [urn::USER], "userName": true }),
                "invalidValue",
            ),
            (
                json!({ "schemas": [urn::USER], "userName": "a", "username": "b" }),
                "invalidSyntax",
            ),
            (
                json!({ "schemas": [urn::USER], "userName": "a", "active": "yes" }),
                "invalidValue",
            ),
            (
                json!({ "schemas": [urn::USER], "userName": "a", "name": "Jane" }),
                "invalidValue",
            ),
            (
                json!({ "schemas": [urn::USER], "userName": "a", "emails": [
                { "value": "x", "primary": true }, { "value": "y", "primary": true }] }),
                "invalidValue",
            ),
            (
                json!({ "schemas": [urn::USER], "userName": "a", (urn::ENTERPRISE): 1 }),
                "invalidValue",
            ),
        ] {
            let error = accepted(sent.clone()).expect_err(&sent.to_string());
            assert_eq!(error.scim_type.unwrap().as_str(), scim_type, "{sent}");
        }
    }
}
