//! The bodies of requests, and what is read out of answers.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::place::{Place, text_of};
use super::profile::Profile;
use crate::config::ActiveStyle;
use crate::directory::Value;
use crate::directory::fold::fold;
use crate::plan::{Account, AttributeChange};
use crate::scim::member;
use crate::scim::schema::urn;

/// How the operations of a patch are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    pub pathless: bool,
    pub active: ActiveStyle,
    /// Lists are replaced whole, where paths with filters are not taken.
    pub whole_lists: bool,
}

/// An account as it is kept there: where the `userName` is the email address, it is that.
pub fn as_kept(account: &Account, profile: &Profile) -> Account {
    let mut kept = account.clone();
    if profile.username_equals_email
        && let Some(email) = &account.email
    {
        kept.user_name = Some(email.clone());
    }
    kept
}

/// The attributes of an account that are carried as attributes, each with its place.
fn placed(account: &Account, profile: &Profile) -> Vec<(Place, Json)> {
    as_kept(account, profile)
        .named()
        .into_iter()
        .filter_map(|(name, value)| {
            let place = Place::of(&name, profile.role_as)?;
            let json = place.json(&value, profile);
            Some((place, json))
        })
        .collect()
}

/// A whole user.
pub fn user(account: &Account, external_id: &str, profile: &Profile) -> Json {
    let mut user = Map::new();
    let mut schemas = BTreeSet::new();
    for (place, json) in placed(account, profile) {
        if let Place::Extension { urn, .. } = &place {
            schemas.insert(urn.clone());
        }
        place.set(&mut user, Some(json));
    }
    let schemas: Vec<String> = std::iter::once(urn::USER.to_owned())
        .chain(schemas)
        .collect();
    user.insert("schemas".to_owned(), json!(schemas));
    user.insert("externalId".to_owned(), json!(external_id));
    Json::Object(user)
}

/// Which required attribute an account lacks, if one.
pub fn lacks<'p>(account: &Account, profile: &'p Profile) -> Option<&'p str> {
    let kept = as_kept(account, profile);
    let named = kept.named();
    let required = profile.required_user_attrs.iter().map(String::as_str);
    required
        .map(|name| match name {
            "emails" | "emails.value" => "email",
            name => name,
        })
        .find(|required| named.iter().all(|(name, _)| name != required))
}

/// The changes that make `before`, as the provider keeps it, into `after`.
pub fn changes(before: &Account, after: &Account, profile: &Profile) -> Vec<AttributeChange> {
    let changes = as_kept(before, profile).changes_to(&as_kept(after, profile));
    changes
        .into_iter()
        .filter(|change| Place::of(&change.attribute, profile.role_as).is_some())
        .collect()
}

/// A patch. Empty changes make an empty list.
pub fn operations(
    changes: &[AttributeChange],
    external_id: Option<&str>,
    after: &Account,
    profile: &Profile,
    style: Style,
) -> Vec<Json> {
    let mut operations = Vec::new();
    let mut object = Map::new();
    let mut lists: BTreeSet<&'static str> = BTreeSet::new();
    let mut active = None;
    let mut one = |place: &Place, value: Json, operations: &mut Vec<Json>| match style.pathless {
        true => place.set(&mut object, Some(value)),
        false => operations.push(json!({"op": "replace", "path": place.path(), "value": value})),
    };
    if let Some(id) = external_id {
        let place = Place::Core {
            name: "externalId".to_owned(),
            sub: None,
        };
        one(&place, json!(id), &mut operations);
    }
    for change in changes {
        let Some(place) = Place::of(&change.attribute, profile.role_as) else {
            continue;
        };
        if change.attribute == "active" {
            active = Some(change.after == Some(Value::Bool(true)));
            continue;
        }
        // A list that goes as a whole is built from the account, once.
        if let Place::Typed { list, .. } = &place
            && (style.whole_lists || style.pathless)
        {
            lists.insert(list);
            continue;
        }
        match (&change.after, &place) {
            (None, _) => {
                operations.push(json!({"op": "remove", "path": place.path_of_removal()}));
            }
            // There is no value yet that a filter could find.
            (Some(value), Place::Typed { list, .. }) if change.before.is_none() => {
                let mut part = Map::new();
                place.set(&mut part, Some(place.json(value, profile)));
                let value = part.remove(*list);
                operations.push(json!({"op": "add", "path": list, "value": value}));
            }
            (Some(value), _) => one(&place, place.json(value, profile), &mut operations),
        }
    }
    for list in lists {
        let place = Place::List { name: list };
        match whole_list(list, after, profile) {
            Some(value) => one(&place, value, &mut operations),
            None => operations.push(json!({"op": "remove", "path": list})),
        }
    }
    if !object.is_empty() {
        operations.push(json!({"op": "replace", "value": object}));
    }
    if let Some(active) = active {
        operations.push(match style.active {
            ActiveStyle::Pathless => json!({"op": "replace", "value": {"active": active}}),
            _ => json!({"op": "replace", "path": "active", "value": active}),
        });
    }
    operations
}

fn whole_list(list: &str, account: &Account, profile: &Profile) -> Option<Json> {
    let mut user = Map::new();
    for (place, json) in placed(account, profile) {
        if place.list() == Some(list) {
            place.set(&mut user, Some(json));
        }
    }
    user.remove(list)
}

pub fn patch(operations: Vec<Json>) -> Json {
    json!({"schemas": [urn::PATCH], "Operations": operations})
}

/// A user that was read, changed, and goes back whole.
pub fn put(
    mut read: Map<String, Json>,
    changes: &[AttributeChange],
    external_id: Option<&str>,
    profile: &Profile,
) -> Json {
    read.remove("meta");
    if let Some(id) = external_id {
        read.insert("externalId".to_owned(), json!(id));
    }
    for change in changes {
        let Some(place) = Place::of(&change.attribute, profile.role_as) else {
            continue;
        };
        let after = change.after.as_ref();
        place.set(&mut read, after.map(|value| place.json(value, profile)));
        if let Place::Extension { urn, .. } = &place
            && let Some(Json::Array(schemas)) = read.get_mut("schemas")
            && !schemas.iter().any(|known| known == urn)
        {
            schemas.push(json!(urn));
        }
    }
    Json::Object(read)
}

/// What is read of a user.
#[derive(Clone, PartialEq, Debug)]
pub struct UserRead {
    pub id: String,
    pub external_id: Option<String>,
    pub account: Account,
    /// Folded, every one.
    pub emails: Vec<String>,
}

/// Reads a user; `mapped` are the attributes that a portal fills beside those always carried.
/// None where there is no id.
pub fn read_user(
    user: &Map<String, Json>,
    mapped: &[String],
    profile: &Profile,
) -> Option<UserRead> {
    let id = id_of(user)?;
    let mut account = Account::default();
    let email = email_of(user);
    let always = [
        "userName",
        "displayName",
        "name.givenName",
        "name.familyName",
        "role",
    ];
    for name in always.into_iter().chain(mapped.iter().map(String::as_str)) {
        if let Some(place) = Place::of(name, profile.role_as) {
            account.set(name, place.get(user));
        }
    }
    // One that does not say so is active.
    account.active = match member(user, "active") {
        Some(Json::Bool(active)) => *active,
        Some(Json::String(text)) => !text.eq_ignore_ascii_case("false"),
        _ => true,
    };
    account.email = email.or_else(|| match profile.username_equals_email {
        true => account.user_name.clone(),
        false => None,
    });
    let emails = member(user, "emails").and_then(Json::as_array);
    let emails = emails
        .into_iter()
        .flatten()
        .filter_map(|email| match email {
            Json::Object(email) => text_of(email, "value"),
            other => other.as_str(),
        })
        .map(fold)
        .collect();
    Some(UserRead {
        id,
        external_id: text_of(user, "externalId").map(str::to_owned),
        account,
        emails,
    })
}

/// The primary address, else that at work, else the first.
fn email_of(user: &Map<String, Json>) -> Option<String> {
    let emails: Vec<&Map<String, Json>> = member(user, "emails")?
        .as_array()?
        .iter()
        .filter_map(Json::as_object)
        .collect();
    let primary = |email: &&&Map<String, Json>| member(email, "primary") == Some(&Json::Bool(true));
    let work = |email: &&&Map<String, Json>| text_of(email, "type") == Some("work");
    let one = emails
        .iter()
        .find(primary)
        .or_else(|| emails.iter().find(work))
        .or_else(|| emails.first())?;
    text_of(one, "value").map(str::to_owned)
}

/// The id of a resource. A number is one too.
pub fn id_of(resource: &Map<String, Json>) -> Option<String> {
    match member(resource, "id")? {
        Json::String(id) if !id.is_empty() => Some(id.clone()),
        Json::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// `attribute eq "value"`, the value escaped as JSON is.
pub fn equals(attribute: &str, value: &str) -> String {
    format!("{attribute} eq {}", Json::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Knobs, ProfileWord};

    fn profile(word: ProfileWord) -> Profile {
        Profile::of(word, None, &Knobs::default())
    }

    fn ana() -> Account {
        let mut account = Account {
            user_name: Some("ana@login.test".to_owned()),
            email: Some("ana@acme.test".to_owned()),
            display_name: Some("Ana Ruiz".to_owned()),
            given_name: Some("Ana".to_owned()),
            active: true,
            ..Account::default()
        };
        account.set("title", Some(Value::from("Engineer")));
        account.set("department", Some(Value::from("R&D")));
        account
    }

    const PATHS: Style = Style {
        pathless: false,
        active: ActiveStyle::Path,
        whole_lists: false,
    };

    #[test]
    fn a_new_user_is_whole_and_names_its_schemas() {
        let sent = user(&ana(), "e-100", &profile(ProfileWord::Generic));
        let expected = json!({
            "schemas": [urn::USER, urn::ENTERPRISE],
            "externalId": "e-100", "userName": "ana@login.test", "active": true,
            "displayName": "Ana Ruiz", "name": {"givenName": "Ana"},
            "emails": [{"value": "ana@acme.test", "type": "work", "primary": true}],
            "title": "Engineer",
            urn::ENTERPRISE: {"department": "R&D"},
        });
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_patch_says_only_what_differs() {
        let generic = profile(ProfileWord::Generic);
        let mut after = ana();
        after.set("title", None);
        after.set("email", Some(Value::from("ruiz@acme.test")));
        after.active = false;
        let changes = changes(&ana(), &after, &generic);
        let sent = operations(&changes, None, &after, &generic, PATHS);
        assert_eq!(
            sent,
            [
                json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "ruiz@acme.test"}),
                json!({"op": "remove", "path": "title"}),
                json!({"op": "replace", "path": "active", "value": false}),
            ]
        );
        let pathless = Style {
            pathless: true,
            active: ActiveStyle::Pathless,
            whole_lists: false,
        };
        assert_eq!(
            operations(&changes, None, &after, &generic, pathless),
            [
                json!({"op": "remove", "path": "title"}),
                json!({"op": "replace", "value": {"emails": [
                    {"value": "ruiz@acme.test", "type": "work", "primary": true}]}}),
                json!({"op": "replace", "value": {"active": false}}),
            ]
        );
        assert!(operations(&[], None, &after, &generic, PATHS).is_empty());
    }

    #[test]
    fn where_the_user_name_is_the_email_a_login_changes_nothing() {
        let polis = profile(ProfileWord::Polis);
        let mut after = ana();
        after.user_name = Some("other@login.test".to_owned());
        assert!(changes(&ana(), &after, &polis).is_empty());
        after.email = Some("other@acme.test".to_owned());
        let changed = changes(&ana(), &after, &polis);
        let names: Vec<&str> = changed.iter().map(|c| c.attribute.as_str()).collect();
        assert_eq!(names, ["userName", "email"]);
    }

    #[test]
    fn what_is_read_of_a_user_is_what_was_sent() {
        let generic = profile(ProfileWord::Generic);
        let Json::Object(mut sent) = user(&ana(), "e-100", &generic) else {
            panic!("a user is an object");
        };
        sent.insert("id".to_owned(), json!("srv-1"));
        let mapped = ["title".to_owned(), "department".to_owned()];
        let read = read_user(&sent, &mapped, &generic).unwrap();
        assert_eq!(
            (read.id.as_str(), read.external_id.as_deref()),
            ("srv-1", Some("e-100"))
        );
        assert!(read.account.changes_to(&ana()).is_empty());
    }

    #[test]
    fn what_a_provider_needs_is_looked_for() {
        let aws = profile(ProfileWord::Aws);
        assert_eq!(lacks(&ana(), &aws), Some("name.familyName"));
        assert_eq!(lacks(&ana(), &profile(ProfileWord::Generic)), None);
    }

    #[test]
    fn values_in_filters_are_escaped() {
        assert_eq!(equals("userName", r#"a"b\c"#), r#"userName eq "a\"b\\c""#);
    }
}
