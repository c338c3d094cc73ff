//! Lists, read from their first page to their last.
//!
//! A list that was not read to its end is an error: half a list would pass for a whole one.

use serde_json::{Map, Value};

use super::Scim;
use super::trouble::Trouble;
use super::wire::id_of;
use crate::config::Paging;
use crate::scim::member;
use crate::targets::TargetError;

/// Far more pages than any directory has.
const MOST_PAGES: usize = 100_000;

/// The objects on one page; some providers leave the list out where it is empty.
pub fn resources(page: &mut Map<String, Value>) -> Vec<Map<String, Value>> {
    let key = page
        .keys()
        .find(|key| key.eq_ignore_ascii_case("Resources"))
        .cloned();
    match key.and_then(|key| page.remove(&key)) {
        Some(Value::Array(items)) => items
            .into_iter()
            .filter_map(|item| match item {
                Value::Object(item) => Some(item),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

impl Scim {
    /// Whether lists can be read to their end.
    pub(super) fn lists_whole(&self) -> bool {
        self.profile.paging != Paging::None
    }

    /// Reads a whole list, `Users` or `Groups`, object by object.
    pub(super) async fn walk(
        &self,
        list: &'static str,
        more: &[(&str, &str)],
        take: &mut dyn FnMut(Map<String, Value>) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        let what = format!("the {} list", list.to_lowercase());
        let count = self.profile.page_size.to_string();
        let (mut start, mut cursor) = (1, String::new());
        let mut first_before = None;
        for _ in 0..MOST_PAGES {
            let place = start.to_string();
            let mut query = match self.profile.paging {
                Paging::Index => vec![("startIndex", place.as_str()), ("count", &count)],
                Paging::Cursor => vec![("cursor", cursor.as_str()), ("count", &count)],
                Paging::None => Vec::new(),
            };
            query.extend(more);
            let url = self.client.url(&[list], &query);
            let Some(mut page) = self.client.get(&what, url).await? else {
                return Err(TargetError::Refused(format!(
                    "{what}: the provider has none (404)"
                )));
            };
            let items = resources(&mut page);
            let read = items.len();
            let first = items.first().and_then(id_of);
            if read > 0 && first.is_some() && first == first_before {
                return Err(TargetError::Refused(format!(
                    "{what}: the pages do not go on; set paging of the target as its service has it"
                )));
            }
            first_before = first;
            for item in items {
                take(item)?;
            }
            match self.profile.paging {
                Paging::None => return Ok(()),
                Paging::Cursor => match member(&page, "nextCursor").and_then(Value::as_str) {
                    Some(next) if !next.is_empty() => next.clone_into(&mut cursor),
                    _ => return Ok(()),
                },
                Paging::Index => {
                    start += read;
                    let total = member(&page, "totalResults").and_then(Value::as_u64);
                    let over = self.profile.trust_total_results
                        && total.is_some_and(|total| start as u64 > total);
                    if read == 0 || over {
                        return short(&what, read, start, total, self.profile.trust_total_results);
                    }
                }
            }
        }
        Err(TargetError::Refused(format!(
            "{what}: the pages do not end"
        )))
    }

    /// The objects that a filter finds. One that the provider does not take is told apart.
    pub(super) async fn filtered(
        &self,
        list: &'static str,
        filter: &str,
        more: &[(&str, &str)],
    ) -> Result<Vec<Map<String, Value>>, Trouble> {
        let what = match list {
            "Users" => "looking up a user",
            _ => "looking up a group",
        };
        let mut query = vec![("filter", filter)];
        query.extend(more);
        let page = self
            .client
            .get(what, self.client.url(&[list], &query))
            .await?;
        Ok(page
            .map(|mut page| resources(&mut page))
            .unwrap_or_default())
    }
}

/// A list that ended before the number it named.
fn short(
    what: &str,
    read: usize,
    start: usize,
    total: Option<u64>,
    trusted: bool,
) -> Result<(), TargetError> {
    match total {
        Some(total) if trusted && read == 0 && (start as u64) <= total => {
            Err(TargetError::Refused(format!(
                "{what}: {total} were announced and {} came",
                start - 1
            )))
        }
        _ => Ok(()),
    }
}
