//! One group's members, listed.

use graph_rs_sdk::ODataQuery;
use reqwest::StatusCode;

use super::client::PageKind;
use super::errors::{Area, fetch_error};
use super::{GraphSource, wire};
use crate::directory::{GroupId, Member};
use crate::http::HttpError;
use crate::sources::FetchError;

const PER_PAGE: &str = "999";

/// Reads the members to the last page; None when there is no such group.
pub async fn read(source: &GraphSource, id: &GroupId) -> Result<Option<Vec<Member>>, FetchError> {
    if !wire::is_guid(id.as_str()) {
        return Ok(None);
    }
    match list(source, id).await {
        Ok(members) => Ok(Some(members)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(fetch_error(error, Area::Groups)),
    }
}

async fn list(source: &GraphSource, id: &GroupId) -> Result<Vec<Member>, HttpError> {
    let what = "a group's members";
    let handler = source
        .graph
        .sdk
        .group(id.as_str())
        .list_members()
        .select(&["id"])
        .append_query_pair("$top", PER_PAGE);
    let first = source.graph.address(&handler)?;
    let mut pages = source
        .graph
        .pages(what, PageKind::List, first, wire::member);
    let mut members = Vec::new();
    while let Some(items) = pages.next().await? {
        for item in items {
            // A list that is short by one that cannot be read is not the list.
            members.extend(item.map_err(|reason| HttpError::Unreadable {
                what: what.into(),
                host: "Graph".into(),
                reason,
            })?);
        }
    }
    Ok(members)
}

pub fn is_missing(error: &HttpError) -> bool {
    error
        .status()
        .is_some_and(|answer| answer.status == StatusCode::NOT_FOUND)
}
