//! Opens everything a command needs, once, from the settings. Nothing else opens anything.

pub mod rules;
mod sources;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;

use crate::config::{Loaded, Settings};
use crate::plan::guard::Limits;
use crate::store::{DEFAULT_CACHE_BYTES, SledEngine, Store};
use crate::sync::{History, Sync};
use crate::targets::{Target, local::Local};

/// The store alone: what commands need that only read, or only copy.
pub fn open_store(settings: &Settings) -> anyhow::Result<Store> {
    let engine = SledEngine::open(&settings.state.path, DEFAULT_CACHE_BYTES)?;
    Ok(Store::new(Arc::new(engine)))
}

/// Everything a run needs.
pub fn open(loaded: &Loaded) -> anyhow::Result<Arc<Sync>> {
    let settings = &loaded.settings;
    let portals = rules::portals(settings)?;
    // Before the store: a secret that cannot be read is said without touching anything.
    let mut sources = BTreeMap::new();
    for (name, source) in &settings.sources {
        let needed = rules::needed_attributes(name.as_str(), &portals);
        let opened = sources::open(source, needed)
            .with_context(|| format!("source '{}' cannot be opened", name.as_str()))?;
        sources.insert(name.as_str().to_owned(), opened);
    }
    let store = open_store(settings)?;
    let local: Arc<dyn Target> = Arc::new(Local::new(store.clone()));
    let targets: BTreeMap<String, Arc<dyn Target>> = settings
        .targets
        .keys()
        .map(|name| (name.as_str().to_owned(), local.clone()))
        .collect();
    let fingerprints = settings
        .portals
        .keys()
        .filter_map(|name| Some((name.as_str().to_owned(), settings.rules_fingerprint(name)?)))
        .collect();
    Ok(Arc::new(Sync {
        rules: settings.sources.values().map(rules::source_rules).collect(),
        sources,
        portals,
        targets,
        limits: Limits {
            max_deactivations: settings.safety.max_deactivations,
            max_group_deletes: settings.safety.max_group_deletes,
            max_membership_removals: settings.safety.max_membership_removals,
        },
        fingerprints,
        scopes: settings
            .sources
            .keys()
            .filter_map(|name| Some((name.as_str().to_owned(), settings.scope_fingerprint(name)?)))
            .collect(),
        history: history_of(settings),
        store,
    }))
}

/// The plans of past runs, beside the store.
pub fn history_of(settings: &Settings) -> History {
    History(settings.state.path.join("runs"))
}
