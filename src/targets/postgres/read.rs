//! Reads the rows that a batch of steps touches, before they are carried out in thought.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Row, Transaction};

use super::batch::{Batch, Holder, group_of, subject_of};
use super::ids::RowId;
use super::rows::{AccountRow, GroupRow, MembershipRow, State, UserRow};
use super::trouble::Trouble;
use crate::directory::Value;
use crate::plan::{Account, Op};
use crate::targets::Step;

/// Reads what the steps need into the batch.
pub async fn read(
    transaction: &Transaction<'_>,
    batch: &mut Batch<'_>,
    steps: &[Step<'_>],
) -> Result<(), Trouble> {
    let mut keys: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut users: BTreeSet<RowId> = BTreeSet::new();
    let mut groups: BTreeSet<RowId> = BTreeSet::new();
    let mut accounts: BTreeSet<(String, RowId)> = BTreeSet::new();
    let mut pairs: BTreeSet<(RowId, RowId)> = BTreeSet::new();
    // Of these all memberships are read.
    let mut leaving: BTreeSet<RowId> = BTreeSet::new();
    for step in steps {
        let action = step.action;
        let portal = action.portal.as_str();
        match action.op {
            Op::CreateGroup | Op::UpdateGroup | Op::DeleteGroup => {
                groups.insert(group_of(action));
            }
            Op::AddMembers | Op::RemoveMembers => {
                groups.insert(group_of(action));
                keys.extend(action.members.iter().map(|key| (portal, key.as_str())));
            }
            Op::UnassignDevices | Op::ChangeDevicePolicy | Op::RemoveDevices => {}
            _ => {
                let user = subject_of(action);
                users.insert(user);
                accounts.insert((portal.to_owned(), user));
                keys.insert((portal, &action.key));
                keys.extend(step.old_key.map(|key| (portal, key)));
                if action.op == Op::RemoveAccount {
                    leaving.insert(user);
                }
                for (source, number) in action.joins.iter() {
                    if let Some(group) = batch.group_row(source, number)? {
                        groups.insert(group);
                        pairs.insert((group, user));
                    }
                }
            }
        }
    }
    read_holders(transaction, batch, &keys).await?;
    for step in steps {
        let action = step.action;
        let holder = |key: &String| {
            let place = (action.portal.clone(), key.clone());
            batch.holders.get(&place).map(|holder| holder.user)
        };
        match action.op {
            Op::AdoptAccount => {
                // Its account may be handed over, memberships and all.
                if let Some(other) = holder(&action.key).filter(|h| *h != subject_of(action)) {
                    accounts.insert((action.portal.clone(), other));
                    users.insert(other);
                    leaving.insert(other);
                    leaving.insert(subject_of(action));
                }
            }
            Op::AddMembers | Op::RemoveMembers => {
                let group = group_of(action);
                let members = action.members.iter().filter_map(holder);
                pairs.extend(members.map(|user| (group, user)));
            }
            _ => {}
        }
    }
    read_users(transaction, batch, &users).await?;
    read_groups(transaction, batch, &groups).await?;
    read_accounts(transaction, batch, &accounts).await?;
    // Who is not there yet is in no group.
    pairs.retain(|(_, user)| !users.contains(user) || batch.users.get(user).is_some());
    read_memberships(
        transaction,
        batch,
        "from unnest($1::text[]::uuid[], $2::text[]::uuid[]) as wanted (g, u) \
         join directory_memberships m on m.group_id = wanted.g and m.user_id = wanted.u",
        &texts(pairs.iter().map(|(group, _)| group)),
        &texts(pairs.iter().map(|(_, user)| user)),
    )
    .await?;
    // Of groups that go from one portal and stay in another, every membership may change.
    let shrinking = steps.iter().filter(|step| {
        let row = batch.groups.get(&group_of(step.action));
        step.action.op == Op::DeleteGroup && row.is_some_and(|row| row.portals.len() > 1)
    });
    let shrinking: BTreeSet<RowId> = shrinking.map(|step| group_of(step.action)).collect();
    read_memberships(
        transaction,
        batch,
        "from directory_memberships m where m.group_id = any($1::text[]::uuid[]) \
         or m.user_id = any($2::text[]::uuid[])",
        &texts(shrinking.iter()),
        &texts(leaving.iter()),
    )
    .await
}

pub fn texts<'a>(ids: impl Iterator<Item = &'a RowId>) -> Vec<String> {
    ids.map(RowId::to_string).collect()
}

async fn read_holders(
    transaction: &Transaction<'_>,
    batch: &mut Batch<'_>,
    keys: &BTreeSet<(&str, &str)>,
) -> Result<(), Trouble> {
    if keys.is_empty() {
        return Ok(());
    }
    let (portals, names): (Vec<&str>, Vec<&str>) = keys.iter().copied().unzip();
    let sql = "select a.portal, a.key, a.user_id::text, u.directory, u.idp_id \
         from unnest($1::text[], $2::text[]) as wanted (p, k) \
         join portal_accounts a on a.portal = wanted.p and a.key = wanted.k \
           and a.state <> 'removed' \
         join directory_users u on u.id = a.user_id";
    for row in transaction.query(sql, &[&portals, &names]).await? {
        let holder = Holder {
            user: id(&row, 2)?,
            directory: row.try_get(3)?,
            idp_id: row.try_get(4)?,
        };
        batch
            .holders
            .insert((row.try_get(0)?, row.try_get(1)?), holder);
    }
    Ok(())
}

async fn read_users(
    transaction: &Transaction<'_>,
    batch: &mut Batch<'_>,
    ids: &BTreeSet<RowId>,
) -> Result<(), Trouble> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "select id::text, directory, idp_id, external_id, user_name, email, given_name, \
           family_name, display_name, active, deleted_at is not null, attributes::text, raw::text \
         from directory_users where id = any($1::text[]::uuid[])";
    for row in transaction.query(sql, &[&texts(ids.iter())]).await? {
        let user = UserRow {
            directory: row.try_get(1)?,
            idp_id: row.try_get(2)?,
            external_id: row.try_get(3)?,
            user_name: row.try_get(4)?,
            email: row.try_get(5)?,
            given_name: row.try_get(6)?,
            family_name: row.try_get(7)?,
            display_name: row.try_get(8)?,
            active: row.try_get(9)?,
            deleted: row.try_get(10)?,
            attributes: json(&row, 11)?,
            raw: json(&row, 12)?,
        };
        batch.users.stands(id(&row, 0)?, user);
    }
    Ok(())
}

async fn read_groups(
    transaction: &Transaction<'_>,
    batch: &mut Batch<'_>,
    ids: &BTreeSet<RowId>,
) -> Result<(), Trouble> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "select id::text, directory, idp_id, external_id, name, portals \
         from directory_groups where id = any($1::text[]::uuid[])";
    for row in transaction.query(sql, &[&texts(ids.iter())]).await? {
        let group = GroupRow {
            directory: row.try_get(1)?,
            idp_id: row.try_get(2)?,
            external_id: row.try_get(3)?,
            name: row.try_get(4)?,
            portals: row.try_get::<_, Vec<String>>(5)?.into_iter().collect(),
        };
        batch.groups.stands(id(&row, 0)?, group);
    }
    Ok(())
}

/// The columns that [`account`] reads, of `portal_accounts a`, behind the portal and the user.
pub const ACCOUNT: &str = "a.portal, a.user_id::text, a.key, a.state, a.role, a.user_name, \
     a.email, a.display_name, a.given_name, a.family_name, a.attributes::text, a.metadata::text";

async fn read_accounts(
    transaction: &Transaction<'_>,
    batch: &mut Batch<'_>,
    places: &BTreeSet<(String, RowId)>,
) -> Result<(), Trouble> {
    if places.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "select {ACCOUNT}, a.reason, u.directory \
         from unnest($1::text[], $2::text[]::uuid[]) as wanted (p, u) \
         join portal_accounts a on a.portal = wanted.p and a.user_id = wanted.u \
         join directory_users u on u.id = a.user_id"
    );
    let portals: Vec<&str> = places.iter().map(|(portal, _)| portal.as_str()).collect();
    let users = texts(places.iter().map(|(_, user)| user));
    for row in transaction.query(&sql, &[&portals, &users]).await? {
        let account = AccountRow {
            key: row.try_get(2)?,
            state: State::named(row.try_get(3)?),
            account: account(&row)?,
            reason: row.try_get(12)?,
            directory: row.try_get(13)?,
        };
        let place = (row.try_get(0)?, id(&row, 1)?);
        batch.accounts.stands(place, account);
    }
    Ok(())
}

pub fn account(row: &Row) -> Result<Account, Trouble> {
    let role: Option<&str> = row.try_get(4)?;
    Ok(Account {
        user_name: row.try_get(5)?,
        email: row.try_get(6)?,
        display_name: row.try_get(7)?,
        given_name: row.try_get(8)?,
        family_name: row.try_get(9)?,
        active: State::named(row.try_get(3)?) == State::Active,
        role: role.and_then(|role| role.parse().ok()),
        attributes: values(json(row, 10)?),
        metadata: values(json(row, 11)?),
    })
}

async fn read_memberships(
    transaction: &Transaction<'_>,
    batch: &mut Batch<'_>,
    from: &str,
    groups: &[String],
    users: &[String],
) -> Result<(), Trouble> {
    if groups.is_empty() && users.is_empty() {
        return Ok(());
    }
    let sql = format!("select m.group_id::text, m.user_id::text, m.direct, m.portals {from}");
    for row in transaction.query(&sql, &[&groups, &users]).await? {
        let membership = MembershipRow {
            direct: row.try_get(2)?,
            portals: row.try_get::<_, Vec<String>>(3)?.into_iter().collect(),
        };
        batch.membership_stands(id(&row, 0)?, id(&row, 1)?, membership);
    }
    Ok(())
}

pub fn id(row: &Row, column: usize) -> Result<RowId, Trouble> {
    let text: &str = row.try_get(column)?;
    text.parse()
        .map_err(|_| Trouble::Away("a uuid came back as something else".to_owned()))
}

fn json(row: &Row, column: usize) -> Result<serde_json::Value, Trouble> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text)
        .map_err(|error| Trouble::Away(format!("jsonb came back as something else: {error}")))
}

fn values(json: serde_json::Value) -> BTreeMap<String, Value> {
    let serde_json::Value::Object(fields) = json else {
        return BTreeMap::new();
    };
    let fields = fields.into_iter();
    fields
        .filter_map(|(name, value)| Some((name, Value::from_json(value)?)))
        .collect()
}
