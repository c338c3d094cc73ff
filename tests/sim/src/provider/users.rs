//! Users of a provider.

use serde_json::{Map, Value, json};

use super::filter::{Filter, emails};
use super::habits::Delete;
use super::state::{Provider, number, user_id};
use super::{No, USER, page, patch as patching};
use crate::call::Call;
use crate::reply::Reply;

/// The attributes of the core schema, and of extensions by their URN.
const KNOWN: [&str; 24] = [
    "schemas",
    "id",
    "externalId",
    "userName",
    "name",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "password",
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "groups",
    "entitlements",
    "roles",
    "meta",
];

const TEXTS: [&str; 8] = [
    "userName",
    "externalId",
    "displayName",
    "title",
    "userType",
    "locale",
    "timezone",
    "nickName",
];

pub fn list(provider: &Provider, call: &Call) -> Result<Reply, No> {
    let filter = call.option("filter").map(Filter::read).transpose()?;
    if let Some(filter) = &filter
        && !provider.habits.filters_are_by_email
        && !provider
            .habits
            .user_filters
            .contains(&filter.attribute.as_str())
    {
        return Err(No::typed(
            400,
            "invalidFilter",
            format!("There is no filter by {}.", filter.attribute),
        ));
    }
    let finds = |user: &Map<String, Value>| match &filter {
        None => true,
        Some(filter) if provider.habits.filters_are_by_email => emails(user)
            .first()
            .is_some_and(|email| email.eq_ignore_ascii_case(&filter.value)),
        Some(filter) => filter.finds(user),
    };
    let all = provider.users.iter().filter(|(_, user)| finds(user));
    let all = all.map(|(id, user)| shown(*id, user)).collect();
    Ok(page(provider, call, all))
}

pub fn create(provider: &mut Provider, body: &Value) -> Result<Reply, No> {
    let user = checked(provider, body, None)?;
    let id = provider.next_id();
    let reply = Reply::json(201, &shown(id, &user));
    provider.users.insert(id, user);
    Ok(reply)
}

pub fn read(provider: &Provider, id: &str) -> Result<Reply, No> {
    let id = find(provider, id)?;
    Ok(Reply::json(200, &shown(id, &provider.users[&id])))
}

pub fn replace(provider: &mut Provider, id: &str, body: &Value) -> Result<Reply, No> {
    let id = find(provider, id)?;
    let mut user = checked(provider, body, Some(id))?;
    if !body
        .as_object()
        .is_some_and(|body| body.contains_key("active"))
    {
        let active = match provider.habits.put_reactivates {
            true => json!(true),
            false => provider.users[&id]["active"].clone(),
        };
        user.insert("active".to_owned(), active);
    }
    let reply = Reply::json(200, &shown(id, &user));
    provider.users.insert(id, user);
    Ok(reply)
}

pub fn patch(provider: &mut Provider, id: &str, body: &Value) -> Result<Reply, No> {
    if !provider.habits.patch {
        return Err(No::new(501, "There is no PATCH here."));
    }
    let id = find(provider, id)?;
    let mut user = provider.users[&id].clone();
    for operation in patching::operations(body)? {
        patching::apply(&mut user, &operation)?;
    }
    let user = checked(provider, &Value::Object(user), Some(id))?;
    let reply = Reply::json(200, &shown(id, &user));
    provider.users.insert(id, user);
    Ok(reply)
}

pub fn delete(provider: &mut Provider, id: &str) -> Result<Reply, No> {
    let id = find(provider, id)?;
    let mut leaves = false;
    if let Some(user) = provider.users.get_mut(&id) {
        match provider.habits.delete {
            Delete::Removes => leaves = true,
            Delete::Deactivates | Delete::DeactivatesAndForgets => {
                user.insert("active".to_owned(), json!(false));
            }
            Delete::Suspends => {
                let name = user["userName"].as_str().unwrap_or_default();
                provider.suspended.insert(name.to_ascii_lowercase());
                leaves = true;
            }
        }
    }
    if provider.habits.delete == Delete::DeactivatesAndForgets {
        provider.forgotten.insert(id);
    }
    if leaves {
        provider.users.remove(&id);
        for group in provider.groups.values_mut() {
            group.members.remove(&id);
        }
    }
    Ok(Reply::empty(204))
}

fn find(provider: &Provider, id: &str) -> Result<u64, No> {
    number(id, "u-")
        .filter(|id| provider.users.contains_key(id) && !provider.forgotten.contains(id))
        .ok_or_else(|| No::new(404, "There is no such user."))
}

pub fn shown(id: u64, user: &Map<String, Value>) -> Value {
    let mut shown = user.clone();
    shown.insert("id".to_owned(), user_id(id).into());
    shown.insert("meta".to_owned(), json!({"resourceType": "User"}));
    shown.into()
}

/// A user that may stand here, under nobody else's name.
fn checked(provider: &Provider, body: &Value, own: Option<u64>) -> Result<Map<String, Value>, No> {
    let invalid = |why: String| No::typed(400, "invalidValue", why);
    let Value::Object(user) = body else {
        return Err(No::typed(400, "invalidSyntax", "A user is an object."));
    };
    let mut user = user.clone();
    user.remove("id");
    user.remove("meta");
    let habits = &provider.habits;
    for (name, value) in &user {
        if habits.refuses.contains(&name.as_str()) {
            return Err(invalid(format!("{name} is not taken.")));
        }
        if habits.strict && !KNOWN.contains(&name.as_str()) && !name.starts_with("urn:") {
            return Err(invalid(format!("{name} is not known.")));
        }
        if habits.strict && TEXTS.contains(&name.as_str()) && !value.is_string() {
            return Err(invalid(format!("{name} must be a text.")));
        }
        if value
            .as_array()
            .is_some_and(|items| items.len() > habits.values)
            && name != "schemas"
        {
            return Err(invalid(format!("{name} has too many values.")));
        }
        if name.starts_with("urn:") {
            let schemas = user["schemas"].as_array();
            if own.is_none() && !schemas.is_some_and(|all| all.iter().any(|one| one == name)) {
                return Err(invalid(format!("{name} is not among the schemas.")));
            }
        }
    }
    if own.is_none()
        && !user["schemas"]
            .as_array()
            .is_some_and(|all| all.iter().any(|s| s == USER))
    {
        return Err(No::typed(
            400,
            "invalidSyntax",
            "The schemas lack the user's.",
        ));
    }
    match user.get("active") {
        None | Some(Value::Bool(_)) => {}
        Some(_) => return Err(invalid("active is true or false.".to_owned())),
    }
    for needed in habits.needs {
        let value = match needed.split_once('.') {
            Some((outer, inner)) => user.get(outer).and_then(|outer| outer.get(inner)),
            None => user.get(*needed),
        };
        if value.and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(invalid(format!("{needed} is missing.")));
        }
    }
    let name = user["userName"]
        .as_str()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let taken = || No::typed(409, "uniqueness", "The name is taken.");
    if provider.suspended.contains(&name) {
        return Err(taken());
    }
    let addresses: Vec<String> = emails(&user)
        .iter()
        .map(|e| e.to_ascii_lowercase())
        .collect();
    for (id, other) in &provider.users {
        if own == Some(*id) {
            continue;
        }
        let same_name = other["userName"]
            .as_str()
            .is_some_and(|other| other.eq_ignore_ascii_case(&name));
        let same_email = habits.unique_emails
            && emails(other)
                .iter()
                .any(|email| addresses.contains(&email.to_ascii_lowercase()));
        if same_name || same_email {
            return Err(taken());
        }
    }
    user.entry("active").or_insert(json!(true));
    Ok(user)
}
