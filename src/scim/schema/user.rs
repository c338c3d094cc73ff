//! The schemas of users (RFC 7643 §4.1 and §4.3).
//!
//! There is no `password`: rosterd signs nobody in. One that is sent is dropped like any
//! attribute that is not declared, and neither kept nor logged.

use super::{Attribute, Form, boolean, complex, plural, reference, text};

pub fn attributes() -> Vec<Attribute> {
    let value = |description| text("value", description);
    vec![
        text("userName", "The name the user signs in with.")
            .required()
            .unique(),
        complex(
            "name",
            "The parts of the user's name.",
            vec![
                text("formatted", "The whole name."),
                text("familyName", "The family name."),
                text("givenName", "The given name."),
                text("middleName", "The middle names."),
                text("honorificPrefix", "What stands before the name."),
                text("honorificSuffix", "What stands behind it."),
            ],
        ),
        text("displayName", "The name to show."),
        text("nickName", "What the user is called."),
        reference("profileUrl", "Where the user's profile is.").to(&["external"]),
        text("title", "The user's title."),
        text("userType", "How the user belongs to the organization."),
        text("preferredLanguage", "The language the user prefers."),
        text("locale", "How to write dates and numbers for the user."),
        text("timezone", "Where the user's clock is.").exact(),
        boolean("active", "Whether the user may use the application."),
        plural(
            "emails",
            "Addresses to write to.",
            value("The address."),
            &["work", "home", "other"],
        ),
        plural(
            "phoneNumbers",
            "Numbers to call.",
            value("The number."),
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        plural(
            "ims",
            "Addresses of instant messaging.",
            value("The address."),
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        plural(
            "photos",
            "Pictures of the user.",
            reference("value", "Where the picture is.").to(&["external"]),
            &["photo", "thumbnail"],
        ),
        complex(
            "addresses",
            "Where the user is.",
            vec![
                text("formatted", "The whole address."),
                text("streetAddress", "Street and house."),
                text("locality", "The city."),
                text("region", "The state or region."),
                text("postalCode", "The postal code."),
                text("country", "The country."),
                text("type", "What it is for.").one_of(&["work", "home", "other"]),
                boolean(
                    "primary",
                    "Whether it is the preferred one. At most one is.",
                ),
            ],
        )
        .multi(),
        complex(
            "groups",
            "The groups that hold the user directly. They change by the groups' members.",
            vec![
                text("value", "The group's id.").exact(),
                reference("$ref", "Where the group is.").to(&["Group"]),
                text("display", "The group's name."),
                text("type", "How the user is in it.").one_of(&["direct", "indirect"]),
            ],
        )
        .multi()
        .only_read(),
        plural(
            "entitlements",
            "What the user is entitled to.",
            value("The entitlement."),
            &[],
        ),
        plural("roles", "The user's roles.", value("The role."), &[]),
        plural(
            "x509Certificates",
            "The user's certificates.",
            Attribute::new("value", Form::Binary, "The certificate, DER in base64."),
            &[],
        ),
    ]
}

/// The enterprise extension.
pub fn enterprise() -> Vec<Attribute> {
    vec![
        text(
            "employeeNumber",
            "The number the organization gave the user.",
        ),
        text("costCenter", "The cost center."),
        text("organization", "The organization."),
        text("division", "The division."),
        text("department", "The department."),
        complex(
            "manager",
            "The user's manager.",
            vec![
                text("value", "The manager's id.").exact(),
                reference("$ref", "Where the manager is.").to(&["User"]),
                text("displayName", "The manager's name.").only_read(),
            ],
        ),
    ]
}
