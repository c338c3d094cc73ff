//! `rosterd export`: the directory as cached, and the portals as linked or as the target has
//! them.

mod directory;

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::answers::{held, portal};
use crate::app;
use crate::config::{Loaded, TargetKind};

use super::sync::{known_portal, known_source};
use super::{Exit, Output, Usage, device, table};

#[derive(clap::Args)]
pub struct Args {
    what: What,
    /// The directory of this source.
    #[arg(long, value_name = "S", conflicts_with = "portal")]
    source: Option<String>,
    /// The state of this portal.
    #[arg(long, value_name = "P")]
    portal: Option<String>,
    /// What the target itself has, instead of what was last applied.
    #[arg(long, requires = "portal")]
    from_target: bool,
    #[arg(long, value_enum, default_value_t = Output::Json)]
    format: Output,
}

impl Args {
    fn place(&self) -> portal::From {
        match self.from_target {
            true => portal::From::Target,
            false => portal::From::Links,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Users,
    Groups,
    Accounts,
    Devices,
}

pub async fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    match (args.what, &args.source, &args.portal) {
        (What::Users | What::Groups, Some(source), None) => {
            known_source(loaded, source)?;
            let store = app::open_store(loaded)?.store;
            match args.what {
                What::Users => print(args.format, USER_COLUMNS, directory::users(&store, source)?)?,
                _ => print(
                    args.format,
                    GROUP_COLUMNS,
                    directory::groups(&store, source)?,
                )?,
            }
        }
        (What::Accounts | What::Groups | What::Devices, None, Some(portal)) => {
            known_portal(loaded, portal)?;
            if args.from_target && args.what != What::Devices && !is_local(loaded, portal) {
                return elsewhere(&args, loaded, portal).await;
            }
            let store = app::open_store(loaded)?.store;
            match args.what {
                What::Devices => device::print(&device::mdm(loaded, &store, portal)?, args.format)?,
                What::Accounts => {
                    let rows = portal::accounts(&store, portal, args.place(), None)?;
                    print(args.format, ACCOUNT_COLUMNS, rows)?;
                }
                _ => {
                    let (rows, _) = portal::groups(&store, portal, args.place(), None, usize::MAX)?;
                    let rows = rows.into_iter().map(Ok::<_, anyhow::Error>);
                    print(args.format, PORTAL_GROUP_COLUMNS, rows)?;
                }
            }
        }
        (What::Users, ..) => return Err(Usage("export users needs --source".into()).into()),
        (What::Groups, ..) => {
            return Err(Usage("export groups needs --source or --portal".into()).into());
        }
        _ => return Err(Usage("export accounts and devices need --portal".into()).into()),
    }
    Ok(Exit::Done)
}

fn is_local(loaded: &Loaded, portal: &str) -> bool {
    let portal = &loaded.settings.portals[portal];
    matches!(
        loaded.settings.targets[&portal.target].kind,
        TargetKind::Local
    )
}

/// What a target that is not rosterd's own store says it holds.
async fn elsewhere(args: &Args, loaded: &Loaded, portal: &str) -> anyhow::Result<Exit> {
    let app = app::open(loaded)?;
    let found = app.held(portal).await?;
    if args.what == What::Accounts {
        let rows = held::accounts(app.store(), portal, found)?;
        let rows = rows.into_iter().map(Ok::<_, anyhow::Error>);
        print(args.format, ACCOUNT_COLUMNS, rows)?;
    } else {
        let rows = held::groups(found);
        let rows = rows.into_iter().map(Ok::<_, anyhow::Error>);
        print(args.format, PORTAL_GROUP_COLUMNS, rows)?;
    }
    Ok(Exit::Done)
}

const USER_COLUMNS: &[&str] = &["id", "userName", "displayName", "active"];
const GROUP_COLUMNS: &[&str] = &["id", "displayName"];
const ACCOUNT_COLUMNS: &[&str] = &["key", "displayName", "role", "active", "departed", "source"];
const PORTAL_GROUP_COLUMNS: &[&str] = &["displayName", "externalId"];

/// Prints rows one at a time: a directory need not fit into memory to be printed.
fn print<T: Serialize, E: Into<anyhow::Error>>(
    format: Output,
    columns: &[&str],
    rows: impl Iterator<Item = Result<T, E>>,
) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if format == Output::Text {
        let mut cells = Vec::new();
        for row in rows {
            let row = serde_json::to_value(row.map_err(Into::into)?)?;
            cells.push(
                columns
                    .iter()
                    .map(|column| match &row[*column] {
                        serde_json::Value::String(text) => text.clone(),
                        serde_json::Value::Null => "–".to_owned(),
                        other => other.to_string(),
                    })
                    .collect(),
            );
        }
        table::print(columns, &cells);
        return Ok(());
    }
    out.write_all(b"[")?;
    for (number, row) in rows.enumerate() {
        out.write_all(if number == 0 { b"\n  " } else { b",\n  " })?;
        serde_json::to_writer(&mut out, &row.map_err(Into::into)?)?;
    }
    out.write_all(b"\n]\n")?;
    Ok(out.flush()?)
}
