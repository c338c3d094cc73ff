//! Opens everything a command needs, once, from the settings. Nothing else opens anything.
//!
//! The store has one holder at a time. Where that is the daemon, a command gets the store, and
//! its runs, through the daemon instead, and need not care.

mod held;
pub mod rules;
mod sources;
pub mod targets;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;

pub use held::{App, Opened, open, open_store};

use crate::audit::AuditLog;
use crate::config::{Loaded, Settings, SourceKind};
use crate::plan::guard::Limits;
use crate::sources::Source;
use crate::store::{SledEngine, Store};
use crate::sync::push::Inbox;
use crate::sync::{History, Sync};
use crate::targets::Target;

/// The store, for this process alone.
pub fn open_own_store(settings: &Settings) -> anyhow::Result<Store> {
    let engine = SledEngine::open(&settings.state.path, settings.state.cache)?;
    Ok(Store::new(Arc::new(engine)))
}

/// Everything a run needs, for this process alone.
pub fn open_own(loaded: &Loaded) -> anyhow::Result<Arc<Sync>> {
    // Before the store: a secret that cannot be read is said without touching anything.
    let parts = Parts::open(&loaded.settings)?;
    Ok(parts.over(open_own_store(&loaded.settings)?, loaded))
}

/// Everything a run needs, over a store that is open already.
pub fn open_over(store: Store, loaded: &Loaded) -> anyhow::Result<Arc<Sync>> {
    Ok(Parts::open(&loaded.settings)?.over(store, loaded))
}

/// What the settings alone decide.
struct Parts {
    portals: Vec<crate::rules::Portal>,
    sources: BTreeMap<String, Arc<dyn Source>>,
    targets: BTreeMap<String, targets::Opener>,
}

impl Parts {
    fn open(settings: &Settings) -> anyhow::Result<Parts> {
        let portals = rules::portals(settings)?;
        let mut sources = BTreeMap::new();
        for (name, source) in &settings.sources {
            if matches!(source.kind, SourceKind::Scim(_)) {
                continue;
            }
            let needed = rules::needed_attributes(name.as_str(), &portals);
            let opened = sources::open(source, needed)
                .with_context(|| format!("source '{}' cannot be opened", name.as_str()))?;
            sources.insert(name.as_str().to_owned(), opened);
        }
        let mut targets = BTreeMap::new();
        for (name, target) in &settings.targets {
            let there = portals
                .iter()
                .filter(|portal| portal.target == name.as_str());
            let opener = targets::open(target, there.cloned().collect())
                .with_context(|| format!("target '{}' cannot be opened", name.as_str()))?;
            targets.insert(name.as_str().to_owned(), opener);
        }
        Ok(Parts {
            portals,
            sources,
            targets,
        })
    }

    fn over(self, store: Store, loaded: &Loaded) -> Arc<Sync> {
        let settings = &loaded.settings;
        let targets: BTreeMap<String, Arc<dyn Target>> = self
            .targets
            .into_iter()
            .map(|(name, opener)| (name, opener(&store)))
            .collect();
        let fingerprints = settings
            .portals
            .keys()
            .filter_map(|name| Some((name.as_str().to_owned(), settings.rules_fingerprint(name)?)));
        let scopes = settings
            .sources
            .keys()
            .filter_map(|name| Some((name.as_str().to_owned(), settings.scope_fingerprint(name)?)));
        Arc::new(Sync {
            rules: settings.sources.values().map(rules::source_rules).collect(),
            sources: self.sources,
            inboxes: inboxes(settings, &store),
            portals: self.portals,
            targets,
            limits: Limits {
                max_deactivations: settings.safety.max_deactivations,
                max_group_deletes: settings.safety.max_group_deletes,
                max_membership_removals: settings.safety.max_membership_removals,
            },
            fingerprints: fingerprints.collect(),
            scopes: scopes.collect(),
            history: history_of(settings),
            history_kept: settings.history.clone(),
            audit: audit_of(settings),
            audit_kept: settings.audit.clone(),
            store,
        })
    }
}

/// The sources that clients push to.
fn inboxes(settings: &Settings, store: &Store) -> BTreeMap<String, Arc<Inbox>> {
    let portals: Vec<String> = settings
        .portals
        .keys()
        .map(|name| name.as_str().to_owned())
        .collect();
    settings
        .sources
        .iter()
        .filter_map(|(name, source)| match &source.kind {
            SourceKind::Scim(scim) => Some((name.as_str().to_owned(), scim)),
            SourceKind::Graph(_) | SourceKind::Okta(_) => None,
        })
        .map(|(name, scim)| {
            let base = settings.server.scim_base(&name);
            let inbox = Inbox::new(store.clone(), name.clone(), scim, portals.clone(), base);
            (name, Arc::new(inbox))
        })
        .collect()
}

/// The audit log, beside the store.
pub fn audit_of(settings: &Settings) -> AuditLog {
    AuditLog::new(settings.state.path.join("audit"))
}

/// The plans of past runs, beside the store.
pub fn history_of(settings: &Settings) -> History {
    History(settings.state.path.join("runs"))
}
