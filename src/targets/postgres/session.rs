//! One connection that writes, and keeps every other writer out while it lives.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio_postgres::{Client, NoTls};

use super::Options;
use super::address::Address;
use super::schema;
use super::trouble::{Trouble, describe};

/// The oldest server that has what the tables need: generated columns came with 12.
const OLDEST: i32 = 12;

/// How long a writer that is about to end is waited for: a server takes a moment to notice that
/// a process was killed.
const PATIENCE: &str = "3s";

pub struct Session {
    pub client: Client,
}

impl Session {
    /// Connects, keeps other writers out, and brings the tables up to date.
    pub async fn open(options: &Options, handle: &Handle) -> Result<Session, Trouble> {
        let mut session = Session::connect(options, handle).await?;
        session.only_writer(options).await?;
        schema::bring_up_to_date(&mut session.client, &options.schema).await?;
        if let Some(role) = &options.reader_role {
            schema::let_read(&session.client, &options.schema, role).await?;
        }
        Ok(session)
    }

    /// Connects, and no more.
    pub async fn connect(options: &Options, handle: &Handle) -> Result<Session, Trouble> {
        let client = connect(&options.address, options.timeout, handle).await?;
        let version = client.query_one("show server_version_num", &[]).await?;
        let version: i32 = version.get::<_, &str>(0).parse().unwrap_or(0) / 10_000;
        if version < OLDEST {
            return Err(Trouble::Away(format!(
                "the server is PostgreSQL {version}; the tables need {OLDEST} or later"
            )));
        }
        let path = format!(
            "set search_path to {}; set client_min_messages to warning",
            schema::quoted(&options.schema)
        );
        client.batch_execute(&path).await?;
        Ok(Session { client })
    }

    async fn only_writer(&self, options: &Options) -> Result<(), Trouble> {
        let key = lock_key(&options.schema);
        let wait = format!("set lock_timeout to '{PATIENCE}'");
        self.client.batch_execute(&wait).await?;
        let lock = "select pg_advisory_lock($1)";
        match self.client.query(lock, &[&key]).await {
            Ok(_) => Ok(self.client.batch_execute("reset lock_timeout").await?),
            Err(error) if error.code().is_some_and(|code| code.code() == "55P03") => {
                Err(Trouble::Away(another_writer(&options.schema)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether nobody writes now. For sessions that do not write themselves.
    pub async fn is_free(&self, schema: &str) -> Result<bool, Trouble> {
        let key = lock_key(schema);
        let lock = "select pg_try_advisory_lock($1)";
        let free: bool = self.client.query_one(lock, &[&key]).await?.get(0);
        if free {
            let unlock = "select pg_advisory_unlock($1)";
            self.client.query_one(unlock, &[&key]).await?;
        }
        Ok(free)
    }
}

pub fn another_writer(schema: &str) -> String {
    format!(
        "another rosterd writes to schema '{schema}' of this database: only one may; stop it, or give this one a schema of its own"
    )
}

/// The advisory lock of a schema. Other applications of the database have locks of their own,
/// under other numbers.
fn lock_key(schema: &str) -> i64 {
    let hash = blake3::derive_key("rosterd 2026 the writer of a schema", schema.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[..8]);
    i64::from_le_bytes(bytes)
}

async fn connect(address: &Address, timeout: Duration, handle: &Handle) -> Result<Client, Trouble> {
    let mut config = address.config.clone();
    config.connect_timeout(timeout);
    // The connection is driven on its own; when it ends the client says so at the next call.
    let connected = match &address.tls {
        Some(tls) => config
            .connect(tls.clone())
            .await
            .map(|(client, connection)| {
                handle.spawn(connection);
                client
            }),
        None => config.connect(NoTls).await.map(|(client, connection)| {
            handle.spawn(connection);
            client
        }),
    };
    connected.map_err(|error| {
        let text = describe(&error);
        Trouble::Away(format!("cannot be reached: {text}"))
    })
}
