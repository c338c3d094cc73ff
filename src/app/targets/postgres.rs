//! Tables in the application's database.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::Opener;
use crate::app::sources::read_ca;
use crate::config;
use crate::targets::postgres::{Address, Options, Postgres};

pub fn open(settings: &config::Postgres) -> anyhow::Result<Opener> {
    let ca_pem = settings.ca_file.as_deref().map(read_ca).transpose()?;
    let url = settings.url.read()?;
    let options = Options {
        address: Address::read(url.expose(), ca_pem.as_deref())?,
        schema: settings.schema.clone(),
        reader_role: settings.reader_role.clone(),
        purge_after: settings.purge_after,
        timeout: settings.timeout,
    };
    let handle = Handle::current();
    Ok(Box::new(move |store| {
        Arc::new(Postgres::new(options, store.clone(), handle))
    }))
}
