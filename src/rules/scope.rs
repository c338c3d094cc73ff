//! Who is present in a portal: in scope and active. Presence is the one fact that moves accounts.

use std::fmt;

use super::attributes;
use super::person::Person;
use super::portal::{Filter, Portal, any_fits};
use crate::directory::Value;
use crate::directory::fold::fold;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Presence {
    /// With the reason, for the plan.
    Present(String),
    Absent(Cause),
}

impl Presence {
    pub fn is_present(&self) -> bool {
        matches!(self, Presence::Present(_))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    Deleted,
    Disabled,
    Unassigned,
    OutOfScope,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Deleted => "deleted",
            Cause::Disabled => "disabled",
            Cause::Unassigned => "unassigned",
            Cause::OutOfScope => "out of scope",
        })
    }
}

/// Whether this person is present in this portal, and why or why not. Of several causes of
/// absence the strongest is named: deleted, disabled, unassigned, out of scope.
pub fn presence(person: &Person<'_>, portal: &Portal) -> Presence {
    if person.gone {
        return Presence::Absent(Cause::Deleted);
    }
    if !person.user.active {
        return Presence::Absent(Cause::Disabled);
    }
    if portal.precedence(&person.source.name).is_none() {
        return Presence::Absent(Cause::OutOfScope);
    }
    let reason = if !person.source.assigned_only {
        "in the directory".to_owned()
    } else if person.assigned {
        "assigned to the application".to_owned()
    } else if let Some(group) = person
        .counted_groups()
        .find(|membership| membership.assigned)
    {
        format!(
            "assigned to the application through {}",
            group.group.display_name
        )
    } else {
        return Presence::Absent(Cause::Unassigned);
    };
    if portal
        .include
        .as_ref()
        .is_some_and(|filter| !holds(filter, person))
        || portal
            .exclude
            .as_ref()
            .is_some_and(|filter| holds(filter, person))
    {
        return Presence::Absent(Cause::OutOfScope);
    }
    Presence::Present(reason)
}

/// Whether any group or attribute of the filter is this person's.
pub fn holds(filter: &Filter, person: &Person<'_>) -> bool {
    let in_group = !filter.groups.is_empty()
        && person
            .counted_groups()
            .any(|membership| any_fits(&filter.groups, &membership.folded_name));
    in_group
        || filter.attributes.iter().any(|(name, wanted)| {
            match attributes::look_up(person.user, name) {
                Some(Value::List(items)) => items.iter().any(|item| fold(&item.plain()) == *wanted),
                Some(value) => fold(&value.plain()) == *wanted,
                None => false,
            }
        })
}
