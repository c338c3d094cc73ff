//! One group of a source, with its members.

use super::AnswerError;
use super::groups::{Part, pushed_to};
use crate::directory::Member;
use crate::directory::fold::fold;
use crate::rules::Portal;
use crate::store::Store;
use crate::store::rows::RowState;

/// Up to this many members are sorted by name, for which each has to be read. In a larger
/// group they stand in the order in which they were first seen.
const SORTED: usize = 2000;

/// One group of a source.
pub struct GroupPage {
    pub source: String,
    pub id: String,
    pub external_id: String,
    pub name: String,
    /// Deleted at the source.
    pub gone: bool,
    /// Assigned to the application.
    pub assigned: bool,
    /// The groups that hold it directly: id and name.
    pub parents: Vec<(String, String)>,
    pub portals: Vec<String>,
    /// Direct members.
    pub members: Part<MemberLine>,
}

/// A direct member, by the name that is shown.
pub struct MemberLine {
    pub name: String,
    pub id: String,
    pub standing: MemberStanding,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemberStanding {
    Active,
    Inactive,
    /// Deleted at the source.
    Gone,
    /// The group names it, and the source has not shown it.
    Unseen,
    /// A group in the group.
    Group,
}

/// The group of this id, with its members from the `skip`th on and at most `most`.
pub fn group(
    store: &Store,
    portals: &[Portal],
    source: &str,
    id: &str,
    skip: usize,
    most: usize,
) -> Result<GroupPage, AnswerError> {
    let number = store.group_number(source, id)?;
    let row = match number {
        Some(number) => store.group(source, number)?,
        None => None,
    };
    let Some(row) = row.filter(|row| row.state != RowState::Unseen) else {
        return Err(AnswerError::NotThere(format!(
            "source '{source}' has no group '{id}'; 'rosterd export groups --source {source}' lists them"
        )));
    };
    let mut parents = Vec::new();
    for parent in &row.parents {
        if let Some(parent) = store.group(source, *parent)? {
            let group = parent.group;
            parents.push((group.id.as_str().to_owned(), group.display_name));
        }
    }
    parents.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(GroupPage {
        source: source.to_owned(),
        id: row.group.id.as_str().to_owned(),
        external_id: row.group.external_id().to_owned(),
        gone: row.state == RowState::Gone,
        assigned: store.assigned(source)?.contains(row.number),
        parents,
        portals: pushed_to(store, portals, source, row.number)?,
        members: members(store, source, row.number, skip, most)?,
        name: row.group.display_name,
    })
}

fn members(
    store: &Store,
    source: &str,
    group: u32,
    skip: usize,
    most: usize,
) -> Result<Part<MemberLine>, AnswerError> {
    let numbers = store.members(source, group)?;
    let total = numbers.len();
    let sorted = total <= SORTED;
    let read: &[u32] = match sorted {
        true => &numbers,
        false => &numbers[skip.min(total)..(skip + most).min(total)],
    };
    let mut items = Vec::with_capacity(read.len());
    for number in read {
        if let Some(member) = store.member(source, *number)? {
            items.push(line(store, source, *number, member)?);
        }
    }
    if sorted {
        items.sort_by_cached_key(|line| (fold(&line.name), line.id.clone()));
        items = items.into_iter().skip(skip).take(most).collect();
    }
    Ok(Part { items, total })
}

fn line(
    store: &Store,
    source: &str,
    number: u32,
    member: Member,
) -> Result<MemberLine, AnswerError> {
    let id = match &member {
        Member::User(id) => id.as_str().to_owned(),
        Member::Group(id) => id.as_str().to_owned(),
    };
    let (name, standing) = match member {
        Member::Group(_) => {
            let row = store.group(source, number)?;
            let name = row.map(|row| row.group.display_name);
            (name, MemberStanding::Group)
        }
        Member::User(_) => match store.user(source, &id)? {
            Some(row) => {
                let standing = match row.state {
                    RowState::Unseen => MemberStanding::Unseen,
                    RowState::Gone => MemberStanding::Gone,
                    RowState::Known if row.user.active => MemberStanding::Active,
                    RowState::Known => MemberStanding::Inactive,
                };
                (row.user.shown_name(), standing)
            }
            None => (None, MemberStanding::Unseen),
        },
    };
    Ok(MemberLine {
        name: name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| id.clone()),
        id,
        standing,
    })
}
