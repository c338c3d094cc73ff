//! Tries the connection and every permission that the settings need, one line each.

use graph_rs_sdk::ODataQuery;
use url::Url;

use super::errors::{Area, fetch_error, unknown_property};
use super::wire::Page;
use super::{GraphSource, Scope, assigned, wire};
use crate::http::{HttpError, host_of};
use crate::sources::Finding;

pub async fn check(source: &GraphSource) -> Vec<Finding> {
    // Without a token nothing further can be learned.
    if let Err(error) = source.graph.auth.token().await {
        return vec![bad(error, Area::Users)];
    }
    let mut findings = vec![good(format!(
        "signed in to tenant {} as the application",
        source.tenant
    ))];
    findings.push(users(source).await);
    findings.extend(source.warnings().into_iter().map(|text| Finding {
        ok: false,
        text: format!("{text}; correct the mapping or the rule that uses it"),
    }));
    findings.push(match groups(source).await {
        Ok(()) => good("groups and their members can be read".into()),
        Err(error) => bad(error, Area::Groups),
    });
    if let Scope::Assigned { application } = &source.scope {
        findings.push(match assignments(source, application).await {
            Ok(()) => good(format!(
                "the assignments of application {application} can be read"
            )),
            Err(error) => bad(error, Area::Assignments),
        });
    }
    findings
}

async fn users(source: &GraphSource) -> Finding {
    loop {
        match first_users(source).await {
            Ok(host) => return good(format!("users can be read from {host}")),
            Err(error) => {
                let property = error.status().and_then(unknown_property);
                if !property.is_some_and(|property| source.drop_property(&property)) {
                    return bad(error, Area::Users);
                }
            }
        }
    }
}

async fn first_users(source: &GraphSource) -> Result<String, HttpError> {
    let attributes = source.attributes();
    let handler = source
        .graph
        .sdk
        .users()
        .list_user()
        .select(&attributes.select())
        .append_query_pair("$top", "1");
    let url = source.graph.address(&handler)?;
    first_page(source, "the users list", &url).await?;
    Ok(host_of(&url))
}

async fn groups(source: &GraphSource) -> Result<(), HttpError> {
    let handler = source
        .graph
        .sdk
        .groups()
        .list_group()
        .select(&["id"])
        .append_query_pair("$top", "1");
    let url = source.graph.address(&handler)?;
    let ids = first_page(source, "the groups list", &url).await?;
    let Some(id) = ids.iter().flatten().find(|id| wire::is_guid(id)) else {
        return Ok(());
    };
    let handler = source
        .graph
        .sdk
        .group(id)
        .list_members()
        .select(&["id"])
        .append_query_pair("$top", "1");
    let url = source.graph.address(&handler)?;
    first_page(source, "a group's members", &url).await?;
    Ok(())
}

async fn assignments(source: &GraphSource, application: &str) -> Result<(), HttpError> {
    let url = assigned::address(source, application, "1")?;
    first_page(source, "the application's assignments", &url).await?;
    Ok(())
}

/// The ids on one page, which is never followed.
async fn first_page(
    source: &GraphSource,
    what: &str,
    url: &Url,
) -> Result<Vec<Option<String>>, HttpError> {
    source
        .graph
        .probe(what, url, |answer| {
            let page = Page::read(&answer.body, |raw| {
                let object: serde_json::Value = serde_json::from_str(raw.get()).ok()?;
                Some(object.get("id")?.as_str()?.to_owned())
            })?;
            Ok(page.items)
        })
        .await
}

fn good(text: String) -> Finding {
    Finding { ok: true, text }
}

fn bad(error: HttpError, area: Area) -> Finding {
    Finding {
        ok: false,
        text: fetch_error(error, area).to_string(),
    }
}
