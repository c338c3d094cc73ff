//! Finds resources. What a client asks for by `id`, `userName`, `externalId`, `emails.value`,
//! `displayName` or a member comes out of an index, at any size; every other filter looks at
//! each resource.

use serde_json::Value;

use super::index::index_of;
use super::places::{Start, mark_of, read_cursor, write_cursor};
use super::{Inbox, PushError};
use crate::scim::filter::Compiled;
use crate::scim::sort::{Order, Rank};
use crate::scim::{Filter, Kind, ListResponse, Object, Query, ScimError, Selection};
use crate::store::pushed::ResourceRow;

/// How many resources a page has where the client does not say.
pub const DEFAULT_PAGE: usize = 100;

/// The most that a page has.
pub const MAX_PAGE: usize = 1000;

/// The most matches that are put in order: they are kept in memory by what they are sorted by.
const MAX_SORTED: usize = 200_000;

/// One type's part of a search.
struct Part {
    kind: Kind,
    filter: Option<Compiled>,
    order: Option<Order>,
    selection: Selection,
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    total: u64,
    resources: Vec<Value>,
    sorted: Vec<(Rank, Kind, String)>,
    /// The last resource of the page.
    last: Option<(Kind, String)>,
    /// There are more behind it.
    more: bool,
}

/// A query that is understood, and not answered yet.
pub struct Search {
    parts: Vec<Part>,
    start: Start,
    count: u64,
    by_index: bool,
    mark: String,
}

impl Search {
    /// Whether an index answers it, with little to put together: it is then not worth a thread.
    pub fn is_quick(&self) -> bool {
        self.parts.iter().all(|part| {
            let narrowed = part.filter.as_ref().is_some_and(|filter| {
                let index = index_of(part.kind, filter);
                index.is_some_and(|(index, _)| index != "members")
            });
            narrowed && (part.kind == Kind::User || !part.selection.wants("members"))
        })
    }
}

impl Inbox {
    /// Understands a query for resources of these types.
    pub fn plan(&self, kinds: &[Kind], query: &Query) -> Result<Search, ScimError> {
        let parts = self.parts(kinds, query)?;
        let count = query
            .count
            .map_or(DEFAULT_PAGE as u64, |count| count.min(MAX_PAGE as u64));
        let mark = match query.cursor {
            Some(_) => mark_of(kinds, query),
            None => String::new(),
        };
        let start = match query.cursor.as_deref() {
            None => Start::Skip(query.start.unwrap_or(1) - 1),
            Some("") => Start::Skip(0),
            Some(cursor) => read_cursor(cursor, &mark)?,
        };
        Ok(Search {
            parts,
            start,
            count,
            by_index: query.cursor.is_none(),
            mark,
        })
    }

    /// The resources that it asks for.
    pub fn answer(&self, search: Search) -> Result<ListResponse, PushError> {
        let Search {
            parts,
            start,
            count,
            by_index,
            mark,
        } = search;
        let skipped = match &start {
            Start::Skip(skip) => *skip,
            Start::After(..) => 0,
        };
        let found = match parts.iter().any(|part| part.order.is_some()) {
            true => self.sorted(&parts, skipped, count)?,
            false => self.in_order(&parts, start, count)?,
        };
        let next = (!by_index && found.more).then(|| match &found.last {
            Some((kind, id)) => write_cursor(&mark, &format!("i{}{id}", kind.letter() as char)),
            None => write_cursor(&mark, &format!("o{}", skipped + count)),
        });
        Ok(ListResponse {
            total: found.total,
            start: by_index.then_some(skipped + 1),
            resources: found.resources,
            next_cursor: next,
        })
    }

    /// What the query means for each type. A name that one of several types has not means that
    /// none of it is found; one that none has is a mistake.
    fn parts(&self, kinds: &[Kind], query: &Query) -> Result<Vec<Part>, ScimError> {
        let filter = query.filter.as_deref().map(Filter::parse).transpose()?;
        let mut parts = Vec::new();
        let mut refused = None;
        for kind in kinds {
            let of_kind = self.kind(*kind);
            let filter = match &filter {
                None => None,
                Some(filter) => match Compiled::new(filter, of_kind) {
                    Ok(filter) => Some(filter),
                    Err(error) => {
                        refused = Some(error);
                        continue;
                    }
                },
            };
            let order = match &query.sort_by {
                None => None,
                Some(name) => match Order::new(name, query.descending, of_kind) {
                    Ok(order) => Some(order),
                    Err(error) => {
                        refused = Some(error);
                        continue;
                    }
                },
            };
            parts.push(Part {
                kind: *kind,
                filter,
                order,
                selection: Selection::new(query, of_kind),
            });
        }
        match refused {
            Some(error) if parts.is_empty() => Err(error),
            _ => Ok(parts),
        }
    }

    fn in_order(&self, parts: &[Part], start: Start, count: u64) -> Result<Found, PushError> {
        let mut found = Found::default();
        let (mut skip, after) = match start {
            Start::Skip(skip) => (skip, None),
            Start::After(kind, id) => (0, Some((kind, id))),
        };
        for part in parts {
            // Where the page goes on behind a resource, what comes before it only counts.
            let from = match &after {
                Some((kind, id)) if *kind == part.kind => Some(id.as_str()),
                _ => None,
            };
            let passed = matches!(&after, Some((kind, _)) if part.kind < *kind);
            if part.filter.is_none() {
                self.unfiltered(part, &mut found, &mut skip, from, passed, count)?;
                continue;
            }
            self.each(part, &mut |id, row, _| {
                found.total += 1;
                let behind = !passed && from.is_none_or(|from| id > from);
                if !behind {
                    return Ok(());
                }
                if skip > 0 {
                    skip -= 1;
                    return Ok(());
                }
                self.take(part, &mut found, id, row, count)
            })?;
        }
        Ok(found)
    }

    /// All resources of a type: the total is known, and only the page is read.
    fn unfiltered(
        &self,
        part: &Part,
        found: &mut Found,
        skip: &mut u64,
        from: Option<&str>,
        passed: bool,
        count: u64,
    ) -> Result<(), PushError> {
        let state = self.store.source_state(&self.source)?;
        let total = match part.kind {
            Kind::User => state.users,
            Kind::Group => state.groups,
        };
        found.total += total;
        if passed || *skip >= total {
            *skip = skip.saturating_sub(total);
            return Ok(());
        }
        let generation = (state.next_number, state.users, state.groups);
        let began = *skip;
        let place = match from {
            Some(from) => Some(from.to_owned()),
            None => self.places.get(part.kind, began, generation),
        };
        if place.is_some() {
            *skip = 0;
        }
        let mut taken = 0;
        let rows = self
            .store
            .resources_after(&self.source, part.kind.letter(), place.as_deref());
        for entry in rows {
            let (id, row) = entry?;
            if *skip > 0 {
                *skip -= 1;
                continue;
            }
            self.take(part, found, &id, &row, count)?;
            if found.more {
                break;
            }
            taken += 1;
            // Behind a cursor nobody knows how many came before.
            if taken == count && from.is_none() {
                self.places.put(part.kind, began + taken, generation, &id);
            }
        }
        *skip = 0;
        Ok(())
    }

    /// Puts a match on the page, if there is room.
    fn take(
        &self,
        part: &Part,
        found: &mut Found,
        id: &str,
        row: &ResourceRow,
        count: u64,
    ) -> Result<(), PushError> {
        if found.resources.len() as u64 >= count {
            found.more = true;
            return Ok(());
        }
        found.resources.push(self.listed(part, id, row)?);
        found.last = Some((part.kind, id.to_owned()));
        Ok(())
    }

    fn listed(&self, part: &Part, id: &str, row: &ResourceRow) -> Result<Value, PushError> {
        let shown = self.shown(part.kind, id, row, &part.selection)?;
        Ok(Value::Object(shown.resource))
    }

    fn sorted(&self, parts: &[Part], skip: u64, count: u64) -> Result<Found, PushError> {
        let mut found = Found::default();
        let mut descending = false;
        for part in parts {
            let Some(order) = &part.order else { continue };
            descending = order.is_descending();
            self.each(part, &mut |id, _, resource| {
                found.total += 1;
                if found.total as usize > MAX_SORTED {
                    return Err(ScimError::too_many(format!(
                        "more than {MAX_SORTED} resources match, too many to sort; narrow the filter"
                    ))
                    .into());
                }
                let rank = order.rank(resource);
                found.sorted.push((rank, part.kind, id.to_owned()));
                Ok(())
            })?;
        }
        found.sorted.sort();
        if descending {
            found.sorted.reverse();
        }
        let mut page = found.sorted.iter().skip(skip as usize);
        let mut resources = Vec::new();
        for (_, kind, id) in page.clone().take(count as usize) {
            let part = parts.iter().find(|part| part.kind == *kind);
            let row = self.store.resource(&self.source, kind.letter(), id)?;
            if let (Some(part), Some(row)) = (part, row) {
                resources.push(self.listed(part, id, &row)?);
            }
        }
        found.more = page.nth(count as usize).is_some();
        found.resources = resources;
        Ok(found)
    }

    /// Every match of a type, by id.
    fn each(
        &self,
        part: &Part,
        hand: &mut dyn FnMut(&str, &ResourceRow, &Object) -> Result<(), PushError>,
    ) -> Result<(), PushError> {
        let looks_at = |name: &str| {
            let filter = part
                .filter
                .as_ref()
                .is_some_and(|filter| filter.looks_at(name));
            filter
                || part
                    .order
                    .as_ref()
                    .is_some_and(|order| order.attribute() == name)
        };
        let mut judge = |id: &str, row: &ResourceRow| {
            let resource = self.whole(part.kind, id, row, looks_at)?;
            match part
                .filter
                .as_ref()
                .is_none_or(|filter| filter.passes(&resource))
            {
                true => hand(id, row, &resource),
                false => Ok(()),
            }
        };
        let narrowed = match &part.filter {
            Some(filter) => self.narrowed(part.kind, filter)?,
            None => None,
        };
        let letter = part.kind.letter();
        match narrowed {
            Some(ids) => {
                for id in ids {
                    if let Some(row) = self.store.resource(&self.source, letter, &id)? {
                        judge(&id, &row)?;
                    }
                }
            }
            None => {
                for entry in self.store.resources_after(&self.source, letter, None) {
                    let (id, row) = entry?;
                    judge(&id, &row)?;
                }
            }
        }
        Ok(())
    }
}
