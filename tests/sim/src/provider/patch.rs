//! Patches of users, by the letter of RFC 7644 §3.5.2 as far as clients of users go.

use serde_json::{Map, Value};

use super::{No, PATCH};

/// The operations of a patch; what no client should send is refused.
pub fn operations(body: &Value) -> Result<Vec<Operation>, No> {
    let bad = |why: &str| No::typed(400, "invalidSyntax", why);
    let schemas = body["schemas"].as_array();
    if !schemas.is_some_and(|schemas| schemas.iter().any(|schema| schema == PATCH)) {
        return Err(bad("This is no PatchOp."));
    }
    let operations = body["Operations"]
        .as_array()
        .filter(|operations| !operations.is_empty())
        .ok_or_else(|| bad("There are no Operations."))?;
    operations
        .iter()
        .map(|operation| {
            let op = match operation["op"].as_str() {
                Some("add") => Op::Add,
                Some("replace") => Op::Replace,
                Some("remove") => Op::Remove,
                _ => return Err(bad("An op is add, replace or remove, in lower case.")),
            };
            Ok(Operation {
                op,
                path: operation["path"].as_str().map(str::to_owned),
                value: operation.get("value").cloned().unwrap_or(Value::Null),
            })
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    Replace,
    Remove,
}

#[derive(Debug, Clone)]
pub struct Operation {
    pub op: Op,
    pub path: Option<String>,
    pub value: Value,
}

/// Applies one operation to a user.
pub fn apply(user: &mut Map<String, Value>, operation: &Operation) -> Result<(), No> {
    let Operation { op, path, value } = operation;
    let Some(path) = path else {
        let Value::Object(values) = value else {
            return Err(No::typed(
                400,
                "invalidValue",
                "Without a path the value is an object.",
            ));
        };
        for (name, value) in values {
            merge(user, name, value);
        }
        return Ok(());
    };
    if let Some((list, kind, sub)) = filtered(path)? {
        return typed(user, *op, &list, &kind, sub.as_deref(), value);
    }
    let (inside, name) = inside(user, path);
    match op {
        Op::Remove => {
            inside.remove(&name);
        }
        Op::Add => match (inside.get_mut(&name), value) {
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more.iter().cloned()),
            _ => {
                inside.insert(name, value.clone());
            }
        },
        Op::Replace => {
            inside.insert(name, value.clone());
        }
    }
    Ok(())
}

fn merge(user: &mut Map<String, Value>, name: &str, value: &Value) {
    match (user.get_mut(name), value) {
        (Some(Value::Object(there)), Value::Object(more)) => {
            for (name, value) in more {
                there.insert(name.clone(), value.clone());
            }
        }
        _ => {
            user.insert(name.to_owned(), value.clone());
        }
    }
}

/// The object that a path leads into, made where there is none, and the name within it.
fn inside<'u>(
    user: &'u mut Map<String, Value>,
    path: &str,
) -> (&'u mut Map<String, Value>, String) {
    let (outer, name) = if path.starts_with("urn:") {
        path.rsplit_once(':').unwrap_or(("", path))
    } else {
        path.split_once('.').unwrap_or(("", path))
    };
    if outer.is_empty() {
        return (user, name.to_owned());
    }
    let slot = user
        .entry(outer.to_owned())
        .or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    let table = slot.as_object_mut().expect("it was just made an object");
    (table, name.to_owned())
}

/// `list[type eq "kind"].sub`, taken apart.
type Filtered = (String, String, Option<String>);

fn filtered(path: &str) -> Result<Option<Filtered>, No> {
    let Some((list, rest)) = path.split_once('[') else {
        return Ok(None);
    };
    let bad = || No::typed(400, "invalidPath", "The path is not understood.");
    let (condition, rest) = rest.split_once(']').ok_or_else(bad)?;
    let kind = condition.strip_prefix("type eq ").ok_or_else(bad)?;
    let kind: String = serde_json::from_str(kind).map_err(|_| bad())?;
    let sub = match rest {
        "" => None,
        rest => Some(rest.strip_prefix('.').ok_or_else(bad)?.to_owned()),
    };
    Ok(Some((list.to_owned(), kind, sub)))
}

fn typed(
    user: &mut Map<String, Value>,
    op: Op,
    list: &str,
    kind: &str,
    sub: Option<&str>,
    value: &Value,
) -> Result<(), No> {
    let items = user.get_mut(list).and_then(Value::as_array_mut);
    let place = items
        .as_ref()
        .and_then(|items| items.iter().position(|item| item["type"] == kind));
    let (Some(items), Some(place)) = (items, place) else {
        return match op {
            Op::Remove => Ok(()),
            _ => Err(No::typed(400, "noTarget", "There is no such value.")),
        };
    };
    match (op, sub) {
        (Op::Remove, None) => {
            items.remove(place);
        }
        (Op::Remove, Some(sub)) => {
            if let Value::Object(item) = &mut items[place] {
                item.remove(sub);
            }
        }
        (_, Some(sub)) => items[place][sub] = value.clone(),
        (_, None) => items[place] = value.clone(),
    }
    Ok(())
}
