//! `[safety]`: what holds a plan, and whom no plan touches.

use std::collections::BTreeSet;

use super::limit::Limit;
use super::section::Section;

/// The settings of `[safety]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Safety {
    /// Most accounts of a portal one run may deactivate. Default: `10%`.
    pub max_deactivations: Limit,
    /// Most groups of a portal one run may delete. Default: `10%`.
    pub max_group_deletes: Limit,
    /// Most memberships of a portal one run may drop. Default: `25%`.
    pub max_membership_removals: Limit,
    /// Match keys, as written, of accounts that are never deactivated. Default: none.
    pub protect: BTreeSet<String>,
}

impl Safety {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        Some(Self {
            max_deactivations: limit(section, "max_deactivations")?,
            max_group_deletes: limit(section, "max_group_deletes")?,
            max_membership_removals: limit(section, "max_membership_removals")?,
            protect: section
                .texts("protect")
                .into_iter()
                .map(|key| key.trim().to_owned())
                .collect(),
        })
    }
}

/// A limit may be written as a number or as a text.
fn limit(section: &Section, key: &str) -> Option<Limit> {
    let value = section.value(key)?;
    value
        .as_u64()
        .map(Limit::Count)
        .or_else(|| value.as_str()?.parse().ok())
}
