use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scim::schema::{Kind, Types};
use crate::scim::{Object, ScimType};

fn jane() -> Object {
    let jane = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "u1",
        "externalId": "Ext-1",
        "userName": "Jane@Contoso.com",
        "name": { "familyName": "O'Malley", "givenName": "Jane" },
        "title": "Engineer \"lead\"",
        "active": true,
        "emails": [
            { "type": "work", "value": "jane@contoso.com", "primary": true },
            { "type": "home", "value": "jane@home.example" }
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": "Sales", "manager": { "value": "u9" }
        },
        "meta": { "lastModified": "2026-05-13T04:42:34Z" }
    });
    jane.as_object().unwrap().clone()
}

fn passes(filter: &str) -> Result<bool, ScimError> {
    let types = Types::new(&BTreeMap::new());
    let compiled = Compiled::new(&Filter::parse(filter)?, types.of(Kind::User))?;
    Ok(compiled.passes(&jane()))
}

#[track_caller]
fn holds(filter: &str) {
    assert_eq!(passes(filter), Ok(true), "{filter}");
}

#[track_caller]
fn fails(filter: &str) {
    assert_eq!(passes(filter), Ok(false), "{filter}");
}

#[track_caller]
fn refused(filter: &str) {
    let error = passes(filter).expect_err(filter);
    assert_eq!(error.scim_type, Some(ScimType::InvalidFilter), "{filter}");
}

#[test]
fn every_operator_compares() {
    holds("userName eq \"jane@contoso.COM\"");
    fails("userName ne \"jane@contoso.COM\"");
    holds("externalId eq \"Ext-1\"");
    fails("externalId eq \"ext-1\"");
    holds("name.familyName co \"malley\"");
    holds("userName sw \"JANE\"");
    holds("userName ew \".com\"");
    holds("title pr and not (nickName pr)");
    holds("userName gt \"j\" and userName lt \"k\" and userName ge \"a\" and userName le \"z\"");
    holds("active eq true and active eq \"True\" and active ne false");
    holds("nickName eq null and title ne null");
    holds("nickName ne \"Babs\"");
}

#[test]
fn dates_compare_as_moments() {
    holds("meta.lastModified eq \"2026-05-13T06:42:34+02:00\"");
    holds("meta.lastModified gt \"2011-05-13T04:42:34Z\"");
    fails("meta.lastModified lt \"2011-05-13T04:42:34Z\"");
    refused("meta.lastModified gt \"yesterday\"");
}

#[test]
fn and_binds_closer_than_or_and_parentheses_closer_still() {
    holds("active eq true or active eq false and title eq \"x\"");
    fails("(active eq true or active eq false) and title eq \"x\"");
    holds("not(title eq \"x\")");
    holds("NOT ( title eq \"x\" ) AND Active EQ true");
}

#[test]
fn a_value_path_judges_each_value_as_a_whole() {
    holds("emails[type eq \"work\" and value co \"@contoso\"]");
    fails("emails[type eq \"home\" and value co \"@contoso\"]");
    holds("emails[type eq \"home\"].value ew \"example\"");
    holds("emails[not (primary eq true)]");
    holds("emails eq \"JANE@home.example\"");
    holds("emails.value sw \"jane\"");
}

#[test]
fn names_may_carry_a_urn_and_escapes_are_read() {
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    holds(&format!("{urn}:department eq \"sales\""));
    holds(&format!("{}:manager.value eq \"u9\"", urn.to_uppercase()));
    holds("manager eq \"u9\" and id eq \"u1\"");
    holds("title eq \"Engineer \\\"lead\\\"\"");
    holds("title co \"\\u0022lead\"");
    holds("schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"");
}

#[test]
fn a_value_without_quotes_is_a_text() {
    holds("externalId eq Ext-1");
    fails("userName eq 12");
}

#[test]
fn what_is_wrong_is_an_invalid_filter() {
    for filter in [
        "",
        "userName",
        "userName eq",
        "userName xx \"a\"",
        "userName eq \"a",
        "userName eq \"a\" and",
        "(userName eq \"a\"",
        "userName eq \"a\")",
        "nothing eq \"a\"",
        "name eq \"a\"",
        "active gt true",
        "active eq \"perhaps\"",
        "x509Certificates.value gt \"a\"",
        "emails[",
        "emails[type eq \"work\"",
        "emails[userName eq \"a\"]",
        "emails[type eq \"work\"].",
        "emails[type eq \"work\"].value",
        "title gt null",
        "\"userName\" eq \"a\"",
        "userName eq \"\\q\"",
        "password eq \"a\"",
    ] {
        refused(filter);
    }
}

#[test]
fn a_filter_is_bounded_in_length_depth_and_number() {
    refused(&"(".repeat(10_000));
    refused(&format!("{}title pr{}", "(".repeat(100), ")".repeat(100)));
    refused(&"emails[".repeat(200));
    refused(&format!("title eq \"{}\"", "a".repeat(MAX_BYTES)));
    let many = |count| vec!["title pr"; count].join(" or ");
    holds(&many(200));
    refused(&many(MAX_TERMS + 1));
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error(text in "[a-z\\[\\]().\"\\\\ :$]{0,60}|\\PC{0,40}") {
        let _ = passes(&text);
    }

    #[test]
    fn any_words_are_a_filter_or_an_error(words in proptest::collection::vec(
        prop_oneof![
            Just("userName"), Just("emails"), Just("["), Just("]"), Just("("), Just(")"),
            Just("not"), Just("and"), Just("or"), Just("eq"), Just("pr"), Just("gt"),
            Just("\"a\""), Just("true"), Just("null"), Just("12"), Just(".value"), Just("active"),
        ],
        0..14,
    )) {
        if let Ok(parsed) = Filter::parse(&words.join(" ")) {
            let types = Types::new(&BTreeMap::new());
            if let Ok(compiled) = Compiled::new(&parsed, types.of(Kind::User)) {
                let not = Compiled::Not(Box::new(compiled.clone()));
                prop_assert_ne!(compiled.passes(&jane()), not.passes(&jane()));
            }
        }
    }
}
