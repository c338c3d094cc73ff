//! What an account carries: the attributes that are always there, and the portal's mappings.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Environment;

use crate::config::template_environment;
use crate::directory::{User, Value};
use crate::plan::Account;

/// Every attribute of the model a mapping may name; `source.<name>` reaches the rest.
pub const MODEL: [&str; 33] = [
    "id",
    "externalId",
    "userName",
    "name.givenName",
    "name.familyName",
    "name.formatted",
    "displayName",
    "email",
    "emails",
    "active",
    "userType",
    "title",
    "department",
    "division",
    "organization",
    "costCenter",
    "employeeNumber",
    "manager",
    "phoneNumbers",
    "phoneNumbers.work",
    "phoneNumbers.mobile",
    "addresses",
    "addresses.streetAddress",
    "addresses.locality",
    "addresses.region",
    "addresses.postalCode",
    "addresses.country",
    "preferredLanguage",
    "locale",
    "timezone",
    "name",
    "givenName",
    "familyName",
];

#[derive(Clone, Debug)]
pub struct Rule {
    pub from: From,
    pub default: Option<Value>,
}

#[derive(Clone, Debug)]
pub enum From {
    Attribute(String),
    Constant(Value),
    /// The template's text; compiled once in [`Mapping::new`].
    Template(String),
}

/// A portal's mappings, compiled.
#[derive(Clone, Default)]
pub struct Mapping {
    rules: BTreeMap<String, Rule>,
    templates: Arc<Environment<'static>>,
}

impl std::fmt::Debug for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mapping")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl Mapping {
    /// Compiles the templates; the error names the attribute and what is wrong.
    pub fn new(rules: BTreeMap<String, Rule>) -> Result<Mapping, String> {
        let mut templates = template_environment();
        // An attribute's name is no file name: `metadata.html` is not to be escaped.
        templates.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        for (attribute, rule) in &rules {
            if let From::Template(text) = &rule.from {
                templates
                    .add_template_owned(attribute.clone(), text.clone())
                    .map_err(|error| {
                        format!("the template of '{attribute}' does not parse: {error}")
                    })?;
            }
        }
        Ok(Mapping {
            rules,
            templates: Arc::new(templates),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The attributes of the account that are filled.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// The source attributes that direct mappings and templates may need. A template's are
    /// those its text names.
    pub fn needs(&self) -> Vec<String> {
        let mut needed = Vec::new();
        for (attribute, rule) in &self.rules {
            match &rule.from {
                From::Attribute(name) => needed.push(name.clone()),
                From::Constant(_) => {}
                From::Template(_) => {
                    if let Ok(template) = self.templates.get_template(attribute) {
                        needed.extend(template.undeclared_variables(true));
                    }
                }
            }
        }
        needed
    }
}

/// The account a present user should have, role aside. An error names the mapping that this
/// user's values break.
pub fn account_of(user: &User, mapping: &Mapping) -> Result<Account, String> {
    let mut account = Account {
        user_name: user.user_name.clone(),
        email: user.email().map(str::to_owned),
        display_name: user.shown_name(),
        given_name: user.name.given_name.clone(),
        family_name: user.name.family_name.clone(),
        active: true,
        ..Account::default()
    };
    let mut context = None;
    for (attribute, rule) in &mapping.rules {
        let value = match &rule.from {
            From::Attribute(name) => look_up(user, name),
            From::Constant(value) => Some(value.clone()),
            From::Template(_) => {
                let context = context.get_or_insert_with(|| template_context(user));
                let text = mapping
                    .templates
                    .get_template(attribute)
                    .and_then(|template| template.render(&*context))
                    .map_err(|error| format!("the template of '{attribute}' failed: {error}"))?;
                let text = text.trim();
                (!text.is_empty()).then(|| Value::from(text))
            }
        };
        account.set(attribute, value.or_else(|| rule.default.clone()));
    }
    Ok(account)
}

/// A user's attribute by the model's name, or `source.<name>`; None where it is absent or the
/// name is not known.
pub fn look_up(user: &User, name: &str) -> Option<Value> {
    let text = |text: &Option<String>| {
        text.clone()
            .filter(|text| !text.is_empty())
            .map(Value::Text)
    };
    match name {
        "id" => Some(Value::from(user.id.as_str())),
        "externalId" => Some(Value::from(user.external_id())),
        "userName" => text(&user.user_name),
        "name.givenName" | "givenName" => text(&user.name.given_name),
        "name.familyName" | "familyName" => text(&user.name.family_name),
        "name.formatted" => text(&user.name.formatted),
        "displayName" => user.shown_name().map(Value::Text),
        "email" => user.email().map(Value::from),
        "emails" => list(
            user.emails
                .iter()
                .map(|email| Value::from(email.value.as_str())),
        ),
        "active" => Some(Value::Bool(user.active)),
        "userType" => text(&user.user_type),
        "title" => text(&user.title),
        "department" => text(&user.department),
        "division" => text(&user.division),
        "organization" => text(&user.organization),
        "costCenter" => text(&user.cost_center),
        "employeeNumber" => text(&user.employee_number),
        "manager" => text(&user.manager),
        "preferredLanguage" => text(&user.preferred_language),
        "locale" => text(&user.locale),
        "timezone" => text(&user.timezone),
        "name" => object([
            ("givenName", text(&user.name.given_name)),
            ("familyName", text(&user.name.family_name)),
            ("formatted", text(&user.name.formatted)),
        ]),
        "phoneNumbers" => list(
            user.phone_numbers
                .iter()
                .map(|phone| Value::from(phone.value.as_str())),
        ),
        "addresses" => list(user.addresses.iter().filter_map(|address| {
            object([
                ("streetAddress", text(&address.street_address)),
                ("locality", text(&address.locality)),
                ("region", text(&address.region)),
                ("postalCode", text(&address.postal_code)),
                ("country", text(&address.country)),
            ])
        })),
        _ => match name.split_once('.') {
            Some(("source", name)) => user.source.get(name).cloned(),
            Some(("phoneNumbers", kind)) => user
                .phone_numbers
                .iter()
                .find(|phone| phone.kind == kind)
                .map(|phone| Value::from(phone.value.as_str())),
            Some(("addresses", part)) => {
                let address = user.addresses.first()?;
                match part {
                    "streetAddress" => text(&address.street_address),
                    "locality" => text(&address.locality),
                    "region" => text(&address.region),
                    "postalCode" => text(&address.postal_code),
                    "country" => text(&address.country),
                    _ => None,
                }
            }
            _ => None,
        },
    }
}

fn list(items: impl Iterator<Item = Value>) -> Option<Value> {
    let items: Vec<Value> = items.collect();
    (!items.is_empty()).then_some(Value::List(items))
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Option<Value> {
    let fields: BTreeMap<String, Value> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// What a template sees: the model's attributes by their names, nested where they have a dot.
fn template_context(user: &User) -> minijinja::Value {
    let mut context = serde_json::Map::new();
    for name in MODEL.iter().filter(|name| !name.contains('.')) {
        if let Some(value) = look_up(user, name) {
            context.insert((*name).to_owned(), value.to_json());
        }
    }
    let parts = |prefix: &str| -> serde_json::Map<String, serde_json::Value> {
        MODEL
            .iter()
            .filter_map(|name| {
                let part = name.strip_prefix(prefix)?;
                Some((part.to_owned(), look_up(user, name)?.to_json()))
            })
            .collect()
    };
    context.insert("name".to_owned(), parts("name.").into());
    context.insert("phoneNumbers".to_owned(), parts("phoneNumbers.").into());
    context.insert("addresses".to_owned(), parts("addresses.").into());
    let source = user
        .source
        .iter()
        .map(|(name, value)| (name.clone(), value.to_json()));
    context.insert(
        "source".to_owned(),
        serde_json::Value::Object(source.collect()),
    );
    minijinja::Value::from(minijinja::value::Serde(context))
}
