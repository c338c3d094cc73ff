//! One source's round: read, staged, and looked at a second time where something is missing.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::RunError;
use super::stage::Stager;
use super::staged::Staged;
use crate::directory::{Change, Collection, UserId};
use crate::rules::MatchOn;
use crate::sources::{Ask, FetchError, Fetched, Source};
use crate::store::Store;

/// Batches of changes that may wait for the staging thread. With pages of a thousand this is
/// a few megabytes.
const WAITING_BATCHES: usize = 16;

/// How many users the second look asks for at a time.
const LOOK: usize = 500;

/// A complete round.
pub struct Round {
    /// None where nothing is fetched: what was pushed is in the store.
    pub staged: Option<Staged>,
    pub fetched: Fetched,
    pub requests: u64,
    /// A full round that found nobody, where there were this many.
    pub found_nobody: Option<u64>,
}

impl Round {
    /// The round of a source that is pushed.
    pub fn pushed() -> Round {
        Round {
            staged: None,
            fetched: Fetched::default(),
            requests: 0,
            found_nobody: None,
        }
    }
}

/// Reads a source. An incremental round that the source cannot go on from becomes a full one.
pub async fn fetch(
    store: &Store,
    name: &str,
    source: &Arc<dyn Source>,
    ask: Ask,
    kinds: &[MatchOn],
) -> Result<Result<Round, FetchError>, RunError> {
    let before = source.requests();
    let round = match attempt(store, name, source, ask.clone(), kinds).await? {
        Err(FetchError::Resync(why)) if matches!(ask, Ask::Since(_)) => {
            tracing::info!(source.name = name, "reading everything again: {why}");
            attempt(store, name, source, Ask::Full, kinds).await?
        }
        round => round,
    };
    Ok(round.map(|mut round| {
        round.requests = source.requests() - before;
        round
    }))
}

async fn attempt(
    store: &Store,
    name: &str,
    source: &Arc<dyn Source>,
    ask: Ask,
    kinds: &[MatchOn],
) -> Result<Result<Round, FetchError>, RunError> {
    let full = matches!(ask, Ask::Full);
    let (sink, mut changes) = mpsc::channel::<Vec<Change>>(WAITING_BATCHES);
    let (owned_store, owned_name, owned_kinds) = (store.clone(), name.to_owned(), kinds.to_vec());
    let staging = tokio::task::spawn_blocking(move || {
        let mut stager = Stager::new(owned_store, &owned_name, full, &owned_kinds)?;
        while let Some(batch) = changes.blocking_recv() {
            for change in batch {
                stager.take(change)?;
            }
        }
        Ok::<_, RunError>(stager)
    });
    let fetched = source.fetch(ask, sink).await;
    let mut stager = staging.await.map_err(RunError::Worker)??;
    let mut fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => return Ok(Err(error)),
    };
    let found_nobody = match stager.found_nobody() {
        true => Some(store.source_state(name)?.users),
        false => None,
    };
    if let Err(error) = look_again(
        &mut stager,
        source,
        &fetched.complete,
        &mut fetched.warnings,
    )
    .await?
    {
        return Ok(Err(error));
    }
    let staged = tokio::task::spawn_blocking(|| stager.finish())
        .await
        .map_err(RunError::Worker)??;
    Ok(Ok(Round {
        staged: Some(staged),
        fetched,
        requests: 0,
        found_nobody,
    }))
}

/// Absence needs evidence: what a full round did not show is read by its id, and a member list
/// that came back without somebody is read once more. So are the assignments when one is missing:
/// with each go all who were in scope by it.
async fn look_again(
    stager: &mut Stager,
    source: &Arc<dyn Source>,
    complete: &BTreeSet<Collection>,
    warnings: &mut Vec<String>,
) -> Result<Result<(), FetchError>, RunError> {
    let look = stager.second_look()?;
    if complete.contains(&Collection::Users) {
        for ids in look.users.chunks(LOOK) {
            let found = match source.read_users(ids).await {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            let there: std::collections::HashSet<UserId> =
                found.iter().map(|user| user.id.clone()).collect();
            for user in found {
                stager.take(Change::User(Box::new(user)))?;
            }
            for id in ids.iter().filter(|id| !there.contains(*id)) {
                stager.take(Change::UserGone(id.clone()))?;
            }
        }
    }
    if complete.contains(&Collection::Groups) {
        for id in look.groups {
            match source.group_exists(&id).await {
                Ok(true) => {}
                Ok(false) => stager.take(Change::GroupGone(id))?,
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    if look.assigned {
        match source.read_assigned().await {
            Ok(members) => stager.confirm_assigned(&members)?,
            Err(error) => return Ok(Err(error)),
        }
    }
    for id in look.members {
        match source.read_members(&id).await {
            Ok(Some(members)) => stager.confirm_list(id, &members)?,
            Ok(None) => stager.take(Change::GroupGone(id))?,
            Err(FetchError::Stopped) => return Ok(Err(FetchError::Stopped)),
            // This group's members are not touched; the rest goes on.
            Err(error) => {
                let warning = format!("the members of group {id} are left as they are: {error}");
                warnings.push(warning);
                stager.leave_list(&id)?;
            }
        }
    }
    Ok(Ok(()))
}
