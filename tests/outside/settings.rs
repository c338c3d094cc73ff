//! Settings as the tests speak of them: written as TOML for rosterd, read as they are by the
//! oracle.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

/// A source that pulls from the simulator.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: &'static str,
    pub okta: bool,
    /// Whether only those assigned to the application are in scope.
    pub assigned: bool,
    pub nested: bool,
    /// Lines that say how it signs in; None for the simulator's secret or token.
    pub sign_in: Option<String>,
    /// Further lines of its section.
    pub more: String,
}

impl Source {
    pub fn entra() -> Source {
        Source {
            name: "entra",
            okta: false,
            assigned: true,
            nested: true,
            sign_in: None,
            more: String::new(),
        }
    }

    pub fn okta() -> Source {
        Source {
            name: "okta",
            okta: true,
            ..Source::entra()
        }
    }

    pub fn everyone(self) -> Source {
        Source {
            assigned: false,
            ..self
        }
    }

    pub fn signs_in(self, lines: &str) -> Source {
        Source {
            sign_in: Some(lines.to_owned()),
            ..self
        }
    }

    pub fn flat(self) -> Source {
        Source {
            nested: false,
            ..self
        }
    }

    pub fn with(self, more: &str) -> Source {
        Source {
            more: format!("{}{more}\n", self.more),
            ..self
        }
    }
}

/// What fills an attribute.
#[derive(Clone, Debug)]
pub enum Fill {
    From(&'static str),
    Or(&'static str, &'static str),
    Constant(&'static str),
    /// `{{ name.familyName | upper }}, {{ name.givenName }}`, the one template there is.
    Reversed,
}

#[derive(Clone, Debug)]
pub struct Portal {
    pub name: String,
    pub kind: &'static str,
    pub sources: Vec<&'static str>,
    pub match_on: &'static str,
    pub on_create: &'static str,
    pub on_deactivate: &'static str,
    pub policy: Option<&'static str>,
    pub grace: Option<&'static str>,
    pub default_role: Option<&'static str>,
    pub continuous: bool,
    pub push: Vec<&'static str>,
    /// A glob over groups, one who is in none of which is out of scope.
    pub include_groups: Vec<&'static str>,
    /// `(attribute, value)`, one of which puts a user out of scope.
    pub exclude_attributes: Vec<(&'static str, &'static str)>,
    pub attributes: Vec<(&'static str, Fill)>,
}

impl Portal {
    pub fn new(kind: &'static str, on_deactivate: &'static str) -> Portal {
        Portal {
            name: format!("{kind}-{on_deactivate}"),
            kind,
            sources: vec!["entra", "okta"],
            match_on: "email",
            on_create: "create",
            on_deactivate,
            policy: (on_deactivate == "change_policy").then_some("Quarantine"),
            grace: None,
            default_role: None,
            continuous: false,
            push: vec!["*"],
            include_groups: Vec::new(),
            exclude_attributes: Vec::new(),
            attributes: vec![
                ("title", Fill::Or("title", "Staff")),
                ("metadata.department", Fill::From("department")),
                ("metadata.badge", Fill::From("source.extensionAttribute1")),
                ("metadata.plan", Fill::Constant("enterprise")),
                (
                    "urn:ietf:params:scim:schemas:extension:appspace:2.0:User:floor",
                    Fill::From("source.officeLocation"),
                ),
            ],
        }
    }

    pub fn named(self, name: &str) -> Portal {
        Portal {
            name: name.to_owned(),
            ..self
        }
    }

    pub fn from(self, sources: &[&'static str]) -> Portal {
        Portal {
            sources: sources.to_vec(),
            ..self
        }
    }
}

/// Everything rosterd is told.
#[derive(Clone, Debug)]
pub struct Settings {
    pub sources: Vec<Source>,
    pub portals: Vec<Portal>,
    /// Lines of `[safety]`. Roomy unless a test says otherwise.
    pub safety: String,
    /// Further sections; `{base}` is the simulator's address.
    pub more: String,
}

pub const ROOMY: &str =
    "max_deactivations = 100000\nmax_group_deletes = 100000\nmax_membership_removals = 100000\n";

impl Settings {
    pub fn new(sources: Vec<Source>, portals: Vec<Portal>) -> Settings {
        Settings {
            sources,
            portals,
            safety: ROOMY.to_owned(),
            more: String::new(),
        }
    }

    pub fn source(&self, name: &str) -> &Source {
        let found = self.sources.iter().find(|source| source.name == name);
        found.expect("a portal names sources that there are")
    }

    pub fn toml(&self, state: &Path, base: &str) -> String {
        let mut text = String::new();
        self.write(&mut text, state, base)
            .expect("a String takes everything");
        text
    }

    fn write(&self, out: &mut String, state: &Path, base: &str) -> std::fmt::Result {
        writeln!(out, "[state]\npath = {}", quoted(&state.to_string_lossy()))?;
        // Any port: daemons of several tests run side by side.
        writeln!(out, "\n[server]\nlisten = \"127.0.0.1:0\"")?;
        for source in &self.sources {
            writeln!(out, "\n[sources.{}]", source.name)?;
            if source.okta {
                writeln!(out, "kind = \"okta\"\norg_url = \"{base}\"")?;
                let usual = "api_token = { env = \"SIM_OKTA_TOKEN\" }";
                writeln!(out, "{}", source.sign_in.as_deref().unwrap_or(usual))?;
                writeln!(out, "application = \"{}\"", rosterd_sim::OKTA_APP_ID)?;
            } else {
                let domain = rosterd_sim::TENANT_DOMAIN;
                writeln!(out, "kind = \"graph\"\ntenant = \"{domain}\"")?;
                writeln!(out, "client_id = \"sim-client\"")?;
                let usual = "client_secret = { env = \"SIM_SECRET\" }";
                writeln!(out, "{}", source.sign_in.as_deref().unwrap_or(usual))?;
                writeln!(out, "endpoint = \"{base}\"\nauthority = \"{base}\"")?;
                writeln!(out, "application = \"{}\"", rosterd_sim::APP_ID)?;
            }
            let scope = if source.assigned { "assigned" } else { "all" };
            writeln!(
                out,
                "scope = \"{scope}\"\nnested_groups = {}",
                source.nested
            )?;
            write!(out, "{}", source.more)?;
        }
        writeln!(out, "\n[targets.local]\nkind = \"local\"")?;
        for portal in &self.portals {
            portal.write(out)?;
        }
        let more = self.more.replace("{base}", base);
        writeln!(out, "\n[safety]\n{}\n{more}", self.safety)
    }
}

impl Portal {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let name = &self.name;
        writeln!(out, "\n[portals.{name}]\nkind = \"{}\"", self.kind)?;
        writeln!(out, "target = \"local\"\nsources = {:?}", self.sources)?;
        writeln!(out, "match_on = \"{}\"", self.match_on)?;
        writeln!(out, "on_create = \"{}\"", self.on_create)?;
        writeln!(out, "on_deactivate = \"{}\"", self.on_deactivate)?;
        if let Some(policy) = self.policy {
            writeln!(out, "policy = \"{policy}\"")?;
        }
        if let Some(grace) = self.grace {
            writeln!(out, "deactivate_after = \"{grace}\"")?;
        }
        if let Some(role) = self.default_role {
            writeln!(out, "default_role = \"{role}\"")?;
        }
        if self.continuous {
            writeln!(out, "role_updates = \"continuous\"")?;
        }
        writeln!(out, "groups = {{ push = {:?} }}", self.push)?;
        if !self.include_groups.is_empty() {
            writeln!(out, "include = {{ groups = {:?} }}", self.include_groups)?;
        }
        if !self.exclude_attributes.is_empty() {
            let conditions: Vec<String> = self
                .exclude_attributes
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            writeln!(out, "exclude = {{ attributes = {conditions:?} }}")?;
        }
        writeln!(out, "[portals.{name}.attributes]")?;
        for (target, fill) in &self.attributes {
            let fill = match fill {
                Fill::From(from) => quoted(from),
                Fill::Or(from, default) => {
                    format!("{{ from = {from:?}, default = {default:?} }}")
                }
                Fill::Constant(constant) => format!("{{ constant = {constant:?} }}"),
                Fill::Reversed => {
                    "{ template = \"{{ name.familyName | upper }}, {{ name.givenName }}\" }".into()
                }
            };
            writeln!(out, "{target:?} = {fill}")?;
        }
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
