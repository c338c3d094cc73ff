//! The maps a store is made of.

use serde::{Deserialize, Serialize};

/// A named ordered map.
///
/// The names are on disk: a variant may be added or moved, but a name is for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Tree {
    /// Cursors, counters, the format stamp.
    Meta,
    /// The people of the directory.
    Users,
    /// From a number to the user or group it stands for, in blocks.
    Ids,
    /// Likewise, one by one, until they fill a block.
    SingleIds,
    /// From a group's id to its number.
    GroupIds,
    /// The groups of the directory.
    Groups,
    /// From a group to its members.
    Members,
    /// The accounts that hold the admin role, by portal. Written before the links, so that a
    /// crash in between leaves no admin who is none.
    Admins,
    /// Which account stands for which user.
    Links,
    /// From a match key to the users who have it.
    Keys,
    /// The accounts of the local target.
    Accounts,
    /// The groups of the local target.
    LocalGroups,
    /// The devices of the local target.
    Devices,
    /// The device policies of the local target.
    Policies,
    /// What is owed to a target.
    Marks,
    /// The history of runs.
    Runs,
    /// What is assigned to the enterprise application.
    Assigned,
    /// Records that could not be read, with the reason.
    Quarantine,
    /// Which group of a portal stands for which group of a source.
    GroupLinks,
    /// What SCIM clients pushed, as they wrote it.
    Resources,
    /// From a value of a pushed resource to the resource.
    ResourceIndex,
    /// The bearer tokens of SCIM clients, hashed.
    Tokens,
    /// What accounts and groups are called where they live.
    TargetIds,
    /// What was told to subscribers of events, and is to be told.
    Events,
}

impl Tree {
    /// Every tree, in the order of declaration.
    pub const ALL: [Tree; 24] = [
        Tree::Meta,
        Tree::Users,
        Tree::Ids,
        Tree::SingleIds,
        Tree::GroupIds,
        Tree::Groups,
        Tree::Members,
        Tree::Admins,
        Tree::Links,
        Tree::Keys,
        Tree::Accounts,
        Tree::LocalGroups,
        Tree::Devices,
        Tree::Policies,
        Tree::Marks,
        Tree::Runs,
        Tree::Assigned,
        Tree::Quarantine,
        Tree::GroupLinks,
        Tree::Resources,
        Tree::ResourceIndex,
        Tree::Tokens,
        Tree::TargetIds,
        Tree::Events,
    ];

    /// The name on disk and in backups.
    pub const fn name(self) -> &'static str {
        match self {
            Tree::Meta => "meta",
            Tree::Users => "users",
            Tree::Ids => "ids",
            Tree::SingleIds => "single_ids",
            Tree::GroupIds => "group_ids",
            Tree::Groups => "groups",
            Tree::Members => "members",
            Tree::Links => "links",
            Tree::Keys => "keys",
            Tree::Accounts => "accounts",
            Tree::LocalGroups => "local_groups",
            Tree::Devices => "devices",
            Tree::Policies => "policies",
            Tree::Marks => "marks",
            Tree::Runs => "runs",
            Tree::Assigned => "assigned",
            Tree::Quarantine => "quarantine",
            Tree::Admins => "admins",
            Tree::GroupLinks => "group_links",
            Tree::Resources => "resources",
            Tree::ResourceIndex => "resource_index",
            Tree::Tokens => "tokens",
            Tree::TargetIds => "target_ids",
            Tree::Events => "events",
        }
    }

    /// The tree of that name, if there is one.
    pub fn named(name: &[u8]) -> Option<Tree> {
        Tree::ALL
            .into_iter()
            .find(|tree| tree.name().as_bytes() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tree_is_listed_once_and_found_by_its_name() {
        for (position, tree) in Tree::ALL.into_iter().enumerate() {
            assert_eq!(tree as usize, position);
            assert_eq!(Tree::named(tree.name().as_bytes()), Some(tree));
        }
        assert_eq!(Tree::named(b"nothing"), None);
    }
}
