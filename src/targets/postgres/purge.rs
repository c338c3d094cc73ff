//! Takes away what was gone long enough: `purge_after`.

use std::time::{Duration, Instant};

use super::session::Session;
use super::trouble::Trouble;
use super::{Postgres, State};

/// How often at most. What is kept for days is not late by an hour.
const EVERY: Duration = Duration::from_secs(3600);

impl Postgres {
    /// Takes away what is due, if it is time to look. What fails is tried again an hour later:
    /// nothing depends on it.
    pub(super) fn purge(&self, state: &mut State) {
        let Some(after) = self.options.purge_after else {
            return;
        };
        let lately = |at: Instant| at.elapsed() < EVERY;
        if state.away.is_some() || state.purged.is_some_and(lately) {
            return;
        }
        state.purged = Some(Instant::now());
        let purged = self.with(state, async |session: &mut Session| {
            purge(session, after).await
        });
        match purged {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "purged {rows} old rows"),
            Err(Trouble::Row(text) | Trouble::Away(text)) => {
                tracing::warn!("what is old could not be purged: {text}");
            }
            Err(Trouble::Store(_)) => {}
        }
    }
}

/// Users without an account, groups of no portal, removed accounts and events, all older than
/// that. How many rows there were.
async fn purge(session: &mut Session, after: Duration) -> Result<u64, Trouble> {
    let transaction = session.client.transaction().await?;
    let seconds = after.as_secs_f64();
    let mut rows = 0;
    for sql in [
        "delete from portal_accounts where state = 'removed' \
         and updated_at < now() - make_interval(secs => $1)",
        "delete from directory_users u where updated_at < now() - make_interval(secs => $1) \
         and not exists (select from portal_accounts where user_id = u.id) \
         and not exists (select from directory_memberships where user_id = u.id)",
        "delete from directory_groups g where deleted_at < now() - make_interval(secs => $1) \
         and not exists (select from directory_memberships where group_id = g.id)",
        "delete from directory_events where at < now() - make_interval(secs => $1)",
    ] {
        rows += transaction.execute(sql, &[&seconds]).await?;
    }
    match rows {
        0 => transaction.rollback().await?,
        _ => transaction.commit().await?,
    }
    Ok(rows)
}
