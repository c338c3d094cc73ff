use super::{ReadError, read_actions};
use crate::plan::report::{Format, Style, sample, write};
use crate::plan::{Action, Plan};

fn document(plan: &Plan) -> String {
    let mut out = Vec::new();
    write(plan, Format::Json, Style::Plain, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn refusal(document: &str) -> String {
    match read_actions(document.as_bytes()) {
        Ok(_) => "no refusal".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_quiet_plan_is_short() {
    insta::assert_snapshot!(document(&sample::quiet()), @r#"
    {
      "version": 1,
      "run": "01JDXAMPLE0000000000000000",
      "mode": "full",
      "asked": {
        "sources": [],
        "full": false,
        "users": [],
        "groups": []
      },
      "dry_run": true,
      "created_at": "2026-11-22T01:02:03Z",
      "status": "planned",
      "digest": "af1349b9f5f9a1a6a0404dea36dcc949",
      "sources": {
        "entra": {"status": "ok", "users": 1000, "groups": 50, "changed_users": 3, "changed_groups": 1, "requests": 4}
      },
      "summary": {},
      "actions": [],
      "needs_role": [],
      "departed": [],
      "returned": [],
      "pending": [],
      "spared": [],
      "skipped": [],
      "conflicts": [],
      "quarantined": [],
      "warnings": [],
      "guard": {
        "held": false,
        "limits": []
      }
    }
    "#);
}

#[test]
fn a_held_plan_has_every_field() {
    insta::assert_snapshot!(document(&sample::held()), @r#"
    {
      "version": 1,
      "run": "01JDXAMPLE0000000000000000",
      "mode": "full",
      "asked": {
        "sources": [],
        "full": false,
        "users": [],
        "groups": []
      },
      "dry_run": true,
      "created_at": "2026-11-22T01:02:03Z",
      "status": "held",
      "digest": "c0100ff8544c2e4cfb500f4444306a83",
      "sources": {
        "entra": {"status": "ok", "users": 1000, "groups": 50, "changed_users": 3, "changed_groups": 1, "requests": 4},
        "okta": {"status": "failed", "users": 0, "groups": 0, "changed_users": 0, "changed_groups": 0, "requests": 7, "error": "acme.okta.com answers 401; renew okta.api_token"}
      },
      "summary": {
        "dashboard": {"create_account": 1, "set_role": 1},
        "mdm": {"change_device_policy": 1},
        "store": {"create_group": 1, "adopt_account": 1, "enable_account": 1, "update_account": 1, "add_members": 1, "remove_members": 1, "remove_account": 1, "delete_group": 1}
      },
      "actions": [
        {"portal": "store", "op": "create_group", "key": "Sales", "subject": {"kind": "group", "source": "entra", "id": "g-1", "display": "Sales"}, "changes": [{"attribute": "externalId", "before": null, "after": "g-1"}], "reason": "pushed by *", "outcome": null},
        {"portal": "dashboard", "op": "create_account", "key": "jane@contoso.com", "subject": {"kind": "user", "source": "entra", "id": "u-1", "display": "Jane Doe"}, "changes": [{"attribute": "role", "before": null, "after": "admin"}, {"attribute": "metadata.badge", "before": null, "after": "=1+1"}], "reason": "assigned to the application; member of applivery-admin", "outcome": null},
        {"portal": "dashboard", "op": "set_role", "key": "zoe@contoso.com", "subject": {"kind": "user", "source": "entra", "id": "u-4", "display": "Zoë Straße"}, "changes": [{"attribute": "role", "before": "viewer", "after": "editor"}], "reason": "member of applivery-editor", "outcome": null},
        {"portal": "store", "op": "adopt_account", "key": "=eve@contoso.com", "subject": {"kind": "user", "source": "entra", "id": "u-2", "display": "Eve \u001b[2J|<script>alert(1)</script>\n# \u202emoc"}, "changes": [{"attribute": "emails", "before": null, "after": ["a@b.c", 2.5]}], "reason": "", "outcome": null},
        {"portal": "store", "op": "enable_account", "key": "back@contoso.com", "subject": {"kind": "user", "source": "entra", "id": "u-3", "display": "山田 太郎"}, "changes": [], "reason": "enabled again", "outcome": null},
        {"portal": "store", "op": "update_account", "key": "jane@contoso.com", "subject": {"kind": "user", "source": "entra", "id": "u-1", "display": "Jane Doe"}, "changes": [{"attribute": "displayName", "before": "Jane Roe", "after": "Jane Doe"}, {"attribute": "title", "before": "Clerk", "after": null}], "reason": "changed at entra", "outcome": null},
        {"portal": "store", "op": "remove_members", "key": "Ops", "subject": {"kind": "group", "source": "entra", "id": "g-2", "display": "Ops"}, "changes": [], "members": ["old@contoso.com"], "reason": "left at entra", "outcome": null},
        {"portal": "store", "op": "add_members", "key": "Sales", "subject": {"kind": "group", "source": "entra", "id": "g-1", "display": "Sales"}, "changes": [], "members": ["user01@contoso.com", "user02@contoso.com", "user03@contoso.com", "user04@contoso.com", "user05@contoso.com", "user06@contoso.com", "user07@contoso.com", "user08@contoso.com", "user09@contoso.com", "user10@contoso.com", "user11@contoso.com", "user12@contoso.com"], "reason": "members at entra", "outcome": null},
        {"portal": "mdm", "op": "change_device_policy", "key": "leaver@contoso.com", "subject": {"kind": "user", "source": "entra", "id": "u-5", "display": "Lea Ver"}, "changes": [{"attribute": "policy", "before": "Staff", "after": "Quarantine"}], "device": "dev-7", "reason": "disabled at entra", "outcome": null},
        {"portal": "store", "op": "remove_account", "key": "leaver@contoso.com", "subject": {"kind": "user", "source": "entra", "id": "u-5", "display": "Lea Ver"}, "changes": [], "reason": "disabled at entra", "outcome": null},
        {"portal": "store", "op": "delete_group", "key": "Interns", "subject": {"kind": "group", "source": "entra", "id": "g-3", "display": "Interns"}, "changes": [], "reason": "gone from entra", "outcome": null}
      ],
      "needs_role": [
        {"portal": "dashboard", "key": "norole@contoso.com"}
      ],
      "departed": [
        {"portal": "mdm", "key": "leaver@contoso.com", "cause": "disabled"}
      ],
      "returned": [
        {"portal": "mdm", "key": "back@contoso.com", "note": "2 devices stay under the policy Quarantine"}
      ],
      "pending": [
        {"portal": "store", "key": "grace@contoso.com", "cause": "unassigned", "due_at": "2026-11-23T03:05:00Z"}
      ],
      "spared": [
        {"portal": "dashboard", "key": "admin@contoso.com", "reason": "last admin"}
      ],
      "skipped": [
        {"portal": "store", "subject": {"kind": "user", "source": "entra", "id": "u-9", "display": "Nomail"}, "reason": "no email"}
      ],
      "conflicts": [
        {"portal": "store", "key": "twin@contoso.com", "kept": {"kind": "user", "source": "entra", "id": "u-10", "display": "Twin One"}, "dropped": {"kind": "user", "source": "okta", "id": "u-11", "display": "Twin Two"}}
      ],
      "quarantined": [
        {"source": "entra", "id": "u-12", "reason": "accountEnabled is \"maybe\"", "next_try": "2026-11-22T01:07:03Z"}
      ],
      "warnings": [
        "entra has no attribute \"shoeSize\" (portal store, title)"
      ],
      "guard": {
        "held": true,
        "limits": [{"limit": "max_deactivations", "scope": "dashboard", "count": 12, "population": 60, "allowed": 6, "text": "12 of 60 accounts of dashboard would be deactivated; max_deactivations allows 6"}]
      }
    }
    "#);
}

#[test]
fn outcomes_stand_with_their_actions() {
    let json: serde_json::Value =
        serde_json::from_str(&document(&sample::partly_applied())).unwrap();
    let outcomes: Vec<_> = (json["actions"].as_array().unwrap().iter())
        .map(|action| action["outcome"].to_string())
        .collect();
    assert_eq!(
        outcomes[0],
        r#"{"attempts":1,"error":null,"status":"done"}"#
    );
    assert!(outcomes[1].contains(r#""attempts":3"#));
    assert!(outcomes[7].contains(r#""status":"skipped""#));
}

#[test]
fn a_saved_plan_comes_back_as_it_was() {
    let plan = sample::held();
    let saved = read_actions(document(&plan).as_bytes()).unwrap();
    let before: Vec<Action> = plan.actions().map(Result::unwrap).collect();
    let after: Vec<Action> = saved.actions().map(Result::unwrap).collect();
    assert!(before == after);
    assert_eq!(saved.digest, plan.head.digest);
    assert_eq!(saved.run, plan.head.run);
    assert_eq!(saved.action_count(), plan.action_count());
}

#[test]
fn what_is_no_plan_is_refused_in_one_line() {
    let bare = r#"{"version":1,"run":"x","mode":"full","actions":[]}"#;
    for document in ["", "[]", "{}", "not json", bare] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(refusal(document), @"this is not a plan of rosterd; save one with `rosterd plan --out FILE`");
        }
    }
}

#[test]
fn a_newer_plan_is_refused_with_its_version() {
    let newer = document(&sample::quiet()).replacen("\"version\": 1", "\"version\": 2", 1);
    insta::assert_snapshot!(refusal(&newer), @"this plan has version 2, and this rosterd reads version 1; use the rosterd that saved it");
}

#[test]
fn a_plan_that_somebody_edited_is_refused() {
    // Without the one decimal, whose last bit JSON may not keep.
    let plan = document(&sample::held()).replace(", 2.5]", "]");
    assert!(matches!(
        read_actions(plan.as_bytes()),
        Err(ReadError::Altered)
    ));
    insta::assert_snapshot!(refusal(&plan), @"the actions of this plan were changed after it was saved; save it again with `rosterd plan --out FILE`");
}

#[test]
fn half_a_plan_is_refused() {
    let plan = document(&sample::held());
    assert!(read_actions(&plan.as_bytes()[..plan.len() / 2]).is_err());
    assert!(read_actions(format!("{plan}{plan}").as_bytes()).is_err());
}
