//! The tables: made at the first run, brought up to date by later versions, and opened to who
//! may read them.

use tokio_postgres::Client;

use super::trouble::{Trouble, describe};

/// What made each version out of the one before. A migration that was released never changes.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql")];

/// The version that this program reads and writes.
pub const VERSION: i32 = MIGRATIONS.len() as i32;

/// A name as it stands in SQL.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The version of the tables; 0 where there are none.
pub async fn version(client: &Client, schema: &str) -> Result<i32, Trouble> {
    let table = format!("{}.rosterd_schema", quoted(schema));
    let there = "select to_regclass($1) is not null";
    let there: bool = client.query_one(there, &[&table]).await?.get(0);
    if !there {
        return Ok(0);
    }
    let newest = "select coalesce(max(version), 0) from rosterd_schema";
    Ok(client.query_one(newest, &[]).await?.get(0))
}

pub async fn bring_up_to_date(client: &mut Client, schema: &str) -> Result<(), Trouble> {
    let found = version(client, schema).await?;
    if found > VERSION {
        return Err(Trouble::Away(too_new(schema, found)));
    }
    if found == VERSION {
        return Ok(());
    }
    for (version, migration) in (1..).zip(MIGRATIONS).skip(found as usize) {
        migrate(client, schema, version, migration)
            .await
            .map_err(|error| {
                Trouble::Away(format!(
                    "the tables of schema '{schema}' cannot be brought to version {version}: {}; \
                     let rosterd's role create them: create schema {} authorization ROLE",
                    describe(&error),
                    quoted(schema)
                ))
            })?;
    }
    Ok(())
}

pub fn too_new(schema: &str, found: i32) -> String {
    format!(
        "the tables of schema '{schema}' are of version {found}, and this rosterd knows {VERSION}: \
         use the newer rosterd that made them"
    )
}

/// All of a version or nothing of it.
async fn migrate(
    client: &mut Client,
    schema: &str,
    version: i32,
    migration: &str,
) -> Result<(), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    if version == 1 {
        let there = "select exists (select from pg_namespace where nspname = $1)";
        let there: bool = transaction.query_one(there, &[&schema]).await?.get(0);
        // Asked for first: `if not exists` needs the right to create it even where it is there.
        if !there {
            let make = format!("create schema {}", quoted(schema));
            transaction.batch_execute(&make).await?;
        }
        let versions = "create table rosterd_schema (\
             version integer primary key, applied_at timestamptz not null default now())";
        transaction.batch_execute(versions).await?;
    }
    transaction.batch_execute(migration).await?;
    let note = "insert into rosterd_schema (version) values ($1)";
    transaction.execute(note, &[&version]).await?;
    transaction.commit().await
}

/// Whether a role may read everything in the schema; None where there is no such role.
pub async fn may_read(client: &Client, schema: &str, role: &str) -> Result<Option<bool>, Trouble> {
    let exists = "select exists (select from pg_roles where rolname = $1)";
    let exists: bool = client.query_one(exists, &[&role]).await?.get(0);
    if !exists {
        return Ok(None);
    }
    let may = "select has_schema_privilege($1::name, n.oid, 'usage') and not exists (
           select from pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'v')
           and not has_table_privilege($1::name, c.oid, 'select'))
         from pg_namespace n where n.nspname = $2";
    let row = client.query_opt(may, &[&role, &schema]).await?;
    Ok(Some(row.is_some_and(|row| row.get(0))))
}

/// Lets a role read everything, and write nothing.
pub async fn let_read(client: &Client, schema: &str, role: &str) -> Result<(), Trouble> {
    match may_read(client, schema, role).await? {
        Some(true) => return Ok(()),
        Some(false) => {}
        None => return Err(Trouble::Away(no_such_role(role))),
    }
    let (schema, role) = (quoted(schema), quoted(role));
    let grants = format!(
        "grant usage on schema {schema} to {role}; \
         grant select on all tables in schema {schema} to {role}"
    );
    Ok(client.batch_execute(&grants).await?)
}

pub fn no_such_role(role: &str) -> String {
    format!(
        "the database has no role '{role}', which reader_role names: create role {}",
        quoted(role)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted("a\"; drop table x"), "\"a\"\"; drop table x\"");
    }
}
