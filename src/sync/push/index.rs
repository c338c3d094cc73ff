//! What the index can tell of a filter.

use std::collections::BTreeSet;

use super::{Inbox, PushError};
use crate::scim::Kind;
use crate::scim::filter::Compiled;
use crate::store::rows::RowState;

impl Inbox {
    /// Those among whom everything is that passes, where an index can tell.
    pub(super) fn narrowed(
        &self,
        kind: Kind,
        filter: &Compiled,
    ) -> Result<Option<BTreeSet<String>>, PushError> {
        Ok(match index_of(kind, filter) {
            None => None,
            Some(("id", id)) => Some(BTreeSet::from([id.to_owned()])),
            Some(("members", member)) => Some(self.groups_with(member)?),
            Some((index, value)) => {
                let letter = kind.letter();
                let found = self
                    .store
                    .resources_with(&self.source, letter, index, value)?;
                Some(found.into_iter().collect())
            }
        })
    }

    /// The groups that hold a user or a group directly.
    fn groups_with(&self, member: &str) -> Result<BTreeSet<String>, PushError> {
        let user = self.store.user(&self.source, member)?;
        let parents = match user {
            Some(user) => user.parents,
            None => match self.store.group_number(&self.source, member)? {
                Some(number) => {
                    let row = self.store.group(&self.source, number)?;
                    row.map(|row| row.parents).unwrap_or_default()
                }
                None => Vec::new(),
            },
        };
        let mut groups = BTreeSet::new();
        for number in parents {
            if let Some(row) = self.store.group(&self.source, number)?
                && row.state == RowState::Known
            {
                groups.insert(row.group.id.as_str().to_owned());
            }
        }
        Ok(groups)
    }
}

/// The index that narrows a filter down the most, and the value it is asked for.
pub fn index_of(kind: Kind, filter: &Compiled) -> Option<(&'static str, &str)> {
    let of_place = |extension: &Option<String>, attribute: &str, sub: Option<&str>| match (
        extension, attribute, sub,
    ) {
        (None, "id", None) => Some("id"),
        (None, "externalId", None) => Some("externalId"),
        (None, "displayName", None) => Some("displayName"),
        (None, "userName", None) if kind == Kind::User => Some("userName"),
        (None, "emails", Some("value")) if kind == Kind::User => Some("emails"),
        (None, "members", Some("value")) if kind == Kind::Group => Some("members"),
        _ => None,
    };
    let plain = filter.must_equal().into_iter().filter_map(|(place, to)| {
        let index = of_place(&place.extension, &place.attribute, place.sub.as_deref())?;
        Some((index, to))
    });
    let inner = filter.values_must_equal().into_iter();
    let inner = inner.filter_map(|(of, place, to)| {
        let index = of_place(&of.extension, &of.attribute, Some(&place.attribute))?;
        Some((index, to))
    });
    let all: Vec<(&str, &str)> = plain.chain(inner).collect();
    // The id says most, and a name more than a group's member.
    [
        "id",
        "userName",
        "externalId",
        "emails",
        "displayName",
        "members",
    ]
    .into_iter()
    .find_map(|index| {
        let found = all.iter().find(|(found, _)| *found == index)?;
        Some((index, found.1))
    })
}
