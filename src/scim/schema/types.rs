//! Which attributes a type of resource has, and how a name finds one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Attribute, Form, Kind, common, group, text, urn, user};
use crate::scim::same;

/// A schema: a URN and its attributes.
#[derive(Clone, Debug)]
pub struct Schema {
    pub urn: String,
    pub name: String,
    pub description: String,
    pub attributes: Vec<Attribute>,
}

impl Schema {
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| same(&a.name, name))
    }
}

/// A type of resource: its core schema, the common attributes, and its extensions.
#[derive(Clone, Debug)]
pub struct ResourceType {
    pub kind: Kind,
    pub core: Schema,
    pub common: Vec<Attribute>,
    pub extensions: Vec<Schema>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub struct Resolved<'t> {
    /// The extension it is in; none: the core schema or common.
    pub extension: Option<&'t Schema>,
    pub attribute: &'t Attribute,
    pub sub: Option<&'t Attribute>,
}

impl ResourceType {
    /// An attribute of the core schema or a common one.
    pub fn core_attribute(&self, name: &str) -> Option<&Attribute> {
        let common = || self.common.iter().find(|a| same(&a.name, name));
        self.core.attribute(name).or_else(common)
    }

    /// The extension of that URN, in any case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().find(|e| same(&e.urn, urn))
    }

    /// The attribute, or sub-attribute, that a name in a filter, a path or a list stands for:
    /// `userName`, `name.givenName`, either with a schema's URN and a colon before it. A name
    /// without a URN that the core does not have is looked for in the extensions, since
    /// clients write `manager` for the enterprise one.
    pub fn resolve(&self, name: &str) -> Option<Resolved<'_>> {
        let after = |urn: &str| {
            let (head, tail) = name.split_at_checked(urn.len())?;
            same(head, urn).then(|| tail.strip_prefix(':')).flatten()
        };
        if let Some(rest) = after(&self.core.urn) {
            return resolve_in(None, rest, |name| self.core_attribute(name));
        }
        for extension in &self.extensions {
            if let Some(rest) = after(&extension.urn) {
                return resolve_in(Some(extension), rest, |name| extension.attribute(name));
            }
        }
        let core = resolve_in(None, name, |name| self.core_attribute(name));
        core.or_else(|| {
            let inside = |e| resolve_in(Some(e), name, |name| Schema::attribute(e, name));
            self.extensions.iter().find_map(inside)
        })
    }
}

fn resolve_in<'t>(
    extension: Option<&'t Schema>,
    name: &str,
    find: impl Fn(&str) -> Option<&'t Attribute>,
) -> Option<Resolved<'t>> {
    let (first, second) = match name.split_once('.') {
        Some((first, second)) => (first, Some(second)),
        None => (name, None),
    };
    let attribute = find(first)?;
    let sub = match second {
        Some(second) => Some(attribute.sub(second)?),
        None => None,
    };
    Some(Resolved {
        extension,
        attribute,
        sub,
    })
}

/// All types of resource that a source serves.
#[derive(Clone, Debug)]
pub struct Types {
    user: Arc<ResourceType>,
    group: Arc<ResourceType>,
}

impl Types {
    /// With the extensions of the settings: attribute names by URN. One whose URN ends in
    /// `:Group` extends groups, every other one users.
    pub fn new(extensions: &BTreeMap<String, Vec<String>>) -> Types {
        let core = |urn: &str, kind: Kind, attributes| Schema {
            urn: urn.to_owned(),
            name: kind.name().to_owned(),
            description: format!("{} of the directory.", kind.name()),
            attributes,
        };
        let mut user = ResourceType {
            kind: Kind::User,
            core: core(urn::USER, Kind::User, user::attributes()),
            common: common::attributes(),
            extensions: vec![Schema {
                urn: urn::ENTERPRISE.to_owned(),
                name: "EnterpriseUser".to_owned(),
                description: "What an enterprise knows of a user.".to_owned(),
                attributes: user::enterprise(),
            }],
        };
        let mut group = ResourceType {
            kind: Kind::Group,
            core: core(urn::GROUP, Kind::Group, group::attributes()),
            common: common::attributes(),
            extensions: Vec::new(),
        };
        for (urn, names) in extensions {
            let of_group = urn.to_ascii_lowercase().ends_with(":group");
            let kind = if of_group { &mut group } else { &mut user };
            let named = |name: &String| text(name, "Declared in the settings.");
            match kind.extensions.iter_mut().find(|e| same(&e.urn, urn)) {
                // The enterprise extension may be given further attributes.
                Some(known) => {
                    for name in names {
                        if known.attribute(name).is_none() {
                            known.attributes.push(named(name));
                        }
                    }
                }
                None => kind.extensions.push(Schema {
                    urn: urn.clone(),
                    name: urn.rsplit(':').nth(2).unwrap_or(urn).to_owned(),
                    description: "An extension declared in the settings.".to_owned(),
                    attributes: names.iter().map(named).collect(),
                }),
            }
        }
        Types {
            user: Arc::new(user),
            group: Arc::new(group),
        }
    }

    pub fn of(&self, kind: Kind) -> &ResourceType {
        match kind {
            Kind::User => &self.user,
            Kind::Group => &self.group,
        }
    }
}

impl Resolved<'_> {
    /// What a comparison looks at: of a complex attribute, its `value`.
    pub fn compared(&self) -> Option<&Attribute> {
        match self.sub {
            Some(sub) => Some(sub),
            None if self.attribute.form == Form::Complex => self.attribute.sub("value"),
            None => Some(self.attribute),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Types {
        Types::new(&BTreeMap::from([(
            "urn:example:2.0:User".to_owned(),
            vec!["floor".to_owned()],
        )]))
    }

    fn spelled(name: &str) -> Option<String> {
        let types = types();
        let found = types.of(Kind::User).resolve(name)?;
        let extension = found.extension.map_or("", |e| &e.urn);
        let sub = found.sub.map_or("", |sub| &sub.name);
        Some(format!("{extension}/{}/{sub}", found.attribute.name))
    }

    #[test]
    fn names_are_found_in_any_case_and_with_any_urn() {
        assert_eq!(spelled("USERNAME").as_deref(), Some("/userName/"));
        assert_eq!(
            spelled("name.GivenName").as_deref(),
            Some("/name/givenName")
        );
        let core = format!("{}:emails.value", urn::USER.to_uppercase());
        assert_eq!(spelled(&core).as_deref(), Some("/emails/value"));
        let enterprise = format!("{}:manager.value", urn::ENTERPRISE);
        let expected = format!("{}/manager/value", urn::ENTERPRISE);
        assert_eq!(spelled(&enterprise), Some(expected.clone()));
        assert_eq!(spelled("manager.value"), Some(expected));
        let own = spelled("urn:example:2.0:User:floor");
        assert_eq!(own.as_deref(), Some("urn:example:2.0:User/floor/"));
    }

    #[test]
    fn what_is_not_declared_is_not_found() {
        for name in [
            "",
            "nothing",
            "name.nothing",
            "userName.x",
            "urn:x:userName",
            ":",
            ".",
        ] {
            assert_eq!(spelled(name), None, "{name}");
        }
    }
}
