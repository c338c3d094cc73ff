//! Changing the org, with the log entries each change leaves.
//!
//! `lastUpdated` moves with profile and status and with nothing else; a group's
//! `lastMembershipUpdated` moves when a member is added or removed, not when one is deactivated
//! or deleted. A deleted user leaves no trace but two events.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::event::{Event, Target};
use super::org::{APP_ID, Group, GroupKind, NONE, Org, Status, User};
use super::{profile, seed};
use crate::clock::Millis;
use crate::ids;

/// Why a change was refused.
pub type Refusal = String;

impl Org {
    fn note(&mut self, at: Millis, kind: &'static str, targets: Vec<Target>) {
        self.log.push(Event {
            published: at,
            kind,
            targets,
        });
    }

    fn user_target(&self, user: u32, kind: &'static str) -> Target {
        let record = &self.users[user as usize];
        Target {
            kind,
            id: ids::okta_id("00u", record.number),
            alternate: profile::text(self, record, "login").unwrap_or_default(),
            name: profile::display_name(self, record),
        }
    }

    fn group_target(&self, group: u32) -> Target {
        let record = &self.groups[group as usize];
        Target {
            kind: "UserGroup",
            id: record.id(),
            alternate: "unknown".to_owned(),
            name: record.name().to_owned(),
        }
    }

    fn app_target() -> Target {
        Target {
            kind: "AppInstance",
            id: APP_ID.to_owned(),
            alternate: "rosterd".to_owned(),
            name: "rosterd".to_owned(),
        }
    }

    fn touch(&mut self, at: Millis, user: u32) {
        let record = &mut self.users[user as usize];
        // Two changes of one request are one change to the index.
        if record.updated != at {
            record.before = Some((record.updated, record.status));
        }
        self.by_updated.remove(&(record.updated, user));
        record.updated = at;
        self.by_updated.insert((at, user));
    }

    /// Hires somebody. The body is `{"profile": {…}, "status": "ACTIVE"}`; without a status they
    /// are active.
    pub fn create_user(&mut self, at: Millis, body: &Map<String, Value>) -> Result<u32, Refusal> {
        let position = self.users.len();
        let number = seed::user_number(self.seed, position);
        let mut given = body
            .get("profile")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let status = status_of(body)?.unwrap_or(Status::Active);
        let login = match given.get("login").and_then(Value::as_str) {
            Some(login) => login.to_owned(),
            None => format!("user{position}@contoso.com"),
        };
        if self.find_user(&login).is_some() {
            return Err(format!("login {login} is taken"));
        }
        given.entry("login").or_insert_with(|| login.clone().into());
        given.entry("email").or_insert_with(|| login.into());
        given.entry("firstName").or_insert_with(|| "New".into());
        given
            .entry("lastName")
            .or_insert_with(|| format!("User{position}").into());
        let position = position as u32;
        self.users.push(User {
            number,
            base: NONE,
            status,
            created: at,
            updated: at,
            status_changed: at,
            before: None,
            gone: false,
            patch: Some(Box::new(given)),
        });
        self.user_by_number.insert(number, position);
        self.by_updated.insert((at, position));
        self.forget_logins();
        self.forget_effective();
        let target = self.user_target(position, "User");
        self.note(at, "user.lifecycle.create", vec![target.clone()]);
        if status != Status::Staged {
            self.note(at, "user.lifecycle.activate", vec![target]);
        }
        Ok(position)
    }

    /// Changes profile and status: `{"profile": {…}, "status": …}`; `null` takes an attribute
    /// away.
    pub fn patch_user(
        &mut self,
        at: Millis,
        user: u32,
        body: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        let status = status_of(body)?;
        if let Some(changes) = body.get("profile").and_then(Value::as_object) {
            let record = &self.users[user as usize];
            let person = self.person(record);
            let mut changes = changes.clone();
            changes.retain(|name, new| {
                profile::value(self, record, person.as_ref(), name).to_value() != *new
            });
            if !changes.is_empty() {
                let renamed = changes.contains_key("login");
                let addressed = changes.contains_key("email");
                self.touch(at, user);
                self.users[user as usize]
                    .patch
                    .get_or_insert_default()
                    .extend(changes);
                if renamed {
                    self.forget_logins();
                }
                let target = self.user_target(user, "User");
                if addressed {
                    self.note(
                        at,
                        "user.account.update_primary_email",
                        vec![target.clone()],
                    );
                }
                self.note(at, "user.account.update_profile", vec![target]);
            }
        }
        match status {
            Some(status) if status != self.users[user as usize].status => {
                self.change_status(at, user, status);
            }
            _ => {}
        }
        Ok(())
    }

    fn change_status(&mut self, at: Millis, user: u32, status: Status) {
        let before = self.users[user as usize].status;
        self.touch(at, user);
        let had_app = self.has_app(user);
        let record = &mut self.users[user as usize];
        record.status = status;
        record.status_changed = at;
        let kind = match (before, status) {
            (_, Status::Deprovisioned) => "user.lifecycle.deactivate",
            (_, Status::Suspended) => "user.lifecycle.suspend",
            (_, Status::LockedOut) => "user.account.lock",
            (_, Status::PasswordExpired) => "user.account.expire_password",
            (_, Status::Recovery) => "user.account.reset_password",
            (Status::Deprovisioned, _) => "user.lifecycle.reactivate",
            (Status::Suspended, _) => "user.lifecycle.unsuspend",
            (Status::LockedOut, _) => "user.account.unlock",
            _ => "user.lifecycle.activate",
        };
        let target = self.user_target(user, "User");
        self.note(at, kind, vec![target]);
        if status == Status::Deprovisioned {
            // Deactivation takes direct assignments away for good.
            self.direct.remove(&user);
        }
        self.forget_effective();
        self.note_app(at, user, had_app);
    }

    /// Deletes a user for good, deactivating first as the vendor demands.
    pub fn delete_user(&mut self, at: Millis, user: u32) -> Result<(), Refusal> {
        if self.users[user as usize].gone {
            return Err("the user is deleted already".to_owned());
        }
        if self.users[user as usize].status != Status::Deprovisioned {
            self.change_status(at, user, Status::Deprovisioned);
        }
        let target = self.user_target(user, "User");
        self.note(at, "user.lifecycle.delete.initiated", vec![target.clone()]);
        self.note(at, "user.lifecycle.delete.completed", vec![target]);
        let record = &mut self.users[user as usize];
        record.gone = true;
        self.by_updated.remove(&(record.updated, user));
        for group in &mut self.groups {
            for slot in &mut group.slots {
                if *slot == user {
                    *slot = NONE;
                }
            }
        }
        self.forget_logins();
        self.forget_effective();
        Ok(())
    }

    /// Makes a group: `{"profile": {"name": …}, "type": "OKTA_GROUP", "members": [ids]}`.
    pub fn create_group(&mut self, at: Millis, body: &Map<String, Value>) -> Result<u32, Refusal> {
        let position = self.groups.len();
        let number = seed::group_number(self.seed, position);
        let mut profile = body
            .get("profile")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        profile
            .entry("name")
            .or_insert_with(|| format!("New group {position}").into());
        profile.entry("description").or_insert(Value::Null);
        let kind = match body.get("type").and_then(Value::as_str) {
            None | Some("OKTA_GROUP") => GroupKind::Okta,
            Some("APP_GROUP") => GroupKind::App,
            Some("BUILT_IN") => GroupKind::BuiltIn,
            Some(other) => return Err(format!("unknown type of group '{other}'")),
        };
        let members = match body.get("members") {
            None => Vec::new(),
            Some(list) => self.named_users(list)?,
        };
        let position = position as u32;
        self.groups.push(Group {
            number,
            kind,
            created: at,
            updated: at,
            membership_updated: at,
            gone: false,
            profile,
            slots: Vec::new(),
            everyone: false,
        });
        self.group_by_number.insert(number, position);
        let target = self.group_target(position);
        self.note(at, "group.lifecycle.create", vec![target]);
        self.add_members(at, position, &members);
        Ok(position)
    }

    /// The users a JSON list of ids or logins names.
    pub fn named_users(&self, list: &Value) -> Result<Vec<u32>, Refusal> {
        let list = list.as_array().ok_or("members must be a list of ids")?;
        list.iter()
            .map(|item| {
                let id = item.as_str().unwrap_or_default();
                self.find_user(id).ok_or_else(|| format!("no user {id}"))
            })
            .collect()
    }

    /// Changes a group's profile.
    pub fn patch_group(&mut self, at: Millis, group: u32, body: &Map<String, Value>) {
        let Some(changes) = body.get("profile").and_then(Value::as_object) else {
            return;
        };
        let record = &mut self.groups[group as usize];
        let before = record.profile.clone();
        record.profile.extend(changes.clone());
        if record.profile != before {
            record.updated = at;
            let target = self.group_target(group);
            self.note(at, "group.profile.update", vec![target]);
        }
    }

    /// Deletes a group for good.
    pub fn delete_group(&mut self, at: Millis, group: u32) {
        let members: Vec<u32> = self.groups[group as usize].members().collect();
        let had_app: Vec<bool> = members.iter().map(|&user| self.has_app(user)).collect();
        let target = self.group_target(group);
        let assigned = self.assigned_groups.iter().any(|&(at, _)| at == group);
        if assigned {
            self.assigned_groups.retain(|&(at, _)| at != group);
            let targets = vec![target.clone(), Self::app_target()];
            self.note(at, "group.application_assignment.remove", targets);
        }
        self.note(at, "group.lifecycle.delete", vec![target]);
        let record = &mut self.groups[group as usize];
        record.gone = true;
        record.slots = Vec::new();
        self.forget_effective();
        for (user, had) in members.into_iter().zip(had_app) {
            self.note_app(at, user, had);
        }
    }

    /// Adds members; returns how many were new.
    pub fn add_members(&mut self, at: Millis, group: u32, users: &[u32]) -> usize {
        let record = &self.groups[group as usize];
        let mut present: HashSet<u32> = record.members().collect();
        let new: Vec<u32> = users
            .iter()
            .copied()
            .filter(|&user| present.insert(user))
            .collect();
        let had_app: Vec<bool> = new.iter().map(|&user| self.has_app(user)).collect();
        self.groups[group as usize].slots.extend(&new);
        self.membership_changed(at, group, &new, &had_app, "group.user_membership.add");
        new.len()
    }

    /// Takes members out; returns how many were in.
    pub fn remove_members(&mut self, at: Millis, group: u32, users: &[u32]) -> usize {
        let wanted: HashSet<u32> = users.iter().copied().collect();
        let out: Vec<u32> = self.groups[group as usize]
            .members()
            .filter(|user| wanted.contains(user))
            .collect();
        let had_app: Vec<bool> = out.iter().map(|&user| self.has_app(user)).collect();
        for slot in &mut self.groups[group as usize].slots {
            if wanted.contains(slot) {
                *slot = NONE;
            }
        }
        self.membership_changed(at, group, &out, &had_app, "group.user_membership.remove");
        out.len()
    }

    fn membership_changed(
        &mut self,
        at: Millis,
        group: u32,
        users: &[u32],
        had_app: &[bool],
        kind: &'static str,
    ) {
        if users.is_empty() {
            return;
        }
        self.groups[group as usize].membership_updated = at;
        self.forget_effective();
        for (&user, &had) in users.iter().zip(had_app) {
            let targets = vec![self.user_target(user, "User"), self.group_target(group)];
            self.note(at, kind, targets);
            self.note_app(at, user, had);
        }
    }

    fn has_app(&self, user: u32) -> bool {
        self.effective()
            .binary_search_by_key(&user, |&(at, _)| at)
            .is_ok()
    }

    /// Logs that a user came to have the application, or no longer has it.
    fn note_app(&mut self, at: Millis, user: u32, had: bool) {
        let has = self.has_app(user);
        if had == has {
            return;
        }
        let kind = if has {
            "application.user_membership.add"
        } else {
            "application.user_membership.remove"
        };
        let targets = vec![
            self.user_target(user, "AppUser"),
            Self::app_target(),
            self.user_target(user, "User"),
        ];
        self.note(at, kind, targets);
    }

    /// Assigns a user to the application.
    pub fn assign_user(&mut self, at: Millis, user: u32) {
        let had = self.has_app(user);
        self.direct.entry(user).or_insert(at);
        self.forget_effective();
        self.note_app(at, user, had);
    }

    /// Takes a user's own assignment away; false if there was none.
    pub fn unassign_user(&mut self, at: Millis, user: u32) -> bool {
        let had = self.has_app(user);
        if self.direct.remove(&user).is_none() {
            return false;
        }
        self.forget_effective();
        self.note_app(at, user, had);
        true
    }

    /// Assigns a group to the application.
    pub fn assign_group(&mut self, at: Millis, group: u32) {
        if self
            .assigned_groups
            .iter()
            .any(|&(known, _)| known == group)
        {
            return;
        }
        self.change_assigned(at, group, "group.application_assignment.add", |groups| {
            groups.push((group, at));
        });
    }

    /// Takes a group's assignment away; false if there was none.
    pub fn unassign_group(&mut self, at: Millis, group: u32) -> bool {
        if !self
            .assigned_groups
            .iter()
            .any(|&(known, _)| known == group)
        {
            return false;
        }
        self.change_assigned(at, group, "group.application_assignment.remove", |groups| {
            groups.retain(|&(known, _)| known != group);
        });
        true
    }

    fn change_assigned(
        &mut self,
        at: Millis,
        group: u32,
        kind: &'static str,
        change: impl FnOnce(&mut Vec<(u32, Millis)>),
    ) {
        let members: Vec<u32> = self.groups[group as usize].members().collect();
        let had_app: Vec<bool> = members.iter().map(|&user| self.has_app(user)).collect();
        change(&mut self.assigned_groups);
        self.forget_effective();
        let targets = vec![self.group_target(group), Self::app_target()];
        self.note(at, kind, targets);
        for (user, had) in members.into_iter().zip(had_app) {
            self.note_app(at, user, had);
        }
    }
}

fn status_of(body: &Map<String, Value>) -> Result<Option<Status>, Refusal> {
    match body.get("status") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone())
            .map(Some)
            .map_err(|_| format!("unknown status {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(org: &Org) -> Vec<&'static str> {
        org.log.iter().map(|event| event.kind).collect()
    }

    #[test]
    fn a_deletion_leaves_events_and_nothing_else() {
        let mut org = seed::found(1, 20, 0, 0);
        let membership = org.groups[2].membership_updated;
        org.delete_user(9_999_999_999_999, 0).expect("there");
        assert!(kinds(&org).ends_with(&[
            "user.lifecycle.delete.initiated",
            "user.lifecycle.delete.completed"
        ]));
        assert!(kinds(&org).contains(&"application.user_membership.remove"));
        assert_eq!(org.groups[2].membership_updated, membership);
        assert!(!org.is_listed(0));
    }

    #[test]
    fn membership_in_an_assigned_group_gives_the_application() {
        let mut org = seed::found(1, 30, 0, 0);
        let group = org.assigned_groups[0].0;
        assert_eq!(org.add_members(5, group, &[25, 25]), 1);
        assert_eq!(
            kinds(&org),
            [
                "group.user_membership.add",
                "application.user_membership.add"
            ]
        );
        assert_eq!(org.remove_members(6, group, &[25]), 1);
        assert_eq!(org.log.len(), 4);
    }

    #[test]
    fn an_equal_profile_is_no_change() {
        let mut org = seed::found(1, 20, 0, 0);
        let updated = org.users[0].updated;
        let title = profile::text(&org, &org.users[0], "title");
        let body = serde_json::json!({"profile": {"title": title}, "status": "ACTIVE"});
        org.patch_user(7, 0, body.as_object().expect("object"))
            .expect("valid");
        assert_eq!(org.users[0].updated, updated);
        assert!(org.log.is_empty());
    }
}
