use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;
use crate::directory::{Group, GroupId, User, UserId, Value};
use crate::plan::{AttributeChange, Groups, LinkState, SubjectKind};
use crate::store::MemoryEngine;
use crate::store::directory::{put_group, put_user};
use crate::store::portals::{put_group_link, put_link};
use crate::store::rows::{GroupRow, RowState, UserRow};

const TARGET: &str = "hooks";

fn store() -> Store {
    Store::new(Arc::new(MemoryEngine::new()))
}

fn change(attribute: &str, before: Option<&str>, after: Option<&str>) -> AttributeChange {
    AttributeChange {
        attribute: attribute.into(),
        before: before.map(Value::from),
        after: after.map(Value::from),
    }
}

fn action(op: Do, key: &str, kind: SubjectKind, source: &str, id: &str) -> Action {
    Action {
        portal: "store".into(),
        op,
        key: key.into(),
        subject: Subject {
            kind,
            source: source.into(),
            id: id.into(),
            display: String::new(),
        },
        changes: Vec::new(),
        reason: String::new(),
        members: Vec::new(),
        device: None,
        joins: Groups::default(),
    }
}

fn of_user(op: Do, key: &str, source: &str, id: &str) -> Action {
    action(op, key, SubjectKind::User, source, id)
}

fn of_group(op: Do, key: &str) -> Action {
    action(op, key, SubjectKind::Group, "entra", "g-1")
}

fn link(store: &Store, key: &str, source: &str, user: &str, title: &str) {
    let mut account = Account {
        active: true,
        email: Some(key.to_owned()),
        ..Account::default()
    };
    account.set("title", Some(Value::from(title)));
    let link = Link {
        key: key.into(),
        source: source.into(),
        user: user.into(),
        account,
        groups: Groups::default(),
        state: LinkState::Live,
    };
    store.write(put_link("store", &link).into()).unwrap();
}

/// The events of a batch, and its rows written.
fn told(store: &Store, actions: &[Action]) -> Vec<(EventKind, Json, Draft)> {
    let mut telling = Telling::new(store, TARGET);
    for action in actions {
        let step = Step {
            action,
            old_key: None,
        };
        telling.take(&step).unwrap();
    }
    let (drafts, ops) = telling.into_parts();
    store.transact(ops).unwrap();
    drafts
        .into_iter()
        .map(|draft| {
            let data = serde_json::from_str(&draft.data.spell()).unwrap();
            (draft.kind, data, draft)
        })
        .collect()
}

#[test]
fn a_new_account_is_told_whole_under_a_name_that_stays() {
    let store = store();
    let mut user = User::new(UserId::new("u-1"));
    user.external_id = Some("e-100".into());
    let row = UserRow {
        number: 0,
        state: RowState::Known,
        digest: user.digest(),
        parents: Vec::new(),
        old_keys: Vec::new(),
        user,
    };
    store.write(vec![put_user("push", &row)]).unwrap();
    let mut create = of_user(Do::CreateAccount, "ana@acme.test", "push", "u-1");
    create.changes = vec![
        change("email", None, Some("ana@acme.test")),
        change("title", None, Some("Engineer")),
    ];
    let first = told(&store, std::slice::from_ref(&create)).remove(0);
    assert_eq!(first.0, EventKind::UserCreated);
    assert_eq!(first.1["raw"]["externalId"], "e-100");
    assert_eq!(first.1["raw"]["title"], "Engineer");
    assert_eq!(first.1["id"], first.1["raw"]["id"]);
    assert_eq!(first.2.previous, None);
    let again = told(&store, &[create]).remove(0);
    assert_eq!(again.1, first.1);
    let other = of_user(Do::CreateAccount, "ana@acme.test", "okta", "u-1");
    assert_ne!(told(&store, &[other])[0].1["id"], first.1["id"]);
}

#[test]
fn an_update_tells_the_whole_user_and_what_changed_attributes_were() {
    let store = store();
    link(&store, "ana@acme.test", "entra", "u-1", "Engineer");
    let mut update = of_user(Do::UpdateAccount, "ana@acme.test", "entra", "u-1");
    update.changes = vec![
        change("title", Some("Engineer"), Some("Lead")),
        change("displayName", None, Some("Ana")),
    ];
    let mut role = of_user(Do::SetRole, "ana@acme.test", "entra", "u-1");
    role.changes = vec![change("role", None, Some("admin"))];
    let told = told(&store, &[update, role]);
    assert_eq!(told[0].1["raw"]["title"], "Lead");
    assert_eq!(told[0].1["email"], "ana@acme.test");
    let previous = told[0].2.previous.as_ref().unwrap().spell();
    assert_eq!(previous, r#"{"title":"Engineer","displayName":null}"#);
    // The second one of a batch knows what the first one did.
    assert_eq!(told[1].1["raw"]["title"], "Lead");
    assert_eq!(told[1].1["roles"], json!(["admin"]));
}

#[test]
fn keys_that_are_swapped_in_one_batch_keep_their_own_accounts() {
    let store = store();
    link(&store, "a@x", "entra", "u-1", "One");
    link(&store, "b@x", "entra", "u-2", "Two");
    let moves = |key: &str, id: &str| {
        let mut action = of_user(Do::UpdateAccount, key, "entra", id);
        action.changes = vec![change("email", None, Some(key))];
        action
    };
    let (first, second) = (moves("b@x", "u-1"), moves("a@x", "u-2"));
    let mut telling = Telling::new(&store, TARGET);
    for (action, old_key) in [(&first, "a@x"), (&second, "b@x")] {
        let old_key = Some(old_key);
        telling.take(&Step { action, old_key }).unwrap();
    }
    let titles: Vec<Json> = telling
        .into_parts()
        .0
        .iter()
        .map(|draft| serde_json::from_str::<Json>(&draft.data.spell()).unwrap())
        .map(|data| json!([data["email"], data["raw"]["title"]]))
        .collect();
    assert_eq!(titles, [json!(["b@x", "One"]), json!(["a@x", "Two"])]);
}

#[test]
fn who_is_removed_or_disabled_is_active_no_more() {
    let store = store();
    link(&store, "ana@acme.test", "entra", "u-1", "Engineer");
    let mut disable = of_user(Do::DisableAccount, "ana@acme.test", "entra", "u-1");
    disable.changes = vec![AttributeChange {
        attribute: "active".into(),
        before: Some(Value::Bool(true)),
        after: Some(Value::Bool(false)),
    }];
    let remove = of_user(Do::RemoveAccount, "ana@acme.test", "entra", "u-1");
    let told = told(&store, &[disable, remove]);
    let kinds: Vec<EventKind> = told.iter().map(|one| one.0).collect();
    assert_eq!(kinds, [EventKind::UserUpdated, EventKind::UserDeleted]);
    for (_, data, _) in &told {
        assert_eq!(data["active"], false);
        assert_eq!(data["raw"]["active"], false);
    }
}

#[test]
fn an_account_that_changes_hands_is_the_same_to_subscribers() {
    let store = store();
    link(&store, "ana@acme.test", "entra", "u-1", "Engineer");
    let update = of_user(Do::UpdateAccount, "ana@acme.test", "entra", "u-1");
    let before = told(&store, &[update])[0].1["id"].clone();
    let adopt = of_user(Do::AdoptAccount, "ana@acme.test", "okta", "o-1");
    let after = told(&store, std::slice::from_ref(&adopt)).remove(0);
    assert_eq!(after.0, EventKind::UserUpdated);
    assert_eq!(after.1["id"], before);
    assert_eq!(after.1["raw"]["externalId"], "o-1");
    // A run that was cut off before it could note so does the same once more.
    assert_eq!(told(&store, &[adopt])[0].1["id"], before);
    // Who had it before is somebody else, and stays so.
    let create = of_user(Do::CreateAccount, "other@acme.test", "entra", "u-1");
    let other = told(&store, std::slice::from_ref(&create))[0].1["id"].clone();
    assert_ne!(other, before);
    assert_eq!(told(&store, &[create])[0].1["id"], other);
    // And it may come back.
    link(&store, "ana@acme.test", "okta", "o-1", "Engineer");
    let back = of_user(Do::AdoptAccount, "ana@acme.test", "entra", "u-1");
    assert_eq!(told(&store, &[back])[0].1["id"], before);
}

#[test]
fn memberships_tell_the_user_and_the_group() {
    let store = store();
    link(&store, "ana@acme.test", "entra", "u-1", "Engineer");
    link(&store, "bob@acme.test", "entra", "u-2", "Lead");
    let row = GroupRow {
        number: 7,
        state: RowState::Known,
        parents: Vec::new(),
        group: Group {
            id: GroupId::new("g-1"),
            external_id: None,
            display_name: "devs".into(),
        },
    };
    store.write(put_group("entra", &row).into()).unwrap();
    let mut group = of_group(Do::CreateGroup, "devs");
    group.changes = vec![
        change("displayName", None, Some("devs")),
        change("externalId", None, Some("e-9")),
    ];
    let made = told(&store, std::slice::from_ref(&group)).remove(0);
    assert_eq!(made.0, EventKind::GroupCreated);
    assert_eq!(made.1["name"], "devs");
    assert_eq!(made.1["raw"]["members"], json!([]));
    let mut there = GroupLink::of(&group, 7);
    there.apply(&group.changes);
    store.write(vec![put_group_link("store", &there)]).unwrap();

    let mut joins = of_group(Do::AddMembers, "devs");
    joins.members = vec!["ana@acme.test".into(), "bob@acme.test".into()];
    let told_of = told(&store, &[joins]);
    assert_eq!(told_of.len(), 2);
    let (kind, data, draft) = &told_of[1];
    assert_eq!(*kind, EventKind::UserAdded);
    assert_eq!(data["email"], "bob@acme.test");
    assert_eq!(data["group"], made.1);
    assert_eq!(draft.group.as_deref(), made.1["id"].as_str());
    let gone = told(&store, &[of_group(Do::DeleteGroup, "devs")]).remove(0);
    assert_eq!((gone.0, &gone.1), (EventKind::GroupDeleted, &made.1));
}

#[test]
fn a_member_without_an_account_is_owed_and_the_others_are_told() {
    let store = store();
    link(&store, "ana@acme.test", "entra", "u-1", "Engineer");
    let mut joins = of_group(Do::AddMembers, "devs");
    joins.members = vec!["ana@acme.test".into(), "eve@acme.test".into()];
    let mut telling = Telling::new(&store, TARGET);
    let step = |action| Step {
        action,
        old_key: None,
    };
    let refused = telling.take(&step(&joins)).unwrap_err();
    assert!(matches!(refused, TargetError::Refused(_)));
    let leaves = Action {
        op: Do::RemoveMembers,
        ..joins.clone()
    };
    telling.take(&step(&leaves)).unwrap();
    let kinds: Vec<EventKind> = telling.into_parts().0.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [EventKind::UserAdded, EventKind::UserRemoved]);
}

#[test]
fn names_have_the_form_of_a_uuid() {
    let name = name(&["user", "store", "entra", "u-1"]);
    let parts: Vec<usize> = name.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12]);
    assert_eq!(&name[14..15], "8");
    assert!("89ab".contains(&name[19..20]));
    // No two lists of parts run into one.
    assert_ne!(super::name(&["a", "bc"]), super::name(&["ab", "c"]));
}
