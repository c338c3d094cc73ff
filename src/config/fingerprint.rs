//! A digest of what decides who is in which portal, and how.
//!
//! A run compares it with that of the last applied run: after a change of the rules, a
//! plan that deactivates anyone is held. What only decides how rosterd gets at a source
//! (credentials, hosts, schedules, timeouts) is left out: changing it changes nobody.

use serde::Serialize;
use serde_json::{Value, json};

use super::names::{PortalName, SourceName};
use super::portals::Portal;
use super::sources::{Graph, Okta, Scim, Scope, Source, SourceKind};
use super::{Loaded, Settings, duration};

impl Settings {
    /// The digest, in hex, of a portal's rules together with the scopes of its sources.
    /// None if there is no such portal.
    pub fn rules_fingerprint(&self, portal: &PortalName) -> Option<String> {
        let portal = self.portals.get(portal)?;
        let sources: Vec<Value> = portal
            .sources
            .iter()
            .map(|name| json!([name, self.sources.get(name).map(facts_of_source)]))
            .collect();
        Some(digest(&json!([facts_of_portal(portal), sources])))
    }

    /// The digest, in hex, of a source's scope. None if there is no such source.
    pub fn scope_fingerprint(&self, source: &SourceName) -> Option<String> {
        self.sources
            .get(source)
            .map(|source| digest(&facts_of_source(source)))
    }
}

impl Loaded {
    /// The digest, in hex, of all settings in force, secrets not included: two programs with
    /// the same one were told the same.
    pub fn fingerprint(&self) -> String {
        digest(&self.shown)
    }
}

// Both take their subject apart by name: a new field is a question to whoever adds it.

fn facts_of_portal(portal: &Portal) -> Value {
    let Portal {
        name: _,
        kind,
        target,
        sources,
        match_on,
        on_create,
        on_deactivate,
        policy,
        deactivate_after,
        default_role,
        role_updates,
        roles,
        push,
        include,
        exclude,
        attributes,
    } = portal;
    json!({
        "kind": kind,
        "target": target,
        "sources": sources,
        "match_on": match_on,
        "on_create": on_create,
        "on_deactivate": on_deactivate,
        "policy": policy,
        "deactivate_after": duration::show(*deactivate_after),
        "default_role": default_role,
        "role_updates": role_updates,
        "roles": roles,
        "push": push,
        "include": include,
        "exclude": exclude,
        "attributes": attributes,
    })
}

fn facts_of_source(source: &Source) -> Value {
    let Source {
        name: _,
        kind,
        scope,
        nested_groups,
    } = source;
    let application = match scope {
        Scope::Assigned { application } => Some(application),
        Scope::All => None,
    };
    let kind = match kind {
        SourceKind::Graph(Graph {
            tenant: _,
            sign_in: _,
            cloud: _,
            endpoint: _,
            authority: _,
            notifications: _,
            pull: _,
        }) => json!(["graph"]),
        SourceKind::Okta(Okta {
            org_url: _,
            sign_in: _,
            pending_users,
            hook_secret: _,
            pull: _,
        }) => {
            json!(["okta", pending_users])
        }
        // What is pushed is kept whether or not a mapping uses it.
        SourceKind::Scim(Scim {
            extensions: _,
            log: _,
        }) => json!(["scim"]),
    };
    json!({ "kind": kind, "application": application, "nested_groups": nested_groups })
}

/// JSON with sorted keys is the canonical form; the order of lists counts.
fn digest(facts: &(impl Serialize + ?Sized)) -> String {
    let text = serde_json::to_vec(facts).expect("facts are plain JSON values");
    blake3::hash(&text).to_hex().to_string()
}
