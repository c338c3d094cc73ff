//! What is remembered of the provider for the length of one run, and what was learnt of its
//! habits for as long as the program runs.

use std::collections::{HashMap, HashSet};

use super::wire::UserRead;
use crate::config::{ActiveStyle, MemberRemove, UpdateBy};
use crate::plan::Account;

/// So many accounts are looked up one by one before the whole list is read: by then a page of
/// a hundred costs less than what is left.
pub const LOOK_UPS: usize = 50;

/// One run's view of the provider.
#[derive(Default)]
pub struct Run {
    /// Accounts that were found under a key: what is decided rests on them, and they are
    /// adopted as they were found.
    pub found: HashMap<(String, String), FoundUser>,
    pub look_ups: usize,
    /// Everybody, once it was worth reading; dropped as soon as it is told rather than asked.
    pub roster: Option<Roster>,
    /// Ids whose `active` was set to false, and ids that were deleted, in this run.
    pub disabled: HashSet<String>,
    pub deleted: HashSet<String>,
    /// Ids of the groups that stand for roles, by name.
    pub role_groups: HashMap<String, String>,
    /// Groups that are being adopted, by id, and for whom.
    pub claimed: HashMap<String, (String, String)>,
    pub group_look_ups: usize,
    pub groups: Option<Vec<GroupRead>>,
}

#[derive(Clone)]
pub struct FoundUser {
    pub id: String,
    pub external_id: Option<String>,
    pub account: Account,
}

#[derive(Clone)]
pub struct GroupRead {
    pub id: String,
    pub external_id: Option<String>,
    pub display_name: String,
}

/// The list of users, to answer from.
#[derive(Default)]
pub struct Roster {
    users: Vec<FoundUser>,
    /// By folded key.
    by_key: HashMap<String, usize>,
}

impl Roster {
    /// Takes a user up under its keys, the best first. Of two under one key the first stays,
    /// unless it stands there only by its second best.
    pub fn take(&mut self, read: UserRead, keys: Vec<String>) {
        let place = self.users.len();
        for (rank, key) in keys.into_iter().enumerate() {
            match self.by_key.get(&key) {
                Some(_) if rank > 0 => {}
                Some(other) if self.users[*other].account.active || !read.account.active => {}
                _ => {
                    self.by_key.insert(key, place);
                }
            }
        }
        let UserRead {
            id,
            external_id,
            account,
            emails: _,
        } = read;
        self.users.push(FoundUser {
            id,
            external_id,
            account,
        });
    }

    pub fn get(&self, key: &str) -> Option<&FoundUser> {
        self.by_key.get(key).map(|place| &self.users[*place])
    }
}

/// What the profile did not know. It is found out once for a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learnt {
    pub config_read: bool,
    pub user_update: UpdateBy,
    pub group_update: UpdateBy,
    pub pathless: bool,
    pub active: ActiveStyle,
    pub whole_lists: bool,
    pub member_remove: MemberRemove,
    /// It does not filter by email.
    pub no_email_filter: bool,
    /// It has no groups: asked for, and not there.
    pub no_groups: bool,
}
