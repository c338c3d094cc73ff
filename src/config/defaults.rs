//! The lowest layer: what holds where nobody says otherwise.
//!
//! Most defaults belong to named sections, so this layer is made after the others are
//! read: it fills in the sections they mention, and no more.

use std::collections::BTreeMap;

use super::keys::{KEYS, Unset};
use super::layer::Layer;
use super::node::{self, Body, Node, Table};
use super::portals::{DEFAULT_ROLES, PortalKind};
use super::problems::Origin;
use super::{document, validate};

/// The built-in layer: every default of every section that the other layers mention.
pub(super) fn of(layers: &[Layer]) -> Table {
    let mut table = Table::new();
    let mut plant = |path: &[&str], text: &str| {
        let node = document::parse_value(text, &Origin::Default)
            .expect("the defaults of the keys are TOML; a test reads them all");
        node::plant(&mut table, path, node);
    };
    let sections = named_sections(layers);
    for key in KEYS {
        let Unset::Default(text) = key.unset else {
            continue;
        };
        let path: Vec<&str> = key.path.split('.').collect();
        match path[..] {
            [section, "NAME", ref below @ ..] => {
                for ((of, name), kind) in &sections {
                    if of == section && key.belongs_to(kind) {
                        plant(&[&[section, name], below].concat(), text);
                    }
                }
            }
            _ => plant(&path, text),
        }
    }
    for ((section, name), kind) in &sections {
        let roles = ["portals", name, "roles"];
        let gives_roles = layers
            .iter()
            .any(|layer| node::look(&layer.table, &roles).is_some());
        if section == "portals" && kind == PortalKind::Dashboard.as_str() && !gives_roles {
            for (group, role) in DEFAULT_ROLES {
                plant(&[&roles[..], &[group]].concat(), &format!("\"{role}\""));
            }
        }
    }
    table
}

/// Every named section of the layers whose kind is known, with its kind.
fn named_sections(layers: &[Layer]) -> BTreeMap<(String, String), String> {
    let mut kinds = BTreeMap::new();
    for layer in layers {
        for section in validate::NAMED_SECTIONS {
            let Some(Node {
                body: Body::Table(names),
                ..
            }) = layer.table.get(section)
            else {
                continue;
            };
            for (name, node) in names {
                if let Body::Table(keys) = &node.body
                    && let Some(Node {
                        body: Body::Text(kind),
                        ..
                    }) = keys.get("kind")
                {
                    kinds.insert((section.to_owned(), name.clone()), kind.clone());
                }
            }
        }
    }
    kinds
}
