//! Changing the tenant, with every consequence a real one has.
//!
//! Soft-deleted users keep their memberships and no group hears of it; a purge takes the user out
//! of every group and says so in each. Assignments go with a purge as well.

use serde_json::{Map, Value};

use super::log::{GroupChange, GroupWhat, UserChange, UserWhat};
use super::seed;
use super::tenant::{Assignment, Group, GroupKind, Kind, Life, NONE, Ref, Tenant, User};
use crate::clock::Millis;
use crate::ids::Guid;

/// Why a change was refused.
pub type Refusal = String;

impl Tenant {
    fn log_user(&mut self, at: Millis, user: u32, what: UserWhat) {
        self.user_log.push(UserChange { at, user, what });
    }

    fn log_group(&mut self, at: Millis, group: u32, what: GroupWhat) {
        self.group_log.push(GroupChange { at, group, what });
    }

    fn fresh_id(&self, props: &mut Map<String, Value>, made: Guid) -> Result<Guid, Refusal> {
        let id = match props.remove("id") {
            None => made,
            Some(Value::String(text)) => {
                Guid::parse(&text).ok_or_else(|| format!("'{text}' is not a GUID"))?
            }
            Some(_) => return Err("id must be a string".to_owned()),
        };
        if self.by_id.contains_key(&id) {
            return Err(format!("id {id} is taken"));
        }
        Ok(id)
    }

    /// Hires somebody. `manager` may name another user; the rest are properties as given, with
    /// those filled in that no user lacks.
    pub fn create_user(
        &mut self,
        at: Millis,
        mut props: Map<String, Value>,
    ) -> Result<u32, Refusal> {
        let position = self.users.len();
        let id = self.fresh_id(&mut props, seed::user_id(self.seed, position))?;
        let manager = match props.remove("manager") {
            None | Some(Value::Null) => NONE,
            Some(named) => self.named_user(&named)?,
        };
        let fill = |props: &mut Map<String, Value>, name: &str, value: Value| {
            props.entry(name).or_insert(value);
        };
        fill(
            &mut props,
            "displayName",
            format!("New user {position}").into(),
        );
        let name = format!("user{position}@{}", crate::company::people::DOMAIN);
        fill(&mut props, "userPrincipalName", name.into());
        fill(&mut props, "accountEnabled", true.into());
        fill(&mut props, "userType", "Member".into());
        fill(
            &mut props,
            "createdDateTime",
            crate::clock::iso_seconds(at).into(),
        );
        fill(&mut props, "businessPhones", Value::Array(Vec::new()));
        fill(&mut props, "otherMails", Value::Array(Vec::new()));
        let position = position as u32;
        self.users.push(User {
            id,
            base: NONE,
            manager,
            life: Life::Present,
            patch: Some(Box::new(props)),
        });
        self.by_id.insert(id, Ref::user(position));
        self.by_name.take();
        self.log_user(at, position, UserWhat::Whole);
        Ok(position)
    }

    fn named_user(&self, named: &Value) -> Result<u32, Refusal> {
        let id = match named {
            Value::String(id) => id.as_str(),
            Value::Object(object) => object.get("id").and_then(Value::as_str).unwrap_or_default(),
            _ => return Err("manager must be an id".to_owned()),
        };
        self.find_user(id).ok_or_else(|| format!("no user {id}"))
    }

    /// Changes properties; equal values change nothing and are not logged.
    pub fn patch_user(
        &mut self,
        at: Millis,
        user: u32,
        mut props: Map<String, Value>,
    ) -> Result<(), Refusal> {
        if let Some(named) = props.remove("manager") {
            let manager = match named {
                Value::Null => NONE,
                named => self.named_user(&named)?,
            };
            let record = &mut self.users[user as usize];
            if record.manager != manager {
                let before = record.manager;
                record.manager = manager;
                let before = (before != NONE).then_some(before);
                self.log_user(at, user, UserWhat::Manager(before));
            }
        }
        props.remove("id");
        let record = &self.users[user as usize];
        let person = self.person(record);
        let mut before = Map::new();
        for (name, value) in &props {
            let old = self.user_value(record, person.as_ref(), name).to_value();
            if old != *value {
                before.insert(name.clone(), old);
            }
        }
        if before.is_empty() {
            return Ok(());
        }
        props.retain(|name, _| before.contains_key(name));
        if props.contains_key("userPrincipalName") {
            self.by_name.take();
        }
        let record = &mut self.users[user as usize];
        record.patch.get_or_insert_default().extend(props);
        self.log_user(at, user, UserWhat::Properties(Box::new(before)));
        Ok(())
    }

    /// Moves a user to the recycle bin.
    pub fn delete_user(&mut self, at: Millis, user: u32) -> Result<(), Refusal> {
        let record = &mut self.users[user as usize];
        if record.life != Life::Present {
            return Err("the user is deleted already".to_owned());
        }
        record.life = Life::Binned(at);
        self.log_user(at, user, UserWhat::Whole);
        Ok(())
    }

    /// Brings a user back from the recycle bin.
    pub fn restore_user(&mut self, at: Millis, user: u32) -> Result<(), Refusal> {
        let record = &mut self.users[user as usize];
        if !matches!(record.life, Life::Binned(_)) {
            return Err("the user is not in the recycle bin".to_owned());
        }
        record.life = Life::Present;
        self.log_user(at, user, UserWhat::Whole);
        Ok(())
    }

    /// Removes a user for good, from every group as well.
    pub fn purge_user(&mut self, at: Millis, user: u32) -> Result<(), Refusal> {
        let record = &mut self.users[user as usize];
        if record.life == Life::Purged {
            return Err("the user is purged already".to_owned());
        }
        record.life = Life::Purged;
        self.by_name.take();
        self.log_user(at, user, UserWhat::Whole);
        self.take_out_everywhere(at, Ref::user(user));
        Ok(())
    }

    fn take_out_everywhere(&mut self, at: Millis, gone: Ref) {
        let mut left = Vec::new();
        for (group, record) in self.groups.iter_mut().enumerate() {
            for slot in &mut record.slots {
                if *slot == gone {
                    *slot = Ref::HOLE;
                    left.push(group as u32);
                }
            }
        }
        for group in left {
            self.log_group(at, group, GroupWhat::Left(gone));
        }
        self.assignments.retain(|one| one.principal != gone);
    }

    /// Makes a group. `kind` may be `security` (the default), `unified`, `dynamic`,
    /// `mail_security`, `distribution` or `hidden`.
    pub fn create_group(
        &mut self,
        at: Millis,
        mut props: Map<String, Value>,
    ) -> Result<u32, Refusal> {
        let position = self.groups.len();
        let id = self.fresh_id(&mut props, seed::group_id(self.seed, position))?;
        let members = match props.remove("members") {
            None => Vec::new(),
            Some(list) => self.named_members(&list)?,
        };
        let kind = match props.remove("kind").as_ref().and_then(Value::as_str) {
            None | Some("security") => GroupKind::Security,
            Some("unified") => GroupKind::Unified,
            Some("dynamic") => GroupKind::Dynamic,
            Some("mail_security") => GroupKind::MailSecurity,
            Some("distribution") => GroupKind::Distribution,
            Some("hidden") => GroupKind::Hidden,
            Some(other) => return Err(format!("unknown kind of group '{other}'")),
        };
        let name = match props.remove("displayName") {
            Some(Value::String(name)) => name,
            _ => format!("New group {position}"),
        };
        props
            .entry("createdDateTime")
            .or_insert(crate::clock::iso_seconds(at).into());
        let position = position as u32;
        self.groups.push(Group {
            id,
            kind,
            name,
            life: Life::Present,
            patch: Some(Box::new(props)),
            slots: Vec::new(),
        });
        self.by_id.insert(id, Ref::group(position));
        self.log_group(at, position, GroupWhat::Whole);
        self.add_members(at, position, &members);
        Ok(position)
    }

    /// The objects a JSON list of ids names.
    pub fn named_members(&self, list: &Value) -> Result<Vec<Ref>, Refusal> {
        let list = list.as_array().ok_or("members must be a list of ids")?;
        list.iter()
            .map(|item| {
                let id = item.as_str().unwrap_or_default();
                self.find(id)
                    .or_else(|| self.find_user(id).map(Ref::user))
                    .ok_or_else(|| format!("no object {id}"))
            })
            .collect()
    }

    /// Changes a group's properties.
    pub fn patch_group(&mut self, at: Millis, group: u32, mut props: Map<String, Value>) {
        props.remove("id");
        let record = &self.groups[group as usize];
        props.retain(|name, value| self.group_value(record, name).to_value() != *value);
        if props.is_empty() {
            return;
        }
        let names = props.keys().cloned().collect();
        let record = &mut self.groups[group as usize];
        record.patch.get_or_insert_default().extend(props);
        self.log_group(at, group, GroupWhat::Properties(names));
    }

    /// Moves a group to the recycle bin; its members stay recorded.
    pub fn delete_group(&mut self, at: Millis, group: u32) -> Result<(), Refusal> {
        let record = &mut self.groups[group as usize];
        if record.life != Life::Present {
            return Err("the group is deleted already".to_owned());
        }
        record.life = Life::Binned(at);
        self.log_group(at, group, GroupWhat::Whole);
        Ok(())
    }

    /// Brings a group back.
    pub fn restore_group(&mut self, at: Millis, group: u32) -> Result<(), Refusal> {
        let record = &mut self.groups[group as usize];
        if !matches!(record.life, Life::Binned(_)) {
            return Err("the group is not in the recycle bin".to_owned());
        }
        record.life = Life::Present;
        self.log_group(at, group, GroupWhat::Whole);
        Ok(())
    }

    /// Removes a group for good.
    pub fn purge_group(&mut self, at: Millis, group: u32) -> Result<(), Refusal> {
        let record = &mut self.groups[group as usize];
        if record.life == Life::Purged {
            return Err("the group is purged already".to_owned());
        }
        record.life = Life::Purged;
        record.slots = Vec::new();
        self.log_group(at, group, GroupWhat::Whole);
        self.take_out_everywhere(at, Ref::group(group));
        Ok(())
    }

    /// Adds members; who is in already stays once. Returns how many were new.
    pub fn add_members(&mut self, at: Millis, group: u32, members: &[Ref]) -> usize {
        let record = &mut self.groups[group as usize];
        let mut present: std::collections::HashSet<Ref> = if members.len() > 8 {
            record.members().collect()
        } else {
            let wanted = |member: &Ref| members.contains(member);
            record.members().filter(wanted).collect()
        };
        let new: Vec<Ref> = members
            .iter()
            .copied()
            .filter(|&one| present.insert(one))
            .collect();
        record.slots.extend(&new);
        for &member in &new {
            self.log_group(at, group, GroupWhat::Joined(member));
        }
        new.len()
    }

    /// Takes a member out; false if it was none.
    pub fn remove_member(&mut self, at: Millis, group: u32, member: Ref) -> bool {
        let record = &mut self.groups[group as usize];
        let Some(slot) = record.slots.iter_mut().find(|slot| **slot == member) else {
            return false;
        };
        *slot = Ref::HOLE;
        self.log_group(at, group, GroupWhat::Left(member));
        true
    }

    /// Assigns a principal to the application; a second time changes nothing.
    pub fn assign(&mut self, at: Millis, principal: Ref, role: Guid) {
        let same = |one: &Assignment| one.principal == principal && one.role == role;
        if !self.assignments.iter().any(same) {
            let id = seed::assignment_id(self, principal, role);
            self.assignments.push(Assignment {
                id,
                principal,
                role,
                created: at,
            });
        }
    }

    /// Takes all assignments of a principal away; false if there were none.
    pub fn unassign(&mut self, principal: Ref) -> bool {
        let before = self.assignments.len();
        self.assignments.retain(|one| one.principal != principal);
        before != self.assignments.len()
    }

    /// Whether an object can be a principal of an assignment.
    pub fn can_be_assigned(object: Ref) -> bool {
        object.kind() != Kind::Device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purged_user_leaves_every_group_and_says_so() {
        let mut tenant = seed::found(1, 20, 0, 0);
        tenant.delete_user(1, 2).expect("present");
        assert!(tenant.group_log.is_empty());
        let memberships = |tenant: &Tenant| {
            let of_two = |group: &Group| group.members().filter(|&one| one == Ref::user(2)).count();
            tenant.groups.iter().map(of_two).sum::<usize>()
        };
        let before = memberships(&tenant);
        assert!(before > 3);
        tenant.purge_user(2, 2).expect("binned");
        assert_eq!(memberships(&tenant), 0);
        assert_eq!(tenant.group_log.len(), before);
        assert!(tenant.restore_user(3, 2).is_err());
    }

    #[test]
    fn an_equal_value_is_no_change() {
        let mut tenant = seed::found(1, 20, 0, 0);
        let title = tenant.user_text(0, "jobTitle").expect("seeded");
        let mut props = Map::new();
        props.insert("jobTitle".to_owned(), title.into());
        tenant.patch_user(1, 0, props).expect("valid");
        assert!(tenant.user_log.is_empty());
    }
}
