//! `rosterd policy`: an MDM portal's policies on a local target.

use crate::answers::devices::Change;
use crate::app;
use crate::config::Loaded;

use super::device::{change, mdm};
use super::{Exit, Output, table};

#[derive(clap::Subcommand)]
pub enum Args {
    /// Makes a policy.
    Set {
        name: String,
        #[arg(long)]
        portal: String,
    },
    /// Removes a policy that no device is under.
    Remove {
        name: String,
        #[arg(long)]
        portal: String,
    },
    /// Lists policies.
    List {
        #[arg(long)]
        portal: String,
        #[arg(long, value_enum, default_value_t)]
        format: Output,
    },
}

pub fn run(args: Args, loaded: &Loaded) -> anyhow::Result<Exit> {
    match args {
        Args::Set { name, portal } => change(loaded, portal, Change::SetPolicy { name })?,
        Args::Remove { name, portal } => change(loaded, portal, Change::RemovePolicy { name })?,
        Args::List { portal, format } => {
            let store = app::open_store(loaded)?.store;
            let policies = mdm(loaded, &store, &portal)?.policies()?;
            match format {
                Output::Json => println!("{}", serde_json::to_string_pretty(&policies)?),
                Output::Text => {
                    let rows: Vec<Vec<String>> = policies
                        .into_iter()
                        .map(|policy| vec![policy.name])
                        .collect();
                    table::print(&["policy"], &rows);
                }
            }
        }
    }
    Ok(Exit::Done)
}
