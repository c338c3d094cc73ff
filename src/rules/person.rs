//! One user with everything about them that the rules may look at.

use crate::directory::{Group, User};

use super::portal::SourceRules;

#[derive(Clone, Debug)]
pub struct Person<'a> {
    pub source: &'a SourceRules,
    pub user: &'a User,
    /// Deleted at the source, softly or for good, or not to be found there any more.
    pub gone: bool,
    /// Assigned to the application in person.
    pub assigned: bool,
    /// Every group that holds the user, the nested ones after the direct ones.
    pub groups: &'a [Membership],
}

/// A group that holds a user.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The group's number within its source.
    pub number: u32,
    pub group: std::sync::Arc<Group>,
    /// The display name as comparing uses it.
    pub folded_name: std::sync::Arc<str>,
    /// False where the user is only in a group inside this one.
    pub direct: bool,
    pub assigned: bool,
}

impl<'a> Person<'a> {
    /// The groups that count as this user's: the direct ones, and the nested ones where the
    /// source says so.
    pub fn counted_groups(&self) -> impl Iterator<Item = &'a Membership> {
        let nested = self.source.nested_groups;
        self.groups
            .iter()
            .filter(move |membership| membership.direct || nested)
    }
}
