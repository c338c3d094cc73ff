//! Puts the layers together: defaults, files, environment, in this order.
//!
//! Each layer is read and checked where it stands, then the `config` crate merges them,
//! then the sections are typed and checked against each other. All errors are collected
//! on the way; settings with one error are not settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::{Map, Value};

use super::check::{self, Merged};
use super::keys::{Found, Kind, find};
use super::layer::{Layer, Origins};
use super::log::Log;
use super::node;
use super::notify::Notify;
use super::portals::Portal;
use super::problems::{Origin, Problems, SettingsErrors};
use super::retention::Retention;
use super::safety::Safety;
use super::secret::MASK;
use super::section::Section;
use super::server::Server;
use super::sources::Source;
use super::state::State;
use super::targets::Target;
use super::{Settings, defaults, document, environment, validate};

/// The settings file that is read when none is named.
pub const MAIN_FILE: &str = "/etc/rosterd/rosterd.toml";

/// The directory whose `*.toml` files follow it, in the order of their names.
pub const FURTHER_FILES: &str = "/etc/rosterd/conf.d";

/// The effective settings, and where they come from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Where each key comes from. Tables are listed too, with their first mention.
    pub origins: BTreeMap<String, Origin>,
    /// What is worth a look, a line each.
    pub warnings: Vec<String>,
    /// The value of each key, secrets masked.
    pub(super) shown: BTreeMap<String, Value>,
}

/// This loads the settings from `files`, or from the usual places if there are none, and
/// from the environment.
///
/// A file that was named must exist; the usual ones need not.
pub fn load(files: &[PathBuf]) -> Result<Loaded, SettingsErrors> {
    let mut problems = Problems::default();
    let files = if files.is_empty() {
        usual_files(&mut problems)
    } else {
        files.to_vec()
    };
    let texts = files
        .iter()
        .filter_map(|path| match std::fs::read_to_string(path) {
            Ok(text) => Some((path.clone(), text)),
            Err(cause) => {
                let place = Origin::File(path.clone(), 0);
                problems.error(&place, format!("could not read the settings file: {cause}"));
                None
            }
        });
    let texts: Vec<_> = texts.collect();
    // A variable that is not UTF-8 cannot be one of ours: our keys and values are text.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    assemble(texts, variables, problems)
}

/// This loads the settings from one text, named `path` in messages, and nothing else.
pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Loaded, SettingsErrors> {
    assemble(
        vec![(path.into(), text.to_owned())],
        [],
        Problems::default(),
    )
}

/// This loads the settings from texts, later ones going before earlier ones, and from
/// `variables`, which go before all texts.
pub fn parse_layers(
    texts: Vec<(PathBuf, String)>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, SettingsErrors> {
    assemble(texts, variables, Problems::default())
}

fn usual_files(problems: &mut Problems) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if Path::new(MAIN_FILE).exists() {
        files.push(PathBuf::from(MAIN_FILE));
    }
    match std::fs::read_dir(FURTHER_FILES) {
        Ok(entries) => {
            let entries = entries.filter_map(|entry| Some(entry.ok()?.path()));
            let mut further: Vec<PathBuf> = entries
                .filter(|path| path.extension().is_some_and(|e| e == "toml"))
                .collect();
            further.sort();
            files.append(&mut further);
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(cause) => {
            let place = Origin::File(FURTHER_FILES.into(), 0);
            problems.error(
                &place,
                format!("could not list the settings files: {cause}"),
            );
        }
    }
    files
}

fn assemble(
    texts: Vec<(PathBuf, String)>,
    variables: impl IntoIterator<Item = (String, String)>,
    mut problems: Problems,
) -> Result<Loaded, SettingsErrors> {
    let mut layers = Vec::new();
    let mut unreadable = false;
    for (path, text) in texts {
        match document::parse(&path, &text) {
            Ok(table) => layers.push(Layer { table }),
            Err(fault) => {
                unreadable = true;
                problems.error(&Origin::File(path, fault.line), fault.message);
            }
        }
    }
    layers.push(Layer {
        table: environment::read(variables, &mut problems),
    });
    for layer in &mut layers {
        validate::check(&mut layer.table, &mut problems);
    }
    if unreadable {
        // Without that file everything else would seem to be missing.
        return Err(problems
            .verdict()
            .expect_err("an unreadable file was noted as an error"));
    }
    layers.insert(
        0,
        Layer {
            table: defaults::of(&layers),
        },
    );

    let merged = merge(&layers);
    check::keys_of_kinds(&merged, &mut problems);
    let settings = typed(&merged, &mut problems);
    if let Some(settings) = &settings {
        check::across(settings, &merged, &mut problems);
    }
    let warnings = problems.verdict()?;
    let shown = shown(&merged);
    let Merged { origins, .. } = merged;
    let settings = settings.expect("a section is only left out together with an error");
    Ok(Loaded {
        settings,
        origins,
        warnings,
        shown,
    })
}

fn merge(layers: &[Layer]) -> Merged {
    let mut origins = Origins::new();
    let mut builder = config::Config::builder();
    for layer in layers {
        layer.note_origins(&mut origins);
        builder = builder.add_source(layer.clone());
    }
    let tree = builder
        .build()
        .and_then(config::Config::try_deserialize::<Value>);
    let tree = match tree {
        Ok(Value::Object(tree)) => tree,
        // Our layers hand over finished tables; the crate has nothing left to refuse.
        _ => Map::new(),
    };
    Merged { tree, origins }
}

fn typed(merged: &Merged, problems: &mut Problems) -> Option<Settings> {
    let state = single(merged, problems, "state", State::read);
    let server = single(merged, problems, "server", Server::read);
    let log = single(merged, problems, "log", Log::read);
    let history = single(merged, problems, "history", Retention::read);
    let audit = single(merged, problems, "audit", Retention::read);
    let notify = single(merged, problems, "notify", Notify::read);
    let safety = single(merged, problems, "safety", Safety::read);
    let sources = named(merged, problems, "sources", Source::read);
    let targets = named(merged, problems, "targets", Target::read);
    let portals = named(merged, problems, "portals", Portal::read);
    Some(Settings {
        state: state?,
        server: server?,
        log: log?,
        history: history?,
        audit: audit?,
        notify: notify?,
        safety: safety?,
        sources,
        targets,
        portals,
    })
}

fn single<T>(
    merged: &Merged,
    problems: &mut Problems,
    path: &str,
    read: impl Fn(&mut Section) -> Option<T>,
) -> Option<T> {
    let body = merged.section(path);
    let path = path.to_owned();
    read(&mut Section {
        path,
        body: &body,
        origins: &merged.origins,
        problems,
    })
}

fn named<N: FromStr + Ord + Clone, T>(
    merged: &Merged,
    problems: &mut Problems,
    section: &str,
    read: impl Fn(N, &mut Section) -> Option<T>,
) -> BTreeMap<N, T> {
    let mut all = BTreeMap::new();
    for (name, body) in merged.section(section) {
        let (Ok(key), Some(body)) = (name.parse::<N>(), body.as_object()) else {
            continue;
        };
        let path = node::dotted(section, &name);
        let mut section = Section {
            path,
            body,
            origins: &merged.origins,
            problems,
        };
        if let Some(value) = read(key.clone(), &mut section) {
            all.insert(key, value);
        }
    }
    all
}

/// The value of each key, for showing: whatever may be a secret is masked here, once.
fn shown(merged: &Merged) -> BTreeMap<String, Value> {
    let mut shown = BTreeMap::new();
    let mut tables = vec![(Vec::new(), &merged.tree)];
    while let Some((path, table)) = tables.pop() {
        for (name, value) in table {
            let path: Vec<String> = [&path[..], std::slice::from_ref(name)].concat();
            match (find(&path), value) {
                (Found::Key(key), _) => {
                    let secret = key.kind == Kind::Secret;
                    let value = if secret {
                        Value::from(MASK)
                    } else {
                        value.clone()
                    };
                    shown.insert(node::dotted_path(&path), value);
                }
                (Found::Table, Value::Object(below)) => tables.push((path, below)),
                _ => {}
            }
        }
    }
    shown
}
