//! A plan with some of everything, hostile names included, for the tests of every format.

use std::collections::BTreeMap;

use crate::plan::*;

pub fn at(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}

pub fn head() -> Head {
    Head {
        run: "01JDXAMPLE0000000000000000".into(),
        mode: Mode::Full,
        asked: Default::default(),
        dry_run: true,
        created_at: at("2026-11-22T01:02:03Z"),
        status: Status::Planned,
        sources: BTreeMap::from([(
            "entra".into(),
            SourceReport {
                status: SourceStatus::Ok,
                users: 1000,
                groups: 50,
                changed_users: 3,
                changed_groups: 1,
                requests: 4,
                error: None,
            },
        )]),
        summary: BTreeMap::new(),
        lists: BTreeMap::new(),
        warnings: Vec::new(),
        guard: Guard::default(),
        digest: String::new(),
    }
}

pub fn user(id: &str, display: &str) -> Subject {
    Subject {
        kind: SubjectKind::User,
        source: "entra".into(),
        id: id.into(),
        display: display.into(),
    }
}

pub fn group(id: &str, display: &str) -> Subject {
    Subject {
        kind: SubjectKind::Group,
        ..user(id, display)
    }
}

pub fn action(portal: &str, op: Op, key: &str, subject: Subject, reason: &str) -> Action {
    Action {
        portal: portal.into(),
        op,
        key: key.into(),
        subject,
        changes: Vec::new(),
        reason: reason.into(),
        members: Vec::new(),
        device: None,
        joins: Default::default(),
    }
}

pub fn change(attribute: &str, before: Option<&str>, after: Option<&str>) -> AttributeChange {
    AttributeChange {
        attribute: attribute.into(),
        before: before.map(Into::into),
        after: after.map(Into::into),
    }
}

/// A quiet plan: nothing to do.
pub fn quiet() -> Plan {
    Builder::new().finish(head()).expect("a plan")
}

/// Held, with a failed source and every list.
pub fn held() -> Plan {
    let mut head = head();
    head.status = Status::Held;
    head.sources.insert(
        "okta".into(),
        SourceReport {
            status: SourceStatus::Failed,
            users: 0,
            groups: 0,
            changed_users: 0,
            changed_groups: 0,
            requests: 7,
            error: Some("acme.okta.com answers 401; renew okta.api_token".into()),
        },
    );
    head.warnings = vec!["entra has no attribute \"shoeSize\" (portal store, title)".into()];
    head.guard = Guard {
        held: true,
        limits: vec![Limit {
            limit: "max_deactivations".into(),
            scope: "dashboard".into(),
            count: 12,
            population: 60,
            allowed: 6,
            text: "12 of 60 accounts of dashboard would be deactivated; \
                   max_deactivations allows 6"
                .into(),
        }],
    };
    build(head)
}

/// Applied, two actions not.
pub fn partly_applied() -> Plan {
    let mut head = head();
    head.dry_run = false;
    head.status = Status::PartlyApplied;
    let mut plan = build(head);
    plan.set_outcomes(BTreeMap::from([
        (
            1,
            Outcome {
                status: OutcomeStatus::Failed,
                error: Some("app.example.com answers 409 <uniqueness>".into()),
                attempts: 3,
            },
        ),
        (
            7,
            Outcome {
                status: OutcomeStatus::Skipped,
                error: Some("the group could not be made".into()),
                attempts: 0,
            },
        ),
    ]));
    plan
}

fn build(head: Head) -> Plan {
    let mut builder = Builder::new();
    for entry in entries() {
        builder.push(entry).expect("room");
    }
    builder.finish(head).expect("a plan")
}

fn entries() -> Vec<Entry> {
    let portal = |name: &str| name.to_owned();
    let mut entries = actions().into_iter().map(Entry::Action).collect::<Vec<_>>();
    entries.extend([
        Entry::NeedsRole {
            portal: portal("dashboard"),
            key: "norole@contoso.com".into(),
        },
        Entry::Departed {
            portal: portal("mdm"),
            key: "leaver@contoso.com".into(),
            cause: "disabled".into(),
        },
        Entry::Returned {
            portal: portal("mdm"),
            key: "back@contoso.com".into(),
            note: Some("2 devices stay under the policy Quarantine".into()),
        },
        Entry::Pending {
            portal: portal("store"),
            key: "grace@contoso.com".into(),
            cause: "unassigned".into(),
            due_at: at("2026-11-23T03:05:00Z"),
        },
        Entry::Spared {
            portal: portal("dashboard"),
            key: "admin@contoso.com".into(),
            reason: "last admin".into(),
        },
        Entry::Skipped {
            portal: portal("store"),
            subject: user("u-9", "Nomail"),
            reason: "no email".into(),
        },
        Entry::Conflict {
            portal: portal("store"),
            key: "twin@contoso.com".into(),
            kept: user("u-10", "Twin One"),
            dropped: Subject {
                source: "okta".into(),
                ..user("u-11", "Twin Two")
            },
        },
        Entry::Quarantined {
            source: "entra".into(),
            id: "u-12".into(),
            reason: "accountEnabled is \"maybe\"".into(),
            next_try: at("2026-11-22T01:07:03Z"),
        },
    ]);
    entries
}

fn actions() -> Vec<Action> {
    let jane = || user("u-1", "Jane Doe");
    let hostile = "Eve \u{1b}[2J|<script>alert(1)</script>\n# \u{202e}moc";
    let members = (1..=12)
        .map(|n| format!("user{n:02}@contoso.com"))
        .collect();
    vec![
        Action {
            changes: vec![change("externalId", None, Some("g-1"))],
            ..action(
                "store",
                Op::CreateGroup,
                "Sales",
                group("g-1", "Sales"),
                "pushed by *",
            )
        },
        Action {
            changes: vec![
                change("role", None, Some("admin")),
                change("metadata.badge", None, Some("=1+1")),
            ],
            ..action(
                "dashboard",
                Op::CreateAccount,
                "jane@contoso.com",
                jane(),
                "assigned to the application; member of applivery-admin",
            )
        },
        Action {
            changes: vec![AttributeChange {
                attribute: "emails".into(),
                before: None,
                after: crate::directory::Value::from_json(serde_json::json!(["a@b.c", 2.5])),
            }],
            ..action(
                "store",
                Op::AdoptAccount,
                "=eve@contoso.com",
                user("u-2", hostile),
                "",
            )
        },
        action(
            "store",
            Op::EnableAccount,
            "back@contoso.com",
            user("u-3", "山田 太郎"),
            "enabled again",
        ),
        Action {
            changes: vec![
                change("displayName", Some("Jane Roe"), Some("Jane Doe")),
                change("title", Some("Clerk"), None),
            ],
            ..action(
                "store",
                Op::UpdateAccount,
                "jane@contoso.com",
                jane(),
                "changed at entra",
            )
        },
        Action {
            changes: vec![change("role", Some("viewer"), Some("editor"))],
            ..action(
                "dashboard",
                Op::SetRole,
                "zoe@contoso.com",
                user("u-4", "Zoë Straße"),
                "member of applivery-editor",
            )
        },
        Action {
            members,
            ..action(
                "store",
                Op::AddMembers,
                "Sales",
                group("g-1", "Sales"),
                "members at entra",
            )
        },
        Action {
            members: vec!["old@contoso.com".into()],
            ..action(
                "store",
                Op::RemoveMembers,
                "Ops",
                group("g-2", "Ops"),
                "left at entra",
            )
        },
        Action {
            device: Some("dev-7".into()),
            changes: vec![change("policy", Some("Staff"), Some("Quarantine"))],
            ..action(
                "mdm",
                Op::ChangeDevicePolicy,
                "leaver@contoso.com",
                user("u-5", "Lea Ver"),
                "disabled at entra",
            )
        },
        action(
            "store",
            Op::RemoveAccount,
            "leaver@contoso.com",
            user("u-5", "Lea Ver"),
            "disabled at entra",
        ),
        action(
            "store",
            Op::DeleteGroup,
            "Interns",
            group("g-3", "Interns"),
            "gone from entra",
        ),
    ]
}
