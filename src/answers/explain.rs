//! Why a user has or has not an account and a role.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::AnswerError;
use crate::config::Role;
use crate::directory::fold::fold;
use crate::plan::{LinkState, Op};
use crate::rules::lifecycle::subject_of;
use crate::rules::scope::{Presence, presence};
use crate::rules::{MATCH_KINDS, Portal, SourceRules, key_of};
use crate::store::Store;
use crate::sync::History;
use crate::sync::view::{PersonView, View, Who};

/// How many of the latest runs are searched for the last action.
const RUNS: usize = 20;

/// What is known of whoever has a key.
#[derive(Serialize, ToSchema)]
pub struct Explained {
    /// The key as it is compared.
    pub key: String,
    pub users: Vec<ExplainedUser>,
}

#[derive(Serialize, ToSchema)]
pub struct ExplainedUser {
    pub source: String,
    pub id: String,
    pub display: String,
    pub active: bool,
    pub deleted: bool,
    /// Assigned to the application in person.
    pub assigned: bool,
    pub groups: Vec<ExplainedGroup>,
    /// By the portal's name.
    pub portals: BTreeMap<String, ExplainedPortal>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedGroup {
    pub id: String,
    pub display_name: String,
    /// False where the user is only in a group inside this one.
    pub direct: bool,
    pub assigned: bool,
}

#[derive(Serialize, ToSchema)]
pub struct ExplainedPortal {
    pub present: bool,
    /// Why the user is present, or is not.
    pub reason: String,
    pub key: Option<String>,
    /// Whether the user has an account.
    pub account: bool,
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// The groups that count for a role.
    pub role_groups: Vec<String>,
    /// The key that the account stands under.
    pub account_key: Option<String>,
    /// Since when the grace before a deactivation runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub leaving_since: Option<Timestamp>,
    pub departed: bool,
    /// Whose account stands under this user's key, if it is another's.
    pub key_belongs_to: Option<Owner>,
    pub last_action: Option<LastAction>,
}

#[derive(Serialize, ToSchema)]
pub struct Owner {
    pub source: String,
    pub id: String,
}

/// The latest action on the key, if one of the latest runs had one.
#[derive(Serialize, ToSchema)]
pub struct LastAction {
    pub run: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    #[schema(value_type = String)]
    pub op: Op,
    pub reason: String,
}

/// Everybody with this match key or this id of a source, in these portals.
pub fn explain(
    store: &Store,
    history: &History,
    sources: Vec<SourceRules>,
    portals: &[Portal],
    key: &str,
) -> Result<Explained, AnswerError> {
    let view = View::new(
        store,
        sources.into_iter().map(|rules| (rules, None)).collect(),
    )?;
    let found = find(&view, portals, key)?;
    if found.is_empty() {
        return Err(AnswerError::NotThere(format!(
            "nobody in the directory has the key or id '{key}'; 'rosterd export users' lists who is known"
        )));
    }
    let mut users = Vec::new();
    for who in found {
        if let Some(person) = view.person(who)? {
            users.push(user(&view, portals, who, &person, history)?);
        }
    }
    let key = fold(key);
    Ok(Explained { key, users })
}

fn find(view: &View<'_>, portals: &[Portal], key: &str) -> Result<Vec<Who>, AnswerError> {
    let mut found = Vec::new();
    let folded = fold(key);
    for source in 0..view.sources.len() {
        if let Some(number) = view.number_of_user(source, key)? {
            found.push(Who { source, number });
        }
    }
    for kind in MATCH_KINDS {
        for who in view.holders(kind, &folded)? {
            let has = view
                .person(who)?
                .is_some_and(|person| key_of(kind, &person.user).as_deref() == Some(&folded));
            if has {
                found.push(who);
            }
        }
    }
    for portal in portals {
        if let Some(link) = view.store.link(&portal.name, &folded)?
            && let Some(source) = view.source_named(&link.source)
            && let Some(number) = view.number_of_user(source, &link.user)?
        {
            found.push(Who { source, number });
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn user(
    view: &View<'_>,
    portals: &[Portal],
    who: Who,
    seen: &PersonView,
    history: &History,
) -> Result<ExplainedUser, AnswerError> {
    let source = &view.sources[who.source].rules;
    let groups = seen.memberships.iter().map(|membership| ExplainedGroup {
        id: membership.group.id.as_str().to_owned(),
        display_name: membership.group.display_name.clone(),
        direct: membership.direct,
        assigned: membership.assigned,
    });
    let mut answers = BTreeMap::new();
    for portal in portals {
        let answer = in_portal(view, portal, source, seen)?;
        answers.insert(portal.name.clone(), answer);
    }
    last_actions(view.store, history, &mut answers)?;
    let subject = subject_of(&seen.person(source));
    Ok(ExplainedUser {
        source: source.name.clone(),
        id: subject.id,
        display: subject.display,
        active: seen.user.active,
        deleted: seen.gone,
        assigned: seen.assigned,
        groups: groups.collect(),
        portals: answers,
    })
}

fn in_portal(
    view: &View<'_>,
    portal: &Portal,
    source: &SourceRules,
    seen: &PersonView,
) -> Result<ExplainedPortal, AnswerError> {
    let person = seen.person(source);
    let key = key_of(portal.match_on, &seen.user);
    let own = view.own_link(&portal.name, portal.match_on, &source.name, seen)?;
    let holder = match (&key, &own) {
        (Some(key), None) => view.store.link(&portal.name, key)?,
        _ => None,
    };
    let (present, reason) = match presence(&person, portal) {
        Presence::Present(reason) => (true, reason),
        Presence::Absent(cause) => (false, cause.to_string()),
    };
    let role_groups = person
        .counted_groups()
        .filter(|membership| portal.roles.contains_key(&*membership.folded_name))
        .map(|membership| membership.group.display_name.clone());
    let account = own.as_ref();
    Ok(ExplainedPortal {
        present,
        reason,
        account: account.is_some(),
        role: account.and_then(|link| link.account.role),
        role_groups: role_groups.collect(),
        account_key: account.map(|link| link.key.clone()),
        leaving_since: match account.map(|link| &link.state) {
            Some(LinkState::Leaving { since, .. }) => Some(*since),
            _ => None,
        },
        departed: account.is_some_and(|link| link.is_departed()),
        key_belongs_to: holder.map(|link| Owner {
            source: link.source,
            id: link.user,
        }),
        last_action: None,
        key,
    })
}

/// Adds the latest action on each portal's key. Unpacking a plan is dear, so that each is read
/// once for all portals, and none that has nothing for those still open.
fn last_actions(
    store: &Store,
    history: &History,
    portals: &mut BTreeMap<String, ExplainedPortal>,
) -> Result<(), AnswerError> {
    let is_open = |portal: &ExplainedPortal| portal.key.is_some() && portal.last_action.is_none();
    for record in store.runs_before(None).take(RUNS) {
        let head = record?.head;
        let concerns = |(name, portal): (&String, &ExplainedPortal)| {
            is_open(portal) && head.summary.contains_key(name)
        };
        if !portals.iter().any(concerns) {
            continue;
        }
        let Some(plan) = history.read(&head.run)? else {
            continue;
        };
        for action in plan.actions() {
            let action = action?;
            if let Some(portal) = portals.get_mut(&action.portal)
                && is_open(portal)
                && portal.key.as_ref() == Some(&action.key)
            {
                portal.last_action = Some(LastAction {
                    run: head.run.clone(),
                    at: head.created_at,
                    op: action.op,
                    reason: action.reason,
                });
            }
        }
    }
    Ok(())
}
