//! What every resource has (RFC 7643 §3.1).

use super::{Attribute, Form, complex, reference, text};

pub fn attributes() -> Vec<Attribute> {
    let date = |name, description| Attribute::new(name, Form::DateTime, description);
    vec![
        reference("schemas", "The schemas the resource uses.")
            .multi()
            .to(&["uri"])
            .always(),
        text("id", "The id that rosterd gave the resource.")
            .exact()
            .always()
            .only_read(),
        text("externalId", "The id that the client has for it.").exact(),
        complex(
            "meta",
            "When the resource came to be, and its version.",
            vec![
                text("resourceType", "The type of the resource.").exact(),
                date("created", "When it was created."),
                date("lastModified", "When it was last changed."),
                reference("location", "Where it is.").to(&["uri"]),
                text("version", "Its version, as an entity tag.").exact(),
            ],
        )
        .only_read(),
    ]
}
