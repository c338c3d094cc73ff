//! Named users and groups, read now: for provision on demand and for the second look.
//!
//! Of a user who is named, the groups are read as well: whoever was put into a role's group a
//! minute ago is to get that role now. Members of a named group bring only themselves.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use graph_rs_sdk::ODataQuery;
use serde_json::value::RawValue;
use url::Url;

use super::client::PageKind;
use super::errors::{Area, fetch_error};
use super::output::{MEMBERS_AT_ONCE, Output};
use super::wire::{self, GroupItem, UserItem};
use super::{GraphSource, assigned, batch, members};
use crate::directory::{Change, Group, GroupId, Member, User, UserId};
use crate::http::HttpError;
use crate::sources::{FetchError, Fetched, Sink};

const PER_PAGE: &str = "999";

/// What a read by id brought.
enum Found {
    User(Box<User>),
    Unreadable { id: String, reason: String },
}

impl Found {
    fn id(&self) -> &str {
        match self {
            Found::User(user) => user.id.as_str(),
            Found::Unreadable { id, .. } => id,
        }
    }

    fn change(self) -> Change {
        match self {
            Found::User(user) => Change::User(user),
            Found::Unreadable { id, reason } => Change::Unreadable {
                subject: Member::User(UserId::new(id)),
                reason,
            },
        }
    }
}

pub async fn fetch(
    source: &GraphSource,
    users: &[String],
    groups: &[String],
    sink: &Sink,
) -> Result<Fetched, FetchError> {
    let output = Output::new(source, sink);
    tokio::try_join!(
        named_users(source, &output, users),
        named_groups(source, &output, groups),
        assigned::fetch(source, &output),
    )?;
    Ok(Fetched {
        warnings: output.into_warnings(),
        ..Fetched::default()
    })
}

async fn named_users(
    source: &GraphSource,
    output: &Output<'_>,
    keys: &[String],
) -> Result<(), FetchError> {
    let refused = |error| fetch_error(error, Area::Users);
    let mut found = Vec::new();
    let mut changes = Vec::new();
    let (paths, by_path): (Vec<String>, Vec<&String>) = keys
        .iter()
        .filter_map(|key| Some((user_path(source, key)?, key)))
        .unzip();
    let answers = batch::get(source, "a user", &paths)
        .await
        .map_err(refused)?;
    let mut missing: Vec<&String> = keys.iter().filter(|key| !by_path.contains(key)).collect();
    for (key, answer) in by_path.into_iter().zip(answers) {
        match answer {
            Some(body) => found.push(read_user(source, &body).map_err(refused)?),
            None if wire::is_guid(key) => {
                changes.push(Change::UserGone(UserId::new(key.to_ascii_lowercase())));
            }
            None => missing.push(key),
        }
    }
    for key in missing {
        let by_mail = users_by_mail(source, key).await.map_err(refused)?;
        if by_mail.is_empty() {
            output.warn(format!("Graph knows no user {key:?}"));
        }
        found.extend(by_mail);
    }
    let ids: Vec<String> = found.iter().map(|user| user.id().to_owned()).collect();
    output.count(found.len(), 0);
    changes.extend(found.into_iter().map(Found::change));
    output.send(changes).await?;
    groups_of(source, output, &ids).await
}

/// The path of a user by id or sign-in name; None for what can be neither.
fn user_path(source: &GraphSource, key: &str) -> Option<String> {
    if !wire::is_guid(key) && (!key.contains('@') || key.contains('/')) {
        return None;
    }
    // The URL type escapes what a path segment must not hold (`#EXT#` of guests).
    let mut url = Url::parse("https://path.test/users").ok()?;
    url.path_segments_mut().ok()?.push(key);
    let attributes = source.attributes();
    let select = attributes.select().join(",");
    let expand = match attributes.has_manager() {
        true => "&$expand=manager($select=id)",
        false => "",
    };
    Some(format!("{}?$select={select}{expand}", url.path()))
}

async fn users_by_mail(source: &GraphSource, mail: &str) -> Result<Vec<Found>, HttpError> {
    let attributes = source.attributes();
    let filter = format!("mail eq '{}'", mail.replace('\'', "''"));
    let mut handler = source
        .graph
        .sdk
        .users()
        .list_user()
        .select(&attributes.select())
        .filter(&[&filter]);
    if attributes.has_manager() {
        handler = handler.expand(&["manager($select=id)"]);
    }
    let first = source.graph.address(&handler)?;
    let mut pages = source
        .graph
        .pages("a user by mail", PageKind::List, first, UserItem::read);
    let mut found = Vec::new();
    while let Some(items) = pages.next().await? {
        for item in items {
            found.extend(convert(source, item));
        }
    }
    Ok(found)
}

fn read_user(source: &GraphSource, body: &RawValue) -> Result<Found, HttpError> {
    convert(source, UserItem::read(body)).ok_or_else(|| HttpError::Unreadable {
        what: "a user".into(),
        host: "Graph".into(),
        reason: "it has no id".into(),
    })
}

fn convert(source: &GraphSource, item: UserItem) -> Option<Found> {
    match item {
        UserItem::Here { id, fields } => Some(match source.attributes().user(&id, &fields) {
            Ok(user) => Found::User(Box::new(user)),
            Err(reason) => Found::Unreadable { id, reason },
        }),
        UserItem::Removed { .. } | UserItem::Nameless => None,
    }
}

/// Users by id, those that exist. One that exists and cannot be read is an error: left out,
/// it would count as gone.
pub async fn read_users(source: &GraphSource, ids: &[UserId]) -> Result<Vec<User>, FetchError> {
    let refused = |error| fetch_error(error, Area::Users);
    let paths: Vec<String> = ids
        .iter()
        .filter_map(|id| user_path(source, id.as_str()))
        .collect();
    let answers = batch::get(source, "users by id", &paths)
        .await
        .map_err(refused)?;
    let mut users = Vec::new();
    for body in answers.into_iter().flatten() {
        match read_user(source, &body).map_err(refused)? {
            Found::User(user) => users.push(*user),
            Found::Unreadable { id, reason } => {
                return Err(FetchError::Unavailable(format!("user {id}: {reason}")));
            }
        }
    }
    Ok(users)
}

/// The direct groups of users, as memberships that are there. Which are no longer there,
/// only the group's own changes tell.
async fn groups_of(
    source: &GraphSource,
    output: &Output<'_>,
    ids: &[String],
) -> Result<(), FetchError> {
    let refused = |error| fetch_error(error, Area::Groups);
    for id in ids.iter().filter(|id| wire::is_guid(id)) {
        let handler = source
            .graph
            .sdk
            .user(id)
            .member_of()
            .list_member_of()
            .select(&["id", "displayName"])
            .append_query_pair("$top", PER_PAGE);
        let first = source.graph.address(&handler).map_err(refused)?;
        let mut pages =
            source
                .graph
                .pages("a user's groups", PageKind::List, first, wire::group_of);
        loop {
            let items = match pages.next().await {
                Ok(Some(items)) => items,
                Ok(None) => break,
                // Deleted between the two reads.
                Err(error) if members::is_missing(&error) => break,
                Err(error) => return Err(refused(error)),
            };
            let changes = items.into_iter().flatten().flat_map(|(group, name)| {
                let group = GroupId::new(group);
                [
                    Change::Group(Group {
                        id: group.clone(),
                        external_id: None,
                        display_name: name,
                    }),
                    Change::MemberAdded(group, Member::User(UserId::new(id.as_str()))),
                ]
            });
            output.send(changes.collect()).await?;
        }
    }
    Ok(())
}

async fn named_groups(
    source: &GraphSource,
    output: &Output<'_>,
    names: &[String],
) -> Result<(), FetchError> {
    let mut groups = Vec::new();
    for name in names {
        let found = match wire::is_guid(name) {
            true => group(source, name).await?.into_iter().collect(),
            false => groups_by_name(source, name)
                .await
                .map_err(|error| fetch_error(error, Area::Groups))?,
        };
        match found.is_empty() {
            true if wire::is_guid(name) => {
                output
                    .send(vec![Change::GroupGone(GroupId::new(
                        name.to_ascii_lowercase(),
                    ))])
                    .await?;
            }
            true => output.warn(format!("Graph knows no group {name:?}")),
            false => groups.extend(found),
        }
    }
    output.count(0, groups.len());
    let mut people = BTreeSet::new();
    let mut lists = stream::iter(groups)
        .map(|group| async move {
            let members = members::read(source, &group.id).await?;
            Ok::<_, FetchError>((group, members))
        })
        .buffered(source.concurrency);
    while let Some((group, members)) = lists.try_next().await? {
        let Some(members) = members else {
            output.send(vec![Change::GroupGone(group.id)]).await?;
            continue;
        };
        let id = group.id.clone();
        let mut changes = vec![Change::Group(group)];
        for part in members.chunks(MEMBERS_AT_ONCE) {
            changes.push(Change::Members(id.clone(), part.to_vec()));
        }
        changes.push(Change::MembersEnd(id));
        people.extend(members.into_iter().filter_map(|member| match member {
            Member::User(id) => Some(id),
            Member::Group(_) => None,
        }));
        output.send(changes).await?;
    }
    let people: Vec<UserId> = people.into_iter().collect();
    for part in people.chunks(MEMBERS_AT_ONCE) {
        let paths: Vec<String> = part
            .iter()
            .filter_map(|id| user_path(source, id.as_str()))
            .collect();
        let refused = |error| fetch_error(error, Area::Users);
        let answers = batch::get(source, "a group's users", &paths)
            .await
            .map_err(refused)?;
        let mut changes = Vec::new();
        for body in answers.into_iter().flatten() {
            changes.push(read_user(source, &body).map_err(refused)?.change());
        }
        output.count(changes.len(), 0);
        output.send(changes).await?;
    }
    Ok(())
}

/// A group by id; None when there is none.
pub async fn group(source: &GraphSource, id: &str) -> Result<Option<Group>, FetchError> {
    if !wire::is_guid(id) {
        return Ok(None);
    }
    let handler = source
        .graph
        .sdk
        .group(id)
        .get_group()
        .select(&["id", "displayName"]);
    let answer = source
        .graph
        .send("a group", handler, |answer| {
            let body: &RawValue =
                serde_json::from_slice(&answer.body).map_err(|error| wire::not_json(&error))?;
            as_group(GroupItem::read(body)).ok_or_else(|| "it is no group".to_owned())
        })
        .await;
    match answer {
        Ok(group) => Ok(Some(group)),
        Err(error) if members::is_missing(&error) => Ok(None),
        Err(error) => Err(fetch_error(error, Area::Groups)),
    }
}

/// All groups of a name: names are not unique.
async fn groups_by_name(source: &GraphSource, name: &str) -> Result<Vec<Group>, HttpError> {
    let filter = format!("displayName eq '{}'", name.replace('\'', "''"));
    let handler = source
        .graph
        .sdk
        .groups()
        .list_group()
        .select(&["id", "displayName"])
        .filter(&[&filter])
        .append_query_pair("$top", PER_PAGE);
    let first = source.graph.address(&handler)?;
    let mut pages = source
        .graph
        .pages("a group by name", PageKind::List, first, GroupItem::read);
    let mut groups = Vec::new();
    while let Some(items) = pages.next().await? {
        groups.extend(items.into_iter().filter_map(as_group));
    }
    Ok(groups)
}

fn as_group(item: GroupItem) -> Option<Group> {
    match item {
        GroupItem::Here { id, name, .. } => Some(Group {
            id: GroupId::new(id.as_str()),
            external_id: None,
            display_name: name.unwrap_or(id),
        }),
        _ => None,
    }
}
