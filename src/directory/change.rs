//! What a source hands over: a stream of changes that together are a complete picture, or
//! no picture at all.

use super::group::Group;
use super::ids::{GroupId, Member, UserId};
use super::patch::UserPatch;
use super::user::User;

/// One thing a source says. The order within one subject is the order that counts.
#[derive(Clone, Debug)]
pub enum Change {
    /// The whole user: an attribute it lacks is not set.
    User(Box<User>),
    /// Some attributes of a user; the others are left alone.
    UserPatch(UserPatch),
    /// The user is gone: deleted softly or for good, or no longer to be read by its id.
    UserGone(UserId),
    /// A group, new or renamed.
    Group(Group),
    GroupGone(GroupId),
    MemberAdded(GroupId, Member),
    MemberRemoved(GroupId, Member),
    /// A part of a group's members, read whole. All parts make the list, and a
    /// [`Change::MembersEnd`] closes it: without one, nothing in it counts as absent.
    Members(GroupId, Vec<Member>),
    MembersEnd(GroupId),
    /// What is assigned to the application, whole: what is not in it is not assigned.
    Assigned(Vec<Member>),
    /// One record could not be read. It is left as it is; the rest go on.
    Unreadable {
        subject: Member,
        reason: String,
    },
}

/// A collection that a full round reads to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Collection {
    Users,
    Groups,
    Assigned,
}
