//! What changed since the last round: one chain for users, one for groups, and the
//! assignments, which Graph has no changes of and which are read whole.
//!
//! A quiet round is three requests.

use std::sync::atomic::Ordering;

use super::client::PageKind;
use super::cursor::Position;
use super::errors::{Area, asks_for_resync, fetch_error};
use super::output::Output;
use super::wire::{GroupItem, Link, UserItem};
use super::{GraphSource, assigned};
use crate::directory::{Change, Cursor, Group, GroupId, Member, UserId};
use crate::http::HttpError;
use crate::sources::{FetchError, Fetched, Sink};

pub async fn fetch(
    source: &GraphSource,
    cursor: &Cursor,
    sink: &Sink,
) -> Result<Fetched, FetchError> {
    let taken_at = crate::clock::now();
    let position = Position::read(source, cursor, taken_at)?;
    let output = Output::new(source, sink);
    let (users, groups, ()) = tokio::try_join!(
        async {
            users(source, &output, &position.users)
                .await
                .map_err(|error| error.since(Area::Users))
        },
        async {
            groups(source, &output, &position.groups)
                .await
                .map_err(|error| error.since(Area::Groups))
        },
        assigned::fetch(source, &output),
    )?;
    Ok(Fetched {
        cursor: Some(Position::new(source, users, groups, taken_at).into_cursor()),
        complete: Default::default(),
        requests: 0,
        warnings: output.into_warnings(),
    })
}

/// Why a delta chain ended early: on the way to us, or on the way out.
pub enum Broken {
    Line(HttpError),
    Sink(FetchError),
}

impl Broken {
    /// What it means when the chain started from a saved link.
    fn since(self, area: Area) -> FetchError {
        match self {
            Broken::Sink(error) => error,
            Broken::Line(error) => match error.status() {
                Some(answer) if asks_for_resync(answer) => {
                    FetchError::Resync(format!("{answer}: the saved position is no longer good"))
                }
                _ => fetch_error(error, area),
            },
        }
    }

    /// What it means when the chain started a moment ago: there is nothing to go back to.
    pub fn now(self, area: Area) -> FetchError {
        match self.since(area) {
            FetchError::Resync(text) => FetchError::Unavailable(text),
            other => other,
        }
    }
}

impl From<HttpError> for Broken {
    fn from(error: HttpError) -> Self {
        Broken::Line(error)
    }
}

impl From<FetchError> for Broken {
    fn from(error: FetchError) -> Self {
        Broken::Sink(error)
    }
}

/// Reads one round of users from a link, as patches in the order they come: the same user
/// may come twice, and the later one counts. Returns the link for the next round.
pub async fn users(
    source: &GraphSource,
    output: &Output<'_>,
    link: &str,
) -> Result<String, Broken> {
    let what = "the users' changes";
    let attributes = source.attributes();
    let first = source.graph.link(what, link)?;
    let mut pages = source
        .graph
        .pages(what, PageKind::Delta, first, UserItem::read);
    while let Some(items) = pages.next().await? {
        output.count(items.len(), 0);
        let changes = items.into_iter().filter_map(|item| match item {
            UserItem::Here { id, fields } => Some(match attributes.patch(&id, &fields) {
                Ok(patch) => Change::UserPatch(patch),
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
    pages.delta_link().ok_or_else(|| no_link(what))
}

/// Reads one round of groups from a link. Members come as what joined and what left; a group
/// that comes without any has the members it had.
async fn groups(source: &GraphSource, output: &Output<'_>, link: &str) -> Result<String, Broken> {
    let what = "the groups' changes";
    let first = source.graph.link(what, link)?;
    let mut pages = source
        .graph
        .pages(what, PageKind::Delta, first, GroupItem::read);
    while let Some(items) = pages.next().await? {
        output.count(0, items.len());
        let mut changes = Vec::new();
        for item in items {
            take_group(item, output, &mut changes);
        }
        output.send(changes).await?;
    }
    pages.delta_link().ok_or_else(|| no_link(what))
}

fn take_group(item: GroupItem, output: &Output<'_>, changes: &mut Vec<Change>) {
    match item {
        GroupItem::Here { id, name, members } => {
            let group = GroupId::new(id);
            if let Some(display_name) = name {
                changes.push(Change::Group(Group {
                    id: group.clone(),
                    external_id: None,
                    display_name,
                }));
            }
            changes.extend(members.into_iter().map(|edge| match edge.link {
                Link::Joined => Change::MemberAdded(group.clone(), edge.member),
                Link::Left => Change::MemberRemoved(group.clone(), edge.member),
            }));
        }
        GroupItem::Removed { id } => changes.push(Change::GroupGone(GroupId::new(id))),
        GroupItem::Unreadable { id, reason } => changes.push(Change::Unreadable {
            subject: Member::Group(GroupId::new(id)),
            reason,
        }),
        GroupItem::Nameless => output.nameless_groups.store(true, Ordering::Relaxed),
    }
}

fn no_link(what: &str) -> Broken {
    Broken::Sink(FetchError::Unavailable(format!(
        "{what}: Graph gave no delta link"
    )))
}
