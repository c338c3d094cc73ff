//! What of a portal's rules a service provider cannot carry out. Asks nobody.

use super::place::Place;
use super::profile::Profile;
use crate::config::{DeleteMeans, GroupsWord, OnRemove, RoleAs};
use crate::rules::{Portal, PortalKind};
use crate::scim::schema::urn;

/// `others` are the portals that live in the target, this one among them, in order.
pub fn cannot(portal: &Portal, others: &[&str], profile: &Profile) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(first) = others.first().filter(|first| **first != portal.name) {
        lines.push(format!(
            "portal '{first}' lives in target '{}' already, and a SCIM service has one set of users: give this portal a target of its own",
            portal.target
        ));
    }
    if portal.kind == PortalKind::Dashboard && profile.role_as == RoleAs::Nothing {
        lines.push(format!(
            "accounts of a dashboard have a role, and profile '{}' of target '{}' carries none: set role_as of the target to roles, entitlements or groups, as the service has it",
            profile.word, portal.target
        ));
    }
    if let Some(rule) = portal.on_deactivate.about_devices() {
        lines.push(format!(
            "on_deactivate = \"{rule}\" is about devices, of which SCIM knows nothing: choose nothing or remove_user, or a target that has devices"
        ));
    }
    let with_groups = !portal.push.is_empty();
    if with_groups && profile.groups == GroupsWord::Off {
        lines.push(format!(
            "target '{}' takes no groups: set groups = {{ push = [] }} for the portal",
            portal.target
        ));
    }
    if profile.groups == GroupsWord::Off && profile.role_as == RoleAs::Groups {
        lines.push(format!(
            "role_as = \"groups\" needs groups, and target '{}' takes none",
            portal.target
        ));
    }
    if profile.on_remove == OnRemove::Delete && profile.delete_means == DeleteMeans::Forbidden {
        lines.push(format!(
            "on_remove = \"delete\" of target '{}' is not possible: with profile '{}' nobody is deleted; choose deactivate or none",
            portal.target, profile.word
        ));
    }
    for attribute in portal.mapping.attributes() {
        if let Some(why) = not_carried(attribute, profile) {
            lines.push(format!("attribute '{attribute}' cannot be carried: {why}"));
        }
    }
    lines
}

fn not_carried(attribute: &str, profile: &Profile) -> Option<String> {
    let name = attribute.rsplit(':').next().unwrap_or(attribute);
    if attribute.starts_with("metadata.") {
        return Some(
            "SCIM has no metadata: map it under the URN of an extension, such as \"urn:example:2.0:User:badge\"".to_owned(),
        );
    }
    let core = attribute
        .strip_prefix(urn::USER)
        .map_or(!attribute.contains(':'), |rest| rest.starts_with(':'));
    if core && matches!(name, "externalId" | "active" | "role" | "password") {
        return Some("rosterd itself decides what is there".to_owned());
    }
    if attribute == "manager" {
        return Some(
            "it would have to be the id that the service gave the manager: map it under a URN of an extension".to_owned(),
        );
    }
    let Some(place) = Place::of(attribute, profile.role_as) else {
        return Some(
            "SCIM has no attribute of this name: map it under the URN of an extension, such as \"urn:example:2.0:User:badge\"".to_owned(),
        );
    };
    if profile.forbidden_attrs.contains(&name) {
        return Some(format!("profile '{}' refuses it", profile.word));
    }
    match (&place, &profile.extensions) {
        (Place::Extension { urn, .. }, Some(known)) if !known.contains(urn) => Some(format!(
            "profile '{}' does not take the extension {urn}: name it in extensions of the target if the service does",
            profile.word
        )),
        _ => None,
    }
}
