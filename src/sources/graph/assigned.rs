//! Who is assigned to the enterprise application. Nested groups are the engine's business:
//! Graph lists what was assigned and nothing further.

use std::collections::BTreeSet;

use url::Url;

use super::client::PageKind;
use super::errors::{Area, fetch_error};
use super::output::Output;
use super::{GraphSource, Scope, wire};
use crate::directory::{Change, Member};
use crate::http::HttpError;
use crate::sources::FetchError;

const PER_PAGE: &str = "999";

/// Reads the assignments to the last page and hands them on as one list. Nothing to do when
/// the whole directory is in scope.
pub async fn fetch(source: &GraphSource, output: &Output<'_>) -> Result<(), FetchError> {
    match list(source).await? {
        Some(members) => output.send(vec![Change::Assigned(members)]).await,
        None => Ok(()),
    }
}

/// The assignments, read to the last page; None when the whole directory is in scope.
pub async fn list(source: &GraphSource) -> Result<Option<Vec<Member>>, FetchError> {
    let Scope::Assigned { application } = &source.scope else {
        return Ok(None);
    };
    let members = read(source, application).await;
    let members = members.map_err(|error| fetch_error(error, Area::Assignments))?;
    Ok(Some(members))
}

async fn read(source: &GraphSource, application: &str) -> Result<Vec<Member>, HttpError> {
    let what = "the application's assignments";
    let first = address(source, application, PER_PAGE)?;
    let mut pages = source
        .graph
        .pages(what, PageKind::List, first, wire::assignment);
    // One principal may hold several roles of the application.
    let mut members = BTreeSet::new();
    while let Some(items) = pages.next().await? {
        for item in items {
            // Whose it is cannot be said, so the list would be short by somebody.
            let member = item.map_err(|reason| HttpError::Unreadable {
                what: what.into(),
                host: "Graph".into(),
                reason,
            })?;
            members.extend(member);
        }
    }
    Ok(members.into_iter().collect())
}

/// The SDK names a service principal by its object id; settings hold the app id, which is an
/// alternate key.
pub fn address(source: &GraphSource, application: &str, top: &str) -> Result<Url, HttpError> {
    let handler = source
        .graph
        .sdk
        .service_principal(application)
        .list_app_role_assigned_to()
        .append_query_pair("$top", top);
    let mut url = source.graph.address(&handler)?;
    let by_id = format!("/servicePrincipals/{application}/");
    let by_app = format!("/servicePrincipals(appId='{application}')/");
    url.set_path(&url.path().replace(&by_id, &by_app));
    Ok(url)
}
