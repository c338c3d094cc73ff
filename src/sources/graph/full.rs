//! Everything, to the last page of every collection.
//!
//! Users come from the list, 999 a page, and not from a delta crawl of 200 a page: a fifth of
//! the requests. The list knows no "from here on", so a delta token is taken before it starts
//! and one delta round from there closes the gap. Groups come from their delta crawl, which
//! holds the members too and ends with the token for the next round. Users, groups and
//! assignments are read side by side.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;

use graph_rs_sdk::ODataQuery;

use super::client::PageKind;
use super::cursor::Position;
use super::errors::{Area, GraphError, fetch_error, unknown_property};
use super::output::{MEMBERS_AT_ONCE, Output};
use super::wire::{GroupItem, Link, UserItem};
use super::{GraphSource, Scope, assigned, delta};
use crate::directory::{Change, Collection, Group, GroupId, Member, UserId};
use crate::http::HttpError;
use crate::sources::{FetchError, Fetched, Sink};

/// The most that Graph gives a page of users.
const USERS_PER_PAGE: &str = "999";

/// How often a listing whose page link went stale is begun again.
const LISTINGS: usize = 3;

pub async fn fetch(source: &GraphSource, sink: &Sink) -> Result<Fetched, FetchError> {
    let taken_at = crate::clock::now();
    let output = Output::new(source, sink);
    let users = async {
        let from = from_now_on(source).await?;
        list_users(source, &output).await?;
        delta::users(source, &output, &from)
            .await
            .map_err(|error| error.now(Area::Users))
    };
    let groups = crawl_groups(source, &output);
    let (users, groups, ()) = tokio::try_join!(users, groups, assigned::fetch(source, &output))?;
    let mut complete = BTreeSet::new();
    if !output.nameless_users.load(Ordering::Relaxed) {
        complete.insert(Collection::Users);
    }
    if !output.nameless_groups.load(Ordering::Relaxed) {
        complete.insert(Collection::Groups);
    }
    if source.scope != Scope::All {
        complete.insert(Collection::Assigned);
    }
    Ok(Fetched {
        cursor: Some(Position::new(source, users, groups, taken_at).into_cursor()),
        complete,
        requests: 0,
        warnings: output.into_warnings(),
    })
}

/// The delta link for what happens from now on. Also where an attribute that Graph does not
/// have comes to light: it is taken out and named, not a reason to stop.
async fn from_now_on(source: &GraphSource) -> Result<String, FetchError> {
    let what = "the position in the users' changes";
    loop {
        let attributes = source.attributes();
        let handler = source
            .graph
            .sdk
            .users()
            .delta()
            .select(&attributes.select_delta())
            .append_query_pair("$deltatoken", "latest");
        let first = source
            .graph
            .address(&handler)
            .map_err(|error| fetch_error(error, Area::Users))?;
        let mut pages = source.graph.pages(what, PageKind::Delta, first, |_| ());
        let result = loop {
            match pages.next().await {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match result {
            Ok(()) => {
                return pages
                    .delta_link()
                    .ok_or_else(|| FetchError::Unavailable(format!("{what}: Graph gave none")));
            }
            Err(error) => {
                let property = error.status().and_then(unknown_property);
                if !property.is_some_and(|property| source.drop_property(&property)) {
                    return Err(fetch_error(error, Area::Users));
                }
            }
        }
    }
}

async fn list_users(source: &GraphSource, output: &Output<'_>) -> Result<(), FetchError> {
    let mut left = LISTINGS;
    loop {
        left -= 1;
        match list_users_once(source, output).await? {
            Ok(()) => return Ok(()),
            Err(error) => {
                let stale = |error: &HttpError| {
                    error.status().is_some_and(|answer| {
                        GraphError::read(&answer.body).has("Directory_ExpiredPageToken")
                    })
                };
                if left == 0 || !stale(&error) {
                    return Err(fetch_error(error, Area::Users));
                }
            }
        }
    }
}

/// The inner error is the line's: users that were sent before are sent again by the next try,
/// and say the same.
async fn list_users_once(
    source: &GraphSource,
    output: &Output<'_>,
) -> Result<Result<(), HttpError>, FetchError> {
    let attributes = source.attributes();
    let mut handler = source
        .graph
        .sdk
        .users()
        .list_user()
        .select(&attributes.select())
        .append_query_pair("$top", USERS_PER_PAGE);
    if attributes.has_manager() {
        handler = handler.expand(&["manager($select=id)"]);
    }
    let first = match source.graph.address(&handler) {
        Ok(first) => first,
        Err(error) => return Ok(Err(error)),
    };
    let mut pages = source
        .graph
        .pages("the users list", PageKind::List, first, UserItem::read);
    loop {
        let items = match pages.next().await {
            Ok(Some(items)) => items,
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        };
        output.count(items.len(), 0);
        let changes = items.into_iter().filter_map(|item| match item {
            UserItem::Here { id, fields } => Some(match attributes.user(&id, &fields) {
                Ok(user) => Change::User(Box::new(user)),
                Err(reason) => Change::Unreadable {
                    subject: Member::User(UserId::new(id)),
                    reason,
                },
            }),
            UserItem::Removed { id } => Some(Change::UserGone(UserId::new(id))),
            UserItem::Nameless => {
                output.nameless_users.store(true, Ordering::Relaxed);
                None
            }
        });
        output.send(changes.collect()).await?;
    }
}

/// What the first round has said about groups so far.
#[derive(Default)]
struct Crawl {
    /// Name by id. A group comes back with each part of its members.
    names: HashMap<String, String>,
    /// Lists that are not whole, so that they are not closed.
    broken: HashSet<String>,
    /// Memberships that were taken away during the round, after the list said they are
    /// there. They follow the lists, which hold both.
    left: HashSet<(String, Member)>,
}

async fn crawl_groups(source: &GraphSource, output: &Output<'_>) -> Result<String, FetchError> {
    let refused = |error| match fetch_error(error, Area::Groups) {
        // There is nothing to go back to but what we are doing.
        FetchError::Resync(text) => FetchError::Unavailable(text),
        other => other,
    };
    let handler = source
        .graph
        .sdk
        .groups()
        .delta()
        .select(&["id", "displayName", "members"]);
    let first = source.graph.address(&handler).map_err(refused)?;
    let mut pages = source
        .graph
        .pages("the groups", PageKind::Delta, first, GroupItem::read);
    let mut crawl = Crawl::default();
    while let Some(items) = pages.next().await.map_err(refused)? {
        let before = crawl.names.len();
        let mut changes = Vec::new();
        for item in items {
            crawl.take(item, output, &mut changes);
        }
        output.count(0, crawl.names.len().saturating_sub(before));
        output.send(changes).await?;
    }
    output.send(crawl.end()).await?;
    pages
        .delta_link()
        .ok_or_else(|| FetchError::Unavailable("the groups: Graph gave no delta link".into()))
}

impl Crawl {
    fn take(&mut self, item: GroupItem, output: &Output<'_>, changes: &mut Vec<Change>) {
        match item {
            GroupItem::Here { id, name, members } => {
                let group = GroupId::new(id.as_str());
                if let Some(name) = name
                    && self.names.get(&id) != Some(&name)
                {
                    changes.push(Change::Group(Group {
                        id: group.clone(),
                        external_id: None,
                        display_name: name.clone(),
                    }));
                    self.names.insert(id.clone(), name);
                }
                let mut joined = Vec::new();
                for edge in members {
                    match edge.link {
                        Link::Joined => {
                            if !self.left.is_empty() {
                                self.left.remove(&(id.clone(), edge.member.clone()));
                            }
                            joined.push(edge.member);
                        }
                        Link::Left => {
                            self.left.insert((id.clone(), edge.member));
                        }
                    }
                }
                for part in joined.chunks(MEMBERS_AT_ONCE) {
                    changes.push(Change::Members(group.clone(), part.to_vec()));
                }
            }
            GroupItem::Removed { id } => {
                // In the recycle bin, or deleted while the round ran. Of an unknown one this
                // says nothing new.
                if self.names.remove(&id).is_some() {
                    self.broken.insert(id.clone());
                }
                changes.push(Change::GroupGone(GroupId::new(id)));
            }
            GroupItem::Unreadable { id, reason } => {
                self.broken.insert(id.clone());
                changes.push(Change::Unreadable {
                    subject: Member::Group(GroupId::new(id)),
                    reason,
                });
            }
            GroupItem::Nameless => output.nameless_groups.store(true, Ordering::Relaxed),
        }
    }

    /// Closes the list of every group, empty ones included.
    fn end(self) -> Vec<Change> {
        let whole = |id: &String| !self.broken.contains(id);
        let mut changes: Vec<Change> = self
            .names
            .keys()
            .filter(|id| whole(id))
            .map(|id| Change::MembersEnd(GroupId::new(id.as_str())))
            .collect();
        let left = self.left.iter().filter(|(id, _)| whole(id));
        changes.extend(
            left.map(|(id, member)| {
                Change::MemberRemoved(GroupId::new(id.as_str()), member.clone())
            }),
        );
        changes
    }
}
