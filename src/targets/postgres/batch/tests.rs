use std::sync::Arc;

use super::*;
use crate::directory::{Group, GroupId, User, UserId, Value};
use crate::plan::{AttributeChange, Groups, Subject, SubjectKind};
use crate::store::MemoryEngine;
use crate::store::directory::{put_group, put_user};
use crate::store::rows::{GroupRow as KnownGroup, RowState, UserRow as KnownUser};

const PORTAL: &str = "app";

/// A directory with two people and a group, number 7, that the first is in.
fn store() -> Store {
    let store = Store::new(Arc::new(MemoryEngine::new()));
    for (number, id, parents) in [(1, "ada", vec![7]), (2, "bob", vec![])] {
        let mut user = User::new(UserId::new(id));
        user.active = true;
        let row = KnownUser {
            number,
            state: RowState::Known,
            digest: [0; 16],
            parents,
            old_keys: Vec::new(),
            user,
        };
        store
            .write(vec![put_user("s", &row)])
            .expect("memory takes it");
    }
    let group = KnownGroup {
        number: 7,
        state: RowState::Known,
        parents: Vec::new(),
        group: Group {
            id: GroupId::new("devs"),
            external_id: None,
            display_name: "Devs".to_owned(),
        },
    };
    store
        .write(put_group("s", &group).into())
        .expect("memory takes it");
    store
}

fn action(op: Op, kind: SubjectKind, id: &str, key: &str) -> Action {
    let change = |attribute: &str, after: Value| AttributeChange {
        attribute: attribute.to_owned(),
        before: None,
        after: Some(after),
    };
    Action {
        portal: PORTAL.to_owned(),
        op,
        key: key.to_owned(),
        subject: Subject {
            kind,
            source: "s".to_owned(),
            id: id.to_owned(),
            display: key.to_owned(),
        },
        changes: match op {
            Op::CreateAccount => vec![change("active", Value::Bool(true))],
            Op::DisableAccount => vec![change("active", Value::Bool(false))],
            Op::CreateGroup => vec![change("displayName", Value::from(key))],
            _ => Vec::new(),
        },
        reason: "because".to_owned(),
        members: Vec::new(),
        device: None,
        joins: Groups::default(),
    }
}

fn user(op: Op, id: &str, key: &str) -> Action {
    action(op, SubjectKind::User, id, key)
}

fn group(op: Op) -> Action {
    action(op, SubjectKind::Group, "devs", "Devs")
}

/// Carries actions out on what stands there, and says what is told about it.
fn told(batch: &mut Batch<'_>, actions: &[Action]) -> Vec<&'static str> {
    let steps: Vec<Step<'_>> = actions
        .iter()
        .map(|action| Step {
            action,
            old_key: None,
        })
        .collect();
    for result in batch.take_all(&steps) {
        result.expect("it can be done");
    }
    batch.changes().iter().map(Change::event).collect()
}

/// The same store later: what was put stands there.
fn later<'a>(store: &'a Store, before: &Batch<'_>) -> Batch<'a> {
    let mut batch = Batch::new(store);
    for (id, _, row) in before.users.put_rows() {
        batch.users.stands(*id, row.clone());
    }
    for (id, _, row) in before.groups.put_rows() {
        batch.groups.stands(*id, row.clone());
    }
    for (place, _, row) in before.accounts.put_rows() {
        batch.accounts.stands(place.clone(), row.clone());
    }
    batch.holders = before.holders.clone();
    for ((group, user), _, row) in before.memberships.put_rows() {
        if !row.portals.is_empty() {
            batch.membership_stands(*group, *user, row.clone());
        }
    }
    batch
}

/// A group, and an account that is in it.
fn begun(store: &Store) -> Batch<'_> {
    let mut batch = Batch::new(store);
    let mut ada = user(Op::CreateAccount, "ada", "a@x");
    ada.joins.insert("s", 7);
    let told = told(&mut batch, &[group(Op::CreateGroup), ada]);
    let all = [
        "user.created",
        "group.created",
        "account.created",
        "group.user_added",
    ];
    assert_eq!(told, all);
    batch
}

#[test]
fn what_was_done_already_is_not_told_again() {
    let store = store();
    let first = begun(&store);
    let mut again = later(&store, &first);
    let mut ada = user(Op::CreateAccount, "ada", "a@x");
    ada.joins.insert("s", 7);
    assert!(told(&mut again, &[group(Op::CreateGroup), ada]).is_empty());
}

#[test]
fn an_account_that_is_handed_over_takes_its_memberships_along() {
    let store = store();
    let first = begun(&store);
    let mut batch = later(&store, &first);
    let told = told(&mut batch, &[user(Op::AdoptAccount, "bob", "a@x")]);
    assert_eq!(
        told.iter()
            .filter(|event| event.starts_with("account"))
            .count(),
        2,
        "{told:?}"
    );
    let devs = RowId::group("s", "devs");
    let member = |id: &str| {
        let row = batch.memberships.get(&(devs, RowId::user("s", id)));
        row.is_some_and(|row| !row.portals.is_empty())
    };
    assert!(member("bob") && !member("ada"));
    assert_eq!(batch.giving_up(), [(PORTAL, RowId::user("s", "ada"))]);
}

#[test]
fn a_removed_account_leaves_no_membership_and_is_created_anew() {
    let store = store();
    let first = begun(&store);
    let mut batch = later(&store, &first);
    let gone = told(&mut batch, &[user(Op::RemoveAccount, "ada", "a@x")]);
    assert_eq!(gone, ["group.user_removed", "account.removed"]);
    let mut batch = later(&store, &batch);
    let back = told(&mut batch, &[user(Op::CreateAccount, "ada", "a@x")]);
    assert_eq!(back, ["account.created"]);
}

#[test]
fn a_group_is_deleted_when_its_last_portal_lets_go_of_it() {
    let store = store();
    let first = begun(&store);
    let mut batch = later(&store, &first);
    let mut elsewhere = group(Op::CreateGroup);
    elsewhere.portal = "other".to_owned();
    assert_eq!(told(&mut batch, &[elsewhere]), ["group.updated"]);
    let mut batch = later(&store, &first);
    assert_eq!(
        told(&mut batch, &[group(Op::DeleteGroup)]),
        ["group.deleted"]
    );
    assert_eq!(batch.emptied, [RowId::group("s", "devs")]);
}

#[test]
fn a_key_that_is_somebody_elses_is_not_taken() {
    let store = store();
    let first = begun(&store);
    let mut batch = later(&store, &first);
    let bob = user(Op::CreateAccount, "bob", "a@x");
    let refused = batch.take_all(&[Step {
        action: &bob,
        old_key: None,
    }]);
    assert!(matches!(&refused[..], [Err(TargetError::Refused(_))]));
    assert!(batch.changes().is_empty());
}

#[test]
fn an_account_that_is_there_no_longer_is_not_made_by_an_update() {
    let store = store();
    let mut batch = Batch::new(&store);
    let disable = user(Op::DisableAccount, "ada", "a@x");
    let refused = batch.take_all(&[Step {
        action: &disable,
        old_key: None,
    }]);
    assert!(matches!(&refused[..], [Err(TargetError::Refused(_))]));
    assert!(batch.changes().is_empty());
}
