//! Operations on the values of a multi-valued attribute.

use serde_json::Value;

use super::Verb;
use crate::scim::accept::is_primary;
use crate::scim::filter::Compiled;
use crate::scim::schema::Attribute;
use crate::scim::{Object, ScimError, accept};

/// What is put into a list.
pub enum Part<'a> {
    /// Values, as they are.
    Whole(Vec<Value>),
    /// A part of each value that is meant; none takes the part away.
    Of {
        sub: &'a Attribute,
        value: Option<Value>,
    },
}

/// Adds or replaces. None where no value is left.
pub fn put(
    mut items: Vec<Value>,
    known: &Attribute,
    verb: Verb,
    part: Part<'_>,
    filter: Option<&Compiled>,
) -> Result<Option<Vec<Value>>, ScimError> {
    let Some(filter) = filter else {
        return match part {
            Part::Whole(new) if verb == Verb::Replace => Ok(some(new)),
            Part::Whole(new) => {
                add(&mut items, new);
                Ok(some(items))
            }
            Part::Of { sub, value } => {
                // Which of several is meant is not to be guessed.
                if items.len() > 1 {
                    return Err(ScimError::no_target(format!(
                        "'{}' has several values; say which by a filter",
                        known.name
                    )));
                }
                if items.is_empty() && value.is_some() {
                    items.push(Value::Object(Object::new()));
                }
                set(&mut items, &[0], sub, value);
                Ok(some(items))
            }
        };
    };
    let meant: Vec<usize> = (0..items.len())
        .filter(|at| filter.passes_value(&items[*at]))
        .collect();
    let meant = match meant.is_empty() {
        false => meant,
        true => {
            let nothing = matches!(&part, Part::Of { value: None, .. });
            let nothing = nothing || matches!(&part, Part::Whole(new) if new.is_empty());
            if nothing {
                return Ok(some(items));
            }
            items.push(made_for(filter, known)?);
            vec![items.len() - 1]
        }
    };
    match part {
        Part::Of { sub, value } => set(&mut items, &meant, sub, value),
        Part::Whole(new) => {
            let [new] = &new[..] else {
                return match new.is_empty() {
                    true => remove(items, known, None, Some(filter), None),
                    false => Err(ScimError::value("a filtered path takes one value")),
                };
            };
            for at in &meant {
                items[*at] = match (verb, std::mem::take(&mut items[*at]), new) {
                    // What the filter says of the value stays true unless the new one differs.
                    (Verb::Replace, _, Value::Object(new)) => {
                        let mut made = object(made_for(filter, known).unwrap_or_default());
                        made.extend(new.clone());
                        Value::Object(made)
                    }
                    (_, Value::Object(mut old), Value::Object(new)) => {
                        old.extend(new.clone());
                        Value::Object(old)
                    }
                    (_, _, new) => new.clone(),
                };
            }
            if is_primary(new) {
                only_primary(&mut items, meant[0]);
            }
        }
    }
    Ok(some(items))
}

/// A value that passes a filter of equalities: `emails[type eq "work"].value` is set by Entra
/// whether or not there is such an address.
fn made_for(filter: &Compiled, known: &Attribute) -> Result<Value, ScimError> {
    let nothing = || {
        ScimError::no_target(format!(
            "no value of '{}' passes the path's filter",
            known.name
        ))
    };
    let equal = filter.equalities().ok_or_else(nothing)?;
    let mut made = Object::new();
    for (name, value) in equal {
        let sub = known.sub(name).ok_or_else(nothing)?;
        // Two different values for one part: nothing passes such a filter.
        if let Some(before) = made.insert(sub.name.clone(), value.clone())
            && before != value
        {
            return Err(nothing());
        }
    }
    Ok(Value::Object(made))
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// Removes values, or a part of each. Removing what is not there is done already.
pub fn remove(
    mut items: Vec<Value>,
    known: &Attribute,
    sub: Option<&Attribute>,
    filter: Option<&Compiled>,
    value: Option<&Value>,
) -> Result<Option<Vec<Value>>, ScimError> {
    let named = match value {
        Some(value) if filter.is_none() && sub.is_none() => Some(value),
        _ => None,
    };
    if let Some(named) = named {
        // Which ones are named, as Entra does, and everything stays that is not.
        let named = match accept::attribute_value(named, known)? {
            Some(Value::Array(named)) => named,
            _ => {
                return Err(ScimError::value(format!(
                    "which values of '{}' to remove is not said; leave the value out to remove all",
                    known.name
                )));
            }
        };
        items.retain(|item| !named.iter().any(|named| is_named(item, named)));
        return Ok(some(items));
    }
    let meant = |item: &Value| filter.is_none_or(|filter| filter.passes_value(item));
    match sub {
        None => items.retain(|item| !meant(item)),
        Some(sub) => {
            let all: Vec<usize> = (0..items.len()).filter(|at| meant(&items[*at])).collect();
            set(&mut items, &all, sub, None);
        }
    }
    Ok(some(items))
}

/// Whether an item has every part that a named one has.
fn is_named(item: &Value, named: &Value) -> bool {
    match (item, named) {
        (Value::Object(item), Value::Object(named)) => named
            .iter()
            .all(|(name, value)| item.get(name) == Some(value)),
        (item, named) => item == named,
    }
}

/// Adds values that are not there yet. A new primary takes the place of the old one.
fn add(items: &mut Vec<Value>, new: Vec<Value>) {
    for value in new {
        let at = match items.iter().position(|item| *item == value) {
            Some(at) => at,
            None => {
                items.push(value);
                items.len() - 1
            }
        };
        if is_primary(&items[at]) {
            only_primary(items, at);
        }
    }
}

fn set(items: &mut Vec<Value>, meant: &[usize], sub: &Attribute, value: Option<Value>) {
    for at in meant {
        let Some(Value::Object(parts)) = items.get_mut(*at) else {
            continue;
        };
        match &value {
            Some(value) => drop(parts.insert(sub.name.clone(), value.clone())),
            None => drop(parts.remove(&sub.name)),
        }
    }
    if sub.name == "primary"
        && value == Some(Value::Bool(true))
        && let Some(first) = meant.first()
    {
        only_primary(items, *first);
    }
    items.retain(|item| item.as_object().is_none_or(|parts| !parts.is_empty()));
}

/// At most one value is the primary (RFC 7643 §2.4): the newest.
fn only_primary(items: &mut [Value], chosen: usize) {
    for (at, item) in items.iter_mut().enumerate() {
        if at != chosen
            && is_primary(item)
            && let Value::Object(parts) = item
        {
            parts.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

fn some(items: Vec<Value>) -> Option<Vec<Value>> {
    (!items.is_empty()).then_some(items)
}
