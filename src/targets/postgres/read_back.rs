//! What the tables hold of a portal, as a run asks for it and as drift is looked for.

use std::collections::BTreeSet;

use super::read::{ACCOUNT, account};
use super::session::Session;
use super::trouble::Trouble;
use super::{Found, Held, Postgres, State, TargetError, never_refused};
use crate::plan::{Account, Groups};

/// How many rows are read at a time.
const PAGE: i64 = 5_000;

/// The account that stands under a key.
pub async fn find(session: &Session, portal: &str, key: &str) -> Result<Option<Found>, Trouble> {
    let sql = format!(
        "select {ACCOUNT}, u.idp_id \
         from portal_accounts a join directory_users u on u.id = a.user_id \
         where a.portal = $1 and a.key = $2 and a.state <> 'removed'"
    );
    let row = session.client.query_opt(&sql, &[&portal, &key]).await?;
    row.map(|row| {
        Ok(Found {
            account: account(&row)?,
            made_for: row.try_get("idp_id")?,
            groups: Groups::default(),
        })
    })
    .transpose()
}

/// Every key of a portal.
pub async fn keys(session: &Session, portal: &str) -> Result<Vec<String>, Trouble> {
    let sql = "select key from portal_accounts where portal = $1 and state <> 'removed'";
    let rows = session.client.query(sql, &[&portal]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// A page of accounts behind a key, by key.
async fn accounts(
    session: &Session,
    portal: &str,
    after: &str,
) -> Result<Vec<(String, Account)>, Trouble> {
    // Byte by byte, whatever the database sorts by, so that a page ends where the next begins.
    let sql = format!(
        "select {ACCOUNT} from portal_accounts a \
         where a.portal = $1 and a.key collate \"C\" > $2 and a.state <> 'removed' \
         order by a.key collate \"C\" limit {PAGE}"
    );
    let rows = session.client.query(&sql, &[&portal, &after]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(2)?, account(row)?)))
        .collect()
}

/// The groups of a portal: directory, id there and name.
async fn groups(session: &Session, portal: &str) -> Result<Vec<[String; 3]>, Trouble> {
    let sql = "select directory, idp_id, name from directory_groups \
         where $1 = any(portals) order by directory, idp_id";
    let rows = session.client.query(sql, &[&portal]).await?;
    rows.iter()
        .map(|row| Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?]))
        .collect()
}

/// The keys of a group's members that have an account in the portal.
async fn members(
    session: &Session,
    portal: &str,
    group: &[String; 3],
) -> Result<BTreeSet<String>, Trouble> {
    let sql = "select a.key from directory_groups g \
         join directory_memberships m on m.group_id = g.id and $1 = any(m.portals) \
         join portal_accounts a on a.user_id = m.user_id and a.portal = $1 \
           and a.state <> 'removed' \
         where g.directory = $2 and g.idp_id = $3";
    let [directory, id, _] = group;
    let rows = session.client.query(sql, &[&portal, directory, id]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

impl Postgres {
    /// Hands everything of a portal over, a page at a time.
    pub(super) fn hand_over(
        &self,
        state: &mut State,
        portal: &str,
        take: &mut dyn FnMut(Held) -> Result<(), TargetError>,
    ) -> Result<(), TargetError> {
        let mut after = String::new();
        loop {
            let page = self.with(state, async |session: &mut Session| {
                accounts(session, portal, &after).await
            });
            let page = page.map_err(never_refused)?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after = last.clone();
            for (key, account) in page {
                take(Held::Account { key, account })?;
            }
        }
        let groups = self.with(state, async |session: &mut Session| {
            groups(session, portal).await
        });
        for group in groups.map_err(never_refused)? {
            let members = self.with(state, async |session: &mut Session| {
                members(session, portal, &group).await
            });
            let members = members.map_err(never_refused)?.into_iter().collect();
            let [source, id, display_name] = group;
            take(Held::Group {
                source,
                id,
                display_name,
                members: Some(members),
            })?;
        }
        Ok(())
    }
}
