//! Every attribute, declared once: its type, who may write it, when it is returned, how it
//! compares. `/Schemas`, validation, filters, patches and projection all read it here.

mod common;
pub mod document;
mod group;
mod types;
mod user;

pub use types::{Resolved, ResourceType, Schema, Types};

/// The URNs of RFC 7643 and RFC 7644.
pub mod urn {
    pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
    pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
    pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
    pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
    pub const PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
    pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
    pub const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
    pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
    pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
}

/// The two types of resource.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    User,
    Group,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::User, Kind::Group];

    /// The name in `meta.resourceType`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::User => "User",
            Kind::Group => "Group",
        }
    }

    /// Where its resources are.
    pub fn endpoint(self) -> &'static str {
        match self {
            Kind::User => "/Users",
            Kind::Group => "/Groups",
        }
    }

    /// The letter in keys and marks.
    pub fn letter(self) -> u8 {
        match self {
            Kind::User => b'u',
            Kind::Group => b'g',
        }
    }
}

/// What a value is made of (RFC 7643 §2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Text,
    Boolean,
    DateTime,
    Binary,
    Reference,
    Complex,
}

impl Form {
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Text => "string",
            Form::Boolean => "boolean",
            Form::DateTime => "dateTime",
            Form::Binary => "binary",
            Form::Reference => "reference",
            Form::Complex => "complex",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutability {
    ReadWrite,
    ReadOnly,
    Immutable,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Returned {
    Always,
    Default,
}

/// One attribute or sub-attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub name: String,
    pub form: Form,
    pub multi: bool,
    pub required: bool,
    pub case_exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    /// Nobody else of the source may have the value.
    pub unique: bool,
    pub canonical: &'static [&'static str],
    pub references: &'static [&'static str],
    pub description: String,
    pub sub: Vec<Attribute>,
}

impl Attribute {
    pub fn new(name: &str, form: Form, description: &str) -> Attribute {
        Attribute {
            name: name.to_owned(),
            form,
            multi: false,
            required: false,
            // Binary and references compare by every letter (RFC 7643 §2.3.6, §2.3.7).
            case_exact: matches!(form, Form::Binary | Form::Reference),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            unique: false,
            canonical: &[],
            references: &[],
            description: description.to_owned(),
            sub: Vec::new(),
        }
    }

    /// The sub-attribute of that name, in any case.
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        self.sub.iter().find(|sub| super::same(&sub.name, name))
    }

    pub fn read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }

    fn multi(mut self) -> Attribute {
        self.multi = true;
        self
    }

    fn required(mut self) -> Attribute {
        self.required = true;
        self
    }

    fn exact(mut self) -> Attribute {
        self.case_exact = true;
        self
    }

    fn unique(mut self) -> Attribute {
        self.unique = true;
        self
    }

    fn always(mut self) -> Attribute {
        self.returned = Returned::Always;
        self
    }

    fn only_read(mut self) -> Attribute {
        self.mutability = Mutability::ReadOnly;
        for sub in &mut self.sub {
            sub.mutability = Mutability::ReadOnly;
        }
        self
    }

    fn immutable(mut self) -> Attribute {
        self.mutability = Mutability::Immutable;
        self
    }

    fn one_of(mut self, canonical: &'static [&'static str]) -> Attribute {
        self.canonical = canonical;
        self
    }

    fn to(mut self, references: &'static [&'static str]) -> Attribute {
        self.references = references;
        self
    }

    fn with(mut self, sub: Vec<Attribute>) -> Attribute {
        self.sub = sub;
        self
    }
}

fn text(name: &str, description: &str) -> Attribute {
    Attribute::new(name, Form::Text, description)
}

fn boolean(name: &str, description: &str) -> Attribute {
    Attribute::new(name, Form::Boolean, description)
}

fn reference(name: &str, description: &str) -> Attribute {
    Attribute::new(name, Form::Reference, description)
}

fn complex(name: &str, description: &str, sub: Vec<Attribute>) -> Attribute {
    Attribute::new(name, Form::Complex, description).with(sub)
}

/// A list of values of the usual shape: value, display, type, primary (RFC 7643 §2.4).
fn plural(
    name: &str,
    description: &str,
    value: Attribute,
    kinds: &'static [&'static str],
) -> Attribute {
    let sub = vec![
        value,
        text("display", "A name for people to read."),
        text("type", "What it is for.").one_of(kinds),
        boolean(
            "primary",
            "Whether it is the preferred one. At most one is.",
        ),
    ];
    complex(name, description, sub).multi()
}
