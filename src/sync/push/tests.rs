//! Random operations against a store and against a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::directory::fold::fold;
use crate::scim::schema::urn;
use crate::scim::{Query, accept, patch};
use crate::store::MemoryEngine;
use crate::store::rows::RowState;

fn inbox() -> Inbox {
    let store = Store::new(Arc::new(MemoryEngine::new()));
    let settings = Scim {
        extensions: BTreeMap::new(),
        log: ScimLog {
            requests: 1,
            bodies: false,
        },
    };
    let base = "https://x/scim/push/v2".to_owned();
    Inbox::new(store, "push".to_owned(), &settings, Vec::new(), base)
}

fn now() -> jiff::Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn user(inbox: &Inbox, name: &str) -> Object {
    let user = json!({ "schemas": [urn::USER], "userName": name, "active": true });
    accept::resource(&user, inbox.types.of(Kind::User)).unwrap()
}

fn group(inbox: &Inbox, name: &str) -> Object {
    let group = json!({ "schemas": [urn::GROUP], "displayName": name });
    accept::resource(&group, inbox.types.of(Kind::Group)).unwrap()
}

fn get(inbox: &Inbox, kind: Kind, id: &str) -> Option<Value> {
    let all = crate::scim::Selection::default();
    inbox
        .get(kind, id, &all)
        .ok()
        .map(|answer| Value::Object(answer.resource))
}

fn search(
    inbox: &Inbox,
    kinds: &[Kind],
    query: &Query,
) -> Result<crate::scim::ListResponse, PushError> {
    inbox.answer(inbox.plan(kinds, query)?)
}

fn found(inbox: &Inbox, kind: Kind, filter: &str) -> Vec<String> {
    let query = Query {
        filter: Some(filter.to_owned()),
        ..Query::default()
    };
    let list = search(inbox, &[kind], &query).unwrap();
    assert_eq!(list.total as usize, list.resources.len());
    let ids = list
        .resources
        .iter()
        .map(|r| r["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[test]
fn a_user_is_found_by_what_it_says_and_no_longer_by_what_it_said() {
    let inbox = &inbox();
    let id = inbox
        .create_user(user(inbox, "Jane@X.org"), now())
        .unwrap()
        .id;
    assert_eq!(
        found(inbox, Kind::User, "userName eq \"jane@x.ORG\""),
        [id.as_str()]
    );
    let taken = inbox.create_user(user(inbox, "JANE@x.org"), now());
    let Err(PushError::Scim(error)) = taken else {
        panic!("a name is given once");
    };
    assert_eq!(error.status, 409);
    let operations = patch::read(&json!({ "Operations": [
        { "op": "Replace", "path": "userName", "value": "joan" },
        { "op": "Add", "path": "emails[type eq \"work\"].value", "value": "Joan@Work" },
    ] }));
    let operations = operations.unwrap();
    let written = inbox
        .patch_user(&id, &operations, &IfMatch::default(), now())
        .unwrap();
    assert_eq!((written.row.version, written.changed), (2, true));
    assert!(found(inbox, Kind::User, "userName eq \"jane@x.org\"").is_empty());
    for filter in [
        "emails.value eq \"joan@work\"",
        "emails[type eq \"work\"].value eq \"joan@work\"",
        "emails[type eq \"work\" and value eq \"joan@work\"] and active eq true",
        "userName sw \"jo\"",
    ] {
        assert_eq!(found(inbox, Kind::User, filter), [id.as_str()], "{filter}");
    }
    // Once more changes nothing.
    let again = inbox
        .patch_user(&id, &operations, &IfMatch::default(), now())
        .unwrap();
    assert_eq!((again.row.version, again.changed), (2, false));
    let stale = inbox.delete_user(&id, &IfMatch(Some(vec![1])), now());
    assert!(matches!(stale, Err(PushError::Scim(error)) if error.status == 412));
}

#[test]
fn keys_that_a_user_gave_up_are_kept_while_a_run_may_need_them() {
    let inbox = &inbox();
    let id = inbox.create_user(user(inbox, "jane"), now()).unwrap().id;
    let none = IfMatch::default();
    inbox
        .replace_user(&id, user(inbox, "joan"), &none, now())
        .unwrap();
    let row = inbox.store.user("push", &id).unwrap().unwrap();
    assert_eq!(row.old_keys, ["jane"]);
    assert!(inbox.store.is_marked(b'u', "push", &id).unwrap());
    let holders = inbox.store.holders("userName", "joan").unwrap();
    assert_eq!(holders, [("push".to_owned(), id)]);
}

#[test]
fn who_is_pushed_while_a_run_goes_on_stays_marked() {
    let inbox = &inbox();
    let id = inbox.create_user(user(inbox, "jane"), now()).unwrap().id;
    let store = &inbox.store;
    let settle = || {
        crate::sync::apply::settle_marks(store, &BTreeMap::new(), &BTreeSet::new()).unwrap();
        store.is_marked(b'u', "push", &id).unwrap()
    };
    // A run begins, and she is renamed before it ends: it may have decided on the old name.
    store.pen().forget_touched();
    let none = IfMatch::default();
    inbox
        .replace_user(&id, user(inbox, "joan"), &none, now())
        .unwrap();
    assert!(settle());
    // The next one has seen what she is now.
    store.pen().forget_touched();
    assert!(!settle());
    // Her old name is kept until a change finds no account under it.
    let old_keys = || store.user("push", &id).unwrap().unwrap().old_keys;
    assert_eq!(old_keys(), ["jane"]);
    inbox
        .replace_user(&id, user(inbox, "june"), &none, now())
        .unwrap();
    assert_eq!(old_keys(), ["joan"]);
}

/// How many bytes a member more writes into a group of some size.
fn cost_of_one_more(size: u32) -> usize {
    let inbox = &inbox();
    let ids: Vec<String> = (0..=size)
        .map(|n| {
            let user = user(inbox, &format!("u{n}"));
            inbox.create_user(user, now()).unwrap().id
        })
        .collect();
    let (last, rest) = ids.split_last().unwrap();
    let group = inbox.create_group(group(inbox, "g"), rest.to_vec(), now());
    let group = group.unwrap().id;
    let number = inbox.store.group_number("push", &group).unwrap().unwrap();
    let row = inbox.store.user("push", last).unwrap().unwrap();
    let ops = inbox
        .store
        .edit_members("push", number, &[row.number], &[])
        .unwrap();
    ops.iter().map(crate::store::Op::bytes).sum()
}

#[test]
fn a_member_more_costs_the_same_at_any_size() {
    let large = cost_of_one_more(9_000);
    // One chunk, whatever the group: at most some 2,000 numbers of two bytes and a little.
    assert!(large < 10_000, "{large} bytes");
    assert!(cost_of_one_more(2_000) * 3 > large);
}

#[test]
fn a_large_group_is_written_whole() {
    let inbox = &inbox();
    let ids: Vec<String> = (0..1500)
        .map(|n| {
            inbox
                .create_user(user(inbox, &format!("u{n}")), now())
                .unwrap()
                .id
        })
        .collect();
    let id = inbox
        .create_group(group(inbox, "all"), ids.clone(), now())
        .unwrap()
        .id;
    let shown = get(inbox, Kind::Group, &id).unwrap();
    assert_eq!(shown["members"].as_array().unwrap().len(), 1500);
    let one = format!("members eq \"{}\"", ids[7]);
    assert_eq!(found(inbox, Kind::Group, &one), [id.as_str()]);
    let none = IfMatch::default();
    inbox
        .replace_group(&id, group(inbox, "all"), Vec::new(), &none, now())
        .unwrap();
    assert_eq!(get(inbox, Kind::Group, &id).unwrap().get("members"), None);
}

#[test]
fn pages_of_a_list_are_the_list() {
    let inbox = &inbox();
    let ids: Vec<String> = (0..23)
        .map(|n| {
            inbox
                .create_user(user(inbox, &format!("u{n:02}")), now())
                .unwrap()
                .id
        })
        .collect();
    let mut by_index = Vec::new();
    for start in (1..=23).step_by(5) {
        let query = Query {
            start: Some(start),
            count: Some(5),
            ..Query::default()
        };
        let list = search(inbox, &[Kind::User], &query).unwrap();
        assert_eq!((list.total, list.start), (23, Some(start)));
        by_index.extend(list.resources);
    }
    let of = |list: &[Value]| -> Vec<String> {
        list.iter()
            .map(|r| r["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(of(&by_index), ids);
    for (sort_by, filter) in [
        (None, None),
        (None, Some("userName sw \"u\"".to_owned())),
        (Some("userName".to_owned()), None),
    ] {
        let mut by_cursor = Vec::new();
        let mut cursor = Some(String::new());
        while let Some(at) = cursor.take() {
            let query = Query {
                cursor: Some(at),
                count: Some(4),
                sort_by: sort_by.clone(),
                descending: true,
                filter: filter.clone(),
                ..Query::default()
            };
            let list = search(inbox, &[Kind::User], &query).unwrap();
            assert_eq!((list.total, list.start), (23, None));
            by_cursor.extend(list.resources);
            cursor = list.next_cursor;
        }
        let mut found = of(&by_cursor);
        if sort_by.is_some() {
            found.reverse();
        }
        assert_eq!(found, ids);
    }
    // Pages by number begin where they did, whatever was paged by cursor in between.
    let query = Query {
        start: Some(5),
        count: Some(2),
        ..Query::default()
    };
    let list = search(inbox, &[Kind::User], &query).unwrap();
    assert_eq!(of(&list.resources), ids[4..6]);
    let both = Query {
        count: Some(0),
        ..Query::default()
    };
    let list = search(inbox, &Kind::ALL, &both).unwrap();
    assert_eq!((list.total, list.resources.len()), (23, 0));
}

/// What there is, told simply.
#[derive(Default)]
struct Model {
    /// Names by id.
    users: BTreeMap<String, String>,
    groups: BTreeMap<String, (String, BTreeSet<String>)>,
}

#[derive(Clone, Debug)]
enum Step {
    CreateUser(u8),
    Rename(usize, u8),
    DeleteUser(usize),
    CreateGroup(u8, Vec<usize>),
    DeleteGroup(usize),
    Add(usize, Vec<usize>),
    Remove(usize, usize),
    Set(usize, Vec<usize>),
    Nest(usize, usize),
    RemoveWhere(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = || proptest::collection::vec(0usize..8, 0..4);
    let step = prop_oneof![
        4 => (0u8..6).prop_map(Step::CreateUser),
        2 => (0usize..8, 0u8..6).prop_map(|(who, name)| Step::Rename(who, name)),
        1 => (0usize..8).prop_map(Step::DeleteUser),
        3 => (0u8..4, some()).prop_map(|(name, members)| Step::CreateGroup(name, members)),
        1 => (0usize..4).prop_map(Step::DeleteGroup),
        3 => (0usize..4, some()).prop_map(|(group, members)| Step::Add(group, members)),
        2 => (0usize..4, 0usize..8).prop_map(|(group, member)| Step::Remove(group, member)),
        1 => (0usize..4, some()).prop_map(|(group, members)| Step::Set(group, members)),
        1 => (0usize..4, 0usize..4).prop_map(|(group, member)| Step::Nest(group, member)),
        1 => (0usize..4).prop_map(Step::RemoveWhere),
    ];
    proptest::collection::vec(step, 1..40)
}

impl Model {
    fn user(&self, at: usize) -> Option<String> {
        let count = self.users.len().max(1);
        self.users.keys().nth(at % count).cloned()
    }

    fn group(&self, at: usize) -> Option<String> {
        let count = self.groups.len().max(1);
        self.groups.keys().nth(at % count).cloned()
    }

    fn some(&self, at: &[usize]) -> Vec<String> {
        at.iter().filter_map(|at| self.user(*at)).collect()
    }

    fn forget(&mut self, id: &str) {
        for (_, members) in self.groups.values_mut() {
            members.remove(id);
        }
    }

    /// Does one step on both sides.
    fn step(&mut self, inbox: &Inbox, step: Step) {
        let none = IfMatch::default();
        let patch_group = |id: &str, operation: Value| {
            let operations = patch::read(&json!({ "Operations": [operation] })).unwrap();
            inbox.patch_group(id, &operations, &none, now()).unwrap();
        };
        let listed =
            |ids: &[String]| -> Value { ids.iter().map(|id| json!({ "value": id })).collect() };
        match step {
            Step::CreateUser(name) => {
                let name = format!("User{name}");
                let taken = self.users.values().any(|known| fold(known) == fold(&name));
                match inbox.create_user(user(inbox, &name), now()) {
                    Ok(written) => {
                        assert!(!taken);
                        self.users.insert(written.id, name);
                    }
                    Err(_) => assert!(taken),
                }
            }
            Step::Rename(who, name) => {
                let Some(id) = self.user(who) else { return };
                let name = format!("uSER{name}");
                let mut others = self.users.iter().filter(|(known, _)| **known != id);
                let taken = others.any(|(_, known)| fold(known) == fold(&name));
                match inbox.replace_user(&id, user(inbox, &name), &none, now()) {
                    Ok(_) => {
                        assert!(!taken);
                        self.users.insert(id, name);
                    }
                    Err(_) => assert!(taken),
                }
            }
            Step::DeleteUser(who) => {
                let Some(id) = self.user(who) else { return };
                inbox.delete_user(&id, &none, now()).unwrap();
                self.users.remove(&id);
                self.forget(&id);
            }
            Step::CreateGroup(name, members) => {
                let (name, members) = (format!("Group{name}"), self.some(&members));
                let made = inbox
                    .create_group(group(inbox, &name), members.clone(), now())
                    .unwrap();
                self.groups
                    .insert(made.id, (name, members.into_iter().collect()));
            }
            Step::DeleteGroup(which) => {
                let Some(id) = self.group(which) else { return };
                inbox.delete_group(&id, &none, now()).unwrap();
                self.groups.remove(&id);
                self.forget(&id);
            }
            Step::Add(which, members) => {
                let Some(id) = self.group(which) else { return };
                let members = self.some(&members);
                patch_group(
                    &id,
                    json!({ "op": "Add", "path": "members", "value": listed(&members) }),
                );
                self.groups.get_mut(&id).unwrap().1.extend(members);
            }
            Step::Remove(which, member) => {
                let (Some(id), Some(member)) = (self.group(which), self.user(member)) else {
                    return;
                };
                let path = format!("members[value eq \"{member}\"]");
                patch_group(&id, json!({ "op": "remove", "path": path }));
                self.groups.get_mut(&id).unwrap().1.remove(&member);
            }
            Step::Set(which, members) => {
                let Some(id) = self.group(which) else { return };
                let members = self.some(&members);
                patch_group(
                    &id,
                    json!({ "op": "replace", "path": "members", "value": listed(&members) }),
                );
                self.groups.get_mut(&id).unwrap().1 = members.into_iter().collect();
            }
            Step::Nest(which, member) => {
                let (Some(id), Some(member)) = (self.group(which), self.group(member)) else {
                    return;
                };
                patch_group(
                    &id,
                    json!({ "op": "add", "value": { "members": [{ "value": member }] } }),
                );
                self.groups.get_mut(&id).unwrap().1.insert(member);
            }
            Step::RemoveWhere(which) => {
                let Some(id) = self.group(which) else { return };
                patch_group(
                    &id,
                    json!({ "op": "remove", "path": "members[type eq \"group\"]" }),
                );
                let users: BTreeSet<String> = self.users.keys().cloned().collect();
                self.groups
                    .get_mut(&id)
                    .unwrap()
                    .1
                    .retain(|member| users.contains(member));
            }
        }
    }

    /// Everything that can be read says the same as the model.
    fn agrees(&self, inbox: &Inbox) {
        let all = Query {
            count: Some(1000),
            ..Query::default()
        };
        let users = search(inbox, &[Kind::User], &all).unwrap();
        assert_eq!(users.total as usize, self.users.len());
        for shown in users.resources {
            let id = shown["id"].as_str().unwrap();
            assert_eq!(shown["userName"], self.users[id].as_str());
            let filter = format!("userName eq \"{}\"", self.users[id].to_uppercase());
            assert_eq!(found(inbox, Kind::User, &filter), [id.to_owned()]);
            let held: BTreeSet<&str> = shown["groups"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|group| group["value"].as_str().unwrap())
                .collect();
            let expected = self
                .groups
                .iter()
                .filter(|(_, (_, members))| members.contains(id));
            assert_eq!(held, expected.map(|(id, _)| id.as_str()).collect());
            let row = inbox.store.user("push", id).unwrap().unwrap();
            assert_eq!(row.state, RowState::Known);
        }
        let groups = search(inbox, &[Kind::Group], &all).unwrap();
        assert_eq!(groups.total as usize, self.groups.len());
        for shown in groups.resources {
            let id = shown["id"].as_str().unwrap();
            let (name, members) = &self.groups[id];
            assert_eq!(shown["displayName"], name.as_str());
            let listed: BTreeSet<String> = shown["members"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|member| member["value"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(listed, *members);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_history_reads_as_the_model_does(steps in steps()) {
        let inbox = &inbox();
        let mut model = Model::default();
        for step in steps {
            model.step(inbox, step);
            model.agrees(inbox);
        }
    }
}
