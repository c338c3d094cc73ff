use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scim::schema::{Kind, Types};
use crate::scim::{ScimType, accept};

fn types() -> Types {
    Types::new(&BTreeMap::new())
}

fn jane() -> Object {
    let jane = json!({
        "schemas": [urn::USER, urn::ENTERPRISE],
        "userName": "jane",
        "name": { "givenName": "Jane", "familyName": "Doe" },
        "active": true,
        "emails": [
            { "type": "work", "value": "jane@work", "primary": true },
            { "type": "home", "value": "jane@home" }
        ],
        (urn::ENTERPRISE): { "department": "Sales" }
    });
    accept::resource(&jane, types().of(Kind::User)).unwrap()
}

fn patched(kind: Kind, resource: &Object, operations: Value) -> Result<Patched, ScimError> {
    let types = types();
    let operations = read(&json!({ "schemas": [urn::PATCH], "Operations": operations }))?;
    apply(resource, &operations, types.of(kind))
}

#[track_caller]
fn becomes(operations: Value) -> Value {
    let patched = patched(Kind::User, &jane(), operations.clone());
    Value::Object(
        patched
            .unwrap_or_else(|e| panic!("{operations}: {e}"))
            .resource,
    )
}

#[track_caller]
fn refused(operations: Value) -> ScimType {
    let error = patched(Kind::User, &jane(), operations).expect_err("it is refused");
    error.scim_type.expect("a keyword")
}

#[test]
fn entra_disables_with_a_text_and_without() {
    for value in [json!("False"), json!("false"), json!(false)] {
        let after = becomes(json!([{ "op": "Replace", "path": "active", "value": value }]));
        assert_eq!(after["active"], false);
    }
    let okta = becomes(json!([{ "op": "replace", "value": { "active": false } }]));
    assert_eq!(okta["active"], false);
}

#[test]
fn dotted_and_urn_keys_without_a_path_mean_what_they_say() {
    let number = format!("{}:employeeNumber", urn::ENTERPRISE);
    let after = becomes(json!([{ "op": "replace", "value": {
        "displayName": "B", "name.givenName": "K", (number): "A", "id": "other", "groups": [],
        "favourite": "tea",
    } }]));
    assert_eq!(after["displayName"], "B");
    assert_eq!(
        after["name"],
        json!({ "givenName": "K", "familyName": "Doe" })
    );
    assert_eq!(
        after[urn::ENTERPRISE],
        json!({ "department": "Sales", "employeeNumber": "A" })
    );
    assert_eq!(after["id"], Value::Null);
    assert_eq!(after["favourite"], Value::Null);
}

#[test]
fn a_filtered_path_creates_the_value_that_is_missing() {
    let after = becomes(json!([
        { "op": "Replace", "path": "emails[type eq \"Work\"].value", "value": "new@work" },
        { "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "1" },
        { "op": "Add", "path": "addresses[type eq \"work\"].formatted", "value": "Street 1" },
        { "op": "Add", "path": "emails[type eq \"other\"].primary", "value": "True" },
    ]));
    assert_eq!(after["emails"][0]["value"], "new@work");
    assert_eq!(after["emails"][0]["primary"], false);
    assert_eq!(
        after["emails"][2],
        json!({ "type": "other", "primary": true })
    );
    assert_eq!(
        after["phoneNumbers"],
        json!([{ "type": "mobile", "value": "1" }])
    );
    assert_eq!(
        after["addresses"],
        json!([{ "type": "work", "formatted": "Street 1" }])
    );
}

#[test]
fn a_manager_comes_in_every_shape_entra_has() {
    let urn_path = format!("{}:manager", urn::ENTERPRISE);
    for (path, value) in [
        (
            "manager",
            json!([{ "$ref": "https://x/Users/9", "value": "9" }]),
        ),
        (urn_path.as_str(), json!("9")),
        (
            urn_path.as_str(),
            json!({ "value": "9", "displayName": "dropped" }),
        ),
    ] {
        let after = becomes(json!([{ "op": "Add", "path": path, "value": value }]));
        let manager = &after[urn::ENTERPRISE]["manager"];
        assert_eq!(manager["value"], "9");
        assert_eq!(manager["displayName"], Value::Null);
    }
    let gone = becomes(json!([
        { "op": "Add", "path": "manager", "value": "9" },
        { "op": "Replace", "path": urn_path, "value": "" },
    ]));
    assert_eq!(gone[urn::ENTERPRISE]["manager"], Value::Null);
    becomes(json!([{ "op": "Remove", "path": "manager" }]));
}

#[test]
fn values_are_added_once_and_the_newest_primary_is_the_only_one() {
    let after = becomes(json!([
        { "op": "add", "path": "emails", "value": [
            { "type": "home", "value": "jane@home" }, { "value": "x", "primary": true }] },
    ]));
    let emails = after["emails"].as_array().unwrap();
    assert_eq!(emails.len(), 3);
    assert_eq!(emails.iter().filter(|e| e["primary"] == true).count(), 1);
    assert_eq!(emails[2], json!({ "value": "x", "primary": true }));
}

#[test]
fn removal_takes_what_it_names_and_nothing_else() {
    let home = becomes(json!([{ "op": "remove", "path": "emails[type eq \"home\"]" }]));
    assert_eq!(home["emails"].as_array().unwrap().len(), 1);
    let none = becomes(json!([{ "op": "remove", "path": "emails[type eq \"fax\"]" }]));
    assert_eq!(none["emails"].as_array().unwrap().len(), 2);
    let named = json!([{ "op": "Remove", "path": "emails", "value": [{ "value": "jane@home" }] }]);
    assert_eq!(becomes(named)["emails"][0]["value"], "jane@work");
    let all = becomes(json!([{ "op": "remove", "path": "emails" }]));
    assert_eq!(all["emails"], Value::Null);
    let part = becomes(json!([{ "op": "remove", "path": "name.givenName" }]));
    assert_eq!(part["name"], json!({ "familyName": "Doe" }));
    let extension = becomes(json!([{ "op": "remove", "path": urn::ENTERPRISE }]));
    assert_eq!(extension["schemas"], json!([urn::USER]));
    for unclear in [json!([]), json!(null), json!([{ "favourite": 1 }])] {
        let operation = json!([{ "op": "remove", "path": "emails", "value": unclear }]);
        assert_eq!(refused(operation), ScimType::InvalidValue);
    }
}

#[test]
fn refusals_say_what_kind_they_are() {
    for (operations, scim_type) in [
        (json!([]), ScimType::InvalidSyntax),
        (
            json!([{ "op": "move", "path": "a" }]),
            ScimType::InvalidSyntax,
        ),
        (
            json!([{ "op": "add", "path": "title" }]),
            ScimType::InvalidValue,
        ),
        (json!([{ "op": "remove" }]), ScimType::NoTarget),
        (
            json!([{ "op": "add", "path": "emails[", "value": 1 }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "add", "path": "emails[nope eq 1].value", "value": "a" }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "add", "path": "title[type eq \"a\"]", "value": "a" }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "replace", "path": "id", "value": "a" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "replace", "path": "groups", "value": [] }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "replace", "path": "meta.version", "value": "a" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "remove", "path": "userName" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "replace", "path": "emails[value co \"x\"].type", "value": "a" }]),
            ScimType::NoTarget,
        ),
        (
            json!([{ "op": "replace", "path": "emails.value", "value": "a" }]),
            ScimType::NoTarget,
        ),
        (
            json!([{ "op": "replace", "path": "active", "value": "maybe" }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "replace", "value": "a" }]),
            ScimType::InvalidValue,
        ),
    ] {
        assert_eq!(refused(operations.clone()), scim_type, "{operations}");
    }
}

fn members(operations: Value) -> Result<Vec<MemberChange>, ScimError> {
    let group = json!({ "schemas": [urn::GROUP], "displayName": "G" });
    let group = accept::resource(&group, types().of(Kind::Group)).unwrap();
    Ok(patched(Kind::Group, &group, operations)?.members)
}

#[test]
fn members_are_changed_in_both_dialects() {
    let one = |operation: Value| format!("{:?}", members(json!([operation])).unwrap());
    for (operation, expected) in [
        (
            json!({ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": "1" }] }),
            "[Add([\"1\"])]",
        ),
        (
            json!({ "op": "add", "value": { "members": [{ "value": "1" }] } }),
            "[Add([\"1\"])]",
        ),
        (
            json!({ "op": "Remove", "path": "members", "value": [{ "value": "1" }] }),
            "[Remove([\"1\"])]",
        ),
        (
            json!({ "op": "remove", "path": "members[value eq \"1\"]" }),
            "[Remove([\"1\"])]",
        ),
        (json!({ "op": "remove", "path": "members" }), "[Set([])]"),
        (
            json!({ "op": "replace", "path": "members", "value": [] }),
            "[Set([])]",
        ),
        (
            json!({ "op": "replace", "value": { "members": [], "id": "g", "displayName": "N" } }),
            "[Set([])]",
        ),
        (
            json!({ "op": "Remove", "path": "members", "value": [] }),
            "[Remove([])]",
        ),
    ] {
        assert_eq!(one(operation.clone()), expected, "{operation}");
    }
    for (operation, scim_type) in [
        (
            json!({ "op": "remove", "path": "members", "value": null }),
            ScimType::InvalidValue,
        ),
        (
            json!({ "op": "remove", "path": "members", "value": [{}] }),
            ScimType::InvalidValue,
        ),
        (
            json!({ "op": "remove", "path": "members", "value": [{ "display": "x" }] }),
            ScimType::InvalidValue,
        ),
        (
            json!({ "op": "replace", "path": "members[value eq \"1\"].value", "value": "2" }),
            ScimType::Mutability,
        ),
        (
            json!({ "op": "replace", "path": "members.value", "value": "2" }),
            ScimType::Mutability,
        ),
    ] {
        let error = members(json!([operation])).expect_err("it is refused");
        assert_eq!(error.scim_type, Some(scim_type), "{operation}");
    }
}

/// Whatever a patch does, the result is what a client could have put there itself.
fn is_well_formed(resource: &Object) {
    let mut again = Value::Object(resource.clone());
    let kept = accept::resource(&again, types().of(Kind::User)).unwrap();
    // Saying that a value is not the primary is a trace that a patch may leave.
    drop_false_primaries(&mut again);
    let mut kept = Value::Object(kept);
    drop_false_primaries(&mut kept);
    assert_eq!(kept, again);
}

fn drop_false_primaries(value: &mut Value) {
    match value {
        Value::Object(parts) => {
            if parts.get("primary") == Some(&Value::Bool(false)) {
                parts.remove("primary");
            }
            parts.values_mut().for_each(drop_false_primaries);
            parts.retain(|_, value| value.as_array().is_none_or(|items| !items.is_empty()));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(drop_false_primaries);
            items.retain(|item| item.as_object().is_none_or(|parts| !parts.is_empty()));
        }
        _ => {}
    }
}

fn operations() -> impl Strategy<Value = Vec<Value>> {
    let path = prop_oneof![
        Just("userName".to_owned()),
        Just("title".to_owned()),
        Just("active".to_owned()),
        Just("name".to_owned()),
        Just("name.givenName".to_owned()),
        Just("emails".to_owned()),
        Just("emails.value".to_owned()),
        Just("emails[type eq \"work\"]".to_owned()),
        Just("emails[type eq \"work\"].value".to_owned()),
        Just("emails[primary eq true].type".to_owned()),
        Just("emails[value sw \"a\" or type pr].primary".to_owned()),
        Just("manager".to_owned()),
        Just(urn::ENTERPRISE.to_owned()),
        Just(format!("{}:department", urn::ENTERPRISE)),
        Just("roles".to_owned()),
        Just("id".to_owned()),
        Just("nothing".to_owned()),
    ];
    let value = prop_oneof![
        Just(json!("a")),
        Just(json!("")),
        Just(json!(null)),
        Just(json!([])),
        Just(json!(true)),
        Just(json!("False")),
        Just(json!(12)),
        Just(json!({ "value": "a", "type": "work" })),
        Just(json!([{ "value": "b", "primary": true }, { "value": "c" }])),
        Just(json!([{ "value": "b", "primary": "True" }])),
        Just(json!({ "givenName": "G", "department": "D", "title": null })),
        Just(json!([null, {}])),
    ];
    let verb = prop_oneof![Just("add"), Just("Replace"), Just("remove")];
    let one = (
        verb,
        proptest::option::of(path),
        proptest::option::of(value),
    );
    let one = one.prop_map(|(op, path, value)| {
        let mut operation = json!({ "op": op });
        if let Some(path) = path {
            operation["path"] = path.into();
        }
        if let Some(value) = value {
            operation["value"] = value;
        }
        operation
    });
    proptest::collection::vec(one, 1..5)
}

proptest! {
    #[test]
    fn any_patch_is_refused_or_leaves_a_resource_in_order(operations in operations()) {
        if let Ok(patched) = patched(Kind::User, &jane(), json!(operations)) {
            is_well_formed(&patched.resource);
            let again = super::tests::patched(Kind::User, &patched.resource, json!(operations));
            if let Ok(again) = again {
                is_well_formed(&again.resource);
            }
        }
    }
}
