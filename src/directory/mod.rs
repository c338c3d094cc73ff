//! Who exists: users, groups, who is a member of what, and what changed about it.
//!
//! The words are SCIM's (RFC 7643). Nothing here knows a vendor, a store, a clock or a
//! network. `patch` is what a source says has changed, `fold` how names and keys compare.

pub mod change;
pub mod fold;
pub mod group;
pub mod ids;
pub mod patch;
pub mod user;
pub mod value;

pub use change::{Change, Collection};
pub use group::Group;
pub use ids::{Cursor, GroupId, Member, UserId};
pub use patch::UserPatch;
pub use user::{Address, Email, Name, PhoneNumber, User};
pub use value::Value;
