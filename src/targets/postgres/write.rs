//! Writes what differs: rows and their events, in the one transaction they were read in.
//!
//! New rows go in by COPY, whether they are one or a hundred thousand. Rows that change are
//! handed over as one document and updated by their key, so that a row that stays as it is, is
//! not touched. Numbers come from one counter, locked until the end of the transaction: who
//! reads up to a number has seen everything below it.

use serde_json::{Value as Json, json};
use tokio_postgres::Transaction;

use super::batch::Batch;
use super::copy::{Lines, array};
use super::ids::RowId;
use super::read::texts;
use super::rows::{AccountRow, Change, GroupRow, MembershipRow, UserRow, json_of};
use super::trouble::Trouble;

/// Writes the batch's changes. False where there are none.
pub async fn write(
    transaction: &Transaction<'_>,
    batch: &Batch<'_>,
    channel: &str,
) -> Result<bool, Trouble> {
    let changes = batch.changes();
    if changes.is_empty() {
        return Ok(false);
    }
    let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
    let take = "update rosterd_counter set seq = seq + $1 returning seq";
    let newest: i64 = transaction.query_one(take, &[&count]).await?.get(0);
    let first = newest - count + 1;

    let mut rows = Rows::default();
    let mut events = Lines::new();
    for (seq, change) in (first..).zip(&changes) {
        rows.take(seq, change);
        event(&mut events, seq, change);
    }
    give_up_keys(transaction, batch).await?;
    rows.write(transaction, batch).await?;
    let table = "directory_events (seq, id, type, directory, object_id, payload)";
    events.into(transaction, table).await?;
    // Only the number: what happened is in the table, and a notice has no room for it.
    let notify = "select pg_notify($1, $2)";
    let newest = newest.to_string();
    transaction.query_one(notify, &[&channel, &newest]).await?;
    Ok(true)
}

fn event(events: &mut Lines, seq: i64, change: &Change<'_>) {
    events.row(&[
        Some(&seq.to_string()),
        Some(&format!("evt_{}", ulid::Ulid::new())),
        Some(change.event()),
        Some(change.directory()),
        Some(&change.object().to_string()),
        Some(&change.payload().to_string()),
    ]);
}

/// The rows of a batch, by what is to become of them.
#[derive(Default)]
struct Rows {
    new_users: Lines,
    users: Vec<Json>,
    new_groups: Lines,
    groups: Vec<Json>,
    new_accounts: Lines,
    accounts: Vec<Json>,
    new_memberships: Lines,
    memberships: Vec<Json>,
    gone_memberships: Vec<(RowId, RowId)>,
}

impl Rows {
    fn take(&mut self, seq: i64, change: &Change<'_>) {
        match change {
            Change::User(id, None, row) => new_user(&mut self.new_users, seq, id, row),
            Change::User(id, Some(_), row) => self.users.push(user(seq, id, row)),
            Change::Group(id, None, row) => new_group(&mut self.new_groups, seq, id, row),
            Change::Group(id, Some(_), row) => self.groups.push(group(seq, id, row)),
            Change::Account(portal, user, None, row) => {
                new_account(&mut self.new_accounts, seq, portal, user, row);
            }
            Change::Account(portal, user, Some(_), row) => {
                self.accounts.push(account(seq, portal, user, row));
            }
            Change::Membership(group, user, _, None, row) => {
                new_membership(&mut self.new_memberships, seq, group, user, row);
            }
            Change::Membership(group, user, _, Some(_), row) => match row.portals.is_empty() {
                true => self.gone_memberships.push((*group, *user)),
                false => self.memberships.push(json!({
                    "group_id": group.to_string(), "user_id": user.to_string(),
                    "direct": row.direct, "portals": array(row.portals.iter()), "seq": seq,
                })),
            },
        }
    }

    /// What others point at comes first, and what frees a key before what takes it.
    async fn write(self, transaction: &Transaction<'_>, batch: &Batch<'_>) -> Result<(), Trouble> {
        update(transaction, self.users, UPDATE_USERS).await?;
        let table = "directory_users (id, directory, idp_id, external_id, user_name, email, \
             given_name, family_name, display_name, active, deleted_at, attributes, raw, seq)";
        self.new_users.into(transaction, table).await?;

        update(transaction, self.groups, UPDATE_GROUPS).await?;
        let table = "directory_groups (id, directory, idp_id, external_id, name, portals, seq)";
        self.new_groups.into(transaction, table).await?;

        update(transaction, self.accounts, UPDATE_ACCOUNTS).await?;
        let table = "portal_accounts (portal, user_id, key, state, role, user_name, email, \
             display_name, given_name, family_name, attributes, metadata, reason, seq)";
        self.new_accounts.into(transaction, table).await?;

        if !batch.emptied.is_empty() {
            let emptied = texts(batch.emptied.iter());
            let delete =
                "delete from directory_memberships where group_id = any($1::text[]::uuid[])";
            transaction.execute(delete, &[&emptied]).await?;
        }
        if !self.gone_memberships.is_empty() {
            let groups = texts(self.gone_memberships.iter().map(|(group, _)| group));
            let users = texts(self.gone_memberships.iter().map(|(_, user)| user));
            let delete = "delete from directory_memberships m \
                 using unnest($1::text[]::uuid[], $2::text[]::uuid[]) as gone (g, u) \
                 where m.group_id = gone.g and m.user_id = gone.u";
            transaction.execute(delete, &[&groups, &users]).await?;
        }
        update(transaction, self.memberships, UPDATE_MEMBERSHIPS).await?;
        let table = "directory_memberships (group_id, user_id, direct, portals, seq)";
        self.new_memberships.into(transaction, table).await
    }
}

/// Accounts that pass their key on stand aside until all of them have their new one.
async fn give_up_keys(transaction: &Transaction<'_>, batch: &Batch<'_>) -> Result<(), Trouble> {
    let giving_up = batch.giving_up();
    if giving_up.is_empty() {
        return Ok(());
    }
    let portals: Vec<&str> = giving_up.iter().map(|(portal, _)| *portal).collect();
    let users = texts(giving_up.iter().map(|(_, user)| user));
    let aside = "update portal_accounts a set state = 'removed' \
         from unnest($1::text[], $2::text[]::uuid[]) as aside (p, u) \
         where a.portal = aside.p and a.user_id = aside.u";
    transaction.execute(aside, &[&portals, &users]).await?;
    Ok(())
}

async fn update(transaction: &Transaction<'_>, rows: Vec<Json>, sql: &str) -> Result<(), Trouble> {
    if rows.is_empty() {
        return Ok(());
    }
    let document = Json::Array(rows).to_string();
    transaction.execute(sql, &[&document]).await?;
    Ok(())
}

const UPDATE_USERS: &str = "update directory_users u set external_id = r.external_id, \
       user_name = r.user_name, email = r.email, given_name = r.given_name, \
       family_name = r.family_name, display_name = r.display_name, active = r.active, \
       deleted_at = case when r.deleted then coalesce(u.deleted_at, now()) end, \
       attributes = r.attributes, raw = r.raw, updated_at = now(), seq = r.seq \
     from jsonb_to_recordset($1::text::jsonb) as r (id uuid, external_id text, user_name text, \
       email text, given_name text, family_name text, display_name text, active boolean, \
       deleted boolean, attributes jsonb, raw jsonb, seq bigint) \
     where u.id = r.id";

const UPDATE_GROUPS: &str = "update directory_groups g set external_id = r.external_id, \
       name = r.name, portals = r.portals::text[], \
       deleted_at = case when r.deleted then coalesce(g.deleted_at, now()) end, \
       updated_at = now(), seq = r.seq \
     from jsonb_to_recordset($1::text::jsonb) as r (id uuid, external_id text, name text, \
       portals text, deleted boolean, seq bigint) \
     where g.id = r.id";

const UPDATE_ACCOUNTS: &str = "update portal_accounts a set key = r.key, state = r.state, \
       role = r.role, user_name = r.user_name, email = r.email, display_name = r.display_name, \
       given_name = r.given_name, family_name = r.family_name, attributes = r.attributes, \
       metadata = r.metadata, reason = r.reason, updated_at = now(), seq = r.seq \
     from jsonb_to_recordset($1::text::jsonb) as r (portal text, user_id uuid, key text, \
       state text, role text, user_name text, email text, display_name text, given_name text, \
       family_name text, attributes jsonb, metadata jsonb, reason text, seq bigint) \
     where a.portal = r.portal and a.user_id = r.user_id";

const UPDATE_MEMBERSHIPS: &str = "update directory_memberships m set direct = r.direct, \
       portals = r.portals::text[], seq = r.seq \
     from jsonb_to_recordset($1::text::jsonb) as r (group_id uuid, user_id uuid, direct boolean, \
       portals text, seq bigint) \
     where m.group_id = r.group_id and m.user_id = r.user_id";

fn truth(value: bool) -> &'static str {
    if value { "t" } else { "f" }
}

fn new_user(lines: &mut Lines, seq: i64, id: &RowId, row: &UserRow) {
    lines.row(&[
        Some(&id.to_string()),
        Some(&row.directory),
        Some(&row.idp_id),
        row.external_id.as_deref(),
        row.user_name.as_deref(),
        row.email.as_deref(),
        row.given_name.as_deref(),
        row.family_name.as_deref(),
        row.display_name.as_deref(),
        Some(truth(row.active)),
        row.deleted.then_some("now"),
        Some(&row.attributes.to_string()),
        Some(&row.raw.to_string()),
        Some(&seq.to_string()),
    ]);
}

fn user(seq: i64, id: &RowId, row: &UserRow) -> Json {
    json!({
        "id": id.to_string(), "external_id": row.external_id, "user_name": row.user_name,
        "email": row.email, "given_name": row.given_name, "family_name": row.family_name,
        "display_name": row.display_name, "active": row.active, "deleted": row.deleted,
        "attributes": row.attributes, "raw": row.raw, "seq": seq,
    })
}

fn new_group(lines: &mut Lines, seq: i64, id: &RowId, row: &GroupRow) {
    lines.row(&[
        Some(&id.to_string()),
        Some(&row.directory),
        Some(&row.idp_id),
        Some(&row.external_id),
        Some(&row.name),
        Some(&array(row.portals.iter())),
        Some(&seq.to_string()),
    ]);
}

fn group(seq: i64, id: &RowId, row: &GroupRow) -> Json {
    json!({
        "id": id.to_string(), "external_id": row.external_id, "name": row.name,
        "portals": array(row.portals.iter()), "deleted": row.is_deleted(), "seq": seq,
    })
}

fn new_account(lines: &mut Lines, seq: i64, portal: &str, user: &RowId, row: &AccountRow) {
    let account = &row.account;
    lines.row(&[
        Some(portal),
        Some(&user.to_string()),
        Some(&row.key),
        Some(row.state.as_str()),
        account.role.map(|role| role.as_str()),
        account.user_name.as_deref(),
        account.email.as_deref(),
        account.display_name.as_deref(),
        account.given_name.as_deref(),
        account.family_name.as_deref(),
        Some(&json_of(account.attributes.iter()).to_string()),
        Some(&json_of(account.metadata.iter()).to_string()),
        Some(&row.reason),
        Some(&seq.to_string()),
    ]);
}

fn account(seq: i64, portal: &str, user: &RowId, row: &AccountRow) -> Json {
    let account = &row.account;
    json!({
        "portal": portal, "user_id": user.to_string(), "key": row.key,
        "state": row.state.as_str(), "role": account.role.map(|role| role.as_str()),
        "user_name": account.user_name, "email": account.email,
        "display_name": account.display_name, "given_name": account.given_name,
        "family_name": account.family_name, "attributes": json_of(account.attributes.iter()),
        "metadata": json_of(account.metadata.iter()), "reason": row.reason, "seq": seq,
    })
}

fn new_membership(lines: &mut Lines, seq: i64, group: &RowId, user: &RowId, row: &MembershipRow) {
    lines.row(&[
        Some(&group.to_string()),
        Some(&user.to_string()),
        Some(truth(row.direct)),
        Some(&array(row.portals.iter())),
        Some(&seq.to_string()),
    ]);
}
