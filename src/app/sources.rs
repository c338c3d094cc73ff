//! A source's settings, opened.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;

use crate::config;
use crate::sources::Source;

pub fn open(
    source: &config::Source,
    attributes: BTreeSet<String>,
) -> anyhow::Result<Arc<dyn Source>> {
    let _ = attributes;
    let pull = source.pull().context("a pushed source is not pulled")?;
    let _ca = ca(pull)?;
    anyhow::bail!("not wired yet")
}

fn ca(pull: &config::Pull) -> anyhow::Result<Option<Vec<u8>>> {
    pull.ca_file
        .as_ref()
        .map(|file| {
            std::fs::read(file).with_context(|| {
                format!(
                    "ca_file {} cannot be read; name a PEM file that rosterd may read",
                    file.display()
                )
            })
        })
        .transpose()
}
