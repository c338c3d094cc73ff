//! Which groups are pushed to a portal.

use super::portal::{Portal, SourceRules, any_fits};

/// A group as the pushing rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct GroupFacts<'a> {
    pub source: &'a SourceRules,
    pub folded_name: &'a str,
    pub assigned: bool,
    pub gone: bool,
}

/// Under `assigned` only the assigned groups themselves are in scope, under `all` every
/// group; of these the globs select.
pub fn pushed(group: GroupFacts<'_>, portal: &Portal) -> bool {
    !group.gone
        && portal.precedence(&group.source.name).is_some()
        && (group.assigned || !group.source.assigned_only)
        && any_fits(&portal.push, group.folded_name)
}
