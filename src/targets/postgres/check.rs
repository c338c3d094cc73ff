//! `rosterd check`: the connection, the tables and who may do what with them. Writes nothing.

use super::schema::{self, VERSION, quoted};
use super::session::{Session, another_writer};
use super::trouble::Trouble;
use super::{Finding, Postgres, in_time};

impl Postgres {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut state = self.state();
        let own = state.session.take();
        let own = own.filter(|session| !session.client.is_closed());
        let mut findings = Vec::new();
        let done = self.handle.block_on(in_time(self.options.timeout, async {
            let (session, writes) = match own {
                Some(session) => (session, true),
                None => {
                    let session = Session::connect(&self.options, &self.handle).await?;
                    (session, false)
                }
            };
            self.look(&session, writes, &mut findings).await?;
            Ok(writes.then_some(session))
        }));
        match done {
            Ok(session) => state.session = session,
            Err(Trouble::Row(text) | Trouble::Away(text)) => {
                let place = &self.options.address.place;
                findings.push(Finding::wrong(format!("PostgreSQL at {place}: {text}")));
            }
            Err(Trouble::Store(error)) => findings.push(Finding::wrong(error.to_string())),
        }
        findings
    }

    /// `writes`: the session is the one that keeps other writers out.
    async fn look(
        &self,
        session: &Session,
        writes: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Trouble> {
        let schema = self.options.schema.as_str();
        let client = &session.client;
        let who = "select current_user::text, current_setting('server_version'), \
             coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false), \
             pg_is_in_recovery()";
        let row = client.query_one(who, &[]).await?;
        let (user, version): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let tls = match row.try_get(2)? {
            true => "with TLS",
            false => "without TLS",
        };
        let place = &self.options.address.place;
        findings.push(Finding::ok(format!(
            "signed in to PostgreSQL {version} at {place} as '{user}', {tls}"
        )));
        if row.try_get(3)? {
            findings.push(Finding::wrong(
                "the server is a standby, which takes no writes: name the primary in the url",
            ));
        }
        if !writes && !session.is_free(schema).await? {
            findings.push(Finding::wrong(another_writer(schema)));
        }
        findings.push(self.tables(session, &user).await?);
        if let Some(role) = &self.options.reader_role {
            let there = schema::version(client, schema).await? > 0;
            findings.push(match schema::may_read(client, schema, role).await? {
                None => Finding::wrong(schema::no_such_role(role)),
                Some(true) => Finding::ok(format!("role '{role}' may read the tables")),
                Some(false) if there => Finding::wrong(format!(
                    "role '{role}' may not read all of the tables yet; the next run grants it"
                )),
                Some(false) => Finding::ok(format!("role '{role}' is there to be let read")),
            });
        }
        Ok(())
    }

    /// Whether the tables are there and can be written, or can be made.
    async fn tables(&self, session: &Session, user: &str) -> Result<Finding, Trouble> {
        let schema = self.options.schema.as_str();
        let client = &session.client;
        let found = schema::version(client, schema).await?;
        if found > VERSION {
            return Ok(Finding::wrong(schema::too_new(schema, found)));
        }
        let may = "select coalesce(\
               (select has_schema_privilege(n.oid, 'create') from pg_namespace n where nspname = $1), \
               has_database_privilege(current_database(), 'create'))";
        let may_make: bool = client.query_one(may, &[&schema]).await?.try_get(0)?;
        if found < VERSION {
            return Ok(match may_make {
                true => Finding::ok(format!(
                    "the tables of schema '{schema}' will be made by the first run"
                )),
                false => Finding::wrong(format!(
                    "'{user}' may not make the tables of schema '{schema}': create schema {} authorization {}",
                    quoted(schema),
                    quoted(user)
                )),
            });
        }
        let closed = "select coalesce(string_agg(c.relname, ', ' order by c.relname), '') \
             from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = $1 and c.relkind = 'r' and not (\
               has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert') \
               and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))";
        let closed: String = client.query_one(closed, &[&schema]).await?.try_get(0)?;
        Ok(match closed.is_empty() {
            true => Finding::ok(format!(
                "the tables of schema '{schema}' are of version {found} and can be written"
            )),
            false => Finding::wrong(format!(
                "'{user}' may not write {closed} in schema '{schema}': grant select, insert, update, delete on all tables in schema {} to {}",
                quoted(schema),
                quoted(user)
            )),
        })
    }
}
