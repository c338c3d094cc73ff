//! What a reader that believes every change ends up with, and whether it is true.

use std::collections::{BTreeMap, BTreeSet};

use rosterd::directory::{Change, GroupId, Member, User, UserId};
use rosterd_sim::SimHandle;
use serde_json::Value;

/// What a reader that believes everything ends up with.
#[derive(Default)]
pub struct Picture {
    pub users: BTreeMap<String, User>,
    pub names: BTreeMap<String, String>,
    pub members: BTreeMap<String, BTreeSet<Member>>,
    pub assigned: Option<BTreeSet<Member>>,
    pub closed: BTreeSet<String>,
    pub gone: Vec<String>,
    pub unreadable: Vec<String>,
    pub changes: usize,
}

impl Picture {
    pub fn take(&mut self, change: Change) {
        self.changes += 1;
        match change {
            Change::User(user) => {
                self.users.insert(user.id.to_string(), *user);
            }
            Change::UserPatch(patch) => {
                let known = self.users.remove(patch.id.as_str());
                let user = patch.onto(known);
                self.users.insert(user.id.to_string(), user);
            }
            Change::UserGone(id) => {
                self.users.remove(id.as_str());
                self.gone.push(id.to_string());
            }
            Change::Group(group) => {
                self.names.insert(group.id.to_string(), group.display_name);
            }
            Change::GroupGone(id) => {
                self.names.remove(id.as_str());
                self.members.remove(id.as_str());
                self.gone.push(id.to_string());
            }
            Change::MemberAdded(group, member) => {
                self.of(&group).insert(member);
            }
            Change::MemberRemoved(group, member) => {
                self.of(&group).remove(&member);
            }
            Change::Members(group, members) => self.of(&group).extend(members),
            Change::MembersEnd(group) => {
                self.of(&group);
                self.closed.insert(group.to_string());
            }
            Change::Assigned(members) => {
                self.assigned = Some(members.into_iter().collect());
            }
            Change::Unreadable { subject, .. } => self.unreadable.push(format!("{subject:?}")),
        }
    }

    fn of(&mut self, group: &GroupId) -> &mut BTreeSet<Member> {
        self.members.entry(group.to_string()).or_default()
    }

    /// Holds the picture against the tenant as it really is.
    pub fn assert_true(&self, sim: &SimHandle) {
        let truth = sim.graph_truth();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let users: BTreeMap<String, (bool, Option<String>, Option<String>)> = list(&truth["users"])
            .map(|user| {
                let facts = (
                    user["accountEnabled"].as_bool().unwrap(),
                    text(&user["userPrincipalName"]),
                    text(&user["department"]),
                );
                (text(&user["id"]).unwrap(), facts)
            })
            .collect();
        let seen: BTreeMap<String, _> = self
            .users
            .iter()
            .map(|(id, user)| {
                let facts = (user.active, user.user_name.clone(), user.department.clone());
                (id.clone(), facts)
            })
            .collect();
        assert_eq!(seen, users);
        let managers: BTreeMap<String, Option<String>> = list(&truth["users"])
            .map(|user| (text(&user["id"]).unwrap(), text(&user["manager"])))
            .collect();
        for (id, user) in &self.users {
            assert_eq!(user.manager, managers[id], "manager of {id}");
        }
        let groups: BTreeMap<String, (String, BTreeSet<Member>)> = list(&truth["groups"])
            .map(|group| {
                let members = list(&group["members"]).filter_map(|member| {
                    let id = text(&member["id"]).unwrap();
                    match member["type"].as_str() {
                        Some("user") => Some(Member::User(UserId::new(id))),
                        Some("group") => Some(Member::Group(GroupId::new(id))),
                        _ => None,
                    }
                });
                let facts = (text(&group["displayName"]).unwrap(), members.collect());
                (text(&group["id"]).unwrap(), facts)
            })
            .collect();
        let seen: BTreeMap<String, (String, BTreeSet<Member>)> = self
            .names
            .iter()
            .map(|(id, name)| {
                let members = self.members.get(id).cloned().unwrap_or_default();
                (id.clone(), (name.clone(), members))
            })
            .collect();
        for (id, facts) in &groups {
            assert_eq!(seen.get(id), Some(facts), "group {id}");
        }
        assert_eq!(seen.len(), groups.len());
        if let Some(assigned) = &self.assigned {
            let real: BTreeSet<Member> = list(&truth["assignments"])
                .filter_map(|one| {
                    let id = text(&one["principalId"]).unwrap();
                    // Of what lies in the recycle bin the list does not speak.
                    if !users.contains_key(&id) && !groups.contains_key(&id) {
                        return None;
                    }
                    match one["principalType"].as_str() {
                        Some("user") => Some(Member::User(UserId::new(id))),
                        Some("group") => Some(Member::Group(GroupId::new(id))),
                        _ => None,
                    }
                })
                .collect();
            assert_eq!(assigned, &real);
        }
    }
}

pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}
