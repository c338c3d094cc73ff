use super::*;
use serde_json::json;

fn attributes(names: &[&str]) -> Attributes {
    let (attributes, unknown) =
        Attributes::of(&names.iter().map(|name| name.to_string()).collect());
    assert!(unknown.is_empty(), "{unknown:?}");
    attributes
}

fn fields(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

#[test]
fn only_what_is_used_is_asked_for() {
    let few = attributes(&[]);
    assert_eq!(
        few.select(),
        [
            "id",
            "accountEnabled",
            "userPrincipalName",
            "mail",
            "displayName",
            "givenName",
            "surname"
        ]
    );
    let more = attributes(&[
        "manager",
        "costCenter",
        "division",
        "source.extensionAttribute5",
    ]);
    assert!(more.select_delta().contains(&"manager"));
    assert!(!more.select().contains(&"manager"));
    let org = |names: Vec<&str>| names.iter().filter(|n| **n == "employeeOrgData").count();
    assert_eq!(org(more.select()), 1);
    assert!(more.select().contains(&EXTENSIONS));
    assert_ne!(few.fingerprint(), more.fingerprint());
}

#[test]
fn what_graph_does_not_have_is_named() {
    let names = [
        "locale",
        "source.aboutMe",
        "source.bad name",
        "name.formatted",
    ];
    let (_, unknown) = Attributes::of(&names.iter().map(|name| name.to_string()).collect());
    assert_eq!(unknown.len(), 4);
}

#[test]
fn a_user_reads_in_the_words_of_the_model() {
    let all = attributes(&[
        "title",
        "division",
        "manager",
        "phoneNumbers",
        "addresses",
        "source.extensionAttribute5",
        "source.usageLocation",
    ]);
    let user = all
        .user(
            "u1",
            &fields(json!({
                "accountEnabled": true,
                "userPrincipalName": "jane@contoso.com",
                "mail": null,
                "surname": "Doe",
                "jobTitle": "Engineer",
                "employeeOrgData": {"division": "EMEA", "costCenter": null},
                "manager": {"@odata.type": "#microsoft.graph.user", "id": "u2"},
                "businessPhones": ["1", "2"],
                "mobilePhone": "3",
                "city": "Oslo",
                "onPremisesExtensionAttributes": {"extensionAttribute5": "B-7"},
                "usageLocation": "NO",
            })),
        )
        .unwrap();
    assert!(user.active);
    assert_eq!(user.email(), Some("jane@contoso.com"));
    assert_eq!(user.name.family_name.as_deref(), Some("Doe"));
    assert_eq!(user.title.as_deref(), Some("Engineer"));
    assert_eq!(user.division.as_deref(), Some("EMEA"));
    assert_eq!(user.manager.as_deref(), Some("u2"));
    assert_eq!(user.phone_numbers.len(), 3);
    assert_eq!(user.addresses[0].locality.as_deref(), Some("Oslo"));
    assert_eq!(user.source["extensionAttribute5"].as_text(), Some("B-7"));
    assert_eq!(user.source["usageLocation"].as_text(), Some("NO"));
}

#[test]
fn an_account_of_which_nothing_is_said_is_not_disabled() {
    let few = attributes(&[]);
    let silent = fields(json!({"userPrincipalName": "a@b.c", "accountEnabled": null}));
    assert!(few.user("u1", &silent).is_err());
    let patch = few.patch("u1", &silent).unwrap();
    assert!(!patch.set.contains_key("active"));
    assert!(patch.set.contains_key("userName"));
}

#[test]
fn null_clears_and_absence_says_nothing() {
    let some = attributes(&["department", "title"]);
    let patch = some
        .patch("u1", &fields(json!({"department": null})))
        .unwrap();
    assert_eq!(patch.set.get("department"), Some(&None));
    assert!(!patch.set.contains_key("title"));
}

#[test]
fn a_manager_comes_and_goes() {
    let some = attributes(&["manager"]);
    let read = |json| {
        some.patch("u1", &fields(json))
            .unwrap()
            .set
            .remove("manager")
    };
    let old = json!({"id": "m1", "@removed": {"reason": "deleted"}});
    assert_eq!(
        read(json!({"manager@delta": [old, {"id": "m2"}]})),
        Some(Some(Value::from("m2")))
    );
    assert_eq!(read(json!({"manager@delta": [old]})), Some(None));
    assert_eq!(read(json!({})), None);
}

#[test]
fn a_property_of_another_shape_is_the_users_problem_alone() {
    let some = attributes(&["department"]);
    let odd = fields(json!({"accountEnabled": true, "department": {"a": 1}}));
    assert!(some.user("u1", &odd).unwrap_err().contains("department"));
    let odd = fields(json!({"accountEnabled": "yes"}));
    assert!(some.user("u1", &odd).is_err());
    assert!(some.patch("u1", &odd).is_err());
}

#[test]
fn an_unknown_property_can_be_dropped_but_not_a_carried_one() {
    let some = attributes(&["source.badge"]);
    let (fewer, names) = some.without("badge").unwrap();
    assert_eq!(names, ["source.badge"]);
    assert!(!fewer.select().contains(&"badge"));
    assert_eq!(fewer.fingerprint(), some.fingerprint());
    assert!(some.without("mail").is_none());
}
