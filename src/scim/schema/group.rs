//! The schema of groups (RFC 7643 §4.2).

use super::{Attribute, complex, reference, text};

pub fn attributes() -> Vec<Attribute> {
    vec![
        text("displayName", "The group's name.").required(),
        complex(
            "members",
            "The users and groups in the group.",
            vec![
                text("value", "The member's id.").exact().immutable(),
                reference("$ref", "Where the member is.")
                    .to(&["User", "Group"])
                    .immutable(),
                text("type", "What the member is.")
                    .one_of(&["User", "Group"])
                    .immutable(),
            ],
        )
        .multi(),
    ]
}
