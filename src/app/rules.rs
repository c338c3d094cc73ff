//! The settings of portals and sources, compiled into what the rules use.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::config::{self, Settings};
use crate::directory::Value;
use crate::directory::fold::fold;
use crate::rules::attributes::{From, Mapping, Rule};
use crate::rules::{Filter, OnDeactivate, Portal, SourceRules};

pub fn source_rules(source: &config::Source) -> SourceRules {
    SourceRules {
        name: source.name.as_str().to_owned(),
        assigned_only: matches!(source.scope, config::Scope::Assigned { .. }),
        nested_groups: source.nested_groups,
    }
}

pub fn portals(settings: &Settings) -> anyhow::Result<Vec<Portal>> {
    settings
        .portals
        .values()
        .map(|portal| compile(portal, settings))
        .collect()
}

fn compile(portal: &config::Portal, settings: &Settings) -> anyhow::Result<Portal> {
    let config::Portal {
        name,
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
    let mapping = attributes
        .iter()
        .map(|(name, mapping)| (name.clone(), rule(mapping)))
        .collect();
    Ok(Portal {
        name: name.as_str().to_owned(),
        kind: *kind,
        target: target.as_str().to_owned(),
        sources: sources
            .iter()
            .map(|source| source.as_str().to_owned())
            .collect(),
        on_create: *on_create,
        on_deactivate: match on_deactivate {
            config::OnDeactivate::Nothing => OnDeactivate::Nothing,
            config::OnDeactivate::Remove => OnDeactivate::Remove,
            config::OnDeactivate::Disable => OnDeactivate::Disable,
            config::OnDeactivate::UnassignDevices => OnDeactivate::UnassignDevices,
            config::OnDeactivate::ChangePolicy => {
                OnDeactivate::ChangePolicy(policy.clone().unwrap_or_default())
            }
            config::OnDeactivate::RemoveUser => OnDeactivate::RemoveUser,
            config::OnDeactivate::RemoveUserAndDevices => OnDeactivate::RemoveUserAndDevices,
        },
        match_on: *match_on,
        roles: roles
            .iter()
            .map(|(group, role)| (fold(group), *role))
            .collect(),
        default_role: *default_role,
        role_updates: *role_updates,
        grace: SignedDuration::try_from(*deactivate_after)?,
        push: push.clone(),
        include: filter(include),
        exclude: filter(exclude),
        mapping: Mapping::new(mapping).map_err(anyhow::Error::msg)?,
        protect: settings
            .safety
            .protect
            .iter()
            .map(|key| fold(key))
            .collect(),
    })
}

fn filter(filter: &config::Filter) -> Option<Filter> {
    if filter.is_empty() {
        return None;
    }
    let attributes = filter
        .attributes
        .iter()
        .map(|condition| (condition.attribute.clone(), fold(&condition.value)))
        .collect();
    Some(Filter {
        groups: filter.groups.clone(),
        attributes,
    })
}

fn rule(mapping: &config::Mapping) -> Rule {
    let value = |json: &Option<serde_json::Value>| json.clone().and_then(Value::from_json);
    match mapping {
        config::Mapping::From { attribute, default } => Rule {
            from: From::Attribute(attribute.clone()),
            default: value(default),
        },
        config::Mapping::Constant(constant) => Rule {
            // An empty constant is an absence, like any empty string.
            from: match Value::from_json(constant.clone()) {
                Some(constant) => From::Constant(constant),
                None => From::Attribute("source.".to_owned()),
            },
            default: None,
        },
        config::Mapping::Template { template, default } => Rule {
            from: From::Template(template.as_str().to_owned()),
            default: value(default),
        },
    }
}

/// The attributes of a source that the portals it feeds look at, beside those that are always
/// carried. What is not among them need not be fetched.
pub fn needed_attributes(source: &str, portals: &[Portal]) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for portal in portals
        .iter()
        .filter(|portal| portal.precedence(source).is_some())
    {
        needed.extend(portal.mapping.needs());
        for filter in [&portal.include, &portal.exclude].into_iter().flatten() {
            needed.extend(filter.attributes.iter().map(|(name, _)| name.clone()));
        }
    }
    needed
}
