//! What an event says of a user or a group: a short form, and the SCIM resource under `raw`.
//!
//! Memberships travel in events of their own, so `raw.groups` and `raw.members` are empty.

use std::collections::BTreeMap;

use super::json::Node;
use crate::directory::Value;
use crate::plan::{Account, AttributeChange};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Attributes that SCIM has in its enterprise extension (RFC 7643 §4.3), whatever a mapping
/// calls them.
const OF_ENTERPRISE: [&str; 6] = [
    "employeeNumber",
    "costCenter",
    "organization",
    "division",
    "department",
    "manager",
];

/// A user as an event shows them. `group` is set in events of a membership.
pub fn user(id: &str, external_id: &str, account: &Account, group: Option<Node>) -> Node {
    let Account {
        user_name: _,
        email,
        display_name: _,
        given_name,
        family_name,
        active,
        role,
        attributes: _,
        metadata: _,
    } = account;
    let or_empty = |text: &Option<String>| Node::text(text.clone().unwrap_or_default());
    let mut fields = vec![
        field("id", Node::text(id)),
        field("first_name", or_empty(given_name)),
        field("last_name", or_empty(family_name)),
        field("email", or_empty(email)),
        field("active", Node::Bool(*active)),
    ];
    if let Some(role) = role {
        fields.push(field("roles", Node::List(vec![Node::text(role.as_str())])));
    }
    fields.push(field("raw", raw_user(id, external_id, account)));
    fields.extend(group.map(|group| field("group", group)));
    Node::Object(fields)
}

fn raw_user(id: &str, external_id: &str, account: &Account) -> Node {
    let Account {
        user_name,
        email,
        display_name,
        given_name,
        family_name,
        active,
        role,
        attributes,
        metadata,
    } = account;
    let (core, extensions) = sorted(attributes);
    let mut schemas = vec![Node::text(USER)];
    schemas.extend(extensions.keys().map(|urn| Node::text(*urn)));
    let mut fields = vec![
        field("schemas", Node::List(schemas)),
        field("id", Node::text(id)),
        field("externalId", Node::text(external_id)),
    ];
    if let Some(user_name) = user_name {
        fields.push(field("userName", Node::text(user_name)));
    }
    let names = [("givenName", given_name), ("familyName", family_name)];
    let names: Vec<_> = names
        .into_iter()
        .filter_map(|(name, text)| Some(field(name, Node::text(text.as_ref()?))))
        .collect();
    if !names.is_empty() {
        fields.push(field("name", Node::Object(names)));
    }
    if let Some(display_name) = display_name {
        fields.push(field("displayName", Node::text(display_name)));
    }
    if let Some(email) = email {
        let email = Node::Object(vec![
            field("value", Node::text(email)),
            field("type", Node::text("work")),
            field("primary", Node::Bool(true)),
        ]);
        fields.push(field("emails", Node::List(vec![email])));
    }
    fields.push(field("active", Node::Bool(*active)));
    if let Some(role) = role {
        let role = Node::Object(vec![
            field("value", Node::text(role.as_str())),
            field("primary", Node::Bool(true)),
        ]);
        fields.push(field("roles", Node::List(vec![role])));
    }
    // A mapping may fill what is written above by another name; that stands.
    for (name, value) in core {
        if !fields.iter().any(|(taken, _)| taken == name) {
            fields.push(field(name, Node::from(value)));
        }
    }
    for (urn, attributes) in extensions {
        fields.push(field(urn, Node::Object(attributes)));
    }
    if !metadata.is_empty() {
        let metadata = metadata.iter();
        let metadata = metadata.map(|(name, value)| field(name, Node::from(value)));
        fields.push(field("metadata", Node::Object(metadata.collect())));
    }
    fields.push(field("groups", Node::List(Vec::new())));
    Node::Object(fields)
}

type Extensions<'a> = BTreeMap<&'a str, Vec<(String, Node)>>;

/// Mapped attributes, those of extensions apart.
fn sorted(attributes: &BTreeMap<String, Value>) -> (Vec<(&str, &Value)>, Extensions<'_>) {
    let mut core = Vec::new();
    let mut extensions = Extensions::new();
    for (name, value) in attributes {
        let (urn, short) = match name.rsplit_once(':') {
            Some((urn, short)) if name.starts_with("urn:") => (urn, short),
            _ if OF_ENTERPRISE.contains(&name.as_str()) => (ENTERPRISE, name.as_str()),
            _ => {
                core.push((name.as_str(), value));
                continue;
            }
        };
        let value = match (urn, short) {
            (ENTERPRISE, "manager") => {
                Node::Object(vec![field("value", Node::text(value.plain()))])
            }
            _ => Node::from(value),
        };
        extensions.entry(urn).or_default().push(field(short, value));
    }
    (core, extensions)
}

/// A group as an event shows it.
pub fn group(id: &str, external_id: &str, name: &str) -> Node {
    let raw = vec![
        field("schemas", Node::List(vec![Node::text(GROUP)])),
        field("id", Node::text(id)),
        field("externalId", Node::text(external_id)),
        field("displayName", Node::text(name)),
        field("members", Node::List(Vec::new())),
    ];
    Node::Object(vec![
        field("id", Node::text(id)),
        field("name", Node::text(name)),
        field("raw", Node::Object(raw)),
    ])
}

/// What changed attributes were before, by the names that plans use; null where there was none.
pub fn previous(changes: &[AttributeChange]) -> Node {
    let fields = changes.iter().map(|change| {
        let before = change.before.as_ref().map_or(Node::Null, Node::from);
        field(&change.attribute, before)
    });
    Node::Object(fields.collect())
}

fn field(name: &str, value: Node) -> (String, Node) {
    (name.to_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_short_form_and_the_resource_beside_it() {
        let mut account = Account::default();
        for (name, value) in [
            ("userName", "ana@acme.test"),
            ("email", "ana@acme.test"),
            ("displayName", "Ana Ruiz"),
            ("name.givenName", "Ana"),
            ("role", "admin"),
            ("title", "Engineer"),
            ("department", "R&D"),
            ("urn:acme:2.0:User:7", "x"),
            ("metadata.badge", "9"),
        ] {
            account.set(name, Some(Value::from(value)));
        }
        account.set("active", Some(Value::Bool(true)));
        assert_eq!(
            user("u-1", "e-100", &account, None).spell(),
            concat!(
                r#"{"id":"u-1","first_name":"Ana","last_name":"","email":"ana@acme.test","#,
                r#""active":true,"roles":["admin"],"raw":{"#,
                r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:acme:2.0:User","#,
                r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"#,
                r#""id":"u-1","externalId":"e-100","userName":"ana@acme.test","#,
                r#""name":{"givenName":"Ana"},"displayName":"Ana Ruiz","#,
                r#""emails":[{"value":"ana@acme.test","type":"work","primary":true}],"#,
                r#""active":true,"roles":[{"value":"admin","primary":true}],"title":"Engineer","#,
                r#""urn:acme:2.0:User":{"7":"x"},"#,
                r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"},"#,
                r#""metadata":{"badge":"9"},"groups":[]}}"#
            )
        );
    }

    #[test]
    fn a_group_names_no_members() {
        assert_eq!(
            group("g-1", "e-1", "devs").spell(),
            r#"{"id":"g-1","name":"devs","raw":{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"g-1","externalId":"e-1","displayName":"devs","members":[]}}"#
        );
    }
}
